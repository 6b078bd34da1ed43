"""Training INR-V: an auto-decoder over the clips of a data set, in stages of more and more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from moviola.data.whole_clips import DRAW_BITS, ClipTable
from moviola.models.inrv import InrvModel
from moviola.nn.pretrained.lpips import LPIPS
from moviola.training.augment import affine_clips, rotate_hues
from moviola.training.fvd import RunFVD, keep_best
from moviola.training.loop import Context, Terms
from moviola.training.objectives.inrv_after import fit_encoder, fit_prior
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
        encoder_share: share of the samples that go through the encoder, changed by `augment` and partly hidden.
        kl: weight of the encoder's divergence from N(0, 1).
        augment: flip, move and tint the clips that go through the encoder, so that it sees more than the data set.
        stages: progressive training (INR-V, section 3.3): more and more clips; after the last one all of them.
        fvd_every: steps between Fréchet video distances of the averaged weights, whose best are kept; 0 for none.
        fvd_samples: videos that are drawn for one (by slerp, as in the paper), and clips they are compared with.
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
    fvd_every: int = Field(default=0, ge=0)
    fvd_samples: int = Field(default=256, ge=2)

    def active(self, step: int, videos: int) -> int:
        """Return how many clips are trained on at `step`."""
        for stage in self.stages:
            if step < stage.steps:
                return min(stage.videos, videos)
            step -= stage.steps
        return videos


@dataclass(frozen=True, eq=False)
class View:
    """What a step sees of its clips.

    Attributes:
        rows: of the codebook, a clip.
        numbers: of the frames, float32 (B, T).
        frames: (B, T, C, H, W) in [-1, 1].
        random: a generator a clip.
        encoded: which of them go through the encoder.
    """

    rows: list[int]
    numbers: Tensor
    frames: Tensor
    random: list[np.random.Generator]
    encoded: list[int]


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
        self.encodes = model.encoder is not None and config.encoder_share > 0
        self._maps: dict[int, np.ndarray] = {}
        self._fvd = RunFVD(config.fvd_samples) if config.fvd_every else None

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
        if self.lpips is not None:
            self.lpips.to(context.device)
        active = self.config.active(context.step, len(self.clips))
        return context.update(MODEL, lambda micro, _: self._loss(micro, active, context), micros) | {
            "videos": active
        }

    # -- what is seen -------------------------------------------------------------------------------------

    def _view(self, micro: Batch, active: int, context: Context) -> View:
        """Draw clips and frames; what is drawn depends on a sample's own number alone, whatever the batch."""
        c, clips = self.config, self.clips
        draws = micro["draw"].tolist()
        rows = [draw * active >> DRAW_BITS for draw in draws]
        random = [numpy_generator(context.config.seed, "seen", draw) for draw in draws]
        fine = clips.stride if c.moments == "all" else 1
        moments = clips.frames * fine if clips.loop else (clips.frames - 1) * fine + 1
        count = c.clip_frames or clips.frames
        numbers = np.stack([np.sort(r.choice(moments, count, replace=False)) / fine for r in random])
        encoded = [k for k, r in enumerate(random) if self.encodes and r.random() < c.encoder_share]
        frames = to_network(clips.gather(rows, numbers).to(context.device))
        return View(rows, torch.from_numpy(numbers).float().to(context.device), frames, random, encoded)

    def _points(self, view: View) -> tuple[Tensor, Tensor, Tensor]:
        """Draw pixels: coordinates (B, N, 3), colours (B, N, C) and weights (B, N, 1)."""
        g, device = self.model.config, view.frames.device
        batch, frames = view.frames.shape[:2]
        cells, weights = zip(
            *(self._cells(row, random) for row, random in zip(view.rows, view.random, strict=True)),
            strict=True,
        )
        index = torch.from_numpy(np.stack(cells)).to(device)
        when = [r.integers(frames, size=self.config.points) for r in view.random]
        moment = torch.from_numpy(np.stack(when)).to(device)
        rows, columns = index // g.width, index % g.width
        y, x = self.model.axes()
        coordinates = torch.stack(
            [self.model.times(view.numbers.gather(1, moment)), y[rows], x[columns]], dim=-1
        )
        colours = view.frames[torch.arange(batch, device=device)[:, None], moment, :, rows, columns]
        return coordinates, colours, torch.from_numpy(np.stack(weights)).float().to(device)[..., None]

    def _cells(self, row: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw pixels of a frame of clip `row`: their numbers (N,), and weights (N,) that undo the choice."""
        c, size = self.config, self.model.config.height * self.model.config.width
        cell = random.integers(size, size=c.points)
        if not c.importance:
            return cell, np.ones(c.points)
        share = self._map(row)
        chosen = random.random(c.points) < c.importance
        place = np.searchsorted(np.cumsum(share), random.random(int(chosen.sum())), side="right")
        cell[chosen] = place.clip(0, size - 1)
        return cell, 1 / ((1 - c.importance) + c.importance * share[cell] * size)

    def _map(self, row: int) -> np.ndarray:
        """Return where clip `row` moves or has edges, as shares (H W,) that sum to 1."""
        if row not in self._maps:
            luma = torch.from_numpy(self.clips.read(row)).float().mean(dim=-1)
            edges = F.pad(luma.diff(dim=1).abs(), (0, 0, 0, 1)) + F.pad(luma.diff(dim=2).abs(), (0, 1))
            change = luma.std(dim=0, unbiased=False) + edges.mean(dim=0)
            self._maps[row] = (change + 0.1 * change.mean() + 1e-3).flatten().numpy()
        share = self._maps[row].astype(np.float64)
        return share / share.sum()

    # -- losses -------------------------------------------------------------------------------------------

    def _loss(self, micro: Batch, active: int, context: Context) -> Terms:
        c, view = self.config, self._view(micro, active, context)
        code, terms = self.codes_of(self.model, view.rows), {}
        if c.latent_weight:
            stored = [k for k in range(len(view.rows)) if k not in view.encoded]
            expected = max(1 - c.encoder_share, 1 / len(view.rows)) if self.encodes else 1.0
            terms["size"] = code[stored].square().mean(dim=1).sum() / (expected * len(view.rows))
        if self.encodes:
            code, view, terms["kl"] = self._encode(code, view)
        if c.points:
            coordinates, colours, weights = self._points(view)
            drawn = self.model.decoder.points(self.model.decoder.prepare(code), coordinates)
            terms["l1"] = ((drawn.float() - colours).abs() * weights).mean()
        else:
            drawn = self.model.decode(code, view.numbers).float()
            terms["l1"] = (drawn - view.frames).abs().mean()
            if self.lpips is not None:
                terms["lpips"] = self.lpips(drawn.flatten(0, 1), view.frames.flatten(0, 1)).mean()
        factors = {"l1": 1.0, "lpips": c.lpips, "kl": c.kl, "size": c.latent_weight}
        loss = torch.stack([factors[key] * term for key, term in terms.items()]).sum()
        return {"loss": loss, **terms}

    def codes_of(self, model: InrvModel, rows: Sequence[int]) -> Tensor:
        """Return the codes of rows of the codebook, float32 (B, code), joined with their frames' embeddings."""
        code = model.codebook[torch.tensor(rows, dtype=torch.long, device=model.codebook.device)]
        if model.condition is None:
            return code
        assert self.embeddings is not None
        return model.condition(code, self.embeddings[list(rows)].to(code)).float()

    def _encode(self, code: Tensor, view: View) -> tuple[Tensor, View, Tensor]:
        """Give the clips `view.encoded` codes drawn from the encoder's posterior.

        Returns:
            Codes (B, code), the view with those clips changed, and the posterior's divergence from N(0, 1) a dimension,
            such that its mean over batches is the mean over encoded clips.
        """
        assert self.model.encoder is not None
        if not view.encoded:
            return code, view, code.new_zeros(())
        index = torch.tensor(view.encoded, device=code.device)
        random = [view.random[k] for k in view.encoded]
        frames, times = view.frames[index], self.model.times(view.numbers[index])
        if self.config.augment:
            frames = rotate_hues(affine_clips(frames, random), random)
        masks = [draw_mask(r, frames.shape[1], *frames.shape[-2:]) for r in random]
        mask = torch.from_numpy(np.stack(masks))[:, :, None].to(frames)
        mean, log_variance = self.model.encoder(frames, times, mask)
        mean, log_variance = mean.float(), log_variance.float().clamp(-12, 4)
        noise = np.stack([r.standard_normal(mean.shape[1], dtype=np.float32) for r in random])
        posterior = mean + (0.5 * log_variance).exp() * torch.from_numpy(noise).to(mean)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(dim=1).sum()
        changed = replace(view, frames=view.frames.index_copy(0, index, frames))
        expected = self.config.encoder_share * len(view.rows)
        return code.index_copy(0, index, posterior), changed, divergence / expected

    # -- what comes of it ---------------------------------------------------------------------------------

    @torch.no_grad()
    def finish(
        self, model: InrvModel, steps: int, seed: int, encoder_steps: int = 0, *, bf16: bool = False
    ) -> InrvModel:
        """Write the codes of all rows into the model, then fit its prior and its encoder for so many steps each."""
        for rows in torch.arange(len(self.clips)).split(256):
            model.codes[rows.to(model.codes.device)] = self.codes_of(model, rows.tolist())
        with torch.enable_grad():
            if model.prior is not None and steps:
                fit_prior(model, steps, seed)
            if model.encoder is not None and encoder_steps:
                fit_encoder(model, self.clips, encoder_steps, seed, bf16=bf16)
        return model

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write real clips above what their latents decode to."""
        model: InrvModel = modules[MODEL]  # type: ignore[assignment]
        active = self.config.active(step, len(self.clips))
        rows = torch.linspace(0, active - 1, min(_SHOWN, active)).long().tolist()
        numbers = np.linspace(0, self.clips.frames - 1, min(_SHOWN, self.clips.frames)).round()
        real = self.clips.gather(rows, np.stack([numbers] * len(rows)))
        times = torch.from_numpy(numbers).float()
        drawn = [torch.cat(list(model.render(self.codes_of(model, [row]), times))) for row in rows]
        preview_clips(torch.stack(drawn), real, folder / f"clips-{step:06d}.png")

    def judge(self, folder: Path, modules: dict[str, nn.Module], step: int) -> dict[str, float]:
        """Measure the Fréchet video distance where it is due, and keep the best weights in `folder/best`.

        Returns:
            The distance, `{"fvd": ...}`; nothing where it is not due or cannot be measured.
        """
        if self._fvd is None or step % self.config.fvd_every:
            return {}
        model: InrvModel = self.finish(modules[MODEL], 0, 0)  # type: ignore[arg-type]
        numbers = torch.arange(model.num_frames, dtype=torch.float32)

        def draw(index: int) -> Tensor:
            return torch.cat(list(model.render(model.draw(0, [index], "slerp"), numbers)))

        distance = self._fvd.measure(self.clips, draw, model.codes.device)
        if distance is None:
            return {}
        keep_best(model, folder, step, distance)
        return {"fvd": distance}
