"""Let a drawn clip flicker and put a seam into it, say what is broken, and mend it.

    python examples/mend.py FOLDER

It takes seconds and needs no data: the clip is drawn. OpenCV and SciPy are needed (the extra `restyle`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import moviola as mv
from moviola.core.video import Video
from moviola.data.toys.icons import Config, make
from moviola.metrics.functional.temporal import flicker
from moviola.pipelines.mend import find_faults


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    clip = make(0, seed=1, config=Config(size=128, frames=32)).video
    swing = np.random.default_rng(0).normal(0, 0.08, 32)[:, None, None, None]
    flickering = clip.with_frames((clip.frames * (1 + swing)).clip(0, 255).astype(np.uint8))

    for name, video in (("clean", clip), ("flickering", flickering)):
        print(f"{name}: " + "; ".join(find_faults(video).lines()))
    mended = mv.mend(flickering, guide=clip)
    for name, video in (("clean", clip), ("flickering", flickering), ("mended", mended)):
        print(f"{name}: flicker {flicker(video.frames):.2f} of 255")
    path = Video.side_by_side([clip, flickering, mended]).save(folder / "mended.gif")
    print(f"wrote {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "mended"))
