"""What a person hands in: bounded while it comes, looked at before it gets its name."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

from moviola.core.atomic import staged
from moviola.core.errors import FormatError, InputError
from moviola.studio.errors import RequestError
from moviola.studio.places import Places

MAX_PIXELS = 64 << 20
"""Of one frame, at most."""
_SPARE = 64 << 20  # bytes that stay free on the disk


def upload_name(places: Places, given: str) -> str:
    """Return the name that an upload gets: its own, of plain letters, numbered where that is taken.

    Args:
        given: as the person's machine calls it; folders are dropped.

    Raises:
        FormatError: an extension of no video and no picture.
    """
    from moviola.data.codec import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    path = PurePosixPath(given.replace("\\", "/"))
    suffix, known = path.suffix.lower(), (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    if suffix not in known:
        raise FormatError(f"{path.name} is no video and no picture by its name; known: {' '.join(known)}")
    stem = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.")[:80] or "clip"
    taken = places.path(f"{stem}{suffix}").exists()
    return places.unused(stem, suffix) if taken else f"{stem}{suffix}"


def check_size(declared: str | None, most: int, folder: Path) -> None:
    """Refuse an upload by what it says of its size, before a byte of it is read.

    Args:
        declared: its Content-Length; None for none. most: bytes allowed. folder: where it goes.

    Raises:
        RequestError: too large, no size, or no room on the disk.
    """
    size = int(declared) if declared is not None and declared.isdecimal() else None
    if size is not None and size > most:
        raise RequestError(
            f"the file has {size / 1e6:.0f} MB; at most {most / 1e6:.0f} are taken (--max-mb)", 413
        )
    if (size or 0) + _SPARE > shutil.disk_usage(folder).free:
        raise RequestError("there is no room on the disk for it; make some", 413)


async def receive(
    chunks: AsyncIterator[bytes], target: Path, most: int, picture_size: tuple[int, int] | None
) -> None:
    """Write an upload to a new file, if it can be decoded; else nothing is left of it.

    Args:
        chunks: its bytes.
        target: where to. most: bytes allowed.
        picture_size: height and width, px, that a picture must have; None for any video or picture.

    Raises:
        RequestError: it is too large, or of another size. InputError: it cannot be decoded.
    """
    from starlette.concurrency import run_in_threadpool

    with staged(target) as beside:
        count = 0
        with beside.open("wb") as file:
            async for chunk in chunks:
                count += len(chunk)
                if count > most:
                    raise RequestError(
                        f"the file is larger than {most / 1e6:.0f} MB, which is the most (--max-mb)", 413
                    )
                file.write(chunk)
        try:
            await run_in_threadpool(_check_decodes, beside, picture_size)
        except RequestError:
            raise
        except InputError as error:
            raise RequestError(str(error).replace(str(beside), target.name)) from None


def _check_decodes(path: Path, picture_size: tuple[int, int] | None) -> None:
    """Decode the first and the last frame."""
    from moviola.data import codec

    info = codec.probe(path)
    if info.height * info.width > MAX_PIXELS:
        raise RequestError(
            f"its frames are {info.width}x{info.height}; at most {MAX_PIXELS >> 20} million px are taken"
        )
    if picture_size is not None and (info.height, info.width) != picture_size:
        height, width = picture_size
        raise RequestError(f"the picture is {info.width}x{info.height}; this key is {width}x{height}")
    codec.read_frames_at(path, sorted({0, info.frames - 1}))
