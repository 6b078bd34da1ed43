"""Every generator with every refiner: python benchmarks/regis_leaderboard.py OUT --models regis-u [--clips 96]

    python benchmarks/regis_leaderboard.py OUT --sprites PARTS --actions STRIPS --smileys FACES --models regis-u,vq

Of each embedded generator whose data are given (digits, icons and freqmotion-toy need none) 2 N clips are drawn beside
2 N real ones that it was not trained on, where there are such. N generated clips are refined 0, 1, 2, 4 and 8 times by
each model and compared with the N real clips that are not their counterparts (`regis_gain.py`, whose figures these
are). OUT keeps clips and features; what was measured goes to docs/leaderboard/GENERATOR.json, and `make leaderboard`
makes the page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import hardware
from regis_gain import Bench, by_class, scores

from moviola.core.atomic import write_atomic
from moviola.core.resample import resize_frames
from moviola.core.video import Video
from moviola.data.sources import open_source
from moviola.data.toys import sinusoid
from moviola.models.catalog import load, load_text_to_video
from moviola.pipelines.pairs import Pair, make_pairs, write_pairs
from moviola.pipelines.sample import sample
from moviola.recipes.base import DataConfig

FRAMES, SEED = 16, 21
PAGE = Path(__file__).resolve().parents[1] / "docs" / "leaderboard"
SHOWN = (
    "value",
    "low",
    "high",
    "gain %",
    "gain low %",
    "gain high %",
    "motion",
    "warp error",
    "flicker",
    "sharpness",
)


@dataclass(frozen=True)
class Generator:
    """An embedded generator.

    Attributes:
        data: the option that names its data; "" where they are drawn.
        pairs: draws 2 N pairs from its name and the data.
        note: what the real clips are.
    """

    data: str
    pairs: Callable[[str, Path | None, int], Iterator[Pair]]
    note: str


def captioned(name: str, data: Path | None, count: int) -> Iterator[Pair]:
    """Pairs of one caption; those of real people begin with the real first frame."""
    clips = DataConfig.make({"kind": name, "path": None if data is None else str(data)}).open(held=True)
    return make_pairs(
        load_text_to_video(name), clips, count, frames=FRAMES, seed=SEED, given=name == "actions"
    )


def waves(name: str, data: Path | None, count: int) -> Iterator[Pair]:
    """The toy `sinusoid` beside what is sampled; they are no counterparts."""
    size = frame_size(name)[0]
    real = (sinusoid.make(k, SEED + 1, sinusoid.Config(frames=FRAMES, size=size)).video for k in range(count))
    return beside(name, real, count)


def faces(name: str, data: Path | None, count: int) -> Iterator[Pair]:
    """Animations, from anywhere in them and at the model's size, beside what is sampled; they are no counterparts."""
    assert data is not None
    source, rng = open_source(data), np.random.default_rng(SEED)
    size = frame_size(name)

    def real() -> Iterator[Video]:
        for k in range(count):
            video = source.read(k % len(source))
            start = int(rng.integers(max(1, len(video) - FRAMES + 1)))
            yield Video(resize_frames(video.frames[start : start + FRAMES], *size), video.fps)

    return beside(name, real(), count)


def frame_size(name: str) -> tuple[int, int]:
    """Return H and W of what a generator draws."""
    video = next(iter(sample(name, num=1, frames=FRAMES, seed=SEED)))
    return video.frames.shape[1], video.frames.shape[2]


def beside(name: str, real: Iterator[Video], count: int) -> Iterator[Pair]:
    """Return real clips beside sampled ones, as pairs without captions."""
    samples = sample(name, num=count, frames=FRAMES, seed=SEED)
    return (Pair("", "", a, b) for a, b in zip(real, samples, strict=True))


GENERATORS: dict[str, Generator] = {
    "sprites": Generator("sprites", captioned, "looks never trained on"),
    "actions": Generator("actions", captioned, "a person never trained on, from real first frames"),
    "digits": Generator("", captioned, "drawn clips of another seed"),
    "icons": Generator("", captioned, "drawn clips of another seed"),
    "freqmotion-toy": Generator("", waves, "drawn clips of another seed"),
    "inrv-smileys": Generator("smileys", faces, "the clips that it was trained on"),
}


def measure(
    name: str, pairs: Path, work: Path, clips: int, models: list[str], passes: list[int]
) -> dict[str, Any]:
    """Return the rows of one generator."""
    bench = Bench(pairs, work, clips, "i3d", True)
    for model in models:
        bench.refined(model, passes)
    names = [key for key in bench.sets if key != "real"]
    distances = scores(bench, names)
    rows = {key: {**distances[key], **bench.figures(key)} for key in names}
    real = bench.figures("real")
    shown_rows = {key: {k: round(v, 4) for k, v in row.items() if k in SHOWN} for key, row in rows.items()}
    return {
        "generator": name,
        "real clips": GENERATORS[name].note,
        "clips": len(bench.sets["generated"]),
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(1),
        "real": {k: round(v, 4) for k, v in real.items()},
        "rows": shown_rows,
        "classes": by_class(bench, names),
    }


def main() -> None:
    """Measure what is asked for, generator by generator."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", default="regis-u", help="names or folders of refiners, comma-separated")
    parser.add_argument("--generators", default=",".join(GENERATORS))
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--iterations", default="1,2,4,8")
    for option in sorted({g.data for g in GENERATORS.values() if g.data}):
        parser.add_argument(f"--{option}", type=Path, help="its real clips")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models, passes = args.models.split(","), [int(n) for n in args.iterations.split(",")]
    for name in args.generators.split(","):
        generator = GENERATORS[name]
        data = getattr(args, generator.data) if generator.data else None
        if generator.data and data is None:
            print(f"{name}: left out, as --{generator.data} is not given")
            continue
        load(name)
        pairs = args.out / name / "pairs"
        if not pairs.exists():
            pairs.parent.mkdir(parents=True, exist_ok=True)
            write_pairs(generator.pairs(name, data, 2 * args.clips), pairs)
        result = measure(name, pairs, args.out / name / "work", args.clips, models, passes)
        PAGE.mkdir(exist_ok=True)
        write_atomic(PAGE / f"{name}.json", (json.dumps(result, indent=1) + "\n").encode())
        for key, row in result["rows"].items():
            print(f"{name:16s} {key:20s} " + "  ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
