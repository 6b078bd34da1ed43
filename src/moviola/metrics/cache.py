"""What several metrics share: networks loaded once and run once over a clip, and the rule for pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics.base import Sample

Value = TypeVar("Value")
_SHARED: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()


def load_shared(key: Hashable, load: Callable[[], Value]) -> Value:
    """Return what `load` makes, or what it made for the same key while somebody still holds that.

    Args:
        key: what decides the result, the process aside.
        load: makes it.
    """
    key = (os.getpid(), key)
    value = _SHARED.get(key)
    if value is None:
        value = load()
        _SHARED[key] = value
    return value


class PerVideo(Generic[Value]):
    """A function of a video that is asked several times about the same one.

    Results are kept as long as the video lives, and not when this is sent to another process.

    Args:
        function: of the video alone.
    """

    def __init__(self, function: Callable[[Video], Value]) -> None:
        self.function = function
        self._values: WeakKeyDictionary[Video, Value] = WeakKeyDictionary()

    def __call__(self, video: Video) -> Value:
        """Return the function's value for `video`; nobody may change it."""
        if video not in self._values:
            self._values[video] = self.function(video)
        return self._values[video]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function,)


def full_precision(device: Any) -> AbstractContextManager[object]:
    """Keep CUDA from rounding the factors of a convolution to 10 bits, its default; elsewhere do nothing."""
    import torch

    if torch.device(device).type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # type: ignore[no-untyped-call]


def check_one_shape(metric: str, real: Sample, fake: Sample) -> None:
    """Refuse to compare clips that differ in length or size.

    Args:
        metric: who compares, for the error line.
        real, fake: the two clips.

    Raises:
        InputError: one line that names both and what to do.
    """
    if real.video.frames.shape != fake.video.frames.shape:
        shapes = [
            f"{one.name} is {len(one.video)} frames of {one.video.width}x{one.video.height}"
            for one in (real, fake)
        ]
        raise InputError(
            f"{metric} compares clips of one shape: {', '.join(shapes)}; set one size and length in the protocol"
        )
