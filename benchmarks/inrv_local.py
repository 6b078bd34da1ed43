"""Diverse data: a grid of local latents beside a small global one, against one global latent of as many values.

    python benchmarks/inrv_local.py DATA [--clips 260] [--held 20] [--seconds 120] [--decoders low-rank conv]

On the surveillance clips (16 frames at 32 px) each decoder is trained twice for the same CPU time: with 128 global
values a video, and with 32 global ones and a 4x4 grid of 6. The sizes of the networks differ by what the local values
need to enter, which the table shows. The settings are those of `inrv_decoders.py equal`, with its choice of a learning
rate; held-out clips are fitted by the same short Adam loop there. Times are CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from inrv_decoders import equal_time, load

LATENTS: dict[str, dict[str, Any]] = {
    "global": {"latent": 128},
    "local": {"latent": 32, "local_cells": 4, "local": 6},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    for name, value in (("clips", 260), ("held", 20), ("size", 32), ("frames", 16)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--decoders", nargs="+", default=["low-rank", "conv"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips, fps = load(given.data, given.size, given.frames, 1, given.clips, loop=False)
    apart = torch.zeros(len(clips), dtype=torch.bool)
    apart[torch.linspace(2, len(clips) - 1, given.held).long()] = True
    print(f"{int((~apart).sum())} clips to train on, {int(apart.sum())} held out, {given.seconds:.0f} s each")
    print(
        f"{'decoder':10s} {'latents':8s} {'rate':>6s} {'steps':>6s} {'train dB':>9s} {'held-out dB':>12s} {'kB':>6s}"
    )
    rows = []
    for kind in given.decoders:
        for name, changes in LATENTS.items():
            _, row = equal_time(kind, clips[~apart], clips[apart], fps, given.seconds, **changes)
            rows.append(row | {"latents": name})
            figures = (
                f"{row['rate']:6.0e} {row['steps']:6d} {row['train_psnr']:9.2f} {row['held_psnr']:12.2f}"
            )
            print(f"{kind:10s} {name:8s} {figures} {row['bytes'] / 1000:6.0f}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
