"""How fast frames are scored: every measure of change on the same frames, in one process.

    python benchmarks/keyframe_speed.py                       # 48 drawn frames of 960x506, two threads
    python benchmarks/keyframe_speed.py clip.mp4 --frames 60 --threads 2

Claims, at 960x506 on two cores: deep features take at most twice the time of flow (the source document: four times),
and every measure scores more than 30 frames a second. Decoding is not counted. "full-size flow" is the peer: the same
flow without the small copy. Each figure is the best of several runs, taken in turns. On a busy machine look at the
processor time, summed over threads.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from moviola.core.errors import InputError
from moviola.data import codec
from moviola.nn.pretrained.efficientnet_lite import EfficientNetLite, EfficientNetLiteConfig
from moviola.selection.change import ChangeMeasure, change_measure
from moviola.selection.shots import cuts


def drawn(frames: int) -> np.ndarray:
    """Smooth noise that moves by 3 px a frame, uint8 (T, 506, 960, 3)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 32, 80, generator=generator)
    wide = torch.nn.functional.interpolate(coarse, size=(506, 960 + 3 * frames), mode="bicubic")
    picture = (wide[0].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    return np.stack([picture[:, 3 * i : 3 * i + 960] for i in range(frames)])


def measures() -> dict[str, ChangeMeasure]:
    found = {name: change_measure(name) for name in ("histogram", "orb", "flow")}
    try:
        found["deep"] = change_measure("deep")
    except InputError:  # weights do not matter for the speed
        network = EfficientNetLite(EfficientNetLiteConfig()).eval().fold()
        found["deep"] = change_measure("deep", network=network)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", action="store_true", help="also flow at full size (slow)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    import cv2

    cv2.setNumThreads(given.threads)

    clip = codec.read(given.clip, stop=given.frames).frames if given.clip else drawn(given.frames)
    calls: dict[str, Callable[[], object]] = {
        name: (lambda measure=measure: measure.curve(clip)) for name, measure in measures().items()
    }
    calls["cuts"] = lambda: cuts(clip)
    if given.peer:
        full = change_measure("flow", size=10_000)
        calls["full-size flow"] = lambda: full.curve(clip)
    times, busy = dict.fromkeys(calls, float("inf")), dict.fromkeys(calls, float("inf"))
    for _ in range(given.repeats):
        for name, call in calls.items():
            start, worked = time.perf_counter(), time.process_time()
            call()
            times[name] = min(times[name], time.perf_counter() - start)
            busy[name] = min(busy[name], time.process_time() - worked)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{len(clip)} frames {clip.shape[2]}x{clip.shape[1]}, {given.threads} thread(s), load {load:.1f}")
    for name, seconds in times.items():
        rate = f"{1000 * seconds / len(clip):7.2f} ms a frame  {len(clip) / seconds:7.1f} frames/s"
        print(f"  {name:<15} {rate}  processor {1000 * busy[name] / len(clip):7.2f} ms a frame")
    for what, taken in (("time", times), ("processor time", busy)):
        print(f"  deep takes {taken['deep'] / taken['flow']:.2f}x the {what} of flow")
    if given.peer:
        print(f"  flow takes {times['flow'] / times['full-size flow']:.2f}x the time at full size")


if __name__ == "__main__":
    main()
