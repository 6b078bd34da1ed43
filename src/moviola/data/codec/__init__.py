"""Videos in and out: read, stream, probe, write.

`read` and `write` for what fits into memory, `stream` and `Writer` for what does not, `read_frames_at` for single
frames by number, `read_picture` for one picture, `probe` for the numbers alone, `read_times` and `read_clock` for when
each frame is shown. See docs/video.md.
"""

from __future__ import annotations

from moviola.data.codec.concealed import describe_concealed, watch_concealed
from moviola.data.codec.formats import DEFAULT_FPS, IMAGE_SUFFIXES, VIDEO_SUFFIXES, WRITE_SUFFIXES
from moviola.data.codec.images import read_picture
from moviola.data.codec.info import Info
from moviola.data.codec.options import WriteOptions
from moviola.data.codec.reading import probe, read, read_clock, read_frames_at, read_times, stream
from moviola.data.codec.writing import Writer, to_html, write

__all__ = [
    "DEFAULT_FPS",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "WRITE_SUFFIXES",
    "Info",
    "WriteOptions",
    "Writer",
    "describe_concealed",
    "probe",
    "read",
    "read_clock",
    "read_frames_at",
    "read_picture",
    "read_times",
    "stream",
    "to_html",
    "watch_concealed",
    "write",
]
