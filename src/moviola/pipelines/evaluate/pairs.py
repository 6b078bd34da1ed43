"""Which real clip a generated one is compared with, for the paired metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from moviola.core.errors import InputError, check_name
from moviola.core.names import natural_key
from moviola.core.rates import as_rate
from moviola.pipelines.evaluate.inputs import stem
from moviola.pipelines.evaluate.samples import Cut, Plan

Pairing = Literal["auto", "name", "order"]
PAIRINGS = ("auto", "name", "order")
_RULE = "set pair to order, or name the files alike"


def check_pairing(how: str) -> None:
    """Raise UnknownNameError where there is no such way to find partners."""
    check_name("pairing", how, PAIRINGS)


def pair_clips(real: Plan, fake: Plan, how: str = "auto") -> tuple[list[tuple[int, int]], list[str]]:
    """Find for every clip of FAKE its clip of REAL.

    Args:
        real, fake: the clips.
        how: "name" (names without suffix are the same), "order" (both in natural order of names, equal counts), or
            "auto": by name where the names of FAKE are found in REAL, else by order where the counts agree.

    Returns:
        (real row, fake row) for each clip of FAKE, and warnings.

    Raises:
        UnknownNameError: another `how`.
        InputError: a clip without a partner, or partners that differ in size or were cut at different frames.
    """
    check_pairing(how)
    warnings: list[str] = []
    by_name = _by_name(real, fake) if how != "order" else [None] * len(fake.cuts)
    matched = sum(row is not None for row in by_name)
    if how == "name" or (how == "auto" and matched == len(fake.cuts)):
        pairs = [(_found(row, real, fake, i), i) for i, row in enumerate(by_name)]
    elif how == "order" or (matched == 0 and len(real.cuts) == len(fake.cuts)):
        pairs = _by_order(real, fake)
        if how == "auto" and len(pairs) > 1:
            warnings.append("clips of REAL and FAKE were paired by their order: no names are the same")
    else:
        lonely = next(fake.cuts[i].name for i, row in enumerate(by_name) if row is None)
        raise InputError(
            f"paired metrics need a real clip for each generated one: {lonely} is in {fake.title} alone, and "
            f"{len(real.cuts)} real and {len(fake.cuts)} generated clips cannot be paired by order; {_RULE}"
        )
    for one, two in pairs:
        _check(real.cuts[one], fake.cuts[two], real, fake)
    return pairs, warnings


def _by_name(real: Plan, fake: Plan) -> list[int | None]:
    """For each clip of FAKE the row of the real clip of that name, if there is one."""
    rows: dict[str, int] = {}
    for plan in (real, fake):
        seen: dict[str, int] = {}
        for i, cut in enumerate(plan.cuts):
            if _stem(cut) in seen:
                twin = plan.cuts[seen[_stem(cut)]].name
                raise InputError(f"{plan.title}: {twin} and {cut.name} have the same name; {_RULE}")
            seen[_stem(cut)] = i
        rows = rows or seen
    return [rows.get(_stem(cut)) for cut in fake.cuts]


def _stem(cut: Cut) -> str:
    """The name without its suffix; the number of the clip within its video stays."""
    name, sign, number = cut.name.rpartition("#")
    return f"{stem(name)}#{number}" if sign and number.isdigit() else stem(cut.name)


def _found(row: int | None, real: Plan, fake: Plan, i: int) -> int:
    if row is None:
        raise InputError(
            f"{fake.cuts[i].name} of {fake.title} has no clip of that name in {real.title}; {_RULE}"
        )
    return row


def _by_order(real: Plan, fake: Plan) -> list[tuple[int, int]]:
    if len(real.cuts) != len(fake.cuts):
        raise InputError(
            f"pairing by order needs equal counts: {real.title} has {len(real.cuts)} clips, "
            f"{fake.title} has {len(fake.cuts)}"
        )
    rows = [
        sorted(range(len(plan.cuts)), key=lambda i, cuts=plan.cuts: natural_key(cuts[i].name))
        for plan in (real, fake)
    ]
    return sorted(zip(*rows, strict=True), key=lambda pair: pair[1])


def _check(one: Cut, two: Cut, real: Plan, fake: Plan) -> None:
    (h, w), (other_h, other_w) = one.size(real.side), two.size(fake.side)
    if (h, w) != (other_h, other_w):
        raise InputError(
            f"paired metrics need one size: {one.entry.where} is {w}x{h}, {two.entry.where} is {other_w}x{other_h}; "
            f"set one in the protocol, as resize={min(h, w, other_h, other_w)}"
        )
    if not _same_moments(one, two, real, fake):
        raise InputError(
            f"paired metrics compare frame by frame, but the protocol takes frames {_span(one.indices)} of "
            f"{one.entry.where} and {_span(two.indices)} of {two.entry.where}; use policy=first"
        )


def _same_moments(one: Cut, two: Cut, real: Plan, fake: Plan) -> bool:
    """Return whether two clips show the same moments: by number; by time where rates vary and are brought to one."""
    if real.side.fps is None or (one.facts.times is None and two.facts.times is None):
        return np.array_equal(one.indices, two.indices)
    begin, other = (cut.facts.clock.at(int(cut.indices[0])) for cut in (one, two))
    return real.side.fps == fake.side.fps and abs(begin - other) * as_rate(real.side.fps) < 1


def _span(indices: Sequence[int] | np.ndarray) -> str:
    return f"{indices[0]} to {indices[-1]}"
