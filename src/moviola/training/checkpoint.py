"""Checkpoints: safetensors for tensors, JSON for the rest, a folder a step, moved into place whole."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from moviola.core.atomic import output_errors, staged
from moviola.core.errors import WeightsError

_NAME = re.compile(r"step-(\d{8})$")


def flatten(tree: Any, prefix: str = "") -> tuple[dict[str, Tensor], Any]:
    """Split nested dicts and lists into named tensors and a JSON tree with `{"tensor": name}` in their places."""
    if isinstance(tree, Tensor):
        return {prefix: tree.detach().cpu().contiguous().clone()}, {"tensor": prefix}
    if isinstance(tree, dict | list | tuple):
        pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
        tensors: dict[str, Tensor] = {}
        plain: list[tuple[Any, Any]] = []
        for key, value in pairs:
            inner, rest = flatten(value, f"{prefix}/{key}" if prefix else str(key))
            tensors |= inner
            plain.append((key, rest))
        if isinstance(tree, dict):
            return tensors, {"dict": [[k, v] for k, v in plain]}
        return tensors, {"list": [v for _, v in plain]}
    return {}, {"value": tree}


def unflatten(tensors: dict[str, Tensor], tree: Any) -> Any:
    """Undo `flatten`."""
    (kind, value), *_ = tree.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {k: unflatten(tensors, v) for k, v in value}
    if kind == "list":
        return [unflatten(tensors, v) for v in value]
    return value


def write(folder: str | Path, step: int, state: dict[str, Any], keep: int = 2) -> Path:
    """Write `state` as `folder/step-XXXXXXXX`; a crash at any moment leaves the older ones whole.

    Args:
        folder: the run's checkpoint folder.
        step: finished steps.
        state: nested dicts and lists of tensors and plain values.
        keep: number of newest checkpoints left standing.

    Raises:
        OutputError: when it cannot be written.
    """
    folder = Path(folder)
    final = folder / f"step-{step:08d}"
    tensors, tree = flatten(state)
    with output_errors(final):
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(".step-*.*"):  # by a run that was killed
            shutil.rmtree(partial, ignore_errors=True)
    with staged(final, folder=True) as beside:
        _write(beside / "state.safetensors", save(tensors))
        _write(beside / "state.json", json.dumps(tree).encode())
    prune(folder, keep)
    return final


def prune(folder: str | Path, keep: int) -> None:
    """Remove all checkpoints of `folder` but the `keep` newest."""
    for old in list(steps(folder))[:-keep]:
        remove(folder, old)


def remove(folder: str | Path, step: int) -> None:
    """Remove the checkpoint of a step, where there is one."""
    shutil.rmtree(Path(folder) / f"step-{step:08d}", ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def steps(folder: str | Path) -> Iterator[int]:
    """Yield the steps of the whole checkpoints in `folder`, oldest first."""
    folder = Path(folder)
    matches = [_NAME.search(p.name) for p in folder.iterdir()] if folder.is_dir() else []
    yield from sorted(int(m.group(1)) for m in matches if m)


def latest(folder: str | Path) -> Path | None:
    """Return the newest whole checkpoint of `folder`, or None."""
    numbers = list(steps(folder))
    return Path(folder) / f"step-{numbers[-1]:08d}" if numbers else None


def read(path: str | Path) -> dict[str, Any]:
    """Read the state that `write` left at `path`.

    Raises:
        WeightsError: when it is damaged.
    """
    path = Path(path)
    try:
        tensors = load((path / "state.safetensors").read_bytes())
        return unflatten(tensors, json.loads((path / "state.json").read_text()))
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"the checkpoint {path} is damaged: {reason}; remove it to resume from the one before"
        ) from None


def rng_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of PyTorch's global generators."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_rng_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Undo `rng_state`."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
