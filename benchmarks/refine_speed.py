"""Speed and memory of refining: python benchmarks/refine_speed.py [--models regis-u,DIR] [--threads N] [--device cpu]

Frames a second of one pass at 64x64 and 128x128 in windows of 16 frames (128 px: as one tile of that size, and in tiles
of 64), against the same network called window by window with every window overlapping the next by half and nothing kept
(what a plain loop over windows does), in one process on the same video. Then the peak memory of `moviola refine` on a
video of 10 s and one of 100 s, each in a process of its own (Linux).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from moviola.core.video import Video
from moviola.models.catalog import load_refiner
from moviola.pipelines.refine import refine

FRAMES = 96
REPEATS = 3


def texture(frames: int, size: int) -> Video:
    """Return a texture that moves."""
    rng = np.random.default_rng(0)
    field = (
        Video(rng.integers(0, 256, (1, 24, 24, 3), dtype=np.uint8), 8).resize(2 * size, 2 * size).frames[0]
    )
    steps = [(t % size, (2 * t) % size) for t in range(frames)]
    return Video(np.stack([field[y : y + size, x : x + size] for y, x in steps]), 8)


@torch.inference_mode()
def plain(video: Video, network: object, window: int) -> np.ndarray:
    """Refine windows that overlap by half one by one, averaging where they overlap."""
    clip = video.to_tensor()[None]
    total, weight = torch.zeros_like(clip), torch.zeros(1, clip.shape[1], 1, 1, 1)
    starts = list(range(0, clip.shape[1] - window + 1, window // 2))
    for start in starts:
        total[:, start : start + window] += network.refine(clip[:, start : start + window])  # type: ignore[attr-defined]
        weight[:, start : start + window] += 1
    return (total / weight).numpy()


def seconds(work: object) -> float:
    """Return the best of a few runs, s."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()  # type: ignore[operator]
        best = min(best, time.perf_counter() - start)
    return best


def peak(model: str, length: float, folder: Path) -> float:
    """Return the peak memory of a child that refines a video of `length` s, MB."""
    video = folder / f"{length:g}.mp4"
    texture(round(8 * length), 64).save(video)
    # ru_maxrss is inherited from the process that starts a child; the high-water mark of its own memory is not
    code = (
        "import sys; from pathlib import Path; from moviola.cli.main import run; code = run(sys.argv[1:]);"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]); sys.exit(code)"
    )
    out = str(folder / f"{length:g}-out.mp4")
    words = ["refine", str(video), "-o", out, "--model", model, "--iterations", "2", "--quiet"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="regis-u")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    print(f"{a.threads} threads, {a.device}; frames a second, one pass")
    for model in a.models.split(","):
        network = load_refiner(model, a.device)
        window = network.config.frames
        for size, how in ((64, "tile"), (128, "whole"), (128, "tile")):
            video = texture(FRAMES, size)
            ours = seconds(partial(refine, video, network, 1, size=how, device=a.device))
            line = f"{Path(model).name:12s} {size}x{size} {how:6s} {FRAMES / ours:7.1f}"
            if a.device == "cpu" and how != "tile":
                loop = seconds(partial(plain, video, network, window))
                line += f"   plain loop over half windows {FRAMES / loop:7.1f}: {loop / ours:.2f}x"
            print(line, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        short, long = (peak(a.models.split(",")[0], s, Path(folder)) for s in (10, 100))
        print(f"peak memory: 10 s {short:.0f} MB, 100 s {long:.0f} MB: {long - short:+.0f} MB")


if __name__ == "__main__":
    main()
