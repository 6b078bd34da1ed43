"""Choose the key frames of a clip in several ways, compare them, and draw the choice.

    python examples/keyframes.py FOLDER

The clip is drawn here: digits that stand still, then move. Seconds on a CPU, no data.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from moviola.core.video import Video
from moviola.data.toys.digits import Config, make
from moviola.pipelines.keyframes import keyframes, write_plot


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    moving = make(0, seed=3, config=Config(size=64, frames=16)).video
    still = np.repeat(moving.frames[:1], 24, axis=0)
    clip = Video(np.concatenate([still, moving.frames, moving.frames]), moving.fps)

    for method in ("uniform", "histogram", "orb", "flow"):
        keys = keyframes(clip, method, count=8)
        print(f"{method:<10} {keys.indices}")
    best = keyframes(clip, "optimal", count=8)
    print(f"{'optimal':<10} {best.indices}")
    for name, gain in best.gain.items():
        print(f"predicted error {100 * gain:.0f}% under that of {name}")
    print(f"wrote {write_plot(best, clip, folder / 'keys.png')}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "keyframes"))
