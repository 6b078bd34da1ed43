"""What an evaluation returns: scores with their intervals and floors, and the protocol they were made under."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from moviola.metrics.base import OLD_KEYS


@dataclass(frozen=True)
class Score:
    """One metric's figure with what is needed to judge it.

    Attributes:
        metric: its key in the catalog.
        value: the figure.
        low: lower end of the bootstrap confidence interval, None where there is none (a single clip).
        high: its upper end.
        floor: what real against real gives at the same N (set metrics), None otherwise.
        floor_how: how the floor was found: "measured", "scaled from N=..." or "".
        reference: the same figure of the REAL clips (per-video metrics), None otherwise.
        infinity: the extrapolation to infinitely many clips (set metrics), None where it cannot be made.
        n_real: real clips that went in.
        n_fake: generated clips that went in.
        better: "lower", "higher" or "neither".
        unit: of the value.
        network: name of the network behind it, "" for none.
        network_sha256: of its weights.
        level: of the confidence interval, 0 to 1.
        warnings: what a reader must know, a sentence each.
        per_clip: the figure of every generated clip by name, where there is one.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    n_real: int
    n_fake: int
    better: str
    floor: float | None = None
    floor_how: str = ""
    reference: float | None = None
    infinity: float | None = None
    unit: str = ""
    network: str = ""
    network_sha256: str = ""
    level: float = 0.95
    warnings: tuple[str, ...] = ()
    per_clip: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The result of `moviola.evaluate`.

    Attributes:
        scores: by metric key.
        protocol: the settings and what they met (`moviola.metrics.protocol.Protocol.record`), plain values.
        warnings: what holds for the whole evaluation, a sentence each.
        classes: class label to metric key to value, empty without labels.
        sanity: damage name to metric key to value, empty when not asked for.
        skipped: (set, clip name, reason) of what was left out.
        seconds: how long it took.
    """

    scores: dict[str, Score]
    protocol: dict[str, Any]
    warnings: tuple[str, ...] = ()
    classes: dict[str, dict[str, float]] = field(default_factory=dict)
    sanity: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: tuple[tuple[str, str, str], ...] = ()
    seconds: float = 0.0

    def __getitem__(self, metric: str) -> Score:
        return self.scores[OLD_KEYS.get(metric, metric)]

    def to_dict(self, per_clip: bool = False) -> dict[str, Any]:
        """Return plain values: the JSON that `moviola evaluate --json` prints.

        Args:
            per_clip: keep the figures of every clip.
        """
        plain = asdict(self)
        if not per_clip:
            for score in plain["scores"].values():
                del score["per_clip"]
        return plain
