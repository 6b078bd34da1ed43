"""Settings of restyling from a file: our own JSON, or a config of the Rerender-A-Video authors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moviola.core.config import read_values

_THEIRS = {
    "sd_model",
    "control_type",
    "prompt_strength",
    "x0_strength",
    "ddim_steps",
    "key_subdir",
    "a_prompt",
    "n_prompt",
}


def read_config(path: Path | None) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of a file as nested values for `RestyleConfig.make`, and notes on it.

    Args:
        path: a JSON file; None for no settings. One with keys of the authors' (sd_model, control_type, ...) is read as
            theirs: painter, prompt, ControlNets, windows and the interval, which there is that of uniform keys.

    Raises:
        ConfigError: it cannot be read, or a key is unknown (the nearest right ones are named).
    """
    if path is None:
        return {}, []
    values = read_values(path)
    return _theirs(path) if _THEIRS & values.keys() else (values, [])


def _theirs(path: Path) -> tuple[dict[str, Any], list[str]]:
    from moviola.models.rerender.diffusion import read_rerender_json

    found = read_rerender_json(path)
    original, notes = found.original, list(found.notes)
    left, right, top, bottom = original.crop
    values: dict[str, Any] = {
        "painter": "diffusion",
        "prompt": original.prompt,
        "keys": {"method": "uniform", "interval": original.interval},
        "crop": [left, top, right, bottom],
        "diffusion": original.diffusion().model_dump(mode="json"),
    }
    if original.seed >= 0:
        values["seed"] = original.seed
    if original.frame_count is not None:
        notes.append(f"{path}: frame_count is not used; cut the video first")
    return values, notes
