"""Training the next-frame networks: pixel losses, noisy histories, short roll-outs, histories of their own making."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.nextframe import NextFrameNetwork, NextFrameUNet, push
from moviola.models.nextframe.affine import Warp
from moviola.nn.pretrained.lpips import LPIPS
from moviola.training.loop import Context, Terms
from moviola.training.losses import detail_l1, edge_l1, flow_error, pixel_cross_entropy, pyramid_l1
from moviola.training.previews import preview_rollouts
from moviola.training.rollout_pool import RolloutPool

_BOXES = (5, 9, 13)  # px
_HALVINGS = 3


class NextFrameObjectiveConfig(Config):
    """Settings of `NextFrameObjective`.

    Attributes:
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        absolute: weight of the mean absolute error.
        edges: weight of the edge term.
        square: weight of the mean squared error beside the absolute one.
        cross_entropy: weight of the binary cross-entropy of frames in [0, 1].
        lpips: weight of the perceptual distance; needs its network (see the recipes' `perceptual`).
        detail: weight of the absolute error where one part of the caption shows (see `Clip.differing`), so that what
            takes few pixels is not lost.
        warp: weight of the absolute error of the warped first frame alone, at the full size and halved three times, so
            that its maps find a motion from afar; for networks with `affine`.
        flow: weight of the error of the maps by which the first frame is warped, half the picture being 1, where the
            clips know their motion; for networks with `affine`.
        noise: largest standard deviation of the noise on histories (values span 2); half of the samples get some.
        history_dropout: share of the samples whose history is hidden as a whole, so that the frame has to come from the
            first one, the caption and the time; for networks with `memory` or `periods`.
        blur: share of the samples whose history is blurred as a whole, by a box of up to 13 px, so that shapes have to
            come from the caption and the first frame.
        recolor: share of the fully captioned samples whose whole history has its colour channels swapped and
            inverted at random, so that colours have to come from the caption.
        unroll: frames predicted in a row, each from the ones before, once `unroll_from` steps are done.
        unroll_from: first step with more than one.
        pool: groups of roll-outs that go on from step to step (see `RolloutPool`); 0 for none.
        pool_share: share of a batch that comes from the pool.
        pool_from: first step with it.
        pool_lost: mean squared error, over the variance of its clip, above which a roll-out of the pool ends.
        through: let gradients flow through the frames of `unroll`; else each counts as given.
        self_history: share of samples that are continued by frames of the network's own making, without a gradient,
            before the true next frame is asked for; 0 for none.
        self_frames: most frames of its own; so many more futures are read. A micro-batch draws 1 to so many.
        self_from, self_until: the share is 0 up to the first step and grows evenly to `self_history` at the second.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    absolute: float = Field(default=1.0, ge=0)
    edges: float = Field(default=0.5, ge=0)
    square: float = Field(default=1.0, ge=0)
    cross_entropy: float = Field(default=0.0, ge=0)
    lpips: float = Field(default=0.0, ge=0)
    detail: float = Field(default=0.0, ge=0)
    warp: float = Field(default=0.0, ge=0)
    flow: float = Field(default=0.0, ge=0)
    noise: float = Field(default=0.15, ge=0)
    history_dropout: float = Field(default=0.0, ge=0, lt=1)
    blur: float = Field(default=0.0, ge=0, le=1)
    recolor: float = Field(default=0.0, ge=0, le=1)
    unroll: int = Field(default=1, ge=1)
    unroll_from: int = Field(default=0, ge=0)
    pool: int = Field(default=0, ge=0)
    pool_share: float = Field(default=0.5, ge=0, le=1)
    pool_from: int = Field(default=0, ge=0)
    pool_lost: float = Field(default=0.5, gt=0)
    through: bool = False
    self_history: float = Field(default=0.0, ge=0, le=1)
    self_frames: int = Field(default=4, ge=1)
    self_from: int = Field(default=0, ge=0)
    self_until: int = Field(default=0, ge=0)

    @property
    def future(self) -> int:
        """Frames that a sample needs after its history."""
        return self.unroll + (self.self_frames if self.self_history else 0)

    def share_at(self, step: int) -> float:
        """Return the share of samples with frames of the network's own at `step`.

        Source: Bengio et al. 2015, "Scheduled sampling for sequence prediction with recurrent neural networks",
        section 2.4, the linear schedule (theirs is the share of true frames).
        """
        span = self.self_until - self.self_from
        grown = (step - self.self_from) / span if span > 0 else float(step >= self.self_from)
        return self.self_history * min(1.0, max(0.0, grown))


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a forward pass of the objective gives.

    Attributes:
        terms: of the loss; "loss" is their weighted sum.
        history, count: what the network saw before the last frame it predicted, (B, K, 3, H, W) and (B,).
        frame, target: that frame and the true one, (B, 3, H, W) in [-1, 1].
    """

    terms: Terms
    history: Tensor
    count: Tensor
    frame: Tensor
    target: Tensor


class NextFrameObjective:
    """Mean absolute, squared and other errors of the next frames, by weight.

    The captions' effect comes from single-frame histories (see `moviola.data.loader.Histories`); noise, roll-outs and
    histories of its own teach the network to mend its own mistakes.

    Args:
        network: to train, of any form.
        config: settings.
        shown: batches of samples for the preview videos.
        pool: of roll-outs, where the config has one.
        lpips: the frozen network of the perceptual loss; None where its weight is 0.
    """

    averaged: tuple[str, ...] = ("next",)

    def __init__(
        self,
        network: NextFrameNetwork,
        config: NextFrameObjectiveConfig,
        shown: Batch | None = None,
        lpips: LPIPS | None = None,
        pool: RolloutPool | None = None,
    ) -> None:
        self.network, self.config, self.shown, self.lpips = network, config, shown, lpips
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
        return context.update("next", lambda micro, i: self.predict(micro, context, i).terms, micros)

    def predict(self, micro: Batch, context: Context, *names: int | str) -> Prediction:
        """Predict the next frames of a micro-batch and compare them with the true ones.

        Args:
            micro: samples of `Histories`, with at least `config.future` futures for all of them to be used.
            context: of the step.
            names: of the random draws.
        """
        c = self.config
        pool = self.pool if context.step >= c.pool_from else None
        rows = None if pool is None else pool.rows(micro, context.step)
        micro = micro if rows is None else rows.put(micro)
        slots, count = micro["slots"], micro["count"]
        first = to_network(micro["first"]) if "first" in micro else None
        time = micro.get("time", count)
        history = self._recolored(to_network(micro["history"]), slots, context.generator("color", *names))
        history = self._noisy(history, context.generator("noise", *names))
        history = self._blurred(history, context.generator("blur", *names))
        history, count = self._hidden(history, count, context.generator("hidden", *names))
        history, count, start = self._continued(history, count, slots, first, time, context, *names)
        time = time if start is None else time + start
        unroll = c.unroll if context.step >= c.unroll_from else 1
        future = to_network(_window(micro["future"], start, unroll))
        detail = _window(micro["detail"], start, unroll) if c.detail and "detail" in micro else None
        flow = _window(micro["flow"], start, unroll) if c.flow and "flow" in micro else None
        sums: Terms = {}
        drawn: list[Tensor] = []
        for k in range(future.shape[1]):
            seen, seen_count = history, count
            frame, warp = self._next(seen, seen_count, slots, first, time + k)
            drawn.append(frame.detach().clamp(-1, 1))
            for key, value in self._errors(
                frame, future[:, k], None if detail is None else detail[:, k]
            ).items():
                sums[key] = sums[key] + value / unroll if key in sums else value / unroll
            if warp is not None:
                errors = {"warp": pyramid_l1(warp.picture, future[:, k], _HALVINGS)}
                if flow is not None:
                    errors["flow"] = flow_error(warp.flows, warp.weights, flow[:, k])
                for key, value in errors.items():
                    sums[key] = sums[key] + value / unroll if key in sums else value / unroll
            history, count = push(seen, seen_count, (frame if c.through else frame.detach()).clamp(-1, 1))
        if pool is not None and rows is not None:
            pool.go_on(rows, drawn)
        weights = {"l1": c.absolute, "mse": c.square, "bce": c.cross_entropy, "lpips": c.lpips}
        weights |= {"edges": c.edges, "detail": c.detail, "warp": c.warp, "flow": c.flow}
        loss = torch.stack([weights[key] * value for key, value in sums.items()]).sum()
        sums.pop("edges", None)
        return Prediction({"loss": loss, **sums}, seen, seen_count, frame, future[:, k])

    def _next(
        self, history: Tensor, count: Tensor, slots: Tensor, first: Tensor | None, time: Tensor
    ) -> tuple[Tensor, Warp | None]:
        """Return the next frame, and the warp of the first one where its error counts."""
        if (self.config.warp or self.config.flow) and isinstance(self.network, NextFrameUNet):
            return self.network.with_warp(history, count, slots, first, time)
        return self.network(history, count, slots, first, time), None

    def _errors(self, frame: Tensor, target: Tensor, detail: Tensor | None) -> Terms:
        """Return the unweighted errors of one frame; costly ones only where they weigh."""
        c = self.config
        terms = {"l1": (frame - target).abs().mean(), "mse": (frame - target).square().mean()}
        if c.edges:
            terms["edges"] = edge_l1(frame, target)
        if c.cross_entropy:
            terms["bce"] = pixel_cross_entropy(frame, target)
        if c.lpips and self.lpips is not None and torch.is_grad_enabled():  # not in the passes for a critic
            terms["lpips"] = self.lpips.to(frame.device)(frame, target).mean()
        if detail is not None:
            terms["detail"] = detail_l1(frame, target, detail)
        return terms

    def _continued(
        self,
        history: Tensor,
        count: Tensor,
        slots: Tensor,
        first: Tensor | None,
        time: Tensor,
        context: Context,
        *names: int | str,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Continue some samples by frames of the network's own; return where their true futures begin, (B,) or None.

        The other samples stay where they are: pushing true frames onto them would leave no single-frame histories.
        """
        share = self.config.share_at(context.step)
        if not share:
            return history, count, None
        generator = context.generator("self", *names)
        chosen = torch.rand(len(count), generator=generator) < share
        depth = int(torch.randint(1, self.config.self_frames + 1, (), generator=generator))
        rows = chosen.nonzero()[:, 0].to(history.device)
        start = (chosen.long() * depth).to(history.device)
        if not len(rows):
            return history, count, start
        own, own_count = history[rows], count[rows]
        with torch.no_grad(), _evaluating(self.network):
            for k in range(depth):
                seen = None if first is None else first[rows]
                frame = self.network(own, own_count, slots[rows], seen, time[rows] + k)
                own, own_count = push(own, own_count, frame.clamp(-1, 1))
        return history.index_copy(0, rows, own), count.index_copy(0, rows, own_count), start

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

    def _blurred(self, history: Tensor, generator: torch.Generator) -> Tensor:
        """Blur some histories, each by one box for all its frames."""
        if not self.config.blur:
            return history
        draw = torch.rand(2, len(history), generator=generator)
        size = (draw[1] * len(_BOXES)).long()
        history = history.clone()
        for k, box in enumerate(_BOXES):
            rows = ((draw[0] < self.config.blur) & (size == k)).nonzero()[:, 0].to(history.device)
            soft = F.avg_pool2d(history[rows].flatten(0, 1), box, 1, box // 2, count_include_pad=False)
            history[rows] = soft.view_as(history[rows])
        return history

    def _hidden(self, history: Tensor, count: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Empty some histories."""
        if not self.config.history_dropout:
            return history, count
        visible = (torch.rand(len(count), generator=generator) >= self.config.history_dropout).to(
            count.device
        )
        return history * visible[:, None, None, None, None], count * visible

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write roll-outs of the shown samples."""
        if self.shown is not None:
            preview_rollouts(modules["next"], self.shown, folder / f"next-{step:06d}.png")  # type: ignore[arg-type]


def _window(frames: Tensor, start: Tensor | None, length: int) -> Tensor:
    """Return up to `length` of the frames (B, F, ...), of each sample from its own `start` on."""
    if start is None:
        return frames[:, :length]
    length = min(length, frames.shape[1] - int(start.max()))
    index = start[:, None] + torch.arange(length, device=start.device)
    return frames[torch.arange(len(frames), device=frames.device)[:, None], index]


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode, as it is when it generates, for the block."""
    was = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was)
