"""What tells the next-frame network where in a repeating motion it is."""

from __future__ import annotations

import itertools

import pytest
import torch
from pydantic import ValidationError

from moviola.models.nextframe import Change, NextFrameConfig, NextFrameUNet, rollout, stream
from moviola.models.nextframe.timing import FrameCode, TimeEmbedding

PERIODS = (6, 8)


def network() -> NextFrameUNet:
    """A small network with random weights everywhere."""
    config = NextFrameConfig(
        slots=(3,), size=32, history=3, widths=(8, 8, 8, 8), condition=8, periods=PERIODS
    )
    made, generator = NextFrameUNet(config), torch.Generator().manual_seed(3)
    for p in made.parameters():
        p.data.normal_(0, 0.2, generator=generator)
    return made.eval()


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random values in [-1, 1]."""
    return torch.rand(*shape, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("later", [24, 24 * 1000, 24 * 10**7])
@torch.no_grad()
def test_times_a_common_period_apart_are_one(later):
    """Every period divides the difference, so the embeddings agree, however late it is."""
    embed, time = TimeEmbedding(PERIODS, 8), torch.arange(24)
    torch.testing.assert_close(embed(time + later), embed(time), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_times_within_the_common_period_differ():
    """6 and 8 have the common period 24: all its times are told apart, those one of the periods apart as well."""
    rows = TimeEmbedding(PERIODS, 8)(torch.arange(24))
    assert torch.cdist(rows, rows).fill_diagonal_(1).min() > 1e-3


@pytest.mark.parametrize("size", [16, 32, 48, 64, 128])
def test_the_code_of_a_frame_sees_all_of_it(size):
    """Every corner and the middle reach the code, at every size."""
    code = FrameCode(size, 4)
    frame = torch.zeros(1, 3, size, size, requires_grad=True)
    code(frame).sum().backward()
    assert frame.grad is not None
    seen = frame.grad[0].abs().sum(dim=0)
    blocks = seen.unflatten(0, (4, -1)).unflatten(2, (4, -1)).sum(dim=(1, 3))
    assert (blocks > 0).all()


@torch.no_grad()
def test_the_frame_depends_on_time_and_first_frame():
    """The same history gives other frames at other times, equal ones a common period apart, others after another."""
    net, history, count = network(), frames(1, 3), torch.tensor([3])
    slots, first = torch.ones(1, 1, dtype=torch.int64), frames(1, seed=5)

    def at(time: int, begun: torch.Tensor = first) -> torch.Tensor:
        return net(history, count, slots, begun, torch.tensor([time]))

    torch.testing.assert_close(at(3), at(27), rtol=1e-4, atol=1e-4)
    assert (at(3) - at(4)).abs().max() > 1e-3
    assert (at(3) - at(3, frames(1, seed=6))).abs().max() > 1e-3


@torch.no_grad()
def test_without_a_time_the_history_is_the_whole_roll_out():
    """The oldest frame is the first, and the next one has the number of frames seen."""
    net, history, count = network(), frames(2, 3), torch.tensor([2, 3])
    slots = torch.ones(2, 1, dtype=torch.int64)
    oldest = torch.stack([history[0, 1], history[1, 0]])
    torch.testing.assert_close(net(history, count, slots), net(history, count, slots, oldest, count))


def test_a_roll_out_counts_its_frames(monkeypatch):
    """Frame n is asked for as n, beyond the history's length too; a change of caption or a cut begins again."""
    net, asked = network(), []
    forward = net.forward

    def seen(history, count, slots, first, time):
        asked.append((int(time), round(float(first.mean()), 4)))
        return forward(history, count, slots, first, time)

    monkeypatch.setattr(net, "forward", seen)
    slots, first = torch.ones(1, 1, dtype=torch.int64), frames(1)
    rollout(net, first, slots, 7)
    begun = round(float(first.mean()), 4)
    assert asked == [(n, begun) for n in range(1, 7)]
    asked.clear()
    cut = frames(1, seed=9)
    list(itertools.islice(stream(net, first, slots, {4: Change(slots, cut), 7: Change(slots)}), 9))
    assert [time for time, _ in asked] == [1, 2, 3, 1, 2, 1, 2]
    assert {mean for _, mean in asked[3:5]} == {round(float(cut.mean()), 4)}


def test_periods_are_checked():
    """A period of one frame is no motion; the other forms have none."""
    with pytest.raises(ValidationError):
        NextFrameConfig(slots=(3,), periods=(1,))
    with pytest.raises(ValidationError, match="no periods"):
        NextFrameConfig(slots=(3,), form="unet3d", periods=(4,))
