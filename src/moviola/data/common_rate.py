"""Clips of several rates as training data: the rate that most of them have, and the others resampled to it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from moviola.core.notes import note
from moviola.core.rates import nominal_rate
from moviola.data.clips import sample_indices

if TYPE_CHECKING:
    import numpy as np

    from moviola.data.cache import CachedItem
    from moviola.data.layouts import ClipInfo

NEAR = Fraction(1, 100)
"""Rates that differ by less than this share count as equal: 30 and 29.97, 24 and 23.976."""
_MAX_LISTED = 5


def common_rate(infos: Sequence[ClipInfo]) -> Fraction:
    """Return the rate that most clips have, Hz; of several as frequent the lowest, so that no frame is repeated.

    Args:
        infos: of the clips, at least one.
    """
    rates = [info.fps for info in infos]
    near = {rate: sum(_is_near(rate, other) for other in rates) for rate in dict.fromkeys(rates)}
    most = max(near.values())
    same = [rate for rate, count in near.items() if count == most]
    lowest = min(same)
    exact = [rate for rate in same if _is_near(rate, lowest)]
    return nominal_rate(max(exact, key=rates.count))


def frames_at(info: ClipInfo, fps: Fraction) -> np.ndarray | None:
    """Return which frame of a clip is shown at each moment k / fps, int64 (N,); None for all of them, as they are.

    Args:
        info: of the clip.
        fps: rate wanted, Hz.

    Returns:
        For a clip of nearly that constant rate None; otherwise N frames that last as long as the clip, to the frame.
    """
    if info.times is None and _is_near(info.fps, fps):
        return None
    count = max(1, round(info.frames / info.fps * fps))
    return sample_indices(
        info.frames, count, "first", fps=info.fps, target_fps=fps, short="hold", times=info.times
    )


def resampled(items: Sequence[CachedItem], fps: Fraction, kind: str = "videos") -> list[np.ndarray | None]:
    """Return `frames_at` of every clip, and say once which clips it changes.

    Args:
        items: the clips.
        fps: rate wanted, Hz.
        kind: what they are called in the note.
    """
    frames = [frames_at(item.info, fps) for item in items]
    changed = [item for item, numbers in zip(items, frames, strict=True) if numbers is not None]
    if changed:
        rates = sorted({round(float(item.info.fps), 2) for item in changed})
        listing = ", ".join(f"{rate:g}" for rate in rates[:_MAX_LISTED]) + (
            " ..." if len(rates) > _MAX_LISTED else ""
        )
        note(
            f"{len(changed)} of {len(items)} {kind} play at another or a varying rate ({listing} frames a second) "
            f"and are resampled to {float(fps):g}: {join_names([item.name for item in changed])}"
        )
    return frames


def tell_broken(skipped: Sequence[tuple[str, str]], kind: str = "videos") -> None:
    """Say which clips could not be decoded.

    Args:
        skipped: (name, reason) of each.
        kind: what they are called in the note.
    """
    if skipped:
        names = join_names([name for name, _ in skipped])
        note(f"{len(skipped)} {kind} cannot be decoded and are left out: {names}")


def join_names(names: Sequence[str]) -> str:
    """Return the first five names."""
    return ", ".join(names[:_MAX_LISTED]) + (" ..." if len(names) > _MAX_LISTED else "")


def _is_near(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) < NEAR * other
