"""How long `moviola --help` takes as a whole process, beside an empty Python and `import typer`.

    python benchmarks/help_time.py [runs]

Claim: under 0.3 s on two cores. The three commands alternate, so that what else the machine does hits all alike; the
median and the fastest of the runs are printed, and the ratio to the empty process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import typer'": ["-c", "import typer"],
    "moviola --help": ["-m", "moviola", "--help"],
}
LIMIT_SECONDS = 0.3


def seconds(arguments: list[str]) -> float:
    """Run the interpreter with `arguments` once; return wall-clock seconds from start to exit."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main(runs: int) -> None:
    """Time every command `runs` times, after one run each that fills the caches."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_number in range(runs + 1):
        for name, arguments in COMMANDS.items():
            taken = seconds(arguments)
            if round_number:
                times[name].append(taken)
    base = statistics.median(times["python -c pass"])
    print(f"{'':<26} {'median':>8} {'fastest':>8} {'ratio':>7}   ({runs} runs, seconds)")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:<26} {median:>8.3f} {min(taken):>8.3f} {median / base:>6.1f}x")
    verdict = "holds" if statistics.median(times["moviola --help"]) < LIMIT_SECONDS else "DOES NOT HOLD"
    print(f"claim: moviola --help under {LIMIT_SECONDS} s: {verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
