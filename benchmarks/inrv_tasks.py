"""What a space of videos makes of clips it has never seen, task by task, against the usual method without a model.

    python benchmarks/inrv_tasks.py MODEL DATA [--hold-out 9] [--leave-out PATTERN ...] [--clips N] [--steps 200]
        [--free 0] [--json]
    python benchmarks/inrv_tasks.py MODEL DATA --samples 8 [--known 1] [--sheet FILE.png] [...]

The clips are those that the model's recipe held out of DATA. PSNR (dB) and SSIM at hidden pixels, means over clips, of
the result that keeps what was observed, of the model's own picture, and of the usual method: the first frame held
(predict), the two frames blended (frame-interpolate), OpenCV's inpainting (Telea 2004) frame by frame (inpaint,
sparse), bicubic enlargement (upsample). "observed" is the PSNR of the model's own picture at what was observed. For
"invert" nothing is hidden: its figures are those of the model's own picture, beside the encoder's alone.

With --samples K only prediction is measured, from the first --known frames: with one, motion is not observed. PSNR and
SSIM at the frames after them, means over clips, of the best of the first 1, 2, 4 ... K results, as
`edit predict --samples K` writes them (the best by the truth, for PSNR and for SSIM alike: an upper bound of what
somebody without it would choose), and of all K in the mean; beside them the last known frame held, the mean training
clip, and the training clips whose known frames are nearest, as they are. "apart" is what `--samples` prints (mean
absolute difference of two results at hidden pixels, levels of 255), beside the same of the results and the truth.
--sheet writes two clips side by side: truth and results, a row each.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from fnmatch import fnmatch

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
from moviola.pipelines.edit.latent.tasks import TASKS, Result, Task, diversity, run_task


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


def open_clips(given: argparse.Namespace, model: InrvModel, held: bool = True) -> WholeClips:
    """Open the clips that were held out, or those trained on."""
    source = open_source(given.data)
    c = model.config
    if given.leave_out:
        left = [any(fnmatch(name, pattern) for pattern in given.leave_out) for name in source.names]
        source = source.subset([k for k, out in enumerate(left) if out == held])
    hold_out = 0 if given.leave_out else given.hold_out
    return WholeClips(
        source, c.height, c.width, c.frames, given.stride, loop=True, hold_out=hold_out,
        held=held and bool(hold_out),
    )  # fmt: skip


def best_of(
    result: Result, truth: np.ndarray, trained: np.ndarray, count: int
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Return the figures of `count` predictions of a clip, and their frames; `trained` is uint8 (V, T, H, W, 3)."""
    hidden = ~result.observation.mask
    known = int(result.observation.observed_frames[-1]) + 1
    results = [result.frames(number) for number in range(count)]
    held = truth[np.minimum(np.arange(len(truth)), known - 1)]
    gaps = np.abs(trained[:, :known].astype(np.int16) - truth[:known]).mean(axis=(1, 2, 3, 4))
    near = list(trained[gaps.argsort(kind="stable")[:count]])
    mean = np.rint(trained.mean(axis=0)).astype(np.uint8)
    ours, others, rest = (part_scores(clips, truth, hidden) for clips in (results, near, [held, mean]))
    powers = [2**k for k in range(count.bit_length()) if 2**k < count]
    figures = {f"best of {n}": ours[:n].max(axis=0) for n in (*powers, count)}
    figures |= {"mean of them": ours.mean(axis=0), "last frame held": rest[0], "mean clip": rest[1]}
    figures |= {f"nearest clips, best of {n}": others[:n].max(axis=0) for n in (1, count)}
    apart = [diversity([one, truth], result.observation) for one in results]
    figures |= {
        f"{n} apart": np.array([diversity(results[:n], result.observation)]) for n in (*powers[1:], count)
    }
    figures["from the truth"] = np.array([np.mean(apart)])
    return figures, results


def predict_best(given: argparse.Namespace, model: InrvModel, config: FitConfig) -> None:
    """Print the figures of several predictions of each clip."""
    clips, table = open_clips(given, model), open_clips(given, model, held=False)
    trained = np.stack([table.read(k) for k in range(len(table))])
    found: dict[str, list[np.ndarray]] = {}
    shown = []
    config = replace(config, samples=given.samples)
    for k in range(len(clips))[: given.clips]:
        truth = clips.read(k)
        task = Task("predict", known=given.known)
        figures, results = best_of(
            run_task(model, Video(truth, model.fps), task, config=config), truth, trained, given.samples
        )
        for name, values in figures.items():
            found.setdefault(name, []).append(values)
        shown.append([truth, *results])
    if given.sheet:
        write_sheet(given.sheet, [shown[0], shown[len(shown) // 2]])
    means = {name: np.mean(values, axis=0).round(4).tolist() for name, values in found.items()}
    if given.json:
        print(json.dumps({"clips": len(shown), "known": given.known, "predict": means}, indent=2))
        return
    print(f"{len(shown)} clips, {given.known} known; PSNR (dB) and SSIM at hidden frames; then levels of 255")
    for name, values in means.items():
        print(f"{name:26}", "  ".join(f"{value:6.2f}" if value > 1 else f"{value:.3f}" for value in values))


def part_scores(clips: list[np.ndarray], truth: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return PSNR (dB) and SSIM of clips at hidden pixels, (clips, 2)."""
    scores = [score_part(frames, truth, hidden) for frames in clips]
    return np.array([[s.psnr, s.ssim or 0.0] for s in scores if s is not None])


def write_sheet(path: str, columns: list[list[np.ndarray]], count: int = 8) -> None:
    """Write a picture: `count` frames of each clip, a row each; `columns` stand side by side."""
    from moviola.data.pictures import write_png

    numbers = np.linspace(0, len(columns[0][0]) - 1, count).round().astype(int)
    parts = [np.concatenate([np.hstack(list(clip[numbers])) for clip in clips]) for clips in columns]
    write_png(path, np.hstack(parts))


def options() -> argparse.Namespace:
    """Read the command line."""
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
    parser.add_argument("--samples", type=int, help="predictions of each clip")
    parser.add_argument("--known", type=int, default=1, help="of --samples: first frames that are known")
    parser.add_argument("--sheet", help="of --samples: a picture of two clips' truth and results")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Print a row a task."""
    given = options()
    torch.set_num_threads(1)
    model: InrvModel = load(given.model)
    config = FitConfig(steps=given.steps, free_steps=given.free)
    if given.samples:
        predict_best(given, model, config)
        return
    clips = open_clips(given, model)
    rows: dict[str, dict[str, float]] = {}
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
