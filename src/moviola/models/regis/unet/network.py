"""REGIS-U: frames go through 2-D blocks, and between them every place looks at itself in the other frames.

Source: "REGIS" (2023), REGIS-U; the network's form is that of Ho et al. 2022, "Video Diffusion Models", section 3,
without the noise level: 1x3x3 convolutions, linear attention in space, attention in time.
"""

from __future__ import annotations

from collections.abc import Iterator
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


class UnetRefiner(PretrainedMixin, nn.Module):
    """A clip, its mask and what is said of it to a cleaner clip.

    Args:
        config: sizes.
    """

    config_class = UnetConfig
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = c = config
        widths = [c.dim * m for m in c.multipliers]
        folded = c.channels * c.patch**2
        self.said = Said(c)
        self.enter = nn.Conv2d((c.channels + 1) * c.patch**2, c.dim, 7 if c.patch == 1 else 3, padding="same")
        self.recall = None if c.recall is None else Recalled(c)
        self.enter_time = TemporalAttention(c.dim, c.heads, c.head, c.frames)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = c.dim
        for level, width in enumerate(widths):
            last = level == len(widths) - 1
            self.down.append(Level(c, before, width, level, None if last else "down"))
            before = width
        self.middle = Level(c, before, before, len(widths), None)
        for level, width in reversed(list(enumerate(widths))):
            self.up.append(Level(c, before + width, width, level, "up" if level else None))
            before = width
        made = folded if c.recall is None else folded + c.patch**2
        self.leave = nn.Sequential(nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, made, 3, padding=1))
        nn.init.zeros_(self.leave[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.leave[-1].bias)  # type: ignore[arg-type]

    def forward(
        self, video: Tensor, mask: Tensor | None = None, condition: Condition | None = None
    ) -> Tensor:
        """Return the clean clip, not clamped; arguments as `refine`."""
        c = self.config
        check_clip(video, mask, c)
        batch, frames = video.shape[:2]
        hole = video.new_zeros(batch, frames, 1, *video.shape[3:]) if mask is None else mask.to(video)
        x = F.pixel_unshuffle(torch.cat([video, hole], dim=2).flatten(0, 1), c.patch)
        said = self.said(condition or Condition(), batch, video.device)
        x, recalled = self.enter(x), None
        if self.recall is not None:
            x, recalled = self.recall(x, video, hole)
        x = self.enter_time(x, frames)
        kept = []
        for level in self.down:
            x, kept_here = level(x, said, frames)
            kept.append(kept_here)
        x, _ = self.middle(x, said, frames)
        for level in self.up:
            x, _ = level(torch.cat([x, kept.pop()], dim=1), said, frames)
        x = F.pixel_shuffle(self.leave(x), c.patch).unflatten(0, (batch, frames))
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


class Recalled(nn.Module):
    """What the clip shows elsewhere for each place, and features that know it.

    Args:
        config: sizes.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        c = config
        self.patch = c.patch
        self.look = nn.Conv2d(c.dim, c.dim, 3, padding=1)
        self.recall = Recall(c.dim, c.head, c.frames, c.recall or 0)
        self.enter = nn.Conv2d(c.channels * c.patch**2, c.dim, 3, padding=1)

    def forward(self, x: Tensor, video: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (B T, dim, h, w), the clip and its mask to features and the recalled clip (B, T, C, H, W)."""
        frames = video.shape[1]
        pixels = F.pixel_unshuffle(video.flatten(0, 1), self.patch)
        covered = F.avg_pool2d(hole.flatten(0, 1), self.patch)
        recalled = self.recall(self.look(F.silu(x)), pixels, covered, frames)
        x = x + self.enter(recalled - pixels)
        return x, F.pixel_shuffle(recalled, self.patch).unflatten(0, video.shape[:2])


class Said(nn.Module):
    """Class and words of a clip as a vector and a row of vectors.

    Args:
        config: sizes; without classes and text there is a single learnt vector.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config, width = config, config.condition
        self.nothing = nn.Parameter(torch.zeros(width))
        self.label = nn.Embedding(len(config.classes), width) if config.classes else None
        self.word = nn.Embedding(BUCKETS, width, padding_idx=0) if config.text else None
        self.place = nn.Parameter(0.02 * torch.randn(LENGTH, width)) if config.text else None
        self.phrase = nn.Conv1d(width, width, 3, padding=1) if config.text else None
        self.mix = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, condition: Condition, batch: int, device: torch.device) -> Saying:
        """Return the vector (B, D) and the words (B, L, D) with which of them are there; one empty word always is."""
        vector = self.nothing.expand(batch, -1)
        words, known = None, None
        if self.label is not None and condition.label is not None:
            told = (condition.label >= 0).to(vector)[:, None]
            vector = vector + told * self.label(condition.label.clamp_min(0))
        if self.word is not None and self.place is not None and self.phrase is not None:
            tokens = condition.tokens
            if tokens is None:
                tokens = torch.zeros(batch, 1, dtype=torch.long, device=device)
            there = tokens > 0
            embedded = (self.word(tokens) + self.place[: tokens.shape[1]]) * there[..., None]
            phrases = F.silu(self.phrase(embedded.transpose(1, 2))).transpose(
                1, 2
            )  # "red hair" is not "red ... hair"
            embedded = embedded + phrases * there[..., None]
            vector = vector + (embedded * there[..., None]).sum(1) / there.sum(1).clamp_min(1)[:, None].sqrt()
            words = torch.cat([embedded, self.nothing.expand(batch, 1, -1)], dim=1)
            known = torch.cat([there, there.new_ones(batch, 1)], dim=1)
        return Saying(self.mix(vector), words, known)


class Saying:
    """What is said of a batch of clips.

    Attributes:
        vector: (B, D). words: (B, L, D) or None. known: which words are there, bool (B, L), or None.
    """

    def __init__(self, vector: Tensor, words: Tensor | None, known: Tensor | None) -> None:
        self.vector, self.words, self.known = vector, words, known


class Level(nn.Module):
    """Residual blocks of one size, then attention in space, in time, and to the words; then the next size.

    Args:
        config: sizes.
        before, width: C of what comes in, and of what goes out.
        level: 0 is the largest; there words are not looked at.
        then: "down" to half the size, "up" to twice, None to stay.
    """

    def __init__(self, config: UnetConfig, before: int, width: int, level: int, then: str | None) -> None:
        super().__init__()
        c = config
        ins = [before, *[width] * (c.blocks - 1)]
        self.blocks = nn.ModuleList(Residual(w, width, c.condition) for w in ins)
        self.space = LinearAttention(width, c.heads, c.head)
        self.time = TemporalAttention(width, c.heads, c.head, c.frames)
        self.words = CrossAttention(width, c.condition, c.heads, c.head) if c.text and level else None
        self.then: nn.Module | None = None
        if then == "down":
            self.then = nn.Conv2d(width, width, 4, stride=2, padding=1)
        elif then == "up":
            self.then = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)

    def forward(self, x: Tensor, said: Saying, frames: int) -> tuple[Tensor, Tensor]:
        """Map (B T, before, H, W) to (B T, width, H', W'); return also what it was before the size changed."""
        vector = said.vector.repeat_interleave(frames, dim=0)
        for block in self.blocks:
            x = block(x, vector)
        x = self.time(self.space(x), frames)
        if self.words is not None and said.words is not None and said.known is not None:
            x = self.words(x, said.words, said.known, frames)
        return (self.then(x) if self.then is not None else x), x

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
