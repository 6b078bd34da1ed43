"""Roll-outs of a network's own that go on from training step to training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from moviola.core.ranges import from_network
from moviola.data.loader import Batch


@dataclass(frozen=True, eq=False)
class Rows:
    """The part of a batch that comes from the pool.

    Attributes:
        group: of the pool.
        places: rows of the batch, bool (B,).
        batch: what stands there instead, as in the batch, in all its rows.
    """

    group: int
    places: Tensor
    batch: Batch

    def put(self, batch: Batch) -> Batch:
        """Return the batch with these rows in place of its own."""
        out = dict(batch)
        for key, value in self.batch.items():
            where = self.places.view(-1, *[1] * (value.ndim - 1))
            out[key] = torch.where(where, value, batch[key])
        return out


class RolloutPool(nn.Module):
    """Roll-outs that the network goes on with, a few frames whenever their group's turn comes.

    A network that is only shown true histories never sees what its own frames are like after a hundred steps. Here
    part of each batch are histories of its own frames, with the true next frames to go back to; every step, the new
    frames are appended. A roll-out of any length so costs no more than training on single frames. The idea of a pool
    of states is that of Mordvintsev et al. 2020, "Growing Neural Cellular Automata", experiment 3; training on own
    roll-outs that of Huang et al. 2025, "Self Forcing". The clips have to repeat, so that there are true frames at any
    time. The pool is saved with the run (that of the first process alone).

    Args:
        groups: number of groups; group g is used at the steps s with s mod groups = g.
        size: roll-outs a group.
        history: K.
        cycle: most frames of a clip, up to the end of its first period.
        shape: (H, W) of a frame.
        slots: S.
        length: frames after which a roll-out makes room for another.
        lost: a roll-out ends when its mean squared error is above this part of the clip's variance over time, at which
            the mean of the clip would do as well: what has lost the motion cannot know where the truth is.
    """

    def __init__(
        self,
        groups: int,
        size: int,
        history: int,
        cycle: int,
        shape: tuple[int, int],
        slots: int,
        *,
        length: int = 300,
        lost: float = 0.5,
    ) -> None:
        super().__init__()
        self.groups, self.size, self.length, self.lost = groups, size, length, lost
        n, frame = groups * size, (*shape, 3)
        for name, value in {
            "history": torch.zeros(n, history, *frame, dtype=torch.uint8),
            "cycle": torch.zeros(n, cycle, *frame, dtype=torch.uint8),
            "detail": torch.zeros(n, cycle, *shape, dtype=torch.bool),
            "count": torch.zeros(n, dtype=torch.int64),
            "lead": torch.zeros(n, dtype=torch.int64),  # frames before the first period
            "period": torch.zeros(n, dtype=torch.int64),  # 0: empty
            "time": torch.zeros(n, dtype=torch.int64),  # number of the next frame
            "age": torch.zeros(n, dtype=torch.int64),  # frames made so far
            "slots": torch.zeros(n, slots, dtype=torch.int64),
        }.items():
            self.register_buffer(name, value)

    history: Tensor
    cycle: Tensor
    detail: Tensor
    count: Tensor
    lead: Tensor
    period: Tensor
    time: Tensor
    age: Tensor
    slots: Tensor

    def rows(self, batch: Batch, step: int) -> Rows:
        """Begin roll-outs of clips that the batch hands out, where there is room; return the rows of this step's group.

        Args:
            batch: of `moviola.data.loader.Histories` with `cycle`.
            step: of the training.
        """
        group = step % self.groups
        at, b = slice(group * self.size, group * self.size + self.size), len(batch["count"])
        self._begin(batch, at)
        live = torch.zeros(b, dtype=torch.bool, device=self.period.device)
        live[: self.size] = self.period[at][:b] > 0
        steps = torch.arange(batch["future"].shape[1], device=self.time.device)
        numbers = self._wrapped(at, self.time[at, None] + steps)
        row = torch.arange(self.size)[:, None]
        own = {
            "history": self.history[at],
            "count": self.count[at].clamp(min=1),
            "slots": self.slots[at],
            "time": self.time[at],
            "first": self.cycle[at][:, 0],
            "future": self.cycle[at][row, numbers],
            "detail": self.detail[at][row, numbers],
        }
        if "flow" in batch:
            own["flow"] = torch.full_like(batch["flow"][: self.size], torch.nan)  # not kept
        own = {key: value for key, value in own.items() if key in batch}
        return Rows(group, live, {key: _fill(value, batch[key]) for key, value in own.items()})

    def go_on(self, rows: Rows, frames: Sequence[Tensor]) -> None:
        """Append what was drawn, each float (B, 3, H, W) in [-1, 1], to the roll-outs of `rows`."""
        first = rows.group * self.size
        live = rows.places.nonzero()[:, 0]
        at = live + first
        for frame in frames:
            drawn = from_network(frame[live].float()[:, None])
            self.history[at] = torch.cat([self.history[at][:, 1:], drawn], dim=1)
        self.count[at] = (self.count[at] + len(frames)).clamp(max=self.history.shape[1])
        last = self.cycle[at, self._wrapped(at, self.time[at, None] + len(frames) - 1)[:, 0]]
        error = (self.history[at, -1].float() - last.float()).square().mean(dim=(1, 2, 3))
        self.time[at] = self._wrapped(at, self.time[at, None] + len(frames))[:, 0]
        self.age[at] += len(frames)
        self.period[at[error > self.lost * self._variance(at)]] = 0

    def _variance(self, at: Tensor) -> Tensor:
        """Return the variance over time of the clips of roll-outs `at`, (N,), grey levels squared."""
        used = torch.arange(self.cycle.shape[1], device=at.device) < (self.lead + self.period)[at, None]
        weight = (used / used.sum(dim=1, keepdim=True).clamp(min=1))[:, :, None, None, None]
        frames = self.cycle[at].float()
        mean = (frames * weight).sum(dim=1, keepdim=True)
        return ((frames - mean).square() * weight).sum(dim=1).mean(dim=(1, 2, 3))

    def _wrapped(self, at: slice | Tensor, times: Tensor) -> Tensor:
        """Return which of their clips' frames stand at `times`, int64 (N, T)."""
        lead, period = self.lead[at, None], self.period[at, None].clamp(min=1)
        return torch.where(times < lead, times, lead + (times - lead) % period)

    def _begin(self, batch: Batch, at: slice) -> None:
        """Put the clips that the batch hands out where no roll-out is, or one that is long enough, by their rows."""
        room = (self.period[at] == 0) | (self.age[at] >= self.length)
        chosen = ((batch["period"][: self.size] > 0) & room[: len(batch["period"])]).nonzero()[:, 0]
        index = chosen + at.start
        cycle = batch["cycle"][chosen]
        self.cycle[index] = cycle
        if "cycle_detail" in batch:
            self.detail[index] = batch["cycle_detail"][chosen]
        self.lead[index], self.period[index] = batch["lead"][chosen], batch["period"][chosen]
        self.history[index] = 0
        self.history[index, -1] = cycle[:, 0]
        self.slots[index] = batch["slots"][chosen]
        self.count[index], self.time[index], self.age[index] = 1, 1, 0


def _fill(value: Tensor, like: Tensor) -> Tensor:
    """Return `value` with rows of `like` appended, as many as are missing."""
    return torch.cat([value, like[len(value) :]])[: len(like)]
