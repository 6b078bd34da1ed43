"""What is observed of a clip: one operator behind all tasks.

Source: INR-V, section 5.3: inversion, inpainting, frame prediction, frame interpolation, sparse inpainting and
superresolution differ only in which pixels of a video are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.ranges import to_network
from moviola.core.seeds import numpy_generator

SPARSE_SHARE = 0.25
LOW_SIDE = 32


@dataclass(frozen=True, eq=False)
class Observation:
    """Pixels that are given, and of which video.

    Attributes:
        frames: uint8 (T, h, w, 3); what stands at hidden pixels is never looked at.
        mask: bool (T, h, w), true where observed.
        size: H and W of the video, px; (h, w) but for a low-resolution observation, where each pixel is the mean over
            the area it covers.
        given: what is observed, in words.
        hidden: what is not, in words; empty for nothing.
    """

    frames: np.ndarray
    mask: np.ndarray
    size: tuple[int, int]
    given: str
    hidden: str = ""

    def __post_init__(self) -> None:
        if self.frames.shape[:3] != self.mask.shape:
            raise ConfigError(f"frames {self.frames.shape[:3]} and mask {self.mask.shape} differ")
        if not self.mask.any():
            raise ConfigError("nothing is observed")

    @property
    def count(self) -> int:
        """Number of observed pixels."""
        return int(self.mask.sum())

    @property
    def is_low(self) -> bool:
        """Whether it is of a lower resolution than the video."""
        return self.frames.shape[1:3] != self.size

    @property
    def observed_frames(self) -> np.ndarray:
        """Numbers of the frames that hold observed pixels, int64 (F,)."""
        return np.flatnonzero(self.mask.any(axis=(1, 2)))

    def values(self, numbers: np.ndarray | slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Return colours (F, C, h, w) in [-1, 1], 0 where hidden, and mask (F, 1, h, w), float32, of some frames."""
        mask = torch.from_numpy(self.mask[numbers])[:, None].float()
        return to_network(torch.from_numpy(np.ascontiguousarray(self.frames[numbers]))) * mask, mask

    def observe(self, drawn: Tensor) -> Tensor:
        """Return what of drawn frames (..., H, W) is compared with the observation: (..., h, w)."""
        return area(drawn, *self.frames.shape[1:3]) if self.is_low else drawn

    def shown(self) -> np.ndarray:
        """Return the observation as frames of the video, uint8 (T, H, W, 3): hidden pixels grey, large pixels large."""
        frames = np.where(self.mask[..., None], self.frames, np.uint8(128))
        rows, columns = (np.arange(n) * m // n for n, m in zip(self.size, frames.shape[1:3], strict=True))
        return frames[:, rows[:, None], columns[None]]


def invert(frames: np.ndarray) -> Observation:
    """Observe everything."""
    return Observation(
        frames, np.ones(frames.shape[:3], bool), frames.shape[1:3], f"all {len(frames)} frames"
    )


def inpaint(frames: np.ndarray, hidden: np.ndarray | None = None) -> Observation:
    """Observe what is not hidden, bool (T, H, W); without it the upper half of each frame, as in the paper."""
    if hidden is not None:
        return Observation(frames, ~hidden, frames.shape[1:3], "what the mask leaves", "what the mask hides")
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, : frames.shape[1] // 2] = True
    return Observation(frames, mask, frames.shape[1:3], "the upper half", "the lower half")


def predict(frames: np.ndarray, known: int = 1) -> Observation:
    """Observe the first `known` frames.

    Raises:
        ConfigError: none of them, or all.
    """
    if not 1 <= known < len(frames):
        raise ConfigError(
            f"{known} frames are known; of clips of {len(frames)} frames 1 to {len(frames) - 1} can be"
        )
    first = "the first frame" if known == 1 else f"the first {known} frames"
    return _whole_frames(frames, tuple(range(known)), first, f"the {len(frames) - known} frames after")


def frame_interpolate(frames: np.ndarray) -> Observation:
    """Observe the first and the last frame.

    Raises:
        ConfigError: there is nothing between.
    """
    if len(frames) < 3:
        raise ConfigError(f"a clip of {len(frames)} frames has none between the first and the last")
    between = f"the {len(frames) - 2} frames between"
    return _whole_frames(frames, (0, len(frames) - 1), "the first and the last frame", between)


def sparse(frames: np.ndarray, share: float = SPARSE_SHARE, seed: int = 0) -> Observation:
    """Observe a share of the pixels of each frame, drawn at random; exactly so many, to the nearest whole number.

    Raises:
        ConfigError: a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ConfigError(f"the observed share is {share:g}; it lies between 0 and 1")
    count, size = len(frames), frames.shape[1] * frames.shape[2]
    mask = np.zeros((count, size), bool)
    for number in range(count):
        random = numpy_generator(seed, "sparse", number)
        mask[number, random.permutation(size)[: max(1, round(share * size))]] = True
    words = (f"{100 * share:.3g} % of the pixels", f"the other {100 - 100 * share:.3g} %")
    return Observation(frames, mask.reshape(frames.shape[:3]), frames.shape[1:3], *words)


def upsample(low: np.ndarray, height: int, width: int) -> Observation:
    """Observe frames of a lower resolution, uint8 (T, h, w, 3), of a video of H and W.

    Raises:
        ConfigError: they are as large as the video, or larger.
    """
    h, w = low.shape[1:3]
    if h > height or w > width or (h, w) == (height, width):
        raise ConfigError(f"frames of {w}x{h} are no lower resolution of {width}x{height}")
    given = f"the mean colours of {w}x{h} areas"
    return Observation(low, np.ones(low.shape[:3], bool), (height, width), given, "detail finer than those")


def shrink(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the low-resolution observation of frames: means over areas, rounded, uint8 (T, height, width, 3)."""
    out = [area(to_network(torch.from_numpy(frame)), height, width) for frame in frames]
    values = torch.stack(out).movedim(1, -1)
    return values.add(1).mul(127.5).round().clamp(0, 255).byte().numpy()


def default_low(height: int, width: int) -> tuple[int, int]:
    """Return the size of a low-resolution observation: 32x32 as in the paper, half the video's where that is less."""
    return min(LOW_SIDE, max(1, height // 2)), min(LOW_SIDE, max(1, width // 2))


def area(drawn: Tensor, height: int, width: int) -> Tensor:
    """Return means over areas: (..., H, W) to (..., height, width); a pixel counts as far as an area covers it."""
    rows, columns = _coverage(drawn.shape[-2], height), _coverage(drawn.shape[-1], width)
    return rows.to(drawn) @ drawn @ columns.to(drawn).T


def _coverage(source: int, wanted: int) -> Tensor:
    """Return how much of each wanted cell each source cell covers, (wanted, source); rows sum to 1."""
    edges = torch.arange(wanted + 1, dtype=torch.float64) * source / wanted
    cells = torch.arange(source, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], cells)
    high = torch.minimum(edges[1:, None], cells + 1)
    return ((high - low).clamp(min=0) * wanted / source).float()


def _whole_frames(frames: np.ndarray, numbers: tuple[int, ...], given: str, hidden: str) -> Observation:
    mask = np.zeros(frames.shape[:3], bool)
    mask[list(numbers)] = True
    return Observation(frames, mask, frames.shape[1:3], given, hidden)
