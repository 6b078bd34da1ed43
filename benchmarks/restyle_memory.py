"""Memory of restyling a long video: python benchmarks/restyle_memory.py [--seconds 10,120] [--propagation warp]

Claim: a video of 120 s needs no more memory than one of 10 s (within 40 MB). Each is restyled in a process of its own,
whose peak (getrusage, ru_maxrss) is read; the videos are a texture that moves, 160x120 at 12 frames a second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from moviola.core.video import Video
from moviola.data import codec

FPS, WIDTH, HEIGHT = 12, 160, 120
ALLOWED_MB = 40
RUN = (
    "import resource, sys; from moviola.cli.main import run; code = run(sys.argv[1:]);"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
)


def make(path: Path, seconds: float) -> None:
    """Write a texture that moves to and fro."""
    rng = np.random.default_rng(0)
    field = (
        Video(rng.integers(0, 256, (1, 30, 60, 3), dtype=np.uint8), FPS).resize(HEIGHT, 2 * WIDTH).frames[0]
    )
    with codec.Writer(path, FPS) as out:
        for second in range(round(seconds)):
            starts = [abs((second * FPS + i) * 2 % (2 * WIDTH - 2) - WIDTH + 1) for i in range(FPS)]
            out.write(Video(np.stack([field[:, s : s + WIDTH] for s in starts]), FPS))


def peak(source: Path, how: str) -> float:
    """Return the peak memory of restyling a file, MB."""
    words = ["restyle", str(source), "--painter", "ink", "--propagation", how, "--workers", "1", "--quiet"]
    words += ["-o", str(source.with_name("out.mp4"))]
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", default="10,120")
    parser.add_argument("--propagation", default="warp")
    given = parser.parse_args()
    peaks = []
    for seconds in map(float, given.seconds.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.mp4"
            make(source, seconds)
            peaks.append(peak(source, given.propagation))
        print(f"{seconds:6.0f} s, {round(seconds) * FPS} frames: {peaks[-1]:.0f} MB", flush=True)
    print(f"{peaks[-1] - peaks[0]:+.0f} MB of {ALLOWED_MB} MB allowed")


if __name__ == "__main__":
    main()
