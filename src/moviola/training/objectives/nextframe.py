"""Training the next-frame U-Net: pixel and edge differences, noisy histories, short roll-outs."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.nextframe import NextFrameUNet, push
from moviola.training.loop import Context, Terms
from moviola.training.losses import detail_l1, edge_l1
from moviola.training.previews import preview_rollouts
from moviola.training.rollout_pool import RolloutPool


class NextFrameObjectiveConfig(Config):
    """Settings of `NextFrameObjective`.

    Attributes:
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        edges: weight of the edge term.
        square: weight of the mean squared error beside the absolute one.
        detail: weight of the absolute error where one part of the caption shows (see `Clip.differing`), so that what
            takes few pixels is not lost.
        noise: largest standard deviation of the noise on histories (values span 2); half of the samples get some.
        recolor: share of the fully captioned samples whose whole history has its colour channels swapped and
            inverted at random, so that colours have to come from the caption.
        unroll: frames predicted in a row, each from the ones before, once `unroll_from` steps are done.
        unroll_from: first step with more than one.
        pool: groups of roll-outs that go on from step to step (see `RolloutPool`); 0 for none.
        pool_share: share of a batch that comes from the pool.
        pool_from: first step with it.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    edges: float = Field(default=0.5, ge=0)
    square: float = Field(default=1.0, ge=0)
    detail: float = Field(default=0.0, ge=0)
    noise: float = Field(default=0.15, ge=0)
    recolor: float = Field(default=0.0, ge=0, le=1)
    unroll: int = Field(default=1, ge=1)
    unroll_from: int = Field(default=0, ge=0)
    pool: int = Field(default=0, ge=0)
    pool_share: float = Field(default=0.5, ge=0, le=1)
    pool_from: int = Field(default=0, ge=0)


class NextFrameObjective:
    """Mean absolute error of the next frames.

    The captions' effect comes from single-frame histories (see `moviola.data.loader.Histories`); noise and roll-outs
    teach the network to mend its own mistakes.

    Args:
        network: to train.
        config: settings.
        shown: batches of samples for the preview videos.
        pool: of roll-outs, where the config has one.
    """

    averaged: tuple[str, ...] = ("next",)

    def __init__(
        self,
        network: NextFrameUNet,
        config: NextFrameObjectiveConfig,
        shown: Batch | None = None,
        pool: RolloutPool | None = None,
    ) -> None:
        self.network, self.config, self.shown = network, config, shown
        self.modules: dict[str, nn.Module] = {"next": network}
        self.pool = pool
        if pool is not None:
            self.modules["pool"] = pool

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One AdamW."""
        c = self.config
        return {
            "next": torch.optim.AdamW(
                self.network.parameters(), lr=c.learning_rate, betas=(0.9, 0.99), weight_decay=c.weight_decay
            )
        }

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """One step."""
        return context.update("next", lambda micro, i: self._loss(micro, context, i), micros)

    def _loss(self, micro: Batch, context: Context, number: int) -> Terms:
        pool = self.pool if context.step >= self.config.pool_from else None
        rows = None if pool is None else pool.rows(micro, context.step)
        micro = micro if rows is None else rows.put(micro)
        history = self._recolored(
            to_network(micro["history"]), micro["slots"], context.generator("color", number)
        )
        history = self._noisy(history, context.generator("noise", number))
        future, count = to_network(micro["future"]), micro["count"]
        first = to_network(micro["first"]) if "first" in micro else None
        unroll = self.config.unroll if context.step >= self.config.unroll_from else 1
        pixel, edges, square, detail = (history.new_zeros(()) for _ in range(4))
        drawn: list[Tensor] = []
        for k in range(min(unroll, future.shape[1])):
            frame = self.network(history, count, micro["slots"], first)
            pixel = pixel + (frame - future[:, k]).abs().mean() / unroll
            square = square + (frame - future[:, k]).square().mean() / unroll
            edges = edges + edge_l1(frame, future[:, k]) / unroll
            if self.config.detail and "detail" in micro:
                detail = detail + detail_l1(frame, future[:, k], micro["detail"][:, k]) / unroll
            drawn.append(frame.detach().clamp(-1, 1))
            history, count = push(history, count, drawn[-1])
        if pool is not None and rows is not None:
            pool.go_on(rows, drawn)
        loss = pixel + self.config.edges * edges + self.config.square * square + self.config.detail * detail
        return {"loss": loss, "l1": pixel, "mse": square, "detail": detail}

    def _recolored(self, history: Tensor, slots: Tensor, generator: torch.Generator) -> Tensor:
        if not self.config.recolor:
            return history
        b = history.shape[0]
        chosen = (torch.rand(b, generator=generator) < self.config.recolor) & (slots > 0).all(dim=1).cpu()
        order = torch.rand(b, 3, generator=generator).argsort(dim=1)
        sign = torch.randint(0, 2, (b, 3), generator=generator) * 2 - 1
        order = torch.where(chosen[:, None], order, torch.arange(3)).to(history.device)
        sign = torch.where(chosen[:, None], sign, 1).to(history)
        mixed = history.gather(2, order[:, None, :, None, None].expand_as(history))
        return mixed * sign[:, None, :, None, None]

    def _noisy(self, history: Tensor, generator: torch.Generator) -> Tensor:
        if not self.config.noise:
            return history
        b = history.shape[0]
        draw = torch.rand(b, 2, generator=generator)
        std = (draw[:, 0] * self.config.noise * (draw[:, 1] < 0.5)).to(history)
        fine = torch.randn(history.shape, generator=generator)
        coarse = torch.randn(*history.shape[:3], *(s // 8 for s in history.shape[3:]), generator=generator)
        coarse = F.interpolate(coarse.flatten(0, 1), size=history.shape[3:], mode="nearest").view(
            history.shape
        )
        return history + std[:, None, None, None, None] * (0.7 * fine + 0.7 * coarse).to(history)

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write roll-outs of the shown samples."""
        if self.shown is not None:
            preview_rollouts(modules["next"], self.shown, folder / f"next-{step:06d}.png")  # type: ignore[arg-type]
