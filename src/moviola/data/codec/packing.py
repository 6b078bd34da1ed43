"""Encoders that need no FFmpeg: a folder of png files, one still, an npz."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.errors import FormatError
from moviola.core.video import Audio
from moviola.data.codec.rate_file import RATE_FILE, format_rate_file
from moviola.data.codec.ticks import Bounds


class FolderEncoder:
    """A folder of numbered png files and frames.json with the rate."""

    def __init__(self, path: Path, fps: Fraction, pixel_aspect: Fraction = Fraction(1)) -> None:
        self._path, self._fps, self._count, self._aspect = path, fps, 0, pixel_aspect
        self._bounds = list[Fraction]()

    def add(self, frames: np.ndarray, audio: Audio | None, bounds: Bounds = None) -> None:
        """Write each frame as 000000.png, 000001.png ...; sound is left out."""
        from PIL import Image

        for image in frames:
            Image.fromarray(np.ascontiguousarray(image)).save(self._path / f"{self._count:06d}.png")
            self._count += 1
        self._bounds[-1:] = bounds or []

    def finish(self) -> None:
        """State the rate."""
        fps, stamps = _mean(self._bounds, self._fps)
        (self._path / RATE_FILE).write_text(format_rate_file(fps, stamps, self._aspect))

    def abort(self) -> None:
        """Nothing is held open."""


class StillEncoder:
    """One jpg, bmp or tif."""

    def __init__(self, path: Path, suffix: str) -> None:
        self._path, self._suffix, self._written = path, suffix, False

    def add(self, frames: np.ndarray, audio: Audio | None, bounds: Bounds = None) -> None:
        """Write the one frame."""
        from PIL import Image

        if self._written or len(frames) != 1:
            raise FormatError(f"{self._suffix} holds one frame; use .png, .webp or .gif for a video")
        jpeg = self._suffix in (".jpg", ".jpeg")
        quality: dict[str, Any] = {"quality": 95, "subsampling": 0} if jpeg else {}
        Image.fromarray(np.ascontiguousarray(frames[0])).save(self._path, **quality)
        self._written = True

    def finish(self) -> None:
        """All is written already."""

    def abort(self) -> None:
        """Nothing is held open."""


class ArrayEncoder:
    """An npz; frames wait in a temporary file until their number is known, so memory stays flat."""

    def __init__(
        self,
        path: Path,
        fps: Fraction,
        shape: tuple[int, int],
        audio: bool,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        self._path, self._fps, self._shape, self._keep_audio = path, fps, shape, audio
        self._aspect, self._bounds = pixel_aspect, list[Fraction]()
        self._frames = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 (closed by finish or abort)
        self._count, self._sounds = 0, list[Audio]()

    def add(self, frames: np.ndarray, audio: Audio | None, bounds: Bounds = None) -> None:
        """Keep frames and sound."""
        self._bounds[-1:] = bounds or []
        self._frames.write(np.ascontiguousarray(frames).data)
        self._count += len(frames)
        if audio and self._keep_audio:
            self._sounds.append(audio)

    def finish(self) -> None:
        """Pack everything."""
        self._frames.seek(0)
        with self._frames, zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("frames.npy", "w", force_zip64=True) as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._shape, 3)}
                np.lib.format.write_array_header_1_0(file, header)
                shutil.copyfileobj(self._frames, file, 1 << 20)
            fps, stamps = _mean(self._bounds, self._fps)
            _store(archive, "fps", np.array(str(fps)))
            if stamps is not None:
                _store(archive, "times", np.array([float(stamp) for stamp in stamps]))
            if self._aspect != 1:
                _store(archive, "pixel_aspect", np.array(str(self._aspect)))
            if self._sounds:
                _store(archive, "audio", np.concatenate([s.samples for s in self._sounds]))
                _store(archive, "audio_rate", np.array(self._sounds[0].rate))

    def abort(self) -> None:
        """Drop the temporary file."""
        self._frames.close()


def _mean(bounds: list[Fraction], fps: Fraction) -> tuple[Fraction, list[Fraction] | None]:
    """Return the mean rate and the stamps of frames; the constant rate and None where there are no bounds."""
    if not bounds:
        return fps, None
    return (len(bounds) - 1) / bounds[-1], bounds[:-1]


def _store(archive: zipfile.ZipFile, name: str, value: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w") as file:
        np.lib.format.write_array(file, value, allow_pickle=False)
