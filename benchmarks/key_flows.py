"""Flow between key frames: chained through the frames between them, against straight from one to the other.

    python benchmarks/key_flows.py CLIP [MORE ...] [--interval 10] [--apart 1,2,4] [--side 320] [--frames 61]

Claim: chained flow brings an earlier key frame nearer to a later one (PSNR of the plain frames, dB), shows more of it
as seen, and what it shows is nearer (PSNR within that; in part by construction, for ours asks whether both frames
agree). The peer is flow straight from one key frame to the other with the forward-backward check of Ruder et al., as
Rerender-A-Video has it: `DirectFlows`. `--apart` counts key frames; an anchor is that far from the frame that follows
it. Seconds are for one pair, in a walk through all of them.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from moviola.data import codec
from moviola.metrics.functional.paired import psnr_of
from moviola.models.rerender.diffusion import DirectFlows
from moviola.models.rerender.diffusion.constraints import Flows
from moviola.pipelines.restyle.motion import ChainedFlows
from moviola.propagation.flow import estimator, warp


def read(path: Path, count: int, side: int) -> np.ndarray:
    """The first frames of a clip, the longer side at most `side` px."""
    video = codec.read(path, 0, count)
    scale = side / max(video.height, video.width)
    return (
        video if scale >= 1 else video.resize(round(video.height * scale), round(video.width * scale))
    ).frames


def judge(keys: list[np.ndarray], flows: Flows, apart: int) -> tuple[float, float, float, float]:
    """PSNR of all pixels and of those that are seen, dB, the share that is seen, and seconds a pair."""
    everything, within, seen, start = [], 0.0, [], time.perf_counter()
    for i in range(apart, len(keys)):
        flow, hidden = flows(i, i - apart)
        brought = warp(keys[i - apart], np.ascontiguousarray(flow.transpose(1, 2, 0)))
        error = ((brought.astype(np.float64) - keys[i]) ** 2).mean(-1)
        everything.append(error.mean())
        within += error[~hidden].sum()
        seen.append((~hidden).mean())
    seconds = (time.perf_counter() - start) / len(seen)
    inside = within / max(sum(seen) * keys[0].shape[0] * keys[0].shape[1], 1)
    return psnr_of(float(np.mean(everything))), psnr_of(inside), float(np.mean(seen)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--apart", default="1,2,4")
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--frames", type=int, default=61)
    given = parser.parse_args()
    better = total = 0
    for path in given.clips:
        frames = read(path, given.frames, given.side)
        keys = list(range(0, len(frames), given.interval))
        pictures = [frames[key] for key in keys]
        print(
            f"{path.stem}: {len(keys)} keys of {frames.shape[2]}x{frames.shape[1]}, {given.interval} frames apart"
        )
        for apart in (int(word) for word in given.apart.split(",")):
            if apart >= len(keys):
                continue
            chained = ChainedFlows(keys, lambda a, b, frames=frames: iter(frames[a:b]), estimator("dis"))
            rows = {
                "direct": judge(pictures, DirectFlows(pictures), apart),
                "chained": judge(pictures, chained, apart),
            }
            for name, (psnr, inside, seen, seconds) in rows.items():
                print(
                    f"  {apart} apart, {name:7s}: PSNR {psnr:5.2f}, seen {100 * seen:3.0f} % at {inside:5.2f}, "
                    f"{seconds:.2f} s",
                    flush=True,
                )
            better += all(rows["chained"][k] > rows["direct"][k] for k in range(3))
            total += 1
    print(f"better in all three: {better} of {total}")


if __name__ == "__main__":
    main()
