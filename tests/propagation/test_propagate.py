"""Carrying paint: scenes whose every frame is known, ends of clips, and a stand-in for patch synthesis."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.propagation.carry import CarryConfig, carry, guide_error
from moviola.propagation.propagate import (
    Interval,
    PropagationConfig,
    cross_fade,
    paint_interval,
    propagate,
)
from moviola.propagation.synthesis import Synthesis

WARP = PropagationConfig(method="warp")


def texture(height, width, seed=0):
    """Smooth colour noise, so that motion can be seen and read between pixels."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (height, width, 3)), (0, 0), 2.0)
    noise -= noise.min()
    return (noise * (255 / noise.max())).astype(np.uint8)


def pan(count=6, height=48, width=60, step=3):
    """A window that moves over a picture by `step` px a frame."""
    wide = texture(height, width + step * count)
    return np.stack([wide[:, step * i : step * i + width] for i in range(count)])


def exact_flow(frames, step):
    """The flow of `pan`, by looking up which frames are meant; what was warped already needs no more."""
    index = {frame.tobytes(): i for i, frame in enumerate(frames)}

    def flow(first, second):
        one, two = index.get(first.tobytes()), index.get(second.tobytes())
        shift = 0 if one is None or two is None else (one - two) * step
        return np.broadcast_to(np.array([shift, 0], np.float32), (*first.shape[:2], 2)).copy()

    return flow


def invert(frames):
    """A painter whose paint is known in every frame."""
    return 255 - frames


class FromTruth:
    """Stands in for patch synthesis: paints every pixel from the key's best one of the same row, by brute force."""

    def __init__(self):
        self.calls = []

    def __call__(self, source, style, target, config, *, start, where, seed):
        self.calls.append((start, seed))
        height, width = target.size
        field = np.empty((height, width, 2), np.int32)
        for y in range(height):
            gaps = target.colour[y].astype(int)[:, None] - source.colour[y].astype(int)[None]
            field[y, :, 0] = (gaps**2).sum(-1).argmin(1)
            field[y, :, 1] = y
        fit = source.colour[field[..., 1], field[..., 0]].astype(np.float32)
        error = ((fit - target.colour) ** 2).mean(-1).astype(np.float32)
        return Synthesis(style[field[..., 1], field[..., 0]], field, error)


def test_a_pan_between_two_keys():
    """Every pixel is seen in one of the keys, so every painted frame is known."""
    frames = pan()
    painted = invert(frames)
    found = np.stack(list(propagate(frames, painted[0], painted[-1], WARP, flow=exact_flow(frames, 3))))
    assert found.shape == frames.shape and found.dtype == np.uint8
    assert (found[0] == painted[0]).all() and (found[-1] == painted[-1]).all()
    gap = np.abs(found.astype(int) - painted)
    assert gap[:, 4:-4, 4:-4].mean() < 1
    assert gap.mean() < 2


def test_estimated_flow_beats_the_baselines():
    """With DIS: far nearer to the truth than a cross-fade, and than the nearer key as it is."""
    frames = pan(7, step=4, height=64, width=80)
    painted = invert(frames)
    found = {}
    for method in ("warp", "linear"):
        out = list(propagate(frames, painted[0], painted[-1], PropagationConfig(method=method)))
        found[method] = np.mean((np.stack(out).astype(float) - painted) ** 2)
    assert found["warp"] < 0.1 * found["linear"]


@pytest.mark.parametrize("method", ["warp", "patch"])
@pytest.mark.parametrize("size", [(33, 21), (17, 40), (5, 7)])
def test_a_still_clip_keeps_its_paint(method, size):
    """Nothing moves: equal paint at both keys comes back within one level, at odd sizes and in portrait."""
    frame, painted = texture(*size), texture(*size, seed=1)
    frames = np.stack([frame] * 4)
    config = PropagationConfig(method=method)
    found = np.stack(list(propagate(frames, painted, painted, config, synthesize=FromTruth())))
    assert np.abs(found.astype(int) - painted).max() <= 1


def test_paint_that_changes():
    """A still clip, painted dark at one key and light at the other: the tone goes over steadily."""
    frame = texture(40, 50)
    painted_a, painted_b = np.full_like(frame, 50), np.full_like(frame, 200)
    found = [f.mean() for f in propagate(np.stack([frame] * 5), painted_a, painted_b, WARP)]
    assert found[0] == 50 and found[-1] == 200
    assert (np.diff(found) > 15).all()


def test_the_choice_of_the_detail():
    """Keys painted with different textures: a hard choice keeps the deviation of one, and each pixel is near one."""
    frame = texture(64, 64)
    rng = np.random.default_rng(7)
    painted = [np.clip(rng.normal(128, 30, frame.shape), 0, 255).astype(np.uint8) for _ in range(2)]
    frames = np.stack([frame] * 4)  # no error anywhere: the nearer key is chosen
    config = PropagationConfig(method="warp", choice="hard", pull=0.001, steady=0)
    found = [f.astype(float) for f in propagate(frames, *painted, config)]
    for out, chosen, other in ((found[1], *painted), (found[2], *painted[::-1])):
        assert out.std() == pytest.approx(chosen.std(), rel=0.06)
        assert np.corrcoef(out.ravel(), chosen.ravel())[0, 1] > 0.97
        assert abs(np.corrcoef(out.ravel(), other.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("method", ["warp", "patch", "linear"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_intervals(method, count):
    """One frame, and two: the keys themselves; as many frames come out as went in."""
    frames = pan(count)
    painted = invert(frames)
    config = PropagationConfig(method=method)
    b = painted[-1] if count > 1 else None
    found = list(propagate(frames, painted[0], b, config, synthesize=FromTruth()))
    assert len(found) == count
    assert (found[0] == painted[0]).all() and (found[-1] == painted[-1]).all()
    only = list(propagate(frames[:1], None, painted[0], config, synthesize=FromTruth()))
    assert len(only) == 1 and (only[0] == painted[0]).all()


def test_tail_and_head():
    """Only one key: the tail from the first, the head from the last, mirror images in time of each other."""
    frames = pan(5)
    painted, flow = invert(frames), exact_flow(frames, 3)
    tail = np.stack(list(propagate(frames, painted[0], None, WARP, flow=flow)))
    head = np.stack(list(propagate(frames, None, painted[-1], WARP, flow=flow)))
    assert (tail[0] == painted[0]).all() and (head[-1] == painted[-1]).all()
    for i in range(5):
        shown = 3 * i  # px that came into view since the key
        # detail is measured over a window, so that beside the edges paint is not the key's to the last level
        assert np.abs(tail[i][:, : 60 - shown].astype(int) - painted[i][:, : 60 - shown]).mean() < 1
        assert np.abs(head[4 - i][:, shown:].astype(int) - painted[4 - i][:, shown:]).mean() < 1
    again = np.stack(list(propagate(frames[::-1], None, painted[0], WARP, flow=flow)))
    assert (again[::-1] == tail).all()


def test_a_tail_streams():
    """The first painted frames are there before later plain ones are read."""
    frames = pan(6)

    class Reader:
        """A sequence that notes how far it was read."""

        read = -1

        def __len__(self):
            return len(frames)

        def __getitem__(self, i):
            self.read = max(self.read, i)
            return frames[i]

    reader = Reader()
    out = propagate(reader, invert(frames[0]), None, WARP, flow=exact_flow(frames, 3))
    for i in range(3):
        next(out)
        assert reader.read == i


def uncovered():
    """A plain square leaves, and striped ground that the key shows elsewhere in its row comes to light."""
    stripes = np.zeros((32, 64, 3), np.uint8)
    stripes[:, :, 0] = (np.arange(64) % 8 * 30)[None]
    stripes[:, :, 1] = 120
    first = stripes.copy()
    first[8:24, 16:32] = [0, 0, 255]
    return first, stripes


def no_flow(first, second):
    return np.zeros((*first.shape[:2], 2), np.float32)


def test_patches_paint_what_flow_cannot():
    """Where the key's paint is hidden, synthesis fills it in; elsewhere flow's paint stays."""
    first, second = uncovered()
    stand_in = FromTruth()
    config = CarryConfig(refine=False)
    plain = list(carry([first, second], invert(first), config, flow=no_flow))[1]
    mended = list(carry([first, second], invert(first), config, flow=no_flow, synthesize=stand_in))[1]
    hole = np.s_[10:22, 18:30]
    assert np.abs(plain.paint[hole] - invert(second)[hole]).mean() > 50
    assert np.abs(mended.paint[hole] - invert(second)[hole]).max() <= 2
    assert mended.synthesised[hole].all() and not mended.synthesised[:, 40:].any()
    assert (mended.paint[:, 40:] == plain.paint[:, 40:]).all()
    assert (mended.error <= plain.error).all()
    start = np.asarray(stand_in.calls[0][0][0])
    assert start.shape == (32, 64, 2) and tuple(start[5, 7]) == (7, 5)


def test_no_patches_where_flow_does():
    """Patch synthesis is not run for frames that flow explains."""
    frames = pan(4)
    stand_in = FromTruth()
    still = np.stack([frames[0]] * 4)
    list(propagate(still, invert(still[0]), None, PropagationConfig(), synthesize=stand_in))
    assert stand_in.calls == []


def test_each_frame_has_its_seed():
    """Seeds differ from frame to frame and follow the config's."""
    first, second = uncovered()
    stand_in = FromTruth()
    config = PropagationConfig(seed=40)
    frames = [first, second, second]
    list(propagate(frames, invert(first), None, config, flow=no_flow, synthesize=stand_in))
    assert [seed for _, seed in stand_in.calls] == [41, 42]


def test_guide_error_is_a_mean_of_squares():
    """Against scipy's filter on the plain formula."""
    from scipy.ndimage import uniform_filter

    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 256, (2, 15, 22, 3), dtype=np.uint8)
    squares = ((one.astype(float) - two) ** 2).mean(-1)
    expected = uniform_filter(squares, 5, mode="reflect")
    assert np.allclose(guide_error(one, two, 5), expected, rtol=1e-4)


def test_the_other_process():
    """An interval goes through pickle, and a run of it gives the bytes of a direct run."""
    frames = pan(4)
    painted = invert(frames)
    job = Interval(frames, painted[0], painted[-1], WARP)
    there = paint_interval(pickle.loads(pickle.dumps(job)))
    assert (there == np.stack(list(propagate(frames, painted[0], painted[-1], WARP)))).all()


def test_cross_fade():
    one, two = np.full((2, 2, 3), 10, np.uint8), np.full((2, 2, 3), 250, np.uint8)
    assert [int(cross_fade(one, two, s)[0, 0, 0]) for s in (1, 0.5, 0)] == [10, 130, 250]


def test_what_is_refused():
    frames = pan(3)
    with pytest.raises(ConfigError, match="at least one frame"):
        propagate(frames[:0], frames[0], None)
    with pytest.raises(ConfigError, match="painted key frame"):
        propagate(frames, None, None)
    with pytest.raises(ConfigError, match="painted last key frame is uint8"):
        propagate(frames, frames[0], frames[0][1:])
    with pytest.raises(ConfigError, match="painted first key frame is float64"):
        propagate(frames, frames[0] / 255, None)
    with pytest.raises(ConfigError, match="method"):
        PropagationConfig.make({"method": "patches"})


def test_real_frames(shared):
    """A runner, rebuilt from frames 5 apart: at least 3 dB better than a cross-fade, patches better than flow alone."""
    from moviola.data import codec
    from moviola.metrics.functional.paired import clip_psnr

    video = codec.read(shared / "media" / "video" / "woman-running.mp4", 20, 26).resize(64, 64)
    frames, found = video.frames, {}
    for method in ("linear", "warp", "patch"):
        out = np.stack(list(propagate(frames, frames[0], frames[-1], PropagationConfig(method=method))))
        found[method] = clip_psnr(out[1:-1], frames[1:-1])
    assert found["warp"] > found["linear"] + 3
    assert found["patch"] > found["warp"]
