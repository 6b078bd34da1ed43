"""Flicker of filter painters: every frame painted by itself, against key frames and propagation.

    python benchmarks/filter_flicker.py CLIP [MORE ...] [--painters watercolor,oil] [--interval 10] [--frames 21]

Claim: on static-camera clips the warp error is at least 2x lower at equal sharpness. Warp error (x 10^4, Lai et
al.'s, with flow and occlusion of the *plain* video) is the mean over neighbouring painted frames; sharpness is the mean
squared gradient. "At equal sharpness" compares with per-frame paint too, blurred just as much as makes it as sharp as
ours (not at all where ours is the sharper), for a blur alone lowers the warp error. Ratios are per-frame paint's error
over ours.

The error is printed by two rulers. Lai et al. bring a frame onto the next by bilinear interpolation, which blurs: thin
lines that move by part of a pixel, and do nothing else, have an error by it ("lines": the first painted frame, moved by
0.25 and 0.1 px). By bicubic interpolation that is several times less, so it tells more of the video.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
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
from moviola.nn.warp import Kernel
from moviola.propagation.flow import FlowFunction, estimator, warp
from moviola.propagation.propagate import PropagationConfig, propagate

Flows = list[tuple[torch.Tensor, torch.Tensor]]


def plain(path: Path, count: int, side: int) -> np.ndarray:
    """Frames from the middle of a clip, the longer side at most `side` px."""
    length = codec.probe(path).frames
    start = max(0, (length - count) // 2)
    video = codec.read(path, start, min(length, start + count))
    longest = max(video.height, video.width)
    if longest > side:
        video = video.resize(round(video.height * side / longest), round(video.width * side / longest))
    return video.frames


def flows_of(frames: np.ndarray, flow: FlowFunction) -> Flows:
    def tensor(a: np.ndarray, b: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(flow(a, b)).permute(2, 0, 1)[None]

    return [(tensor(a, b), tensor(b, a)) for a, b in pairwise(frames)]


def steadiness(frames: np.ndarray, flows: Flows, ruler: Kernel) -> float:
    tensors = Video(frames, 25).to_tensor()
    pairs = ((tensors[i : i + 1], tensors[i + 1 : i + 2], *flow) for i, flow in enumerate(flows))
    return 1e4 * float(np.mean([float(warp_error(*pair, ruler)[0]) for pair in pairs]))


def own_error(frame: np.ndarray, ruler: Kernel) -> float:
    """What a ruler finds between a frame and the same frame moved by part of a pixel."""
    flow = np.tile(np.float32([0.25, 0.1]), (*frame.shape[:2], 1))
    moved = np.rint(warp(frame.astype(np.float32), flow, "bicubic").clip(0, 255)).astype(np.uint8)
    there = torch.from_numpy(-flow).permute(2, 0, 1)[None]
    return steadiness(np.stack([frame, moved]), [(there, -there)], ruler)


def propagated(
    frames: np.ndarray, painter: str, interval: int, config: PropagationConfig, flow: FlowFunction
) -> np.ndarray:
    """Paint every `interval`-th frame and carry the paint; the rest after the last key is a tail."""
    out: list[np.ndarray] = []
    for start in range(0, len(frames), interval):
        piece = frames[start : start + interval + 1]
        last = paint(piece[-1], painter) if len(piece) > interval else None
        own = partial(paint, name=painter)
        made = propagate(piece, own(piece[0]), last, config, flow=flow, own=own)
        out += list(made)[:interval]
    return np.stack(out)


def as_sharp_as(frames: np.ndarray, wanted: float) -> np.ndarray:
    """Frames, blurred until their gradient energy is `wanted`; as they are where they have no more than that."""
    if gradient_energy(frames) <= wanted:
        return frames
    low, high = 0.0, 5.0
    for _ in range(12):
        sigma = (low + high) / 2
        blurred = np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in frames])
        low, high = (sigma, high) if gradient_energy(blurred) > wanted else (low, sigma)
    return np.stack([cv2.GaussianBlur(f, (0, 0), low) for f in frames])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--painters", default=",".join(FILTERS))
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--frames", type=int, default=21)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--set", default="{}", help="settings of PropagationConfig as JSON")
    given = parser.parse_args()
    flow, config = estimator("dis"), PropagationConfig.make(json.loads(given.set))
    ratios: dict[Kernel, list[float]] = {"bilinear": [], "bicubic": []}
    for path in given.clips:
        frames = plain(path, given.frames, given.side)
        flows = flows_of(frames, flow)
        print(f"{path.stem}: {len(frames)} frames of {frames.shape[2]}x{frames.shape[1]}", flush=True)
        for painter in given.painters.split(","):
            alone = np.stack([paint(frame, painter) for frame in frames])
            ours = propagated(frames, painter, given.interval, config, flow)
            sharp = gradient_energy(ours)
            judged = (alone, as_sharp_as(alone, sharp), ours)
            for ruler, found in ratios.items():
                errors = [steadiness(x, flows, ruler) for x in judged]
                found.append(errors[1] / errors[2])
                print(
                    f"  {painter:10s} {ruler:8s} per frame {errors[0]:8.2f}  at equal sharpness {errors[1]:8.2f}"
                    f"  ours {errors[2]:8.2f}  ratio {errors[0] / errors[2]:5.2f}, {found[-1]:5.2f}"
                    f"  sharpness {sharp / gradient_energy(alone):.2f}  lines {own_error(alone[0], ruler):.2f}",
                    flush=True,
                )
    for ruler, found in ratios.items():
        enough = sum(ratio >= 2 for ratio in found)
        print(
            f"at equal sharpness, {ruler}: least {min(found):.2f}x, median {np.median(found):.2f}x lower, "
            f"at least 2x in {enough} of {len(found)}"
        )


if __name__ == "__main__":
    main()
