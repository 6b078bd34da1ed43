"""Training GAN-CLS: the matching-aware logistic loss, after a ranking loss has given captions their vectors."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.textgan import GanClsDiscriminator, GanClsGenerator, ImageEncoder
from moviola.training.loop import Context, Terms
from moviola.training.losses import gan_cls_critic, logistic_generator, ranking_loss
from moviola.training.previews import preview_frames

_NO_COST = -float("inf")  # as the logit of a frame that is to be fake


class GanClsObjectiveConfig(Config):
    """Settings of `GanClsObjective`; the defaults are the authors'.

    Attributes:
        learning_rate: of the three Adam optimizers.
        betas: of the three.
        margin: of the ranking loss.
        ranking_steps: first steps, in which the caption encoder is trained by the ranking loss; then it is frozen.
    """

    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    margin: float = Field(default=0.2, ge=0, le=2)
    ranking_steps: int = Field(default=800, ge=0)


class GanClsObjective:
    """Steps of the caption encoder (at first), the discriminator and the generator, in turns.

    The caption encoder is the generator's, and the ranking loss alone moves it: the adversarial losses see its vectors
    as they are.

    Args:
        generator, critic: to train.
        images: the image encoder of the ranking loss.
        config: settings.
        shown: a batch for the preview picture.
    """

    averaged: tuple[str, ...] = ("first",)

    def __init__(
        self,
        generator: GanClsGenerator,
        critic: GanClsDiscriminator,
        images: ImageEncoder,
        config: GanClsObjectiveConfig,
        shown: Batch | None = None,
    ) -> None:
        self.generator, self.critic, self.images = generator, critic, images
        self.config, self.shown = config, shown
        self.modules: dict[str, nn.Module] = {"first": generator, "critic": critic, "images": images}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for both encoders together, for the discriminator, and for the rest of the generator."""
        captions = list(self.generator.caption.parameters())
        of_captions = {id(p) for p in captions}
        parts = {
            "text": [*captions, *self.images.parameters()],
            "critic": list(self.critic.parameters()),
            "first": [p for p in self.generator.parameters() if id(p) not in of_captions],
        }
        c = self.config
        return {k: torch.optim.Adam(p, lr=c.learning_rate, betas=c.betas) for k, p in parts.items()}

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """Ranking while it lasts, then the discriminator, then the generator."""
        scalars: dict[str, float] = {}
        if context.step < self.config.ranking_steps:
            scalars |= context.update("text", lambda m, i: self._ranking_loss(m), micros)
        scalars |= context.update("critic", lambda m, i: self._critic_loss(m, context, i), micros)
        self.critic.requires_grad_(False)
        scalars |= context.update("first", lambda m, i: self._generator_loss(m, context, i), micros)
        self.critic.requires_grad_(True)
        return scalars

    def _ranking_loss(self, micro: Batch) -> Terms:
        slots = micro["slots"]
        images, texts = self.images(to_network(micro["frame"])), self.generator.caption(slots)
        same = (slots[:, None] == slots[None]).all(dim=2)  # (B, B)
        return {"loss": ranking_loss(images.float(), texts.float(), same, self.config.margin)}

    def _critic_loss(self, micro: Batch, context: Context, number: int) -> Terms:
        frames, slots, other = to_network(micro["frame"]), micro["slots"], micro["other"]
        with torch.no_grad():
            text, wrong = self.generator.caption(slots), self.generator.caption(other)
            generated = self._draw(text, micro, context, "z-critic", number)
        # three batches, not one: batch normalisation sees real and generated frames apart
        real, mismatched, fake = (
            self.critic(x, t).float() for x, t in ((frames, text), (frames, wrong), (generated, text))
        )
        # a data set of few captions may draw the frame's own one, which is no mismatch
        mismatched = mismatched.masked_fill((slots == other).all(dim=1), _NO_COST)
        return {
            "loss": gan_cls_critic(real, mismatched, fake),
            "real": real.sigmoid().mean(),
            "other": mismatched.sigmoid().mean(),
            "fake": fake.sigmoid().mean(),
        }

    def _generator_loss(self, micro: Batch, context: Context, number: int) -> Terms:
        with torch.no_grad():
            text = self.generator.caption(micro["slots"])
        generated = self._draw(text, micro, context, "z", number)
        return {"loss": logistic_generator(self.critic(generated, text).float())}

    def _draw(self, text: Tensor, micro: Batch, context: Context, *names: int | str) -> Tensor:
        size = (micro["slots"].shape[0], self.generator.config.latent)
        noise = torch.randn(size, generator=context.generator(*names)).to(context.device)
        return self.generator.draw(text, noise).float()

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write frames of the shown captions beside the real ones."""
        if self.shown is not None:
            preview_frames(modules["first"], self.shown, folder / f"first-{step:06d}.png")  # type: ignore[arg-type]
