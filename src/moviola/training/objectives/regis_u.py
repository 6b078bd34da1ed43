"""Training REGIS-U: fill what is marked, clean the rest, and go on from one's own work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.protocols import Condition
from moviola.models.regis.unet import UnetRefiner
from moviola.nn.discriminator3d import PatchDiscriminator3d
from moviola.training.loop import Context, Terms
from moviola.training.losses import charbonnier, hinge_critic, hinge_generator, local_activity
from moviola.training.previews import preview_refined

_SMALL = 0.05


class RegisUObjectiveConfig(Config):
    """Settings of `RegisUObjective`.

    Attributes:
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        known: weight of the error outside the mask, against 1 inside; a clip without a mask counts as inside.
        soft: errors below this, of a range of 2, count by their square and above by themselves (Charbonnier).
        square: weight of the squared error beside that.
        edges: weight of the error of pixel differences, in space.
        motion: weight of the error of frame differences, in time.
        activity: weight of the error of local activity (`moviola.training.losses.local_activity`; ours): what cannot be
            known is drawn with the right contrast and liveliness rather than blurred and still.
        error_power: divide each clip's error by that of its flawed version (the root of its mean square, plus 0.05 of a
            range of 2), to this power, so that clips of faint flaws count beside those of large holes; 0 to leave it.
        self_refined: share of the clips that are first passed through the network itself, so that a second pass mends
            the first and does not undo it.
        adversarial: weight of the adversarial term (ours); 0 for none, and then there is no discriminator.
        discriminator_rate: of the discriminator's AdamW.
        discriminator_width, discriminator_layers: its sizes.
        condition_dropout: share of the clips whose class and text are withheld.
        mask_dropout: share of the clips whose mask is withheld from the network, as it is when anyone's video is
            refined.
    """

    renamed: ClassVar[Mapping[str, str]] = {
        "even": "error_power",
        "again": "self_refined",
        "silent": "condition_dropout",
        "blind": "mask_dropout",
    }

    learning_rate: float = Field(default=6e-4, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    known: float = Field(default=0.5, ge=0)
    soft: float = Field(default=0.1, ge=0)
    square: float = Field(default=2.0, ge=0)
    edges: float = Field(default=0.5, ge=0)
    motion: float = Field(default=0.5, ge=0)
    activity: float = Field(default=0.0, ge=0)
    error_power: float = Field(default=0.5, ge=0, le=1)
    self_refined: float = Field(default=0.25, ge=0, le=1)
    adversarial: float = Field(default=0.0, ge=0)
    discriminator_rate: float = Field(default=4e-4, gt=0)
    discriminator_width: int = Field(default=24, ge=1)
    discriminator_layers: int = Field(default=4, ge=2)
    condition_dropout: float = Field(default=0.3, ge=0, le=1)
    mask_dropout: float = Field(default=0.6, ge=0, le=1)


class RegisUObjective:
    """Weighted soft absolute and squared error between the refined and the clean clip, of pixels, edges and motion.

    With an adversarial term, a discriminator sees the flawed clip beside the clean or the refined one, and the hinge
    loss is alternated (as REGIS-Fuse has it; for REGIS-U it is ours): what cannot be known is drawn sharp, not blurred.

    Args:
        network: to train.
        config: settings.
        shown: a batch for the preview pictures.
    """

    averaged: tuple[str, ...] = ("refiner",)

    def __init__(
        self, network: UnetRefiner, config: RegisUObjectiveConfig, shown: Batch | None = None
    ) -> None:
        self.network, self.config, self.shown = network, config, shown
        self.modules: dict[str, nn.Module] = {"refiner": network}
        self.judge: PatchDiscriminator3d | None = None
        if config.adversarial:
            self.judge = PatchDiscriminator3d(
                2 * network.config.channels, config.discriminator_width, config.discriminator_layers
            )
            self.modules["discriminator"] = self.judge

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One AdamW over what is trained of the network (all, or the adapters alone), one for the discriminator."""
        c = self.config
        trained = [p for p in self.network.parameters() if p.requires_grad]
        optimizers: dict[str, torch.optim.Optimizer] = {
            "refiner": torch.optim.AdamW(
                trained, lr=c.learning_rate, betas=(0.9, 0.99), weight_decay=c.weight_decay
            )
        }
        if self.judge is not None:
            optimizers["discriminator"] = torch.optim.AdamW(
                self.judge.parameters(), lr=c.discriminator_rate, betas=(0.0, 0.99), weight_decay=0.0
            )
        return optimizers

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """The refiner, then the discriminator, where there is one, on the same refined clips."""
        judge = self.judge
        if judge is None:
            return context.update("refiner", lambda micro, i: self._loss(micro, context, i), micros)
        pairs: list[tuple[Tensor, Tensor]] = []
        judge.requires_grad_(False)
        scalars = context.update("refiner", lambda micro, i: self._loss(micro, context, i, pairs), micros)
        judge.requires_grad_(True)
        return scalars | context.update(
            "discriminator", lambda micro, i: self._judge_loss(judge, micro, *pairs[i]), micros
        )

    def _inputs(self, micro: Batch, context: Context, number: int) -> tuple[Tensor, Tensor, Condition]:
        """Return what the network sees: clip, mask and condition."""
        flawed = to_network(micro["flawed"])
        mask = micro["mask"][:, :, None].to(flawed)
        generator = context.generator("regis", number)
        condition = self._condition(micro, generator)
        mask = mask * self._keep(mask, self.config.mask_dropout, generator).view(-1, 1, 1, 1, 1)
        return *self._self_refined(flawed, mask, condition, generator), condition

    def _loss(
        self, micro: Batch, context: Context, number: int, pairs: list[tuple[Tensor, Tensor]] | None = None
    ) -> Terms:
        clean, mask = to_network(micro["clean"]), micro["mask"][:, :, None].float()
        inputs = self._inputs(micro, context, number)
        refined = self.network(*inputs).float()
        error = refined - clean
        before = (inputs[0] - clean).square().flatten(1).mean(dim=1)
        terms = self._terms(error, _weight(mask, self.config.known), before)
        if self.config.activity:
            gap = local_activity(refined) - local_activity(clean)
            terms["activity"] = charbonnier(gap, 0.2 * self.config.soft).mean()
            terms["loss"] = terms["loss"] + self.config.activity * terms["activity"]
        if self.judge is not None and pairs is not None:
            terms["adversarial"] = hinge_generator(self.judge(torch.cat([inputs[0], refined], dim=2)).float())
            terms["loss"] = terms["loss"] + self.config.adversarial * terms["adversarial"]
            pairs.append((inputs[0], refined.detach()))
        return {**terms, "left": error.detach().square().mean() / before.mean().clamp_min(1e-8)}

    @staticmethod
    def _judge_loss(judge: PatchDiscriminator3d, micro: Batch, flawed: Tensor, refined: Tensor) -> Terms:
        both = [torch.cat([flawed, clip], dim=2) for clip in (to_network(micro["clean"]), refined)]
        on_real, on_fake = judge(torch.cat(both)).float().chunk(2)
        return {"loss": hinge_critic(on_real, on_fake), "real": on_real.mean(), "fake": on_fake.mean()}

    def _terms(self, error: Tensor, weight: Tensor, before: Tensor) -> Terms:
        """The loss of an error (B, T, C, H, W), its weight (B, T, 1, H, W), and the flawed clips' mean squares (B,)."""
        c = self.config
        share = (before.sqrt() + _SMALL) ** -c.error_power
        share = (share / share.mean()).view(-1, 1, 1, 1, 1)
        pixel = (charbonnier(error, c.soft) * weight * share).mean()
        square = (error.square() * weight * share).mean()
        edges = sum((charbonnier(error.diff(dim=axis), c.soft) * share).mean() for axis in (-1, -2))
        motion = error.new_zeros(())
        if error.shape[1] > 1:
            motion = (charbonnier(error.diff(dim=1), c.soft) * share).mean()
        loss = pixel + c.square * square + c.edges * edges + c.motion * motion
        return {"loss": loss, "pixel": pixel, "motion": motion}

    @staticmethod
    def _keep(like: Tensor, dropped: float, generator: torch.Generator) -> Tensor:
        """Which clips are left as they are, bool (B,)."""
        return (torch.rand(len(like), generator=generator) >= dropped).to(like.device)

    def _condition(self, micro: Batch, generator: torch.Generator) -> Condition:
        """Return class and text, dropped from some clips."""
        keep = self._keep(micro["label"], self.config.condition_dropout, generator)
        label = torch.where(keep, micro["label"], -1)
        return Condition(label, micro["tokens"] * keep[:, None])

    def _self_refined(
        self, flawed: Tensor, mask: Tensor, condition: Condition, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Put the network's own result in place of some clips; what it has filled is no hole any more."""
        chosen = (torch.rand(len(flawed), generator=generator) < self.config.self_refined).to(flawed.device)
        if not chosen.any():
            return flawed, mask
        some = Condition(*(x[chosen] if x is not None else None for x in (condition.label, condition.tokens)))
        training = self.network.training
        self.network.eval()
        refined = self.network.refine(flawed[chosen], mask[chosen], some)
        self.network.train(training)
        flawed, mask = flawed.clone(), mask.clone()
        flawed[chosen] = refined.to(flawed)
        mask[chosen] = 0
        return flawed, mask

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write the shown clips before and after, beside the clean ones."""
        if self.shown is not None:
            preview_refined(modules["refiner"], self.shown, folder / f"refined-{step:06d}.png")  # type: ignore[arg-type]


def _weight(mask: Tensor, known: float) -> Tensor:
    """1 inside the mask and `known` outside, (B, T, 1, H, W); 1 everywhere in clips without a mask."""
    some = (mask.flatten(1).amax(dim=1) > 0).view(-1, 1, 1, 1, 1)
    return torch.where(some, known + (1 - known) * mask, torch.ones_like(mask))
