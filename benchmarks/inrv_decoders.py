"""The decoders of INR-V against each other: the paper's hypernetwork, low rank, mixture, FiLM-SIREN, factorised, conv.

    python benchmarks/inrv_decoders.py time DATA [--clips 16 --size 32 --to 30 --limit 150]
    python benchmarks/inrv_decoders.py equal DATA [--clips 40 --held 8 --size 64 --seconds 300] [--out FILE.json]

`time` prints the CPU seconds to a train PSNR; `equal` trains each for the same CPU time and prints train PSNR, PSNR of
clips held out (their codes fitted by Adam, the decoder fixed), FVD and KVD of samples by slerp against the training
clips with interval and floor, bytes in float16, and rendered frames a second; with --out also JSON, and a plot of the
train PSNR over time beside it (.png).

What is equal: 128 latent values a video; about 15,000 multiply-adds a pixel (width 64 where a network runs at each
pixel, 256 where axes are apart, convolutions of 96 to 16 channels), except that this gives networks of different
sizes, which the table shows; 32,768 pixels a step (points of 16 clips, or whole frames for the two that draw frames
cheaper than points); L1 in float32; RowAdam, one thread. Nothing is tuned for a method but its learning rate, the
better of two after 20 s; `equal` lets it fall by a cosine. Times are CPU seconds of the process, without evaluation.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.ranges import from_network, to_network
from moviola.core.video import Video
from moviola.data.whole_clips import WholeClips
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.training.row_adam import RowAdam

KINDS = ("hyper", "low-rank", "mixture", "film-siren", "factorised", "conv")
RACED = ("hyper", "low-rank", "film-siren", "factorised")
BY_FRAMES = ("factorised", "conv")
RATES, LATENT_RATE = (5e-4, 2e-3), 1e-2
PIXELS = 32_768  # a step
TRIAL = 20.0  # CPU seconds that choose a learning rate


@dataclass
class Run:
    """A training: the model, the CPU seconds spent, steps done, and (seconds, dB) on the way."""

    model: InrvModel
    rate: float
    optimizer: torch.optim.Optimizer
    random: torch.Generator
    seconds: float = 0.0
    steps: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)


def load(
    path: Path, size: int, frames: int, stride: int, clips: int | None, loop: bool
) -> tuple[Tensor, float]:
    """Return clips, uint8 (V, T, H, W, 3), and their frame rate."""
    table = WholeClips(path, size, size, frames, stride, loop=loop, limit=clips)
    return torch.stack([torch.from_numpy(table.read(i)) for i in range(len(table))]), table.fps


def rows_of(model: InrvModel, captions: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return (row of the codebook, number of the clip) for clips by caption; in order where captions repeat."""
    names = model.config.captions
    if len(set(captions)) < len(captions):
        return [(i, i) for i in range(min(len(names), len(captions)))]
    places = {caption: number for number, caption in enumerate(captions)}
    return [(row, places[name]) for row, name in enumerate(names) if name in places]


def make_model(kind: str, clips: Tensor, fps: float, **changes: Any) -> InrvModel:
    """Return the seeded model of a decoder for clips (V, T, H, W, 3)."""
    torch.manual_seed(0)
    count, frames, height, width = clips.shape[:4]
    settings = {
        "frames": frames, "height": height, "width": width, "fps": fps, "captions": ("",) * count, "latent": 128,
        "decoder": kind, "hidden": 256 if kind == "factorised" else 64, "head_hidden": 128, "init_std": 0.1,
        "widths": (96, 64, 48, 32, 16)[: max(size_steps(height), 1)],
    }  # fmt: skip
    return InrvModel(InrvConfig(**{**settings, **changes}))


def size_steps(side: int) -> int:
    """Return how many widths a convolutional decoder of frames of `side` px has: 4, 8 ... side."""
    return int(math.log2(side)) - 1


def start(model: InrvModel, rate: float) -> Run:
    """Return a training that has not begun."""
    rest = [p for name, p in model.named_parameters() if name != "codebook"]
    groups = [{"params": rest, "lr": rate}, {"params": [model.codebook], "lr": LATENT_RATE, "rows": True}]
    return Run(model, rate, RowAdam(groups, fused=True), torch.Generator().manual_seed(0))


def loss_of(model: InrvModel, codes: Tensor, clips: Tensor, random: torch.Generator) -> Tensor:
    """Return the L1 distance at random pixels of clips (B, T, H, W, 3) to what codes (B, D) decode to."""
    batch, frames, height, width = clips.shape[:4]
    if model.config.decoder in BY_FRAMES:
        count = min(frames, max(1, PIXELS // (batch * height * width)))
        numbers = torch.stack([torch.randperm(frames, generator=random)[:count] for _ in range(batch)])
        wanted = to_network(clips[torch.arange(batch)[:, None], numbers])
        return (model.decode(codes, numbers.float()) - wanted).abs().mean()
    index = torch.randint(frames * height * width, (batch, PIXELS // batch), generator=random)
    y, x = model.axes()
    rest = index % (height * width)
    points = torch.stack(
        [model.times((index // (height * width)).float()), y[rest // width], x[rest % width]], dim=-1
    )
    colours = clips.flatten(1, 3)[torch.arange(batch)[:, None], index].float() / 127.5 - 1
    return (model.decoder.points(model.decoder.prepare(codes), points) - colours).abs().mean()


def train(run: Run, clips: Tensor, until: float, schedule: Callable[[float], float] | None = None) -> None:
    """Train until `until` CPU seconds are spent; `schedule` maps the spent share to a factor of the rates."""
    height, width = clips.shape[2:4]
    batch = min(16, len(clips))
    if run.model.config.decoder in BY_FRAMES:
        batch = min(batch, max(1, PIXELS // (height * width)))
    first = [group["lr"] for group in run.optimizer.param_groups]
    begun, before = time.process_time(), run.seconds
    while run.seconds < until:
        if schedule is not None:
            for group, rate in zip(run.optimizer.param_groups, (run.rate, LATENT_RATE), strict=True):
                group["lr"] = rate * schedule(run.seconds / until)
        rows = torch.randperm(len(clips), generator=run.random)[:batch]
        loss = loss_of(run.model, run.model.codebook[rows], clips[rows], run.random)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        run.optimizer.step()
        run.steps += 1
        run.seconds = before + time.process_time() - begun
    for group, rate in zip(run.optimizer.param_groups, first, strict=True):
        group["lr"] = rate


@torch.no_grad()
def draw_clip(model: InrvModel, code: Tensor) -> np.ndarray:
    """Return the video of a code (1, D), uint8 (T, H, W, 3)."""
    pieces = list(model.render(code, torch.arange(model.config.frames).float()))
    return from_network(torch.cat(pieces)).numpy()


@torch.no_grad()
def psnr(model: InrvModel, codes: Tensor, clips: Tensor) -> float:
    """Return the mean PSNR of clips (V, T, H, W, 3) and the videos of codes (V, D), dB."""
    values = []
    for code, clip in zip(codes, clips, strict=True):
        gap = draw_clip(model, code[None]).astype(np.float32) - clip.numpy()
        values.append(10 * math.log10(255**2 / max(float((gap**2).mean()), 1e-9)))
    return float(np.mean(values))


def invert(model: InrvModel, clips: Tensor, steps: int = 150) -> tuple[Tensor, float]:
    """Fit codes to clips by Adam, the network fixed; return them (V, D) and the CPU seconds.

    The rate is a fifth of the spread of the training codes, so that it means the same to every method.
    """
    known = model.codebook.detach()
    codes = known.mean(dim=0).repeat(len(clips), 1).requires_grad_()
    rate, random = 0.2 * float(known.std(dim=0).mean()), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam([codes], lr=rate)
    begun = time.process_time()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        codes.grad = torch.autograd.grad(loss_of(model, codes, clips, random), codes)[0]
        optimizer.step()
    return codes.detach(), time.process_time() - begun


def cosine(share: float) -> float:
    """Return the factor of the learning rate at a share of the time, 1 to 0.02."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1)))


# -- time to a PSNR ---------------------------------------------------------------------------------------


def time_to(kind: str, clips: Tensor, fps: float, wanted: float, limit: float) -> dict[str, Any]:
    """Train with both learning rates for the trial's time, go on with the better one; return its way to `wanted`."""
    runs = [start(make_model(kind, clips, fps), rate) for rate in RATES]
    for run in runs:
        while run.seconds < TRIAL and not (run.curve and run.curve[-1][1] >= wanted):
            train(run, clips, run.seconds + 1)
            run.curve.append((run.seconds, psnr(run.model, run.model.codebook, clips)))
    # those that are there already come first, the quickest of them; then the better one
    run = max(runs, key=lambda r: (0, -r.seconds) if r.curve[-1][1] >= wanted else (-1, r.curve[-1][1]))
    while run.curve[-1][1] < wanted and run.seconds < limit:
        train(run, clips, run.seconds + 2)
        run.curve.append((run.seconds, psnr(run.model, run.model.codebook, clips)))
    reached = run.curve[-1][1] >= wanted
    return {
        "kind": kind, "rate": run.rate, "seconds": round(run.seconds, 1) if reached else None, "steps": run.steps,
        "psnr": round(run.curve[-1][1], 2), "curve": run.curve, "steps_a_second": round(run.steps / run.seconds, 1),
        "values": count_values(run.model),
    }  # fmt: skip


def count_values(model: InrvModel) -> int:
    """Return the values of decoder and codebook."""
    return sum(p.numel() for p in model.decoder.parameters()) + model.codebook.numel()


def print_times(rows: list[dict[str, Any]], wanted: float) -> None:
    """Print the table of `time`."""
    until = f"s to {wanted:g} dB"
    print(f"{'decoder':12s} {'values':>9s} {'rate':>7s} {'steps/s':>8s} {until:>12s} {'last dB':>8s}")
    for r in rows:
        when = "not reached" if r["seconds"] is None else f"{r['seconds']:.1f}"
        begun = f"{r['kind']:12s} {r['values']:9d} {r['rate']:7.0e} {r['steps_a_second']:8.1f}"
        print(f"{begun} {when:>12s} {r['psnr']:8.2f}")


# -- equal time -------------------------------------------------------------------------------------------


def equal_time(
    kind: str, clips: Tensor, held: Tensor, fps: float, seconds: float, **changes: Any
) -> tuple[InrvModel, dict[str, Any]]:
    """Train a decoder for so many CPU seconds and measure all but the samples; `changes` of the model's settings."""
    trials = []
    for rate in RATES:
        trial = start(make_model(kind, clips, fps, **changes), rate)
        train(trial, clips, min(TRIAL, seconds), cosine)
        trials.append((psnr(trial.model, trial.model.codebook[:8], clips[:8]), rate))
    run = start(make_model(kind, clips, fps, **changes), max(trials)[1])
    marks = 8
    for k in range(1, marks + 1):
        train(run, clips, seconds * k / marks, lambda share, k=k: cosine(share * k / marks))
        run.curve.append((run.seconds, psnr(run.model, run.model.codebook[:8], clips[:8])))
    model = run.model.requires_grad_(False)
    model.codes.copy_(model.codebook)
    codes, fitting = invert(model, held)
    return model, {
        "kind": kind, "rate": run.rate, "trials": trials, "steps": run.steps, "curve": run.curve,
        "train_psnr": round(psnr(model, model.codes, clips), 2), "held_psnr": round(psnr(model, codes, held), 2),
        "fitting_seconds": round(fitting, 1), "bytes": 2 * count_values(model),
        "frames_a_second": round(frames_a_second(model), 1),
    }  # fmt: skip


def frames_a_second(model: InrvModel) -> float:
    """Return how many frames of the training size one thread renders a CPU second; the best of 3."""
    best = math.inf
    for _ in range(3):
        begun = time.process_time()
        draw_clip(model, model.codes[:1])
        best = min(best, time.process_time() - begun)
    return model.config.frames / best


def score(real: list[Video], fake: list[Video]) -> dict[str, Any]:
    """Return FVD and KVD by `moviola.evaluate`, each with interval and floor."""
    from moviola.metrics.protocol import Protocol
    from moviola.pipelines.evaluate import evaluate

    report = evaluate(real, fake, ["fvd", "kvd"], Protocol(frames=len(real[0])), device="cpu")
    out = {}
    for key in ("fvd", "kvd"):
        s = report[key]
        out[key] = {
            "value": s.value,
            "low": s.low,
            "high": s.high,
            "floor": s.floor,
            "floor_how": s.floor_how,
        }
    return out


def samples(model: InrvModel, count: int, method: str = "slerp") -> list[Video]:
    """Draw novel videos."""
    codes = model.draw(0, range(count), method)
    return [Video(draw_clip(model, code[None]), model.fps) for code in codes]


def print_equal(rows: list[dict[str, Any]]) -> None:
    """Print the table of `equal`."""
    print(
        f"{'decoder':11s} {'rate':>6s} {'steps':>6s} {'train dB':>8s} {'held dB':>8s} "
        f"{'FVD (interval; floor)':>30s} {'KVD (interval; floor)':>30s} {'kB':>6s} {'frames/s':>8s}"
    )
    for r in rows:
        told = []
        for key, digits in (("fvd", 0), ("kvd", 2)):
            s = r.get(key)
            told.append(
                "" if s is None else
                f"{s['value']:.{digits}f} ({s['low']:.{digits}f} to {s['high']:.{digits}f}; {s['floor']:.{digits}f})"
            )  # fmt: skip
        print(
            f"{r['kind']:11s} {r['rate']:6.0e} {r['steps']:6d} {r['train_psnr']:8.2f} {r['held_psnr']:8.2f} "
            f"{told[0]:>30s} {told[1]:>30s} {r['bytes'] / 1000:6.0f} {r['frames_a_second']:8.1f}"
        )


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw train PSNR over CPU seconds, a line a decoder."""
    from PIL import Image, ImageDraw

    from moviola.data.pictures import write_png

    colours = ("#1f5fa8", "#d1495b", "#2e8b57", "#e0a030", "#7a4fa3", "#333333")
    image = Image.new("RGB", (720, 440), "white")
    pen = ImageDraw.Draw(image)
    points = [p for r in rows for p in r["curve"]]
    end, low, high = max(p[0] for p in points), min(p[1] for p in points), max(p[1] for p in points)
    low, high = math.floor(low), max(math.ceil(high), math.floor(low) + 1)

    def place(seconds: float, value: float) -> tuple[float, float]:
        return 60 + 500 * seconds / end, 390 - 360 * (value - low) / (high - low)

    for value in range(low, high + 1):
        pen.line([place(0, value), place(end, value)], fill="#e4e4e4")
        pen.text(place(0, value), f"{value} dB ", fill="black", anchor="rm")
    for k in range(5):
        pen.text((60 + 125 * k, 402), f"{end * k / 4:.0f} s", fill="black", anchor="ma")
    for number, r in enumerate(rows):
        pen.line([place(*p) for p in r["curve"]], fill=colours[number % 6], width=3)
        pen.text((575, 40 + 22 * number), f"{r['kind']} {r['curve'][-1][1]:.1f} dB", fill=colours[number % 6])
    pen.text((60, 8), "train PSNR over CPU seconds, one thread", fill="black")
    write_png(path, np.asarray(image))


def run_equal(given: argparse.Namespace) -> None:
    """Do `equal`, writing what there is after each decoder."""
    clips, fps = load(given.data, given.size, given.frames, given.stride, given.clips, given.loop)
    apart = torch.zeros(len(clips), dtype=torch.bool)
    apart[torch.linspace(2, len(clips) - 1, given.held).long()] = True
    train_clips, held = clips[~apart], clips[apart]
    real = [Video(clip.numpy(), fps) for clip in train_clips]
    rows: list[dict[str, Any]] = []
    for kind in given.only or KINDS:
        model, row = equal_time(kind, train_clips, held, fps, given.seconds)
        if given.samples:
            row |= score(real, samples(model, given.samples))
        rows.append(row)
        print_equal(rows[-1:])
        if given.out:
            result = {"settings": {k: str(v) for k, v in vars(given).items()}, "rows": rows}
            given.out.write_text(json.dumps(result, indent=1))
            plot(rows, given.out.with_suffix(".png"))
    print_equal(rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("time", "equal"))
    parser.add_argument("data", type=Path)
    for name, value in (
        ("clips", None),
        ("held", 8),
        ("size", None),
        ("frames", 18),
        ("stride", 4),
        ("samples", 32),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in (("seconds", 300.0), ("to", 30.0), ("limit", 150.0)):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--no-loop", dest="loop", action="store_false")
    parser.add_argument("--only", nargs="+", choices=KINDS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "equal":
        given.clips, given.size = given.clips or 40, given.size or 64
        run_equal(given)
        return
    clips, fps = load(given.data, given.size or 32, given.frames, given.stride, given.clips or 16, given.loop)
    rows = [time_to(kind, clips, fps, given.to, given.limit) for kind in given.only or RACED]
    print_times(rows, given.to)
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1))
        plot(rows, given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
