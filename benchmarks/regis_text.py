"""Whether a refiner reads: python benchmarks/regis_text.py PAIRS --model NAME [--clips 96] [--strength 0.8]

PAIRS is what `moviola data pairs ... --held-out` wrote. Two kinds of clips are refined once, with their own caption,
with that of another clip and with none: the generated clips, and the real ones with colours taken away or swapped (the
corruption `colours`), which only the caption can tell. Printed is PSNR to the real clip of the own caption (dB, peak
255, of the mean squared error of each clip, then the mean over clips), and the gain of the own caption over each other
one with the 95 % interval over clips (bootstrap).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.corrupt import find_corruption
from moviola.data.sources import open_source
from moviola.metrics.functional.paired import psnr_of
from moviola.models.catalog import load_refiner
from moviola.pipelines.refine import refine

DRAWS = 1000
KINDS = ("right", "wrong", "none")


def others(captions: list[str]) -> list[str]:
    """Return for each caption that of a clip half the set away, or the next one that differs."""
    count = len(captions)
    result = []
    for k, caption in enumerate(captions):
        order = [captions[(k + count // 2 + j) % count] for j in range(count)]
        result.append(next((other for other in order if other != caption), caption))
    return result


def psnr(video: Video, truth: Video) -> float:
    """Return the PSNR of a clip, dB."""
    return psnr_of(float(np.mean((video.frames.astype(np.float64) - truth.frames) ** 2)))


def gain(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Return the mean difference of two figures a clip, with its interval over resampled clips."""
    difference = first - second
    rng = numpy_generator(0, "interval")
    means = difference[rng.integers(len(difference), size=(DRAWS, len(difference)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(difference.mean()), "low": float(low), "high": float(high)}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--model", default="regis-u")
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--strength", type=float, default=0.8)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    real, fake = (open_source(args.pairs / side) for side in ("real", "generated"))
    keys = sorted(range(len(real)), key=lambda i: Path(real.names[i]).stem)[: args.clips]
    twin = {Path(name).stem: i for i, name in enumerate(fake.names)}
    truths = [real.read(i) for i in keys]
    captions = [real[i].caption or "" for i in keys]
    model, colours = load_refiner(args.model), find_corruption("colours")
    inputs = {
        "generated": [fake.read(twin[Path(real.names[i]).stem]) for i in keys],
        "colours": [
            Video(colours.apply(t.frames, args.strength, numpy_generator(0, "colours", k))[0], t.fps)
            for k, t in enumerate(truths)
        ],
    }
    report: dict[str, object] = {"model": args.model, "clips": len(keys), "strength": args.strength}
    for name, clips in inputs.items():
        texts = {"right": captions, "wrong": others(captions), "none": [""] * len(captions)}
        scores = {
            kind: np.array(
                [
                    psnr(refine(clip, model=model, iterations=1, text=text or None), truth)
                    for clip, text, truth in zip(clips, texts[kind], truths, strict=True)
                ]
            )
            for kind in KINDS
        }
        before = float(np.mean([psnr(clip, truth) for clip, truth in zip(clips, truths, strict=True)]))
        figures = {kind: float(values.mean()) for kind, values in scores.items()}
        gains = {kind: gain(scores["right"], scores[kind]) for kind in KINDS[1:]}
        report[name] = {"input": before, **figures, "gain over": gains}
        print(f"{name:10s} input {before:6.2f}  " + "  ".join(f"{k} {v:6.2f}" for k, v in figures.items()))
        for kind, g in gains.items():
            print(
                f"{'':10s} right over {kind}: {g['value']:+.2f} dB ({g['low']:+.2f} to {g['high']:+.2f})",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
