"""The folder that the studio works in: names in it to paths, and nothing outside it."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from moviola.core.atomic import output_errors
from moviola.core.errors import InputError
from moviola.studio.errors import RequestError

STATE = ".moviola-studio"
"""The hidden folder with the queue, the logs and what can be made again."""
_PATH = re.compile(r"(?:[/\\~]|[A-Za-z]:[/\\])")
_MOST = 1000


class Places:
    """A folder of results.

    Args:
        folder: that exists.

    Raises:
        InputError: it is none. OutputError: nothing can be written there.
    """

    def __init__(self, folder: str | Path) -> None:
        if not Path(folder).is_dir():
            raise InputError(f"{folder} is no folder; make it first, or name another")
        self.folder = Path(folder).resolve()
        self.state = self.folder / STATE
        with output_errors(self.state):
            self.state.mkdir(exist_ok=True)

    def path(self, name: str) -> Path:
        """Return the path of a name; nothing needs to be there.

        Args:
            name: relative to the folder, with forward slashes.

        Raises:
            RequestError: it leads outside the folder, also by a link, or into what is hidden.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not parts or "\0" in name or len(name) > _MOST:
            raise RequestError("a name of a file in the folder is needed")
        if _PATH.match(name) or ".." in parts:
            raise RequestError(f"{name} is outside the folder; name a file in it", 403)
        if any(part.startswith(".") for part in parts):
            raise RequestError(f"{name} is hidden; name a file that the gallery shows", 403)
        path = self.folder.joinpath(*parts)
        if not path.resolve().is_relative_to(self.folder):
            raise RequestError(f"{name} leads outside the folder; name a file in it", 403)
        return path

    def existing(self, name: str) -> Path:
        """Return the path of a name of a file or folder that is there; raises as `path`, and where it is not."""
        path = self.path(name)
        if not path.exists():
            raise RequestError(f"there is no {name} in the folder", 404)
        return path

    def name(self, path: Path) -> str:
        """Return the name of a path in the folder."""
        return path.relative_to(self.folder).as_posix()

    def unused(self, stem: str, suffix: str) -> str:
        """Return a name at the top of the folder that nothing has: STEM-1.mp4, STEM-2.mp4 ..."""
        taken = {name.partition(".")[0] for name in os.listdir(self.folder)}
        number = next(n for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)
        return f"{stem}-{number}{suffix}"

    def room(self, name: str) -> Path:
        """Return a folder for what can be made again, made where it is not there."""
        room = self.state / name
        with output_errors(room):
            room.mkdir(exist_ok=True)
        return room


def check_words(words: list[str]) -> None:
    """Refuse a value of a job that leads outside the folder it runs in.

    Args:
        words: values, or NAME=VALUE.

    Raises:
        RequestError: there is one.
    """
    for word in words:
        for value in (word, word.partition("=")[2]):
            parts = re.split(r"[/\\,]", value)
            if _PATH.match(value) or ".." in parts or STATE in parts:
                raise RequestError(f"{value} is outside the folder; name a file in it", 403)
