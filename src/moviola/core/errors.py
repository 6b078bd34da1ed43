"""Every exception moviola raises on purpose.

The tree::

    MoviolaError                 anything below; `exit_code` is what the command line returns
    ├── InputError               the input or the arguments are wrong (exit 2)
    │   ├── FormatError          a file name or layout of no known kind
    │   ├── VideoReadError       a file that cannot be decoded
    │   ├── PromptError          a text with nothing in it that the model knows
    │   ├── UnknownNameError     a model, recipe, key ... that does not exist
    │   ├── ConfigError          a setting outside its range or of the wrong type
    │   ├── OutputError          the result cannot be written
    │   └── WeightsError         weights missing, damaged or of another model
    └── TrainingError            a run that cannot go on (exit 1)
        └── NonFiniteError       a loss or a gradient became NaN or infinite

The message of an `InputError` is one line: what is wrong, where, and what would be right.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import ClassVar, Self, TypeVar

T = TypeVar("T")


class MoviolaError(Exception):
    """Base of every error moviola raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(MoviolaError):
    """The input or the arguments are wrong; the message is one line."""

    exit_code: ClassVar[int] = 2


class FormatError(InputError):
    """A file extension, container or folder layout of no known kind."""


class VideoReadError(InputError):
    """A video or image that cannot be decoded."""


class PromptError(InputError):
    """A prompt that is empty or holds no word the model knows."""


class UnknownNameError(InputError):
    """A name that does not exist; the message offers the nearest ones."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> Self:
        """Build the error for `name`, naming the nearest of `known` (all of them when there are few)."""
        known = list(known)
        near = nearest(name, known)
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        elif known:
            hint = f"known: {', '.join(known[:12])}" + (" ..." if len(known) > 12 else "")
        else:
            hint = "there are none"
        return cls(f"unknown {kind} {name!r}; {hint}")


class ConfigError(InputError):
    """A setting that is unknown, outside its range or of the wrong type."""


class OutputError(InputError):
    """A result that cannot be written: missing folder, no permission, full disk."""


class WeightsError(InputError):
    """Weights that are missing, damaged, or belong to another model."""


class TrainingError(MoviolaError):
    """A training run that cannot go on."""


class NonFiniteError(TrainingError):
    """A loss term or a gradient became NaN or infinite; the message names step and term, and what to do.

    Args:
        step: of the run, from 0; at step 0 nothing was learned yet, so no learning rate is to blame.
        term: of the loss.
        precision: "fp32" or "bf16", what the run was made with.
    """

    def __init__(self, step: int, term: str, precision: str = "fp32") -> None:
        self.step, self.term = step, term
        exact = "--set trainer.precision=fp32"
        if step == 0:
            look = "look at the data and at the weights it starts from"
            advice = f"try {exact}, and {look}" if precision != "fp32" else look
            advice = f"no learning rate mends that at the first step; {advice}"
        elif precision != "fp32":
            advice = f"resume from the last checkpoint with {exact}, or lower the learning rate"
        else:
            advice = "resume from the last checkpoint with a lower learning rate"
        super().__init__(f"training stopped at step {step}: {term} is not finite; {advice}")


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether Python, NumPy or PyTorch (on a device, or on the CPU, where it has no class for it) ran out."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (
            isinstance(error, RuntimeError)
            and any(words in str(error) for words in ("can't allocate memory", "not enough memory"))
        )
    )


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """Raise UnknownNameError where `name` is none of the `known` names of a kind; it offers the nearest."""
    if name not in known:
        raise UnknownNameError.of(kind, name, known)


def look_up(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return what a table of a kind holds under `name`; raises as `check_name`."""
    check_name(kind, name, table)
    return table[name]


def nearest(word: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return up to `n` of `known` that look like `word` (difflib ratio of at least 0.6), best first."""
    lower = {k.lower(): k for k in known}
    return [lower[m] for m in difflib.get_close_matches(word.lower(), list(lower), n=n, cutoff=0.6)]
