"""Memory of a long video through read -> resize -> write: 20 minutes of 320x240 at 25 fps, 30,000 frames.

    python benchmarks/stream_memory.py [--minutes 20]

Claim: the process that does it stays under 500 MB. It runs as a child, so that its peak (getrusage, ru_maxrss) is
its own; the source is made by another child. Held in memory at once the video would take 6.9 GB.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MB = 500
FPS = 25


def make(path: str, minutes: float) -> None:
    """Write a texture that moves and a tone."""
    import numpy as np

    from moviola.core.video import Audio, Video
    from moviola.data import codec

    rng = np.random.default_rng(0)
    texture = (
        Video(rng.integers(0, 256, (1, 60, 80, 3), dtype=np.uint8), FPS).resize(480, 640, "bicubic").frames[0]
    )
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000).astype(np.float32)[:, None] * 0.2
    with codec.Writer(path, FPS, preset="ultrafast", crf=28) as out:
        for second in range(round(minutes * 60)):
            views = [
                texture[k : k + 240, k : k + 320] for k in ((second * FPS + i) % 240 for i in range(FPS))
            ]
            out.write(Video(np.stack(views), FPS, Audio(tone, 48000)))


def convert(source: str, target: str) -> None:
    """The measured work."""
    from moviola.data import codec

    start, info = time.perf_counter(), codec.probe(source)
    with codec.Writer(target, info.fps, preset="veryfast") as out:
        for piece in codec.stream(source, batch=16, audio=True):
            out.write(piece.resize(180, 240))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )
    written = codec.probe(target)
    raw = info.frames * info.height * info.width * 3 / 1e6
    print(
        f"{info.frames} frames of {info.width}x{info.height} -> {written.frames} of {written.width}x{written.height}"
    )
    print(
        f"{seconds:.0f} s, {info.frames / seconds:.0f} frames a second, {info.duration / seconds:.0f}x real time"
    )
    print(
        f"peak {peak:.0f} MB of {LIMIT_MB} allowed: {peak / LIMIT_MB:.2f}; {raw / peak:.0f}x less than the raw frames"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        work, *paths = given.child
        make(paths[0], given.minutes) if work == "make" else convert(*paths)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, target = str(Path(folder) / "long.mp4"), str(Path(folder) / "small.mp4")
        again = [sys.executable, __file__, "--minutes", str(given.minutes), "--child"]
        subprocess.run([*again, "make", source], check=True)
        subprocess.run([*again, "convert", source, target], check=True)


if __name__ == "__main__":
    main()
