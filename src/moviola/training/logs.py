"""Run logs: JSON lines always, TensorBoard where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moviola.core.atomic import output_errors, write_atomic
from moviola.core.optional import is_installed, require


class RunLog:
    """Appends one JSON object a line to `log.jsonl` and the same numbers to TensorBoard.

    Args:
        folder: the run's folder.
        resume_step: lines of steps after this one are dropped (they will be run again).
        tensorboard: also write event files, if the `tensorboard` package is there.
    """

    def __init__(self, folder: Path, resume_step: int = 0, tensorboard: bool = True) -> None:
        self.path = folder / "log.jsonl"
        self._trim(resume_step)
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115
        self._board = _open_board(folder / "tensorboard", resume_step) if tensorboard else None

    def _trim(self, step: int) -> None:
        if not self.path.exists():
            return
        lines = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    lines.append(line + "\n")
            except (ValueError, KeyError):  # a line cut off by a crash
                continue
        write_atomic(self.path, "".join(lines).encode())

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Append the scalars of `step`."""
        line = json.dumps({"step": step, **{k: float(f"{v:.6g}") for k, v in scalars.items()}})
        with output_errors(self.path):
            self._file.write(line + "\n")
            self._file.flush()
        if self._board is not None:
            for name, value in scalars.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _open_board(folder: Path, step: int) -> Any:
    if not is_installed("tensorboard"):
        return None
    require("tensorboard", "--set trainer.tensorboard=true", "or set it to false")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
