"""Training runs of GAN-CLS, the text-to-frame GAN in the form of the source document."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.seeds import seeded
from moviola.core.weights import start_from
from moviola.data.loader import FirstFrames, Samples
from moviola.models.textgan import (
    GanClsConfig,
    GanClsCriticConfig,
    GanClsDiscriminator,
    GanClsGenerator,
    ImageEncoder,
)
from moviola.models.textvideo import FIRST, TextVideoConfig
from moviola.recipes.base import DataConfig, manifest, shown_frames
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.textgan_cls import GanClsObjective, GanClsObjectiveConfig
from moviola.training.schedule import Schedule

_RANKING_EPOCHS, _HALVING_EPOCHS = 50, 100
_LEADING = ("data.", "trainer.batch=")  # other settings follow from these


class GanClsRun(Config):
    """A run that trains `GanClsGenerator` against `GanClsDiscriminator`.

    Attributes:
        recipe: which recipe made it.
        part: the model folder's part that it fills.
        data, model, critic, objective, trainer: its parts.
        start: folder of a trained part (`MODEL/first`) that the generator starts from; what it lacks starts fresh.
    """

    recipe: str
    part: Literal["first"] = FIRST
    data: DataConfig
    model: GanClsConfig
    critic: GanClsCriticConfig
    objective: GanClsObjectiveConfig = GanClsObjectiveConfig()
    trainer: TrainerConfig
    start: Path | None = None

    def with_overrides(self, overrides: Iterable[str]) -> Self:
        """Apply `--set` pairs; slots, sizes and what counts in epochs follow the data and the batch unless set."""
        pairs = list(overrides)
        leading = [pair for pair in pairs if pair.strip().startswith(_LEADING)]
        run = super().with_overrides(leading)._fitted() if leading else self
        return super(GanClsRun, run).with_overrides(pairs)

    def _fitted(self) -> Self:
        """Return the run with slots, sizes and epochs as the data have them; an epoch is `data.count` clips."""
        size = self.data.frame_size
        epoch = -(-self.data.count // self.trainer.batch)  # steps, rounded up
        schedule = self.trainer.schedule.model_copy(update={"every": _HALVING_EPOCHS * epoch})
        update = {
            "model": self.model.model_copy(update={"slots": self.data.open().grammar.sizes, "size": size}),
            "critic": self.critic.model_copy(update={"size": size}),
            "objective": self.objective.model_copy(update={"ranking_steps": _RANKING_EPOCHS * epoch}),
            "trainer": self.trainer.model_copy(update={"schedule": schedule}),
        }
        return self.model_copy(update=update)

    def build(self) -> tuple[Objective, Samples]:
        """Make the networks, seeded, and the samples."""
        clips = self.data.open_for(self.model.slots, self.model.size, moments=True)
        if (self.critic.size, self.critic.text) != (self.model.size, self.model.text):
            raise ConfigError(
                "model and critic have different sizes of frames or texts; set critic.size and critic.text as well"
            )
        with seeded(self.trainer.seed, "weights"):
            generator = GanClsGenerator(self.model.reading(clips.grammar))
            critic, images = GanClsDiscriminator(self.critic), ImageEncoder(self.critic)
        if self.start is not None:
            start_from(generator, self.start)
        shown = shown_frames(self.data, clips) if self.trainer.sample_every else None
        return GanClsObjective(generator, critic, images, self.objective, shown), FirstFrames(clips)

    def manifest(self) -> TextVideoConfig:
        """What the model folder says of itself."""
        return manifest(self.data, self.model.size)


def textgan_faithful_debug(path: Path | None = None) -> GanClsRun:
    """The authors' form, small, on drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    data = DataConfig(kind="digits", path=path, size=32, count=64)
    run = GanClsRun(
        recipe="textgan_faithful_debug",
        data=data,
        model=GanClsConfig(
            slots=data.open().grammar.sizes, latent=16, width=64, embedding=16, text=16, reduced=16
        ),
        critic=GanClsCriticConfig(width=8, text=16, reduced=16),
        trainer=TrainerConfig(
            steps=40,
            batch=8,
            clip=10.0,
            ema=0.0,
            schedule=Schedule(kind="halving"),
            log_every=5,
            sample_every=40,
            save_every=20,
        ),
    )
    return run._fitted()


def textgan_faithful(path: Path | None = None) -> GanClsRun:
    """The authors' form in their sizes, on drawn digits; `--set data.kind=...` takes other data."""
    data = DataConfig(kind="digits", path=path, count=1024)
    run = GanClsRun(
        recipe="textgan_faithful",
        data=data,
        model=GanClsConfig(slots=data.open().grammar.sizes),
        critic=GanClsCriticConfig(),
        trainer=TrainerConfig(
            steps=4000,
            batch=64,
            clip=10.0,
            ema=0.0,
            schedule=Schedule(kind="halving"),
        ),
    )
    return run._fitted()


RECIPES = (textgan_faithful_debug, textgan_faithful)
