"""Restyling by hand: the key frames of a clip, chosen, painted, repainted; only what changed is carried again.

FOLDER/.moviola-studio/hand/NAME/
    session.json          the clip, its key frames, how much each frame changes
    paint/                the work of the painter (moviola restyle --work), carried by the quickest means
    hand/000010.png       pictures that a person painted
    own/000010.png        the paint of every key frame: a person's, else the painter's
    carry/                the work of carrying it (moviola restyle --keys own --work carry --resume)
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from moviola.core.atomic import output_errors, write_atomic
from moviola.core.errors import ConfigError
from moviola.studio.errors import RequestError
from moviola.studio.places import STATE, Places
from moviola.studio.queue import Queue

_PLAIN = re.compile(r"[\w.-]{1,100}")
_MOST_KEYS = 2000


class Session:
    """One clip that is restyled by hand.

    Args:
        places: the folder. name: of the session.

    Raises:
        RequestError: there is none of that name, or its clip is gone.
    """

    def __init__(self, places: Places, name: str) -> None:
        self.places, self.name = places, name
        self.folder = places.room("hand") / name
        if not _PLAIN.fullmatch(name) or not (self.folder / "session.json").is_file():
            raise RequestError(f"there is no session {name}; begin one with a clip", 404)
        self.state: dict[str, Any] = json.loads((self.folder / "session.json").read_text(encoding="utf-8"))
        self.clip = places.existing(self.state["clip"])

    @classmethod
    def begin(cls, places: Places, clip: str) -> Session:
        """Return the session of a clip, begun where there is none.

        Raises:
            InputError: there is no such clip, or it cannot be read.
        """
        from moviola.studio.clips import describe

        about = describe(places, clip)
        plain = re.sub(r"[^\w-]+", "-", Path(clip).stem)[:40]
        name = f"{plain}-{hashlib.sha256(clip.encode()).hexdigest()[:8]}"
        folder = places.room("hand") / name
        with output_errors(folder):
            for part in ("", "hand", "own"):
                (folder / part).mkdir(exist_ok=True)
        if not (folder / "session.json").exists():
            shape = {key: about[key] for key in ("frames", "width", "height", "fps")}
            state = {"clip": clip, **shape, "keys": [0], "change": []}
            write_atomic(folder / "session.json", json.dumps(state).encode())
        return cls(places, name)

    def set_keys(self, keys: Any, change: Any = None) -> None:
        """Say which frames are keys, and how much each frame changes, where that is known.

        Raises:
            ConfigError: no frames of the clip, or too many.
        """
        count = self.state["frames"]
        whole = isinstance(keys, list) and all(isinstance(k, int) and 0 <= k < count for k in keys)
        if not whole or not 0 < len(keys) <= _MOST_KEYS:
            raise ConfigError(f"keys are frame numbers, 0 to {count - 1}, {_MOST_KEYS} at most")
        self.state["keys"] = sorted({0, *keys})
        if isinstance(change, list) and len(change) == count:
            self.state["change"] = [float(value or 0) for value in change]
        write_atomic(self.folder / "session.json", json.dumps(self.state).encode())

    def key_path(self, kind: str, key: int) -> Path:
        """Return where the picture of a key is: "hand", "own", or "paint", the painter's."""
        folder = self.folder / "paint" / "painted" if kind == "paint" else self.folder / kind
        return folder / f"{key:06d}.png"

    def painted(self, key: int) -> Path | None:
        """Return the paint of a key, a person's before the painter's; None where there is none."""
        paths = (self.key_path(kind, key) for kind in ("hand", "paint"))
        return next((path for path in paths if path.is_file()), None)

    def describe(self) -> dict[str, Any]:
        """Return the session as the page shows it: each key with its paint, each carried part with its time."""
        keys = []
        for key in self.state["keys"]:
            path = self.painted(key)
            by = None if path is None else "hand" if path.parent.name == "hand" else "painter"
            keys.append({"frame": key, "by": by, "modified": None if path is None else path.stat().st_mtime})
        parts = []
        for path in sorted((self.folder / "carry" / "parts").glob("*.mkv")):
            with suppress(OSError):
                parts.append({"start": int(path.stem), "carried": path.stat().st_mtime})
        return {"name": self.name, **self.state, "keys": keys, "parts": parts}

    def gather(self) -> None:
        """Put the paint of every key into `own`, and nothing else.

        Raises:
            RequestError: a key has none.
        """
        keys = self.state["keys"]
        missing = [key for key in keys if self.painted(key) is None]
        if missing:
            raise RequestError(
                f"key frame {missing[0]} is not painted yet; paint the keys, or upload a picture", 409
            )
        kept_paths = {self.key_path("own", key) for key in keys}
        for path in set((self.folder / "own").iterdir()) - kept_paths:
            path.unlink()
        for key in keys:
            path, own = self.painted(key), self.key_path("own", key)
            assert path is not None
            data = path.read_bytes()
            if not own.is_file() or own.read_bytes() != data:
                write_atomic(own, data)

    def order(self, queue: Queue, what: str, values: dict[str, Any]) -> int:
        """Put a job into the queue; return its id.

        Args:
            queue: of the folder.
            what: "choose" key frames, "look" at the first frame, "paint" the keys, "carry" their paint.
            values: "method", "interval" of the first; "painter", "strength", "prompt" of the next two.

        Raises:
            InputError: and what is below it: wrong values, or a key without paint.
        """
        here = f"{STATE}/hand/{self.name}"
        clip = self.state["clip"]
        given = {"input": clip, "session": self.name, "step": what, **values}
        if what == "choose":
            words = [
                f"--method={_word(values, 'method', 'flow')}",
                f"--interval={_whole(values, 'interval', 10)}",
            ]
            output = f"{here}/keys.png"
            return queue.add("keyframes", [*words, f"--plot={output}", "--json", "--", clip], given, output)
        if what == "carry":
            self.gather()
            output = self._free(queue)
            words = [f"--keys={here}/own", f"--work={here}/carry", "--resume", "--set=keys.borrow=true"]
            return queue.add("restyle", [*words, f"--output={output}", "--json", "--", clip], given, output)
        prompt = str(values.get("prompt") or "").strip()
        words = [f"--painter={_word(values, 'painter', 'watercolor')}"]
        words += [f"--strength={_number(values, 'strength')}"] if values.get("strength") else []
        if what == "look":
            words.append("--first-only")
            output = f"{here}/look.png"
        elif what == "paint":
            keys = json.dumps(self.state["keys"])
            words += [
                f"--set=keys.indices={keys}",
                "--propagation=linear",
                f"--work={here}/paint",
                "--resume",
            ]
            output = f"{here}/painted.mp4"
        else:
            raise RequestError(f"{what!r} is no step; it is choose, look, paint or carry")
        arguments = [clip, prompt] if prompt else [clip]
        return queue.add("restyle", [*words, f"--output={output}", "--json", "--", *arguments], given, output)

    def _free(self, queue: Queue) -> str:
        taken, number = queue.outputs(), 1
        while (name := f"by-hand-{number}.mp4") in taken or self.places.path(name).exists():
            number += 1
        return name


def _word(values: dict[str, Any], name: str, usual: str) -> str:
    value = values.get(name) or usual
    if not isinstance(value, str) or not re.fullmatch(r"[\w-]{1,40}", value):
        raise ConfigError(f"{name} is {value!r}; it must be a name")
    return value


def _whole(values: dict[str, Any], name: str, usual: int) -> int:
    value = values.get(name) or usual
    if not str(value).isdecimal() or not 0 < int(value) < 10**6:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least 1")
    return int(value)


def _number(values: dict[str, Any], name: str) -> float:
    try:
        return float(values[name])
    except (TypeError, ValueError):
        raise ConfigError(f"{name} is {values[name]!r}; it must be a number") from None
