"""The forms and schedules of the next-frame network, trained for equally many steps on one data set.

    python benchmarks/nextframe_forms.py digits OUT [--only film,faithful2d] [--steps 3000] [--clips 128]
    python benchmarks/nextframe_forms.py sprites OUT --data PARTS
    python benchmarks/nextframe_forms.py actions OUT --data STRIPS

Each run has a folder OUT/NAME; the same command again goes on where it stopped, and trains no finished run again. Runs
named gan-* go on from the plain run of their form for as many steps again. Then every network is rolled out from the
first true frame of held-out clips. PSNR (dB, peak 255) is of the mean squared error over all clips at that step, SSIM
the mean; "copy last" repeats the given frame. Energy is the gradient energy of all generated frames over that of the
true ones: 1 is as sharp, less is blurred. A reader trained on real windows of 8 frames (see rollout_drift.py) reads in
frames 8 to 15 what a first frame does not show: `caption` is the share of these slots that is read as they were said,
`swap` the same where the first frame's own are replaced by those of another clip. Training steps a second are the
log's, generated frames a second those of batches of 32; compare runs of one machine that did nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from rollout_drift import HIDDEN, WINDOW, read, window_reader
from torch import nn

from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import numpy_generator
from moviola.metrics.functional.paired import psnr_of, ssim
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.models.nextframe import (
    NextFrame,
    NextFrameConfig,
    NextFrameCriticConfig,
    NextFrameNetwork,
    rollout,
)
from moviola.recipes.base import DataConfig
from moviola.recipes.nextframe import NextFrameRun
from moviola.recipes.nextframe_gan import NextFrameGANRun
from moviola.recipes.train import train
from moviola.training.loop import TrainerConfig
from moviola.training.objectives.nextframe import NextFrameObjectiveConfig
from moviola.training.objectives.nextframe_gan import NextFrameGANObjectiveConfig
from moviola.training.schedule import Schedule

STEPS = (1, 5, 10, 20)
KINDS = [kind for kind in get_args(DataConfig.model_fields["kind"].annotation) if kind != "videos"]
DRAWN = ("digits", "icons")
FAITHFUL = NextFrameObjectiveConfig(
    learning_rate=1e-4, weight_decay=0, absolute=0, edges=0, square=1, noise=0
)


def plain(data: DataConfig, trainer: TrainerConfig, model: dict[str, Any], **changes: Any) -> NextFrameRun:
    """Return a run of the plain objective."""
    slots = data.open().grammar.sizes
    config = NextFrameConfig.make({"slots": slots, "widths": (32, 64, 96, 160), **model})
    values = {"objective": NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0.1), **changes}
    return NextFrameRun(recipe="nextframe_forms", data=data, model=config, trainer=trainer, **values)


def faithful(data: DataConfig, trainer: TrainerConfig) -> NextFrameRun:
    """Return the source's network, trained as in its code."""
    model = {"form": "faithful2d", "dropout": 0.5}
    constant = trainer.model_copy(update={"schedule": Schedule(), "clip": 0.0})
    return plain(data, constant, model, objective=FAITHFUL, single=0, full=0, restart=0)


def own_histories(data: DataConfig, trainer: TrainerConfig) -> NextFrameRun:
    """Return ours with histories of its own, more and more of them in the second third."""
    third = trainer.steps // 3
    drift = {"self_history": 0.5, "self_frames": 8, "self_from": third, "self_until": 2 * third}
    return plain(
        data, trainer, {}, objective=NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0.1, **drift)
    )


def pooled(data: DataConfig, trainer: TrainerConfig) -> NextFrameRun:
    """Return ours with a memory and, after a quarter of the steps, a pool of its own roll-outs."""
    objective = NextFrameObjectiveConfig(
        learning_rate=1.5e-3, noise=0.1, pool=4, pool_from=trainer.steps // 4
    )
    return plain(data, trainer, {"memory": 64}, objective=objective)


def timed(data: DataConfig, trainer: TrainerConfig) -> NextFrameRun:
    """Return ours with a memory, told the time within the period of drawn clips."""
    return plain(data, trainer, {"memory": 64, "periods": (data.period,)}, restart=1.0)


def against_ours(data: DataConfig, trainer: TrainerConfig) -> NextFrameGANRun:
    """Return ours against the critic of frames under their history and caption."""
    run = plain(data, trainer, {})
    critic = NextFrameCriticConfig(slots=run.model.slots, widths=(32, 64, 96, 160))
    objective = NextFrameGANObjectiveConfig(pixel=run.objective, pretrain=trainer.steps // 10)
    return adversarial(run, critic, objective)


def against_authors(schedule: str) -> Callable[[DataConfig, TrainerConfig], NextFrameGANRun]:
    """Return the source's network against its critic of single frames, by one of its schedules."""

    def make(data: DataConfig, trainer: TrainerConfig) -> NextFrameGANRun:
        run = faithful(data, trainer.model_copy(update={"batch": 40}))
        values = {
            "schedule": schedule, "pixel": FAITHFUL.model_copy(update={"square": 0.25}).model_dump(),
            "loss": "logistic", "learning_rate": 1e-5, "critic_rate": 2e-5, "betas": (0.9, 0.999),
            "critic_betas": (0.9, 0.999), "pretrain": trainer.steps // 10, "critic_steps": 5, "augment": "",
        }  # fmt: skip
        critic = NextFrameCriticConfig(sees="frame", slots=run.model.slots)
        return adversarial(run, critic, NextFrameGANObjectiveConfig.make(values))

    return make


def adversarial(
    run: NextFrameRun, critic: NextFrameCriticConfig, objective: NextFrameGANObjectiveConfig
) -> NextFrameGANRun:
    """Return the adversarial run of a plain one's network, data and histories."""
    kept = {k: getattr(run, k) for k in ("recipe", "data", "model", "trainer", "single", "full", "restart")}
    return NextFrameGANRun(critic=critic, objective=objective, **kept)


# name -> the plain run that it starts from, and how it is made
RUNS: dict[str, tuple[str | None, Callable[[DataConfig, TrainerConfig], NextFrameRun | NextFrameGANRun]]] = {
    "film": (None, lambda data, trainer: plain(data, trainer, {})),
    "concat": (None, lambda data, trainer: plain(data, trainer, {"caption": "concat"})),
    "faithful2d": (None, faithful),
    "unet3d": (None, lambda data, trainer: plain(data, trainer, {"form": "unet3d"},
               objective=NextFrameObjectiveConfig(learning_rate=5e-4, noise=0.1))),
    "no-noise": (None, lambda data, trainer: plain(data, trainer, {},
                 objective=NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0))),
    "unroll": (None, lambda data, trainer: plain(data, trainer, {},
               objective=NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0.1, unroll=2, through=True))),
    "own-histories": (None, own_histories),
    "memory": (None, lambda data, trainer: plain(data, trainer, {"memory": 64})),
    "pool": (None, pooled),
    "periods": (None, timed),
    "gan-ours": ("film", against_ours),
    "gan-adversarial": ("faithful2d", against_authors("adversarial")),
    "gan-mixed": ("faithful2d", against_authors("mixed")),
    "gan-alternating": ("faithful2d", against_authors("alternating")),
}  # fmt: skip


def held_out(data: DataConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return slots (N, S) and frames uint8 (N, T, H, W, 3) of held-out clips."""
    clips, rng, found = data.open(held=True), numpy_generator(5, "forms"), []
    wraps = data.kind in DRAWN  # drawn clips repeat after their last frame
    index = np.arange(max(STEPS) + 1)
    for _ in range(20 * count):
        clip = clips.draw(rng)
        if clip.cyclic or wraps or clip.length >= len(index):
            found.append((clip.slots, clip.read(index % clip.length if wraps else index)))
        if len(found) == count:
            break
    if not found:
        raise SystemExit(f"no held-out clip of {data.kind} has {len(index)} frames")
    return np.stack([slots for slots, _ in found]), np.stack([frames for _, frames in found])


def rolled(network: NextFrameNetwork, slots: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, float]:
    """Roll out from the first true frames; return uint8 (N, T, H, W, 3), and frames a second."""
    made, began = [], time.perf_counter()
    for start in range(0, len(slots), 32):
        first = to_network(torch.from_numpy(truth[start : start + 32, 0]))
        said = torch.from_numpy(slots[start : start + 32])
        made.append(from_network(rollout(network, first, said, truth.shape[1])))
    frames = torch.cat(made).numpy()
    return frames, frames.shape[0] * (frames.shape[1] - 1) / (time.perf_counter() - began)


def figures(frames: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return PSNR and SSIM at each of STEPS, and the energy of all generated frames over the true ones'."""
    made: dict[str, float] = {}
    for k in STEPS:
        made[f"psnr {k}"] = psnr_of(float(np.mean((frames[:, k].astype(np.float64) - truth[:, k]) ** 2)))
    for k in STEPS:
        made[f"ssim {k}"] = float(np.mean(ssim(truth[:, k], frames[:, k])))
    energy = [np.mean([gradient_energy(clip[1:]) for clip in clips]) for clips in (frames, truth)]
    return made | {"energy": float(energy[0] / energy[1])}


def unseen_slots(data: DataConfig) -> list[int]:
    """Return which slots of a caption a first frame does not show, but a window does."""
    grammar = data.open().grammar
    every = list(grammar.slots) * grammar.elements
    return [k for k, slot in enumerate(every) if not slot.visible and slot.name not in HIDDEN]


def swapped(slots: np.ndarray, unseen: list[int]) -> np.ndarray:
    """Return slots (N, S) with what is unseen from the next row that says other things in the same places."""
    out = slots.copy()
    for k, row in enumerate(slots[:, unseen]):
        rest = np.roll(slots[:, unseen], -k - 1, axis=0)
        fits = ((rest > 0) == (row > 0)).all(axis=1) & ((rest != row) | (row == 0)).all(axis=1)
        if fits.any():
            out[k, unseen] = rest[int(np.argmax(fits))]
    return out


def obeyed(reader: nn.Module, frames: np.ndarray, slots: np.ndarray, unseen: list[int]) -> float:
    """Return the share of what was said of things unseen that is read in frames 8 to 15 of (N, T, H, W, 3)."""
    said = slots[:, unseen]
    right = read(reader, frames[:, WINDOW : 2 * WINDOW])[:, unseen] == said
    return float(right[said > 0].mean())


def trained(name: str, out: Path, data: DataConfig, trainer: TrainerConfig) -> tuple[NextFrameNetwork, float]:
    """Train a run, or what is left of it; return its network and its mean training steps a second."""
    before, make = RUNS[name]
    run: Any = make(data, trainer)
    if before is not None:
        trained(before, out, data, trainer)
        run = run.model_copy(update={"start": out / before / "next"})
    done = train(run, out / name, resume=True)
    lines = (out / name / "runs" / "next" / "log.jsonl").read_text().splitlines()
    return NextFrame.from_pretrained(done.weights), float(
        np.mean([json.loads(line)["steps_per_second"] for line in lines])
    )


def main() -> None:
    """Train, and print a row a run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--only", default=",".join(RUNS), help="names, joined by commas")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--reader-steps", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write the table")
    args = parser.parse_args()
    unknown = set(args.only.split(",")) - set(RUNS)
    if unknown:
        parser.error(f"no run {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    data = DataConfig(kind=args.kind, path=args.data, count=512 if args.kind in DRAWN else 256)
    trainer = TrainerConfig(
        steps=args.steps, batch=args.batch, precision="bf16", channels_last=True, threads=1, sample_every=0,
        tensorboard=False, schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
    )  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    slots, truth = held_out(data, args.clips)
    unseen = unseen_slots(data)
    reader = window_reader(data.open(), args.out / "reader", args.reader_steps)
    other = swapped(slots, unseen)
    table = {
        "copy last": figures(np.repeat(truth[:, :1], truth.shape[1], axis=1), truth),
        "true": {"caption": obeyed(reader, truth, slots, unseen)},
    }
    for name in args.only.split(","):
        network, rate = trained(name, args.out, data, trainer)
        frames, speed = rolled(network, slots, truth)
        size = sum(p.numel() for p in network.parameters()) / 1e6
        swaps = rolled(network, other, truth)[0]
        table[name] = figures(frames, truth) | {
            "caption": obeyed(reader, frames, slots, unseen), "swap": obeyed(reader, swaps, other, unseen),
            "M params": size, "steps/s": rate, "frames/s": speed,
        }  # fmt: skip
    columns = list(table[name])
    print(f"{len(truth)} held-out clips of {args.kind}, {args.steps} steps of {args.batch}")
    print(f"{'':16}" + "".join(f"{column:>10}" for column in columns))
    for name, row in table.items():
        print(f"{name:16}" + "".join(f"{row[c]:10.3f}" if c in row else f"{'':10}" for c in columns))
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
