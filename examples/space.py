"""Walk from one animated face to another through a space of videos, then complete a face of which half is hidden.

    python examples/space.py FOLDER

It takes seconds and needs no data: the model is embedded. The half-hidden face is the mirror image of one that the
model was trained on, so the model has not seen it: what it puts below is a face that fits, not the true one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import moviola as mv
from moviola.pipelines.edit.latent.fit import FitConfig
from moviola.pipelines.edit.latent.render import frame_numbers, render
from moviola.pipelines.edit.latent.tasks import Task, run_task
from moviola.pipelines.edit.latent.walk import walk


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    space = mv.load("inrv-smileys")
    names = ("neutral face", "winking face")
    codes = torch.stack([space.code_of(name) for name in names])
    count, rate, pieces = walk(space, codes, size=(96, 96))
    path = mv.Video.concat(list(pieces)).save(folder / "walk.mp4")
    print(f"wrote {path}: {count} frames, {' -> '.join(names)}")

    numbers, rate = frame_numbers(space)
    wink = mv.Video.from_tensor(torch.cat(list(render(space, codes[1:], numbers))), rate)
    mirrored = wink.with_frames(np.ascontiguousarray(wink.frames[:, :, ::-1]))
    result = run_task(space, mirrored, Task("inpaint"), config=FitConfig(steps=100))
    frames = result.frames()
    print(result.describe())
    for name, scores in (("encoder alone", result.amortised_scores()), ("fitted", result.scores(frames))):
        if scores is not None and scores.unobserved is not None:
            print(f"hidden pixels, {name}: {scores.unobserved.psnr:.1f} dB")
    path = result.film(frames).save(folder / "inpaint.mp4")
    print(f"wrote {path}: input, observed, result and truth side by side")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "space"))
