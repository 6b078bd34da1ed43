"""3-D convolutions under bf16 autocast: gradients as in float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moviola.nn.volume import Conv3d, ConvTranspose3d


@pytest.mark.parametrize(("frames", "side"), [(1, 8), (2, 8), (3, 8), (4, 2)])
@pytest.mark.parametrize(("ours", "plain"), [(Conv3d, nn.Conv3d), (ConvTranspose3d, nn.ConvTranspose3d)])
def test_weight_gradient_under_autocast(frames, side, ours, plain):
    """Within bf16's precision of the plain layer in float32, at every depth and side."""
    layer = ours(16, 16, (3, 4, 4), (1, 2, 2), 1)
    reference = plain(16, 16, (3, 4, 4), (1, 2, 2), 1)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(1, 16, frames, side, side)
    with torch.autocast("cpu", torch.bfloat16):
        made = layer(x)
    assert torch.equal(layer(x), reference(x))
    upstream = torch.randn(made.shape)
    (made.float() * upstream).sum().backward()
    (reference(x) * upstream).sum().backward()
    for ours_, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours_.grad, theirs.grad, atol=0.02 * theirs.grad.abs().max().item())
