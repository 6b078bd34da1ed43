"""What is left of a roll-out after 100, 200 and 300 frames.

    python benchmarks/rollout_drift.py sprites PARTS --model sprites
    python benchmarks/rollout_drift.py actions STRIPS --model actions --clips 64 --at 16 64
    python benchmarks/rollout_drift.py actions STRIPS --model actions --clips 64 --at 16 64 --held
    python benchmarks/rollout_drift.py digits --model digits [--sheet digits.png] [--json]

A reader (a small network, not shipped) is trained on windows of 8 frames of real clips, at any phase, and reads every
slot of the caption. Then the model draws clips of captions drawn by the seed, and the reader reads windows of them that
begin at the frames --at. Beside what is read right, for each window over that of the first of --at: sharpness, the
energy of the spatial gradient; motion, the mean absolute difference of neighbouring frames; and background, the mean
absolute change, in grey levels, of the pixels that stood still in the first window. `figure` is the gradient's energy
where something moves, over that of real windows with the same caption. --slot tells which slot has to be read, all by
default. With --held clips go on from real first frames of clips held out of training, under their captions. Where those
repeat, as drawn ones do, a second row a window compares it with the true clip at the same frames: what is read of that
one, sharpness and motion over its own, and the mean absolute error, in grey levels, where it shows its background. That
is the fair comparison: windows of another phase move faster or slower by themselves. The reader stays in --work.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from slot_reader import fit_reader
from torch import Tensor, nn

from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import numpy_generator
from moviola.data.loader import Clips, Sample
from moviola.data.pictures import write_png
from moviola.models.catalog import load
from moviola.models.textvideo import TextToVideo
from moviola.recipes.base import DataConfig

WINDOW = 8
STILL = 8  # grey levels that a pixel of the background may change within a window
MOVES = 40  # grey levels that a pixel of the figure changes at least
SHOWN = (0, 8, 16, 32, 64, 100, 150, 200, 250, 300)
HIDDEN = ("moment",)  # slots that a window does not show


class Reader(nn.Module):
    """Reads the slots from a window: a small CNN a frame, then a convolution over time."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.frame = nn.Sequential(
            nn.Conv2d(12, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 96, 3, stride=2, padding=1),
            nn.BatchNorm2d(96),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(96 * 64, 192),
            nn.ReLU(),
        )
        self.time = nn.Sequential(nn.Conv1d(192, 192, 3, padding=1), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(3 * 192, n + 1) for n in sizes)

    def forward(self, clips: Tensor) -> list[Tensor]:
        """Map (B, 8, 3, 64, 64) in [-1, 1] to logits of the values 0 .. n, one tensor a slot."""
        x = self.frame(F.pixel_unshuffle(clips.flatten(0, 1), 2)).unflatten(0, (len(clips), -1))
        t = self.time(x.transpose(1, 2))
        x = torch.cat([x.mean(1), t.amax(2), t.mean(2)], dim=1)
        return [head(x) for head in self.heads]


class Windows:
    """Windows of real clips, from any frame on."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return clip uint8 (8, H, W, 3) and slots int64 (S,)."""
        clip = self.clips.draw(rng)
        start = int(rng.integers(clip.length if clip.cyclic else max(1, clip.length - WINDOW + 1)))
        index = np.arange(start, start + WINDOW)
        return {
            "clip": clip.read(index if clip.cyclic else index.clip(max=clip.length - 1)),
            "slots": clip.slots,
        }


def window_reader(clips: Clips, work: Path, steps: int) -> nn.Module:
    """Train a reader of windows of `clips`, or take it from `work`; see `fit_reader`."""
    return fit_reader(lambda: Reader(clips.grammar.sizes), Windows(clips), work, steps)


@torch.no_grad()
def read(reader: nn.Module, windows: np.ndarray) -> np.ndarray:
    """Return the slots read from windows, uint8 (N, 8, H, W, 3): int64 (N, S)."""
    clips = to_network(torch.from_numpy(windows))
    rows = [torch.stack([logit.argmax(1) for logit in reader(c)], dim=1) for c in clips.split(32)]
    return torch.cat(rows).numpy()


def drawn(model: TextToVideo, seed: int, clips: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the slots and the frames of clips that the seed draws, uint8 (N, T, H, W, 3)."""
    rows, films = [], []
    for index in range(clips):
        slots, _ = model.fill(seed, index)
        pieces = model.stream_slots(slots, frames, seed=seed, index=index)
        rows.append(slots.numpy())
        films.append(torch.cat([from_network(piece) for piece in pieces]).numpy())
    return np.stack(rows), np.stack(films)


def continued(
    model: TextToVideo, held: Clips, seed: int, clips: int, frames: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return slots and frames of clips that go on from the first frames of `held`, uint8 (N, T, H, W, 3).

    And the true frames, where clips repeat.
    """
    rows, films, truth = [], [], []
    for index in range(clips):
        clip = held.draw(numpy_generator(seed, "held", index))
        first = to_network(torch.from_numpy(clip.read(np.array([0]))))
        slots = torch.from_numpy(clip.slots)
        pieces = model.stream_slots(slots, frames, seed=seed, index=index, first=first)
        rows.append(clip.slots)
        films.append(torch.cat([from_network(piece) for piece in pieces]).numpy())
        if clip.cyclic:
            truth.append(clip.read(np.arange(frames)))
    return np.stack(rows), np.stack(films), np.stack(truth) if truth else None


def gradient_energy(frames: np.ndarray, where: np.ndarray | None = None) -> float:
    """Return the mean squared difference of neighbouring pixels of (..., H, W, 3), where a mask (..., H, W) is."""
    grey = frames.astype(np.float32).mean(axis=-1)
    energy = np.diff(grey, axis=-1)[..., :-1, :] ** 2 + np.diff(grey, axis=-2)[..., :, :-1] ** 2
    return float(energy.mean() if where is None else energy[where[..., :-1, :-1]].mean())


def moving(windows: np.ndarray, least: int) -> np.ndarray:
    """Where windows (N, T, H, W, 3) change by more than `least` grey levels, for each of their frames, (N, T, H, W)."""
    change = np.ptp(windows.astype(np.int16), axis=1).max(axis=-1) > least
    return np.repeat(change[:, None], windows.shape[1], axis=1)


def real_like(clips: Clips, rows: np.ndarray, slots: list[int]) -> np.ndarray:
    """Return real windows, one for each row, of clips that say the same in `slots` (or any, where none is drawn)."""
    windows, samples = [], Windows(clips)
    for number, row in enumerate(rows):
        made: Sample = {}
        for attempt in range(200):
            made = samples.sample(numpy_generator(5, number, attempt))
            if (made["slots"][slots] == row[slots]).all():
                break
        windows.append(made["clip"])
    return np.stack(windows)


def measure(
    reader: nn.Module, rows: np.ndarray, films: np.ndarray, at: list[int], slots: list[int], real: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return the figures of each window."""
    first = films[:, at[0] : at[0] + WINDOW]
    still = ~moving(first, STILL)[:, 0]
    table: dict[str, dict[str, float]] = {}
    for start in at:
        window = films[:, start : start + WINDOW]
        right = read(reader, window)[:, slots] == rows[:, slots]
        change = np.abs(window[:, 0].astype(np.int16) - first[:, 0]).mean(axis=-1)
        step = [np.abs(np.diff(w.astype(np.int16), axis=1)).mean() for w in (window, first)]
        figure = [gradient_energy(w, moving(w, MOVES)) for w in (window, real)]
        table[f"frame {start}"] = {
            "read": float(right.mean()),
            "whole caption": float(right.all(axis=1).mean()),
            "sharpness": gradient_energy(window) / gradient_energy(first),
            "motion": float(step[0] / step[1]),
            "background": float(change[still].mean()),
            "figure": figure[0] / figure[1],
        }
    return table


def compare(
    reader: nn.Module, rows: np.ndarray, films: np.ndarray, truth: np.ndarray, at: list[int], slots: list[int]
) -> dict[str, dict[str, float]]:
    """Return the figures of each window against those of the true clips at the same frames."""
    table: dict[str, dict[str, float]] = {}
    for start in at:
        window, real = (clips[:, start : start + WINDOW] for clips in (films, truth))
        step = [np.abs(np.diff(w.astype(np.int16), axis=1)).mean() for w in (window, real)]
        background = (real == truth[:, :1, :1, :1]).all(axis=-1)  # the corner's colour
        error = np.abs(window.astype(np.int16) - real).mean(axis=-1)
        table[f"frame {start} against real"] = {
            "real read": float((read(reader, real)[:, slots] == rows[:, slots]).mean()),
            "sharpness": gradient_energy(window) / gradient_energy(real),
            "motion": float(step[0] / step[1]),
            "background": float(error[background].mean()),
        }
    return table


def main() -> None:
    """Print a row a window."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("sprites", "actions", "digits", "icons"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--model", required=True)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--at", type=int, nargs="+", default=[16, 100, 200, 300])
    parser.add_argument("--slot", action="append", help="a slot that counts; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held", action="store_true", help="go on from first frames of clips held out")
    parser.add_argument("--steps", type=int, default=1500, help="of the reader's training")
    parser.add_argument("--work", type=Path, default=Path("runs/readers"))
    parser.add_argument("--sheet", type=Path, help="write frames of the first ten clips")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = DataConfig(kind=args.kind, path=args.data, count=2048)
    clips = data.open()
    reader = window_reader(clips, args.work / args.kind, args.steps)
    names = [slot.name for slot in clips.grammar.slots] * clips.grammar.elements
    slots = [k for k, n in enumerate(names) if n not in HIDDEN and (not args.slot or n in args.slot)]
    model, length = load(args.model), max(args.at) + WINDOW
    truth = None
    if args.held:
        rows, films, truth = continued(model, data.open(held=True), args.seed, args.clips, length)
    else:
        rows, films = drawn(model, args.seed, args.clips, length)
    if args.sheet:
        shown = [k for k in SHOWN if k < films.shape[1]]
        write_png(args.sheet, np.concatenate([np.concatenate(list(f[shown]), axis=1) for f in films[:10]]))
    held = [Windows(data.open(held=args.kind != "actions")).sample(numpy_generator(6, k)) for k in range(128)]
    on_real = read(reader, np.stack([s["clip"] for s in held])) == np.stack([s["slots"] for s in held])
    unseen = [k for k, n in enumerate(names) if n in {s.name for s in clips.grammar.slots if not s.visible}]
    table = measure(reader, rows, films, args.at, slots, real_like(clips, rows, unseen))
    if truth is not None:
        table |= compare(reader, rows, films, truth, args.at, slots)
    table["real windows"] = {"read": float(on_real[:, slots].mean())}
    if args.json:
        print(json.dumps(table))
        return
    print(f"{args.model}: {args.clips} clips, windows of {WINDOW} frames; slots {[names[k] for k in slots]}")
    for name, values in table.items():
        print(f"{name:<24}" + "  ".join(f"{key} {value:.3f}" for key, value in values.items()))


if __name__ == "__main__":
    main()
