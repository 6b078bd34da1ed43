"""Training the next-frame networks against a critic: ours, and the source document's three schedules."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.data.loader import Batch
from moviola.models.nextframe import NextFrameCritic, NextFrameNetwork
from moviola.nn.pretrained.lpips import LPIPS
from moviola.training.augment import diff_augment_clips
from moviola.training.loop import Context, Terms
from moviola.training.losses import (
    hinge_critic,
    hinge_generator,
    logistic_critic,
    logistic_generator,
    r1_penalty,
)
from moviola.training.objectives.nextframe import (
    NextFrameObjective,
    NextFrameObjectiveConfig,
    Prediction,
)

GanSchedule = Literal["ours", "adversarial", "mixed", "alternating"]


class NextFrameGANObjectiveConfig(Config):
    """Settings of `NextFrameGANObjective`.

    Attributes:
        schedule: which losses move the network. "ours": the pixel loss and `adversarial` times the critic's; the
            source's: "adversarial", the critic's alone; "mixed", both, 1 : 1; "alternating", the pixel loss for
            `period` steps, then the critic's for as many.
        pixel: the pixel loss and what histories go through; its rates are not used.
        loss: "hinge", or "logistic", the source's binary cross-entropy.
        learning_rate, critic_rate: of the two Adam optimizers.
        betas, critic_betas: their moments' decays.
        adversarial: weight of the adversarial term (ours).
        adversarial_from: first step that the critic has a part in; before, only the pixel loss trains.
        pretrain: steps from there on that move the critic alone, once each.
        critic_steps: steps of the critic before each of the network. A batch is cut into so many parts, one for
            each; the network takes the last.
        period: steps of each half of "alternating".
        mismatched: count true frames under a caption that contradicts theirs as generated ones, where the critic
            sees captions.
        r1: weight of the penalty, halved as in its source; 0 for none (ours).
        r1_every: steps between penalties (lazy regularisation; the weight is scaled to match).
        augment: DiffAugment policy of history and frame together; empty for none.
    """

    schedule: GanSchedule = "ours"
    pixel: NextFrameObjectiveConfig = NextFrameObjectiveConfig()
    loss: Literal["hinge", "logistic"] = "hinge"
    learning_rate: float = Field(default=5e-4, gt=0)
    critic_rate: float = Field(default=4e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.99)
    critic_betas: tuple[float, float] = (0.0, 0.99)
    adversarial: float = Field(default=0.02, ge=0)
    adversarial_from: int = Field(default=0, ge=0)
    pretrain: int = Field(default=0, ge=0)
    critic_steps: int = Field(default=1, ge=1)
    period: int = Field(default=100, ge=1)
    mismatched: bool = True
    r1: float = Field(default=1.0, ge=0)
    r1_every: int = Field(default=16, ge=1)
    augment: str = "color,translation,cutout"


class Turn(NamedTuple):
    """What one step does.

    Attributes:
        critic: steps of the critic.
        pixel, adversarial: weights of the two losses of the network; both 0: it rests.
    """

    critic: int
    pixel: float
    adversarial: float


def turn_at(config: NextFrameGANObjectiveConfig, step: int) -> Turn:
    """Return what `step` (from 0) does under the schedule of `config`."""
    step -= config.adversarial_from
    if step < 0:
        return Turn(0, 1.0, 0.0)
    if step < config.pretrain:
        return Turn(1, 0.0, 0.0)
    if config.schedule == "alternating":
        second = (step - config.pretrain) // config.period % 2 == 1
        return Turn(config.critic_steps, 0.0, 1.0) if second else Turn(0, 1.0, 0.0)
    weights = {"ours": (1.0, config.adversarial), "adversarial": (0.0, 1.0), "mixed": (1.0, 1.0)}
    return Turn(config.critic_steps, *weights[config.schedule])


class NextFrameGANObjective:
    """Steps of a critic and of a next-frame network, in the order of a schedule.

    A real and a generated frame are judged after one and the same history, the one that the network saw.

    Source: the "Videogeneration" project, adversarial setup; matching-aware negatives after Reed et al. 2016,
    "Generative Adversarial Text to Image Synthesis", algorithm 1.

    Args:
        network, critic: to train.
        config: settings.
        shown: a batch for the preview pictures.
        lpips: see `NextFrameObjective`.
    """

    averaged: tuple[str, ...] = ("next",)

    def __init__(
        self,
        network: NextFrameNetwork,
        critic: NextFrameCritic,
        config: NextFrameGANObjectiveConfig,
        shown: Batch | None = None,
        lpips: LPIPS | None = None,
    ) -> None:
        self.network, self.critic, self.config = network, critic, config
        self.pixel = NextFrameObjective(network, config.pixel, shown, lpips)
        self.modules: dict[str, nn.Module] = {"next": network, "critic": critic}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each network."""
        c = self.config
        return {
            "next": torch.optim.Adam(self.network.parameters(), lr=c.learning_rate, betas=c.betas),
            "critic": torch.optim.Adam(self.critic.parameters(), lr=c.critic_rate, betas=c.critic_betas),
        }

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """The critic's steps, when due its penalty, then the network's."""
        turn = turn_at(self.config, context.step)
        scalars: dict[str, float] = {}
        parts = self._parts(micros)
        if turn.critic:
            for number, part in enumerate(parts if turn.critic > 1 else [micros]):
                scalars |= context.update("critic", partial(self._critic_loss, context, number), part)
            if self._penalty_due(context.step):
                penalty = context.update("critic", lambda m, i: self._penalty(m, context, i), parts[-1])
                scalars["critic/r1"] = penalty["critic/r1"]
        if turn.pixel or turn.adversarial:
            self.critic.requires_grad_(False)
            scalars |= context.update("next", lambda m, i: self._loss(m, context, i, turn), parts[-1])
            self.critic.requires_grad_(True)
        return scalars

    def _parts(self, micros: list[Batch]) -> list[list[Batch]]:
        """Cut every micro-batch into `critic_steps` parts; return the micro-batches of each step."""
        count = self.config.critic_steps
        size = len(micros[0]["slots"]) // count
        return [
            [{k: v[i * size : (i + 1) * size] for k, v in m.items()} for m in micros] for i in range(count)
        ]

    def _penalty_due(self, step: int) -> bool:
        c = self.config
        return c.schedule == "ours" and c.r1 > 0 and (step + 1) % c.r1_every == 0

    def _score(self, frame: Tensor, seen: Prediction, slots: Tensor, generator: torch.Generator) -> Tensor:
        """Score frames after the histories of `seen`, both augmented alike."""
        clip = torch.cat([seen.history, frame[:, None]], dim=1)  # (B, K + 1, 3, H, W)
        clip = diff_augment_clips(clip, generator, self.config.augment)
        return self.critic(clip[:, :-1], seen.count, clip[:, -1], slots).float()

    def _critic_loss(self, context: Context, number: int, part: Batch, micro: int) -> Terms:
        names = ("critic", number, micro)
        with torch.no_grad():
            seen = self.pixel.predict(part, context, *names)
        draws = context.generator("augment", *names)
        real = self._score(seen.target, seen, part["slots"], draws)
        fake = self._score(seen.frame.float(), seen, part["slots"], draws)
        terms = {"real": real.mean(), "fake": fake.mean()}
        fakes = [fake]
        if self.config.mismatched and self.critic.config.sees == "history":
            others = self._score(seen.target, seen, part["other"], draws)
            # a caption that leaves open what another says is true as well: only contradictions are wrong
            wrong = ((part["other"] != part["slots"]) & (part["other"] > 0) & (part["slots"] > 0)).any(dim=1)
            if wrong.any():
                fakes.append(others[wrong])
                terms["other"] = others[wrong].mean()
        if self.config.loss == "logistic":
            return {"loss": logistic_critic(real, torch.cat(fakes)), **terms}
        return {"loss": hinge_critic(real, *fakes), **terms}

    def _penalty(self, part: Batch, context: Context, micro: int) -> Terms:
        with torch.no_grad():
            seen = self.pixel.predict(part, context, "r1", micro)
        frame = seen.target.clone().requires_grad_(True)
        score = self._score(frame, seen, part["slots"], context.generator("augment", "r1", micro))
        penalty = r1_penalty(score, frame)
        return {"loss": 0.5 * self.config.r1 * self.config.r1_every * penalty, "r1": penalty}

    def _loss(self, part: Batch, context: Context, micro: int, turn: Turn) -> Terms:
        prediction = self.pixel.predict(part, context, micro)
        terms = {**prediction.terms, "loss": turn.pixel * prediction.terms["loss"]}
        if turn.adversarial:
            draws = context.generator("augment", micro)
            score = self._score(prediction.frame.float(), prediction, part["slots"], draws)
            adversarial = logistic_generator if self.config.loss == "logistic" else hinge_generator
            terms["adversarial"] = adversarial(score)
            terms["loss"] = terms["loss"] + turn.adversarial * terms["adversarial"]
        return terms

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write roll-outs of the shown samples."""
        self.pixel.samples(folder, modules, step)
