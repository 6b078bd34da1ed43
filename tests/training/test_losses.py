"""Losses by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.training.losses import (
    charbonnier,
    detail_l1,
    edge_l1,
    flow_error,
    gan_cls_critic,
    hinge_critic,
    hinge_generator,
    local_activity,
    pyramid_l1,
    r1_penalty,
    ranking_loss,
)


def test_hinge_by_hand():
    """max(0, 1 - real) and max(0, 1 + fake); several fakes share one half."""
    real, fake, other = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0]), torch.tensor([-1.0, -0.5])
    assert hinge_critic(real, fake).item() == pytest.approx((0 + 0.5) / 2 + (0 + 2) / 2)
    assert hinge_critic(real, fake, other).item() == pytest.approx(0.25 + ((0 + 2) / 2 + (0 + 0.5) / 2) / 2)
    assert hinge_generator(fake).item() == pytest.approx(1.0)


def test_r1_of_a_linear_critic():
    """The gradient of w.x is w everywhere."""
    w, x = torch.randn(3 * 4 * 4), torch.randn(5, 3, 4, 4, requires_grad=True)
    assert r1_penalty(x.flatten(1) @ w, x).item() == pytest.approx(w.square().sum().item(), rel=1e-5)


def test_r1_of_a_quadratic_critic_and_its_own_gradient():
    """Score a|x|^2/2: the penalty is a^2 E|x|^2 and its derivative by a is 2a E|x|^2 (double backward)."""
    a, x = torch.tensor(1.7, requires_grad=True), torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = r1_penalty(a * x.square().flatten(1).sum(dim=1) / 2, x)
    size = x.detach().square().flatten(1).sum(dim=1).mean().item()
    assert penalty.item() == pytest.approx(1.7**2 * size, rel=1e-5)
    penalty.backward()
    assert a.grad.item() == pytest.approx(2 * 1.7 * size, rel=1e-5)


def test_r1_is_per_sample():
    """No sample's score counts for another: the mean of the single penalties."""
    x = torch.randn(4, 2, requires_grad=True)
    scales = torch.tensor([1.0, 2, 3, 4])
    assert r1_penalty((x * scales[:, None]).sum(dim=1), x).item() == pytest.approx(
        2 * scales.square().mean().item()
    )


def test_edges():
    """A level shift has no edges; a step of 2 in one of W - 1 columns has 2 / (W - 1)."""
    a = torch.rand(2, 3, 5, 5)
    assert edge_l1(a, a + 0.7).item() == pytest.approx(0, abs=1e-6)
    step = torch.zeros(2, 3, 5, 5)
    step[..., 3:] = 2.0
    assert edge_l1(a + step, a).item() == pytest.approx(2 / 4, rel=1e-5)
    assert edge_l1(a + step.mT, a).item() == pytest.approx(2 / 4, rel=1e-5)


def test_detail_l1_by_hand():
    """The mean inside each mask, every image the same weight, an empty mask 0."""
    a = torch.zeros(3, 3, 2, 2)
    b = torch.zeros(3, 3, 2, 2)
    b[0, :, 0, 0], b[1, :, 0] = 0.5, 0.25
    b[2] = 9.0
    detail = torch.zeros(3, 2, 2, dtype=torch.bool)
    detail[0, 0, 0] = True  # one pixel that is 0.5 off
    detail[1] = True  # four pixels, two of them 0.25 off
    assert torch.isclose(detail_l1(a, b, detail), torch.tensor((0.5 + 0.125 + 0.0) / 3))


def test_charbonnier():
    """sqrt(3^2 + 4^2) - 4 = 1; far away the absolute value less `soft`, near 0 a parabola."""
    error = torch.tensor([3.0, -3.0, 0.0, 1000.0, 0.01], dtype=torch.float64)
    found = charbonnier(error, 4.0)
    assert found[:3].tolist() == pytest.approx([1, 1, 0]) and float(found[3]) == pytest.approx(996, rel=1e-4)
    assert float(found[4]) == pytest.approx(0.01**2 / 8, rel=1e-3)
    assert torch.equal(charbonnier(error, 0.0), error.abs())


def test_local_activity():
    """Differences by loops; the same for a pattern and the pattern moved on by its period, unlike their mean error."""
    clips = torch.rand(2, 3, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    found = local_activity(clips)
    assert found.shape == (2, 3, 3, 6, 7)
    right = [
        abs(float(clips[1, 0, c, y, x + 1] - clips[1, 0, c, y, x]))
        for c in (0, 1)
        for y in (1, 2, 3)
        for x in (2, 3, 4)
    ]
    onwards = [
        abs(float(clips[1, 2, c, y, x] - clips[1, 1, c, y, x]))
        for c in (0, 1)
        for y in (1, 2, 3)
        for x in (2, 3, 4)
    ]
    assert float(found[1, 0, 0, 2, 3]) == pytest.approx(sum(right) / 18, rel=1e-5)
    assert float(found[1, 1, 2, 2, 3]) == pytest.approx(sum(onwards) / 18, rel=1e-5)
    assert not found[:, 2, 2].any()
    stripes = (torch.arange(16) % 2).float().expand(1, 2, 3, 16, 16)
    moved = 1 - stripes
    assert (stripes - moved).abs().mean() == 1
    inner = (slice(None), slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert torch.allclose(local_activity(stripes)[inner], local_activity(moved)[inner], atol=1e-6)


def test_gan_cls_by_its_definition():
    """Cross-entropies with the labels 1, 0 and 0, the two negatives sharing one half."""
    logits = torch.randn(3, 7) * 4
    p = logits.double().sigmoid().numpy()
    real, mismatched, fake = -np.log(p[0]).mean(), -np.log(1 - p[1]).mean(), -np.log(1 - p[2]).mean()
    assert gan_cls_critic(*logits).item() == pytest.approx(real + (mismatched + fake) / 2, rel=1e-4)


def test_ranking_by_a_double_loop():
    """Every image against every wrong text and every text against every wrong image, equal captions left out."""
    images, texts, captions = torch.randn(6, 5), torch.randn(6, 5), [0, 1, 2, 0, 3, 1]
    total, count = 0.0, 0
    a, b = images.double().numpy(), texts.double().numpy()

    def cosine(i, k):
        return a[i] @ b[k] / np.sqrt((a[i] @ a[i]) * (b[k] @ b[k]))

    for i in range(6):
        for k in range(6):
            if captions[i] != captions[k]:
                count += 1
                total += max(0, 0.3 - cosine(i, i) + cosine(i, k))  # a wrong text for image i
                total += max(0, 0.3 - cosine(k, k) + cosine(i, k))  # a wrong image for text k
    named = torch.tensor(captions)
    loss = ranking_loss(images, texts, named[:, None] == named[None], margin=0.3)
    assert loss.item() == pytest.approx(total / count, rel=1e-4)


def test_ranking_is_zero_where_pairs_are_told_apart():
    """Orthogonal pairs of similarity 1 are past the margin; with one caption alone there is nothing to rank."""
    pairs, same = 3 * torch.eye(4), torch.eye(4, dtype=torch.bool)
    assert ranking_loss(pairs, 5 * pairs, same).item() == 0
    assert ranking_loss(pairs, pairs.flip(0), same).item() == pytest.approx(2 * (4 * 1.2 + 8 * 0.2) / 12)
    assert ranking_loss(pairs, pairs, torch.ones(4, 4, dtype=torch.bool)).item() == 0


def test_pyramid_l1_by_hand():
    """One pixel of 4 in 4x4 is 4/16 apart at every size; two that cancel within 2x2 count at the full size alone."""
    a, b = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    a[0, 0, 1, 2] = 4
    assert float(pyramid_l1(a, b, 2)) == pytest.approx(0.25)
    a[0, 0, 0, 2] = -4
    assert float(pyramid_l1(a, b, 1)) == pytest.approx((0.5 + 0) / 2)


def test_flow_error_by_hand():
    """One pixel of four is known: its two fields are 0.5 + 0 and 0 + 1 away, with weights 0.25 and 0.75."""
    target = torch.full((1, 2, 2, 2), torch.nan)
    target[0, :, 1, 0] = torch.tensor([0.5, -1.0])  # px: 0.5 and -1 of half the picture
    flows = torch.full((1, 2, 2, 2, 2), 9.0)
    flows[0, 0, :, 1, 0] = torch.tensor([1.0, -1.0])
    flows[0, 1, :, 1, 0] = torch.tensor([0.5, 0.0])
    weights = torch.tensor([0.25, 0.75])[None, :, None, None].expand(1, 2, 2, 2)
    assert float(flow_error(flows, weights, target)) == pytest.approx(0.25 * 0.5 + 0.75 * 1.0)
    assert float(flow_error(flows, weights, torch.full_like(target, torch.nan))) == 0
