"""Recall: every place of a clip takes up pixels that the clip shows at like places in its other frames.

What a generator has lost in one frame (an eye, a pattern, an edge) it has often drawn well in another. Sources: Buades
et al. 2005, "A non-local algorithm for image denoising", eq. 1 (a pixel as the mean of pixels, weighted by likeness);
Wang et al. 2018, "Non-local Neural Networks", eq. 1 and 3 (the likeness is learnt). The values are pixels themselves
rather than features, the bias by distance in time and the closed holes are ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.norm import group_norm

_BIAS_SCALE = 8.0  # the learnt bias is scaled up, or it would take thousands of steps to matter
_CLOSED = -30.0


class Recall(nn.Module):
    """Attention from each patch to the patches at and around its place in all frames; what it returns is pixels.

    Args:
        channels: C of the features that likeness is learnt from.
        head: D of queries and keys.
        frames: largest T whose distances are told apart; farther ones share the last bias.
        reach: patches that it looks away from its own place, each way.
    """

    def __init__(self, channels: int, head: int, frames: int, reach: int = 0) -> None:
        super().__init__()
        self.head, self.frames, self.reach = head, frames, reach
        self.norm = group_norm(channels)
        self.to_qk = nn.Conv2d(channels, 2 * head, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(2 * frames - 1, (2 * reach + 1) ** 2))

    def forward(self, x: Tensor, patches: Tensor, hole: Tensor, frames: int) -> Tensor:
        """Recall each patch from the clip.

        Args:
            x: features (B T, C, H, W), T = `frames`.
            patches: pixels of each patch, (B T, P, H, W).
            hole: how much of each patch is hole, in [0, 1], (B T, 1, H, W); holes are not recalled from.
            frames: T.

        Returns:
            (B T, P, H, W): weighted means of `patches`, whose weights are at least 0 and sum to 1.
        """
        n, _, height, width = x.shape
        q, k = self.to_qk(self.norm(x)).chunk(2, dim=1)
        q = self._by_place(q, frames)  # (B HW, T, D)
        k, values = (self._around(t, frames) for t in (k, patches.to(q)))  # (B HW, T S, D or P)
        closed = self._around(_CLOSED * hole.to(q), frames).transpose(1, 2)  # (B HW, 1, T S)
        likeness = (q @ k.transpose(1, 2)) * self.head**-0.5 + self._bias(frames).to(q) + closed
        out = (likeness.float().softmax(dim=-1).to(values.dtype) @ values).to(patches)
        batch = n // frames
        return out.view(batch, height, width, frames, -1).permute(0, 3, 4, 1, 2).flatten(0, 1)

    @staticmethod
    def _by_place(x: Tensor, frames: int) -> Tensor:
        """(B T, D, H, W) to (B HW, T, D)."""
        x = x.unflatten(0, (-1, frames)).permute(0, 3, 4, 1, 2)
        return x.flatten(0, 2).contiguous()

    def _around(self, x: Tensor, frames: int) -> Tensor:
        """(B T, D, H, W) to (B HW, T S, D), S places around each; past the border its outermost place counts."""
        if not self.reach:
            return self._by_place(x, frames)
        height, width = x.shape[-2:]
        r = self.reach
        wide = F.pad(x, (r, r, r, r), mode="replicate")
        steps = range(2 * r + 1)
        shifted = [wide[..., dy : dy + height, dx : dx + width] for dy in steps for dx in steps]
        return torch.stack([self._by_place(m, frames) for m in shifted], dim=2).flatten(1, 2)

    def _bias(self, frames: int) -> Tensor:
        """What is added for the distance in time and space, (T, T S)."""
        time = torch.arange(frames, device=self.bias.device)
        distance = (time[None, :] - time[:, None]).clamp(1 - self.frames, self.frames - 1)
        return _BIAS_SCALE * self.bias[distance + self.frames - 1].flatten(1)
