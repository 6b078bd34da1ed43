"""Paint a clip with a filter, carry the paint from its key frames, and compare with painting every frame.

    python examples/restyle.py FOLDER

It takes seconds and needs no data: the clip is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import moviola as mv
from moviola.core.video import Video
from moviola.data.toys.icons import Config, make
from moviola.metrics.functional.temporal import flicker
from moviola.models.rerender.filters import paint


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    clip = make(0, seed=1, config=Config(size=128, frames=16)).video
    noise = np.random.default_rng(0).normal(0, 6, clip.frames.shape)  # as a camera has it: filters paint it
    clip = Video((clip.frames + noise).clip(0, 255).astype(np.uint8), clip.fps)

    keys = mv.keyframes(clip, method="flow", interval=6)
    print(f"key frames: {keys.indices}")
    each = Video(np.stack([paint(frame, "ink") for frame in clip.frames]), clip.fps)
    carried = mv.restyle(clip, painter="ink", keys={"indices": keys.indices})
    for name, video in (("every frame painted", each), ("keys painted, paint carried", carried)):
        print(f"{name}: flicker {flicker(video.frames):.2f}")
    path = mv.Video.side_by_side([clip, each, carried]).save(folder / "restyled.gif")
    print(f"wrote {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "restyled"))
