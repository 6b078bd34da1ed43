"""What a reader must know of the two sets before believing a figure: warnings, a sentence each.

What there is to say of one metric's figure is that metric's affair (`moviola.metrics.kinds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from moviola.pipelines.evaluate.assemble import Features
from moviola.pipelines.evaluate.samples import Plan

_NAMED = 3
_DAMAGED = 20


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
