"""Judge two sets of toy clips without any network: one moves as the real ones do, one hardly moves at all.

    python examples/evaluate.py FOLDER

It takes a few seconds. Motion tells the two apart; flicker alone would call the still one the best.
"""

from __future__ import annotations

import sys
from pathlib import Path

import moviola as mv
from moviola.data.toys.digits import Config
from moviola.data.toys.write import write_dataset
from moviola.metrics.protocol import find_protocol


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    lively = Config(size=32, frames=8, elements=(1, 1), travel=(0.2, 0.2))
    dull = lively.model_copy(update={"travel": (0.01, 0.01)})
    for name, config, seed in (("real", lively, 0), ("lively", lively, 1), ("dull", dull, 1)):
        write_dataset("digits", 5, folder / name, seed=seed, config=config)

    for name in ("lively", "dull"):
        protocol = find_protocol("quick").with_overrides(["frames=8"])
        metrics = ["fvmd-lk", "motion", "flicker"]
        report = mv.evaluate(folder / "real", folder / name, metrics, protocol)
        print(f"{name} against real:")
        for key, score in report.scores.items():
            beside = f"floor {score.floor:.4g}" if score.floor is not None else f"real {score.reference:.4g}"
            print(f"  {key:<8} {score.value:8.4g}  ({score.low:.4g} to {score.high:.4g}; {beside})")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "judged"))
