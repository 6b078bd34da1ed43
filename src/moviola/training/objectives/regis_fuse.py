"""Training REGIS-Fuse: squared error inside and outside the holes, and a 3-D patch discriminator."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.regis.fuse import FuseRefiner
from moviola.nn.discriminator3d import PatchDiscriminator3d
from moviola.training.loop import Context, Terms
from moviola.training.losses import edge_l1, hinge_critic, hinge_generator
from moviola.training.previews import preview_refined


class RegisFuseObjectiveConfig(Config):
    """Settings of `RegisFuseObjective`.

    Attributes:
        learning_rate, discriminator_rate: of the two AdamW.
        weight_decay: of the refiner's AdamW.
        hole, valid: weights of the errors inside and outside the mask; each is a mean over its pixels and clips.
        square: weight of the squared error (REGIS).
        absolute: weight of the absolute error beside it (FuseFormer).
        edges: weight of the absolute error of differences between neighbouring pixels.
        motion: weight of the absolute error of differences between neighbouring frames.
        mask_dropout: share of the clips whose mask is withheld from the network. A generated clip comes with no mask,
            so a refiner that always sees one would learn to leave alone what is not marked.
        self_refined: share of the clips that the network first refines itself, without a gradient, and then
            refines once more, as it will when it is iterated.
        adversarial: weight of the adversarial term; 0 for none, and then there is no discriminator.
        adversarial_from: first step with it; before, only the other terms train.
        discriminator_width, discriminator_layers: sizes of the discriminator.
    """

    learning_rate: float = Field(default=1e-4, gt=0)
    discriminator_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    hole: float = Field(default=1.0, ge=0)
    valid: float = Field(default=1.0, ge=0)
    square: float = Field(default=1.0, ge=0)
    absolute: float = Field(default=0.0, ge=0)
    edges: float = Field(default=0.0, ge=0)
    motion: float = Field(default=0.0, ge=0)
    mask_dropout: float = Field(default=0.5, ge=0, le=1)
    self_refined: float = Field(default=0.0, ge=0, le=1)
    adversarial: float = Field(default=0.01, ge=0)
    adversarial_from: int = Field(default=0, ge=0)
    discriminator_width: int = Field(default=64, ge=1)
    discriminator_layers: int = Field(default=6, ge=2)


class RegisFuseObjective:
    """Alternating steps of discriminator and refiner.

    Source: REGIS (AdamW 1e-4, MSE, adversarial weight 0.01); hole and valid terms: FuseFormer, section 3.4.

    Args:
        network: to train.
        config: settings.
        shown: a batch for the preview picture.
        discriminator: to train against; None makes one, where `config.adversarial` wants it.
    """

    averaged: tuple[str, ...] = ("refiner",)

    def __init__(
        self,
        network: FuseRefiner,
        config: RegisFuseObjectiveConfig,
        shown: Batch | None = None,
        discriminator: nn.Module | None = None,
    ) -> None:
        self.network, self.config, self.shown = network, config, shown
        self.discriminator = discriminator
        if discriminator is None and config.adversarial:
            self.discriminator = PatchDiscriminator3d(
                network.config.channels, config.discriminator_width, config.discriminator_layers
            )
        self.modules: dict[str, nn.Module] = {"refiner": network}
        if self.discriminator is not None:
            self.modules["discriminator"] = self.discriminator

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """AdamW for each network that learns."""
        c = self.config
        trained = [p for p in self.network.parameters() if p.requires_grad]
        by_name: dict[str, torch.optim.Optimizer] = {
            "refiner": torch.optim.AdamW(trained, lr=c.learning_rate, weight_decay=c.weight_decay)
        }
        if self.discriminator is not None:
            by_name["discriminator"] = torch.optim.AdamW(
                self.discriminator.parameters(), lr=c.discriminator_rate, betas=(0.0, 0.99), weight_decay=0.0
            )
        return by_name

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """The discriminator, once it takes part, then the refiner."""
        scalars: dict[str, float] = {}
        judge = self.discriminator
        if not self.config.adversarial or context.step < self.config.adversarial_from:
            judge = None
        if judge is not None:
            scalars |= context.update(
                "discriminator", lambda m, i: self._judge_loss(judge, m, context, i), micros
            )
            judge.requires_grad_(False)
        scalars |= context.update("refiner", lambda m, i: self._loss(judge, m, context, i), micros)
        if judge is not None:
            judge.requires_grad_(True)
        return scalars

    def _judge_loss(self, judge: nn.Module, micro: Batch, context: Context, number: int) -> Terms:
        with torch.no_grad():
            fake = self.network(*self._input(micro, context, number))
        on_real, on_fake = judge(torch.cat([to_network(micro["clean"]), fake])).float().chunk(2)
        return {"loss": hinge_critic(on_real, on_fake), "real": on_real.mean(), "fake": on_fake.mean()}

    def _loss(self, judge: nn.Module | None, micro: Batch, context: Context, number: int) -> Terms:
        c, clean, mask = self.config, to_network(micro["clean"]), _mask(micro)
        refined = self.network(*self._input(micro, context, number))
        gap = refined - clean
        error = c.square * gap.square() + c.absolute * gap.abs()
        hole, valid = masked_mean(error, mask), masked_mean(error, 1 - mask)
        loss = c.hole * hole + c.valid * valid
        if c.edges:
            loss = loss + c.edges * edge_l1(refined, clean)
        if c.motion and gap.shape[1] > 1:
            loss = loss + c.motion * gap.diff(dim=1).abs().mean()
        terms = {"hole": hole, "valid": valid}
        if judge is not None:
            terms["adversarial"] = hinge_generator(judge(refined).float())
            loss = loss + c.adversarial * terms["adversarial"]
        mse, before = gap.square().mean(), (to_network(micro["flawed"]) - clean).square().mean()
        return {"loss": loss, "mse": mse, "left": mse / before.clamp(min=1e-6), **terms}

    def _input(self, micro: Batch, context: Context, number: int) -> tuple[Tensor, Tensor]:
        """Return the clips the network is given and the masks it is told; the same ones in both updates."""
        flawed, mask = to_network(micro["flawed"]), _mask(micro)
        draw = torch.rand(2, flawed.shape[0], generator=context.generator("input", number))
        shares = torch.tensor([[1 - self.config.mask_dropout], [self.config.self_refined]])
        keep_mask, again = ((draw < shares).to(flawed))[..., None, None, None, None]
        mask = mask * keep_mask
        if again.any():
            with torch.no_grad():
                once = self.network.refine(flawed, mask)
            flawed, mask = torch.where(again > 0, once, flawed), mask * (1 - again)
        return flawed, mask

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write flawed, refined and clean frames of the shown clips."""
        if self.shown is not None:
            preview_refined(modules["refiner"], self.shown, folder / f"refiner-{step:06d}.png")  # type: ignore[arg-type]


def masked_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Mean over clips of each clip's mean `error` (B, T, C, H, W) where `mask` (B, T, 1, H, W) is 1.

    A clip with an empty mask counts as 0.
    """
    inside = (error * mask).flatten(1).sum(dim=1)
    return (inside / (mask.flatten(1).sum(dim=1) * error.shape[2]).clamp(min=1)).mean()


def _mask(micro: Batch) -> Tensor:
    """Return the mask of a batch as float (B, T, 1, H, W)."""
    return micro["mask"][:, :, None].float()
