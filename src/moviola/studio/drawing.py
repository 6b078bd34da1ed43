"""Drawing while a slider moves: a process that keeps the model, so that an edit is shown at once.

What it draws is no job: it is neither kept nor in the queue. A crash of it is told and the next edit starts another.
"""

from __future__ import annotations

import base64
import io
import json
import math
import multiprocessing
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from moviola.core.errors import ConfigError, InputError
from moviola.studio.errors import RequestError

if TYPE_CHECKING:
    from moviola.models.freqmotion import FreqMotionGenerator

MOST_FRAMES = 256
_TALLEST = 16_000  # px of a strip
_PATIENCE = 300.0  # seconds; the first edit loads PyTorch and the model


class Drawer:
    """Hands edits to the process, one at a time; it is started by the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: Any = None
        self._connection: Connection | None = None

    def draw(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `draw_bands` returns for these values.

        Raises:
            InputError: what it raises. RequestError: the process ended, or takes too long.
        """
        with self._lock:
            connection = self._connection or self._start()
            try:
                connection.send_bytes(json.dumps(dict(values)).encode())
                if not connection.poll(_PATIENCE):
                    raise EOFError
                reply = json.loads(connection.recv_bytes())
            except (EOFError, OSError):
                self._end()
                raise RequestError(
                    "the process that draws ended; try again, with fewer frames", 409
                ) from None
        if "error" in reply:
            raise InputError(reply["error"])
        return reply

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_answer_edits, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        return ours

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._process.kill()
        self._connection = None

    def close(self) -> None:
        """End the process."""
        self._end()


def _answer_edits(connection: Connection) -> None:
    """Draw what is asked for, until nobody asks."""
    from moviola.core.errors import MoviolaError
    from moviola.core.processes import end_with_parent

    end_with_parent()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            try:
                reply = draw_bands(json.loads(connection.recv_bytes()))
            except MoviolaError as error:
                reply = {"error": str(error)}
            connection.send_bytes(json.dumps(reply).encode())


@lru_cache(maxsize=2)
def _model(name: str) -> FreqMotionGenerator:
    from moviola.models.catalog import load_banded

    return load_banded(name)


def draw_bands(values: Mapping[str, Any]) -> dict[str, Any]:
    """Draw a video of the frequency GAN, its motion edited by bands, as `moviola edit motion` does.

    Args:
        values: "model"; "seed"; "frames"; "gains", a factor for each band, and "alter", a seed or None for each, or
            neither for the video as it is.

    Returns:
        "strip", the frames one below the other, a png in a data URI; "frames", "width", "height", "fps"; "bands", their
        names from slow to fast, and "edges".

    Raises:
        InputError: and what is below it: wrong values, no such model.
    """
    import numpy as np
    from PIL import Image

    from moviola.pipelines.edit.clock import make_clock
    from moviola.pipelines.edit.motion import MotionEdit, default_bands, draw_edited

    model = _model(str(values["model"]))
    bands = default_bands(model)
    gains = _numbers(values.get("gains") or [1.0] * len(bands), len(bands))
    codes = [
        None if code in (None, "") else _seed(code) for code in values.get("alter") or [None] * len(bands)
    ]
    count = int(values.get("frames") or 64)
    if not 1 <= count <= MOST_FRAMES:
        raise ConfigError(f"frames is {count}; while sliders move it is 1 to {MOST_FRAMES}")
    clock = make_clock(model, frames=count)
    edit = MotionEdit(bands, tuple(gains), tuple(codes))
    drawn = draw_edited(model, clock, seed=_seed(values.get("seed") or 0), edit=edit)
    frames = np.concatenate([piece.frames for piece in drawn])
    frames = frames[: _TALLEST // frames.shape[1]]
    buffer = io.BytesIO()
    Image.fromarray(frames.reshape(-1, *frames.shape[2:])).save(buffer, "PNG", compress_level=1)
    strip = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return {
        "strip": strip, "frames": len(frames), "height": frames.shape[1], "width": frames.shape[2],
        "fps": float(clock.fps), "bands": list(bands.names), "edges": list(bands.edges),
    }  # fmt: skip


def _numbers(values: Any, count: int) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"gains are {count} numbers, one for each band")
    return numbers


def _seed(value: Any) -> int:
    if not str(value).isdecimal():
        raise ConfigError(f"a seed is a whole number of at least 0, not {value!r}")
    return int(value)
