"""Training REGIS-VQ: flawed clips in, clean clips out, through a codebook that follows the encoder.

Source: "REGIS: Refining Generated Videos via Iterative Stylistic Redesigning" (2023), REGIS-VQ; van den Oord et al.
2017, "Neural Discrete Representation Learning", eq. 3 (its codebook term is the moving average here).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.regis.vq import VqOutput, VqRefiner
from moviola.nn.discriminator3d import PatchDiscriminator3d
from moviola.nn.pretrained.lpips import LPIPS
from moviola.training.distributed import average_scalars
from moviola.training.loop import Context, Terms
from moviola.training.losses import edge_l1, hinge_critic, hinge_generator
from moviola.training.previews import preview_refined

_HORIZON = 0.99  # most that the variance keeps of what it was, a step
_FLAT = 1e-4  # least variance, for clips of one colour


class RegisVqObjectiveConfig(Config):
    """Settings of `RegisVqObjective`.

    Attributes:
        learning_rate: of Adam.
        commitment: weight of the commitment term.
        variance: of the clean clips' values, which span 2; the squared error is divided by it. None: measured.
        hole: weight of the squared error inside the mask, over the variance, added to that of the whole clip; 0 in
            the source.
        edges: weight of the absolute error of pixel differences, against blur; 0 in the source.
        lpips: weight of the perceptual distance of frames; needs its network (see the recipes' `perceptual`).
        adversarial: weight of the adversarial term; 0 for none, and then there is no discriminator. These two are
            VQGAN's (Esser et al. 2021, "Taming Transformers", eq. 5 and 6, with a fixed weight).
        adversarial_from: first step with it; before, only the other terms train.
        discriminator_rate: of the discriminator's Adam.
        discriminator_width, discriminator_layers: its sizes.
        freeze_codebook: leave the codebook as it is, as when only adapters train.
    """

    learning_rate: float = Field(default=3e-4, gt=0)
    commitment: float = Field(default=0.25, ge=0)
    variance: float | None = Field(default=None, gt=0)
    hole: float = Field(default=0.0, ge=0)
    edges: float = Field(default=0.0, ge=0)
    lpips: float = Field(default=0.0, ge=0)
    adversarial: float = Field(default=0.0, ge=0)
    adversarial_from: int = Field(default=0, ge=0)
    discriminator_rate: float = Field(default=3e-4, gt=0)
    discriminator_width: int = Field(default=24, ge=1)
    discriminator_layers: int = Field(default=4, ge=2)
    freeze_codebook: bool = False


class RunningVariance(nn.Module):
    """Mean variance of the batches so far (of the last hundred or so, later on); saved with the run."""

    value: Tensor
    batches: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.ones(()))
        self.register_buffer("batches", torch.zeros(()))

    @torch.no_grad()
    def add(self, variance: float) -> None:
        """Count in the variance of one more batch."""
        keep = min(_HORIZON, float(self.batches / (self.batches + 1)))
        self.value.mul_(keep).add_((1 - keep) * variance)
        self.batches.add_(1)


class RegisVqObjective:
    """Squared error over the data's variance, and commitment to the codes.

    The codebook is initialised from the first batch unless it already is, and updated once after every step, over all
    micro-batches (and ranks).

    Args:
        network: to train.
        config: settings.
        shown: batch for the preview picture.
        lpips: the frozen network of the perceptual loss; None where its weight is 0.
    """

    averaged: tuple[str, ...] = ("refiner",)

    def __init__(
        self,
        network: VqRefiner,
        config: RegisVqObjectiveConfig,
        shown: Batch | None = None,
        lpips: LPIPS | None = None,
    ) -> None:
        self.network, self.config, self.shown, self.lpips = network, config, shown, lpips
        self.variance = RunningVariance()
        self.modules: dict[str, nn.Module] = {"refiner": network, "variance": self.variance}
        self.discriminator: PatchDiscriminator3d | None = None
        if config.adversarial:
            self.discriminator = PatchDiscriminator3d(
                network.config.channels, config.discriminator_width, config.discriminator_layers
            )
            self.modules["discriminator"] = self.discriminator

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One Adam over what requires gradients, one for the discriminator."""
        trained = [p for p in self.network.parameters() if p.requires_grad]
        optimizers: dict[str, torch.optim.Optimizer] = {
            "refiner": torch.optim.Adam(trained, lr=self.config.learning_rate)
        }
        if self.discriminator is not None:
            optimizers["discriminator"] = torch.optim.Adam(
                self.discriminator.parameters(), lr=self.config.discriminator_rate, betas=(0.0, 0.99)
            )
        return optimizers

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """One step of the weights, one of the codebook, and one of the discriminator once it takes part."""
        variance, quantizer = self._variance(micros, context), self.network.quantizer
        if not quantizer.initialised:
            with torch.no_grad():
                first = [self.network.encode(to_network(m["flawed"])).flatten(0, -2) for m in micros]
            quantizer.initialise(torch.cat(first), context.generator("codebook"))
        quantized: list[tuple[Tensor, Tensor]] = []
        discriminator = None if context.step < self.config.adversarial_from else self.discriminator
        refined: list[Tensor] = []
        if discriminator is not None:
            discriminator.requires_grad_(False)

        def loss(micro: Batch, _: int) -> Terms:
            output = self.network(to_network(micro["flawed"]))
            quantized.append((output.latents.detach(), output.quantized.codes.flatten(0, 3)))
            refined.append(output.video.detach())
            return self._loss(output, micro, variance, discriminator)

        scalars = context.update("refiner", loss, micros)
        if discriminator is not None:
            discriminator.requires_grad_(True)
            scalars |= context.update(
                "discriminator",
                lambda micro, i: _discriminator_loss(discriminator, to_network(micro["clean"]), refined[i]),
                micros,
            )
        if not self.config.freeze_codebook:
            latents, codes = (torch.cat(parts) for parts in zip(*quantized, strict=True))
            scalars["codebook/restarts"] = float(
                quantizer.update(latents, codes, context.generator("restart"))
            )
        return scalars

    def _variance(self, micros: list[Batch], context: Context) -> float:
        if self.config.variance is not None:
            return self.config.variance
        clean = to_network(torch.cat([m["clean"] for m in micros]))
        measured = average_scalars({"variance": float(clean.var(correction=0))}, context.place)
        self.variance.add(measured["variance"])
        return max(float(self.variance.value), _FLAT)

    def _loss(
        self, output: VqOutput, micro: Batch, variance: float, discriminator: nn.Module | None
    ) -> Terms:
        clean = to_network(micro["clean"])
        mse = F.mse_loss(output.video, clean)
        loss = mse / variance + self.config.commitment * output.quantized.commitment
        terms = {"mse": mse, "commitment": output.quantized.commitment}
        if self.config.hole:
            terms["hole"] = _inside(output.video, clean, micro["mask"][:, :, None])
            loss = loss + self.config.hole * terms["hole"] / variance
        if self.config.edges:
            terms["edges"] = edge_l1(output.video, clean)
            loss = loss + self.config.edges * terms["edges"]
        if self.config.lpips and self.lpips is not None:
            terms["lpips"] = self.lpips(output.video.flatten(0, 1), clean.flatten(0, 1)).mean()
            loss = loss + self.config.lpips * terms["lpips"]
        if discriminator is not None:
            terms["adversarial"] = hinge_generator(discriminator(output.video).float())
            loss = loss + self.config.adversarial * terms["adversarial"]
        counted = {"usage": output.quantized.usage, "perplexity": output.quantized.perplexity}
        return {"loss": loss, **terms, **counted}

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write a contact sheet of the shown clips: flawed, refined, clean."""
        if self.shown is not None:
            preview_refined(modules["refiner"], self.shown, folder / f"refiner-{step:06d}.png")  # type: ignore[arg-type]


def _discriminator_loss(discriminator: nn.Module, clean: Tensor, refined: Tensor) -> Terms:
    on_real, on_fake = discriminator(torch.cat([clean, refined])).float().chunk(2)
    return {"loss": hinge_critic(on_real, on_fake), "real": on_real.mean(), "fake": on_fake.mean()}


def _inside(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Mean squared difference of (B, T, C, H, W) where the mask (B, T, 1, H, W) is 1; 0 where it nowhere is."""
    mask = mask.to(a)
    return ((a - b).square() * mask).sum() / (mask.sum() * a.shape[2]).clamp(min=1)
