"""What a file says about its video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class Info:
    """A video file in numbers.

    Args:
        path: the file or folder.
        frames: exact number of frames.
        height: rows of a frame as shown (after rotation).
        width: columns of a frame as shown.
        fps: frames per second; the mean where the rate varies.
        duration: seconds, to the end of the last frame.
        codec: name of the decoder, such as "h264"; "png", "gif" ... for pictures, "npz" for arrays.
        pixel_format: as stored, FFmpeg's name ("yuv420p") or Pillow's mode ("RGBA").
        has_audio: whether there is sound.
        rotation: degrees clockwise that the stored picture is turned to be shown upright: 0, 90, 180 or 270.
        variable_rate: whether the time between frames varies; `read_times` then says when each is shown.
        pixel_aspect: width of a pixel over its height as shown (after rotation); 1 where square or not stated.
    """

    path: Path
    frames: int
    height: int
    width: int
    fps: Fraction
    duration: float
    codec: str
    pixel_format: str
    has_audio: bool
    rotation: int
    variable_rate: bool
    pixel_aspect: Fraction = Fraction(1)
