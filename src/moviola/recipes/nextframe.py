"""Training runs of the next-frame U-Net."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.seeds import numpy_generator, seeded
from moviola.core.weights import start_from
from moviola.data.loader import Batch, Clips, Histories, Samples, collate
from moviola.models.nextframe import NextFrameConfig, NextFrameUNet
from moviola.models.textvideo import NEXT, TextVideoConfig
from moviola.recipes.base import DataConfig, manifest
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.nextframe import NextFrameObjective, NextFrameObjectiveConfig
from moviola.training.rollout_pool import RolloutPool
from moviola.training.schedule import Schedule

_SHOWN = 6


class NextFrameRun(Config):
    """A run that trains `NextFrameUNet`.

    Attributes:
        recipe: which recipe made it.
        part: the model folder's part that it fills.
        data, model, objective, trainer: its parts.
        single: share of single-frame histories.
        full: share of histories without an empty place.
        restart: share of the other histories that begin at a cycle's first frame.
        cycle: most frames of a clip, up to the end of its first period, for the pool of roll-outs.
        begin: share of the pool's roll-outs that begin anew whenever their turn comes.
        start: folder of a trained part (`MODEL/next`) to start from; what it lacks starts fresh.
    """

    recipe: str
    part: Literal["next"] = NEXT
    data: DataConfig
    model: NextFrameConfig
    objective: NextFrameObjectiveConfig = NextFrameObjectiveConfig()
    trainer: TrainerConfig
    single: float = Field(default=0.3, ge=0, le=1)
    full: float = Field(default=0.35, ge=0, le=1)
    restart: float = Field(default=0.8, ge=0, le=1)
    cycle: int = Field(default=64, ge=1)
    begin: float = Field(default=1 / 64, gt=0, le=1)
    start: Path | None = None

    def build(self) -> tuple[Objective, Samples]:
        """Make the network, seeded, and the samples."""
        with seeded(self.trainer.seed, "weights"):
            network = NextFrameUNet(self.model)
        if self.start is not None:
            start_from(network, self.start)
        history, objective = self.model.history, self.objective
        clips = self.data.open_for(self.model.slots, self.model.size)
        cycle = self.cycle if objective.pool else 0
        samples = Histories(
            clips, history, objective.unroll, self.single, self.full, self.restart, cycle, self.begin
        )
        shown = _shown(self.data.open_shown(), history) if self.trainer.sample_every else None
        return NextFrameObjective(network, objective, shown, self._pool()), samples

    def _pool(self) -> RolloutPool | None:
        """Make the pool of roll-outs that the objective asks for."""
        objective, model, trainer = self.objective, self.model, self.trainer
        if not objective.pool:
            return None
        size = round(trainer.batch // trainer.accumulate * objective.pool_share)
        shape = (model.size, model.size)
        return RolloutPool(objective.pool, size, model.history, self.cycle, shape, len(model.slots))

    def manifest(self) -> TextVideoConfig:
        """What the model folder says of itself."""
        return manifest(self.data, self.model.size)


def _shown(clips: Clips, history: int) -> Batch:
    samples = Histories(clips, history, future=12, single=1.0, restart=1.0)
    return collate([samples.sample(numpy_generator(0, "shown", i)) for i in range(_SHOWN)])


def _slots(data: DataConfig) -> tuple[int, ...]:
    return data.open().grammar.sizes


def nextframe_debug(path: Path | None = None) -> NextFrameRun:
    """Drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    data = DataConfig(kind="digits", path=path, size=32, count=64)
    return NextFrameRun(
        recipe="nextframe_debug",
        data=data,
        model=NextFrameConfig(slots=_slots(data), size=32, widths=(8, 16, 24, 32), condition=32),
        trainer=TrainerConfig(steps=40, batch=8, log_every=5, sample_every=40, save_every=20),
    )


def nextframe_sprites(path: Path | None = None) -> NextFrameRun:
    """The embedded model `sprites`, next frame."""
    data = DataConfig(kind="sprites", path=path, unsaid=0.15)
    return NextFrameRun(
        recipe="nextframe_sprites",
        data=data,
        model=NextFrameConfig(slots=_slots(data), widths=(32, 64, 96, 160), reach=2),
        objective=NextFrameObjectiveConfig(
            learning_rate=1.5e-3, noise=0.1, recolor=0.3, detail=0.3, unroll=2, unroll_from=24000
        ),
        trainer=TrainerConfig(
            steps=30000,
            batch=16,
            precision="bf16",
            channels_last=True,
            threads=1,
            schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
        ),
    )


def nextframe_sprites_concat(path: Path | None = None) -> NextFrameRun:
    """The form of the source document, for comparison: caption joined to the bottleneck, uniform histories."""
    run = nextframe_sprites(path)
    return run.model_copy(
        update={
            "recipe": "nextframe_sprites_concat",
            "model": run.model.model_copy(update={"caption": "concat", "reach": 0}),
            "single": 0.1,
            "full": 0.0,
            "restart": 0.0,
        }
    )


def nextframe_actions(path: Path | None = None) -> NextFrameRun:
    """The embedded model `actions`, next frame."""
    data = DataConfig(kind="actions", path=path, unsaid=0.5)
    return NextFrameRun(
        recipe="nextframe_actions",
        data=data,
        model=NextFrameConfig(slots=_slots(data), widths=(32, 64, 96, 160), memory=64),
        objective=NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0.1, pool=4, pool_from=1500),
        trainer=TrainerConfig(
            steps=9000,
            batch=16,
            precision="bf16",
            channels_last=True,
            threads=1,
            schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
        ),
    )


def _drawn(kind: Literal["digits", "icons"]) -> NextFrameRun:
    data = DataConfig(kind=kind, count=4096)
    return NextFrameRun(
        recipe=f"nextframe_{kind}",
        data=data,
        model=NextFrameConfig(slots=_slots(data), widths=(24, 48, 72, 128), reach=2, memory=64),
        objective=NextFrameObjectiveConfig(
            learning_rate=1.5e-3, noise=0.1, detail=0.5, pool=4, pool_from=1500
        ),
        trainer=TrainerConfig(
            steps=8000,
            batch=16,
            precision="bf16",
            channels_last=True,
            threads=1,
            schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
        ),
    )


def nextframe_digits(path: Path | None = None) -> NextFrameRun:
    """The embedded model `digits`, next frame; drawn, needs no data."""
    return _drawn("digits")


def nextframe_icons(path: Path | None = None) -> NextFrameRun:
    """The embedded model `icons`, next frame; drawn, needs no data."""
    return _drawn("icons")


def nextframe_videos(path: Path | None = None) -> NextFrameRun:
    """Anyone's captioned videos."""
    data = DataConfig(kind="videos", path=path)
    return NextFrameRun(
        recipe="nextframe_videos",
        data=data,
        model=NextFrameConfig(slots=_slots(data), widths=(32, 64, 96, 160)),
        trainer=TrainerConfig(steps=20000, schedule=Schedule(kind="cosine", warmup=100, floor=0.02)),
    )


RECIPES = (
    nextframe_debug,
    nextframe_sprites,
    nextframe_sprites_concat,
    nextframe_actions,
    nextframe_digits,
    nextframe_icons,
    nextframe_videos,
)
