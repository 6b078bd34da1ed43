"""Next-frame PSNR of roll-outs on held-out looks: FiLM against copying the last frame and against concatenation.

    python benchmarks/next_frame_psnr.py PARTS --model DIR_OR_NAME [--model ...] [--clips 256]

Every roll-out begins from the real first frame and the caption; PSNR (dB, peak 255) is of the mean squared error over
all clips at that step. The concatenating form comes from the recipe `nextframe_sprites_concat`; compare runs of equal
length.
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
from moviola.data.captioned import SpriteClips
from moviola.data.toys import sprites
from moviola.models.catalog import model_folder
from moviola.models.nextframe import NextFrameUNet, rollout

STEPS = (1, 4, 8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Return the PSNR of two uint8 arrays in dB."""
    return 10 * math.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2))


def main() -> None:
    """Print a row a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=Path)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--clips", type=int, default=256)
    args = parser.parse_args()
    torch.set_num_threads(1)
    held = SpriteClips(args.parts, held=True)
    rows = np.stack([sprites.random_slots(numpy_generator(3, i), held=True) for i in range(args.clips)])
    truth = np.stack([held.of(r).read(np.arange(max(STEPS) + 1)) for r in rows])
    table = {"copy last": {f"step {k}": psnr(truth[:, 0], truth[:, k]) for k in STEPS}}
    for name in args.model:
        network = NextFrameUNet.from_pretrained(model_folder(name) / "next")
        made = []
        for start in range(0, len(rows), 32):
            first = to_network(torch.from_numpy(truth[start : start + 32, 0]))
            slots = torch.from_numpy(rows[start : start + 32])
            made.append(from_network(rollout(network, first, slots, max(STEPS) + 1)).numpy())
        frames = np.concatenate(made)
        table[name] = {f"step {k}": psnr(frames[:, k], truth[:, k]) for k in STEPS}
    print(f"{args.clips} held-out clips; dB at steps {STEPS}; 'copy last' repeats the given first frame")
    for name, values in table.items():
        print(f"{name:<40}" + "".join(f"{v:8.2f}" for v in values.values()))
    print(json.dumps(table))


if __name__ == "__main__":
    main()
