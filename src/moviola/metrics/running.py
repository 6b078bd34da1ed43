"""What is kept of a set of features that comes piece by piece, and what is refused.

Each state has `add(clips)`, `join(other)`, `clips` (how many it has seen), `shapes`, `state()` and `from_state`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Self

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.functional.frechet import Gaussian
from moviola.metrics.functional.inception import inception_sums
from moviola.metrics.functional.moments import Moments, as_clips, refuse_not_finite

SETS = ("real", "fake")
NAMES = {"real": "the real set", "fake": "the generated set"}
State = dict[str, np.ndarray]


class RunningGaussian:
    """What a Fréchet distance keeps of one set: the rows while they are no more than features, moments from then on.

    Rows are exact where a covariance would be singular; neither is ever larger than d x d.
    """

    keys = ("clips",)

    def __init__(self) -> None:
        self.clips = 0
        self.parts: list[np.ndarray] = []
        self.moments: Moments | None = None

    def add(self, clips: np.ndarray) -> None:
        """Add (n, rows, d)."""
        self.clips += len(clips)
        rows = clips.reshape(-1, clips.shape[-1])
        if self.moments is not None:
            self.moments.update(rows)
            return
        self.parts.append(rows.astype(np.float64))
        if sum(map(len, self.parts)) > rows.shape[1]:
            self.moments = Moments.of(self.rows)
            self.parts = []

    @property
    def rows(self) -> np.ndarray:
        """The rows kept, float64 (n, d), n <= d."""
        return np.concatenate(self.parts) if self.parts else np.zeros((0, 1))

    def join(self, other: RunningGaussian) -> None:
        """Add what another has seen."""
        clips = self.clips + other.clips
        if other.moments is not None:
            moments = Moments.from_dict(other.moments.to_dict())
            if self.moments is not None:
                moments.merge(self.moments)
            elif self.parts:
                moments.update(self.rows)
            self.moments, self.parts = moments, []
        elif other.parts:
            self.add(other.rows)
        self.clips = clips

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        """(d,), or nothing before the first clip."""
        if self.moments is not None:
            return {self.moments.mean.shape}
        return {self.parts[0].shape[1:]} if self.parts else set()

    def gaussian(self, ddof: int) -> Gaussian:
        """Fit to everything seen."""
        if self.moments is not None:
            return Gaussian.of_moments(self.moments, ddof)
        return Gaussian.of(self.rows, ddof)

    def state(self) -> State:
        """Plain arrays."""
        state = {"clips": np.asarray(self.clips)}
        if self.moments is not None:
            return state | self.moments.to_dict()
        return state | {"rows": self.rows} if self.parts else state

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Read what `state` returned."""
        side = cls()
        side.clips = int(state["clips"])
        if "rows" in state:
            side.parts = [np.array(state["rows"], dtype=np.float64)]
        elif "mean" in state:
            side.moments = Moments.from_dict(state)
        return side


class RunningRows:
    """What a kernel distance keeps of one set: all its features."""

    keys = ("clips",)

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []

    def add(self, clips: np.ndarray) -> None:
        """Add (n, rows, d)."""
        self.parts.append(clips.copy())

    @property
    def clips(self) -> int:
        """How many there are."""
        return sum(map(len, self.parts))

    @property
    def rows(self) -> np.ndarray:
        """All of them, (n, rows, d); (0,) before the first."""
        return np.concatenate(self.parts) if self.parts else np.zeros(0)

    def join(self, other: RunningRows) -> None:
        """Add what another has seen."""
        self.parts = [*self.parts, *other.parts]

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        """(rows, d), or nothing before the first clip."""
        return {part.shape[1:] for part in self.parts[:1]}

    def state(self) -> State:
        """Plain arrays."""
        return {"clips": self.rows}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Read what `state` returned."""
        side = cls()
        if len(state["clips"]):
            side.add(np.array(state["clips"]))
        return side


class RunningClasses:
    """What an inception score keeps of one set: two sums over the class probabilities of all rows."""

    keys = ("marginal", "sums")

    def __init__(self) -> None:
        self.marginal = np.zeros(0)
        self.negentropy, self.rows, self.clips = 0.0, 0, 0

    def add(self, clips: np.ndarray) -> None:
        """Add class probabilities (n, rows, classes); raises InputError for rows that are none."""
        marginal, negentropy = inception_sums(clips, np.ones((1, len(clips))))
        self._add(marginal[0], float(negentropy[0]), clips.shape[0] * clips.shape[1], len(clips))

    def join(self, other: RunningClasses) -> None:
        """Add what another has seen."""
        if other.clips:
            self._add(other.marginal, other.negentropy, other.rows, other.clips)

    def _add(self, marginal: np.ndarray, negentropy: float, rows: int, clips: int) -> None:
        self.marginal = self.marginal + marginal if self.clips else marginal
        self.negentropy += negentropy
        self.rows += rows
        self.clips += clips

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        """(classes,), or nothing before the first clip."""
        return {self.marginal.shape} if self.clips else set()

    def state(self) -> State:
        """Plain arrays."""
        sums = np.array([self.negentropy, self.rows, self.clips], dtype=np.float64)
        return {"marginal": self.marginal.copy(), "sums": sums}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Read what `state` returned."""
        side = cls()
        side.marginal = np.array(state["marginal"], dtype=np.float64)
        negentropy, rows, clips = state["sums"]
        side.negentropy, side.rows, side.clips = float(negentropy), int(rows), int(clips)
        return side


def checked_features(
    features: np.ndarray, shapes: Collection[tuple[int, ...]], free_rows: bool
) -> np.ndarray:
    """Return features as (clips, rows, d), refusing what does not fit those before.

    Args:
        features: (clips, d) or (clips, rows, d).
        shapes: (rows, d) of those before; empty at the beginning.
        free_rows: clips may have any number of rows.

    Raises:
        InputError: another shape than before, or a value that is not finite.
    """
    clips = as_clips(np.asarray(features))
    check_same(shapes, {clips.shape[1:]}, free_rows)
    if not np.isfinite(clips).all():
        refuse_not_finite(clips, "these features")
    return clips


def check_same(
    previous: Collection[tuple[int, ...]], current: Collection[tuple[int, ...]], free_rows: bool = True
) -> None:
    """Refuse features of another shape (rows, d) than `previous`; with `free_rows` only d counts.

    Raises:
        InputError: one line with both shapes.
    """
    for old in previous:
        for new in current:
            if (old[-1:] if free_rows else old) != (new[-1:] if free_rows else new):
                raise InputError(f"clips with features of shape {new} cannot join those of shape {old}")


def check_numbers(clips: Mapping[str, int]) -> None:
    """Refuse sets of fewer than 2 clips.

    Args:
        clips: by "real" and "fake".

    Raises:
        InputError: one line that names the set.
    """
    for name, n in clips.items():
        if n < 2:
            raise InputError(f"a distribution needs at least 2 clips; {NAMES[name]} holds {n}")


def in_own_order(clips: np.ndarray) -> np.ndarray:
    """Return clips (n, rows, d) in an order that depends on what they hold alone: that of their digests."""
    digests = [
        hashlib.blake2b(np.ascontiguousarray(clip).tobytes(), digest_size=16).digest() for clip in clips
    ]
    return clips[sorted(range(len(clips)), key=digests.__getitem__)]


def part_of(state: Mapping[str, np.ndarray], name: str, *required: str) -> State:
    """Return the entries of a state that begin with "name.", without that.

    Raises:
        InputError: one of `needed` is not among them.
    """
    part = {key.removeprefix(f"{name}."): a for key, a in state.items() if key.startswith(f"{name}.")}
    missing = [key for key in required if key not in part]
    if missing:
        raise InputError(f"not the state of this metric: it has no {name}.{missing[0]}")
    return part
