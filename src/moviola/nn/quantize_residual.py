"""Residual quantisation: each codebook quantises what the ones before it have left.

Source: Zeghidour et al. 2021, "SoundStream", algorithm 1; for pictures Lee et al. 2022, "Autoregressive Image
Generation using Residual Quantization", section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moviola.nn.quantize import EmaCodebook, Quantized, straight_through


class ResidualCodebook(nn.Module):
    """R codebooks in a row, with the interface of one; a code is R numbers.

    Args:
        depth: R.
        codes, width, decay, restart_below: of each, as for `EmaCodebook`.
    """

    def __init__(
        self, depth: int, codes: int, width: int, decay: float = 0.99, restart_below: float = 1.0
    ) -> None:
        super().__init__()
        self.books = nn.ModuleList(
            EmaCodebook(codes, width, decay, restart_below=restart_below) for _ in range(depth)
        )

    @property
    def initialised(self) -> bool:
        """Whether all of them are."""
        return all(bool(book.initialised) for book in self._all())

    def _all(self) -> list[EmaCodebook]:
        return [book for book in self.books if isinstance(book, EmaCodebook)]

    def nearest(self, latents: Tensor) -> Tensor:
        """Map (N, D) to numbers int64 (N, R)."""
        codes, residual = [], latents.detach().float()
        for book in self._all():
            codes.append(book.nearest(residual))
            residual = residual - book.lookup(codes[-1])
        return torch.stack(codes, dim=-1)

    def lookup(self, codes: Tensor) -> Tensor:
        """Map numbers int64 (..., R) to vectors float32 (..., D), the sums of the books' own."""
        return torch.stack([book.lookup(codes[..., k]) for k, book in enumerate(self._all())]).sum(dim=0)

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise latents (..., D); commitment, usage and perplexity are means over the books."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            parts, residual = [], latents
            for book in self._all():
                parts.append(book(residual))
                residual = residual - parts[-1].values.detach()
            values = torch.stack([part.values.detach() for part in parts]).sum(dim=0)
            return Quantized(
                values=straight_through(latents, values),
                codes=torch.stack([part.codes for part in parts], dim=-1),
                commitment=torch.stack([part.commitment for part in parts]).mean(),
                usage=torch.stack([part.usage for part in parts]).mean(),
                perplexity=torch.stack([part.perplexity for part in parts]).mean(),
            )

    @torch.no_grad()
    def initialise(self, latents: Tensor, generator: torch.Generator) -> None:
        """Initialise the first book from rows (N, D) of the data, each later one from what is left of them."""
        residual = latents.detach().float()
        for book in self._all():
            book.initialise(residual, generator)
            residual = residual - book.lookup(book.nearest(residual))

    @torch.no_grad()
    def update(self, latents: Tensor, codes: Tensor, generator: torch.Generator) -> int:
        """Update each book by what it was given; return how many codes restarted.

        Args:
            latents: (N, D).
            codes: int64 (N, R), what `forward` chose.
            generator: on the CPU.
        """
        residual, restarts = latents.detach().float(), 0
        for k, book in enumerate(self._all()):
            values = book.lookup(codes[:, k])
            restarts += book.update(residual, codes[:, k], generator)
            residual = residual - values
        return restarts
