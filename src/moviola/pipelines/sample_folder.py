"""A folder of drawn videos: numbered files, their captions, and the settings that made them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.atomic import write_atomic
from moviola.core.errors import ConfigError, FormatError, InputError, OutputError, check_name
from moviola.core.provenance import as_if
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.captions import decode_text, read_captions
from moviola.data.folders import folder_place
from moviola.models.catalog import model_digest
from moviola.pipelines.generate import Model
from moviola.pipelines.hub_generator import HUB
from moviola.pipelines.sample import Sampling

SETTINGS_NAME, CAPTIONS_NAME = "sample.json", "captions.csv"

FORMATS = {
    **{suffix[1:]: suffix for suffix in (".mp4", ".webm", ".mkv", ".gif", ".webp", ".npz")},
    "png-folders": "/",
}
"""What the videos can be written as -> what their names end with."""

_SHEET_ROWS, _SHEET_COLUMNS = 8, 8


@dataclass(frozen=True)
class SampleFolder:
    """Where the videos go: `00000.mp4`, `00001.mp4` ... or folders of frames `00000`, `00001` ...

    Attributes:
        path: a new or empty folder, or one that was written with the same settings.
        format: one of `FORMATS`.
    """

    path: Path
    format: str = "mp4"

    def check(self, settings: dict[str, Any]) -> None:
        """Refuse a folder that holds anything but videos of these settings; `num` is none of them.

        Raises:
            UnknownNameError: another format. OutputError: no parent, a file, something else in it, or videos of other
            settings, which are named.
        """
        check_name("format", self.format, FORMATS)
        folder_place(self.path)
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        before = self._settings()
        differing = [key for key in {**before, **settings} if before.get(key) != settings.get(key)]
        if differing:
            pairs = ", ".join(
                f"{key} {_brief(before.get(key))}, not {_brief(settings.get(key))}" for key in differing
            )
            raise OutputError(f"{self.path} holds samples of other settings ({pairs}); name another folder")

    def file(self, index: int) -> Path:
        """Return the path of video `index`."""
        end = FORMATS[self.format]
        return self.path / f"{index:05d}{'' if end == '/' else end}"

    def indices(self) -> list[int]:
        """Return the numbers of the videos that are there."""
        end = "" if FORMATS[self.format] == "/" else FORMATS[self.format]
        names = [path.name.removesuffix(end) for path in self.path.glob(f"*{end}")]
        return sorted(int(name) for name in names if name.isdecimal() and len(name) >= 5)

    def _settings(self) -> dict[str, Any]:
        try:
            values = json.loads((self.path / SETTINGS_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            values = None
        if not isinstance(values, dict):
            raise OutputError(
                f"{self.path} exists and is neither empty nor a folder of samples: it has no readable "
                f"{SETTINGS_NAME}; name a new one"
            )
        return values


@dataclass
class Report:
    """What was written.

    Attributes:
        drawn: how many videos are new.
        notes: what was ignored, chosen or cut, one line each, once.
    """

    drawn: int = 0
    notes: list[str] = field(default_factory=list)


def sample_settings(model: Model, sampling: Sampling, place: SampleFolder, **hub: Any) -> dict[str, Any]:
    """Return what decides the videos of a folder, as JSON knows it.

    Args:
        model: as it was given; a model of ours stands for its weights, so that one trained further is another; a loaded
            object is known by its class alone.
        sampling: what is drawn.
        place: where.
        hub: settings of a pipeline of diffusers.
    """
    captions = sampling.captions
    return {
        "model": _identity(model),
        "prompt": sampling.prompt,
        "captions": captions and _digest("\n".join(captions).encode()),
        "frames": sampling.frames or sampling.generator.num_frames,
        "fps": str(sampling.rate),
        "seed": sampling.seed,
        "format": place.format,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in hub.items()},
    }


def write_samples(
    sampling: Sampling,
    place: SampleFolder,
    num: int,
    settings: dict[str, Any],
    *,
    first: int = 0,
    tick: Callable[[int], object] = lambda count: None,
    note: Callable[[str], object] = lambda text: None,
) -> Report:
    """Write the videos first ... first + num - 1; those that are there are whole, and are left as they are.

    Each file appears when it is whole. A run that is stopped leaves those that are, with their captions, and the same
    call goes on from there. Memory does not grow with the number of videos, nor with their length where the generator
    draws in pieces.

    Args:
        sampling: what is drawn.
        place: where.
        num: how many, at least 1; more than before draws those that are missing.
        settings: what `sample_settings` returned.
        first: the number of the first of them, from 0.
        tick: called with the number of videos that are done.
        note: called with what is to be said, each line once.

    Raises:
        ConfigError: num below 1, or first below 0. OutputError: see `SampleFolder.check`, and what cannot be written.
    """
    if num < 1 or first < 0:
        raise ConfigError(f"num is {num} and first {first}; they must be at least 1 and 0")
    place.check(settings)
    report = Report()
    with _kept_folder(sampling, place, settings):
        for index in range(first, first + num):
            if not place.file(index).exists():
                _write_one(sampling, place, index, report, note)
            tick(1)
    return report


def sample_sheet(place: SampleFolder, num: int, first: int = 0) -> np.ndarray:
    """Return a contact sheet of what was written: up to 8 videos, a row each of up to 8 evenly spaced frames.

    Args:
        place: where. num, first: as for `write_samples`.

    Returns:
        uint8 (H, W, 3).
    """
    rows = []
    for index in range(first, first + min(num, _SHEET_ROWS)):
        frames = codec.probe(place.file(index)).frames
        chosen = np.linspace(0, frames - 1, min(_SHEET_COLUMNS, frames)).round().astype(int)
        rows.append(Video(codec.read_frames_at(place.file(index), chosen), 1))
    return Video.concat(rows).contact_sheet(columns=len(rows[0]))


def read_caption_list(path: Path) -> tuple[str, ...]:
    """Return the captions of a file in their order: `.csv` or `.jsonl` as beside data, or `.txt`, one a line.

    Raises:
        InputError: it is missing, of another kind, no text, or holds none.
    """
    try:
        text = decode_text(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if path.suffix.lower() == ".txt":
        captions = tuple(" ".join(line.split()) for line in text.splitlines() if line.strip())
    elif path.suffix.lower() in (".csv", ".jsonl"):
        captions = tuple(line.caption for line in read_captions(text, str(path)))
    else:
        raise FormatError(f"{path}: captions are read from .csv, .jsonl or .txt")
    if not captions:
        raise InputError(f"{path} holds no captions")
    return captions


@contextmanager
def _kept_folder(sampling: Sampling, place: SampleFolder, settings: dict[str, Any]) -> Iterator[None]:
    """Give the folder its settings, and at the end, whatever it is, the captions of what is there, or take it away."""
    is_new = not place.path.exists()
    try:
        place.path.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {place.path}: {error.strerror or error}") from None
    write_atomic(place.path / SETTINGS_NAME, (json.dumps(settings, indent=1) + "\n").encode())
    try:
        yield
    finally:
        indices = place.indices()
        if indices and sampling.generator.is_conditional:
            _write_captions(sampling, place, indices)
        elif not indices:
            (place.path / SETTINGS_NAME).unlink()
            if is_new:
                place.path.rmdir()


def _write_one(
    sampling: Sampling, place: SampleFolder, index: int, report: Report, note: Callable[[str], object]
) -> None:
    one = sampling.take(index)
    for text in one.notes:
        if text not in report.notes:
            report.notes.append(text)
            note(text)
    path = place.file(index)
    with (
        as_if(place.path, num=1, first=index),
        codec.Writer(f"{path}/" if place.format == "png-folders" else path, one.fps) as writer,
    ):
        for piece in one.pieces():
            writer.write(piece)
    report.drawn += 1


def _write_captions(sampling: Sampling, place: SampleFolder, indices: list[int]) -> None:
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(["file", "caption"])
    table.writerows([place.file(index).name, sampling.caption(index)] for index in indices)
    write_atomic(place.path / CAPTIONS_NAME, buffer.getvalue().encode())


def _identity(model: Model) -> str:
    """Return what a model is told from another by: its name of the hub, or what is in its files."""
    if not isinstance(model, str | Path):
        return type(model).__name__
    return str(model) if str(model).startswith(HUB) else model_digest(model)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _brief(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text
