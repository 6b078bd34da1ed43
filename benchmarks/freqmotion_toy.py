"""What editing, speeds and long videos of a model trained on the toy `sinusoid` are worth.

    python benchmarks/freqmotion_toy.py MODEL [--clips 64] [--frames 128] [--json]

The tracker knows nothing of the model: for each column it takes the centroid of what is bright there, by NumPy.

Editing: a band is removed, and in each column that moves at that band's frequency in the unedited video the power of
the motion at that frequency (one bin each side) is compared: at least 10 dB lower; in columns that move at another
frequency, within 1 dB. A band is given another code, and the trajectories of columns of other bands are correlated with
the unedited ones: at least 0.95. The leakage matrix holds 1 - correlation: band that was altered by band of the column.
Speeds: each column's median step, assigned to the nearest speed of the toy (within a factor of 1.35); entropy of
the shares over that of the toy's clips, at least 80 %; one-directionality, |sum of steps| over sum of |steps|.
Long videos: range of the motion and brightness in the fourth quarter over those in the first; the loop's seam over
the largest other step; frames at grid times of a video at four times the rate against the plain video.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

import numpy as np

from moviola.core.video import Video
from moviola.data.toys import sinusoid
from moviola.models.catalog import load_banded
from moviola.models.freqmotion import FreqMotionGenerator
from moviola.pipelines.edit.clock import make_clock
from moviola.pipelines.edit.motion import MotionEdit, default_bands, draw_edited


def track(frames: np.ndarray, columns: int) -> np.ndarray:
    """Return the centroid of each column, (columns, T), px; NaN where a column is dark."""
    side = frames.shape[1]
    value, paths = frames.max(axis=-1).astype(float), []
    for column in range(columns):
        centre, half = side * (column + 1) / (columns + 1), side / (2 * (columns + 1))
        strip = value[:, :, int(centre - half) : int(centre + half)].max(axis=-1)
        top = strip.max(axis=1, keepdims=True)
        weight = np.clip(strip - 0.5 * top, 0, None)
        path = (weight * (np.arange(side) + 0.5)).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
        path[top[:, 0] < 50] = np.nan
        paths.append(path)
    return np.array(paths)


def power_at(path: np.ndarray, omega: float, step: float) -> float:
    """Return the power of a path at an angular frequency (and one bin each side), px^2."""
    filled = np.where(np.isnan(path), np.nanmean(path) if np.isfinite(path).any() else 0.0, path)
    window = np.hanning(len(filled))
    spectrum = np.abs(np.fft.rfft((filled - filled.mean()) * window)) ** 2 / (window**2).sum()
    centre = round(omega * step * len(filled) / (2 * np.pi))
    return float(spectrum[max(centre - 1, 1) : centre + 2].sum()) + 1e-12


def draw(
    model: FreqMotionGenerator, frames: int, seed: int, edit: MotionEdit | None = None, **clock: Any
) -> Video:
    return Video.concat(
        list(draw_edited(model, make_clock(model, frames=frames, **clock), seed=seed, edit=edit))
    )


def speeds(paths: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Return the mode of each path (..., T), -1 for none."""
    step = np.nanmedian(np.abs(np.diff(paths, axis=-1)), axis=-1)
    distance = np.abs(np.log(np.maximum(step, 1e-6))[..., None] - np.log(modes))
    nearest = distance.argmin(axis=-1)
    return np.where(distance.min(axis=-1) <= np.log(1.35), nearest, -1)


def entropy(labels: np.ndarray, modes: int) -> float:
    """Return the entropy of the shares of modes among all paths; paths of no mode count as lost."""
    shares = np.array([(labels == k).mean() for k in range(modes)])
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def one_way(paths: np.ndarray) -> float:
    steps = np.diff(paths, axis=-1)
    return float(np.nanmean(np.abs(np.nansum(steps, axis=-1)) / np.nansum(np.abs(steps), axis=-1)))


def editing(
    model: FreqMotionGenerator, plain: list[np.ndarray], given: Any, config: sinusoid.Config
) -> dict[str, Any]:
    """Measure removal and alteration of each band."""
    bands, step = default_bands(model), model.config.clock_step
    omegas = [config.omega(v) for v in config.speeds]
    own = [
        [int(np.argmax([power_at(path, w, step) for w in omegas])) for path in paths] for paths in plain
    ]  # band that each column moves at
    removed: list[list[float]] = [[] for _ in omegas]
    spared: list[list[float]] = [[] for _ in omegas]
    leak = [[[] for _ in omegas] for _ in omegas]
    for seed, paths in enumerate(plain):
        for band in range(len(bands)):
            without = track(
                draw(model, given.frames, seed, MotionEdit(bands).without(band)).frames, config.columns
            )
            codes = tuple(seed + 100_000 if k == band else None for k in range(len(bands)))
            altered = track(
                draw(model, given.frames, seed, replace(MotionEdit(bands), codes=codes)).frames,
                config.columns,
            )
            for column, mode in enumerate(own[seed]):
                ratio = power_at(without[column], omegas[mode], step) / power_at(
                    paths[column], omegas[mode], step
                )
                (removed if mode == band else spared)[band].append(10 * np.log10(ratio))
                seen = ~np.isnan(paths[column]) & ~np.isnan(altered[column])
                if seen.sum() > 8:
                    leak[band][mode].append(1 - np.corrcoef(paths[column][seen], altered[column][seen])[0, 1])

    def median(values: list[float]) -> float:
        return round(float(np.median(values)), 3) if values else float("nan")

    return {
        "removed_db": dict(zip(bands.names, map(median, removed), strict=True)),
        "kept_db": dict(zip(bands.names, map(median, spared), strict=True)),
        "leakage": {
            a: {b: median(leak[i][j]) for j, b in enumerate(bands.names)} for i, a in enumerate(bands.names)
        },
    }


def long_videos(model: FreqMotionGenerator, plain: list[Video]) -> dict[str, float]:
    """Measure drift, the loop's seam, and frames at grid times."""
    drift, light, seams, grid = [], [], [], []
    for seed, video in enumerate(plain[:8]):
        frames = video.frames.astype(float)
        quarter = len(frames) // 4
        steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        drift.append(steps[-quarter:].mean() / max(steps[:quarter].mean(), 1e-9))
        light.append(frames[-quarter:].mean() / max(frames[:quarter].mean(), 1e-9))
        loop = draw(model, 48, seed, loop=True).frames.astype(float)
        seams.append(
            np.abs(loop[0] - loop[-1]).mean()
            / max(np.abs(np.diff(loop, axis=0)).mean(axis=(1, 2, 3)).max(), 1e-9)
        )
        dense = draw(model, 64, seed, fps=4 * model.fps).frames
        grid.append(np.abs(dense[::4].astype(int) - video.frames[:16]).max())
    return {
        "change_last_over_first_quarter": round(float(np.median(drift)), 3),
        "brightness_last_over_first_quarter": round(float(np.median(light)), 3),
        "seam_over_largest_step": round(float(np.max(seams)), 3),
        "largest_difference_at_grid_times": float(np.max(grid)),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    model = load_banded(given.model)
    config = sinusoid.Config(size=model.config.size, frames=given.frames)
    modes = np.array([v * config.scale for v in config.speeds])
    videos = [draw(model, given.frames, seed) for seed in range(given.clips)]
    plain = [track(video.frames, config.columns) for video in videos]
    real = [track(sinusoid.make(i, 1, config).video.frames, config.columns) for i in range(given.clips)]
    drawn, true = speeds(np.array(plain), modes), speeds(np.array(real), modes)
    report: dict[str, Any] = {
        "speeds": {
            "drawn": [round(float((drawn == k).mean()), 3) for k in range(len(modes))],
            "toy": [round(float((true == k).mean()), 3) for k in range(len(modes))],
            "entropy_ratio": round(entropy(drawn, len(modes)) / entropy(true, len(modes)), 3),
            "one_way_drawn": round(one_way(np.array(plain)), 3),
            "one_way_toy": round(one_way(np.array(real)), 3),
            "dark": round(float(np.isnan(np.array(plain)).mean()), 3),
        },
        "long": long_videos(model, videos),
        "editing": editing(model, plain[:16], given, config),
    }
    if given.json:
        print(json.dumps(report))
        return
    for part, figures in report.items():
        print(part)
        for name, value in figures.items():
            print(f"  {name:34s} {value}")


if __name__ == "__main__":
    main()
