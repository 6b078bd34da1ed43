"""PatchMatch in PyTorch, on any device: see `moviola.propagation.patchmatch` for what is computed.

Every pixel is treated at once: matches are handed on from neighbours 4, 2 and 1 pixels away in turn (jump flooding,
Rong and Tan 2006, "Jump Flooding in GPU"), so that what is good travels 7 pixels in a pass. On a CPU this is the
fallback where Numba is not installed, more than ten times slower.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moviola.core.seeds import torch_generator
from moviola.propagation.patchmatch import CHANNELS, PAINT, Problem

JUMPS = (4, 2, 1)
CHUNK = 1 << 17  # pixels compared at a time, about 80 MB at a patch of 5


class TorchMatcher:
    """A field being improved. See `moviola.propagation.patchmatch.Matcher`."""

    def __init__(self, problem: Problem, field: np.ndarray, device: str = "cpu") -> None:
        self._problem, self._device = problem, device
        self._source, self._target = self._send(problem.source), self._send(problem.target)
        self._centre, self._pull = self._send(problem.centre), self._send(problem.pull)
        self._field = self._send(field).long()
        height, width = field.shape[:2]
        self._y = torch.arange(height, device=device)[:, None]
        self._x = torch.arange(width, device=device)[None]
        self._last = torch.tensor([problem.style.shape[1] - 1, problem.style.shape[0] - 1], device=device)
        active = np.ones(field.shape[:2], bool) if problem.active is None else problem.active
        self._active = self._send(active)
        self._cost = self._measure(self._field)

    @property
    def field(self) -> np.ndarray:
        """The field, int32 (H, W, 2)."""
        return self._field.int().cpu().numpy()

    @property
    def cost(self) -> np.ndarray:
        """The cost of every match without crowding, float32 (H, W)."""
        return self._cost.cpu().numpy()

    def repaint(self, picture: np.ndarray) -> None:
        """Compare with the paint `picture`, float32 (H, W, 3), from now on."""
        self._problem.set_paint(picture)
        self._target[..., PAINT] = self._send(self._problem.target[..., PAINT])
        self._cost = self._measure(self._field)

    def offer(self, field: np.ndarray) -> None:
        """Take matches of `field`, int32 (H, W, 2), wherever they are better."""
        self._take(self._send(field).long(), self._crowd())

    def improve(self, radius: int, seed: int, number: int) -> None:
        """Make pass `number`: jump flooding, then random search up to `radius` px around."""
        crowd = self._crowd()
        for jump in JUMPS:
            for dx, dy in ((-jump, 0), (jump, 0), (0, -jump), (0, jump)):
                self._take(self._neighbour(dx, dy), crowd)
        generator = torch_generator(seed, number)
        while radius > 0:
            shape = tuple(self._field.shape)
            off = torch.randint(-radius, radius + 1, shape, generator=generator).to(self._device)
            self._take(self._field + off, crowd)
            radius //= 2

    def vote(self, weight: np.ndarray, style: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
        """Return what the patches make of `style` (h, w, 3), float32 (H, W, 3); see `Matcher`."""
        reach, weights, colours = self._problem.patch // 2, self._send(weight), self._send(style)
        paint = torch.zeros((*self._cost.shape, 3), device=self._device)
        total = torch.zeros((*self._cost.shape, 1), device=self._device)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                y, x = self._y + dy, self._x + dx
                inside = (y >= 0) & (y < len(self._y)) & (x >= 0) & (x < self._x.shape[1])
                y, x = y.clamp(0, len(self._y) - 1), x.clamp(0, self._x.shape[1] - 1)
                place = self._field[y, x] - torch.tensor([dx, dy], device=self._device)
                inside = inside & (place >= 0).all(-1) & (place <= self._last).all(-1)
                place = place.clamp_min(0).minimum(self._last)
                share = (weights[y, x] * inside)[..., None]
                paint += share * colours[place[..., 1], place[..., 0]]
                total += share
        voted = (paint / total).cpu().numpy()
        active = self._problem.active
        return voted if before is None or active is None else np.where(active[..., None], voted, before)

    def _send(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _crowd(self) -> Tensor | None:
        """Crowding of every source pixel, (h, w); None where it costs nothing."""
        return self._send(self._problem.crowd(self.field)) if self._problem.uniformity else None

    def _neighbour(self, dx: int, dy: int) -> Tensor:
        """What the field of the pixel (dx, dy) away says of each pixel, int64 (H, W, 2)."""
        y = (self._y + dy).clamp(0, len(self._y) - 1)
        x = (self._x + dx).clamp(0, self._x.shape[1] - 1)
        step = torch.stack(torch.broadcast_tensors(x - self._x, y - self._y), dim=-1)
        return self._field[y, x] - step

    def _take(self, places: Tensor, crowd: Tensor | None) -> None:
        """Take `places`, int64 (H, W, 2), held inside the source, wherever they are better."""
        places = places.clamp_min(0).minimum(self._last)
        cost, own = self._measure(places), self._cost
        new, old = cost, own
        if crowd is not None:
            new = cost + crowd[places[..., 1], places[..., 0]]
            old = own + crowd[self._field[..., 1], self._field[..., 0]]
        better = (new < old) & self._active
        self._cost = torch.where(better, cost, own)
        self._field = torch.where(better[..., None], places, self._field)

    def _measure(self, places: Tensor) -> Tensor:
        """The cost of giving every pixel its place, (H, W)."""
        gap = places - self._centre
        cost = (self._pull * (gap * gap).sum(-1)).flatten()
        patch, width, across = self._problem.patch, self._source.shape[1], self._target.shape[1]
        sources, targets = _runs(self._source, patch), _runs(self._target, patch)
        s = (places[..., 1] * width + places[..., 0]).flatten()
        t = (self._y * across + self._x).flatten()
        for begin in range(0, len(s), CHUNK):
            part = slice(begin, begin + CHUNK)
            for row in range(patch):
                difference = sources[s[part] + row * width] - targets[t[part] + row * across]
                cost[part] += (difference * difference).sum(-1)
        return cost.view(places.shape[:2]) * self._active


def _runs(features: Tensor, patch: int) -> Tensor:
    """View features (H, W, CHANNELS) as one row for each run of `patch` neighbouring pixels, overlapping."""
    pixels = features.shape[0] * features.shape[1]
    return features.as_strided((pixels - patch + 1, patch * CHANNELS), (CHANNELS, 1))
