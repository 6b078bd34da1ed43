"""How a film goes on when its caption changes: python benchmarks/caption_change.py PARTS [--clips 64] [--json FILE]

Sprites of held-out looks do one thing for 16 frames and another, facing another way, for 16 more. The truth is known:
every frame after the change is compared with all frames of all actions of the same look. The table shows, at frames
1, 4, 8 and 16 after the change, in which share of the films the nearest true frame is one of the new action and facing,
and the PSNR (dB) to the nearest frame of these. Side by side: `cut` (a first frame of the new caption, drawn anew, and
so as good as a film that begins with that caption), `carry` (from the newest frame alone), and the whole history kept.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import Figure, write_run
from torch import Tensor

from moviola.core.ranges import from_network
from moviola.core.seeds import normal_rows, numpy_generator
from moviola.data.toys import sprites
from moviola.data.toys.sprites_grammar import ACTIONS, FACINGS
from moviola.models.catalog import load
from moviola.models.nextframe import Change, push, stream

FRAMES, SHOWN = 16, (1, 4, 8, 16)


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of slots before and after: the same look, another action or facing."""
    before = np.stack([sprites.random_slots(numpy_generator(9, i), held=True) for i in range(count)])
    after, rng = before.copy(), numpy_generator(5)
    for row in after:
        old = tuple(row[6:])
        while tuple(row[6:]) == old:
            row[6:] = sprites.random_slots(rng)[6:]
    return before, after


@torch.no_grad()
def kept_whole(network: Any, first: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Roll out with nothing forgotten at the change; float32 (B, T, 3, H, W)."""
    history = first.new_zeros(len(first), network.config.history, *first.shape[1:])
    count, frame, made = torch.zeros(len(first), dtype=torch.int64), first, []
    for number in range(2 * FRAMES):
        made.append(frame)
        history, count = push(history, count, frame)
        frame = network(history, count, before if number + 1 < FRAMES else after).clamp(-1, 1)
    return torch.stack(made, dim=1)


def films(before: np.ndarray, after: np.ndarray) -> dict[str, np.ndarray]:
    """Return the frames after the change, uint8 (N, 16, 64, 64, 3), by how the film goes on."""
    model = load("sprites")
    old, new = torch.from_numpy(before), torch.from_numpy(after)
    noise = normal_rows(0, list(range(len(before))), model.first.config.latent)
    with torch.no_grad():
        start, anew = (model.first(rows, noise).clamp(-1, 1) for rows in (old, new))
    made = {}
    for name, frame in (("cut", anew), ("carry", None)):
        endless = stream(model.next, start, old, {FRAMES: Change(new, frame)})
        made[name] = torch.stack([next(endless) for _ in range(2 * FRAMES)], dim=1)[:, FRAMES:]
    made["whole history"] = kept_whole(model.next, start, old, new)[:, FRAMES:]
    return {name: from_network(frames).numpy() for name, frames in made.items()}


def distances(row: np.ndarray, frames: np.ndarray, parts: sprites.Sheets) -> tuple[np.ndarray, np.ndarray]:
    """Return squared errors to the nearest true frame of the row's action, and of any other; each (T,)."""
    nearest = {True: np.full(len(frames), np.inf), False: np.full(len(frames), np.inf)}
    for action in range(len(ACTIONS)):
        for facing in range(len(FACINGS)):
            other = row.copy()
            other[6:] = action + 1, facing + 1
            if not sprites.GRAMMAR.allows(other):
                continue
            truth = sprites.clip_frames(parts, other, range(sprites.cycle_length(other)))
            error = (
                np.square(frames[:, None].astype(np.float32) - truth[None]).mean(axis=(2, 3, 4)).min(axis=1)
            )
            mine = bool((other == row).all())
            nearest[mine] = np.minimum(nearest[mine], error)
    return nearest[True], nearest[False]


def main() -> None:
    """Print a row a form, and write them with --json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", type=Path)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    before, after = pairs(args.clips)
    parts, figures = sprites.sheets(str(args.parts)), list[Figure]()
    for name, frames in films(before, after).items():
        found = [distances(row, clip, parts) for row, clip in zip(after, frames, strict=True)]
        mine, other = (np.stack(error) for error in zip(*found, strict=True))
        for step in SHOWN:
            at = step - 1
            share = float((mine[:, at] <= other[:, at]).mean())
            psnr = 10 * math.log10(255**2 / mine[:, at].mean())
            print(f"{name:<20} frame {step:>2}  nearest is of the new caption {share:.2f}  {psnr:.1f} dB")
            where = f"{name}, frame {step} after the change"
            figures.append({"name": f"new caption seen, {where}", "value": share, "better": "higher"})
            figures.append({"name": f"PSNR, {where}", "value": psnr, "unit": "dB", "better": "higher"})
    if args.json is not None:
        command = f"python benchmarks/caption_change.py PARTS --clips {args.clips}"
        title = f"{args.clips} films whose caption changes after {FRAMES} frames"
        write_run(args.json, model="sprites", title=title, command=command, threads=1, figures=figures)


if __name__ == "__main__":
    main()
