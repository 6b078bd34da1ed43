"""Telling a video's frames to its latent ("VideoCLIP")."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FrameCondition(nn.Module):
    """Frozen frame embeddings through a bidirectional GRU, averaged over time, joined with the instance code.

    Source: INR-V, section 3.2 (CLIP embeddings there; any frame embedder here).

    Args:
        embedding: D of a frame's embedding.
        latent: D of the instance code and of the result.
    """

    def __init__(self, embedding: int, latent: int) -> None:
        super().__init__()
        self.gru = nn.GRU(embedding, latent, batch_first=True, bidirectional=True)
        self.join = nn.Linear(3 * latent, latent)

    def forward(self, instance: Tensor, embeddings: Tensor) -> Tensor:
        """Join instance codes (B, D) with embeddings (B, T, E): (B, D)."""
        states = self.gru(embeddings)[0].mean(dim=1)
        return self.join(torch.cat([instance, states], dim=1))
