"""Windows of consecutive frames without captions, for models that learn motion from video alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moviola.core.errors import InputError
from moviola.data.cache import CacheConfig, open_cached
from moviola.data.common_rate import common_rate, resampled, tell_broken
from moviola.data.loader import Sample
from moviola.data.sources import Source, is_held_out, open_source
from moviola.data.toys import sinusoid


class SinusoidWindows:
    """Clips of the toy `sinusoid`, drawn when asked: never the same twice.

    Args:
        config: of the toy; its `frames` are the window's.
    """

    def __init__(self, config: sinusoid.Config) -> None:
        self.config = config

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return frames, uint8 (T, H, W, 3)."""
        elements = sinusoid.draw_elements(rng, self.config)
        return {"frames": sinusoid.render(elements, np.arange(self.config.frames), self.config)}


class VideoWindows:
    """Windows of anyone's videos, decoded once into the cache on disk.

    Args:
        path: whatever `moviola.data.sources.open_source` reads; or an opened source.
        size: H = W in px.
        frames: T of a window.
        stride: take every `stride`-th frame.
        held: False for the clips to train on, True for those held out: the other splits of a named data set, else
            one in ten, by a hash of the name; where that would leave none to train on, all are. None for all that may
            be trained on.

    Attributes:
        fps: frames a second of a window. Clips of another rate than most are resampled first, and clips that cannot
            be decoded are left out, each with a note that names them.

    Raises:
        InputError: no clip has enough frames; the message says how many are needed and how many there are.
    """

    def __init__(
        self,
        path: str | Path | Source,
        size: int,
        frames: int,
        stride: int = 1,
        *,
        held: bool | None = None,
    ) -> None:
        full_source = path if isinstance(path, Source) else open_source(path)
        source = full_source.part(held is True)
        self.frames, self.stride = frames, stride
        self._cache = open_cached(source, CacheConfig(height=size, width=size, skip_broken=True))
        tell_broken(self._cache.skipped)
        items = list(self._cache)
        rate = common_rate([item.info for item in items])
        self.fps, self._numbers = rate / stride, resampled(items, rate)
        lengths = [
            item.info.frames if numbers is None else len(numbers)
            for item, numbers in zip(items, self._numbers, strict=True)
        ]
        span = (frames - 1) * stride + 1
        long = [i for i, length in enumerate(lengths) if length >= span]
        if not long:
            raise InputError(
                f"{source.path} has no video of {span} frames, which {frames} frames at a stride of {stride} need; "
                f"its {len(lengths)} videos have {max(lengths, default=0)} at most"
            )
        self._keys = [
            i for i in long if held is None or is_held_out(self._cache[i], full_source.splits) == held
        ]
        if not self._keys and not held and len(full_source.splits) < 2:
            self._keys = long
        if not self._keys:
            raise InputError(f"{source.path} has too few videos of {span} frames to split one in ten off")

    def __len__(self) -> int:
        """Number of videos that windows are drawn from."""
        return len(self._keys)

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a window of a clip, every clip equally often: frames, uint8 (T, H, W, 3)."""
        key = self._keys[int(rng.integers(len(self._keys)))]
        clip, numbers = self._cache.frames(key), self._numbers[key]
        start = int(
            rng.integers((len(clip) if numbers is None else len(numbers)) - (self.frames - 1) * self.stride)
        )
        window = slice(start, start + (self.frames - 1) * self.stride + 1, self.stride)
        return {"frames": np.asarray(clip[window if numbers is None else numbers[window]])}
