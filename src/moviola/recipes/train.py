"""Running a recipe: `OUT/` becomes a model folder, with the run's own files in `OUT/runs/PART/`.

A run with a manifest fills one part of the folder; one without is the whole model.
"""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from moviola.core.errors import ConfigError, OutputError
from moviola.core.weights import read_config
from moviola.models.textvideo import FIRST, NEXT, write_manifest
from moviola.recipes.base import Run
from moviola.recipes.catalog import CATALOG
from moviola.training import checkpoint
from moviola.training.distributed import Place, join, leave
from moviola.training.loop import Trainer, save_config
from moviola.training.run_lock import hold


@dataclass(frozen=True)
class Trained:
    """What a finished run leaves.

    Attributes:
        output: the model folder. part: which part of it was trained. steps: so many.
        resumed_from: the step an earlier run had reached.
        weights: the folder that now holds the trained network: `output`, or its part of a text-to-video model.
        main: false on all but one process of a distributed run.
    """

    output: Path
    part: str
    steps: int
    resumed_from: int
    weights: Path
    main: bool = True


def train(
    run: Run, output: str | Path, *, resume: bool = False, device: str = "cpu", quiet: bool = False
) -> Trained:
    """Train `run` and write its averaged network to `output/PART`, or to `output` if it is the whole model.

    Args:
        run: what to train.
        output: the model folder; made if its parent exists.
        resume: go on from the newest checkpoint there (from the start if there is none).
        device: "cpu", "cuda", "mps" or "auto".
        quiet: no progress bar.

    Returns:
        Where the model is.

    Raises:
        OutputError: when the folder holds a run of this part and `resume` is not set, when another process trains it
            at the moment, or when it cannot be written.
        ConfigError: when the run there was made with other settings.
        NonFiniteError: when a loss was not finite.
    """
    output = Path(output)
    folder = output / "runs" / run.part
    new_folders = [path for path in (folder, folder.parent, output) if not path.exists()]
    _check(run, output, folder, resume)
    if run.trainer.threads:
        torch.set_num_threads(run.trainer.threads)
    place = join(device)
    try:
        with hold(folder, place.main):
            trainer, manifest, resumed = _run(run, output, folder, place, resume, quiet)
    finally:
        leave()
        _remove_empty(new_folders)
    weights = output if manifest is None else output / run.part
    return Trained(output, run.part, trainer.step, resumed, weights, place.main)


def _run(
    run: Run, output: Path, folder: Path, place: Place, resume: bool, quiet: bool
) -> tuple[Trainer, Any, int]:
    """Train and write the network; return the trainer, the manifest and the step that an earlier run had reached."""
    objective, samples = run.build()
    trainer = Trainer(run.trainer, objective, samples, folder, place, quiet)
    manifest = run.manifest()
    if place.main:
        if manifest is not None:
            write_manifest(manifest, output)
        save_config(run, folder)  # type: ignore[arg-type]
    resumed = trainer.step if resume and trainer.resume() else 0
    trainer.run()
    if place.main:
        module: Any = trainer.best_modules()[run.part]
        finish = getattr(run, "finished", None)
        module = finish(module, output) if finish else module
        module.save_pretrained(output if manifest is None else output / run.part, half=True)
    return trainer, manifest, resumed


def _remove_empty(folders: list[Path]) -> None:
    """Remove those of `folders`, innermost first, in which nothing was written: a run that could not begin."""
    for folder in folders:
        with contextlib.suppress(OSError):  # not empty, or gone
            folder.rmdir()


def next_command(run: Run, output: Path) -> str:
    """Return the command line that goes on with what `run` left in `output`; empty for a family without one."""
    folder = shlex.quote(str(output))
    family = str(read_config(output).get("family"))
    if family.startswith("regis-"):
        return f"moviola refine VIDEO -o OUT.mp4 --model {folder}"
    if family in ("freqmotion", "inrv"):
        return f"moviola sample {folder} -o DIR"
    if family != "text-to-video":
        return ""
    if not (output / NEXT).is_dir():
        path = getattr(getattr(run, "data", None), "path", None)
        data = "" if path is None else f" --data {shlex.quote(str(path))}"
        return f"moviola train {_next_recipe(run)}{data} -o {folder}"
    start = "" if (output / FIRST).is_dir() else " --image FRAME.png"
    return f'moviola generate "PROMPT"{start} -o OUT.mp4 --model {folder}'


def _next_recipe(run: Run) -> str:
    """Return the recipe of the next frame that goes with a run of the first one."""
    same = run.recipe.replace("textgan", "nextframe")
    if same in CATALOG:
        return same
    of_data = f"nextframe_{getattr(getattr(run, 'data', None), 'kind', 'videos')}"
    return "nextframe_debug" if same.endswith("_debug") or of_data not in CATALOG else of_data


def _check(run: Run, output: Path, folder: Path, resume: bool) -> None:
    if not output.parent.is_dir():
        raise OutputError(f"no folder {output.parent} to put {output.name} in; make it first")
    if not resume and checkpoint.latest(folder / "checkpoints"):
        raise OutputError(f"{folder} already holds a run; go on with --resume, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror or error}") from None
    config = folder / "run.json"
    if resume and config.exists():
        old = type(run).load(config)  # type: ignore[attr-defined]
        changed = [k for k in ("model", "critic") if getattr(old, k, None) != getattr(run, k, None)]
        if changed:
            parts = " and ".join(changed)
            raise ConfigError(f"the run in {folder} was made with another {parts}; start in another folder")
