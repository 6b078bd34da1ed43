"""Editing motion: what an edit leaves alone, what it removes, and clocks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.data.toys.sinusoid import Config, make
from moviola.models.freqmotion import Bands, FreqMotionConfig, FreqMotionGenerator
from moviola.pipelines.edit.clock import make_clock, whole_periods
from moviola.pipelines.edit.motion import (
    MotionEdit,
    default_bands,
    draw_edited,
    draw_grid,
    edit_codes,
    slerp,
)
from moviola.pipelines.edit.spectrum import bands_of, corners, match_spectrum, read_spectrum


@pytest.fixture(scope="module", params=[False, True], ids=["paper", "shifts"])
def model(request) -> FreqMotionGenerator:
    """A small one with three banks, untrained."""
    torch.manual_seed(0)
    config = FreqMotionConfig(
        size=16,
        fps=8,
        content=8,
        motion=8,
        style=12,
        content_layers=2,
        features=16,
        ranges=((0.0, 1.35), (1.35, 2.7), (2.7, 7.0)),
        widths=(8, 8, 8),
        shifts=request.param,
    )
    return FreqMotionGenerator(config).eval()


def frames_of(pieces) -> np.ndarray:
    """Join pieces."""
    return Video.concat(list(pieces)).frames


def test_no_edit_is_the_unedited_video(model):
    """Bit for bit: no edit, an empty one, the video's own seed in every band, gains of 1, soft edges."""
    clock = make_clock(model, frames=20)
    plain = frames_of(draw_edited(model, clock, seed=3))
    streamed = Video.from_tensor(torch.cat(list(model.stream(3, 0, 20))), 8).frames
    assert np.array_equal(plain, streamed)
    bands = default_bands(model)
    for edit in (
        MotionEdit(),
        MotionEdit(bands, (1.0,) * 3, (3, 3, 3)),
        MotionEdit(default_bands(model, 0.5), (1.0,) * 3, (None, 3, None), content=3, motion=3),
        MotionEdit(toward=9, amount=0.0),
    ):
        assert np.array_equal(frames_of(draw_edited(model, clock, seed=3, edit=edit)), plain)


def test_removing_a_band_leaves_the_trajectories_of_the_others(model):
    """In w: the removed bank stands still, what the others add is unchanged."""
    bands = default_bands(model)
    own = model.draw(1, [0])
    cut = edit_codes(model, 1, 0, MotionEdit(bands).without(bands.index("high")))
    times = model.frame_times(40).float()[None]
    omega = [b.frequencies() for b in model.banks]
    assert all((o.abs() < 1.35 + 0.0).all() for o in omega[:1])
    for k in (0, 1):
        assert torch.equal(model.banks[k](times, own.scales[k]), model.banks[k](times, cut.scales[k]))
    still = model.banks[2](times, cut.scales[2])
    assert torch.allclose(still, still[:, :1].expand_as(still), atol=1e-6)
    assert torch.equal(cut.content, own.content)


def test_altering_a_band_takes_the_other_seeds_scales(model):
    """In that band alone."""
    bands = default_bands(model)
    altered = edit_codes(model, 1, 0, MotionEdit(bands, codes=(7, None, None)))
    own, other = model.draw(1, [0]), model.draw(7, [0])
    assert torch.allclose(altered.scales[0], other.scales[0], atol=1e-5)
    assert torch.equal(altered.scales[1], own.scales[1]) and torch.equal(altered.scales[2], own.scales[2])


def test_swapping_content_and_motion(model):
    """The content of one seed with the motion of another."""
    both = edit_codes(model, 1, 0, MotionEdit(content=4, motion=9))
    assert torch.equal(both.content, model.draw(4, [0]).content)
    assert torch.equal(both.scales[1], model.draw(9, [0]).scales[1])
    assert torch.equal(both.noise[2], model.draw(4, [0]).noise[2])


def test_toward_another_motion(model):
    """All the way is the other motion; halfway by lerp is the mean of the latents' motion code."""
    other = model.draw(9, [0]).scales[0]
    for kind in ("lerp", "slerp"):
        end = edit_codes(model, 1, 0, MotionEdit(toward=9, amount=1.0, interpolation=kind)).scales[0]
        assert torch.allclose(end, other, atol=1e-4)


def test_slerp():
    """Against the formula for unit vectors at 60 degrees; lengths go linearly; opposite rows do not fail."""
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, math.sqrt(0.75)]])
    third = slerp(a, 3 * b, 0.5)
    expected = 2 * torch.tensor([[math.cos(math.pi / 6), math.sin(math.pi / 6)]])
    assert torch.allclose(third, expected, atol=1e-6)
    assert slerp(a, -a, 0.5).isfinite().all() and torch.allclose(slerp(a, a, 0.3), a)


def test_truncation(model):
    """Nothing of the own content at 0, half of the way at 0.5."""
    own = model.draw(1, [0]).content
    mean = edit_codes(model, 1, 0, MotionEdit(truncation=0.0)).content
    assert torch.equal(mean, edit_codes(model, 2, 0, MotionEdit(truncation=0.0)).content)
    assert torch.allclose(
        edit_codes(model, 1, 0, MotionEdit(truncation=0.5)).content, (own + mean) / 2, atol=1e-5
    )


def test_more_instants_between(model):
    """At four times the rate every fourth frame is one of the original; the first second stays the first second."""
    plain = frames_of(draw_edited(model, make_clock(model, frames=8), seed=0))
    dense = frames_of(draw_edited(model, make_clock(model, frames=32, fps=32), seed=0))
    assert np.abs(dense[::4].astype(int) - plain).max() <= 1
    later = frames_of(draw_edited(model, make_clock(model, span=(0.5, 1.0)), seed=0))
    assert np.abs(later.astype(int) - plain[4:8]).max() <= 1


def test_a_loop_closes(model):
    """Whole periods of every frequency: the frame after the last is the first; the seam is like any other step."""
    clock = make_clock(model, frames=24, loop=True)
    omega = whole_periods(model, clock.period)
    for bank in omega:
        turns = bank.double() * clock.period / (2 * math.pi)
        assert torch.allclose(turns, turns.round(), atol=1e-4)
    codes = model.draw(0, [0])
    frames = torch.cat(list(model.stream_at(clock.times, codes, omega)))
    again = torch.cat(list(model.stream_at(clock.times + clock.period, codes, omega)))
    assert torch.allclose(frames, again, atol=1e-4)
    with pytest.raises(ConfigError, match="cannot loop"):
        whole_periods(FreqMotionGenerator(model.config.model_copy(update={"trend": 1})), 2.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": 0}, "at least 1"),
        ({"span": (2.0, 1.0)}, "begins before it ends"),
        ({"span": (0.0, math.nan)}, "begins before it ends"),
        ({"span": (0.0, 1.0), "frames": 4, "fps": 4}, "two of them"),
        ({"fps": -1}, "frame rate"),
    ],
)
def test_clocks_that_are_none(model, options, words):
    """One line."""
    with pytest.raises(ConfigError, match=words):
        make_clock(model, **options)


def test_clock_of_frames_in_a_span(model):
    """12 frames in 3 seconds are 4 a second."""
    clock = make_clock(model, frames=12, span=(1.0, 4.0))
    assert clock.fps == 4 and len(clock) == 12
    assert clock.times[0].item() == pytest.approx(-1 + 8 * 0.125)
    assert clock.times.diff()[0].item() == pytest.approx(2 * 0.125)


def test_the_grid(model):
    """The upper left one is the unedited video, the lower right one has both codes of the next seed."""
    clock = make_clock(model, frames=10)
    edit = MotionEdit(default_bands(model))
    grid = frames_of(draw_grid(model, clock, 2, seed=5, edit=edit))
    assert grid.shape == (10, 34, 34, 3)
    assert np.array_equal(grid[:, :16, :16], frames_of(draw_edited(model, clock, seed=5)))
    both = replace(edit, codes=(6, None, 6))
    assert np.array_equal(grid[:, 18:, 18:], frames_of(draw_edited(model, clock, seed=5, edit=both)))
    with pytest.raises(ConfigError, match="two bands"):
        next(draw_grid(model, clock, 2, seed=5, edit=MotionEdit()))


def test_spectrum_of_the_toy():
    """The tracked motion of shapes that swing with 28 and 14 frames has its power at 8/28 and 8/14 Hz."""
    config = Config(frames=56, motion="sine", speeds=(4.0, 8.0), fps=8)
    clip = next(
        c
        for c in (make(i, 0, config) for i in range(50))
        if len({e["speed"] for e in c.truth["elements"]}) == 2
    )
    spectrum = read_spectrum(clip.video)
    strongest = spectrum.frequencies[spectrum.power.argsort(descending=True)[:2]]
    assert sorted(strongest.tolist()) == pytest.approx([8 / 28, 8 / 14], abs=8 / 56 / 2)


def test_model_units(model):
    """One cycle in 16 frames is pi radians a time unit; bands part there."""
    clip = make(0, 0, Config(frames=64, motion="sine", speeds=(7.0,), fps=8))  # 2 x 56 / 7 = 16 frames
    spectrum = read_spectrum(clip.video)
    assert spectrum.omega(model)[spectrum.power.argmax()].item() == pytest.approx(math.pi, rel=1e-6)
    shares = spectrum.bands((2.0, 4.0), model)
    assert shares[1] / shares.sum() > 0.8
    assert bands_of(spectrum, model, 1) == Bands()


def test_nothing_to_follow():
    """A still of one colour, and too few frames."""
    with pytest.raises(InputError, match="could be followed"):
        read_spectrum(Video(np.full((16, 32, 32, 3), 90, np.uint8), 8))
    with pytest.raises(InputError, match="8 frames"):
        read_spectrum(make(0, 0, Config(frames=7)).video)


def test_corners_of_a_square():
    """The four corners of a white square, within a window's radius."""
    frame = torch.full((3, 64, 64), -1.0)
    frame[:, 20:44, 16:40] = 1
    points = corners(frame, 4)
    for x, y in ((16, 20), (39, 20), (16, 43), (39, 43)):
        assert ((points - torch.tensor([x, y])).abs().max(dim=1).values <= 4).any()


class Swinging:
    """Stands in for a network: a square that swings by two tones, each as strong as its band's scale."""

    def __init__(self, model):
        self.model, self.config, self.fps = model, model.config, model.fps
        self.banks, self.synthesis = model.banks, model.synthesis
        self.draw_latent, self.draw_noise = model.draw_latent, model.draw_noise
        self.map_content, self.map_motion, self.scales = model.map_content, model.map_motion, model.scales

    def stream_at(self, times, codes, omega=None):
        """Slow by the first bank's largest scale, fast by the third's."""
        slow, fast = (float(codes.scales[k].abs().max()) for k in (0, 2))
        total = slow + fast + 1e-9
        for t in times.tolist():
            way = 14 * (slow * math.sin(0.9 * t) + fast * math.sin(4.5 * t)) / total
            rows = torch.arange(64.0)[:, None]
            inside = ((rows - 32 - way).abs() < 6) & ((torch.arange(64.0) - 32).abs() < 6)
            yield (2.0 * inside.float() - 1).expand(1, 3, 64, 64)


def test_matching_a_spectrum(model):
    """A target that moves slowly alone takes the fast band down until hardly any of its power is left."""
    clock = make_clock(model, frames=64)
    # one period of 55.85 frames, as 0.9 radians a time unit
    target = read_spectrum(make(1, 0, Config(frames=64, motion="sine", speeds=(2.0,))).video)
    bands, swinging = Bands((2.0,)), Swinging(model)

    def fast_share(edit):
        video = Video.concat(list(draw_edited(swinging, clock, seed=1, edit=edit)))
        power = read_spectrum(video).bands(bands.edges, model)
        return float(power[1] / power.sum())

    matched = match_spectrum(swinging, target, clock, seed=1, edit=MotionEdit(bands), rounds=3)
    assert matched.gains[1] < 0.5 * matched.gains[0]
    assert fast_share(matched) < 0.3 * fast_share(MotionEdit(bands))
