"""The figures of change from frame to frame, on clips whose motion is known."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError, UnknownNameError, WeightsError
from moviola.core.video import Video
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.metrics.temporal import (
    Flicker,
    FlickerExtractor,
    FlowExtractor,
    Motion,
    WarpError,
    make_flicker,
    make_motion,
    make_pixel_mse,
    make_warp_error,
)

TEXTURE = torch.nn.functional.interpolate(
    torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0)),
    size=(64, 96),
    mode="bicubic",
    align_corners=False,
).clamp(0, 1)


def clip(step, frames=5, blink=0, name="clip"):
    """A texture of which 48x64 are seen, and which goes right by `step` px a frame; every other frame is brighter."""
    pictures = (TEXTURE[0].permute(1, 2, 0).numpy() * 200).astype(np.uint8)
    cut = [pictures[8:56, 24 - step * t : 88 - step * t] + np.uint8(blink * (t % 2)) for t in range(frames)]
    return Sample(Video(np.stack(cut), 8), name)


@pytest.fixture(scope="module")
def extractor():
    return FlowExtractor()


def test_motion(extractor):
    """2 px of a height of 48 are 4.17 percent; a still has none; there and back does not matter."""
    out = extractor(clip(2))
    assert isinstance(extractor, Extractor)
    assert all(value.shape == () and value.dtype == np.float32 for value in out.values())
    assert float(out["motion"]) == pytest.approx(100 * 2 / 48, rel=0.05)
    assert float(extractor(clip(0))["motion"]) == pytest.approx(0, abs=1e-4)
    backwards = Sample(clip(2).video[::-1], "backwards")
    assert float(extractor(backwards)["motion"]) == pytest.approx(float(out["motion"]), rel=0.05)


def test_motion_explains_change(extractor):
    """Almost nothing of a moving texture's change is left where nothing is hidden; what leaves is hidden."""
    moving = clip(2)
    first, second = moving.video.frames[0] / 255, moving.video.frames[1] / 255
    unaligned = ((first - second) ** 2).mean()
    out = extractor(moving)
    assert float(out["warp-error"]) < 0.02 * unaligned
    assert float(out["hidden"]) == pytest.approx(2 / 64, abs=0.03)
    assert float(out["pixel-mse"]) < 0.2 * unaligned * 255**2


def test_what_motion_does_not_explain(extractor):
    """Blinking by 30 levels costs what it is: (30/255)^2 and 30^2."""
    out = extractor(clip(0, blink=30))
    assert float(out["warp-error"]) == pytest.approx((30 / 255) ** 2, rel=0.1)
    assert float(out["pixel-mse"]) == pytest.approx(900, rel=0.1)
    assert float(FlickerExtractor()(clip(0, blink=30))["flicker"]) == pytest.approx(15)


def test_a_pair_at_a_time(extractor):
    """The figures of a clip are the means of its pairs', however long it is."""
    video = clip(3, frames=4).video
    pairs = [extractor(Sample(video[i : i + 2], "pair")) for i in range(3)]
    whole = extractor(Sample(video, "whole"))
    for key, value in whole.items():
        assert float(value) == pytest.approx(
            np.mean([float(pair[key]) for pair in pairs]), rel=1e-4, abs=1e-7
        )


def test_too_short(extractor):
    """The clip is named."""
    with pytest.raises(ConfigError, match=r"short\.mp4 has 1 frame; flow needs clips of at least 2"):
        extractor(clip(1, frames=1, name="short.mp4"))
    with pytest.raises(ConfigError, match=r"short\.mp4 has 2 frames; flicker needs clips of at least 3"):
        FlickerExtractor()(clip(1, frames=2, name="short.mp4"))


def test_other_flows(tmp_path):
    """OpenCV's flow tells the same motion and has its own identity; RAFT wants its file; others are not known."""
    pytest.importorskip("cv2")
    dis = FlowExtractor("dis")
    assert dis.identity() != FlowExtractor("lk").identity() and "OpenCV" in dis.identity()["network"]
    assert float(dis(clip(2))["motion"]) == pytest.approx(100 * 2 / 48, rel=0.1)
    with pytest.raises(WeightsError, match=r"needs the file raft-small\.pth"):
        FlowExtractor("raft")
    with pytest.raises(WeightsError, match=r"none\.pth"):
        FlowExtractor("raft", tmp_path / "none.pth")
    with pytest.raises(UnknownNameError, match="flow method 'lkk'; did you mean lk"):
        FlowExtractor("lkk")


def test_sent_to_another_process(extractor):
    """A pickled extractor measures the same."""
    other = pickle.loads(pickle.dumps(extractor))
    assert other.identity() == extractor.identity()
    assert other(clip(1)) == extractor(clip(1))


def test_classes():
    """update returns a clip's figure, compute the mean; merging is as if one had seen all."""
    motion, other = Motion(), Motion()
    values = [motion.update(clip(0).video), motion.update(clip(2).video), other.update(clip(3).video)]
    assert motion.compute() == pytest.approx(np.mean(values[:2]))
    motion.merge(other)
    assert motion.compute() == pytest.approx(np.mean(values))
    motion.reset()
    with pytest.raises(InputError, match="motion has seen no clip"):
        motion.compute()
    error, flicker = WarpError(), Flicker()
    assert error.update(clip(0, blink=30).video) == pytest.approx((30 / 255) ** 2, rel=0.1)
    assert flicker.update(clip(0, blink=20).video) == pytest.approx(10)


def test_factories_share_one_extractor():
    """Three figures of one flow have one identity; flicker needs no flow."""
    made = [
        make(Protocol(), "cpu", MetricOptions()) for make in (make_pixel_mse, make_warp_error, make_motion)
    ]
    assert [output for _, output in made] == ["pixel-mse", "warp-error", "motion"]
    assert len({repr(sorted(extractor.identity().items())) for extractor, _ in made}) == 1
    flicker, output = make_flicker(Protocol(), "cpu", MetricOptions())
    assert output == flicker.name == "flicker"
