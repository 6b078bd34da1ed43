"""Writing videos: at once or piece by piece, in memory that does not grow, and never half."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moviola.core.atomic import Staging, output_errors
from moviola.core.errors import FormatError, OutputError
from moviola.core.notes import note
from moviola.core.provenance import provenance_of
from moviola.core.rates import Rate, as_aspect
from moviola.core.video import Audio, Video
from moviola.data.codec.comments import FOLDER_FILE, put_beside, put_comment
from moviola.data.codec.encoders import ContainerEncoder, FrameEncoder
from moviola.data.codec.formats import ENCODINGS, SQUARE_SUFFIXES, STILL_SUFFIXES, write_suffix
from moviola.data.codec.frame_clock import FrameClock
from moviola.data.codec.options import WriteOptions
from moviola.data.codec.packing import ArrayEncoder, FolderEncoder, StillEncoder
from moviola.data.codec.rate_file import RATE_FILE
from moviola.data.codec.webp import WebpEncoder

_INLINE_SIDE = 256  # pixels: smaller videos are shown larger in notebooks


def write(video: Video, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a video; the extension decides the format, a path that ends in / makes a folder of png frames.

    Args:
        video: what to write.
        path: where; its folder must exist. An existing file is replaced when the new one is complete.
        options: see `WriteOptions` (crf, pix_fmt, preset, lossless, audio).

    Returns:
        the path. Where the format cannot hold the video as it is, a `Note` says what was done instead.

    Raises:
        FormatError: an unknown extension, or a video the format cannot hold. OutputError: it cannot be written
        there. ConfigError, UnknownNameError: an option outside its range.
    """
    with Writer(path, video.fps, video.times, video.pixel_aspect, **options) as writer:
        writer.write(video)
    return writer.path


class Writer:
    """Write a video piece by piece, as a context manager::

        with Writer("out.mp4", fps=25) as writer:
            for piece in stream("in.mp4"):
                writer.write(piece.resize(128, 128))

    The file appears under its name when the block ends; an exception or ctrl-C leaves what was there before. It holds
    the record of how it was made, where one is kept (`moviola.core.provenance`).

    Frames keep their times: those of `times`, else, where the first piece is of variable rate, those of the pieces, one
    after another, else one frame every 1 / fps seconds. `piece.with_fps(...)` drops a piece's own.

    Args:
        path: as for `write`.
        fps: frames per second, the mean where they vary; the pieces' own constant rates are not looked at.
        times: seconds from the first frame at which each frame of the whole video begins; None as said above.
        pixel_aspect: width over height of a pixel; None for that of the first piece.
        options: see `WriteOptions`.

    Attributes:
        frames: how many have been written.

    Raises:
        as `write`; nothing is touched before the block begins. InputError: times that do not ascend from 0.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: Rate,
        times: Sequence[Rate] | None = None,
        pixel_aspect: Rate | None = None,
        **options: Any,
    ) -> None:
        self.path = Path(path)
        self._frame_clock = FrameClock(fps, times)
        self.fps = self._frame_clock.nominal
        self._aspect = None if pixel_aspect is None else as_aspect(pixel_aspect)
        self._suffix = write_suffix(path)
        self._options = _options(options)
        self._options.check(self._suffix, self.fps)
        if not self._suffix:
            _check_frame_folder(self.path)
        self._staging: Staging | None = None
        self._encoder: FrameEncoder | None = None
        self._shape = (0, 0)
        self._comment: str | None = None
        self.frames = 0

    def __enter__(self) -> Self:
        """Make the hidden file that will become the output."""
        if not self._suffix:
            _check_frame_folder(self.path)
        self._staging = Staging(self.path, folder=not self._suffix)
        return self

    def write(self, video: Video) -> None:
        """Append the frames (and sound) of `video`.

        Raises:
            FormatError: another size than the first piece, or nothing the format can hold. OutputError: disk full ...
        """
        if self._staging is None:
            raise OutputError(f"cannot write {self.path}: a Writer writes inside its with block only")
        bounds = self._frame_clock.bounds(video, self.path)
        video = self._shaped(video)
        shape = (video.height, video.width)
        with self._errors():
            if self._encoder is None:
                self._encoder, self._shape = self._open(self._staging.path, shape, video.audio), shape
            if shape != self._shape:
                raise FormatError(
                    f"{self.path}: a frame of {shape[1]}x{shape[0]} follows frames of "
                    f"{self._shape[1]}x{self._shape[0]}; resize first"
                )
            self._encoder.add(video.frames, video.audio, bounds)
            self.frames += len(video)

    def _shaped(self, video: Video) -> Video:
        """Return a piece with the pixels that are written: square ones where the format has no others."""
        if self._aspect is None:
            self._aspect = video.pixel_aspect
        if self._aspect == 1 or self._suffix not in SQUARE_SUFFIXES:
            return video
        square = replace(video, pixel_aspect=self._aspect).square_pixels()
        if self._encoder is None:
            note(
                f"{self.path}: {self._suffix} has square pixels, so the oblong ones ({self._aspect}) were resized from "
                f"{video.width}x{video.height} to {square.width}x{square.height}"
            )
        return square

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish and rename, or throw away."""
        staging, self._staging = self._staging, None
        if staging is None:
            return
        try:
            if kind is None:
                self._finish(staging)
        except BaseException:
            kind = BaseException
            raise
        finally:
            if kind is not None:
                if self._encoder is not None:
                    with suppress(Exception):  # what it still holds may not fit on the disk either
                        self._encoder.abort()
                staging.discard()

    def _finish(self, staging: Staging) -> None:
        if self._encoder is None:
            raise OutputError(f"cannot write {self.path}: no frame was given")
        has_room = True
        with self._errors():
            self._encoder.finish()
            if self._comment is not None:
                has_room = put_comment(staging.path, self._suffix, self._comment)
        staging.commit()
        if self._comment is not None and not has_room:
            put_beside(self.path, self._comment)

    def _open(self, path: Path, shape: tuple[int, int], audio: Audio | None) -> FrameEncoder:
        aspect = self._aspect or Fraction(1)
        provenance = provenance_of(self.path)
        self._comment = None if provenance is None else provenance.to_json()
        if not self._suffix:
            return FolderEncoder(path, self.fps, aspect)
        if self._suffix == ".webp":
            return WebpEncoder(path, self.fps, shape, self._options.lossless)
        if self._suffix in STILL_SUFFIXES:
            return StillEncoder(path, self._suffix)
        if self._suffix in ENCODINGS:
            square = Fraction(1) if self._suffix in SQUARE_SUFFIXES else aspect
            times = self._frame_clock.times
            return ContainerEncoder(
                path, self._suffix, self.fps, self._options, shape, audio, times, square, self._comment
            )
        return ArrayEncoder(path, self.fps, shape, self._options.audio, aspect)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the file system or FFmpeg says into one line."""
        from av.error import FFmpegError

        try:
            with output_errors(self.path):
                yield
        except FormatError as error:
            if str(self.path) in str(error):
                raise
            raise FormatError(f"cannot write {self.path}: {error}") from None
        except FFmpegError as error:
            height, width = self._shape
            raise FormatError(
                f"cannot write {self.path}: {self._suffix} does not take {width}x{height} at {self.fps} fps "
                f"({error.strerror})"
            ) from None


def _options(options: dict[str, Any]) -> WriteOptions:
    fields = WriteOptions.__dataclass_fields__
    for name in options:
        if name not in fields:
            from moviola.core.errors import UnknownNameError

            raise UnknownNameError.of("write option", name, fields)
    return WriteOptions(**options)


def _check_frame_folder(path: Path) -> None:
    """Refuse to replace a folder that holds anything but numbered frames."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"cannot write {path}: a file of that name exists; name another folder")
    for entry in path.iterdir():
        frame = entry.suffix.lower() == ".png" and entry.stem.isdigit()
        if not frame and entry.name not in (RATE_FILE, FOLDER_FILE):
            raise OutputError(
                f"cannot write {path}: the folder holds {entry.name}; name a new or empty folder"
            )


def to_html(video: Video) -> str:
    """Return an HTML player with the video inside, for notebooks (yuv420p, which every browser plays)."""
    video = playable = video.square_pixels()
    if video.height % 2 or video.width % 2:
        playable = video.scale(2)
    with tempfile.TemporaryDirectory() as folder:
        data = write(playable, Path(folder) / "inline.mp4", pix_fmt="yuv420p").read_bytes()
    enlarge = max(1, _INLINE_SIDE // max(video.height, video.width))
    return (
        f'<video controls loop autoplay muted width="{video.width * enlarge}" height="{video.height * enlarge}" '
        'style="image-rendering: pixelated" '
        f'src="data:video/mp4;base64,{base64.b64encode(data).decode()}"></video>'
        f"<div>{len(video)} frames, {video.width}x{video.height}, {float(video.fps):g} fps</div>"
    )
