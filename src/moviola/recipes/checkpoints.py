"""The Fréchet video distance of every checkpoint of a run, against what the run was trained on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError, InputError
from moviola.core.progress import progress
from moviola.core.ranges import from_network
from moviola.core.seeds import numpy_generator
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.i3d import I3DExtractor
from moviola.recipes.catalog import CATALOG
from moviola.training import checkpoint
from moviola.training.fvd import clip_features

_RUNS = {"freqmotion": "FreqMotionRun", "inrv": "InrvRun"}


@dataclass(frozen=True)
class CheckpointScore:
    """A checkpoint and how far its videos are from the training clips.

    Attributes:
        step: finished steps. path: its folder. fvd: the distance.
    """

    step: int
    path: Path
    fvd: float


@dataclass(frozen=True)
class CheckpointScores:
    """What `score_checkpoints` gives.

    Attributes:
        folder: the run's. recipe: its name.
        checkpoints: oldest first. best: step of the lowest distance.
        n_real, n_fake: clips of either side.
    """

    folder: Path
    recipe: str
    checkpoints: tuple[CheckpointScore, ...]
    best: int
    n_real: int
    n_fake: int


@dataclass(frozen=True, eq=False)
class _Subject:
    """A family's part: real clips by number, and how a checkpoint's weights draw.

    Attributes:
        count: real clips there are; None for as many as asked.
        real: number to uint8 (T, H, W, 3).
        draw: state of a checkpoint to a function from a number to (T, C, H, W) in [-1, 1].
    """

    count: int | None
    real: Callable[[int], np.ndarray]
    draw: Callable[[dict[str, Any]], Callable[[int], Tensor]]


def score_checkpoints(
    run: str | Path,
    num: int = 256,
    *,
    settings: Sequence[str] = (),
    seed: int = 0,
    device: str = "cpu",
    quiet: bool = False,
) -> CheckpointScores:
    """Draw `num` videos of each checkpoint's averaged weights; return their distances to `num` training clips.

    I3D's logits, covariances over N - 1. A model with a codebook (INR-V) draws by slerp between its clips, as in its
    paper and as its `fvd_every` does: a prior is only fitted at the end of a run.

    Args:
        run: a model folder with one run in `runs/`, or the run's own folder.
        num: videos and, where there are so many, clips.
        settings: changes of the run's settings, as `data.path=FOLDER` where the data have moved.
        seed: of the videos.
        device: "cpu", "cuda" ...
        quiet: no progress bar.

    Raises:
        InputError: no run there, no checkpoint, a run of another family, or clips that are too short for I3D.
        WeightsError: no I3D weights, or a damaged checkpoint.
    """
    if num < 2:
        raise ConfigError(f"--num is {num}; a distribution needs at least 2 videos")
    folder = _find_run(Path(run))
    config = _read_run(folder, settings)
    steps = list(checkpoint.steps(folder / "checkpoints"))
    if not steps:
        raise InputError(
            f"{folder} holds no checkpoint; set trainer.save_every and trainer.keep when training"
        )
    extractor = I3DExtractor.load(device)
    subject = (_inrv if config.recipe.startswith("inrv") else _freqmotion)(config, seed, device)
    count = num if subject.count is None else min(num, subject.count)
    rows = (
        range(count)
        if subject.count is None
        else np.linspace(0, subject.count - 1, count).round().astype(int)
    )
    scores = []
    with progress("checkpoints", count + num * len(steps), quiet) as tick:

        def count_up(clips: Iterator[np.ndarray], text: str) -> Iterator[np.ndarray]:
            for clip in clips:
                yield clip
                tick(1, text)

        real = clip_features(extractor, count_up((subject.real(int(row)) for row in rows), "real"))
        for step in steps:
            path = folder / "checkpoints" / f"step-{step:08d}"
            draw = subject.draw(checkpoint.read(path))
            drawn = (from_network(draw(k)).cpu().numpy() for k in range(num))
            fake = clip_features(extractor, count_up(drawn, f"step {step}"))
            scores.append(CheckpointScore(step, path, frechet_from_features(real, fake)))
    best = min(scores, key=lambda score: score.fvd).step
    return CheckpointScores(folder, config.recipe, tuple(scores), best, count, num)


def _find_run(folder: Path) -> Path:
    """Return the run's folder of a run or of a model.

    Raises:
        InputError: there is none, or there are several.
    """
    if (folder / "run.json").is_file():
        return folder
    runs = sorted(path.parent for path in folder.glob("runs/*/run.json"))
    if not runs:
        raise InputError(f"{folder} holds no training run; give what `moviola train ... -o` wrote")
    if len(runs) > 1:
        names = " and ".join(path.name for path in runs)
        raise InputError(f"{folder} holds the runs {names}; give one of them, as {runs[0]}")
    return runs[0]


def _read_run(folder: Path, settings: Sequence[str]) -> Any:
    """Return the run's config.

    Raises:
        InputError: it cannot be read, is of another family, or a setting does not exist.
    """
    path = folder / "run.json"
    try:
        recipe = str(json.loads(path.read_text(encoding="utf-8"))["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no config of a run") from None
    family = CATALOG.get(recipe, "")
    if family not in _RUNS:
        raise InputError(
            f"{folder} is a run of {recipe}; checkpoints of {' and '.join(_RUNS)} runs can be compared"
        )
    module = importlib.import_module(f"moviola.recipes.{family}")
    return getattr(module, _RUNS[family]).load(path).with_overrides(list(settings))


def _averaged(state: dict[str, Any], part: str) -> dict[str, Tensor]:
    return state["ema"].get(part, state["modules"][part])


def _inrv(run: Any, seed: int, device: str) -> _Subject:
    """Clips of the codebook, and videos between two of them."""
    objective, _ = run.with_overrides(["objective.lpips=0"]).build()
    model = objective.modules[run.part].to(device).eval()
    numbers = torch.arange(model.num_frames, dtype=torch.float32)

    def draw(state: dict[str, Any]) -> Callable[[int], Tensor]:
        model.load_state_dict(_averaged(state, run.part))
        objective.finish(model, 0, seed)
        return lambda k: torch.cat(list(model.render(model.draw(seed, [k], "slerp"), numbers)))

    return _Subject(len(objective.clips), objective.clips.read, draw)


def _freqmotion(run: Any, seed: int, device: str) -> _Subject:
    """Windows of the data, and what the generator draws."""
    from moviola.models.freqmotion import FreqMotionGenerator

    model = FreqMotionGenerator(run.model).to(device).eval()
    samples = run.data.open(run.model.size, run.model.frames)

    def draw(state: dict[str, Any]) -> Callable[[int], Tensor]:
        model.load_state_dict(_averaged(state, run.part))
        return lambda k: torch.cat(list(model.stream(seed, k, model.num_frames)))

    return _Subject(None, lambda k: samples.sample(numpy_generator(seed, "real", k))["frames"], draw)
