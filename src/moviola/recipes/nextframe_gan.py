"""Training runs of the next-frame networks against a critic."""

from __future__ import annotations

from pathlib import Path

from moviola.core.errors import ConfigError
from moviola.core.seeds import seeded
from moviola.data.loader import Samples
from moviola.models.nextframe import NextFrameConfig, NextFrameCriticConfig, make_critic
from moviola.recipes.base import DataConfig
from moviola.recipes.nextframe import NextFrameBase, nextframe_actions
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.nextframe import NextFrameObjectiveConfig
from moviola.training.objectives.nextframe_gan import NextFrameGANObjective, NextFrameGANObjectiveConfig


class NextFrameGANRun(NextFrameBase):
    """A run that trains a next-frame network against a critic.

    Attributes:
        critic: its judge.
        objective: losses and schedule.
    """

    critic: NextFrameCriticConfig
    objective: NextFrameGANObjectiveConfig = NextFrameGANObjectiveConfig()

    def build(self) -> tuple[Objective, Samples]:
        """Make both networks, seeded, and the samples.

        Raises:
            ConfigError: model and critic, or batch and critic steps, do not fit together, or a pool is asked for.
        """
        self._check()
        network, pixel = self.network(), self.objective.pixel
        with seeded(self.trainer.seed, "critic"):
            critic = make_critic(self.critic)
        samples = self.samples(pixel, other=True)
        return NextFrameGANObjective(
            network, critic, self.objective, self.shown(), self.lpips(pixel)
        ), samples

    def _check(self) -> None:
        for key in ("slots", "size", "history"):
            mine, theirs = getattr(self.critic, key), getattr(self.model, key)
            if mine != theirs:
                raise ConfigError(f"critic.{key} is {mine} and model.{key} {theirs}; set both alike")
        if self.objective.pixel.pool:
            raise ConfigError(
                "there is no pool of roll-outs beside a critic yet; leave objective.pixel.pool at 0"
            )
        micro, steps = self.trainer.batch // self.trainer.accumulate, self.objective.critic_steps
        if micro % steps:
            raise ConfigError(
                f"a micro-batch of {micro} cannot be cut into objective.critic_steps {steps} parts; "
                "set trainer.batch to a multiple"
            )


def nextframe_gan_debug(path: Path | None = None) -> NextFrameGANRun:
    """Drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    data = DataConfig(kind="digits", path=path, size=32, count=64)
    slots = data.open().grammar.sizes
    return NextFrameGANRun(
        recipe="nextframe_gan_debug",
        data=data,
        model=NextFrameConfig(slots=slots, size=32, widths=(8, 16, 24, 32), condition=32),
        critic=NextFrameCriticConfig(slots=slots, size=32, widths=(8, 16, 24, 32), condition=32),
        objective=NextFrameGANObjectiveConfig(r1_every=8, adversarial_from=10, pretrain=5),
        trainer=TrainerConfig(steps=40, batch=8, log_every=5, sample_every=40, save_every=20),
    )


def nextframe_gan_actions(path: Path | None = None) -> NextFrameGANRun:
    """Ours against a critic of frames under their history and caption, on the actions; the pixel loss alone first."""
    run = nextframe_actions(path)
    return NextFrameGANRun(
        recipe="nextframe_gan_actions",
        data=run.data,
        model=run.model,
        critic=NextFrameCriticConfig(slots=run.model.slots, widths=(32, 64, 96, 160)),
        objective=NextFrameGANObjectiveConfig(
            learning_rate=run.objective.learning_rate,
            pixel=run.objective.model_copy(update={"pool": 0}),
            adversarial_from=3000,
            pretrain=200,
        ),
        trainer=run.trainer,
    )


def nextframe_gan_authors(path: Path | None = None) -> NextFrameGANRun:
    """The source document's adversarial setup, on the actions; give `start`, what `nextframe_faithful` trained.

    A critic of single frames, trained for 2,000 steps before; then five steps of it for each of the network.
    `objective.schedule` is "mixed" here; "adversarial" and "alternating" are its two other loops.
    """
    data = DataConfig(kind="actions", path=path)
    slots = data.open().grammar.sizes
    # the source's frames span 1 and ours 2: a quarter of our squared error is its own, which weighs 1 : 1
    pixel = NextFrameObjectiveConfig(absolute=0, edges=0, square=0.25, noise=0)
    return NextFrameGANRun(
        recipe="nextframe_gan_authors",
        data=data,
        model=NextFrameConfig(form="faithful2d", slots=slots, dropout=0.5),
        critic=NextFrameCriticConfig(sees="frame", slots=slots),
        objective=NextFrameGANObjectiveConfig(
            schedule="mixed",
            pixel=pixel,
            loss="logistic",
            learning_rate=1e-5,
            critic_rate=2e-5,
            betas=(0.9, 0.999),
            critic_betas=(0.9, 0.999),
            pretrain=2000,
            critic_steps=5,
            period=100,
            mismatched=False,
            augment="",
        ),
        trainer=TrainerConfig(steps=12000, batch=40, clip=0, ema=0, threads=1, channels_last=True),
        single=0,
        full=0,
        restart=0,
    )


RECIPES = (nextframe_gan_debug, nextframe_gan_actions, nextframe_gan_authors)
