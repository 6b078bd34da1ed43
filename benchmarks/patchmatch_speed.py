"""How long guided patch synthesis takes a frame, and what it is worth beside plain warping.

    python benchmarks/patchmatch_speed.py [--size 512] [--frames 6] [--torch] [VIDEO]

Claim: at most 3 s a frame at 512x512 on two cores in the steady state, everything compiled. (Measured elsewhere on two
cores of another machine: the public EbSynth takes 150 s a frame at that size with the settings of Rerender-A-Video,
37 to 67 s with 6 votes and 4 searches.)

A key frame and the frames after it, square crops of the video, or without one a drawn scene in which a disc crosses a
moving ground. Printed: the first call in a fresh process (compiling, or reading compiled code from Numba's cache on
disk), then seconds a frame on one and on two threads, wall time and processor time of this process: on a busy machine
the wall time measures the others. Reconstruction: the key's own colours as its paint, so that the frame is the truth.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from moviola.propagation.guides import positions, source_guides, target_guides
from moviola.propagation.synthesis import Synthesis, SynthesisConfig, synthesize

MOST_SECONDS = 3.0  # a frame at 512x512, two cores
FIRST_CALL = """
import time
import numpy as np
start = time.perf_counter()
from moviola.propagation.guides import source_guides
from moviola.propagation.synthesis import synthesize
import numba
guides = source_guides(np.zeros((64, 64, 3), np.uint8))
loaded = time.perf_counter()
used = time.process_time()
synthesize(guides, guides.colour, guides, threads=1)
print(f"{loaded - start:.2f} {time.perf_counter() - loaded:.2f} {time.process_time() - used:.2f}")
"""


def drawn(size: int, frames: int) -> list[np.ndarray]:
    """A textured ground that slides by 1 px a frame, and before it a disc that moves by 4."""
    rng = np.random.default_rng(0)
    ground = rng.random((size + frames, size + frames, 3))
    for _ in range(3):
        ground = (ground + np.roll(ground, 1, 0) + np.roll(ground, 1, 1) + np.roll(ground, 2, (0, 1))) / 4
    ground = (ground - ground.min()) / np.ptp(ground) * 255
    y, x = np.mgrid[:size, :size]
    pictures = []
    for i in range(frames):
        picture = ground[i : i + size, i : i + size].copy()
        inside = (x - size / 3 - 4 * i) ** 2 + (y - size / 2) ** 2 < (size / 6) ** 2
        picture[inside] = ground[::-1][:size, :size][np.roll(inside, -4 * i, 1)][:, ::-1]
        pictures.append(picture.round().astype(np.uint8))
    return pictures


def filmed(path: Path, size: int, frames: int) -> list[np.ndarray]:
    """Square crops of a video from its second second on."""
    from moviola.data import codec

    video = codec.read(path, start=25, stop=25 + frames).center_crop_square().resize(size, size)
    return list(video.frames)


def dense_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Flow from the first frame to the second by OpenCV's dense inverse search."""
    import cv2

    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return engine.calc(*greys, np.zeros((*first.shape[:2], 2), np.float32))


def psnr(one: np.ndarray, two: np.ndarray) -> float:
    """Peak signal-to-noise ratio, dB."""
    return float(10 * np.log10(255**2 / max(1e-9, ((one.astype(float) - two) ** 2).mean())))


def timed(
    frames: list[np.ndarray], flows: list[np.ndarray], config: SynthesisConfig, threads: int
) -> tuple[float, float, list[Synthesis]]:
    """Paint every frame after the first; return the median wall and processor seconds a frame, and the results."""
    guides, wall, used, results = source_guides(frames[0]), [], [], []
    for frame, flow in zip(frames[1:], flows, strict=True):
        start, busy = time.perf_counter(), time.process_time()
        results.append(
            synthesize(guides, frames[0], target_guides(frame, flow=flow), config, threads=threads)
        )
        wall.append(time.perf_counter() - start)
        used.append(time.process_time() - busy)
    return statistics.median(wall), statistics.median(used), results


def first_calls() -> None:
    """Print what the first frame of a fresh process takes, without and with compiled code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        for state in ("compiling", "compiled code on disk"):
            reply = subprocess.run(
                [sys.executable, "-c", FIRST_CALL],
                env=dict(os.environ, NUMBA_CACHE_DIR=folder),
                capture_output=True,
                text=True,
                check=True,
            )
            imports, wall, used = reply.stdout.split()
            print(
                f"first frame (64x64), {state}: {wall} s (processor {used} s), after imports of {imports} s"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--torch", action="store_true", help="time the PyTorch search as well")
    args = parser.parse_args()
    frames = filmed(args.video, args.size, args.frames) if args.video else drawn(args.size, args.frames)
    flows = [dense_flow(frame, frames[0]) for frame in frames[1:]]
    print(
        f"{len(frames) - 1} frames of {args.size}x{args.size}, {args.video.name if args.video else 'drawn'}"
    )
    first_calls()
    megapixels, slowest = args.size**2 / 1e6, 0.0
    timed(frames[:2], flows[:1], SynthesisConfig(), 1)
    for backend, threads in [("numba", 1), ("numba", 2), *([("torch", 1)] if args.torch else [])]:
        wall, used, results = timed(frames, flows, SynthesisConfig(backend=backend), threads)
        print(
            f"{backend} {threads} thread(s): {wall:.2f} s a frame, {wall / megapixels:.2f} s a megapixel; "
            f"processor {used:.2f} s a frame, {used / megapixels:.2f} s a megapixel"
        )
        slowest = wall if (backend, threads) == ("numba", 2) else slowest
        ours = statistics.mean(psnr(r.frame, frame) for r, frame in zip(results, frames[1:], strict=True))
        print(f"    reconstruction {ours:.2f} dB", end="")
        print(f", plain warping {statistics.mean(warped(frames, flows)):.2f} dB")
    bar = MOST_SECONDS * megapixels / 0.262144
    print(
        f"bar: {slowest:.2f} s against {bar:.2f} s a frame on two threads: {'met' if slowest <= bar else 'MISSED'}"
    )
    sys.exit(slowest > bar)


def warped(frames: list[np.ndarray], flows: list[np.ndarray]) -> list[float]:
    """PSNR of the key warped by flow, bicubic, for every frame after it."""
    import cv2

    maps = [positions(flow) for flow in flows]
    moved = [cv2.remap(frames[0], m, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for m in maps]
    return [psnr(picture, frame) for picture, frame in zip(moved, frames[1:], strict=True)]


if __name__ == "__main__":
    main()
