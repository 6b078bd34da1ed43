"""Metrics that cost nothing, and folders of small moving clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moviola.core.video import Video
from moviola.metrics.kinds import ClipMetric, Metric, PairMetric, SetMetric
from moviola.metrics.measures import KernelMeasure

FRAMES = 20


class Tiny:
    """Colour statistics of a clip and their change: features of 9 numbers, and two figures of single clips."""

    name = "tiny"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def identity(self) -> dict[str, str]:
        return {"network": "tiny", "sha256": "0" * 64}

    def __call__(self, sample) -> dict[str, np.ndarray]:
        self.seen.append(sample.name)
        values = sample.video.frames.astype(np.float64) / 255
        mean = values.mean(axis=(1, 2))
        features = np.concatenate([mean.mean(0), values.std(axis=(0, 1, 2)), np.diff(mean, axis=0).std(0)])
        moved = np.abs(np.diff(values, axis=0)).mean()
        return {"features": features.astype(np.float32), "moved": np.float32(moved)}


class TinyPair:
    """Mean squared error of two clips, values 0 to 255."""

    name = "tiny-pair"

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def identity(self) -> dict[str, str]:
        return {}

    def __call__(self, real, fake) -> dict[str, np.ndarray]:
        self.seen.append((real.name, fake.name))
        return {"error": np.float32(np.square(real.video.frames - fake.video.frames.astype(float)).mean())}


def clip(seed: int, frames: int = FRAMES, height: int = 16, width: int = 20, speed: float = 1.0) -> Video:
    """A square that drifts over a ground of its own colour and grows brighter, by the seed."""
    rng = np.random.default_rng(seed)
    ground, square = rng.integers(0, 120, 3), rng.integers(130, 256, 3)
    top, left = rng.integers(0, height - 6), rng.integers(0, width)
    out = np.broadcast_to(ground, (frames, height, width, 3)).astype(np.uint8).copy()
    for t in range(frames):
        columns = (left + round(speed * t) + np.arange(6)) % width
        out[t, top : top + 6, columns] = square * (0.5 + 0.5 * t / frames)
    return Video(out, 10)


def save_clips(folder: Path, clips: dict[str, Video]) -> Path:
    """Write clips (name with a suffix of a file, or ending in / for a folder of frames) below `folder`."""
    for name, video in clips.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        video.save(f"{path}/" if name.endswith("/") else path)
    return folder


def make_set(folder: Path, count: int, seed: int, suffix: str = ".npz", **how) -> Path:
    """Write `count` clips 00.npz, 01.npz ... whose contents follow the seed."""
    return save_clips(folder, {f"{i:02d}{suffix}": clip(1000 * seed + i, **how) for i in range(count)})


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """Keep features in the test's own folder."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def tiny() -> Tiny:
    """An extractor that counts what it was shown."""
    return Tiny()


@pytest.fixture
def metrics(tiny) -> Callable[..., list[Metric]]:
    """Make metrics of the tiny extractor: by key, or one of each kind."""
    pair = TinyPair()

    def make(*keys: str) -> list[Metric]:
        known = {
            "fvd": SetMetric("fvd", extractor=tiny, output="features"),
            "kvd": SetMetric("kvd", extractor=tiny, output="features", measure=KernelMeasure()),
            "motion": ClipMetric("motion", extractor=tiny, output="moved"),
            "mse": PairMetric("mse", extractor=pair, output="error"),
        }
        return [known[key] for key in keys or ("fvd", "kvd", "motion")]

    return make


@pytest.fixture
def sets(tmp_path) -> tuple[Path, Path]:
    """Two folders of 12 and 9 clips."""
    return make_set(tmp_path / "real", 12, 1), make_set(tmp_path / "fake", 9, 2, speed=2)


@pytest.fixture(name="clip")
def clip_fixture():
    """See `clip`."""
    return clip


@pytest.fixture(name="make_set")
def make_set_fixture():
    """See `make_set`."""
    return make_set


@pytest.fixture(name="save_clips")
def save_clips_fixture():
    """See `save_clips`."""
    return save_clips
