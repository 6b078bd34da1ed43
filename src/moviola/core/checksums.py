"""Checksums beside the files they guard, in the format that the `sha256sum` tool reads."""

from __future__ import annotations

from pathlib import Path

from moviola.core.atomic import write_atomic
from moviola.core.errors import WeightsError
from moviola.core.weights import sha256

SUMS_NAME = "SHA256SUMS"


def write_sums(folder: str | Path) -> Path:
    """Write `folder/SHA256SUMS` over every other file below `folder`; return its path.

    Hidden files are left out. `sha256sum -c SHA256SUMS` checks the same.
    """
    folder = Path(folder)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name != SUMS_NAME and not path.name.startswith(".")
    )
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_atomic(folder / SUMS_NAME, "".join(lines).encode())
    return folder / SUMS_NAME


def check_sums(folder: str | Path) -> list[str]:
    """Compare the files below `folder` with its `SHA256SUMS`.

    Returns:
        One line for each file that is missing or changed; an empty list when all are as they were written.

    Raises:
        WeightsError: there is no `SHA256SUMS`, or it is not in the format of `sha256sum`.
    """
    folder = Path(folder)
    try:
        lines = (folder / SUMS_NAME).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise WeightsError(f"{folder} has no readable {SUMS_NAME}; its files cannot be checked") from None
    problems = []
    for number, line in enumerate(lines, start=1):
        digest, gap, name = line.partition("  ")
        if not gap or len(digest) != 64:
            raise WeightsError(f"{folder / SUMS_NAME}, line {number}: no checksum and file name")
        if not (folder / name).is_file():
            problems.append(f"{name} is missing")
        elif sha256(folder / name) != digest:
            problems.append(f"{name} is damaged")
    return problems
