"""What a data set holds: counts, sizes, rates, lengths, and which clips are short or broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from moviola.core.errors import InputError, VideoReadError
from moviola.data.layouts import ClipInfo
from moviola.data.named.base import Check
from moviola.data.sources import Source

if TYPE_CHECKING:
    import numpy as np

    from moviola.core.video import Video


@dataclass(frozen=True)
class Spread:
    """Least, middle and greatest of some numbers, and their sum; all 0 where there are none."""

    min: float
    median: float
    max: float
    total: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise `values`."""
        if not values:
            return cls(0, 0, 0, 0)
        return cls(min(values), median(values), max(values), sum(values))


@dataclass(frozen=True)
class Survey:
    """What `survey` found.

    Args:
        path, layout: of the source.
        clips: number of clips, broken ones included.
        frames: over the clips that can be read.
        seconds: their durations.
        sizes: ("WIDTHxHEIGHT", clips), most common first.
        rates: (frames per second, the mean where it varies, clips), most common first.
        variable: number of clips of variable rate.
        aspects: (width over height of a pixel, clips) of clips whose pixels are not square, most common first.
        labels: label to clips.
        captions: number of clips with a caption.
        short: (name, frames) of clips with fewer frames than asked for.
        broken: (name, reason) of clips that cannot be read.
        damaged: (name, frame numbers) of clips of which the decoder mended frames; only where all were decoded.
        skipped: (name, reason) of files that are no clips.
        decoded: whether every frame was decoded, or only what the files say of themselves.
        dataset: name of a published data set, "" for any other.
        splits: split to clips, of a named data set.
        checks: what a named data set should hold, and what was found.
    """

    path: str
    layout: str
    clips: int
    frames: Spread
    seconds: Spread
    sizes: list[tuple[str, int]]
    rates: list[tuple[float, int]]
    variable: int
    aspects: list[tuple[str, int]]
    labels: dict[str, int]
    captions: int
    short: list[tuple[str, int]]
    broken: list[tuple[str, str]]
    damaged: list[tuple[str, list[int]]]
    skipped: list[tuple[str, str]]
    decoded: bool
    dataset: str = ""
    splits: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)


def survey(
    source: Source,
    min_frames: int = 16,
    decode: bool = True,
    tick: Callable[[], object] = lambda: None,
) -> Survey:
    """Look at every clip of a source.

    Args:
        source: the data set.
        min_frames: clips with fewer frames are named as short.
        decode: decode every frame, which finds files that are damaged within; otherwise only the files' own
            statements are read, which is much faster.
        tick: called after each clip.
    """
    from moviola.data.codec import watch_concealed

    infos: list[ClipInfo] = []
    short: list[tuple[str, int]] = []
    broken: list[tuple[str, str]] = []
    damaged: list[tuple[str, list[int]]] = []
    for index, item in enumerate(source):
        try:
            with watch_concealed() as concealed:
                info = decoded_info(source, index) if decode else item.info
        except InputError as error:
            broken.append((item.name, " ".join(str(error).split())))
        else:
            infos.append(info)
            if concealed:
                damaged.append((item.name, sorted(concealed)))
            if info.frames < min_frames:
                short.append((item.name, info.frames))
        tick()
    return Survey(
        path=str(source.path),
        layout=source.layout,
        clips=len(source),
        frames=Spread.of([info.frames for info in infos]),
        seconds=Spread.of([info.duration for info in infos]),
        sizes=_counted(f"{info.width}x{info.height}" for info in infos),
        rates=_counted(float(info.fps) for info in infos),
        variable=sum(info.times is not None for info in infos),
        aspects=_counted(str(info.pixel_aspect) for info in infos if info.pixel_aspect != 1),
        labels=source.labels,
        captions=sum(item.caption is not None for item in source),
        short=short,
        broken=broken,
        damaged=damaged,
        skipped=list(source.skipped),
        decoded=decode,
        dataset=source.named.dataset.name if source.named is not None else "",
        splits=source.splits,
        checks=list(source.named.checks) if source.named is not None else [],
    )


def decoded_info(source: Source, index: int) -> ClipInfo:
    """Decode clip `index` piece by piece and return what was really found.

    Raises:
        VideoReadError: it cannot be decoded to its end, changes its size, or holds fewer frames than it says.
    """
    info = source.info(index)
    frames = 0
    for piece in source.stream(index):
        if (piece.height, piece.width) != (info.height, info.width):
            raise VideoReadError(
                f"{source[index].clip.where}: frames of {piece.width}x{piece.height} from frame {frames} on, "
                f"{info.width}x{info.height} before"
            )
        frames += len(piece)
    if frames < info.frames:
        raise VideoReadError(
            f"{source[index].clip.where}: only {frames} of {info.frames} frames can be decoded"
        )
    return replace(info, frames=frames)


def contact_sheet(
    source: Source, names: Sequence[str], rows: int = 12, columns: int = 8, side: int = 96
) -> np.ndarray:
    """Draw one picture of a source: a clip a row, from its first frame to its last.

    Args:
        source: the data set.
        names: clips that can be read; `rows` of them are shown, spread evenly.
        rows, columns: clips, and frames of each.
        side: of one square cell, px; frames are fitted into it on white.

    Returns:
        uint8 (H, W, 3).

    Raises:
        InputError: `names` is empty.
    """
    import numpy as np

    from moviola.core.video import Video

    if not names:
        raise InputError(f"{source.path} holds no clip that can be shown")
    row_names = [names[i] for i in _evenly(len(names), rows)]
    index_of = {name: index for index, name in enumerate(source.names)}
    cells = []
    for name in row_names:
        count = source.info(index_of[name]).frames
        cells.append(_fit(source.read(index_of[name], _evenly(count, columns, repeat=True)), side))
    return Video(np.concatenate(cells), fps=1).contact_sheet(columns=columns)


def _fit(video: Video, side: int) -> np.ndarray:
    """Return frames scaled into squares of `side` px, white around them."""
    import numpy as np

    longest = max(video.height, video.width)
    height, width = (max(1, round(n * side / longest)) for n in (video.height, video.width))
    small = video.resize(height, width) if (height, width) != (video.height, video.width) else video
    cells = np.full((len(small), side, side, 3), 255, dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    cells[:, top : top + height, left : left + width] = small.frames
    return cells


def _evenly(count: int, count_max: int, repeat: bool = False) -> list[int]:
    """Return up to `count_max` of 0 .. count-1, evenly spread; with `repeat` exactly `count_max`."""
    number = count_max if repeat else min(count_max, count)
    return [round(k * (count - 1) / max(1, number - 1)) for k in range(number)]


def _counted(values: Iterable[str] | Iterable[float]) -> list:
    counts = Counter(values)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
