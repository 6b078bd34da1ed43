"""What a restyled video looks like beside painting every frame: fast motion, breathing, exposure.

    python benchmarks/restyle_look.py CLIP [MORE ...] [--sections fast,breathing,exposure] [--masks DIR] [--json FILE]

Each clip is restyled with the usual settings (key frames, painters, propagation) by both methods, and compared with the
same painter on every frame. A clip is a video file or a folder of frames. Claims, one a section:

- `fast`       the paint differs from per-frame paint inside the moving figure at most 1.3 times as much as outside it
               (mean absolute difference, levels). The figure is the folder `CLIP_mask` beside a folder of frames, if
               there is one; else what moves by 3 px a frame more than the median of its frame.
- `breathing`  sharpness (gradient energy over that of per-frame paint of the same frame) between keys is at least 0.9:
               at a key it is 1. The least of a frame, and the warp error (x 10^4, bicubic, flow of the plain video),
               which may not be higher than before, are printed beside it.
- `exposure`   the clip times a gain that rises from 0.5 to 1.5 over 40 frames: the mean of no twelfth of the picture
               steps from frame to frame by more than 2 levels beside what per-frame paint does ("step"); `block` is the
               largest difference of a colour mean over a square of 1/12 of the shorter side, against stains.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from moviola.core.video import Video
from moviola.data import codec
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import warp_error
from moviola.models.rerender.filters import FILTERS, paint
from moviola.pipelines.restyle import RestyleConfig
from moviola.pipelines.restyle.by_shot import parts_by_shot
from moviola.pipelines.restyle.run import choose_keys
from moviola.propagation.flow import FlowFunction, estimator
from moviola.propagation.propagate import propagate

SECTIONS = ("fast", "breathing", "exposure")
METHODS = ("warp", "patch")
MOST_FAST, LEAST_SHARP, MOST_STEP = 1.3, 0.9, 2.0
FAST_PX = 3.0
RAMP = 41  # frames of the exposure


def read(path: Path, count: int, side: int) -> np.ndarray:
    """Frames from the middle of a clip, the longer side at most `side` px, uint8 (T, H, W, 3)."""
    length = codec.probe(path).frames
    start = max(0, (length - count) // 2)
    return smaller(codec.read(path, start, min(length, start + count)), side).frames


class Remembered:
    """A flow function that estimates each pair of frames once: painters and methods ask for the same ones."""

    def __init__(self, flow: FlowFunction) -> None:
        self.flow: FlowFunction = flow
        self.known: dict[bytes, np.ndarray] = {}

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        mark = blake2b(first.tobytes() + second.tobytes(), digest_size=16).digest()
        if mark not in self.known:
            self.known[mark] = self.flow(first, second)
        return self.known[mark]


def smaller(video: Video, side: int) -> Video:
    longest = max(video.height, video.width)
    if longest <= side:
        return video
    return video.resize(round(video.height * side / longest), round(video.width * side / longest))


def figure(path: Path, frames: np.ndarray, flow: FlowFunction) -> np.ndarray:
    """Where the moving figure is in each frame, bool (T, H, W)."""
    drawn = path.with_name(path.name + "_mask")
    if drawn.is_dir():
        masks = read(drawn, len(frames), max(frames.shape[1:3]))
        return masks.max(-1) > 127
    found = []
    for i in range(len(frames)):
        motion = flow(frames[i], frames[i - 1] if i else frames[1])
        motion = motion - np.median(motion.reshape(-1, 2), 0)
        found.append(np.hypot(motion[..., 0], motion[..., 1]) > FAST_PX)
    return np.stack(found)


def restyled(
    frames: np.ndarray, painter: str, method: str, flow: FlowFunction
) -> tuple[np.ndarray, list[int]]:
    """Restyle as `moviola.restyle` does; return the frames and the keys."""
    config = RestyleConfig.make({"painter": painter, "propagation": {"method": method}})
    found = choose_keys(Video(frames, 25), config.keys)
    own = partial(paint, name=painter)
    out: list[np.ndarray] = []
    for part in parts_by_shot(found.indices, len(frames), found.cuts):
        piece = frames[part.read.start : part.read.stop]
        first, last = (None if key is None else own(frames[key]) for key in (part.first, part.last))
        made = propagate(piece, first, last, config.carrying(), flow=flow, own=own)
        out += list(made)[: part.stop - part.start]
    return np.stack(out), found.indices


def alone(frames: np.ndarray, painter: str) -> np.ndarray:
    """Paint every frame by itself."""
    return np.stack([paint(frame, painter) for frame in frames])


def fast(path: Path, given: argparse.Namespace, flow: FlowFunction) -> Iterator[tuple[str, bool]]:
    """Compare the error inside the figure with that outside."""
    frames = read(path, given.frames, given.side)
    inside = figure(path, frames, flow)
    for painter in given.painters:
        truth = alone(frames, painter)
        for method in given.methods:
            ours, keys = restyled(frames, painter, method, flow)
            between = [i for i in range(len(frames)) if i not in keys]
            gap = np.abs(ours[between].astype(np.float32) - truth[between]).mean(-1)
            mask = inside[between]
            within, beyond = float(gap[mask].mean()), float(gap[~mask].mean())
            yield (
                f"{painter:10s} {method:6s} inside {within:6.2f}  outside {beyond:6.2f} levels  "
                f"ratio {within / beyond:5.2f}  ({100 * mask.mean():.1f} % of the picture)",
                within <= MOST_FAST * beyond,
            )


def steadiness(frames: np.ndarray, flows: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """The mean warp error of neighbouring frames, x 10^4."""
    tensors = Video(frames, 25).to_tensor()
    pairs = ((tensors[i : i + 1], tensors[i + 1 : i + 2], *flow) for i, flow in enumerate(flows))
    return 1e4 * float(np.mean([float(warp_error(*pair, "bicubic")[0]) for pair in pairs]))


def breathing(path: Path, given: argparse.Namespace, flow: FlowFunction) -> Iterator[tuple[str, bool]]:
    """Compare the sharpness between keys with that of per-frame paint."""
    frames = read(path, given.frames, given.side)

    def tensor(a: np.ndarray, b: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(flow(a, b)).permute(2, 0, 1)[None]

    flows = [(tensor(a, b), tensor(b, a)) for a, b in pairwise(frames)]
    for painter in given.painters:
        truth = alone(frames, painter)
        for method in given.methods:
            ours, keys = restyled(frames, painter, method, flow)
            between = [i for i in range(len(frames)) if i not in keys]
            ratios = [gradient_energy(ours[i : i + 1]) / gradient_energy(truth[i : i + 1]) for i in between]
            yield (
                f"{painter:10s} {method:6s} sharpness {np.mean(ratios):5.3f}, least {min(ratios):5.3f}  "
                f"warp error {steadiness(ours, flows):6.2f}, per frame {steadiness(truth, flows):6.2f}",
                bool(np.mean(ratios) >= LEAST_SHARP),
            )


def exposed(frames: np.ndarray) -> np.ndarray:
    """A clip times a gain that rises from 0.5 to 1.5; a shorter clip runs to and fro."""
    order = np.abs((np.arange(RAMP) + len(frames) - 1) % max(1, 2 * len(frames) - 2) - len(frames) + 1)
    gains = np.linspace(0.5, 1.5, RAMP)
    return np.stack(
        [
            np.rint(frames[i] * gain).clip(0, 255).astype(np.uint8)
            for i, gain in zip(order, gains, strict=True)
        ]
    )


def exposure(path: Path, given: argparse.Namespace, flow: FlowFunction) -> Iterator[tuple[str, bool]]:
    """Look for steps and stains where the light rises."""
    frames = exposed(read(path, RAMP, given.side))
    side = max(1, min(frames.shape[1:3]) // 12)
    for painter in given.painters:
        truth = alone(frames, painter)
        for method in given.methods:
            ours, _ = restyled(frames, painter, method, flow)
            gap = ours.astype(np.float32) - truth
            parts = np.stack([cv2.resize(one, (4, 3), interpolation=cv2.INTER_AREA) for one in gap]).mean(-1)
            blocks = np.abs(np.stack([cv2.blur(one, (side, side)) for one in gap]))
            step = float(np.abs(np.diff(parts, axis=0)).max())
            yield (
                f"{painter:10s} {method:6s} step {step:5.2f} levels  block {blocks.max():6.1f}  "
                f"mean error {np.abs(gap).mean():5.2f}",
                step <= MOST_STEP,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--painters", default=",".join(FILTERS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--json", type=Path, help="write the lines here")
    given = parser.parse_args()
    given.painters, given.methods = given.painters.split(","), given.methods.split(",")
    missed, lines = 0, []
    for section in given.sections.split(","):
        measure = {"fast": fast, "breathing": breathing, "exposure": exposure}[section]
        for path in given.clips:
            for line, met in measure(path, given, Remembered(estimator("dis"))):
                missed += not met
                lines.append(f"{section:9s} {path.stem:24.24s} {line}{'' if met else '  MISSED'}")
                print(lines[-1], flush=True)
    print(f"{len(lines) - missed} of {len(lines)} met")
    if given.json:
        given.json.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
