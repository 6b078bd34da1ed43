"""How long `generate` of 16 frames takes: as a whole process, and once the model is loaded.

    python benchmarks/generate_time.py [--model sprites] [--runs 5]

The peer in the same table is what any program pays before it can begin: a Python process that only imports PyTorch.
Medians of --runs, in seconds, on two CPU threads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PROMPT = {
    "sprites": "a person with green hair, a white shirt, red trousers and brown boots walks to the left",
    "actions": "a person waves both hands",
}


def process_seconds(arguments: list[str], runs: int) -> float:
    """Return the median wall time of a Python process with these arguments."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - started)
    return median(times)


def loaded_seconds(model: str, runs: int) -> float:
    """Return the median wall time of `generate` with a loaded model, after one warm-up."""
    import torch

    import moviola as mv

    torch.set_num_threads(2)
    loaded = mv.load(model)
    times = []
    for seed in range(runs + 1):
        started = time.perf_counter()
        mv.generate(PROMPT.get(model, loaded.config.grammar.example()), model=loaded, frames=16, seed=seed)
        times.append(time.perf_counter() - started)
    return median(times[1:])


def main() -> None:
    """Print the three figures and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="sprites")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "out.mp4")
        prompt = PROMPT.get(args.model, "")
        command = ["-m", "moviola", "generate", prompt, "--model", args.model, "--frames", "16", "-o", output]
        figures = {
            "import torch (process)": process_seconds(["-c", "import torch"], args.runs),
            "generate 16 frames (process)": process_seconds(command, args.runs),
            "generate 16 frames (loaded)": loaded_seconds(args.model, args.runs),
        }
    for name, seconds in figures.items():
        print(f"{name:<30} {seconds:7.3f} s")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
