"""Next-frame PSNR of roll-outs against copying the last frame.

    python benchmarks/next_frame_psnr.py sprites PARTS --model sprites [--model DIR ...] [--clips 256]
    python benchmarks/next_frame_psnr.py actions STRIPS --model actions [--clips 64]

Every roll-out begins from a real frame and the caption. PSNR (dB, peak 255) is of the mean squared error over all clips
at that step; "copy last" repeats the given frame. Sprites: looks that no network was trained on; a model trained by the
recipe `nextframe_sprites_concat` shows the source document's form (compare runs of equal length). Actions: the people
trained on, and the one never seen, each from a given image, so that clothes and side are not said.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import numpy_generator
from moviola.data.actions import ActionClips
from moviola.data.captioned import SpriteClips
from moviola.data.toys import sprites
from moviola.models.catalog import model_folder
from moviola.models.nextframe import NextFrame, NextFrameNetwork, rollout

STEPS = (1, 4, 8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Return the PSNR of two uint8 arrays in dB."""
    return 10 * math.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2))


def sprite_clips(parts: Path, count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return slots and frames of held-out sprite clips from the first frame of their cycle on."""
    held = SpriteClips(parts, held=True)
    rows = np.stack([sprites.random_slots(numpy_generator(3, i), held=True) for i in range(count)])
    return {"held-out looks": (rows, np.stack([held.of(r).read(np.arange(max(STEPS) + 1)) for r in rows]))}


def action_clips(strips: Path, count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return slots (the action alone) and frames of clips that begin anywhere, of people seen and unseen."""
    found = {}
    for name, held in (("people trained on", False), ("a person never seen", True)):
        clips, rng = ActionClips(strips, held=held), numpy_generator(4, name)
        slots, frames = [], []
        for _ in range(count):
            clip = clips.draw(rng)
            start = int(rng.integers(clip.length - max(STEPS)))
            slots.append([0, int(clip.slots[1]), 0, 0])
            frames.append(clip.read(np.arange(start, start + max(STEPS) + 1)))
        found[name] = (np.array(slots), np.stack(frames))
    return found


def rolled(network: NextFrameNetwork, slots: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Roll out from the first true frames; uint8 (N, T, H, W, 3)."""
    made = []
    for start in range(0, len(slots), 32):
        first = to_network(torch.from_numpy(truth[start : start + 32, 0]))
        made.append(
            from_network(rollout(network, first, torch.from_numpy(slots[start : start + 32]), truth.shape[1]))
        )
    return torch.cat(made).numpy()


def main() -> None:
    """Print a row a model and set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("sprites", "actions"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--clips", type=int, default=256)
    args = parser.parse_args()
    torch.set_num_threads(1)
    sets = (sprite_clips if args.kind == "sprites" else action_clips)(args.data, args.clips)
    table: dict[str, dict[str, float]] = {}
    for name, (slots, truth) in sets.items():
        table[f"copy last, {name}"] = {f"step {k}": psnr(truth[:, 0], truth[:, k]) for k in STEPS}
        for model in args.model:
            network = NextFrame.from_pretrained(model_folder(model) / "next")
            frames = rolled(network, slots, truth)
            table[f"{model}, {name}"] = {f"step {k}": psnr(frames[:, k], truth[:, k]) for k in STEPS}
    print(f"{args.clips} clips; dB at steps {STEPS}")
    for name, values in table.items():
        print(f"{name:<60}" + "".join(f"{v:8.2f}" for v in values.values()))
    print(json.dumps(table))


if __name__ == "__main__":
    main()
