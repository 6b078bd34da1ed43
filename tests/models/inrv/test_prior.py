"""The prior over codes: what flow matching learns of a Gaussian, and how it is integrated."""

from __future__ import annotations

import pytest
import torch

from moviola.models.inrv import InrvConfig, InrvModel
from moviola.models.inrv.prior import FlowPrior
from moviola.training.objectives.inrv_after import fit_prior


def test_the_best_velocity_of_a_gaussian_samples_it():
    """With the closed-form velocity in place of the network, samples have the Gaussian's mean and spread.

    For codes of N(0, S) a dimension, E[code - noise | x_s] = x (s S - (1 - s)) / ((1 - s)^2 + s^2 S).
    """
    prior = FlowPrior(2, 4)
    variance = torch.tensor([0.25, 4.0])

    def velocity(x, s):
        s = s[:, None]
        return x * (s * variance - (1 - s)) / ((1 - s).square() + s.square() * variance)

    prior.velocity = velocity
    prior.mean.copy_(torch.tensor([3.0, -1.0]))
    noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    # the flow of this field scales noise by sqrt(S), exactly
    assert torch.allclose(prior.sample(noise), noise * variance.sqrt() + prior.mean, atol=0.02)


@pytest.mark.slow
def test_it_learns_a_gaussian():
    """Mean and covariance of 4,000 codes come back, correlation included."""
    generator = torch.Generator().manual_seed(0)
    factor = torch.tensor([[2.0, 0.0, 0.0], [1.5, 0.5, 0.0], [0.0, 0.0, 0.1]])
    codes = torch.randn(4000, 3, generator=generator) @ factor.T + torch.tensor([5.0, 0.0, -1.0])
    torch.manual_seed(0)
    model = InrvModel(
        InrvConfig(
            captions=("",) * 4000, latent=3, hidden=2, layers=1, head_hidden=2, head_layers=1, prior=48
        )
    )
    model.codes.copy_(codes)
    loss = fit_prior(model, 600, 0, batch=256, spread=0.0)
    samples = model.draw(1, range(3000), "prior")
    scale = codes.std(dim=0)
    assert torch.allclose((samples.mean(dim=0) - codes.mean(dim=0)) / scale, torch.zeros(3), atol=0.12)
    correlation = torch.cov(samples.T) / scale / scale[:, None]
    assert torch.allclose(correlation, torch.cov(codes.T) / scale / scale[:, None], atol=0.15)
    # the least that any velocity can reach is the noise that the path leaves open, well below the targets' 2
    assert 0.2 < loss < 1.5


def test_codes_are_not_learned_by_heart():
    """The blur around each code is a share of the distance to its nearest neighbour; one code alone works, too."""
    for count in (1, 3):
        torch.manual_seed(0)
        model = InrvModel(InrvConfig(captions=("",) * count, latent=4, hidden=2, head_hidden=2, prior=16))
        model.codes.copy_(torch.randn(count, 4))
        before = [p.detach().clone() for p in model.parameters()]
        fit_prior(model, 3, 0)
        for (name, p), old in zip(model.named_parameters(), before, strict=True):
            assert torch.equal(p, old) != (name.startswith("prior") and p.requires_grad), name
        assert bool(torch.isfinite(model.draw(0, [0, 1])).all())
        assert all(p.requires_grad for p in model.parameters())
