"""The I3D extractor: how a clip enters the network, and what comes out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.video import Video
from moviola.data import codec
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.i3d import I3DExtractor
from moviola.nn.pretrained import packages
from moviola.nn.pretrained.i3d import I3D, I3DConfig
from moviola.nn.pretrained.store import weights_sha256

CRICKET = 227  # "playing cricket" among the 400 classes of Kinetics, in alphabetical order


def tiny(**options: object) -> I3DExtractor:
    """An extractor around a small random network that sees 64x64."""
    network = I3D(I3DConfig.tiny()).randomise(torch.Generator().manual_seed(3)).fold()
    return I3DExtractor(network, "0" * 64, **{"size": 64, **options})


def sample(frames: int = 12, height: int = 40, width: int = 56, seed: int = 0) -> Sample:
    """Noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    return Sample(Video(pixels, 25), f"clip-{seed}")


@pytest.fixture(scope="module")
def published() -> I3DExtractor:
    """With the published weights, where they are."""
    try:
        return I3DExtractor.load()
    except WeightsError as error:
        pytest.skip(f"the published weights are not on this machine ({error})")


def test_is_an_extractor():
    """It keeps the contract, with float32 arrays of one shape."""
    extractor = tiny()
    assert isinstance(extractor, Extractor)
    out = extractor(sample())
    assert {name: (value.shape, value.dtype) for name, value in out.items()} == {
        "logits": ((8,), np.float32),
        "pooled": ((9,), np.float32),
    }


@pytest.mark.parametrize("size", [(40, 56), (128, 96), (64, 64)])
def test_frames_enter_as_opencv_would_resize_them(size):
    """Bilinear, corners not aligned, no antialiasing is OpenCV's INTER_LINEAR; black is -1, white is +1."""
    clip = sample(10, *size).video
    want = np.stack(
        [cv2.resize(f.astype(np.float32), (64, 64), interpolation=cv2.INTER_LINEAR) for f in clip.frames]
    )
    got = tiny().prepare(clip)
    assert got.shape == (10, 3, 64, 64)
    np.testing.assert_allclose(got.permute(0, 2, 3, 1).numpy(), want / 127.5 - 1, atol=1e-4)


def test_antialias_is_another_extractor():
    """It changes what enters, and the cache key."""
    plain, smooth = tiny(), tiny(antialias=True)
    clip = sample(10, 200, 200).video
    assert smooth.prepare(clip).std() < 0.7 * plain.prepare(clip).std()
    assert plain.identity() != smooth.identity()
    assert plain.identity() != tiny(resize="bicubic").identity() != tiny(size=96).identity()


def test_a_clip_does_not_depend_on_the_others():
    """The same numbers, bit by bit, in any order; another clip, other numbers."""
    extractor, clips = tiny(), [sample(seed=i) for i in range(3)]
    first = [extractor(clip)["logits"] for clip in clips]
    again = [extractor(clip)["logits"] for clip in reversed(clips)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.abs(first[0] - first[1]).max() > 1e-3


def test_too_short():
    """The clip is named."""
    with pytest.raises(ConfigError, match="clip-0 has 9 frames; I3D needs clips of at least 10"):
        tiny()(sample(9))


def test_antialias_without_a_kernel():
    """Nearest has nothing to smooth."""
    with pytest.raises(ConfigError, match="antialias"):
        tiny(resize="nearest", antialias=True)


def test_missing_weights_are_one_line(tmp_path, monkeypatch):
    """Never another network instead."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "installed_file", lambda *_: None)
    with pytest.raises(WeightsError, match=r'^fvd needs the i3d weights: run "moviola models fetch i3d"$'):
        I3DExtractor.load()


def test_all_zero_against_all_one(published):
    """151.39 as the original graph says (151.26 in the port): 64x64 clips of 0 and of 255, 30 frames."""
    flat = [Sample(Video(np.full((30, 64, 64, 3), level, np.uint8), 25), str(level)) for level in (0, 255)]
    black, white = (published(clip)["logits"].astype(np.float64) for clip in flat)
    distance = ((black - white) ** 2).sum()  # the mean term of FVD: neither set has any spread
    assert distance == pytest.approx(151.39244, abs=2e-3)
    assert distance == pytest.approx(151.25648496845326, rel=2e-3)
    assert published.identity()["sha256"] == weights_sha256("i3d")


def test_a_real_clip_is_recognised(published, shared):
    """A UCF-101 clip of a cricket shot is "playing cricket", far ahead of the other 399 classes."""
    video = codec.read(shared / "media/video/ucf101-cricketshot.gif", stop=32)
    chances = torch.from_numpy(published(Sample(video, "cricket"))["logits"]).softmax(0)
    assert int(chances.argmax()) == CRICKET
    assert float(chances.max()) > 0.9
