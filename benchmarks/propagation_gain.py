"""Propagation against plain flow warping and against a cross-fade: a real video rebuilt from its own key frames.

    python benchmarks/propagation_gain.py CLIP [MORE ...] [--interval 10] [--intervals 2] [--side 512] [--json FILE]

Claim: at interval 10 ours ("patch", and the fast "warp") has a higher PSNR and a lower warp error than both, on every
clip. Every method gets the true key frames and the plain frames between, and all use the same flow (DIS):

- `fade`     cross-fade of the two keys by time ("linear")
- `flow`     the nearer key, warped along the flow estimated straight to it
- `flow x2`  both keys, each warped along the flow straight to it, cross-faded by time: a stronger baseline
- `warp`     ours without patch synthesis
- `patch`    ours

PSNR (dB) is of the mean squared error over all frames between keys; SSIM their mean. The warp error (x 10^4) is Lai et
al.'s, between neighbouring rebuilt frames, keys included, with flow and occlusion of the *true* video, so that a ghost
that stays put is an error where the scene moves; "true" is what the true video scores. CPU seconds a frame are the
process's own, so that a busy machine does not change them. A clip is a video file or a folder of frames.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from moviola.core.video import Video
from moviola.data import codec
from moviola.metrics.functional.paired import clip_psnr, ssim
from moviola.metrics.functional.temporal import warp_error
from moviola.propagation.flow import FlowFunction, estimator, warp
from moviola.propagation.propagate import PropagationConfig, cross_fade, propagate

METHODS = ("fade", "flow", "flow x2", "warp", "patch")
OURS = ("warp", "patch")
RIVALS = (("fade", "flow"), ("fade", "flow", "flow x2"))  # the claim; and beyond it


def read(path: Path, interval: int, intervals: int, side: int) -> np.ndarray:
    """Frames from the middle of a clip, whole intervals of them, the longer side at most `side` px."""
    length = codec.probe(path).frames
    count = min(intervals * interval + 1, (length - 1) // interval * interval + 1)
    start = (length - count) // 2
    video = codec.read(path, start, start + count)
    longest = max(video.height, video.width)
    if longest > side:
        video = video.resize(round(video.height * side / longest), round(video.width * side / longest))
    return video.frames


def plain_flow(frames: np.ndarray, flow: FlowFunction, both: bool) -> Iterator[np.ndarray]:
    """Plain warping of the nearer key, or of both, cross-faded."""
    last = len(frames) - 1
    for i, frame in enumerate(frames):
        keys = [frames[0], frames[-1]]
        shares = [1 - i / last, i / last]
        if both:
            one, two = (warp(key, flow(frame, key)) for key in keys)
            yield cross_fade(one, two, shares[0])
        else:
            key = keys[shares[1] > shares[0]]
            yield warp(key, flow(frame, key)) if 0 < i < last else frame


def rebuild(frames: np.ndarray, method: str, interval: int, flow: FlowFunction, settings: dict) -> np.ndarray:
    """Every interval from its keys; keys as they are."""
    out = frames.copy()
    for start in range(0, len(frames) - 1, interval):
        piece = frames[start : start + interval + 1]
        if method.startswith("flow"):
            found = plain_flow(piece, flow, both=method.endswith("x2"))
        else:
            name = {"fade": "linear"}.get(method, method)
            config = PropagationConfig.make({**settings, "method": name})
            found = propagate(piece, piece[0], piece[-1], config, flow=flow)
        for i, frame in enumerate(found):
            if 0 < i < interval:
                out[start + i] = frame
    return out


def true_flows(frames: np.ndarray, flow: FlowFunction) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Flow there and back between neighbours of the true video, (1, 2, H, W) each."""

    def tensor(a: np.ndarray, b: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(flow(a, b)).permute(2, 0, 1)[None]

    return [(tensor(a, b), tensor(b, a)) for a, b in pairwise(frames)]


def steadiness(frames: np.ndarray, flows: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Mean warp error x 10^4."""
    tensors = Video(frames, 25).to_tensor()
    errors = [
        float(warp_error(tensors[i : i + 1], tensors[i + 1 : i + 2], there, back)[0])
        for i, (there, back) in enumerate(flows)
    ]
    return 1e4 * float(np.mean(errors))


def measure(path: Path, given: argparse.Namespace, flow: FlowFunction) -> dict[str, dict[str, float]]:
    """Figures of every method on one clip."""
    frames = read(path, given.interval, given.intervals, given.side)
    flows = true_flows(frames, flow)
    between = [i for i in range(len(frames)) if i % given.interval]
    found = {"true": {"warp error": steadiness(frames, flows)}}
    print(f"{path.stem}: {len(frames)} frames {frames.shape[2]}x{frames.shape[1]}", flush=True)
    for method in given.methods.split(","):
        clock, cpu = time.perf_counter(), time.process_time()
        out = rebuild(frames, method, given.interval, flow, json.loads(given.set))
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        found[method] = {
            "psnr": clip_psnr(out[between], frames[between]),
            "ssim": float(ssim(out[between], frames[between]).mean()),
            "warp error": steadiness(out, flows),
            "cpu s": cpu / len(between),
            "wall s": clock / len(between),
        }
        print(f"  {method:8s}" + "  ".join(f"{k} {v:.4g}" for k, v in found[method].items()), flush=True)
    print(f"  true    warp error {found['true']['warp error']:.4g}", flush=True)
    return found


def verdict(results: dict[str, dict[str, dict[str, float]]]) -> None:
    """Say on how many clips ours beats every rival, and by how much at least."""
    for ours in OURS:
        done = [rows for rows in results.values() if ours in rows]
        for rivals in RIVALS if done else ():
            gains = [rows[ours]["psnr"] - max(rows[r]["psnr"] for r in rivals if r in rows) for rows in done]
            ratios = [
                min(rows[r]["warp error"] for r in rivals if r in rows) / rows[ours]["warp error"]
                for rows in done
            ]
            print(
                f"{ours} against {', '.join(rivals)}, {len(gains)} clips: "
                f"PSNR higher on {sum(g > 0 for g in gains)}, by {min(gains):.2f} to {max(gains):.2f} dB; "
                f"warp error lower on {sum(r > 1 for r in ratios)}, "
                f"{min(ratios):.2f} to {max(ratios):.2f} times"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument(
        "--intervals", type=int, default=2, help="at most so many from the middle of each clip"
    )
    parser.add_argument("--side", type=int, default=512, help="longer side, px, at most")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--set", default="{}", help="settings of PropagationConfig as JSON")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    flow = estimator("dis")
    results = {path.stem: measure(path, given, flow) for path in given.clips}
    verdict(results)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
