"""Attention over the places of a frame, over time, and over words; all on frames laid out as (B T, C, H, W).

Sources: Ho et al. 2022, "Video Diffusion Models", section 3 (space and time factorised); Shen et al. 2021, "Efficient
Attention: Attention with Linear Complexities", eq. 4; Su et al. 2021, "RoFormer", eq. 34 (rotary position); Raffel et
al. 2020, "Exploring the limits of transfer learning", section 2.1 (relative position bias).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.norm import group_norm


class LinearAttention(nn.Module):
    """Attention among the places of each frame, at a cost that grows with H W and not with its square.

    Args:
        channels: C.
        heads: number of heads.
        head: D of each.
    """

    def __init__(self, channels: int, heads: int, head: int) -> None:
        super().__init__()
        self.heads, self.head = heads, head
        self.norm = group_norm(channels)
        self.to_qkv = nn.Conv2d(channels, 3 * heads * head, 1, bias=False)
        self.to_out = nn.Conv2d(heads * head, channels, 1)
        nn.init.zeros_(self.to_out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape; adds to its input."""
        n, _, height, width = x.shape
        q, k, v = self.to_qkv(self.norm(x)).view(n, 3, self.heads, self.head, height * width).unbind(1)
        q = q.softmax(dim=-2) * self.head**-0.5
        k = k.softmax(dim=-1)
        context = k @ v.transpose(-1, -2)
        out = context.transpose(-1, -2).to(q.dtype) @ q
        return x + self.to_out(out.reshape(n, -1, height, width))


class TemporalAttention(nn.Module):
    """Attention among the frames at each place, with rotary positions and a learnt bias by distance.

    Args:
        channels: C.
        heads: number of heads.
        head: D of each, even.
        frames: largest T whose distances are told apart; farther ones share the last bias.
    """

    def __init__(self, channels: int, heads: int, head: int, frames: int) -> None:
        super().__init__()
        self.heads, self.head, self.frames = heads, head, frames
        self.norm = group_norm(channels)
        self.to_qkv = nn.Conv2d(channels, 3 * heads * head, 1, bias=False)
        self.to_out = nn.Conv2d(heads * head, channels, 1)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * frames - 1))
        nn.init.zeros_(self.to_out.weight)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (B T, C, H, W) with T = `frames` to the same shape; adds to its input."""
        n, _, height, width = x.shape
        qkv = self.to_qkv(self.norm(x)).view(n // frames, frames, 3, self.heads, self.head, height * width)
        q, k, v = qkv.permute(2, 0, 5, 3, 1, 4).flatten(1, 2).contiguous().unbind(0)  # (B HW, heads, T, D)
        q, k = rotate(q), rotate(k)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=self._bias(frames).to(q.dtype)[None])
        out = out.view(n // frames, height * width, self.heads, frames, self.head).permute(0, 3, 2, 4, 1)
        return x + self.to_out(out.reshape(n, -1, height, width))

    def _bias(self, frames: int) -> Tensor:
        """The bias of every pair of frames, (heads, T, T)."""
        time = torch.arange(frames, device=self.bias.device)
        distance = (time[None, :] - time[:, None]).clamp(1 - self.frames, self.frames - 1)
        return self.bias[:, distance + self.frames - 1]


class CrossAttention(nn.Module):
    """Attention from the places of each frame to the words of its clip's text.

    Args:
        channels: C.
        words: D of a word.
        heads: number of heads.
        head: D of each.
    """

    def __init__(self, channels: int, words: int, heads: int, head: int) -> None:
        super().__init__()
        self.heads, self.head = heads, head
        self.norm = group_norm(channels)
        self.to_q = nn.Conv2d(channels, heads * head, 1, bias=False)
        self.to_kv = nn.Linear(words, 2 * heads * head, bias=False)
        self.to_out = nn.Conv2d(heads * head, channels, 1)
        nn.init.zeros_(self.to_out.weight)

    def forward(self, x: Tensor, words: Tensor, word_mask: Tensor, frames: int) -> Tensor:
        """Attend from x (B T, C, H, W) to words (B, L, D); word_mask, bool (B, L), is False at padding."""
        n, _, height, width = x.shape
        batch = n // frames
        q = self.to_q(self.norm(x)).view(batch, frames, self.heads, self.head, height * width)
        q = q.permute(0, 2, 1, 4, 3).flatten(2, 3)  # (B, heads, T HW, D)
        k, v = self.to_kv(words).view(batch, -1, 2, self.heads, self.head).permute(2, 0, 3, 1, 4).unbind(0)
        k, v = k.to(q.dtype), v.to(q.dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=word_mask[:, None, None, :])
        out = out.view(batch, self.heads, frames, height * width, self.head).permute(0, 2, 1, 4, 3)
        return x + self.to_out(out.reshape(n, -1, height, width))


def rotate(x: Tensor, base: float = 10000.0) -> Tensor:
    """Turn neighbouring pairs of features by an angle that grows with the position (RoFormer, eq. 34).

    The product of two rotated vectors depends on the distance of their positions alone.

    Args:
        x: (..., T, D), D even.
        base: of the wavelengths.
    """
    length, width = x.shape[-2:]
    speed = base ** (-torch.arange(0, width, 2, device=x.device, dtype=torch.float32) / width)
    angle = torch.arange(length, device=x.device, dtype=torch.float32)[:, None] * speed
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
