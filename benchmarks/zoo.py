"""An embedded model on this machine: how long it takes, and where there is data, its clips against real ones.

    python benchmarks/zoo.py sprites PARTS [--clips 64] [--json FILE]
    python benchmarks/zoo.py actions STRIPS --json docs/zoo/actions.json
    python benchmarks/zoo.py freqmotion-toy --json docs/zoo/freqmotion-toy.json

Without data only the seconds are measured, of one thread's processor time, so that other work on the machine does not
count: of 16 frames with the model loaded, the median of five; a refiner makes one pass over 16 frames. With data, clips
of 16 frames are judged by `moviola evaluate`: of sprites, looks that no network was trained on, the generated ones of
other looks than the real ones; of actions, what the seed draws against the strips trained on (those of the one person
held out are too few). FVD needs the weights of I3D and is left out without.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from record import Figure, write_run

import moviola as mv
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.actions import ActionClips
from moviola.data.captioned import SpriteClips
from moviola.data.toys import sprites
from moviola.metrics.results import Score
from moviola.models.catalog import family_of, load
from moviola.nn.pretrained.store import locate
from moviola.pipelines.generate import take
from moviola.pipelines.refine import refine

FRAMES, RUNS = 16, 5
METRICS = ("fvmd-lk", "motion", "flicker")
Pair = tuple[list[Video], list[Video]]


def drawn(model: Any, index: int, prompt: str | None = None) -> Video:
    """Return clip `index` of seed 0."""
    planned = take(model, prompt, seed=0, index=index, frames=FRAMES)
    return Video.concat(list(planned.pieces()))


def seconds(name: str, model: Any) -> Figure:
    """Return the median processor time of one clip, or of one pass over one, after a warm-up."""
    is_refiner = family_of(name).kind == "refiner"
    noise = numpy_generator(0).integers(0, 256, (FRAMES, 64, 64, 3), dtype=np.uint8)
    times = []
    for index in range(RUNS + 1):
        started = time.process_time()
        if is_refiner:
            refine(Video(noise, 8), model, 1)
        else:
            drawn(model, index)
        times.append(time.process_time() - started)
    what = f"one pass over {FRAMES} frames of 64x64" if is_refiner else f"{FRAMES} frames, model loaded"
    return {"name": what, "value": median(times[1:]), "unit": "CPU s", "better": "lower"}


def sprite_sets(model: Any, parts: Path, count: int) -> Pair:
    """Return real and generated clips of held-out looks, each of its own."""
    held, grammar = SpriteClips(parts, held=True), sprites.GRAMMAR
    rows = [sprites.random_slots(numpy_generator(11, i), held=True) for i in range(2 * count)]
    real = [Video(held.of(row).read(np.arange(FRAMES)), 8) for row in rows[:count]]
    return real, [drawn(model, i, grammar.caption(row)) for i, row in enumerate(rows[count:])]


def action_sets(model: Any, strips: Path, count: int) -> Pair:
    """Return pieces of the strips trained on, and what the seed draws."""
    clips, rng = ActionClips(strips), numpy_generator(12)
    real = []
    for _ in range(count):
        clip = clips.draw(rng)
        start = int(rng.integers(max(1, clip.length - FRAMES + 1)))
        index = np.arange(start, start + FRAMES).clip(max=clip.length - 1)
        real.append(Video(clip.read(index), model.fps))
    return real, [drawn(model, i) for i in range(count)]


def figure(score: Score) -> Figure:
    """Return a score as a figure of the page."""
    return {
        "name": score.metric, "value": score.value, "low": score.low, "high": score.high, "floor": score.floor,
        "reference": score.reference, "unit": score.unit, "better": score.better,
    }  # fmt: skip


def main() -> None:
    """Print the figures, and write them with --json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument(
        "--metrics", help="comma-separated; fvd where its weights are, fvmd-lk, motion, flicker"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load(args.model)
    figures, title, words = [seconds(args.model, model)], "speed", f"python benchmarks/zoo.py {args.model}"
    if args.data is not None:
        make, place = {"sprites": (sprite_sets, "PARTS"), "actions": (action_sets, "STRIPS")}[args.model]
        real, fake = make(model, args.data, args.clips)
        known = [*(["fvd"] if locate("i3d")[0] != "missing" else []), *METRICS]
        metrics = args.metrics.split(",") if args.metrics else known
        report = mv.evaluate(real, fake, metrics, device="cpu", cache=False)
        figures += [figure(score) for score in report.scores.values()]
        title = f"speed, and {args.clips} + {args.clips} clips of {FRAMES} frames against real ones"
        words += f" {place} --clips {args.clips}" + (f" --metrics {args.metrics}" if args.metrics else "")
    for one in figures:
        print("  ".join(f"{key} {value}" for key, value in one.items() if value not in (None, "")))
    if args.json is not None:
        write_run(args.json, model=args.model, title=title, command=words, threads=1, figures=figures)


if __name__ == "__main__":
    main()
