"""Training INR-V: an auto-decoder over the clips of a data set, in stages of more and more of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.core.seeds import numpy_generator
from moviola.data.loader import Batch
from moviola.data.whole_clips import ClipTable
from moviola.models.inrv import InrvModel
from moviola.models.inrv.coordinates import axis
from moviola.nn.pretrained.lpips import LPIPS
from moviola.training.augment import affine_clips, rotate_hues
from moviola.training.loop import Context, Terms
from moviola.training.observations import draw_mask
from moviola.training.previews import preview_clips
from moviola.training.row_adam import RowAdam

MODEL = "model"
_SHOWN = 8


class Stage(Config):
    """A part of a progressive training.

    Attributes:
        videos: the first so many clips are trained on.
        steps: for so many steps.
    """

    videos: int = Field(ge=1)
    steps: int = Field(ge=1)


class InrvObjectiveConfig(Config):
    """Settings of `InrvObjective`.

    Attributes:
        learning_rate: of the networks (Adam; the paper's 1e-4).
        latent_rate: of the codebook.
        lpips: weight of the perceptual loss (0.7 in the paper; whole frames only).
        latent_weight: weight of the latents' mean square.
        clip_frames: frames of a clip that a step sees; 0 for all.
        points: pixels of them that a step sees; 0 for whole frames.
        importance: share of the points that are drawn where a clip moves or has edges (reweighted, so that the loss
            stays the mean over all pixels).
        moments: "grid" for the clip's own frames, "all" for every frame of the file between them, too.
        encoder_share: share of a batch that goes through the encoder, changed by `augment` and partly hidden.
        kl: weight of the encoder's divergence from N(0, 1).
        augment: flip, move and tint the clips that go through the encoder, so that it sees more than the data set.
        stages: progressive training (INR-V, section 3.3): more and more clips; after the last one all of them.
    """

    learning_rate: float = Field(default=1e-4, gt=0)
    latent_rate: float = Field(default=1e-4, gt=0)
    lpips: float = Field(default=0.0, ge=0)
    latent_weight: float = Field(default=0.0, ge=0)
    clip_frames: int = Field(default=0, ge=0)
    points: int = Field(default=0, ge=0)
    importance: float = Field(default=0.0, ge=0, lt=1)
    moments: Literal["grid", "all"] = "grid"
    encoder_share: float = Field(default=0.0, ge=0, le=1)
    kl: float = Field(default=1e-4, ge=0)
    augment: bool = True
    stages: tuple[Stage, ...] = ()

    def active(self, step: int, videos: int) -> int:
        """Return how many clips are trained on at `step`."""
        for stage in self.stages:
            if step < stage.steps:
                return min(stage.videos, videos)
            step -= stage.steps
        return videos


@dataclass(frozen=True, eq=False)
class Seen:
    """What a step sees of its clips.

    Attributes:
        rows: of the codebook, int64 (B,).
        numbers: of the frames, (B, T).
        frames: (B, T, C, H, W) in [-1, 1].
        random: a generator a clip.
    """

    rows: Tensor
    numbers: Tensor
    frames: Tensor
    random: list[np.random.Generator]


class InrvObjective:
    """One step: L1 (and LPIPS) between the clips of a batch and what their latents decode to.

    Args:
        model: to train; a row of its codebook for each clip.
        clips: the data set.
        config: settings.
        lpips: the frozen network of the perceptual loss; None where its weight is 0.
        embeddings: of each clip's frames, (V, T, E), for a model that is also told them; None for none.
    """

    averaged: tuple[str, ...] = (MODEL,)

    def __init__(
        self,
        model: InrvModel,
        clips: ClipTable,
        config: InrvObjectiveConfig,
        lpips: LPIPS | None = None,
        embeddings: Tensor | None = None,
    ) -> None:
        self.model, self.clips, self.config = model, clips, config
        self.lpips, self.embeddings = lpips, embeddings
        self.modules: dict[str, nn.Module] = {MODEL: model}
        self._maps: dict[int, Tensor] = {}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam, the codebook row by row."""
        c, model = self.config, self.model
        rest = [
            p for name, p in model.named_parameters() if name != "codebook" and not name.startswith("prior")
        ]
        groups: list[dict[str, Any]] = [
            {"params": rest, "lr": c.learning_rate},
            {"params": [model.codebook], "lr": c.latent_rate, "rows": True},
        ]
        return {MODEL: RowAdam(groups, betas=(0.9, 0.999))}

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """Do one step; see the class."""
        active = self.config.active(context.step, len(self.clips))
        return context.update(MODEL, lambda micro, _: self._loss(micro, active, context), micros) | {
            "videos": active
        }

    # -- what is seen -------------------------------------------------------------------------------------

    def _see(self, micro: Batch, active: int, context: Context) -> Seen:
        """Draw clips and frames; what is drawn depends on a sample's own number alone, whatever the batch."""
        draws = micro["draw"].tolist()
        rows = [min(int(u * active), active - 1) for u in draws]
        seed = context.config.seed
        random = [numpy_generator(seed, "seen", int(u * 2**53)) for u in draws]
        length, count = self.clips.frames, self.config.clip_frames or self.clips.frames
        fine = self.clips.stride if self.config.moments == "all" else 1
        numbers = np.stack([np.sort(r.choice(length * fine, count, replace=False)) / fine for r in random])
        frames = to_network(self.clips.gather(rows, numbers))
        at = context.device
        return Seen(
            torch.tensor(rows, device=at), torch.from_numpy(numbers).float().to(at), frames.to(at), random
        )

    def _points(self, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
        """Draw pixels: coordinates (B, N, 3), colours (B, N, C) and weights (B, N, 1)."""
        c, g = self.config, self.model.config
        batch, frames = seen.frames.shape[:2]
        size = g.height * g.width
        cells, weights = [], []
        for k, random in enumerate(seen.random):
            cell = random.integers(size, size=c.points)
            weight = np.ones(c.points, np.float32)
            if c.importance:
                share = self._map(int(seen.rows[k]))
                chosen = random.random(c.points) < c.importance
                cell[chosen] = np.searchsorted(
                    np.cumsum(share), random.random(int(chosen.sum())), side="right"
                ).clip(0, size - 1)
                weight = 1 / ((1 - c.importance) + c.importance * share[cell] * size)
            cells.append(cell)
            weights.append(weight)
        index = torch.from_numpy(np.stack(cells)).to(seen.frames.device)
        when = torch.from_numpy(np.stack([r.integers(frames, size=c.points) for r in seen.random])).to(index)
        rows, columns = index // g.width, index % g.width
        coordinates = torch.stack(
            [
                self.model.times(seen.numbers.gather(1, when)),
                axis(g.height, g.height, g.grid).to(index.device)[rows],
                axis(g.width, g.width, g.grid).to(index.device)[columns],
            ],
            dim=-1,
        )
        colours = seen.frames[torch.arange(batch, device=index.device)[:, None], when, :, rows, columns]
        return coordinates, colours, torch.from_numpy(np.stack(weights)).float().to(index.device)[..., None]

    def _map(self, row: int) -> np.ndarray:
        """Return where clip `row` moves or has edges, as shares (H W,) that sum to 1."""
        if row not in self._maps:
            luma = torch.from_numpy(self.clips.read(row)).float().mean(dim=-1)
            edges = F.pad(luma.diff(dim=1).abs(), (0, 0, 0, 1)) + F.pad(luma.diff(dim=2).abs(), (0, 1))
            change = luma.std(dim=0, unbiased=False) + edges.mean(dim=0)
            self._maps[row] = (change + 0.1 * change.mean() + 1e-3).flatten().double()
        share = self._maps[row].numpy()
        return share / share.sum()

    # -- losses -------------------------------------------------------------------------------------------

    def _loss(self, micro: Batch, active: int, context: Context) -> Terms:
        seen = self._see(micro, active, context)
        encoded = round(len(seen.rows) * self.config.encoder_share) if self.model.encoder is not None else 0
        kept = len(seen.rows) - encoded
        codes, terms = [self._rows(seen.rows[:kept])] if kept else [], {}
        if encoded:
            frames = self._changed(seen, kept)
            code, terms["kl"] = self._encode(seen, frames, kept)
            codes.append(code)
            seen = Seen(seen.rows, seen.numbers, torch.cat([seen.frames[:kept], frames]), seen.random)
        code = torch.cat(codes)
        if self.config.points:
            coordinates, colours, weights = self._points(seen)
            drawn = self.model.decoder.points(self.model.decoder.prepare(code), coordinates)
            terms["l1"] = ((drawn.float() - colours).abs() * weights).mean()
        else:
            drawn = self.model.decode(code, seen.numbers).float()
            terms["l1"] = (drawn - seen.frames).abs().mean()
            if self.lpips is not None:
                terms["lpips"] = self.lpips(drawn.flatten(0, 1), seen.frames.flatten(0, 1)).mean()
        loss = (
            terms["l1"] + self.config.lpips * terms.get("lpips", 0.0) + self.config.kl * terms.get("kl", 0.0)
        )
        if self.config.latent_weight and kept:
            loss = loss + self.config.latent_weight * codes[0].square().mean()
        return {"loss": loss, **terms}

    def _rows(self, rows: Tensor) -> Tensor:
        """Return the codes of rows of the codebook, (B, code)."""
        code = self.model.codebook[rows]
        if self.model.condition is None:
            return code
        assert self.embeddings is not None
        return self.model.condition(code, self.embeddings.to(code)[rows])

    def _changed(self, seen: Seen, first: int) -> Tensor:
        """Return the clips from `first` on, flipped, moved and tinted."""
        frames = seen.frames[first:]
        if not self.config.augment:
            return frames
        random = seen.random[first:]
        return rotate_hues(affine_clips(frames, random), random)

    def _encode(self, seen: Seen, frames: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Return codes drawn from the encoder's posterior, and its divergence from N(0, 1) a dimension."""
        assert self.model.encoder is not None
        masks = [draw_mask(r, frames.shape[1], *frames.shape[-2:]) for r in seen.random[first:]]
        mask = torch.from_numpy(np.stack(masks))[:, :, None].to(frames)
        mean, log_variance = self.model.encoder(frames, self.model.times(seen.numbers[first:]), mask)
        mean, log_variance = mean.float(), log_variance.float().clamp(-12, 4)
        noise = np.stack([r.standard_normal(mean.shape[1], dtype=np.float32) for r in seen.random[first:]])
        code = mean + (0.5 * log_variance).exp() * torch.from_numpy(noise).to(mean)
        return code, 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()

    @torch.no_grad()
    def finish(self, model: InrvModel, steps: int, seed: int) -> InrvModel:
        """Write the codes of all rows into the model, and fit its prior to them for `steps` steps."""
        rows = torch.arange(len(self.clips), device=model.codebook.device)
        code = model.codebook[rows]
        if model.condition is not None:
            assert self.embeddings is not None
            code = model.condition(code, self.embeddings.to(code))
        model.codes.copy_(code)
        if model.prior is not None and steps:
            with torch.enable_grad():
                fit_prior(model, steps, seed)
        return model

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write real clips above what their latents decode to."""
        model: InrvModel = modules[MODEL]  # type: ignore[assignment]
        count = min(_SHOWN, self.config.active(step, len(self.clips)))
        rows = torch.linspace(0, self.config.active(step, len(self.clips)) - 1, count).long()
        numbers = np.linspace(0, self.clips.frames - 1, min(8, self.clips.frames)).round()
        real = self.clips.gather(rows.tolist(), np.stack([numbers] * count))
        held, self.model = self.model, model
        try:
            drawn = model.decode(self._rows(rows.to(model.codes.device)), torch.from_numpy(numbers).float())
        finally:
            self.model = held
        preview_clips(drawn, real, folder / f"clips-{step:06d}.png")


def fit_prior(model: InrvModel, steps: int, seed: int, batch: int = 64, spread: float = 0.3) -> float:
    """Fit the prior to the model's codes, blurred by `spread` of the distance to each one's nearest neighbour.

    Without the blur it would learn the codes by heart. Returns the mean loss of the last tenth of the steps.
    """
    assert model.prior is not None
    prior, codes = model.prior.requires_grad_(True), model.codes
    near = torch.cdist(codes, codes) + torch.eye(len(codes)).to(codes) * 1e9
    distance = near.amin(dim=1) if len(codes) > 1 else codes.norm(dim=1)
    prior.set_range(codes)
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-3)
    random, losses = torch.Generator().manual_seed(seed), []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randint(len(codes), (batch,), generator=random).to(codes.device)
        noise = torch.randn(batch, codes.shape[1], generator=random).to(codes) / codes.shape[1] ** 0.5
        loss = prior.loss(codes[rows] + noise * (spread * distance[rows])[:, None], random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    prior.requires_grad_(model.codebook.requires_grad)
    last = losses[-max(len(losses) // 10, 1) :]
    return sum(last) / max(len(last), 1)
