"""The 3-D patch discriminator: sizes, spectral norms, and what a score sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.nn.discriminator3d import PatchDiscriminator3d


@pytest.fixture(autouse=True)
def one_seed():
    """Start from one global seed and leave none behind."""
    before = torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_rng_state(before)


@pytest.mark.parametrize(("size", "layers", "cells"), [(64, 6, 1), (64, 3, 8), (20, 3, 3), (16, 2, 4)])
def test_sizes(size, layers, cells):
    """One score a patch and frame."""
    judge = PatchDiscriminator3d(width=4, layers=layers)
    assert judge(torch.randn(2, 5, 3, size, size)).shape == (2, 5, cells, cells)


def test_widths():
    """64, 128, 256, 256, 256, 1 by default, kernels 3x5x5: weights counted by hand."""
    with torch.device("meta"):
        judge = PatchDiscriminator3d()
    own = sum(p.numel() for p in judge.parameters())
    kernels = (3 * 64 + 64 * 128 + 128 * 256 + 2 * 256 * 256 + 256) * 75
    assert own == kernels + 64 + 128 + 3 * 256 + 1


def test_spectral_norms():
    """After some passes the largest singular value of every layer but the scoring one is 1 (numpy's SVD)."""
    judge = PatchDiscriminator3d(width=6, layers=4)
    with torch.no_grad():
        for layer in judge.layers:
            layer.parametrizations.weight.original.mul_(7)
        for _ in range(60):
            judge(torch.zeros(1, 1, 3, 16, 16))
        largest = [
            np.linalg.svd(layer.weight.flatten(1).numpy(), compute_uv=False)[0] for layer in judge.layers
        ]
    np.testing.assert_allclose(largest, 1, rtol=0.02)


def test_what_a_score_sees():
    """Its own clip, 2 layers + 1 frames and a patch around it; nothing else."""
    judge = PatchDiscriminator3d(width=4, layers=2).eval()
    video = torch.randn(2, 9, 3, 32, 32, requires_grad=True)
    judge(video)[0, 4, 4, 4].backward()
    seen = video.grad.abs().sum(dim=2) > 0
    assert not seen[1].any()
    assert seen[0].flatten(1).any(dim=1).nonzero()[:, 0].tolist() == [2, 3, 4, 5, 6]
    rows = seen[0].any(dim=0).any(dim=1).nonzero()[:, 0]
    # 16 + 2 of 5 by 5 after 5 by 5, both with stride 2: 13 wide around 4 * 4
    assert (rows.min(), rows.max()) == (16 - 6, 16 + 6)


def test_bfloat16():
    """Under autocast scores and gradients are finite and near those of full precision."""
    judge, video = PatchDiscriminator3d(width=8, layers=3), torch.randn(1, 4, 3, 16, 16)
    judge(video)
    judge.eval()
    exact = judge(video)
    with torch.autocast("cpu", torch.bfloat16):
        rough = judge(video)
    rough.float().mean().backward()
    assert (rough.float() - exact).abs().max() < 0.05
    assert all(p.grad.isfinite().all() for p in judge.parameters())
    judge.train()
    with torch.autocast("cpu", torch.bfloat16):
        assert judge(video).float().isfinite().all()


@pytest.mark.parametrize(("frames", "size", "layers"), [(4, 16, 4), (2, 32, 3), (1, 8, 4), (3, 32, 6)])
def test_bfloat16_down_to_single_cells(frames, size, layers):
    """Where a layer sees volumes of one or two cells a side, too: gradients are those of full precision, roughly."""
    judge, video = PatchDiscriminator3d(width=8, layers=layers), torch.randn(2, frames, 3, size, size)
    judge.eval()
    gradients = []
    for autocast in (False, True):
        judge.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            judge(video).float().square().mean().backward()
        gradients.append([p.grad.clone() for p in judge.parameters()])
    for exact, rough in zip(*gradients, strict=True):
        assert (rough - exact).norm() < 0.1 * exact.norm() + 1e-6  # bf16 has 8 bits, through `layers` layers


def test_state_is_whole():
    """A copy by state dict scores the same, also after one more power iteration."""
    one, other = PatchDiscriminator3d(width=4, layers=3), PatchDiscriminator3d(width=4, layers=3)
    video = torch.randn(1, 3, 3, 16, 16)
    one(video)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(video), other(video))


def test_too_few_layers():
    """One convolution is refused."""
    with pytest.raises(ValueError, match="2 layers"):
        PatchDiscriminator3d(layers=1)
