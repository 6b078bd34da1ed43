"""Evaluation on Ray: the figures of one process, and its errors in one line."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.metrics.kinds import ClipMetric, SetMetric
from moviola.metrics.protocol import Protocol
from moviola.pipelines.evaluate import evaluate as evaluate_here
from moviola.scale import RayMapper, evaluate

FRAMES_8 = Protocol(frames=8, policy="random")


def make_set(folder, count: int, seed: int):
    """Folders of frames: noise on a ground of their own."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        frames = rng.integers(0, 100, (12, 16, 16, 3)) + rng.integers(0, 155, 3)
        Video(frames.astype(np.uint8), 10).save(f"{folder / f'{i:02d}'}/")
    return folder


def tiny_metrics() -> list[Metric]:
    """Two metrics whose extractor is defined here, so that Ray sends it along."""

    class Tiny:
        name = "tiny"

        def identity(self):
            return {"network": "tiny"}

        def __call__(self, sample):
            values = sample.video.frames.astype(np.float32)
            return {
                "features": values.mean(axis=(0, 1)).mean(0),
                "moved": np.float32(np.diff(values, axis=0).std()),
            }

    tiny = Tiny()
    return [
        SetMetric("fvd", extractor=tiny, output="features"),
        ClipMetric("motion", extractor=tiny, output="moved"),
    ]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def local_ray():
    """A Ray of two workers on this machine, without its dashboard."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_ray_gives_the_scores_of_one_process(local_ray, tmp_path):
    """Two workers: scores, intervals and floors are equal; a broken clip is one line, or named and skipped."""
    real, fake = make_set(tmp_path / "real", 20, 1), make_set(tmp_path / "fake", 18, 2)
    expected = evaluate_here(real, fake, tiny_metrics(), FRAMES_8, cache=False)
    report = evaluate(real, fake, tiny_metrics(), FRAMES_8, workers=2, cache=False, sanity=False)
    assert report.scores == expected.scores
    assert report.protocol == expected.protocol
    for picture in (fake / "05").glob("*.png"):
        picture.write_bytes(picture.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"05/.*\.png cannot be decoded") as caught:
        evaluate(real, fake, tiny_metrics(), FRAMES_8, workers=2)
    assert "\n" not in str(caught.value)
    left = evaluate(real, fake, tiny_metrics(), FRAMES_8, workers=2, skip_bad=True)
    assert [(which, name) for which, name, _ in left.skipped] == [("fake", "05")]
    assert left["fvd"].n_fake == 17


def test_without_ray(tmp_path, monkeypatch):
    """One line that says how to get it, before anything is opened."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"^--ray needs Ray; run in .*: pip install .*\[scale\]'$"):
        evaluate(tmp_path / "nowhere", tmp_path / "nowhere", tiny_metrics())


def test_numbers_outside_their_range():
    for how in ({"workers": 0}, {"cpus": 0}, {"gpus": -1}):
        with pytest.raises(ConfigError, match="at least 1"):
            RayMapper(**how)


def test_nothing_to_do_starts_no_ray(monkeypatch):
    """With everything in the cache, Ray is not even imported."""
    monkeypatch.setitem(sys.modules, "ray", None)
    assert list(RayMapper()(None, [])) == []
