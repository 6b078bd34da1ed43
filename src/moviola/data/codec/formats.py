"""Which file extensions are known, and what each is read and written with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from moviola.core.errors import FormatError, VideoReadError
from moviola.data.codec.ticks import TickRule

DEFAULT_FPS = Fraction(25)
"""The rate of what states none: a still image, or a frame folder without frames.json."""

CONTAINER_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
VIDEO_SUFFIXES = (*CONTAINER_SUFFIXES, ".gif", ".apng", ".npz")
"""Files that hold a video."""

STILL_SUFFIXES = (".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
IMAGE_SUFFIXES = (".png", ".webp", *STILL_SUFFIXES)
"""Files that hold one picture (png and webp may also be animated)."""

Kind = Literal["container", "image", "npz", "folder"]


_FINE = TickRule(90_000, limit=1_000_000)
_MILLISECONDS = TickRule(1000)
_CENTISECONDS = TickRule(100, least=2, most=0xFFFF)  # browsers show a delay of 1 as 10
_DELAYS = TickRule(10_000, limit=60_000)  # a fraction with parts of 16 bits


@dataclass(frozen=True)
class Encoding:
    """How one kind of file is encoded by FFmpeg.

    Args:
        muxer: FFmpeg's name of the container.
        codec: the encoder, and `lossless_codec` the one that keeps every RGB value (None: there is none).
        pixels: pixel formats one may ask for, the default first.
        audio: the audio encoder, None where the container holds no sound.
        crf: the default and the largest constant rate factor, None where the encoder has none.
        rule: which ticks times are kept in where the rate varies.
        states_last: whether the delay of the last frame has to be put in.
        options: encoder options; `muxer_options`: container options.
    """

    muxer: str
    codec: str
    lossless_codec: str | None
    pixels: tuple[str, ...]
    audio: str | None = None
    crf: tuple[int, int] | None = None
    rule: TickRule = _FINE
    states_last: bool = False
    options: dict[str, str] = field(default_factory=dict)
    muxer_options: dict[str, str] = field(default_factory=dict)


def _h264(muxer: str, rule: TickRule = _FINE, **muxer_options: str) -> Encoding:
    return Encoding(
        muxer, "libx264", "libx264rgb", ("yuv420p", "yuv444p"), "aac", (17, 51), rule=rule,
        muxer_options=muxer_options,
    )  # fmt: skip


def _apng() -> Encoding:
    return Encoding(
        "apng", "apng", "apng", ("rgb24",), rule=_DELAYS, states_last=True, muxer_options={"plays": "0"}
    )


ENCODINGS: dict[str, Encoding] = {
    ".mp4": _h264("mp4", movflags="+faststart"),
    ".m4v": _h264("mp4", movflags="+faststart"),
    ".mov": _h264("mov", movflags="+faststart"),
    ".mkv": _h264("matroska", _MILLISECONDS, fflags="+bitexact"),  # no random numbers in the file
    ".webm": Encoding(
        "webm",
        "libvpx-vp9",
        "libvpx-vp9",
        ("yuv420p", "yuv444p"),
        "libopus",
        (24, 63),
        rule=_MILLISECONDS,
        options={"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0"},
        muxer_options={"fflags": "+bitexact"},
    ),
    ".gif": Encoding(
        "gif",
        "gif",
        None,
        ("pal8",),
        rule=_CENTISECONDS,
        states_last=True,
        muxer_options={"loop": "0"},
    ),
    ".png": _apng(),
    ".apng": _apng(),
}
SQUARE_SUFFIXES = (".webm", ".gif", ".png", ".apng", ".webp", *STILL_SUFFIXES)
"""Formats that do not say, or whose readers do not look, how wide a pixel is: their pixels are square."""

_RATES: dict[str, tuple[Fraction, int]] = {
    ".gif": (Fraction(100, 0xFFFF), 50),
    ".webp": (Fraction(1000, 0xFFFFFF), 1000),
    ".png": (Fraction(1, 0xFFFF), 0xFFFF),
    ".apng": (Fraction(1, 0xFFFF), 0xFFFF),
    ".mkv": (Fraction(0), 1000),
    ".webm": (Fraction(0), 1000),
}
"""The lowest and the highest rate, where the ticks or the fractions of a format set limits."""

WRITE_SUFFIXES = (*ENCODINGS, ".webp", ".npz", *STILL_SUFFIXES)


def read_kind(path: str | os.PathLike[str]) -> tuple[Path, Kind]:
    """Say what `path` holds, by being a folder or by its extension.

    Returns:
        the path, and "container", "image", "npz" or "folder".

    Raises:
        VideoReadError: nothing is there, it is empty, or may not be read. FormatError: an unknown extension.
    """
    source = Path(path)
    if os.path.isdir(source):
        return source, "folder"
    suffix = source.suffix.lower()
    suffixes = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    if not os.path.exists(source):
        raise VideoReadError(f"no such file or folder: {source}")
    if suffix not in suffixes:
        raise FormatError(f"{source}: unknown extension {suffix or '(none)'}; known: {' '.join(suffixes)}")
    try:
        with source.open("rb") as file:
            if not file.read(1):
                raise VideoReadError(f"{source} is empty (0 bytes)")
    except OSError as error:
        raise VideoReadError(f"{source} cannot be read: {error.strerror}") from None
    if suffix in CONTAINER_SUFFIXES:
        return source, "container"
    return source, "npz" if suffix == ".npz" else "image"


def check_rate(suffix: str, fps: Fraction) -> None:
    """Raise FormatError where `suffix` cannot hold a rate: more frames than ticks, or one shown for too long."""
    if _holds(suffix, fps):
        return
    lowest, highest = _RATES[suffix]
    limit = f"at most {highest}" if fps > highest else f"at least {float(lowest):.3g}"
    others = [other for other in (".webp", ".png", ".mp4", ".npz") if _holds(other, fps)]
    raise FormatError(
        f"{suffix} holds {limit} frames a second, got {float(fps):g}; use {', '.join(others)}, or another rate"
    )


def _holds(suffix: str, fps: Fraction) -> bool:
    lowest, highest = _RATES.get(suffix, (fps, fps))
    return lowest <= fps <= highest


def write_suffix(path: str | os.PathLike[str]) -> str:
    """Return the lower-case extension that decides how `path` is written, "" for a folder of frames.

    A folder of frames is meant by a path that ends in a slash or is a folder already.

    Raises:
        FormatError: an extension nothing is written with.
    """
    text = os.fspath(path)
    if text.endswith(("/", os.sep)) or os.path.isdir(text):
        return ""
    suffix = Path(text).suffix.lower()
    if suffix not in WRITE_SUFFIXES:
        raise FormatError(
            f"{text}: cannot write extension {suffix or '(none)'}; "
            f"known: {' '.join(WRITE_SUFFIXES)}, or a path that ends in / for a folder of frames"
        )
    return suffix
