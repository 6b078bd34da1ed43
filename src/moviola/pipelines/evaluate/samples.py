"""Which clips a protocol takes from a set of videos, and cutting one of them.

Planning looks at every video it takes but decodes none; so what is wrong with a set is said before anything slow
begins, and the clips can be cut anywhere, in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from moviola.core.errors import InputError, VideoReadError
from moviola.core.rates import MAX_FPS, as_rate
from moviola.core.seeds import derive, torch_generator
from moviola.core.video import Video
from moviola.data import codec, corrupt
from moviola.data.clips import frame_step, reaches, sample_indices, span
from moviola.metrics.base import Sample
from moviola.metrics.protocol import Protocol
from moviola.pipelines.evaluate.inputs import Entry, Facts, VideoSet, stem

if TYPE_CHECKING:
    from collections.abc import Iterator

Which = Literal["real", "fake"]


@dataclass(frozen=True, eq=False)
class Cut:
    """One clip to be cut.

    Attributes:
        name: unique in its set: the video's, with "#k" where several clips are cut from one video.
        entry: the video.
        facts: what the video is.
        indices: which frames, int64 (frames,).
        padded: whether the video is too short, so that frames are repeated.
    """

    name: str
    entry: Entry
    facts: Facts
    indices: np.ndarray
    padded: bool

    def size(self, side: Protocol) -> tuple[int, int]:
        """Return height and width of the clip as it is cut, px."""
        if side.resize is not None:
            return side.resize, side.resize
        if side.crop == "center":
            edge = min(self.facts.height, self.facts.width)
            return edge, edge
        return self.facts.height, self.facts.width

    def rate(self, side: Protocol) -> Fraction:
        """Return the rate of the clip, Hz: slower than the video's where frames are left out."""
        facts = self.facts
        if side.policy == "uniform" and len(self.indices) > 1 and facts.frames > 1:
            step = Fraction(facts.frames - 1, len(self.indices) - 1)
        else:
            step = frame_step(side.stride, facts.fps, side.fps)
        return min(facts.fps / step, Fraction(MAX_FPS)).limit_denominator(1001)


@dataclass(frozen=True)
class Plan:
    """The clips of one set, sorted by name.

    Attributes:
        which: "real" or "fake".
        side: the protocol of this set (`Protocol.side`).
        cuts: the clips.
        skipped: (name, reason) of videos left out.
        videos: number of videos in the set, taken or not.
        path, layout: of the set.
        fingerprint: sha256 of the set.
    """

    which: Which
    side: Protocol
    cuts: tuple[Cut, ...]
    skipped: tuple[tuple[str, str], ...]
    videos: int
    path: str
    layout: str
    fingerprint: str

    @property
    def title(self) -> str:
        """How a message calls it."""
        return f"{self.which.upper()} ({self.path})" if self.path else self.which.upper()

    def record(self) -> dict[str, object]:
        """Return what a report says of the set, as plain values."""
        facts = [cut.facts for cut in self.cuts]
        return {
            "path": self.path,
            "layout": self.layout,
            "fingerprint": self.fingerprint,
            "videos": self.videos,
            "clips": len(self.cuts),
            "sizes": _counted(f"{f.width}x{f.height}" for f in facts),
            "fps": _counted(f"{float(f.fps):g}" for f in facts),
            "codecs": _counted(f.codec for f in facts),
            "skipped": len(self.skipped),
        }


def make_plan(videos: VideoSet, which: Which, protocol: Protocol, skip_bad: bool = False) -> Plan:
    """Choose the clips of a set.

    Args:
        videos: the set.
        which: REAL or FAKE; the protocol may treat them differently.
        protocol: how to choose.
        skip_bad: leave out what cannot be read, is too short or of another size, rather than stop.

    Returns:
        The plan; the order in which the videos lie changes nothing in it.

    Raises:
        InputError: a video that cannot be opened or is too short, sizes that differ, or nothing left; one line.
    """
    side = protocol.side(which)
    cuts: list[Cut] = []
    skipped: list[tuple[str, str]] = []
    for entry in _ranked(videos.entries, side):
        if side.limit is not None and len(cuts) >= side.limit * side.clips_per_video:
            break
        try:
            cuts += _cuts(entry, side, protocol.name)
        except InputError as error:
            if not (skip_bad or isinstance(error, _LeftOut)):
                raise
            skipped.append((entry.name, " ".join(str(error).split())))
    if side.resize is None:
        cuts = _of_one_size(cuts, side, skip_bad, skipped)
    if not cuts:
        title = f"{which.upper()} ({videos.path or 'in memory'})"
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise InputError(f"{title}: none of its {len(videos)} videos can be used{first}")
    order = tuple(sorted(cuts, key=lambda cut: cut.name))
    return Plan(
        which, side, order, tuple(skipped), len(videos), videos.path, videos.layout, videos.fingerprint()
    )


def cut_clip(cut: Cut, side: Protocol) -> Sample:
    """Decode one clip and bring it to the protocol's size.

    Raises:
        VideoReadError: it cannot be decoded.
    """
    with codec.watch_concealed() as concealed:
        video = cut.entry.read(cut.indices.tolist())
    if len(video) != len(cut.indices):
        raise VideoReadError(
            f"{cut.entry.where}: only {len(video)} of {len(cut.indices)} frames can be decoded"
        )
    video = _sized(Video(video.frames, cut.rate(side)), side)
    if side.jpeg is not None:
        video = corrupt.jpeg(video, side.jpeg)
    return Sample(video, cut.name, cut.entry.label, cut.entry.caption, tuple(sorted(concealed)))


class _LeftOut(InputError):
    """A video that the protocol itself leaves out."""


def _ranked(entries: list[Entry], side: Protocol) -> list[Entry]:
    """Order videos as the protocol takes them: by name, or by a draw for each name."""
    if side.order == "sorted":
        return sorted(entries, key=lambda entry: entry.name)
    return sorted(entries, key=lambda entry: (derive(side.seed, "order", stem(entry.name)), entry.name))


def _cuts(entry: Entry, side: Protocol, protocol: str) -> Iterator[Cut]:
    facts = entry.facts()
    lack = _lack(facts, side)
    least = side.min_frames or 1
    if lack is None and facts.frames < least:
        text = f"holds {facts.frames} frames", f"{least}"
    else:
        text = lack
    if text is not None and side.short in ("error", "skip"):
        text = f"{entry.where} {text[0]}, protocol {protocol!r} needs {text[1]}"
        if side.short == "skip":
            raise _LeftOut(text)
        raise InputError(f"{text}: ask for fewer (frames=...), or set short to loop, hold or skip")
    for k in range(side.clips_per_video):
        indices = sample_indices(
            facts.frames,
            side.frames,
            side.policy,
            side.stride,
            facts.fps if side.fps is not None else None,
            side.fps,
            torch_generator(side.seed, "window", stem(entry.name), k) if side.policy == "random" else None,
            short="hold" if side.short in ("error", "skip") else side.short,
            times=facts.times,
        )
        name = entry.name if side.clips_per_video == 1 else f"{entry.name}#{k}"
        yield Cut(name, entry, facts, indices, lack is not None)


def _lack(facts: Facts, side: Protocol) -> tuple[str, str] | None:
    """Return what a video holds and what a clip reaches over, where it holds less."""
    if side.fps is not None and facts.times is not None:
        apart = side.stride / as_rate(side.fps)
        if reaches(facts.clock, side.frames, apart):
            return None
        return f"lasts {float(facts.clock.length):.3g} s", f"{float((side.frames - 1) * apart):.3g} s"
    step = frame_step(side.stride, facts.fps, side.fps)
    reach = side.frames if side.policy == "uniform" else span(side.frames, step)
    if facts.frames >= reach:
        return None
    return f"holds {facts.frames} frames", f"{max(reach, side.min_frames or 1)}"


def _of_one_size(
    cuts: list[Cut], side: Protocol, skip_bad: bool, skipped: list[tuple[str, str]]
) -> list[Cut]:
    """Refuse clips of several sizes, or keep those of the commonest size."""
    sizes = Counter(cut.size(side) for cut in cuts)
    if len(sizes) < 2:
        return cuts
    common = max(sizes, key=lambda size: (sizes[size], size))
    usual = next(cut for cut in cuts if cut.size(side) == common)
    kept = []
    for cut in cuts:
        if cut.size(side) == common:
            kept.append(cut)
            continue
        (h, w), (common_h, common_w) = cut.size(side), common
        text = f"{cut.entry.where} is {w}x{h} where {usual.entry.where} is {common_w}x{common_h}"
        if not skip_bad:
            raise InputError(
                f"{text}: clips of one set have one size; set one in the protocol, as resize={min(common)}"
            )
        skipped.append((cut.name, text))
    return kept


def _sized(video: Video, side: Protocol) -> Video:
    """Crop and resize as the protocol says."""
    if side.resize is None:
        return video.center_crop_square() if side.crop == "center" else video
    height, width = side.resize, side.resize
    if side.crop == "center":
        scale = side.resize / min(video.height, video.width)
        if video.height < video.width:
            width = math.ceil(video.width * scale)
        elif video.height > video.width:
            height = math.ceil(video.height * scale)
    if (height, width) != (video.height, video.width):
        if side.rounding == "down":
            video = _resized_down(video, height, width)
        else:
            video = video.resize(height, width, side.resize_kernel, side.resize_antialias)
    top, left = (height - side.resize) // 2, (width - side.resize) // 2
    return video.crop(top, left, side.resize, side.resize)


def _resized_down(video: Video, height: int, width: int) -> Video:
    """Resize in float32, bilinear with antialiasing, and cut the values down to whole numbers.

    Ge et al., cd-fvd: values are divided by 255, resized, multiplied by 255 and turned into bytes unrounded.
    """
    import torch

    out = np.empty((len(video), height, width, 3), np.uint8)
    for i, frame in enumerate(video.frames):
        values = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 255
        values = torch.nn.functional.interpolate(
            values, size=(height, width), mode="bilinear", align_corners=False, antialias=True
        )
        out[i] = (values * 255).clamp(0, 255).byte()[0].permute(1, 2, 0).numpy()
    return replace(video, frames=out)


def _counted(values: Iterator[str]) -> dict[str, int]:
    """Value to how often, the commonest first."""
    found = Counter(values)
    return {value: found[value] for value in sorted(found, key=lambda value: (-found[value], value))}
