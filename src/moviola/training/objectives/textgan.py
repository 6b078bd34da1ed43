"""Training the text-to-frame GAN: matching-aware hinge loss, lazy R1, DiffAugment, and a paired pixel term."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.textgan import FrameCritic, FrameGenerator
from moviola.training.augment import diff_augment
from moviola.training.loop import Context, Terms
from moviola.training.losses import detail_l1, edge_l1, hinge_critic, hinge_generator, r1_penalty
from moviola.training.previews import preview_frames


class TextGANObjectiveConfig(Config):
    """Settings of `TextGANObjective`.

    Attributes:
        learning_rate, critic_rate: of the two Adam optimizers, betas (0, 0.99).
        paired: weight of the mean absolute difference to the captioned frame; 0 for a plain GAN.
        edges: weight of the edge term beside it, relative to `paired`.
        detail: weight, relative to `paired`, of the absolute error where one part of the caption shows (see
            `Clip.differing`), so that what takes few pixels is not lost.
        adversarial: weight of the adversarial term.
        adversarial_from: first step with it; before, only the paired term trains.
        r1: weight of the penalty, halved as in its source.
        r1_every: steps between penalties (lazy regularisation; the weight is scaled to match).
        augment: DiffAugment policy; empty for none.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    critic_rate: float = Field(default=4e-4, gt=0)
    paired: float = Field(default=20.0, ge=0)
    edges: float = Field(default=0.5, ge=0)
    detail: float = Field(default=0.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)
    adversarial_from: int = Field(default=0, ge=0)
    r1: float = Field(default=1.0, ge=0)
    r1_every: int = Field(default=16, ge=1)
    augment: str = "color,translation,cutout"


class TextGANObjective:
    """Alternating steps of critic and generator.

    Args:
        generator, critic: to train.
        config: settings.
        shown: a batch for the preview picture.
    """

    averaged: tuple[str, ...] = ("first",)

    def __init__(
        self,
        generator: FrameGenerator,
        critic: FrameCritic,
        config: TextGANObjectiveConfig,
        shown: Batch | None = None,
    ) -> None:
        self.generator, self.critic, self.config, self.shown = generator, critic, config, shown
        self.modules: dict[str, nn.Module] = {"first": generator, "critic": critic}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each network."""
        c = self.config
        return {
            "first": torch.optim.Adam(self.generator.parameters(), lr=c.learning_rate, betas=(0.5, 0.99)),
            "critic": torch.optim.Adam(self.critic.parameters(), lr=c.critic_rate, betas=(0.0, 0.99)),
        }

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """Critic, every `r1_every` steps its penalty, then the generator."""
        scalars: dict[str, float] = {}
        adversarial = self.config.adversarial > 0 and context.step >= self.config.adversarial_from
        if adversarial:
            scalars |= context.update("critic", lambda m, i: self._critic_loss(m, context, i), micros)
            if self.config.r1 and (context.step + 1) % self.config.r1_every == 0:
                penalty = context.update("critic", lambda m, i: self._penalty(m, context, i), micros)
                scalars["critic/r1"] = penalty["critic/r1"]
        self.critic.requires_grad_(False)
        scalars |= context.update(
            "first", lambda m, i: self._generator_loss(m, context, i, adversarial), micros
        )
        self.critic.requires_grad_(True)
        return scalars

    def _noise(self, micro: Batch, context: Context, *names: int | str) -> Tensor:
        """Draw z (B, latent); its first numbers are those that the clips know."""
        size = (micro["slots"].shape[0], self.generator.config.latent)
        noise = torch.randn(size, generator=context.generator(*names)).to(context.device)
        known = micro.get("latent", noise[:, :0])
        return torch.cat([known, noise[:, known.shape[1] :]], dim=1)

    def _augment(self, frames: Tensor, context: Context, *names: int | str) -> Tensor:
        return diff_augment(frames, context.generator(*names), self.config.augment)

    def _critic_loss(self, micro: Batch, context: Context, number: int) -> Terms:
        real, slots = to_network(micro["frame"]), micro["slots"]
        with torch.no_grad():
            fake = self.generator(slots, self._noise(micro, context, "z-critic", number)).float()
        augmented = self._augment(torch.cat([real, fake]), context, "augment-critic", number)
        real, fake = augmented.chunk(2)
        scores = self.critic(torch.cat([real, fake, real]), torch.cat([slots, slots, micro["other"]]))
        on_real, on_fake, on_other = scores.float().chunk(3)
        loss = hinge_critic(on_real, on_fake, on_other)
        return {"loss": loss, "real": on_real.mean(), "fake": on_fake.mean(), "other": on_other.mean()}

    def _penalty(self, micro: Batch, context: Context, number: int) -> Terms:
        real = to_network(micro["frame"])
        real = self._augment(real, context, "augment-r1", number).requires_grad_(True)
        penalty = r1_penalty(self.critic(real, micro["slots"]).float(), real)
        return {"loss": 0.5 * self.config.r1 * self.config.r1_every * penalty, "r1": penalty}

    def _generator_loss(self, micro: Batch, context: Context, number: int, adversarial: bool) -> Terms:
        real, slots = to_network(micro["frame"]), micro["slots"]
        fake = self.generator(slots, self._noise(micro, context, "z", number)).float()
        l1 = (fake - real).abs().mean()
        terms = {"l1": l1, "loss": self.config.paired * (l1 + self.config.edges * edge_l1(fake, real))}
        if self.config.detail and "detail" in micro:
            terms["detail"] = detail_l1(fake, real, micro["detail"])
            terms["loss"] = terms["loss"] + self.config.paired * self.config.detail * terms["detail"]
        if adversarial:
            augmented = self._augment(fake, context, "augment", number)
            terms["adversarial"] = hinge_generator(self.critic(augmented, slots).float())
            terms["loss"] = terms["loss"] + self.config.adversarial * terms["adversarial"]
        return terms

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write frames of the shown captions beside the real ones."""
        if self.shown is not None:
            preview_frames(modules["first"], self.shown, folder / f"first-{step:06d}.png")  # type: ignore[arg-type]
