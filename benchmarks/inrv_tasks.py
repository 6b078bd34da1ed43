"""What a space of videos makes of clips it has never seen, task by task, against the usual method without a model.

    python benchmarks/inrv_tasks.py MODEL DATA [--hold-out 9] [--leave-out PATTERN ...] [--clips N] [--steps 200]
        [--free 0] [--json]

The clips are those that the model's recipe held out of DATA. PSNR (dB) and SSIM at hidden pixels, means over clips, of
the result that keeps what was observed, of the model's own picture, and of the usual method: the first frame held
(predict), the two frames blended (frame-interpolate), OpenCV's inpainting (Telea 2004) frame by frame (inpaint,
sparse), bicubic enlargement (upsample). "observed" is the PSNR of the model's own picture at what was observed. For
"invert" nothing is hidden: its figures are those of the model's own picture, beside the encoder's alone.
"""

from __future__ import annotations

import argparse
import json
from fnmatch import fnmatch
from typing import Any

import numpy as np
import torch

from moviola.core.video import Video
from moviola.data.sources import open_source
from moviola.data.whole_clips import WholeClips
from moviola.models.catalog import load
from moviola.models.inrv import InrvModel
from moviola.pipelines.edit.latent.fit import FitConfig
from moviola.pipelines.edit.latent.observe import Observation
from moviola.pipelines.edit.latent.score import score_part
from moviola.pipelines.edit.latent.tasks import TASKS, Result, Task, run_task


def usual(task: str, seen: Observation) -> np.ndarray | None:
    """Return what the usual method makes of an observation, uint8 (T, H, W, 3); None for invert."""
    import cv2

    frames, count = seen.frames, len(seen.frames)
    if task == "predict":
        return np.repeat(frames[:1], count, axis=0)
    if task == "frame-interpolate":
        share = np.linspace(0, 1, count)[:, None, None, None]
        return np.rint((1 - share) * frames[0] + share * frames[-1]).astype(np.uint8)
    if task == "upsample":
        size = (seen.size[1], seen.size[0])
        return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in frames])
    if task == "invert":
        return None
    hidden = (~seen.mask).astype(np.uint8)
    return np.stack([cv2.inpaint(f, m, 3, cv2.INPAINT_TELEA) for f, m in zip(frames, hidden, strict=True)])


def measure(result: Result, truth: np.ndarray) -> dict[str, float]:
    """Return the figures of one clip."""
    name, seen = result.task.name, result.observation
    hidden = np.ones(truth.shape[:3], bool) if seen.is_low or name == "invert" else ~seen.mask
    plain = result._plain(result.fit.code)
    pictures = {"plain": plain, "kept": plain if name == "invert" else result.frames()}
    other = usual(name, seen)
    if other is not None:
        pictures["usual"] = other
    if result.fit.encoded is not None:
        pictures["encoder"] = result._plain(result.fit.encoded)
    figures = {"observed": result.plain_scores().observed.psnr}
    for key, frames in pictures.items():
        score = score_part(frames, truth, hidden)
        assert score is not None
        figures |= {f"{key}_psnr": score.psnr, f"{key}_ssim": score.ssim or 0.0}
    return figures


def held_clips(given: Any, model: InrvModel) -> WholeClips:
    """Open the clips that were held out."""
    source = open_source(given.data)
    c = model.config
    if given.leave_out:
        names = source.names
        source = source.subset(
            [k for k, n in enumerate(names) if any(fnmatch(n, pattern) for pattern in given.leave_out)]
        )
    hold_out = 0 if given.leave_out else given.hold_out
    return WholeClips(
        source, c.height, c.width, c.frames, given.stride, loop=True, hold_out=hold_out, held=bool(hold_out)
    )


def main() -> None:
    """Print a row a task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--hold-out", type=int, default=9)
    parser.add_argument("--leave-out", nargs="*", default=[])
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--clips", type=int)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--free", type=int, default=0, help="steps of the last stage")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model: InrvModel = load(given.model)
    clips = held_clips(given, model)
    rows: dict[str, dict[str, float]] = {}
    config = FitConfig(steps=given.steps, free_steps=given.free)
    for name in given.tasks:
        figures = []
        for k in range(len(clips))[: given.clips]:
            truth = clips.read(k)
            result = run_task(model, Video(truth, model.fps), Task(name), config=config)
            figures.append(measure(result, truth))
        rows[name] = {key: round(float(np.mean([f[key] for f in figures])), 4) for key in figures[0]}
        if not given.json:
            print(f"{name:18}", "  ".join(f"{k} {v:.3f}" for k, v in rows[name].items()), flush=True)
    if given.json:
        print(json.dumps({"clips": list(clips.captions)[: given.clips], "tasks": rows}, indent=2))


if __name__ == "__main__":
    main()
