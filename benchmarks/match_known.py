"""Does `moviola data match` find a flaw that was put in? python benchmarks/match_known.py WEIZMANN [--clips 32]

Real clips (Weizmann strips, 16 frames) are given one known flaw each time; `match` sees other real clips and these. For
each it prints the flaw put in, the one found with the most weight, and both strengths; then how often it was the same.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from moviola.core.seeds import numpy_generator
from moviola.data.actions import ActionClips
from moviola.data.corrupt import find_corruption
from moviola.pipelines.match import match_clips

KNOWN = {
    "noise": 0.4, "soft": 0.5, "flicker": 0.3, "codec": 0.5, "drift": 0.5, "jitter": 0.5, "low-bit": 0.6, "frozen": 0.7
}  # fmt: skip
FRAMES = 16


def draw(clips: ActionClips, seed: int, count: int) -> np.ndarray:
    """Draw clips, uint8 (N, T, H, W, 3)."""
    found = []
    for number in range(count):
        rng = numpy_generator(seed, number)
        clip = clips.draw(rng)
        start = int(rng.integers(max(1, clip.length - FRAMES + 1)))
        found.append(clip.read((start + np.arange(FRAMES)).clip(max=clip.length - 1)))
    return np.stack(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weizmann", type=Path)
    parser.add_argument("--clips", type=int, default=32)
    a = parser.parse_args()
    clips = ActionClips(a.weizmann)
    real, more, fake = (draw(clips, seed, a.clips) for seed in range(3))
    rows, right = [], 0
    for name, strength in KNOWN.items():
        flawed = np.stack(
            [
                find_corruption(name).apply(frames, strength, numpy_generator(9, name, number))[0]
                for number, frames in enumerate(fake)
            ]
        )
        found = match_clips(real, more, flawed)
        best = max(found.fits, key=lambda fit: fit.weight)
        right += best.name == name
        rows.append(
            {"put in": name, "strength": strength, "found": best.name, "found strength": best.strength}
        )
        print(
            f"{name:10s} {strength:.2f}   found {best.name:10s} {best.strength:.2f}, weight {best.weight:.2f}, "
            f"distance {found.reached:.2f} for {found.target:.2f}",
            flush=True,
        )
    print(f"{right} of {len(KNOWN)} found")
    print(json.dumps({"right": right, "of": len(KNOWN), "rows": rows}))


if __name__ == "__main__":
    main()
