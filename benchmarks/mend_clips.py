"""Clips for `benchmarks/mend.py`, and the known ways to damage them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from moviola.core.video import Video
from moviola.data import codec

VIDEO = ("video", "datasets/faces", "datasets/davis/bmx-trees")
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Clip:
    name: str
    frames: np.ndarray
    fps: float


def shrink(video: Video, side: int) -> np.ndarray:
    longest = max(video.height, video.width)
    if longest <= side:
        return video.frames
    size = [max(16, round(x * side / longest)) for x in (video.width, video.height)]
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in video.frames])


def paths(media: Path) -> list[Path]:
    found = [
        p for name in VIDEO[:2] for p in sorted((media / name).iterdir()) if p.suffix in (".mp4", ".gif")
    ]
    return [*found, *sorted(p for p in [media / VIDEO[2]] if p.is_dir())]


def real_clips(media: Path, side: int = 256, most: int = 96, cctv: int = 8) -> Iterator[Clip]:
    """Frames from the middle of every real clip."""
    street = [
        p for kind in ("normal", "fight") for p in sorted((media / "datasets/cctv" / kind).glob("*.mp4"))
    ]
    step = max(1, len(street) // max(cctv, 1))
    for path in [*paths(media), *street[::step][:cctv]]:
        info = codec.probe(path)
        start = max(0, (info.frames - most) // 2)
        video = codec.read(path, start, start + most)
        yield Clip(path.stem if path.suffix else path.name, shrink(video, side), float(video.fps))


def gan_clips(media: Path, count: int = 4) -> Iterator[Clip]:
    """Clips of a published video GAN: cells of a grid of 10 x 10."""
    for path in sorted((media / "generated").glob("*.mp4")):
        grid = codec.read(path)
        side = grid.height // 10
        for k in range(count):
            y, x = divmod(k * 23 % 100, 10)
            cell = grid.frames[:, y * side : (y + 1) * side, x * side : (x + 1) * side]
            yield Clip(f"{path.stem.split('-')[0]}-{k}", np.ascontiguousarray(cell), float(grid.fps))


def rounded(frames: np.ndarray) -> np.ndarray:
    return np.rint(frames).clip(0, 255).astype(np.uint8)


# ---- flicker ----


def _curve(kind: str, count: int, rng: Rng) -> np.ndarray:
    """Swing of one light over time, deviation 1."""
    if kind == "noise":
        return rng.standard_normal(count)
    period = {"fast": 3.7, "slow": 12.0}[kind]
    return np.sqrt(2) * np.sin(2 * np.pi * (np.arange(count) / period + rng.random()))


def global_flicker(frames: np.ndarray, kind: str, rng: Rng, amount: float = 0.08) -> np.ndarray:
    """Exposure as a gain, white balance as a gain of each colour (half as much), a gamma (a third)."""
    count = len(frames)
    swing = [_curve(kind, count, rng) for _ in range(5)]
    gain = 1 + amount * swing[0][:, None] + amount / 2 * np.stack(swing[1:4], 1) * [1, 0.3, 1]
    gamma = np.exp(amount / 3 * swing[4])
    x = (frames.astype(np.float32) / 255) ** gamma[:, None, None, None]
    return rounded(255 * x * gain[:, None, None, :])


def local_flicker(frames: np.ndarray, kind: str, rng: Rng, amount: float = 0.1) -> np.ndarray:
    """A gain that is smooth in the picture: 3 x 3 lights, each with a swing of its own."""
    count, height, width = frames.shape[:3]
    swing = np.stack([_curve(kind, count, rng) for _ in range(9)], 1).reshape(count, 3, 3).astype(np.float32)
    out = np.empty_like(frames)
    for t in range(count):
        field = cv2.resize(swing[t], (width, height), interpolation=cv2.INTER_CUBIC)
        out[t] = rounded(frames[t] * (1 + amount * field[..., None]))
    return out


def both_flicker(frames: np.ndarray, kind: str, rng: Rng) -> np.ndarray:
    return local_flicker(global_flicker(frames, kind, rng, 0.06), kind, rng, 0.07)


FLICKER: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "global noise": lambda f, r: global_flicker(f, "noise", r),
    "global fast": lambda f, r: global_flicker(f, "fast", r),
    "global slow": lambda f, r: global_flicker(f, "slow", r),
    "local noise": lambda f, r: local_flicker(f, "noise", r),
    "local fast": lambda f, r: local_flicker(f, "fast", r),
    "both noise": lambda f, r: both_flicker(f, "noise", r),
}


def look_of(frames: np.ndarray) -> np.ndarray:
    """A fixed look, as a restyled clip has: warm, contrasty, edges drawn. The clip itself is then the guide."""
    out = np.empty_like(frames)
    mix = np.array([[0.8, 0.25, 0.05], [0.2, 0.7, 0.1], [0.15, 0.25, 0.5]], np.float32)
    for t, frame in enumerate(frames):
        smooth = cv2.bilateralFilter(frame, 5, 40, 3).astype(np.float32) @ mix.T
        edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(smooth.mean(-1), (0, 0), 1), cv2.CV_32F))
        curve = 255 / (1 + np.exp(-(smooth - 118) / 45))
        out[t] = rounded(curve - 4 * edges[..., None].clip(0, 12))
    return out
