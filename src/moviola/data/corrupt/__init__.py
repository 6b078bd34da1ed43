"""Known flaws to put into good video: to test what a metric sees, and to train networks that mend.

Two tables. `DAMAGES` are flaws of one strength, for judging metrics: a `Video` in, a `Video` out. `CORRUPTIONS` are
flaws of any strength up to 1 that also say where they are, for training refiners: frames in, frames and mask out;
a `Mixture` draws among them. Everything random comes from the generator given, so the same seed gives the same flaw.
See docs/corruptions.md.
"""

from __future__ import annotations

from moviola.data.corrupt.damages import (
    DAMAGES,
    Damage,
    add_noise,
    blur,
    drop,
    find_damage,
    freeze,
    jpeg,
    reverse,
    shuffle,
)
from moviola.data.corrupt.mixture import FAULTS, HOLES, UNKNOWABLE, Mixture
from moviola.data.corrupt.regions import GREY
from moviola.data.corrupt.table import CORRUPTIONS, Corrupted, Corruption, find_corruption

__all__ = [
    "CORRUPTIONS",
    "DAMAGES",
    "FAULTS",
    "GREY",
    "HOLES",
    "UNKNOWABLE",
    "Corrupted",
    "Corruption",
    "Damage",
    "Mixture",
    "add_noise",
    "blur",
    "drop",
    "find_corruption",
    "find_damage",
    "freeze",
    "jpeg",
    "reverse",
    "shuffle",
]
