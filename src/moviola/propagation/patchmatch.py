"""PatchMatch: for every patch of a target the most alike patch of a source, and the paint that follows from it.

The cost of giving target pixel q the source pixel s, for patches of n pixels, is

    sum over the patch, over the features c, of (source_c - target_c)^2          features carry their weights
    + pull(q) |s - centre(q)|^2                                                  the positional guide, exactly
    + crowding(s)                                                                how often s is used already

The positional guide needs no patch: sum_d t_d |s - a_d|^2 with a_d = p(q + d) - d is t |s - mean a|^2 + a constant,
with mean and sum weighted by the trust t_d; so `centre` and `pull` say it all. The temporal guide needs no features
of its own: it compares the same source paint as the paint does, so the two targets are averaged by their weights
(the constant that this leaves out is the same for every s).

Source: Barnes et al. 2009, "PatchMatch"; Fiser et al. 2016, "StyLit", section 4 (cost, voting, uniform use of the
source); Jamriska et al. 2019, "Stylizing Video by Example", section 3.2 (guides). Two implementations, which
`moviola.propagation.matching` chooses from: Numba on the CPU, PyTorch anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from moviola.propagation.guides import box_mean

CHANNELS = 8  # 3 of paint, 3 of colour, 1 of edge, 1 empty: eight floats fill a vector register
PAINT = slice(0, 3)


@dataclass(eq=False)
class Problem:
    """One level of the pyramid: what is compared.

    Attributes:
        source: weighted features, float32 (h + 2r, w + 2r, CHANNELS), edges repeated r = patch // 2 px outwards.
        target: the same of the target, (H + 2r, W + 2r, CHANNELS). The first three channels are the paint so far.
        style: the source's paint, float32 (h, w, 3), levels.
        centre: where the positional guide wants each patch, float32 (H, W, 2), px of this level.
        pull: how much it wants that, float32 (H, W), cost per px squared.
        patch: side of a patch in pixels, odd.
        scale: what paint is multiplied by before it is compared.
        memory: the previous frame's paint on this one, float32 (H, W, 3), levels, and its share of the paint that
            is compared, float32 (H, W, 1) in [0, 1]; None without a temporal guide.
        uniformity: cost of a source pixel that is used as often as the mean one.
        active: where matches are sought, bool (H, W); elsewhere the field stays as it begins, at a cost of 0. None is
            everywhere.
    """

    source: np.ndarray
    target: np.ndarray
    style: np.ndarray
    centre: np.ndarray
    pull: np.ndarray
    patch: int
    scale: float
    memory: tuple[np.ndarray, np.ndarray] | None = None
    uniformity: float = 0.0
    active: np.ndarray | None = None

    def set_paint(self, picture: np.ndarray) -> None:
        """Put the target's paint so far, float32 (H, W, 3) in levels, among its features."""
        if self.memory is not None:
            before, share = self.memory
            picture = picture + share * (before - picture)
        reach = self.patch // 2
        pads = ((reach, reach), (reach, reach), (0, 0))
        self.target[..., PAINT] = np.pad(picture * np.float32(self.scale), pads, mode="edge")

    def crowd(self, field: np.ndarray) -> np.ndarray:
        """Return the crowding of every source pixel under `field` (H, W, 2): float32 (h, w).

        Source: Fiser et al. 2016, section 4.3: the uses of the patch's pixels, over those under even use.
        """
        height, width = self.style.shape[:2]
        if not self.uniformity:
            return np.zeros((height, width), np.float32)
        places = field[..., 1].astype(np.int64) * width + field[..., 0]
        uses = np.bincount(places.ravel(), minlength=height * width).reshape(height, width)
        even = places.size / uses.size
        return (box_mean(uses, self.patch) * (self.uniformity / even)).astype(np.float32)


class Matcher(Protocol):
    """A nearest-neighbour field of a problem, being improved. Fields are int32 (H, W, 2), (x, y) in the source."""

    @property
    def field(self) -> np.ndarray:
        """The field, int32 (H, W, 2)."""
        ...

    @property
    def cost(self) -> np.ndarray:
        """The cost of every match without crowding, float32 (H, W)."""
        ...

    def repaint(self, picture: np.ndarray) -> None:
        """Compare with the paint `picture`, float32 (H, W, 3) in levels, from now on."""
        ...

    def offer(self, field: np.ndarray) -> None:
        """Take matches of `field`, int32 (H, W, 2), wherever they are better."""
        ...

    def improve(self, radius: int, seed: int, number: int) -> None:
        """Make pass `number`: try the neighbours' matches, and random ones up to `radius` px around."""
        ...

    def vote(self, weight: np.ndarray, style: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
        """Return what the patches make of a picture of the source, float32 (H, W, 3).

        Each pixel is the mean of what all patches over it put there; what lies outside the source does not count.
        `weight` is that of each patch, float32 (H, W), > 0; `style` is the picture, float32 (h, w, 3). With `before`,
        float32 (H, W, 3), only active pixels are voted on, and the others are as there.
        """
        ...


def features(paint: np.ndarray | None, colour: np.ndarray, edge: np.ndarray | None) -> np.ndarray:
    """Stack paint (H, W, 3), colour (H, W, 3) and edge (H, W) as float32 (H, W, CHANNELS); None is 0."""
    stack = np.zeros((*colour.shape[:2], CHANNELS), np.float32)
    stack[..., 3:6] = colour
    if paint is not None:
        stack[..., PAINT] = paint
    if edge is not None:
        stack[..., 6] = edge
    return stack


def frame_around(stack: np.ndarray, factors: np.ndarray, patch: int) -> np.ndarray:
    """Multiply features (H, W, CHANNELS) by `factors` (CHANNELS,) and repeat the edges patch // 2 px outwards."""
    reach = patch // 2
    pads = ((reach, reach), (reach, reach), (0, 0))
    return np.ascontiguousarray(np.pad(stack * factors.astype(np.float32), pads, mode="edge"))
