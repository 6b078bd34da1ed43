"""Frames of any size for a network of one size: as they are, in tiles that fade into each other, or resized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import check_name
from moviola.core.ranges import from_network, to_network
from moviola.core.resample import resize_frames
from moviola.models.protocols import RefinerSizes
from moviola.pipelines.refine.windows import fade, mirrored, mix

SizeMode = Literal["tile", "resize", "whole"]
SIZE_MODES: tuple[str, ...] = get_args(SizeMode)


@dataclass(frozen=True)
class Layout:
    """How frames of one size go through a network.

    Attributes:
        size: height and width of the frames, px.
        inner: height and width they are resized to first; `size` for not at all.
        tile: height and width that the network sees.
        rows: first row of each row of tiles, in the frame as it is padded.
        columns: first column of each column of tiles.
        note: a sentence for people, "" where a frame goes through as it is.
    """

    size: tuple[int, int]
    inner: tuple[int, int]
    tile: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    note: str

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width that the tiles cover together."""
        return self.rows[-1] + self.tile[0], self.columns[-1] + self.tile[1]

    @property
    def single(self) -> bool:
        """Whether a frame is one tile."""
        return len(self.rows) == len(self.columns) == 1


def make_layout(height: int, width: int, sizes: RefinerSizes, mode: str = "tile") -> Layout:
    """Decide how frames go through a network.

    Args:
        height: of the frames, px. width: px.
        sizes: config of the network.
        mode: "tile": tiles of the size it was trained at, a quarter overlapping; "resize": the shorter side to that
            size and back, the longer one in tiles; "whole": the frame in one piece, padded to what the network takes.
            Frames of the size it was trained at go through as they are, whatever is said.

    Raises:
        UnknownNameError: another mode.
    """
    check_name("size mode", mode, SIZE_MODES)
    size, side = (height, width), sizes.size
    inner = _shorter_to(size, side) if mode == "resize" else size
    tile = (side, side)
    if mode == "whole" and size != tile:
        tile = (_up(height, sizes.multiple), _up(width, sizes.multiple))
    rows, columns = (_starts(length, part) for length, part in zip(inner, tile, strict=True))
    layout = Layout(size, inner, tile, rows, columns, "")
    return Layout(size, inner, tile, rows, columns, _say(layout, sizes))


def _shorter_to(size: tuple[int, int], side: int) -> tuple[int, int]:
    shorter = min(size)
    return max(side, round(size[0] * side / shorter)), max(side, round(size[1] * side / shorter))


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _starts(length: int, tile: int) -> tuple[int, ...]:
    """Return where tiles begin that cover `length` px, overlapping by a quarter or more, spread evenly."""
    if length <= tile:
        return (0,)
    step = tile - tile // 4
    steps = -(-(length - tile) // step)
    return tuple(round(i * (length - tile) / steps) for i in range(steps + 1))


def _say(layout: Layout, sizes: RefinerSizes) -> str:
    """Name what is done to frames that are not of the network's size."""
    height, width = layout.size
    trained = f"{sizes.family} was trained at {sizes.size}x{sizes.size}"
    if layout.size == (sizes.size, sizes.size):
        return ""
    said = []
    if layout.inner != layout.size:
        said.append(f"resized to {layout.inner[1]}x{layout.inner[0]} and back")
    if layout.padded != layout.inner:
        said.append(f"padded to {layout.padded[1]}x{layout.padded[0]} by reflection and cut back")
    if not layout.single:
        said.append(f"refined in {len(layout.rows) * len(layout.columns)} overlapping tiles")
    if not said:
        said.append("refined in one piece")
    return f"{trained}; frames of {width}x{height} were {', '.join(said)}"


def shrink(frames: np.ndarray, layout: Layout) -> Tensor:
    """Return uint8 frames (T, H, W, 3) as the network's values, float32 (T, 3, *inner)."""
    resized = resize_frames(np.ascontiguousarray(frames), *layout.inner)
    return to_network(torch.from_numpy(np.ascontiguousarray(resized)))


def grow(values: Tensor, layout: Layout) -> Tensor:
    """Return values (T, 3, *inner) at the frames' own size; where that differs they are rounded to bytes on the way."""
    if layout.inner == layout.size:
        return values
    frames = np.ascontiguousarray(from_network(values).numpy())
    return to_network(torch.from_numpy(resize_frames(frames, *layout.size)))


def shrink_mask(mask: np.ndarray, layout: Layout) -> Tensor:
    """Return a mask bool (T, H, W) as float32 (T, 1, *inner); a pixel is masked where any it was made of is."""
    values = torch.from_numpy(mask).float()[:, None]
    return (
        values
        if layout.inner == layout.size
        else torch.nn.functional.adaptive_max_pool2d(values, layout.inner)
    )


def map_tiles(
    clips: Sequence[Tensor],
    masks: Sequence[Tensor] | None,
    layout: Layout,
    function: Callable[[Tensor, Tensor | None], Tensor],
) -> list[Tensor]:
    """Send clips through `function` tile by tile and put the tiles together again, each overlap faded.

    Args:
        clips: each float (T, 3, *inner), all of one length.
        masks: each float (T, 1, *inner); None for none.
        layout: where tiles begin.
        function: takes tiles (N, T, 3, *tile) and their masks (N, T, 1, *tile) or None, returns tiles of that shape.

    Returns:
        What became of the clips, shaped as they were.
    """
    wide = [_pad(clip, layout) for clip in clips]
    wide_masks = None if masks is None else [_pad(mask, layout) for mask in masks]
    strips: list[list[Tensor]] = [[] for _ in clips]
    for top in layout.rows:
        tiles = _tiles_of_row(wide, top, layout)
        covered = None if wide_masks is None else _tiles_of_row(wide_masks, top, layout)
        done = function(tiles, covered).view(len(clips), len(layout.columns), *tiles.shape[1:])
        for strip, row in zip(strips, done, strict=True):
            strip.append(_joined(list(row), layout.columns, dim=-1))
    (height, width), (tall, broad) = layout.inner, layout.padded
    top, left = (tall - height) // 2, (broad - width) // 2
    whole = [_joined(strip, layout.rows, dim=-2) for strip in strips]
    return [values[..., top : top + height, left : left + width] for values in whole]


def _pad(values: Tensor, layout: Layout) -> Tensor:
    """Reflect (T, C, *inner) at its borders until the tiles fit, the frame in the middle."""
    for dim, length, wanted in zip((-2, -1), layout.inner, layout.padded, strict=True):
        before = (wanted - length) // 2
        if wanted != length:
            places = mirrored(length, -before, wanted - before)
            values = values.index_select(dim, torch.from_numpy(places).to(values.device))
    return values


def _tiles_of_row(values: Sequence[Tensor], top: int, layout: Layout) -> Tensor:
    """Return one row of tiles of each clip, (clips * columns, T, C, *tile)."""
    height, width = layout.tile
    return torch.stack(
        [clip[..., top : top + height, left : left + width] for clip in values for left in layout.columns]
    )


def _joined(parts: Sequence[Tensor], starts: Sequence[int], dim: int) -> Tensor:
    """Put parts that begin at `starts` together along `dim`, each overlap faded from one into the next."""
    whole = parts[0]
    for part, start in zip(parts[1:], starts[1:], strict=True):
        shared = whole.shape[dim] - start
        shape = [1] * whole.ndim
        shape[dim] = shared
        old, new = whole.narrow(dim, start, shared), part.narrow(dim, 0, shared)
        seam = mix(old, new, fade(shared).to(part).view(shape))
        rest = part.narrow(dim, shared, part.shape[dim] - shared)
        whole = torch.cat([whole.narrow(dim, 0, start), seam, rest], dim)
    return whole
