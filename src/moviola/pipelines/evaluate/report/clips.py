"""Clips inside the page: which ones, and each as a small mp4 in a data URI."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from moviola.core.errors import InputError
from moviola.core.names import natural_sorted
from moviola.core.progress import Tick
from moviola.metrics.results import Report, Score
from moviola.pipelines.evaluate.report.text import figure, kind
from moviola.pipelines.pages.media import KINDS, data_uri, encode, fit, poster

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.metrics.protocol import Protocol
    from moviola.pipelines.evaluate.inputs import VideoSet

MAX_SIDE = 256  # px of an embedded clip
MIN_SIDE = 128  # px: smaller clips are enlarged, so that colour at half resolution does not blur their pixels
MAX_FRAMES = 96
MAX_BYTES = 12_000_000  # of all clips together, as they stand in the page
_TOO_MUCH = "the page has reached its size limit; the clips that follow are left out"


@dataclass(frozen=True)
class Shown:
    """One clip in the page.

    Attributes:
        name: in its data set.
        said: what stands below it.
        data: data URI of an mp4, "" where the clip could not be shown.
        poster: data URI of a jpeg of its first frame.
        width: px. height: px.
        why: why it could not be shown, "" otherwise.
    """

    name: str
    said: str
    data: str = ""
    poster: str = ""
    width: int = 0
    height: int = 0
    why: str = ""


@dataclass(frozen=True)
class Ranking:
    """The clips that stand at either end of one metric, each list best or worst first.

    Attributes:
        metric: its key. figure: what was measured on each clip, in words.
        worst: clips of FAKE. best: clips of FAKE.
    """

    metric: str
    figure: str
    worst: tuple[Shown, ...]
    best: tuple[Shown, ...]


@dataclass(frozen=True)
class Gallery:
    """All clips of the page.

    Attributes:
        rankings: a metric each.
        real: some real clips, to compare with.
        note: what was left out, "" for nothing.
    """

    rankings: tuple[Ranking, ...] = ()
    real: tuple[Shown, ...] = ()
    note: str = ""


def ends(score: Score, each: int) -> tuple[list[str], list[str]]:
    """Return the names of the worst and of the best generated clips, at most `each`, never a clip in both.

    For a distance between sets the figure of a clip is its own distance from the real clips, so less is better.
    """
    known = {name: value for name, value in score.per_clip.items() if math.isfinite(value)}
    direction = 1 if kind(score).clip_better(score.better) == "lower" else -1
    ordered = sorted(known, key=lambda name: (direction * known[name], name))
    each = min(each, len(ordered) // 2)
    return (ordered[::-1][:each], ordered[:each]) if each else (ordered, [])


def rankable(report: Report, most: int) -> list[Score]:
    """Return at most `most` scores that can say which clips are better: they have figures and a direction."""
    ranked = [s for s in report.scores.values() if s.per_clip and kind(s).clip_better(s.better) != "neither"]
    return ranked[:most]


class Embedder:
    """Turns clips into data URIs until the page is full; a clip that is asked for twice is coded once.

    Args:
        videos: where the clips are.
        which: "real" or "fake".
        protocol: how they are cut, so that what is shown is what was judged.
        budget: shared with other embedders of the page.
        tick: called after each clip.
    """

    def __init__(
        self,
        videos: VideoSet,
        which: Literal["real", "fake"],
        protocol: Protocol,
        budget: Budget,
        tick: Tick | None = None,
    ) -> None:
        self._videos, self._protocol = videos, protocol
        self._which: Literal["real", "fake"] = which
        self._budget, self._tick = budget, tick
        self._done: dict[str, Shown] = {}

    def show(self, name: str, said: str) -> Shown | None:
        """Return clip `name` with the line `said` below it; None where the page is full."""
        if self._budget.spent:
            return None
        if name not in self._done:
            self._done[name] = self._embed(name)
            if self._tick:
                self._tick(1, name)
        found = self._done[name]
        self._budget.take(len(found.data) + len(found.poster))
        return Shown(name, said, found.data, found.poster, found.width, found.height, found.why)

    def _embed(self, name: str) -> Shown:
        from moviola.pipelines.evaluate.inputs import VideoSet
        from moviola.pipelines.evaluate.samples import cut_clip, make_plan

        wanted = {name, name.rpartition("#")[0]}
        entries = [entry for entry in self._videos.entries if entry.name in wanted]
        try:
            plan = make_plan(VideoSet(entries, self._videos.path, "list"), self._which, self._protocol)
            cut = next((cut for cut in plan.cuts if cut.name == name), plan.cuts[0])
            return embed(cut_clip(cut, plan.side).video[:MAX_FRAMES], name)
        except InputError as error:
            return Shown(name, "", why=str(error) if entries else "not among the clips given for the page")


def cutting(report: Report) -> Protocol:
    """Return the protocol that a report was made under, too short videos held on their last frame."""
    from moviola.metrics.protocol import Protocol

    known = {key: value for key, value in report.protocol.items() if key in Protocol.model_fields}
    if known.get("short", "error") in ("error", "skip"):
        known["short"] = "hold"
    if known.get("short_fake") in ("error", "skip"):
        known["short_fake"] = "hold"
    return Protocol.make(known)


class Budget:
    """How many bytes of clips the page may still take."""

    def __init__(self, size: int = MAX_BYTES) -> None:
        self._left = size

    @property
    def spent(self) -> bool:
        """Whether nothing more may be added."""
        return self._left <= 0

    def take(self, size: int) -> None:
        """Note that `size` bytes were added."""
        self._left -= size


def embed(video: Video, name: str) -> Shown:
    """Return `video` as an mp4 in a data URI, its longer side between 128 (by whole factors) and 256 px."""
    small = fit(video, MIN_SIDE, MAX_SIDE)
    data = data_uri(KINDS[".mp4"], encode(small))
    return Shown(name, "", data, poster(small), small.width, small.height)


def gather(
    report: Report, real: VideoSet, fake: VideoSet, each: int = 4, metrics: int = 3, tick: Tick | None = None
) -> Gallery:
    """Return the worst and best generated clips by up to `metrics` metrics, and some real clips.

    Args:
        report: scores with figures of their clips.
        real: the real clips. fake: the generated ones, by the names that the scores know.
        each: clips at either end of a ranking.
        metrics: rankings.
        tick: called after each clip that was embedded.
    """
    budget, protocol = Budget(), cutting(report)
    shelf = Embedder(fake, "fake", protocol, budget, tick)
    beside = Embedder(real, "real", protocol, budget, tick)
    names = natural_sorted(entry.name for entry in real.entries)
    chosen = [names[i * len(names) // each] for i in range(min(each, len(names)))]
    shown_real = tuple(s for name in dict.fromkeys(chosen) if (s := beside.show(name, "")))
    rankings = []
    for score in rankable(report, metrics):
        partner = partners(real, fake) if "pair" in kind(score).sets else {}
        sides = [_row(shelf, beside, score, names, partner) for names in ends(score, each)]
        said = kind(score).clip_figure or score.unit
        rankings.append(Ranking(score.metric, said, *sides))
    return Gallery(tuple(rankings), shown_real, _TOO_MUCH if budget.spent else "")


def partners(real: VideoSet, fake: VideoSet) -> dict[str, str]:
    """Return, by the name of a generated video, the real one it is compared with: of that name, else in that place."""
    from moviola.pipelines.evaluate.inputs import stem

    ours, theirs = (natural_sorted(entry.name for entry in one.entries) for one in (fake, real))
    by_stem = {stem(name): name for name in theirs}
    if all(stem(name) in by_stem for name in ours):
        return {name: by_stem[stem(name)] for name in ours}
    return dict(zip(ours, theirs, strict=False))


def _row(
    shelf: Embedder, beside: Embedder, score: Score, names: Sequence[str], partner: Mapping[str, str]
) -> tuple[Shown, ...]:
    """Embed clips of FAKE, each after the real clip it was compared with where there is one."""
    shown: list[Shown | None] = []
    for name in names:
        video, sign, number = name.rpartition("#")
        other = partner.get(name) or (f"{partner[video]}#{number}" if sign and video in partner else None)
        shown += [beside.show(other, "the real one")] if other else []
        shown.append(shelf.show(name, figure(score.per_clip[name])))
    return tuple(one for one in shown if one)
