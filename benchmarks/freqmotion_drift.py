"""One-directional motion: how often what should only go down goes up.

    python benchmarks/freqmotion_drift.py MODEL [MODEL ...] [--clips 48] [--frames 48]

A sum of sinusoids goes to and fro. On the toy `sinusoid` with `motion=drift` (downwards only; what leaves below enters
above) the share of steps of each tracked shape that go down is measured, on the circle of the travel, for each model
and for the toy itself: 1 is one-directional, 0.5 is to and fro. The tracker is that of `freqmotion_toy.py`.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from freqmotion_toy import draw, track

from moviola.data.toys import sinusoid
from moviola.models.catalog import load_banded
from moviola.models.freqmotion import FreqMotionGenerator


def share_down(paths: np.ndarray, travel: float) -> float:
    """Return the share of steps that go down, of paths (..., T) on a circle of `travel` px; still ones do not count."""
    steps = (np.diff(paths, axis=-1) + travel / 2) % travel - travel / 2
    moved = np.abs(steps) > 0.25
    return float((steps[moved] > 0).mean())


def main() -> None:
    """Print a row a model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="+")
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    table: dict[str, float] = {}
    for name in given.model:
        model = load_banded(name)
        assert isinstance(model, FreqMotionGenerator)
        config = sinusoid.Config(size=model.config.size, frames=given.frames, motion="drift", by_column=True)
        if not table:
            real = [sinusoid.make(k, 7, config).video.frames for k in range(given.clips)]
            table["toy"] = share_down(np.array([track(f, config.columns) for f in real]), config.travel)
        films = [draw(model, given.frames, seed).frames for seed in range(given.clips)]
        table[name] = share_down(np.array([track(f, config.columns) for f in films]), config.travel)
    if given.json:
        print(json.dumps(table))
        return
    for name, value in table.items():
        print(f"{name:<40} {value:.3f} of the steps go down")


if __name__ == "__main__":
    main()
