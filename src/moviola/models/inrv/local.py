"""Local latents: a small grid of vectors over the frame, read by attention to the nearest cells."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LocalLatents(nn.Module):
    """Reads a grid of latents (B, C, g, g) at places (y, x): attention over the 3x3 cells around each place.

    The weight of a cell falls with a learned function of its distance and its content, and is 0 from 1.5 cells away,
    so that what is read changes without a jump from cell to cell.

    Args:
        channels: C.
        cells: g.
    """

    def __init__(self, channels: int, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.key = nn.Linear(channels, 1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def forward(self, latents: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Read.

        Args:
            latents: (B, C, g, g).
            y, x: (B, N) or (N,) in [-1, 1].

        Returns:
            (B, N, C).
        """
        batch, channels, cells, _ = latents.shape
        y, x = (v.expand(batch, -1) if v.dim() == 2 else v[None].expand(batch, -1) for v in (y, x))
        rows, columns = ((v + 1) / 2 * cells - 0.5 for v in (y, x))  # in cells, 0 at the first centre
        flat = latents.flatten(2).transpose(1, 2)
        near_y, near_x = rows.round(), columns.round()
        logits, values, windows = [], [], []
        keys = self.key(flat)[..., 0]
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                cy, cx = near_y + dy, near_x + dx
                index = (cy.clamp(0, cells - 1) * cells + cx.clamp(0, cells - 1)).long()
                far = torch.maximum((rows - cy).abs(), (columns - cx).abs())
                windows.append((1.5 - far).clamp(0, 1) * (1.5 - far > 0))
                distance = (rows - cy).square() + (columns - cx).square()
                logits.append(keys.gather(1, index) - F.softplus(self.sharpness) * distance)
                values.append(flat.gather(1, index[..., None].expand(-1, -1, channels)))
        scores = torch.stack(logits)
        weight = (scores - scores.amax(dim=0)).exp() * torch.stack(windows)
        weight = weight / weight.sum(dim=0)
        return (weight[..., None] * torch.stack(values)).sum(dim=0)
