"""Make a small set of moving digits, read it back, and see that the truth is where the ink is.

Run it as `python examples/make_digits.py FOLDER`, where FOLDER does not exist yet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from moviola.data.sources import open_source, split
from moviola.data.toys.digits import Config
from moviola.data.toys.write import write_dataset


def main(folder: Path) -> None:
    config = Config(size=64, frames=16, elements=(1, 1), motions=("orbit-clockwise", "left-right"))
    write_dataset("digits", 8, folder, seed=0, config=config)
    source = open_source(folder)
    train, val = split(source, 0.25)
    print(f"{len(source)} clips: {len(train)} to train on, {len(val)} held out")

    truths = [json.loads(line)["truth"] for line in (folder / "captions.jsonl").read_text().splitlines()]
    for index, item in enumerate(source):
        ink = source.read(index).frames[..., 0].astype(float)
        column = (ink.sum(axis=1) * (np.arange(64) + 0.5)).sum(axis=1) / ink.sum(axis=(1, 2))
        moved = np.ptp(column)
        true = np.ptp(np.array(truths[index]["elements"][0]["centres"])[:, 0])
        print(f"{item.name}  {item.caption:<28}  moves {moved:4.1f} px across, the truth says {true:4.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "digits"))
