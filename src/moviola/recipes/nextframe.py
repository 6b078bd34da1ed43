"""Training runs of the next-frame networks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.seeds import numpy_generator, seeded
from moviola.core.weights import start_from
from moviola.data.loader import Batch, Clips, Histories, Samples, collate
from moviola.models.nextframe import NextFrameConfig, NextFrameNetwork, make_next_frame
from moviola.models.textvideo import NEXT, TextVideoConfig
from moviola.nn.pretrained.lpips import LPIPS
from moviola.recipes.base import DataConfig, manifest
from moviola.recipes.perceptual import PerceptualConfig
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.nextframe import NextFrameObjective, NextFrameObjectiveConfig
from moviola.training.rollout_pool import RolloutPool
from moviola.training.schedule import Schedule

_SHOWN = 6


class NextFrameBase(Config):
    """What the runs of next-frame networks, plain and adversarial, share.

    Attributes:
        recipe: which recipe made it.
        part: the model folder's part that it fills.
        data, model, trainer: its parts.
        single: share of single-frame histories.
        full: share of histories without an empty place.
        restart: share of the other histories that begin at a cycle's first frame.
        cycle: most frames of a clip, up to the end of its first period, for the pool of roll-outs.
        begin: share of the samples that hand a clip to the pool, which takes it where it has room.
        other_look: share of the samples whose history shows the same motion with another look; for clips that are drawn
            and networks with `memory` or `periods`.
        other_past: share of the samples whose roll-out begins with a frame of another motion of the same look, as where
            the caption of a film changes; for sprites and the same networks.
        perceptual: the network of the perceptual loss, where that has a weight.
        start: folder of a trained part (`MODEL/next`) to start from; what it lacks starts fresh.
    """

    recipe: str
    part: Literal["next"] = NEXT
    data: DataConfig
    model: NextFrameConfig
    trainer: TrainerConfig
    single: float = Field(default=0.3, ge=0, le=1)
    full: float = Field(default=0.35, ge=0, le=1)
    restart: float = Field(default=0.8, ge=0, le=1)
    cycle: int = Field(default=64, ge=1)
    begin: float = Field(default=1 / 8, gt=0, le=1)
    other_look: float = Field(default=0.0, ge=0, le=1)
    other_past: float = Field(default=0.0, ge=0, le=1)
    perceptual: PerceptualConfig = PerceptualConfig()
    start: Path | None = None

    def network(self) -> NextFrameNetwork:
        """Make the network, seeded, or with the weights of `start`."""
        with seeded(self.trainer.seed, "weights"):
            network = make_next_frame(self.model)
        if self.start is not None:
            start_from(network, self.start)
        return network

    def samples(self, pixel: NextFrameObjectiveConfig, *, other: bool = False) -> Histories:
        """Open the training samples, with as many futures as `pixel` needs; `other`: with a contradicting caption.

        Raises:
            ConfigError: histories are to be hidden from a network that sees nothing else, or warps are to be taught to
                one that has none.
        """
        for name, weight in (("objective.warp", pixel.warp), ("objective.flow", pixel.flow)):
            if weight and not self.model.affine:
                raise ConfigError(f"{name} needs a network with model.affine")
        for name, share in (
            ("objective.history_dropout", pixel.history_dropout),
            ("other_look", self.other_look),
            ("other_past", self.other_past),
        ):
            if share and not (self.model.memory or self.model.periods or self.model.affine):
                raise ConfigError(f"{name} needs a network with model.memory, model.affine or model.periods")
        clips = self.data.open_for(self.model.slots, self.model.size, moments=True)
        return Histories(
            clips,
            self.model.history,
            pixel.future,
            self.single,
            self.full,
            self.restart,
            self.cycle if pixel.pool else 0,
            self.begin,
            self.other_look,
            other_past=self.other_past,
            flow=bool(pixel.flow),
            other=other,
        )

    def pool(self, pixel: NextFrameObjectiveConfig) -> RolloutPool | None:
        """Make the pool of roll-outs that `pixel` asks for."""
        if not pixel.pool:
            return None
        size = round(self.trainer.batch // self.trainer.accumulate * pixel.pool_share)
        shape = (self.model.size, self.model.size)
        history, slots = self.model.history, len(self.model.slots)
        return RolloutPool(pixel.pool, size, history, self.cycle, shape, slots, lost=pixel.pool_lost)

    def shown(self) -> Batch | None:
        """Read the samples of the previews, None where there are none."""
        return _shown(self.data.open_shown(), self.model.history) if self.trainer.sample_every else None

    def lpips(self, pixel: NextFrameObjectiveConfig) -> LPIPS | None:
        """Load the network of the perceptual loss; None where its weight is 0.

        Raises:
            ConfigError, WeightsError: see `PerceptualConfig.load`.
        """
        return self.perceptual.load(self.model.size, self.model.size) if pixel.lpips else None

    def manifest(self) -> TextVideoConfig:
        """What the model folder says of itself."""
        return manifest(self.data, self.model.size)


class NextFrameRun(NextFrameBase):
    """A run that trains a next-frame network of any form.

    Attributes:
        objective: its losses.
    """

    objective: NextFrameObjectiveConfig = NextFrameObjectiveConfig()

    def build(self) -> tuple[Objective, Samples]:
        """Make the network, seeded, and the samples."""
        network, lpips = self.network(), self.lpips(self.objective)
        samples = self.samples(self.objective)
        pool = self.pool(self.objective)
        return NextFrameObjective(network, self.objective, self.shown(), lpips, pool), samples


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
    data = DataConfig(kind="sprites", path=path, unsaid=0.15, by_action=0.5)
    return NextFrameRun(
        recipe="nextframe_sprites",
        data=data,
        model=NextFrameConfig(
            slots=_slots(data),
            widths=(32, 64, 96, 160),
            reach=2,
            memory=64,
            affine=2,
            periods=(8, 10, 13),
        ),
        objective=NextFrameObjectiveConfig(
            learning_rate=1.5e-3,
            noise=0.1,
            recolor=0.1,
            detail=0.3,
            warp=0.5,
            history_dropout=0.15,
            blur=0.2,
            pool=4,
            pool_from=1500,
            pool_lost=0.9,
        ),
        trainer=_trainer(steps=12000).model_copy(update={"clip": 2.0}),
        other_look=0.3,
        other_past=0.15,
    )


def nextframe_sprites_concat(path: Path | None = None) -> NextFrameRun:
    """The form of the source document, for comparison: caption joined to the bottleneck, uniform histories."""
    run = nextframe_sprites(path)
    return run.model_copy(
        update={
            "recipe": "nextframe_sprites_concat",
            "model": NextFrameConfig(slots=run.model.slots, widths=run.model.widths, caption="concat"),
            "objective": NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0.1, recolor=0.3, detail=0.3),
            "single": 0.1,
            "full": 0.0,
            "restart": 0.0,
            "other_look": 0.0,
            "other_past": 0.0,
        }
    )


def nextframe_actions(path: Path | None = None) -> NextFrameRun:
    """The embedded model `actions`, next frame."""
    data = DataConfig(kind="actions", path=path, unsaid=0.5)
    return NextFrameRun(
        recipe="nextframe_actions",
        data=data,
        model=NextFrameConfig(slots=_slots(data), widths=(32, 64, 96, 160), memory=64, affine=2),
        objective=NextFrameObjectiveConfig(learning_rate=1.5e-3, noise=0.1, warp=0.5, pool=4, pool_from=1500),
        trainer=_trainer(steps=10000).model_copy(update={"clip": 2.0}),
    )


def _drawn(kind: Literal["digits", "icons"], path: Path | None) -> NextFrameRun:
    data = DataConfig(kind=kind, path=path, count=4096)
    return NextFrameRun(
        recipe=f"nextframe_{kind}",
        data=data,
        model=NextFrameConfig(
            slots=_slots(data), widths=(24, 48, 72, 128), reach=2, memory=64, affine=2, periods=(24,)
        ),
        objective=NextFrameObjectiveConfig(
            learning_rate=1.5e-3,
            noise=0.1,
            detail=0.5,
            warp=1.0,
            flow=1.0,
            history_dropout=0.05,
            blur=0.2,
            pool=4,
            pool_from=1500,
            pool_lost=0.9,
        ),
        trainer=_trainer(steps=12000).model_copy(update={"clip": 2.0}),
        restart=1.0,
        other_look=0.6,
    )


def nextframe_digits(path: Path | None = None) -> NextFrameRun:
    """The embedded model `digits`, next frame; drawn, needs no data."""
    return _drawn("digits", path)


def nextframe_icons(path: Path | None = None) -> NextFrameRun:
    """The embedded model `icons`, next frame; drawn, needs no data."""
    return _drawn("icons", path)


def nextframe_videos(path: Path | None = None) -> NextFrameRun:
    """Anyone's captioned videos."""
    data = DataConfig(kind="videos", path=path)
    return NextFrameRun(
        recipe="nextframe_videos",
        data=data,
        model=NextFrameConfig(slots=_slots(data), widths=(32, 64, 96, 160)),
        trainer=TrainerConfig(steps=20000, schedule=Schedule(kind="cosine", warmup=100, floor=0.02)),
    )


def nextframe_faithful(path: Path | None = None) -> NextFrameRun:
    """The network of the source document's code, 2-D with frames as channels, as it is trained there, on the actions.

    Mean squared error, Adam at 1e-4, dropout at the deepest skip, histories of all lengths alike, nothing else.
    """
    data = DataConfig(kind="actions", path=path)
    return NextFrameRun(
        recipe="nextframe_faithful",
        data=data,
        model=NextFrameConfig(form="faithful2d", slots=_slots(data), dropout=0.5),
        objective=NextFrameObjectiveConfig(
            learning_rate=1e-4, weight_decay=0, absolute=0, edges=0, square=1, noise=0
        ),
        trainer=TrainerConfig(steps=20000, batch=16, clip=0, ema=0, threads=1, channels_last=True),
        single=0,
        full=0,
        restart=0,
    )


def nextframe_unet3d(path: Path | None = None) -> NextFrameRun:
    """The volumes that the source document's text announces, trained as ours are, on the actions."""
    run = nextframe_actions(path)
    return run.model_copy(
        update={
            "recipe": "nextframe_unet3d",
            "model": NextFrameConfig(form="unet3d", slots=run.model.slots),
            "objective": run.objective.model_copy(update={"learning_rate": 5e-4, "warp": 0.0}),
        }
    )


def _trainer(steps: int) -> TrainerConfig:
    return TrainerConfig(
        steps=steps,
        batch=16,
        precision="bf16",
        channels_last=True,
        threads=1,
        schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
    )


RECIPES = (
    nextframe_debug,
    nextframe_sprites,
    nextframe_sprites_concat,
    nextframe_actions,
    nextframe_digits,
    nextframe_icons,
    nextframe_videos,
    nextframe_faithful,
    nextframe_unet3d,
)
