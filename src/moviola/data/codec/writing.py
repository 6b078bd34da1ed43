"""Writing videos: at once or piece by piece, in memory that does not grow, and never half."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moviola.core.atomic import Staging, output_errors
from moviola.core.errors import FormatError, OutputError
from moviola.core.rates import Rate, as_rate
from moviola.core.video import Audio, Video
from moviola.data.codec.encoders import ArrayEncoder, ContainerEncoder, Encoder, FolderEncoder, StillEncoder
from moviola.data.codec.formats import ENCODINGS, STILL_SUFFIXES, write_suffix
from moviola.data.codec.images import RATE_FILE
from moviola.data.codec.options import WriteOptions
from moviola.data.codec.webp import WebpEncoder

_INLINE_SIDE = 256  # pixels: smaller videos are shown larger in notebooks


def write(video: Video, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a video; the extension decides the format, a path that ends in / makes a folder of png frames.

    Args:
        video: what to write.
        path: where; its folder must exist. An existing file is replaced when the new one is complete.
        options: see `WriteOptions` (crf, pix_fmt, preset, lossless, audio).

    Returns:
        the path.

    Raises:
        FormatError: an unknown extension, or a video the format cannot hold. OutputError: it cannot be written
        there. ConfigError, UnknownNameError: an option outside its range.
    """
    with Writer(path, video.fps, **options) as writer:
        writer.write(video)
    return writer.path


class Writer:
    """Write a video piece by piece, as a context manager::

        with Writer("out.mp4", fps=25) as writer:
            for piece in stream("in.mp4"):
                writer.write(piece.resize(128, 128))

    The file appears under its name when the block ends; an exception or ctrl-C leaves what was there before.

    Args:
        path: as for `write`.
        fps: frames per second; the pieces' own rates are not looked at.
        options: see `WriteOptions`.

    Raises:
        as `write`; nothing is touched before the block begins.
    """

    def __init__(self, path: str | os.PathLike[str], fps: Rate, **options: Any) -> None:
        self.path, self.fps = Path(path), as_rate(fps)
        self._suffix = write_suffix(path)
        self._options = _options(options)
        self._options.check(self._suffix, self.fps)
        self._staging: Staging | None = None
        self._encoder: Encoder | None = None
        self._shape = (0, 0)
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
        shape = (video.height, video.width)
        with self._errors():
            if self._encoder is None:
                self._encoder, self._shape = self._open(self._staging.path, shape, video.audio), shape
            if shape != self._shape:
                raise FormatError(
                    f"{self.path}: a frame of {shape[1]}x{shape[0]} follows frames of "
                    f"{self._shape[1]}x{self._shape[0]}; resize first"
                )
            self._encoder.add(video.frames, video.audio)
            self.frames += len(video)

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
        with self._errors():
            self._encoder.finish()
        staging.commit()

    def _open(self, path: Path, shape: tuple[int, int], audio: Audio | None) -> Encoder:
        if not self._suffix:
            return FolderEncoder(path, self.fps)
        if self._suffix == ".webp":
            return WebpEncoder(path, self.fps, shape, self._options.lossless)
        if self._suffix in STILL_SUFFIXES:
            return StillEncoder(path, self._suffix)
        if self._suffix in ENCODINGS:
            return ContainerEncoder(path, self._suffix, self.fps, self._options, shape, audio)
        return ArrayEncoder(path, self.fps, shape, self._options.audio)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the file system or FFmpeg says into one line."""
        from av.error import FFmpegError

        try:
            with output_errors(self.path):
                yield
        except FFmpegError as error:
            height, width = self._shape
            raise FormatError(
                f"cannot write {self.path}: {self._suffix} does not take {width}x{height} at {self.fps} fps "
                f"({error.strerror})"
            ) from None


def _options(given: dict[str, Any]) -> WriteOptions:
    known = WriteOptions.__dataclass_fields__
    for name in given:
        if name not in known:
            from moviola.core.errors import UnknownNameError

            raise UnknownNameError.of("write option", name, known)
    return WriteOptions(**given)


def _check_frame_folder(path: Path) -> None:
    """Refuse to replace a folder that holds anything but numbered frames."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"cannot write {path}: a file of that name exists; name another folder")
    for entry in path.iterdir():
        frame = entry.suffix.lower() == ".png" and entry.stem.isdigit()
        if not frame and entry.name != RATE_FILE:
            raise OutputError(
                f"cannot write {path}: the folder holds {entry.name}; name a new or empty folder"
            )


def to_html(video: Video) -> str:
    """Return an HTML player with the video inside, for notebooks (yuv420p, which every browser plays)."""
    shown = video
    if video.height % 2 or video.width % 2:
        shown = video.scale(2)
    with tempfile.TemporaryDirectory() as folder:
        data = write(shown, Path(folder) / "inline.mp4", pix_fmt="yuv420p").read_bytes()
    enlarge = max(1, _INLINE_SIDE // max(video.height, video.width))
    return (
        f'<video controls loop autoplay muted width="{video.width * enlarge}" height="{video.height * enlarge}" '
        'style="image-rendering: pixelated" '
        f'src="data:video/mp4;base64,{base64.b64encode(data).decode()}"></video>'
        f"<div>{len(video)} frames, {video.width}x{video.height}, {float(video.fps):g} fps</div>"
    )
