"""Peak memory of an evaluation against the number of clips: 200 a side, then 2,000 a side.

    python benchmarks/evaluate_memory.py [--few 200] [--many 2000]

Claim: ten times the clips cost less than 200 MB more. The clips (16 frames of 64x64, H.264) are drawn by rule and
written once; each evaluation runs as a child, so that its peak (getrusage, ru_maxrss) is its own, with an empty cache.
The metrics are FVD and KVD on an I3D of small width with random weights and all 400 outputs: what is kept for each
clip is the same as with the real one. The peer is what holding the decoded clips as float32 at the network's 224x224
would take, as the usual scripts do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MB = 200
FRAMES, SIDE, NETWORK_SIDE = 16, 64, 224


def make(folder: str, count: int, seed: int) -> None:
    """Write clips of a square that drifts over a ground of its own colour."""
    import numpy as np

    from moviola.core.video import Video

    rng = np.random.default_rng(seed)
    path = Path(folder)
    path.mkdir()
    for number in range(count):
        frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
        frames[:] = rng.integers(0, 256, 3)
        top, left, step = *rng.integers(0, SIDE - 16, 2), rng.integers(-2, 3)
        square = rng.integers(0, 256, (16, 16, 3))
        for t in range(FRAMES):
            columns = (left + step * t + np.arange(16)) % SIDE
            frames[t, top : top + 16, columns] = square
        Video(frames, 8).save(path / f"{number:05d}.mp4", preset="ultrafast")


def run(real: str, fake: str, count: int) -> None:
    """Evaluate `count` clips a side and print what it took."""
    import torch

    from moviola.core.seeds import seeded
    from moviola.metrics.i3d import I3DExtractor
    from moviola.metrics.kinds import SetMetric
    from moviola.metrics.measures import KernelMeasure
    from moviola.metrics.protocol import Protocol
    from moviola.nn.pretrained.i3d import I3D, I3DConfig
    from moviola.pipelines.evaluate import evaluate

    torch.set_num_threads(1)
    with seeded(0, "i3d"):
        network = I3D(I3DConfig.tiny(classes=400)).eval()
    extractor = I3DExtractor(network, "random", size=SIDE)
    metrics = [
        SetMetric("fvd", extractor=extractor, output="logits"),
        SetMetric("kvd", extractor=extractor, output="logits", measure=KernelMeasure()),
    ]
    start = time.perf_counter()
    report = evaluate(real, fake, metrics, Protocol(max_real=count, max_fake=count), device="cpu", draws=20)
    assert report["fvd"].n_real == report["fvd"].n_fake == count
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps({"peak": peak, "seconds": time.perf_counter() - start}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=2000)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run(given.child[0], given.child[1], int(given.child[2]))
        return
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        sets = [str(Path(folder) / name) for name in ("real", "fake")]
        for seed, path in enumerate(sets):
            make(path, given.many, seed)
        for count in (given.few, given.many):
            env = {**os.environ, "MOVIOLA_CACHE": str(Path(folder) / f"cache{count}")}
            child = [sys.executable, __file__, "--child", *sets, str(count)]
            done = subprocess.run(child, check=True, capture_output=True, text=True, env=env)
            found = json.loads(done.stdout.splitlines()[-1])
            peaks.append(found["peak"])
            print(f"{count} + {count} clips: peak {found['peak']:.0f} MB, {found['seconds']:.0f} s")
    more = peaks[1] - peaks[0]
    held = 2 * (given.many - given.few) * FRAMES * NETWORK_SIDE**2 * 3 * 4 / 1e6
    print(f"{more:.0f} MB more of {LIMIT_MB} allowed: {more / LIMIT_MB:.2f}")
    print(f"holding the clips would take {held:.0f} MB more: {held / max(more, 1):.0f}x")


if __name__ == "__main__":
    main()
