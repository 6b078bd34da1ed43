"""REGIS-U: frames go through 2-D blocks, and between them every place looks at itself in the other frames.

Source: "REGIS" (2023), REGIS-U; the network's form is that of Ho et al. 2022, "Video Diffusion Models", section 3,
without the noise level: 1x3x3 convolutions, linear attention in space, attention in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.protocols import Condition
from moviola.models.regis.base import check_clip
from moviola.models.regis.unet.config import UnetConfig
from moviola.nn.attention import CrossAttention, LinearAttention, TemporalAttention
from moviola.nn.norm import FiLM
from moviola.nn.recall import Recall
from moviola.nn.words import BUCKETS, LENGTH

_RENAMED = {
    "said.nothing": "condition_encoder.null_token",
    "said.place": "condition_encoder.position",
    "said.mix": "condition_encoder.mlp",
    "said": "condition_encoder",
    "enter": "stem",
    "enter_time": "stem_time",
    "leave": "head",
    "recall.look": "recall.to_features",
    "recall.recall": "recall.attention",
    "recall.enter": "recall.project",
    **{f"{path}.{k}.then": f"{path}.{k}.resample" for path in ("down", "up") for k in range(8)},
}


class UnetRefiner(PretrainedMixin, nn.Module):
    """Map a clip, its mask and its condition to a cleaner clip.

    Args:
        config: sizes.
    """

    config_class = UnetConfig
    renamed: ClassVar[Mapping[str, str]] = _RENAMED
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = c = config
        widths = [c.dim * m for m in c.multipliers]
        folded = c.channels * c.patch**2
        self.condition_encoder = ConditionEncoder(c)
        self.stem = nn.Conv2d((c.channels + 1) * c.patch**2, c.dim, 7 if c.patch == 1 else 3, padding="same")
        self.recall = None if c.recall is None else RecallBlock(c)
        self.stem_time = TemporalAttention(c.dim, c.heads, c.head, c.frames)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = c.dim
        for level, width in enumerate(widths):
            last = level == len(widths) - 1
            self.down.append(UnetStage(c, before, width, level, None if last else "down"))
            before = width
        self.middle = UnetStage(c, before, before, len(widths), None)
        for level, width in reversed(list(enumerate(widths))):
            self.up.append(UnetStage(c, before + width, width, level, "up" if level else None))
            before = width
        outputs = folded if c.recall is None else folded + c.patch**2
        self.head = nn.Sequential(
            nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, outputs, 3, padding=1)
        )
        nn.init.zeros_(self.head[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.head[-1].bias)  # type: ignore[arg-type]

    def forward(
        self, video: Tensor, mask: Tensor | None = None, condition: Condition | None = None
    ) -> Tensor:
        """Return the clean clip, not clamped; arguments as `refine`."""
        c = self.config
        check_clip(video, mask, c)
        batch, frames = video.shape[:2]
        hole = video.new_zeros(batch, frames, 1, *video.shape[3:]) if mask is None else mask.to(video)
        x = F.pixel_unshuffle(torch.cat([video, hole], dim=2).flatten(0, 1), c.patch)
        encoded = self.condition_encoder(condition or Condition(), batch, video.device)
        x, recalled = self.stem(x), None
        if self.recall is not None:
            x, recalled = self.recall(x, video, hole)
        x = self.stem_time(x, frames)
        skips = []
        for stage in self.down:
            x, skip = stage(x, encoded, frames)
            skips.append(skip)
        x, _ = self.middle(x, encoded, frames)
        for stage in self.up:
            x, _ = stage(torch.cat([x, skips.pop()], dim=1), encoded, frames)
        x = F.pixel_shuffle(self.head(x), c.patch).unflatten(0, (batch, frames))
        if recalled is None:
            return video + x if c.residual else x
        x, gate = x.split([c.channels, 1], dim=2)
        mixed = video + torch.sigmoid(gate - 1.0) * (recalled - video)
        return mixed + x if c.residual else x

    @torch.no_grad()
    def refine(self, video: Tensor, mask: Tensor | None = None, condition: Condition | None = None) -> Tensor:
        """Make one pass; see `moviola.models.protocols.Refiner.refine`.

        Raises:
            ConfigError: a clip or mask of other axes, channels or sides.
        """
        return self(video, mask, condition).float().clamp(-1, 1)


class RecallBlock(nn.Module):
    """What the clip shows elsewhere for each place, and features that know it.

    Args:
        config: sizes.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        c = config
        self.patch = c.patch
        self.to_features = nn.Conv2d(c.dim, c.dim, 3, padding=1)
        self.attention = Recall(c.dim, c.head, c.frames, c.recall or 0)
        self.project = nn.Conv2d(c.channels * c.patch**2, c.dim, 3, padding=1)

    def forward(self, x: Tensor, video: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (B T, dim, h, w), the clip and its mask to features and the recalled clip (B, T, C, H, W)."""
        frames = video.shape[1]
        pixels = F.pixel_unshuffle(video.flatten(0, 1), self.patch)
        covered = F.avg_pool2d(hole.flatten(0, 1), self.patch)
        recalled = self.attention(self.to_features(F.silu(x)), pixels, covered, frames)
        x = x + self.project(recalled - pixels)
        return x, F.pixel_shuffle(recalled, self.patch).unflatten(0, video.shape[:2])


class ConditionEncoder(nn.Module):
    """Class and words of a clip as a vector and a row of vectors.

    Args:
        config: sizes; without classes and text there is a single learnt vector.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config, width = config, config.condition
        self.null_token = nn.Parameter(torch.zeros(width))
        self.label = nn.Embedding(len(config.classes), width) if config.classes else None
        self.word = nn.Embedding(BUCKETS, width, padding_idx=0) if config.text else None
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, width)) if config.text else None
        self.phrase = nn.Conv1d(width, width, 3, padding=1) if config.text else None
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, condition: Condition, batch: int, device: torch.device) -> EncodedCondition:
        """Return the vector (B, D) and the words (B, L, D) with which of them are there; one empty word always is."""
        vector = self.null_token.expand(batch, -1)
        words, keep_mask = None, None
        if self.label is not None and condition.label is not None:
            labelled = (condition.label >= 0).to(vector)[:, None]
            vector = vector + labelled * self.label(condition.label.clamp_min(0))
        if self.word is not None and self.position is not None and self.phrase is not None:
            tokens = condition.tokens
            if tokens is None:
                tokens = torch.zeros(batch, 1, dtype=torch.long, device=device)
            is_word = tokens > 0
            embedded = (self.word(tokens) + self.position[: tokens.shape[1]]) * is_word[..., None]
            phrases = F.silu(self.phrase(embedded.transpose(1, 2))).transpose(
                1, 2
            )  # "red hair" is not "red ... hair"
            embedded = embedded + phrases * is_word[..., None]
            vector = (
                vector + (embedded * is_word[..., None]).sum(1) / is_word.sum(1).clamp_min(1)[:, None].sqrt()
            )
            words = torch.cat([embedded, self.null_token.expand(batch, 1, -1)], dim=1)
            keep_mask = torch.cat([is_word, is_word.new_ones(batch, 1)], dim=1)
        return EncodedCondition(self.mlp(vector), words, keep_mask)


class EncodedCondition:
    """The condition of a batch of clips, encoded.

    Attributes:
        vector: (B, D).
        words: (B, L, D) or None.
        keep_mask: which of the words are attended to, bool (B, L), or None.
    """

    def __init__(self, vector: Tensor, words: Tensor | None, keep_mask: Tensor | None) -> None:
        self.vector, self.words, self.keep_mask = vector, words, keep_mask


class UnetStage(nn.Module):
    """Residual blocks of one size, then attention in space, in time, and to the words; then the next size.

    Args:
        config: sizes.
        before, width: C of what comes in, and of what goes out.
        level: 0 is the largest; there words are not looked at.
        resample: "down" to half the size, "up" to twice, None to stay.
    """

    def __init__(self, config: UnetConfig, before: int, width: int, level: int, resample: str | None) -> None:
        super().__init__()
        c = config
        ins = [before, *[width] * (c.blocks - 1)]
        self.blocks = nn.ModuleList(Residual(w, width, c.condition) for w in ins)
        self.space = LinearAttention(width, c.heads, c.head)
        self.time = TemporalAttention(width, c.heads, c.head, c.frames)
        self.words = CrossAttention(width, c.condition, c.heads, c.head) if c.text and level else None
        self.resample: nn.Module | None = None
        if resample == "down":
            self.resample = nn.Conv2d(width, width, 4, stride=2, padding=1)
        elif resample == "up":
            self.resample = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)

    def forward(self, x: Tensor, condition: EncodedCondition, frames: int) -> tuple[Tensor, Tensor]:
        """Map (B T, before, H, W) to (B T, width, H', W'); return also what it was before the size changed."""
        vector = condition.vector.repeat_interleave(frames, dim=0)
        for block in self.blocks:
            x = block(x, vector)
        x = self.time(self.space(x), frames)
        if self.words is not None and condition.words is not None and condition.keep_mask is not None:
            x = self.words(x, condition.words, condition.keep_mask, frames)
        return (self.resample(x) if self.resample is not None else x), x

    def attentions(self) -> Iterator[nn.Module]:
        """Go through the attention layers."""
        yield from (self.space, self.time)
        if self.words is not None:
            yield self.words


class Residual(nn.Module):
    """Two 3x3 convolutions, the second after FiLM, around a residual path.

    Args:
        before, width: C before and after.
        condition: D of the condition.
    """

    def __init__(self, before: int, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, before)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1)
        self.film = FiLM(width, condition)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(before, width, 1) if before != width else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (N, before, H, W) and condition (N, D) to (N, width, H, W)."""
        h = self.conv1(F.silu(self.norm(x)))
        h = self.conv2(F.silu(self.film(h, condition)))
        return h + self.skip(x)
