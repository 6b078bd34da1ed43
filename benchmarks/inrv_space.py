"""What samples of an INR-V model are worth: FVD, and how new they are, for each way of drawing codes.

    python benchmarks/inrv_space.py MODEL --data FOLDER [--samples 64] [--methods slerp gaussian mixture prior] [--json]

FVD and KVD are against the training clips, as in the paper, with interval and floor (the same number of real clips
against real clips), by moviola's own I3D and measures. A sample's novelty is its distance to the nearest training clip:
in I3D features (root mean square of the 1024 pooled features, each in standard deviations of the training clips; about
1.4 between unrelated clips) and in pixels (root mean square, levels of 255). A model's drawing of a training clip is a
copy of it by definition; a sample is a near-copy if it lies no farther from a training clip than 95 % of those drawings
do from theirs, and no farther than half the distance (median) of a training clip from its nearest other one. The
first row is of those drawings, the last one of the training clips among themselves: a model whose drawings lie as far
from their clips as other clips do is too blurred for its near-copies to mean anything.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inrv_decoders import draw_clip, rows_of, samples

from moviola.core.video import Video
from moviola.data.sources import open_source
from moviola.data.whole_clips import WholeClips
from moviola.metrics.base import Sample
from moviola.metrics.functional.nearest import nearest_distance
from moviola.metrics.kinds import Metric, build
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.metrics.scoring import Draws, Table
from moviola.models.catalog import load_space
from moviola.models.inrv import InrvModel


class Set:
    """Videos with their I3D features.

    Args:
        videos: of one length and size.
        extract: maps a `Sample` to features.
    """

    def __init__(self, videos: list[Video], extract: Any) -> None:
        self.pixels = np.stack([video.frames for video in videos])
        found = [extract(Sample(video, str(i))) for i, video in enumerate(videos)]
        self.logits, self.pooled = (np.stack([f[name] for f in found]) for name in ("logits", "pooled"))

    def table(self) -> Table:
        """Return what set measures read."""
        count = len(self.logits)
        return Table(self.logits[:, None], tuple(map(str, range(count))), (None,) * count)


def pixel_distances(real: np.ndarray, fake: np.ndarray, among: bool = False) -> np.ndarray:
    """Return each generated clip's root mean square difference from its nearest real one, (M,), levels of 255.

    Args:
        real: uint8 (N, T, H, W, 3).
        fake: uint8 (M, T, H, W, 3).
        among: they are the same clips: each is compared with the others.
    """
    out = []
    for number, clip in enumerate(fake):
        gaps = [
            ((clip.astype(np.float32) - one) ** 2).mean()
            for k, one in enumerate(real)
            if not among or k != number
        ]
        out.append(np.sqrt(min(gaps)))
    return np.array(out)


def feature_distances(real: Set, fake: Set, among: bool = False) -> np.ndarray:
    """Return each generated clip's distance in features from its nearest real one, (M,); `among` as above."""
    if not among:
        return nearest_distance(real.pooled, fake.pooled)
    spread = np.maximum(real.pooled.std(axis=0), 1e-6)
    points = real.pooled / spread
    square = ((points[:, None] - points[None]) ** 2).mean(axis=2)
    np.fill_diagonal(square, np.inf)
    return np.sqrt(square.min(axis=1))


def training_clips(model: InrvModel, data: Path, loop: bool) -> list[Video]:
    """Return the clips of the model's codebook, in its order; those that the data lack are left out."""
    c = model.config
    rate = float(np.median([float(item.info.fps) for item in open_source(data)]))
    table = WholeClips(data, c.height, c.width, c.frames, max(1, round(rate / c.fps)), loop=loop)
    return [Video(table.read(number), c.fps) for _, number in rows_of(model, table.captions)]


def judge(real: Set, fake: Set, metrics: list[Metric], limits: Sequence[float]) -> dict[str, Any]:
    """Return the figures of one set of samples; `limits` of features and of pixels tell near-copies."""
    row: dict[str, Any] = {}
    for metric in metrics:
        s = metric.score(real.table(), fake.table(), Draws())
        row[metric.key] = {
            "value": s.value,
            "low": s.low,
            "high": s.high,
            "floor": s.floor,
            "how": s.floor_how,
        }
    distances = feature_distances(real, fake), pixel_distances(real.pixels, fake.pixels)
    for name, values, limit in zip(("features", "pixels"), distances, limits, strict=True):
        row[name] = {"median": float(np.median(values)), "copies": float((values <= limit).mean())}
    return row


def tell(name: str, row: dict[str, Any]) -> None:
    """Print a row."""
    words = f"{name:22s}"
    for key, digits in (("fvd", 0), ("kvd", 2)):
        s = row.get(key)
        told = (
            f"{s['value']:.{digits}f} ({s['low']:.{digits}f} to {s['high']:.{digits}f}; {s['floor']:.{digits}f})"
            if s
            else ""
        )
        words += f" {told:>30s}"
    for key in ("features", "pixels"):
        copies = f"{100 * row[key]['copies']:.0f} %" if "copies" in row[key] else ""
        words += f" {row[key]['median']:9.3f} {copies:>6s}"
    print(words, flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--methods", nargs="+", default=["slerp", "gaussian", "mixture", "prior"])
    parser.add_argument("--no-loop", dest="loop", action="store_false")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = load_space(given.model)
    if model.prior is None:
        given.methods = [m for m in given.methods if m != "prior"]
    clips = training_clips(model, given.data, given.loop)
    metrics = build(["fvd", "kvd"], Protocol(frames=model.num_frames), "cpu", MetricOptions())
    extract = metrics[0].extractor
    real = Set(clips, extract)
    drawn = Set(
        [Video(draw_clip(model, code[None]), model.fps) for code in model.codes[: len(clips)]], extract
    )
    among = feature_distances(real, real, among=True), pixel_distances(real.pixels, real.pixels, among=True)
    own = feature_distances(real, drawn), pixel_distances(real.pixels, drawn.pixels)
    limits = [
        min(float(np.percentile(a, 95)), float(np.median(b)) / 2) for a, b in zip(own, among, strict=True)
    ]
    counts = f"{len(clips)} training clips, {given.samples} samples"
    print(f"{counts}; near-copies within {limits[0]:.3f} and {limits[1]:.2f}")
    print(
        f"{'codes':22s} {'FVD (interval; floor)':>30s} {'KVD (interval; floor)':>30s}  features copies    pixels copies"
    )
    rows = {"training codes": judge(real, drawn, metrics, limits)}
    tell("training codes", rows["training codes"])
    for method in given.methods:
        rows[method] = judge(real, Set(samples(model, given.samples, method), extract), metrics, limits)
        tell(method, rows[method])
    apart = {k: {"median": float(np.median(v))} for k, v in zip(("features", "pixels"), among, strict=True)}
    tell("training clips apart", apart)
    if given.json:
        given.json.write_text(json.dumps({**rows, "apart": apart}, indent=1))


if __name__ == "__main__":
    main()
