"""Pictures of key frames that the user gives: painted ones, or what a ControlNet looks at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from moviola.core.errors import InputError
from moviola.core.names import natural_key
from moviola.pipelines.restyle.work import load_picture

_CLEAR = 4
"""Digits from which a number among others is taken for a frame's."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def numbered(folder: Path, said: str = "--keys") -> dict[int, Path]:
    """Return the pictures of a folder by frame number, which is the number in a file's name.

    Of several numbers it is the longest, where that has at least four digits: frame 16 of "000016_v2.png" and
    "take3_000016.png". Hidden files, such as those that macOS puts beside others ("._000016.png"), are left out.

    Args:
        folder: painted key frames, or pictures for a ControlNet. said: the option that named it, for the error line.

    Raises:
        InputError: no folder, no pictures, a picture without a number or with several of which none is clearly the
            frame's, or two with the same.
    """
    if not folder.is_dir():
        raise InputError(
            f"{said} {folder} is no folder; give one with pictures of key frames, 000010.png for frame 10"
        )
    found: dict[int, Path] = {}
    pictures = (p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))
    for path in sorted(pictures, key=lambda p: natural_key(p.name)):
        index = _frame_number(path)
        if index in found:
            raise InputError(f"{path} and {found[index].name} are both for frame {index}")
        found[index] = path
    if not found:
        raise InputError(f"{said} {folder} holds no pictures; 000010.png is the key for frame 10")
    return dict(sorted(found.items()))


def _frame_number(path: Path) -> int:
    numbers = sorted(re.findall(r"\d+", path.stem), key=len)
    if not numbers:
        raise InputError(f"{path} has no frame number in its name; 000010.png is the key for frame 10")
    longest, others = numbers[-1], numbers[:-1]
    if others and (len(longest) < _CLEAR or len(others[-1]) == len(longest)):
        raise InputError(
            f"{path} has several numbers in it ({', '.join(re.findall(r'[0-9]+', path.stem))}); write the frame's "
            "alone, or with leading zeros: 000010_v2.png is for frame 10"
        )
    return int(longest)


def check_own(found: dict[int, Path], keys: Sequence[int] | None, count: int, size: tuple[int, int]) -> None:
    """Refuse key frames of the user's that do not fit the video.

    Args:
        found: frame number to file. keys: the frames that are keys, None where the files decide that.
        count: frames of the video. size: height and width of a painted frame, px.

    Raises:
        InputError: a missing, an extra, a wrong-sized or a broken one; the line names it.
    """
    for index, path in found.items():
        if index >= count:
            raise InputError(
                f"{path} is for frame {index}, but the video has {count} frames, 0 to {count - 1}"
            )
        if keys is not None and index not in keys:
            raise InputError(f"{path} is for frame {index}, which is no key frame; keys: {_listed(keys)}")
        shape = load_picture(path).shape[:2]
        if shape != size:
            raise InputError(f"{path} is {shape[1]}x{shape[0]}; the video's frames are {size[1]}x{size[0]}")
    missing = [key for key in keys or () if key not in found]
    if missing:
        raise InputError(
            f"no painted picture for key frame {missing[0]} in {next(iter(found.values())).parent}"
        )


def _listed(keys: Sequence[int]) -> str:
    shown = ", ".join(map(str, keys[:8]))
    return shown + (" ..." if len(keys) > 8 else "")
