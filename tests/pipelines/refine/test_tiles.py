"""Tiles: every pixel covered, faded exactly, and what is done is said."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import UnknownNameError
from moviola.core.ranges import from_network
from moviola.core.resample import resize_frames
from moviola.pipelines.refine.tiles import grow, make_layout, map_tiles, shrink, shrink_mask

SIZES = SimpleNamespace(family="fake", channels=3, frames=8, size=16, multiple=4, classes=(), text=False)


def same(tiles, masks):
    """The network that does nothing."""
    return tiles


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["tile", "whole"]))
def test_tiles_give_the_frame_back(height, width, mode):
    """Bit for bit, and the network sees only sizes it takes."""
    layout = make_layout(height, width, SIZES, mode)
    clip = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, 3, height, width)).astype(np.float32))
    seen = []

    def look(tiles, masks):
        seen.append(tuple(tiles.shape[-2:]))
        return tiles

    (out,) = map_tiles([clip], None, layout, look)
    assert torch.equal(out, clip)
    assert all(h % 4 == 0 and w % 4 == 0 for h, w in seen)
    if mode == "tile":
        assert set(seen) == {(16, 16)}


@given(st.integers(17, 60))
def test_no_seam_on_a_constant(width):
    """Whatever a pointwise network makes of it, it is one value everywhere, exactly."""
    layout = make_layout(20, width, SIZES)
    clip = torch.full((2, 3, 20, width), 0.3)
    (out,) = map_tiles([clip], None, layout, lambda tiles, masks: torch.tanh(1.7 * tiles))
    assert out.unique().numel() == 1 and out.shape == clip.shape


def test_fade_against_a_loop():
    """Two tiles side by side that say 0 and 1: a ramp over what they share."""
    layout = make_layout(16, 24, SIZES)
    assert layout.columns == (0, 8) and layout.rows == (0,)

    def number(tiles, masks):
        return torch.arange(2.0).view(2, 1, 1, 1, 1).expand_as(tiles)

    (out,) = map_tiles([torch.zeros(1, 3, 16, 24)], None, layout, number)
    expected = [0.0] * 8 + [(i + 1) / 9 for i in range(8)] + [1.0] * 8
    assert out[0, 0, 5].tolist() == pytest.approx(expected)


def test_clips_are_kept_apart():
    """Several clips at once come back in their own order."""
    layout = make_layout(40, 30, SIZES)
    clips = [torch.full((1, 3, 40, 30), float(i)) for i in range(3)]
    for i, out in enumerate(map_tiles(clips, None, layout, same)):
        assert torch.equal(out, clips[i])


def test_masks_go_with_their_tiles():
    """The network sees the mask of exactly the pixels it sees."""
    layout = make_layout(40, 24, SIZES)
    clip = torch.rand(2, 3, 40, 24, generator=torch.Generator().manual_seed(0))
    mask = (clip[:, :1] > 0.5).float()
    count = []

    def check(tiles, masks):
        count.append(len(tiles))
        assert torch.equal(masks, (tiles[:, :, :1] > 0.5).float())
        return tiles

    map_tiles([clip], [mask], layout, check)
    assert sum(count) == len(layout.rows) * len(layout.columns)


def test_resize():
    """The shorter side becomes the network's, the way back is Lanczos, and masks grow rather than shrink."""
    layout = make_layout(32, 64, SIZES, "resize")
    assert layout.inner == (16, 32)
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3), np.uint8)
    small = shrink(frames, layout)
    assert np.array_equal(from_network(small).numpy(), resize_frames(frames, 16, 32))
    expected = resize_frames(resize_frames(frames, 16, 32), 32, 64)
    assert np.array_equal(from_network(grow(small, layout)).numpy(), expected)
    mask = np.zeros((2, 32, 64), bool)
    mask[0, 5, 7] = True
    inner = shrink_mask(mask, layout)
    assert inner.shape == (2, 1, 16, 32) and inner.sum() == 1 and inner[0, 0, 2, 3] == 1


@pytest.mark.parametrize(
    ("size", "mode", "said"),
    [
        ((16, 16), "tile", ""),
        ((16, 16), "resize", ""),
        ((16, 16), "whole", ""),
        ((40, 16), "tile", "frames of 16x40 were refined in 3 overlapping tiles"),
        ((10, 12), "tile", "frames of 12x10 were padded to 16x16 by reflection and cut back"),
        ((32, 32), "resize", "frames of 32x32 were resized to 16x16 and back"),
        (
            (32, 96),
            "resize",
            "frames of 96x32 were resized to 48x16 and back, refined in 4 overlapping tiles",
        ),
        ((21, 40), "whole", "frames of 40x21 were padded to 40x24 by reflection and cut back"),
        ((20, 40), "whole", "frames of 40x20 were refined in one piece"),
    ],
)
def test_what_is_said(size, mode, said):
    """Nothing where nothing is done."""
    note = make_layout(*size, SIZES, mode).note
    assert note == (f"fake was trained at 16x16; {said}" if said else "")


def test_unknown_mode():
    """With the nearest."""
    with pytest.raises(UnknownNameError, match="did you mean tile"):
        make_layout(16, 16, SIZES, "tiles")
