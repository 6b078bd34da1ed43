"""Training runs of the text-to-frame GAN."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.seeds import seeded
from moviola.core.weights import start_from
from moviola.data.loader import FirstFrames, Samples
from moviola.models.textgan import CriticConfig, FrameCritic, FrameGenerator, TextGANConfig
from moviola.models.textvideo import FIRST, TextVideoConfig
from moviola.recipes.base import DataConfig, manifest, shown_frames
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.textgan import TextGANObjective, TextGANObjectiveConfig
from moviola.training.schedule import Schedule


class TextGANRun(Config):
    """A run that trains `FrameGenerator` against `FrameCritic`.

    Attributes:
        recipe: which recipe made it.
        part: the model folder's part that it fills.
        data, model, critic, objective, trainer: its parts.
        start: folder of a trained part (`MODEL/first`) that the generator starts from; what it lacks starts fresh.
    """

    recipe: str
    part: Literal["first"] = FIRST
    data: DataConfig
    model: TextGANConfig
    critic: CriticConfig
    objective: TextGANObjectiveConfig = TextGANObjectiveConfig()
    trainer: TrainerConfig
    start: Path | None = None

    def build(self) -> tuple[Objective, Samples]:
        """Make both networks, seeded, and the samples."""
        clips = self.data.open_for(self.model.slots, self.model.size, moments=True)
        if (self.critic.slots, self.critic.size) != (self.model.slots, self.model.size):
            raise ConfigError(
                "model and critic have different slots or sizes; set critic.slots and critic.size as well"
            )
        with seeded(self.trainer.seed, "weights"):
            generator = FrameGenerator(self.model.reading(clips.grammar))
            critic = FrameCritic(self.critic.reading(clips.grammar))
        if self.start is not None:
            start_from(generator, self.start)
        shown = shown_frames(self.data, clips) if self.trainer.sample_every else None
        return TextGANObjective(generator, critic, self.objective, shown), FirstFrames(clips)

    def manifest(self) -> TextVideoConfig:
        """What the model folder says of itself."""
        return manifest(self.data, self.model.size)


def _trainer(steps: int) -> TrainerConfig:
    return TrainerConfig(
        steps=steps,
        batch=32,
        precision="bf16",
        channels_last=True,
        threads=1,
        schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
    )


def _slots(data: DataConfig) -> tuple[int, ...]:
    return data.open().grammar.sizes


def textgan_debug(path: Path | None = None) -> TextGANRun:
    """Drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    data = DataConfig(kind="digits", path=path, size=32, count=64)
    slots = _slots(data)
    return TextGANRun(
        recipe="textgan_debug",
        data=data,
        model=TextGANConfig(slots=slots, size=32, latent=8, widths=(32, 24, 16, 12), condition=32),
        critic=CriticConfig(slots=slots, size=32, widths=(8, 16, 24, 32), condition=32),
        objective=TextGANObjectiveConfig(r1_every=8),
        trainer=TrainerConfig(steps=40, batch=8, log_every=5, sample_every=40, save_every=20),
    )


def textgan_sprites(path: Path | None = None) -> TextGANRun:
    """The embedded model `sprites`, first frame."""
    data = DataConfig(kind="sprites", path=path)
    slots = _slots(data)
    return TextGANRun(
        recipe="textgan_sprites",
        data=data,
        model=TextGANConfig(slots=slots),
        critic=CriticConfig(slots=slots),
        objective=TextGANObjectiveConfig(paired=20.0, detail=0.5, adversarial=0.3, adversarial_from=24000),
        trainer=_trainer(steps=26000),
    )


def textgan_actions(path: Path | None = None) -> TextGANRun:
    """The embedded model `actions`, first frame."""
    data = DataConfig(kind="actions", path=path)
    slots = _slots(data)
    return TextGANRun(
        recipe="textgan_actions",
        data=data,
        model=TextGANConfig(slots=slots),
        critic=CriticConfig(slots=slots),
        objective=TextGANObjectiveConfig(paired=20.0, adversarial=0.3, adversarial_from=1300),
        trainer=_trainer(steps=2000),
    )


def _drawn(kind: Literal["digits", "icons"], path: Path | None) -> TextGANRun:
    data = DataConfig(kind=kind, path=path, count=8192)
    slots = _slots(data)
    return TextGANRun(
        recipe=f"textgan_{kind}",
        data=data,
        model=TextGANConfig(slots=slots, latent=4, widths=(128, 96, 64, 32), condition=128, octaves=4),
        critic=CriticConfig(slots=slots),
        objective=TextGANObjectiveConfig(paired=20.0, edges=1.0, detail=0.5, adversarial=0.0),
        trainer=_trainer(steps=8000),
    )


def textgan_digits(path: Path | None = None) -> TextGANRun:
    """The embedded model `digits`, first frame; drawn, needs no data."""
    return _drawn("digits", path)


def textgan_icons(path: Path | None = None) -> TextGANRun:
    """The embedded model `icons`, first frame; drawn, needs no data."""
    return _drawn("icons", path)


def textgan_videos(path: Path | None = None) -> TextGANRun:
    """First frames of anyone's captioned videos; a plain GAN, since one caption may fit many frames."""
    data = DataConfig(kind="videos", path=path)
    slots = _slots(data)
    return TextGANRun(
        recipe="textgan_videos",
        data=data,
        model=TextGANConfig(slots=slots, latent=128),
        critic=CriticConfig(slots=slots),
        objective=TextGANObjectiveConfig(paired=1.0),
        trainer=TrainerConfig(steps=50000),
    )


RECIPES = (textgan_debug, textgan_sprites, textgan_actions, textgan_digits, textgan_icons, textgan_videos)
