"""Distances of sets of features that are fed piece by piece: `update`, `compute`, `reset`, `merge`, `state_dict`.

    distance = FrechetDistance()
    for features in real_features:
        distance.update(features, real=True)
    for features in generated_features:
        distance.update(features, real=False)
    print(distance.compute())

Whatever the pieces and their order, and however many objects shared the work before they were merged, the figure is
the same to 1e-9. `moviola.metrics.kinds.SetMetric` does the same with videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from moviola.metrics.measures import FrechetMeasure, InceptionMeasure, KernelMeasure, SetMeasure
from moviola.metrics.running import SETS, State, check_numbers, check_same, checked_features, part_of


class SetDistance:
    """The figure of two sets of features; what it keeps of each is the measure's affair.

    Args:
        measure: of two sets.
    """

    def __init__(self, measure: SetMeasure) -> None:
        self.measure = measure
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sides: dict[str, Any] = {name: self.measure.state() for name in SETS}

    def update(self, features: Any, *, real: bool) -> None:
        """Add features.

        Args:
            features: (clips, d) or (clips, rows, d); class probabilities for an inception score.
            real: whether they are of the real set; a measure of generated clips alone leaves those out.

        Raises:
            InputError: another d than before (and for a kernel distance another number of rows), or a value that is
                not finite, or no class probabilities; nothing was added then.
        """
        name = "real" if real else "fake"
        if name not in self._sets:
            return
        clips = checked_features(features, self._shapes(), self.measure.free_rows)
        if len(clips):
            self._sides[name].add(clips)

    def compute(self) -> float:
        """Return the figure: a Fréchet distance is at least 0, a kernel distance may be below 0 by chance.

        Raises:
            InputError: fewer than 2 clips in a set.
        """
        check_numbers({name: self._sides[name].clips for name in self._sets})
        return self.measure.reduce(self._sides["real"], self._sides["fake"])

    def merge(self, other: Self) -> None:
        """Add what `other` has seen.

        Raises:
            InputError: its features have another size.
        """
        check_same(self._shapes(), other._shapes(), self.measure.free_rows)
        for name in self._sets:
            self._sides[name].join(other._sides[name])

    def state_dict(self) -> State:
        """Return everything seen so far as plain arrays, for `load_state` or a file of any kind."""
        return {
            f"{name}.{key}": array for name in self._sets for key, array in self._sides[name].state().items()
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned, in place of what was seen.

        Raises:
            InputError: it is the state of something else.
        """
        kind = type(self.measure.state())
        loaded = {name: kind.from_state(part_of(state, name, *kind.keys)) for name in self._sets}
        self._sides = self._sides | loaded

    @property
    def _sets(self) -> tuple[str, ...]:
        return SETS[1:] if self.measure.fake_only else SETS

    def _shapes(self) -> set[tuple[int, ...]]:
        return set().union(*(self._sides[name].shapes for name in self._sets))


class FrechetDistance(SetDistance):
    """The Fréchet distance of any features; holds moments, never all features.

    Args:
        ddof: 1 divides the covariances by n - 1, 0 by n.
    """

    def __init__(self, ddof: int = 1) -> None:
        super().__init__(FrechetMeasure(ddof))


class KernelDistance(SetDistance):
    """The unbiased polynomial-kernel distance of any features; holds the features.

    Args:
        subsets: random subsets whose distances are averaged.
        subset_size: clips of each set in a subset; sets no larger are compared whole.
        seed: of the subsets.
    """

    def __init__(self, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> None:
        super().__init__(KernelMeasure(subsets, subset_size, seed))


class InceptionScore(SetDistance):
    """The inception score of class probabilities, in one split; holds two sums. Real clips are left out."""

    def __init__(self) -> None:
        super().__init__(InceptionMeasure())

    def update(self, features: Any, *, real: bool = False) -> None:
        """Add class probabilities, (clips, classes) or (clips, rows, classes); nothing happens with `real`."""
        super().update(features, real=real)
