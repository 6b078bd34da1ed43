"""What a benchmark measured, as a file for docs/zoo.md: figures, the command, the date and the hardware.

One file a run; `make zoo` puts them into the page. A figure is a dict with `name` and `value`, and where there is
one `low` and `high` (95 % interval), `floor` (real against real), `reference` (the same figure of the real clips, or
of the peer), `unit` and `better` ("lower", "higher", "neither").
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moviola.core.atomic import write_atomic

Figure = dict[str, Any]


def hardware(threads: int) -> str:
    """Return this machine's processor and what of it was used, in words."""
    import torch

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    used = f"{threads} thread" + ("s" if threads > 1 else "")
    return f"{name}, {used} of {os.cpu_count()} cores, no GPU, PyTorch {torch.__version__.split('+')[0]}"


def write_run(
    path: Path, *, model: str, title: str, command: str, threads: int, figures: Iterable[Figure]
) -> None:
    """Write one measured run.

    Args:
        path: the JSON file.
        model: which model of the catalog.
        title: what was measured, one line.
        command: the command line, with a word in capitals for each folder of data.
        threads: CPU threads that were used.
        figures: see above.
    """
    run = {
        "model": model,
        "title": title,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(threads),
        "figures": [
            {k: round(v, 4) if isinstance(v, float) else v for k, v in figure.items() if v not in (None, "")}
            for figure in figures
        ],
    }
    write_atomic(path, (json.dumps(run, indent=1, ensure_ascii=False) + "\n").encode())
    print(f"wrote {path}")
