"""What refining gains: python benchmarks/regis_gain.py PAIRS --models DIR --iterations 1,2,4,8 --work WORK

PAIRS is what `moviola data pairs ... --held-out` wrote. Half of its pairs give the generated clips, the other half the
real ones, so that no real clip shows what a generated one should have shown. The sets of clips: as generated; after I
passes of each model (none without --models); after one pass of the first model taken twice as far, instead of a second
one; after a Gaussian blur, a median over time and an unsharp mask; and the true clips of the same captions, which no
refiner can be expected to pass.

For each it prints FVD with its interval, what was gained against the generated clips with the interval of that
*difference* (the same resampled clips on both sides), and what must not be lost: SSIM to what went in, motion,
flicker, sharpness. FVD needs the i3d weights; `--features fvmd-lk` needs none. Clips and features are kept in WORK.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.corrupt import blur
from moviola.data.sources import open_source
from moviola.metrics.base import Sample
from moviola.metrics.functional.bootstrap import interval
from moviola.metrics.functional.floor import real_floor
from moviola.metrics.functional.paired import ssim
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import flicker
from moviola.metrics.measures import FrechetMeasure
from moviola.metrics.temporal import FlowExtractor
from moviola.models.catalog import load_refiner
from moviola.pipelines.refine import refine

DRAWS = 400
MOTION_CLIPS = 48
Clips = list[Video]


class Bench:
    """Clips, features and figures by name of the set, kept on disk.

    Args:
        pairs: folder of pairs. work: where results are kept. clips: at most so many on each side. features: "i3d" or
            "fvmd-lk". text: tell refiners the captions.
    """

    def __init__(self, pairs: Path, work: Path, clips: int, features: str, text: bool) -> None:
        self.work, self.features, self.text = work, features, text
        work.mkdir(parents=True, exist_ok=True)
        sources = {side: open_source(pairs / side) for side in ("real", "generated")}
        order = sorted(range(len(sources["real"])), key=lambda i: Path(sources["real"].names[i]).stem)
        count = min(clips, len(order) // 2)
        fake, real = order[:count], order[-count:]
        self.sets: dict[str, Clips] = {
            "real": [sources["real"].read(i) for i in real],
            "generated": [sources["generated"].read(i) for i in fake],
        }
        self.truth = [sources["real"].read(i) for i in fake]
        self.captions = [sources["generated"][i].caption or "" for i in fake]
        self.labels = {
            "real": [sources["real"][i].label or "" for i in real],
            "generated": [sources["generated"][i].label or "" for i in fake],
        }
        self._extractor: Any = None

    def make(self, name: str, change: Callable[[int], Video]) -> Clips:
        """Return the clips of set `name`, made one by one unless they are kept."""
        path = self.work / f"{name}.npy"
        base = self.sets["generated"]
        if not path.exists():
            made = np.stack([change(i).frames for i in range(len(base))])
            np.save(path, made)
        self.sets[name] = [Video(frames, base[0].fps) for frames in np.load(path)]
        return self.sets[name]

    def refined(self, model: str, passes: list[int]) -> Clips:
        """Make the sets "MODEL I=n", each from the one before; return the last."""
        network = load_refiner(model)
        said = self.captions if self.text and network.config.text else [None] * len(self.captions)  # type: ignore[attr-defined]
        done, now = 0, self.sets["generated"]
        for count in passes:
            more, start = count - done, now
            now = self.make(
                f"{Path(model).name} I={count}",
                lambda i, start=start, more=more: refine(start[i], network, more, text=said[i] or None),
            )
            done = count
        return now

    def far_pass(self, model: str) -> None:
        """Make the set "MODEL, one pass twice as far": twice the change of the first pass, and no second."""
        base, once = self.sets["generated"], self.refined(model, [1])
        steps = (2 * one.frames.astype(np.int16) - was.frames for one, was in zip(once, base, strict=True))
        made = [np.clip(frames, 0, 255).astype(np.uint8) for frames in steps]
        self.make(f"{Path(model).name}, one pass twice as far", lambda i: Video(made[i], base[i].fps))

    def rows(self, name: str) -> np.ndarray:
        """Return the features of a set, (N, d)."""
        path = self.work / f"{name}.{self.features}.npy"
        if not path.exists():
            print(f"  features of {name} ...", flush=True)
            np.save(path, np.stack([self._look(video) for video in self.sets[name]]))
        return np.load(path)

    def _look(self, video: Video) -> np.ndarray:
        if self._extractor is None:
            self._extractor = _extractor(self.features)
        output = "logits" if self.features == "i3d" else "histograms"
        return self._extractor(Sample(video, "clip"))[output]

    def figures(self, name: str) -> dict[str, float]:
        """Return what must not be lost."""
        clips, base = self.sets[name], self.sets["generated"]
        flow = FlowExtractor()
        some = range(0, len(clips), max(1, len(clips) // MOTION_CLIPS))
        seen = [flow(Sample(clips[i], "clip")) for i in some]
        found = {
            "sharpness": float(np.mean([gradient_energy(v.frames) for v in clips])),
            "flicker": float(np.mean([flicker(v.frames) for v in clips])),
            "motion": float(np.mean([float(s["motion"]) for s in seen])),
            "warp error": float(np.mean([float(s["warp-error"]) for s in seen])),
        }
        if name != "real":
            found["ssim to input"] = _mean_ssim(base, clips)
            found["psnr to truth"] = _psnr(self.truth, clips)
        return found


def _extractor(features: str) -> Any:
    if features == "i3d":
        from moviola.metrics.i3d import I3DExtractor

        return I3DExtractor.load("cpu", "regis_gain")
    from moviola.metrics.fvmd import MotionExtractor

    return MotionExtractor()


def _mean_ssim(one: Clips, two: Clips) -> float:
    return float(np.mean([ssim(a.frames, b.frames).mean() for a, b in zip(one, two, strict=True)]))


def _psnr(one: Clips, two: Clips) -> float:
    errors = [((a.frames.astype(np.float64) - b.frames) ** 2).mean() for a, b in zip(one, two, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9))))


def temporal_median(video: Video) -> Video:
    """Return the video with every value the median of itself and its neighbours in time."""
    wide = np.concatenate([video.frames[:1], video.frames, video.frames[-1:]])
    middle = np.median(np.stack([wide[:-2], wide[1:-1], wide[2:]]), axis=0)
    return Video(middle.astype(np.uint8), video.fps)


def unsharp(video: Video, amount: float = 0.5, sigma: float = 0.8) -> Video:
    """Return the video plus `amount` of its difference from its Gaussian blur of `sigma` px."""
    frames, smooth = (v.frames.astype(np.float32) for v in (video, blur(video, sigma)))
    return Video((frames + amount * (frames - smooth)).round().clip(0, 255).astype(np.uint8), video.fps)


def scores(bench: Bench, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return FVD, its interval, the gain over the generated clips, and the interval of the gain."""
    measure: Any = FrechetMeasure()
    real = bench.rows("real")[:, None]
    seed = lambda: numpy_generator(0, "regis_gain")  # noqa: E731 - the same draws for every set
    draws, found = {}, {}
    for name in names:
        rows = bench.rows(name)[:, None]
        value = measure.score(real, rows)
        draws[name] = measure.resample(real, rows, DRAWS, seed())
        low, high = interval(value, draws[name], lowest=0.0)
        base = found.get("generated", {"value": value})["value"]
        gain = interval(base - value, draws["generated"] - draws[name])
        found[name] = {
            "value": value, "low": low, "high": high,
            "gain %": 100 * (base - value) / base,
            "gain low %": 100 * gain[0] / base, "gain high %": 100 * gain[1] / base,
        }  # fmt: skip
    floor, how = real_floor(measure, real, len(real), len(real), seed())
    print(f"floor {floor:.1f} ({how}), N = {len(real)} + {len(real)}")
    return found


def by_class(bench: Bench, names: list[str]) -> dict[str, dict[str, float]]:
    """Return label to set to distance, for labels with 8 clips and more on both sides."""
    measure, distances = FrechetMeasure(), {}
    labels = {side: np.array(values) for side, values in bench.labels.items()}
    for label in sorted(set(labels["real"]) & set(labels["generated"])):
        real, fake = (labels[side] == label for side in ("real", "generated"))
        if min(real.sum(), fake.sum()) >= 8:
            distances[label] = {
                name: measure.score(bench.rows("real")[real][:, None], bench.rows(name)[fake][:, None])
                for name in names
            }
    return distances


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--models", default="", help="folders of refiners, comma-separated")
    parser.add_argument("--iterations", default="1,2,4,8")
    parser.add_argument("--clips", type=int, default=192)
    parser.add_argument("--features", choices=["i3d", "fvmd-lk"], default="i3d")
    parser.add_argument("--no-text", action="store_true", help="do not tell refiners the captions")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    bench = Bench(a.pairs, a.work, a.clips, a.features, not a.no_text)
    generated = bench.sets["generated"]
    passes = [int(n) for n in a.iterations.split(",")]
    models = [model for model in a.models.split(",") if model]
    for model in models:
        bench.refined(model, passes)
    if not a.no_baselines:
        for model in models[:1]:
            bench.far_pass(model)
        bench.make("gaussian blur, 0.6 px", lambda i: blur(generated[i], 0.6))
        bench.make("median of 3 frames", lambda i: temporal_median(generated[i]))
        bench.make("unsharp mask, 0.5 of 0.8 px", lambda i: unsharp(generated[i]))
        bench.make("true clips of the same captions", lambda i: bench.truth[i])
    names = [name for name in bench.sets if name != "real"]
    found = scores(bench, names)
    for name in ["real", *names]:
        row = {**found.get(name, {}), **bench.figures(name)}
        found[name] = row
        print(f"{name:32s} " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    classes = by_class(bench, names)
    for label, row in classes.items():
        print(f"{label:32s} " + "  ".join(f"{name} {value:.1f}" for name, value in row.items()))
    print(json.dumps({"scores": found, "classes": classes}))


if __name__ == "__main__":
    main()
