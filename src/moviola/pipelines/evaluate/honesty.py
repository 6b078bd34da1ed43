"""What a reader must know before believing a figure: warnings, a sentence each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moviola.metrics.catalog import Metric
from moviola.pipelines.evaluate.assemble import Features
from moviola.pipelines.evaluate.samples import Plan

PUBLISHED_N = 2048
"""Clips on each side of published video distances."""
STILL = 0.25
"""Part of REAL's motion below which FAKE is called still."""
FEW_IN_CLASS = 50
FEWEST = 10
"""Clips below which a bootstrap interval of a distance is too narrow to be believed."""
_NAMED = 3
_DAMAGED = 20
_NETWORK_DISTANCES = ("fvd", "fvd-pooled", "cd-fvd", "jepa-fd")


def of_set(
    metric: Metric, real: np.ndarray, fake: np.ndarray, value: float, low: float, floor: float | None
) -> tuple[str, ...]:
    """Return what there is to say of a set metric.

    Args:
        metric: which.
        real: features (N, rows, d). fake: (M, rows, d).
        value: the score. low: lower end of its interval. floor: real against real.
    """
    found = []
    n, (rows, d) = min(len(real), len(fake)), fake.shape[1:]
    measure: Any = metric.measure
    biased = not (getattr(measure, "unbiased", True) or getattr(measure, "fake_only", False))
    if n < PUBLISHED_N and metric.key in _NETWORK_DISTANCES:
        found.append(
            f"only {n} clips on one side: figures made of {PUBLISHED_N}, as published ones are, cannot be compared "
            "with this one"
        )
    if n < FEWEST:
        found.append(f"{n} clips are too few for the interval: it is narrower than it says")
    if biased and n * rows <= d:
        what = "clips" if rows == 1 else "rows"
        found.append(f"no more {what} ({n * rows}) than features ({d}): most of the figure is bias")
    if metric.spec.better == "lower" and floor is not None:
        if value <= floor:
            found.append("not above the real-against-real floor: with this N it sees no difference")
        elif low <= floor:
            found.append("the interval reaches the real-against-real floor: the difference may be chance")
    if floor is None and hasattr(measure, "scorer"):
        found.append("too few real clips for a real-against-real floor")
    return tuple(found)


def of_mean(metric: Metric, values: np.ndarray, value: float, reference: float | None) -> tuple[str, ...]:
    """Return what there is to say of a figure of single clips or pairs.

    Args:
        metric: which.
        values: of the clips of FAKE, NaN where there is none.
        value: their mean. reference: that of REAL.
    """
    found = []
    lost, endless = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if lost:
        found.append(f"{lost} of {len(values)} clips give no figure and are left out")
    if endless:
        what = "are equal to their real clip, so it is infinite" if metric.key == "psnr" else "give infinity"
        found.append(f"{endless} of {len(values)} clips {what}")
    if metric.key == "motion" and reference and math.isfinite(value) and value < STILL * reference:
        found.append(
            f"FAKE moves {100 * value / reference:.0f} % as much as REAL: still video looks steady to every "
            "metric that compares neighbouring frames"
        )
    if len(values) < 2:
        found.append("a single clip has no interval")
    return tuple(found)


def of_plans(real: Plan, fake: Plan) -> list[str]:
    """Return how the two sets differ in what should not differ, and what was done to short videos."""
    found = []
    for what, key in (("codecs", "codecs"), ("frame sizes", "sizes"), ("frame rates", "fps")):
        one, two = (set(plan.record()[key]) for plan in (real, fake))  # type: ignore[call-overload]
        if one != two and not (key == "fps" and real.side.fps is not None):
            said = " against ".join(_few(sorted(values)) for values in (one, two))
            found.append(f"{what} of REAL and FAKE differ ({said}){_consequence(what)}")
    for plan in (real, fake):
        padded = [cut.name for cut in plan.cuts if cut.padded]
        if padded:
            done = "looped" if plan.side.short == "loop" else "held on their last frame"
            found.append(
                f"{plan.which.upper()}: {len(padded)} of {len(plan.cuts)} clips are shorter than the protocol and were "
                f"{done}"
            )
        varied = [cut.facts for cut in plan.cuts if cut.facts.times is not None]
        if varied and plan.side.fps is None:
            found.append(
                f"{plan.which.upper()}: {len(varied)} of {len(plan.cuts)} clips have a variable rate, and their "
                "frames are taken as they come, at the mean rate; --set fps=N takes those shown N times a second"
            )
        if plan.side.clips_per_video > 1:
            found.append(
                f"{plan.which.upper()}: {plan.side.clips_per_video} clips of each video count as if they were "
                "independent, so intervals are too narrow"
            )
    return found


def of_skipped(plan: Plan, failed: Sequence[tuple[str, str]]) -> list[str]:
    """Return how many videos were left out, and why the first was."""
    left = [*plan.skipped, *failed]
    if not left:
        return []
    return [
        f"{plan.which.upper()}: {len(left)} of {plan.videos} videos were left out; the first: {left[0][1]}"
    ]


def of_repeats(real: Features, fake: Features, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Return which clips show the same frames as others, within a set and across.

    Args:
        real, fake: what `FrameDigest` gave.
        names: "real" and "fake" to the names of the planned clips.
    """
    found = []
    known: dict[str, dict[bytes, list[str]]] = {}
    for which, features in (("real", real), ("fake", fake)):
        groups: dict[bytes, list[str]] = {}
        for row, digest in zip(features.rows, features.outputs["digest"], strict=True):
            groups.setdefault(digest.astype(np.uint8).tobytes(), []).append(names[which][row])
        repeats = [group for group in groups.values() if len(group) > 1]
        if repeats:
            count = sum(len(group) - 1 for group in repeats)
            found.append(
                f"{which.upper()}: {count} of {len(features.rows)} clips repeat the frames of another "
                f"({_few(repeats[0])}); the set is smaller than N says"
            )
        known[which] = groups
    both = known["real"].keys() & known["fake"].keys()
    if both:
        first = min(known["fake"][digest][0] for digest in both)
        found.append(f"clips that are in REAL and in FAKE, frame by frame: {len(both)} (as {first})")
    return found


def of_concealed(plan: Plan, features: Features) -> list[str]:
    """Return which clips hold frames that the decoder mended after damage, a sentence each.

    Args:
        plan: the set.
        features: what `FrameDigest` gave.
    """
    found = []
    for row, (count, first, last) in zip(features.rows, features.outputs["concealed"].tolist(), strict=True):
        if count:
            where = f"frame {first:.0f}" if first == last else f"from frame {first:.0f} to {last:.0f}"
            what = f"{count:.0f} damaged frame{'s' * (count > 1)} that the decoder mended ({where})"
            name = plan.cuts[row].name
            found.append(f"{plan.which.upper()}: {name} holds {what}; it is judged as it looks")
    more = len(found) - _DAMAGED
    return found[:_DAMAGED] + (
        [f"{plan.which.upper()}: {more} more clips hold damaged frames"] if more > 0 else []
    )


def of_classes(classes: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return a warning about classes of few clips; `classes`: label to number of real and generated clips."""
    small = [label for label, counts in classes.items() if min(counts) < FEW_IN_CLASS]
    if not small:
        return []
    return [
        f"{len(small)} of {len(classes)} classes have fewer than {FEW_IN_CLASS} clips on one side ({_few(small)}): "
        "set metrics by class are mostly bias there"
    ]


def count_classes(real: Sequence[str | None], fake: Sequence[str | None]) -> dict[str, tuple[int, int]]:
    """Return label to number of real and of generated clips, for the labels that both sets have."""
    ours, theirs = Counter(real), Counter(fake)
    return {label: (ours[label], theirs[label]) for label in sorted(filter(None, ours)) if theirs[label]}


def _consequence(what: str) -> str:
    return {
        "codecs": ": what a codec does to frames counts as a difference",
        "frame sizes": ": sharpness counts as a difference",
        "frame rates": ": speed counts as a difference",
    }[what]


def _few(values: Sequence[str]) -> str:
    rest = len(values) - _NAMED
    return ", ".join(values[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
