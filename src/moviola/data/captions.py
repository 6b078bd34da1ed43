"""Captions beside the data: `captions.csv` or `captions.jsonl` with the columns `file` and `caption`.

`metadata.csv` and `metadata.jsonl` are read as the Hugging Face datasets library reads them for folders of videos: one
in any folder, with `file_name` counted from that folder, and a column with the text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from moviola.core.errors import FormatError, InputError, nearest
from moviola.core.names import json_text

CAPTION_NAMES: tuple[str, ...] = ("captions.csv", "captions.jsonl")
METADATA_NAMES: tuple[str, ...] = ("metadata.csv", "metadata.jsonl")
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", "file_name", "path"),
    "caption": ("caption", "text", "prompt", "description"),
}
"""What the two columns may be called; the first that is there counts."""


@dataclass(frozen=True)
class CaptionLine:
    """One caption as it stands in its file.

    Args:
        file: the clip it belongs to, with forward slashes.
        caption: the text, without blanks around it.
        line: where it stands, from 1.
    """

    file: str
    caption: str
    line: int


def read_captions(text: str, where: str) -> list[CaptionLine]:
    """Read a caption file.

    Args:
        text: its content.
        where: its name; ends in `.csv` or `.jsonl`, and begins every message.

    Returns:
        The captions in file order.

    Raises:
        FormatError: another suffix.
        InputError: a line without `file` or `caption` (or another of `COLUMNS`); the message names the line.
    """
    return [_line(row, number, where) for number, row in _rows(text, where)]


def read_metadata(text: str, where: str) -> list[CaptionLine]:
    """Read a metadata file as captions, its names counted from its own folder.

    Args:
        text, where: as for `read_captions`.

    Returns:
        The captions; lines without a text are left out. Empty where the file is about something else: it has no column
        for the file, or none for a text.

    Raises:
        InputError: it is no CSV or JSON lines, or a line names no file.
    """
    try:
        rows = list(_rows(text, where))
    except _NoColumn:
        return []
    if not any("caption" in row for _, row in rows) or not any("file" in row for _, row in rows):
        return []
    captioned = [(number, row) for number, row in rows if str(row.get("caption") or "").strip()]
    return [_line(row, number, where) for number, row in captioned]


def prefix_folder(lines: Iterable[CaptionLine], folder: str) -> list[CaptionLine]:
    """Return captions whose files are counted from `folder` (forward slashes, "" for the root) by their names there."""
    return [replace(line, file=normpath(f"{folder}/{line.file}" if folder else line.file)) for line in lines]


class _NoColumn(InputError):
    """A table without one of the two columns."""


def _rows(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give line number and `file` and `caption`, where they are, of each row."""
    suffix = PurePosixPath(where).suffix.lower()
    if suffix == ".csv":
        return _csv_rows(text, where)
    if suffix == ".jsonl":
        return _jsonl_rows(text, where)
    raise FormatError(
        f"{where}: captions are read from .csv or .jsonl, not {suffix or 'a file without suffix'}"
    )


def match_captions(
    lines: Iterable[CaptionLine],
    names: Sequence[str],
    where: str,
    resolve: Callable[[str], str | None] = lambda file: None,
    lines_of: dict[str, int] | None = None,
) -> dict[str, str]:
    """Give captions to clips.

    A caption's `file` is the name of a clip, with or without its suffix.

    Args:
        lines: what `read_captions` returned.
        names: the clips' names.
        where: the caption file's name, for messages.
        resolve: what a name that is no clip is worth: the name of the clip it means after all, "" for a file
            that exists but does not belong here (left out), None for one that does not exist.
        lines_of: is given the line of each clip's caption.

    Returns:
        Clip name to caption; clips without one are missing.

    Raises:
        InputError: a caption for a file that does not exist, or a second one for the same clip, by line.
    """
    index = _index(names)
    captions: dict[str, str] = {}
    lines_of = {} if lines_of is None else lines_of
    for line in lines:
        name = index.get(line.file)
        if name is None:
            other = resolve(line.file)
            name = index.get(other) if other else other
        if name is None:
            suggestions = nearest(line.file, names, n=1)
            hint = f"; did you mean {suggestions[0]}?" if suggestions else ""
            raise InputError(f"{where} line {line.line}: there is no clip {line.file!r}{hint}")
        if not name:
            continue
        if name in captions:
            raise InputError(
                f"{where} line {line.line}: a second caption for {name!r}, after line {lines_of[name]}"
            )
        captions[name], lines_of[name] = line.caption, line.line
    return captions


def match_metadata(
    files: Iterable[tuple[str, Sequence[CaptionLine]]],
    names: Sequence[str],
    resolve: Callable[[str], str | None] = lambda file: None,
) -> dict[str, str]:
    """Give the captions of several files to clips.

    Args:
        files: (name for messages, captions). names, elsewhere: as for `match_captions`.

    Raises:
        InputError: as `match_captions`, and two files that say different things of one clip.
    """
    captions: dict[str, str] = {}
    origin: dict[str, str] = {}
    for where, lines in files:
        lines_of: dict[str, int] = {}
        for name, caption in match_captions(lines, names, where, resolve, lines_of).items():
            if captions.setdefault(name, caption) != caption:
                raise InputError(
                    f"{where} line {lines_of[name]}: another caption for {name!r} than {origin[name]}; keep one"
                )
            origin.setdefault(name, f"{where} line {lines_of[name]}")
    return captions


def decode_text(data: bytes, where: str) -> str:
    """Return `data` as UTF-8 text, a byte order mark taken off.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{where} line {line}: not UTF-8 text") from None


def write_captions(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write `rows` (each with `file` and `caption`) to a `.jsonl` file that does not exist yet, one row a line."""
    with path.open("x", encoding="utf-8") as file:
        for row in rows:
            file.write(json_text(row) + "\n")


def _index(names: Sequence[str]) -> dict[str, str]:
    """Map names to themselves, and names without suffix too where only one clip has them."""
    short: dict[str, str] = {}
    for name in names:
        stem = str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name
        short[stem] = "" if stem in short else name
    return {**{stem: name for stem, name in short.items() if name}, **{name: name for name in names}}


def _csv_rows(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        column_of = {
            key: next((name for name in aliases if name in columns), "") for key, aliases in COLUMNS.items()
        }
        for key, name in column_of.items():
            if not name:
                available = ", ".join(columns) or "none"
                raise _NoColumn(f"{where} line 1: no column {key!r}; the columns are {available}")
        for row in reader:
            yield reader.line_num, {key: row[columns[name]] for key, name in column_of.items()}
    except csv.Error as error:
        raise InputError(f"{where} line {reader.reader.line_num}: not CSV: {error}") from None


def _jsonl_rows(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{where} line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f'{where} line {number}: not an object; write {{"file": ..., "caption": ...}}')
        names = {key: next((name for name in aliases if name in row), "") for key, aliases in COLUMNS.items()}
        yield number, {key: row[name] for key, name in names.items() if name}


def _line(row: dict[str, Any], number: int, where: str) -> CaptionLine:
    for key in ("file", "caption"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise InputError(f"{where} line {number}: {key!r} is missing, empty or not text")
    file = str(PurePosixPath(row["file"].strip().replace("\\", "/")))
    return CaptionLine(file, " ".join(row["caption"].split()), number)
