"""Recall against sums written out, and against what its words promise."""

import pytest
import torch
import torch.nn.functional as F

from moviola.nn.recall import Recall

T, C, P, H, W = 4, 8, 3, 3, 4


def made(reach: int = 0, seed: int = 0) -> tuple[Recall, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    layer = Recall(C, 4, T, reach)
    torch.nn.init.normal_(layer.bias, std=0.1)
    return layer, torch.randn(2 * T, C, H, W), torch.rand(2 * T, P, H, W), torch.zeros(2 * T, 1, H, W)


@pytest.mark.parametrize("reach", [0, 1])
def test_equals_the_sum_of_its_definition(reach: int) -> None:
    layer, x, patches, hole = made(reach)
    out = layer(x, patches, hole, T)
    q, k = layer.to_qk(layer.norm(x)).chunk(2, dim=1)
    for clip, t, y, left in [(0, 0, 0, 0), (1, 3, 2, 3), (0, 2, 1, 1), (1, 1, 0, 3)]:
        logits, values = [], []
        for other in range(T):
            for step, (dy, dx) in enumerate(
                (dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)
            ):
                there = (
                    clip * T + other,
                    slice(None),
                    min(max(y + dy, 0), H - 1),
                    min(max(left + dx, 0), W - 1),
                )
                likeness = (q[clip * T + t, :, y, left] * k[there]).sum() / 2
                logits.append(likeness + 8 * layer.bias[other - t + T - 1, step])
                values.append(patches[there])
        weights = torch.stack(logits).softmax(0)
        expected = (weights[:, None] * torch.stack(values)).sum(0)
        torch.testing.assert_close(out[clip * T + t, :, y, left], expected, rtol=1e-4, atol=1e-5)


def test_a_bias_for_two_frames_ago_brings_back_exactly_that_frame() -> None:
    layer, x, patches, hole = made()
    torch.nn.init.zeros_(layer.to_qk.weight)
    torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        layer.bias[-2 + T - 1] = 100.0
    out = layer(x, patches, hole, T).unflatten(0, (2, T))
    torch.testing.assert_close(out[:, 2:], patches.unflatten(0, (2, T))[:, :-2])


def test_a_bias_for_a_neighbour_moves_the_picture() -> None:
    layer, x, patches, hole = made(reach=1)
    torch.nn.init.zeros_(layer.to_qk.weight)
    torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        layer.bias[T - 1, 5] = 100.0  # the same frame, one place to the right
    moved = F.pad(patches, (0, 1, 0, 0), mode="replicate")[..., 1:]
    torch.testing.assert_close(layer(x, patches, hole, T), moved)


def test_holes_are_not_recalled_from() -> None:
    layer, x, patches, hole = made()
    torch.nn.init.zeros_(layer.to_qk.weight)
    torch.nn.init.zeros_(layer.bias)
    hole[1] = 1  # frame 1 of the first clip
    out = layer(x, patches, hole, T)
    torch.testing.assert_close(out[1], patches[[0, 2, 3]].mean(0))
    torch.testing.assert_close(out[T], patches[T:].mean(0))


def test_a_constant_clip_stays_and_a_single_frame_recalls_itself() -> None:
    layer, x, _, hole = made(reach=1)
    constant = torch.full((2 * T, P, H, W), 0.3)
    torch.testing.assert_close(layer(x, constant, hole, T), constant)
    alone, one, patches, hole = made(reach=0)
    torch.testing.assert_close(alone(one[:1], patches[:1], hole[:1], 1), patches[:1])


def test_longer_clips_than_it_was_made_for_share_the_outermost_bias() -> None:
    layer, _, _, _ = made()
    torch.manual_seed(1)
    x, patches = torch.randn(6, C, H, W), torch.rand(6, P, H, W)
    out = layer(x, patches, torch.zeros(6, 1, H, W), 6)
    assert out.shape == patches.shape
    assert out.min() >= patches.min() and out.max() <= patches.max()
