"""What a folder of results holds: clips, pictures and folders, listed without opening any; one clip, in numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moviola.core.names import natural_key
from moviola.studio.places import Places

MOST = 20_000
_LARGE = 4 << 20  # bytes; a larger file is shown by a small copy, so that the gallery stays quick
_PLAYED = (".mp4", ".m4v", ".webm")
_SHOWN = (".gif", ".webp", ".png", ".apng", ".jpg", ".jpeg", ".bmp")


def list_clips(places: Places) -> dict[str, Any]:
    """Return what the gallery shows, the newest first.

    Returns:
        "clips": each with name, size (bytes), modified (seconds) and how the page shows it ("video", "image",
        "preview"); "folders": names of folders that hold some; "left_out": how many there were no room for, or whose
        names are no text.
    """
    clips: list[dict[str, Any]] = []
    left_out = 0
    for path in _walk(places.folder):
        name = places.name(path)
        if len(clips) >= MOST or not name.isprintable():
            left_out += 1
            continue
        state = path.stat()
        clips.append(
            {
                "name": name,
                "size": state.st_size,
                "modified": state.st_mtime,
                "show": how_shown(path, state.st_size),
            }
        )
    clips.sort(key=lambda clip: (-clip["modified"], natural_key(clip["name"])))
    folders = sorted({clip["name"].rpartition("/")[0] for clip in clips} - {""}, key=natural_key)
    return {"clips": clips, "folders": folders, "left_out": left_out}


def how_shown(path: Path, size: int) -> str:
    """Return how a browser can show a file: "video", "image", or "preview", by a small copy."""
    suffix = path.suffix.lower()
    if path.is_dir() or size > _LARGE:
        return "preview"
    return "video" if suffix in _PLAYED else "image" if suffix in _SHOWN else "preview"


def _walk(folder: Path) -> Iterator[Path]:
    """Yield clips, pictures and folders of numbered frames; what is hidden is left out, links are not followed."""
    from moviola.data.codec import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    suffixes = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    for place, folders, files in os.walk(folder):
        shown = [name for name in files if not name.startswith(".") and name.lower().endswith(suffixes)]
        if Path(place) != folder and _are_frames(shown):
            folders.clear()
            yield Path(place)
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(place, name) for name in shown)
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _are_frames(names: list[str]) -> bool:
    """Return whether files are the frames of one clip: pictures, two or more, each named by its number."""
    stems = [name.rpartition(".") for name in names]
    return len(names) > 1 and all(s.isdecimal() and x.lower() in ("png", "jpg", "jpeg") for s, _, x in stems)


def describe(places: Places, name: str) -> dict[str, Any]:
    """Return a clip in numbers, as the player needs them.

    Returns:
        name, frames, width, height, fps, duration (seconds), codec, pixels, audio, size (bytes), modified, show; and
        "times", when each frame begins, for a rate that varies, else None.

    Raises:
        RequestError: as `Places.existing`. VideoReadError, FormatError: it is no video.
    """
    from moviola.data import codec

    path = places.existing(name)
    info, times, state = codec.probe(path), codec.read_times(path), path.stat()
    return {
        "name": name, "frames": info.frames, "width": info.width, "height": info.height, "fps": float(info.fps),
        "duration": info.duration, "codec": info.codec, "pixels": info.pixel_format, "audio": info.has_audio,
        "size": state.st_size, "modified": state.st_mtime, "show": how_shown(path, state.st_size),
        "aspect": float(info.pixel_aspect), "times": None if times is None else [float(t) for t in times],
    }  # fmt: skip
