"""From a decoded frame of any pixel format to uint8 RGB, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    import av

_PLAIN = frozenset({"yuv420p", "yuvj420p", "nv12"})


def over_white(rgba: np.ndarray) -> np.ndarray:
    """Lay uint8 (..., 4) with straight alpha over white and return uint8 (..., 3)."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((blended + 127) // 255).astype(np.uint8)


class RgbConverter:
    """Turns decoded frames of one stream into RGB (matrix and range as the stream says; BT.601 where it is silent).

    Alpha is laid over white; deeper samples are rounded to 8 bits; the display matrix of the first frame (turned
    phones, mirrored cameras) is applied to all.
    """

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._turn: tuple[bool, bool, bool] | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return uint8 (H, W, 3); it may be a view that lives as long as it is held."""
        from av.video.reformatter import Interpolation as How

        alpha = any(part.is_alpha for part in frame.format.components) or frame.format.name == "pal8"
        interpolation = (
            How.BILINEAR
        )  # 4:2:0 of 8 bits has a fast exact-enough path; the rest takes the careful one
        if frame.format.name not in _PLAIN:
            interpolation = How.BICUBIC | How.ACCURATE_RND | How.FULL_CHR_H_INT | How.FULL_CHR_H_INP
        converted = self._reformatter.reformat(
            frame, format="rgba" if alpha else "rgb24", interpolation=interpolation, threads=1
        )
        image = converted.to_ndarray()
        if alpha:
            image = over_white(image)
        if self._turn is None:
            self._turn = display_turn(frame)
        return _orient(image, self._turn)


def display_turn(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return what the display matrix asks for: (swap rows and columns, then flip rows, then flip columns).

    The matrix [[a, b], [c, d]] takes the column p and row q of the stored picture to column a*p + c*q and row
    b*p + d*q of the shown one (ISO/IEC 14496-12 8.3.2). Angles other than quarter turns are ignored.
    """
    from av.sidedata.sidedata import Type

    data = cast(Any, frame.side_data).get(Type.DISPLAYMATRIX)
    if data is None:
        return (False, False, False)
    a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(data), "<i4")[:5])
    if abs(b) > abs(a):
        return (True, b < 0, c < 0)
    return (False, d < 0, a < 0)


def _orient(image: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    swap, rows, columns = turn
    if swap:
        image = image.transpose(1, 0, 2)
    if rows:
        image = image[::-1]
    return image[:, ::-1] if columns else image
