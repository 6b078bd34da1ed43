"""What a metric is made of: samples, extractors (the map step), and what the catalog says of it.

A sampled clip goes once through every extractor that any asked metric needs; what comes out is small, is kept in the
feature cache, and is all that the reduce step (`moviola.metrics.kinds`) sees. So one decode feeds every metric, and any
part of the map step may run elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from moviola.core.video import Video

if TYPE_CHECKING:
    import numpy as np

OLD_KEYS = {"fvmd": "fvmd-lk"}
"""Keys that metrics had before, to those they have."""
Kind = Literal["set", "paired", "video"]
Better = Literal["lower", "higher", "neither"]
_DRAWN_AS = {key: old for old, key in OLD_KEYS.items()}


def draws_name(key: str) -> str:
    """Return the name by which the draws of metric `key` are seeded: its first, so that a new one moves no interval."""
    return _DRAWN_AS.get(key, key)


@dataclass(frozen=True, eq=False)
class Sample:
    """One clip as the protocol cut it.

    Attributes:
        video: its frames, uint8 (T, H, W, 3), and rate.
        name: unique in its data set.
        label: its class, or None.
        caption: its caption, or None.
        concealed: numbers, in the file, of damaged frames that the decoder mended: its own, and those it refers to.
    """

    video: Video
    name: str
    label: str | None = None
    caption: str | None = None
    concealed: tuple[int, ...] = ()


@runtime_checkable
class Extractor(Protocol):
    """The map step: one sample in, small float arrays out. Stateless: the order of samples does not matter.

    Attributes:
        name: short, unique among extractors: "i3d", "fvmd-lk", "flow" ...

    One that also has `reads`, a tuple of "name", "label" and "caption", says which of these its outputs depend on
    beside the frames: features are kept by them too. Without it they are kept by all three.
    """

    name: str

    def identity(self) -> dict[str, str]:
        """Return everything that changes the outputs (network, sha256, resize kernel ...); part of the cache key."""
        ...

    def __call__(self, sample: Sample) -> Mapping[str, np.ndarray]:
        """Return named float32 arrays of one shape for every sample: (d,) for a clip, (rows, d) for its frames."""
        ...


@runtime_checkable
class PairExtractor(Protocol):
    """The map step of paired metrics: a real and a generated sample of equal shape in, named numbers out."""

    name: str

    def identity(self) -> dict[str, str]:
        """Return everything that changes the outputs; part of the cache key."""
        ...

    def __call__(self, real: Sample, fake: Sample) -> Mapping[str, np.ndarray]:
        """Return named float32 arrays of shape ()."""
        ...


@dataclass(frozen=True)
class MetricSpec:
    """What the catalog says of one metric.

    Attributes:
        key: its name: "fvd".
        title: a line for tables and reports.
        kind: key in `moviola.metrics.kinds.KINDS`: "set" (a distribution against a distribution), "paired" (clip
            against clip) or "video" (each clip alone; the value is the mean over FAKE, that over REAL beside it).
        better: which way is better; "neither" for figures that only describe.
        factory: "module:function"; called with the `Protocol`, the device and the `MetricOptions`, it returns the
            extractor, the name of the output that is read, and for the kind "set" the measure.
        unit: of the value, "" for none.
        needs: what has to be there beyond the core, in a few words; "" for nothing.
        source: paper.
        captions: whether clips are compared with their captions.
        candidates: whether `MetricOptions.candidates` are chosen from.
        published_clips: clips on each side of published figures, None where there are none to compare with.
        moves: whether it measures how much moves, so that far less in FAKE than in REAL is warned of.
    """

    key: str
    title: str
    kind: Kind
    better: Better
    factory: str
    unit: str = ""
    needs: str = ""
    source: str = ""
    captions: bool = False
    candidates: bool = False
    published_clips: int | None = None
    moves: bool = False

    def record(self) -> dict[str, str]:
        """Return what `moviola evaluate --list --json` prints of it."""
        names = ("key", "title", "kind", "better", "factory", "unit", "needs", "source")
        return {name: getattr(self, name) for name in names}
