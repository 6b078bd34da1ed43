"""Train a tiny refiner on drawn digits, put noise into a clip, and refine it pass by pass.

    python examples/refine.py FOLDER

It takes seconds on a CPU and needs no data. So short a training makes a small difference: a refiner worth using
takes hours (`moviola train regis_u_pairs`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import moviola as mv
from moviola.data.corrupt import add_noise
from moviola.data.toys.digits import Config, make
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import flicker
from moviola.recipes.catalog import find
from moviola.recipes.train import train


def main(folder: Path) -> None:
    train(find("regis_u_debug")(None), folder, quiet=True)

    clean = make(0, seed=0, config=Config(size=32, frames=16)).video
    shown = [clean, add_noise(clean, 25, np.random.default_rng(0))]
    for _ in range(2):  # one pass at a time, to look at each; iterations=2 gives the same at once
        shown.append(mv.refine(shown[-1], model=folder, iterations=1))
    for name, video in zip(("clean", "noisy", "pass 1", "pass 2"), shown, strict=True):
        error = np.abs(video.frames.astype(float) - clean.frames).mean()
        sharp = gradient_energy(video.frames)
        print(f"{name}: error {error:.2f}  sharpness {sharp:.0f}  flicker {flicker(video.frames):.2f}")
    path = mv.Video.side_by_side([video.scale(4) for video in shown]).save(folder / "passes.gif")
    print(f"wrote {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "refiner"))
