"""Train a tiny text-to-video model on drawn digits, stop half way, resume, and make a video with it.

    python examples/train_tiny.py FOLDER

It takes a few seconds on a CPU and needs no data. So short a training learns blobs, not digits.
"""

from __future__ import annotations

import sys
from pathlib import Path

import moviola as mv
from moviola.recipes.catalog import find
from moviola.recipes.train import train


def main(folder: Path) -> None:
    for name in ("textgan_debug", "nextframe_debug"):
        run = find(name)(None)
        train(run.with_overrides(["trainer.steps=20"]), folder, quiet=True)
        done = train(run, folder, resume=True, quiet=True)
        print(
            f"{name}: {done.steps} steps, resumed from {done.resumed_from}, network in {folder / done.part}"
        )

    video = mv.generate("a 3 moves left and right", model=folder, frames=24, seed=0)
    path = video.scale(4).save(folder / "three.gif")
    print(f"wrote {path}: {len(video)} frames")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tiny"))
