"""Convolution blocks: shapes, and the parts that a formula decides."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviola.nn.conv import DownBlock2d, DownBlock3d, FiLMBlock


@pytest.mark.parametrize(("a", "b", "up"), [(8, 8, False), (8, 16, False), (16, 8, True)])
def test_film_block_shape_and_residual_path(a, b, up):
    """With the last convolution zeroed, only the skip path is left."""
    block = FiLMBlock(a, b, 4, upsample=up)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.randn(2, a, 4, 6)
    skipped = x.repeat_interleave(2, 2).repeat_interleave(2, 3) if up else x
    if a != b:
        skipped = (
            torch.einsum("oi,bihw->bohw", block.skip.weight[:, :, 0, 0], skipped)
            + block.skip.bias[:, None, None]
        )
    assert torch.allclose(block(x, torch.randn(2, 4)), skipped, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("space", [1, 2])
def test_down3d_halves(frames, space):
    """ceil(T/2) slices, H and W by the stride."""
    out = DownBlock3d(4, 8, space=space)(torch.randn(2, 4, frames, 8, 8))
    assert out.shape == (2, 8, (frames + 1) // 2, 8 // space, 8 // space)


def test_down3d_keeps_the_newest_last():
    """An odd number of frames is padded at the old end: the last slice sees the last two frames only."""
    block = DownBlock3d(4, 8, refine=False)
    block.norm = nn.Identity()
    x = torch.randn(1, 4, 5, 8, 8)
    changed = x.clone()
    changed[:, :, :3] = torch.randn(1, 4, 3, 8, 8)
    assert torch.equal(block(x)[:, :, -1], block(changed)[:, :, -1])
    assert not torch.equal(block(x)[:, :, 0], block(changed)[:, :, 0])
    zero_before = F.pad(x, (0, 0, 0, 0, 1, 0))
    assert torch.equal(block(x), block(zero_before))


def test_down2d_wraps_every_convolution():
    """The wrapper sees all three, and the block halves H and W."""
    seen = []

    def wrap(layer: nn.Module) -> nn.Module:
        seen.append(layer)
        return layer

    block = DownBlock2d(4, 6, wrap=wrap)
    assert set(seen) == {m for m in block.modules() if isinstance(m, nn.Conv2d)}
    assert block(torch.randn(2, 4, 8, 10)).shape == (2, 6, 4, 5)
