"""Refining what a published GAN made: python benchmarks/regis_gan.py CLIPS --model regis-u --iterations 1,2,4

CLIPS is a folder of generated videos that nothing real is at hand to compare with. For each number of passes it
prints, as means over the clips with the 95 % interval of their change from what went in: flicker (of 255), warp error,
sharpness (gradient energy), motion (px a frame), and SSIM to what went in.
--sheet PNG shows some clips before and after.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.sources import open_source
from moviola.metrics.base import Sample
from moviola.metrics.functional.paired import ssim
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import flicker
from moviola.metrics.temporal import FlowExtractor
from moviola.models.catalog import load_refiner
from moviola.pipelines.refine import refine

DRAWS = 1000
SHOWN = 6


def figures(video: Video, before: Video, flow: FlowExtractor) -> dict[str, float]:
    """Return what is measured of one clip."""
    seen = flow(Sample(video, "clip"))
    return {
        "flicker": float(np.mean(flicker(video.frames))),
        "warp error": float(seen["warp-error"]),
        "sharpness": float(np.mean(gradient_energy(video.frames))),
        "motion": float(seen["motion"]),
        "ssim to input": float(np.mean(ssim(before.frames, video.frames))),
    }


def change(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Return the relative change of the mean in %, and its bootstrap interval."""
    rng = numpy_generator(0, "regis_gan")
    picks = rng.integers(0, len(before), (DRAWS, len(before)))
    ratio = 100 * (after[picks].mean(1) / before[picks].mean(1) - 1)
    low, high = np.quantile(ratio, [0.025, 0.975])
    return 100 * (after.mean() / before.mean() - 1), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path)
    parser.add_argument("--model", default="regis-u")
    parser.add_argument("--iterations", default="1,2,4")
    parser.add_argument("--size", default="tile", help="tile, resize or whole")
    parser.add_argument("--limit", type=int, default=None, help="at most so many clips")
    parser.add_argument("--sheet", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    source, network, flow = open_source(a.clips), load_refiner(a.model), FlowExtractor()
    clips = [source.read(i) for i in range(min(len(source), a.limit or len(source)))]
    sets, done, now = {0: clips}, 0, clips
    for count in sorted(int(n) for n in a.iterations.split(",")):
        now = [refine(video, network, count - done, size=a.size) for video in now]
        sets[count], done = now, count
    found = {
        count: [figures(v, b, flow) for v, b in zip(some, clips, strict=True)] for count, some in sets.items()
    }
    print(f"{len(clips)} clips of {a.clips.name}, {clips[0].width}x{clips[0].height}, {len(clips[0])} frames")
    for name in found[0][0]:
        columns = {count: np.array([f[name] for f in rows]) for count, rows in found.items()}
        for count, values in columns.items():
            line = f"{name:14s} I={count}  {values.mean():9.4g}"
            if count and name != "ssim to input":
                line += "  {:+.1f} % ({:+.1f} to {:+.1f})".format(*change(columns[0], values))
            print(line)
    if a.sheet is not None:
        save_sheet(sets, a.sheet)


def save_sheet(sets: dict[int, list[Video]], path: Path) -> None:
    """Write rows of frames: each clip as it was, and below after the most passes."""
    from PIL import Image

    last = max(sets)
    step = max(1, len(sets[0]) // SHOWN)
    rows = []
    for i in range(0, len(sets[0]), step)[:SHOWN]:
        for count in (0, last):
            rows.append(np.concatenate(list(sets[count][i].frames[::2][:8]), axis=1))
    Image.fromarray(np.concatenate(rows)).save(path)


if __name__ == "__main__":
    main()
