"""The speed spectrum of any video, and gains of bands that give a drawn video the spectrum of a real one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics.functional.motion_spectrum import band_power, motion_spectrum
from moviola.models.freqmotion import Bands, FreqMotionGenerator
from moviola.nn.tracks import track
from moviola.pipelines.edit.clock import Clock
from moviola.pipelines.edit.motion import MotionEdit, draw_edited

_POINTS = 48
_LEAST, _MOST = 64, 192  # px: the shorter side that frames are brought to for tracking
_WINDOW, _SHORTEST = 64, 8  # frames of one spectrum


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The power of motion at each frequency.

    Attributes:
        frequencies: Hz, float64 (F,).
        power: px^2 of the video's own pixels, float64 (F,).
        points: tracks that it was measured on.
    """

    frequencies: Tensor
    power: Tensor
    points: int

    def omega(self, model: FreqMotionGenerator) -> Tensor:
        """Return the frequencies in a model's unit, radians a time unit, (F,)."""
        return self.frequencies * hertz_to_omega(model)

    def bands(self, edges: Sequence[float], model: FreqMotionGenerator) -> Tensor:
        """Return the power in each band of a model (`edges` in radians a time unit)."""
        return band_power(self.omega(model), self.power, tuple(edges))


def hertz_to_omega(model: FreqMotionGenerator) -> float:
    """Return the radians a time unit that make one cycle a second at the model's rate."""
    return 2 * math.pi / (float(model.fps) * model.config.clock_step)


def bands_of(spectrum: Spectrum, model: FreqMotionGenerator, count: int, softness: float = 0.0) -> Bands:
    """Return `count` bands of a model that hold equally much of a spectrum's power.

    Raises:
        InputError: the spectrum has too few frequencies with power to part.
    """
    omega, power = spectrum.omega(model)[1:], spectrum.power[1:]
    share = power.cumsum(0) / power.sum().clamp(min=1e-12)
    middle = (omega[1:] + omega[:-1]) / 2
    edges = [float(middle[min(int((share < k / count).sum()), len(middle) - 1)]) for k in range(1, count)]
    if len(set(edges)) < len(edges):
        raise InputError(
            f"the motion of the video holds fewer than {count} speeds to part; ask for fewer bands, or give edges"
        )
    return Bands(tuple(edges), softness)


@torch.no_grad()
def read_spectrum(video: Video, points: int = _POINTS) -> Spectrum:
    """Measure the speed spectrum of a video.

    In each window, corners of the first frame (Shi and Tomasi 1994, "Good Features to Track") are followed by optical
    flow; those that are not lost count. Windows are 64 frames long, half over each other, or as long as the video;
    where no corner can be followed for so long, they are shorter, down to 8 frames.

    Args:
        video: 8 frames or more.
        points: corners that are followed in a window.

    Raises:
        InputError: too few frames, or nothing that could be followed.
    """
    if len(video) < _SHORTEST:
        raise InputError(f"a spectrum of motion needs {_SHORTEST} frames or more, the video has {len(video)}")
    frames, scale = _sized(video.to_tensor())
    window = min(_WINDOW, len(video))
    while window >= _SHORTEST:
        tracks = _tracks(frames, window, points)
        if tracks:
            positions = torch.cat(tracks, dim=1) / scale
            frequencies, power = motion_spectrum(positions, float(video.fps))
            return Spectrum(frequencies, power, positions.shape[1])
        window //= 2
    raise InputError("nothing in the video could be followed from frame to frame; is it a still?")


def _tracks(frames: Tensor, window: int, points: int) -> list[Tensor]:
    """Return the positions (window, N, 2) of the corners that are followed through each window."""
    positions = []
    for start in range(0, len(frames) - window + 1, max(window // 2, 1)):
        piece = frames[start : start + window]
        tracked = track(piece, corners(piece[0], points))
        kept = tracked.visible.all(dim=0)
        if kept.any():
            positions.append(tracked.positions[:, kept])
    return positions


def _sized(frames: Tensor) -> tuple[Tensor, float]:
    """Bring frames to a size that flow works well at; return them and the factor."""
    shorter = min(frames.shape[-2:])
    scale = max(_LEAST / shorter, 1.0) if shorter < _LEAST else min(_MOST / shorter, 1.0)
    if scale == 1:
        return frames, 1.0
    return F.interpolate(frames, scale_factor=scale, mode="bilinear", antialias=scale < 1), scale


def corners(frame: Tensor, count: int, radius: int = 3) -> Tensor:
    """Return up to `count` corners of a picture (C, H, W), (x, y) in px, (N, 2), the strongest first.

    The strength is the smaller eigenvalue of the gradients' covariance in a window of 2 `radius` + 1 px; a corner is
    the strongest in such a window. Shi and Tomasi 1994, section 4.
    """
    grey = frame.mean(dim=0)[None, None]
    dx = (
        F.pad(grey, (1, 1, 0, 0), mode="replicate")[..., 2:]
        - F.pad(grey, (1, 1, 0, 0), mode="replicate")[..., :-2]
    )
    dy = (
        F.pad(grey, (0, 0, 1, 1), mode="replicate")[..., 2:, :]
        - F.pad(grey, (0, 0, 1, 1), mode="replicate")[..., :-2, :]
    )
    side = 2 * radius + 1
    xx, yy, xy = (F.avg_pool2d(p, side, 1, radius) for p in (dx * dx, dy * dy, dx * dy))
    smaller = (xx + yy) / 2 - (((xx - yy) / 2).square() + xy.square()).sqrt()
    peak = (smaller == F.max_pool2d(smaller, side, 1, radius)) & (smaller > 0.01 * smaller.max())
    places = peak[0, 0].nonzero()
    order = smaller[0, 0][places[:, 0], places[:, 1]].argsort(descending=True, stable=True)[:count]
    return places[order].flip(1).float()


def match_spectrum(
    model: FreqMotionGenerator,
    target: Spectrum,
    clock: Clock,
    *,
    seed: int = 0,
    index: int = 0,
    edit: MotionEdit,
    rounds: int = 4,
    most: float = 4.0,
) -> MotionEdit:
    """Return the edit with gains that bring the shares of power in its bands near those of a real video's spectrum.

    The square root of the ratio of shares is the gain that a linear system would need; the network is none, so it is
    done again from what comes out, and the best round is kept.

    Args:
        model: the generator.
        target: of the real video.
        clock: the instants to draw.
        seed, index: which video.
        edit: what else is changed; its bands are the ones that are matched.
        rounds: how often.
        most: largest gain.
    """
    target_shares = _shares(target.bands(edit.bands.edges, model))
    gains = torch.tensor(edit.gains or [1.0] * len(edit.bands), dtype=torch.float64)
    best, least = edit, math.inf
    for number in range(rounds + 1):
        tried = replace(edit, gains=tuple(float(g) for g in gains))
        video = Video.concat(list(draw_edited(model, clock, seed=seed, index=index, edit=tried)))
        shares = _shares(read_spectrum(video).bands(edit.bands.edges, model))
        distance = float((shares - target_shares).abs().sum())
        if distance < least:
            best, least = tried, distance
        if number < rounds:
            gains = (gains * (target_shares / shares.clamp(min=1e-4)).sqrt()).clamp(0.0, most)
    return best


def _shares(power: Tensor) -> Tensor:
    return power / power.sum().clamp(min=1e-12)
