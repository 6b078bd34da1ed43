"""A codebook that follows its data: nearest codes, straight-through gradients, moving averages, restarts.

Source: van den Oord et al. 2017, "Neural Discrete Representation Learning", section 3 and appendix A.1 (moving
averages); Dhariwal et al. 2020, "Jukebox", appendix B.1 (restarts); Yan et al. 2021, "VideoGPT", section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

_ROWS = 16384  # rows compared with the codebook at once


@dataclass(frozen=True, eq=False)
class Quantized:
    """What a codebook makes of latents.

    Attributes:
        values: float32 (..., D), the code vectors; their gradient goes straight to the latents.
        codes: int64 (...), numbers of the codes.
        commitment: scalar, mean squared distance of the latents to their (fixed) codes; not yet weighted.
        usage: scalar, share of the codes in use among these latents, 0 to 1.
        perplexity: scalar, exp of the entropy of the codes' shares, 1 to K.
    """

    values: Tensor
    codes: Tensor
    commitment: Tensor
    usage: Tensor
    perplexity: Tensor


def straight_through(latents: Tensor, values: Tensor) -> Tensor:
    """Return `values`, with a gradient that goes to `latents` unchanged (van den Oord et al. 2017, section 3.2)."""
    return latents + (values - latents).detach()


def perplexity(counts: Tensor) -> Tensor:
    """Return exp(-sum p log p) of the shares p of `counts` (K,), none negative; 1 where all is one code."""
    share = counts.float() / counts.sum().clamp(min=1e-12)
    return torch.exp(torch.special.entr(share).sum())


class EmaCodebook(nn.Module):
    """K vectors that are moving averages of the latents that chose them.

    Forward changes nothing: `initialise` once, then `update` after each step, say so. All there is to know (vectors,
    counts, sums, whether it is initialised) is in buffers, so that what is saved and loaded trains on as if it had not
    been. Under `torch.distributed` the sums go over all ranks and the draws are rank 0's: all keep one codebook.

    Args:
        codes: K.
        width: D of a code vector.
        decay: share of the moving averages kept an update.
        epsilon: of the Laplace smoothing of the counts.
        restart_below: a code restarts when its moving count (rows an update) is under this. Where an update has few
            rows for the number of codes, a tenth of the mean count takes its place. 0: no restarts.
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor
    initialised: Tensor

    def __init__(
        self,
        codes: int,
        width: int,
        decay: float = 0.99,
        epsilon: float = 1e-5,
        restart_below: float = 1.0,
    ) -> None:
        super().__init__()
        self.decay, self.epsilon, self.restart_below = decay, epsilon, restart_below
        vectors = torch.randn(codes, width)
        self.register_buffer("vectors", vectors)
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", vectors.clone())
        self.register_buffer("initialised", torch.zeros((), dtype=torch.uint8))

    def nearest(self, latents: Tensor) -> Tensor:
        """Map (N, D) to the numbers int64 (N,) of the vectors nearest to them (Euclidean, in float32)."""
        with torch.no_grad(), torch.autocast(latents.device.type, enabled=False):
            # argmin_k |x - e_k|^2 = argmin_k |e_k|^2 - 2 x . e_k: (N, K) from x (N, D) and e (K, D)
            vectors, square = self.vectors.t(), self.vectors.square().sum(dim=1)
            blocks = latents.detach().float().split(_ROWS)
            return torch.cat([torch.addmm(square, b, vectors, alpha=-2).argmin(dim=1) for b in blocks])

    def lookup(self, codes: Tensor) -> Tensor:
        """Map numbers int64 (...) to vectors float32 (..., D)."""
        return F.embedding(codes, self.vectors)

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise latents (..., D) of any float type; works in float32 under autocast too."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            codes = self.nearest(latents.flatten(0, -2)).view(latents.shape[:-1])
            values = self.lookup(codes)
            counts = torch.bincount(codes.flatten(), minlength=len(self.counts))
            return Quantized(
                values=straight_through(latents, values),
                codes=codes,
                commitment=F.mse_loss(latents, values),
                usage=(counts > 0).float().mean(),
                perplexity=perplexity(counts),
            )

    @torch.no_grad()
    def initialise(self, latents: Tensor, generator: torch.Generator) -> None:
        """Take rows of the data as code vectors.

        Args:
            latents: (N, D) of a first batch; with fewer rows than codes they repeat, with a little noise (1 % of the
                data's standard deviation).
            generator: on the CPU.
        """
        latents = latents.detach().float()
        rows = self._draw(latents, len(self.vectors), generator)
        if len(latents) < len(rows):
            noise = torch.randn(rows.shape, generator=generator).to(rows)
            noise[: len(latents)] = 0
            rows = rows + 0.01 * latents.std(correction=0) * noise
        self.vectors.copy_(_from_first(rows))
        self.counts.fill_(1)
        self.sums.copy_(self.vectors)
        self.initialised.fill_(1)

    @torch.no_grad()
    def update(self, latents: Tensor, codes: Tensor, generator: torch.Generator) -> int:
        """Move the codebook towards the latents of a step, and restart the codes that nothing chooses.

        count <- decay count + (1 - decay) n, sum <- decay sum + (1 - decay) s with n rows adding up to s, and vector =
        sum / count, counts being smoothed: (count + epsilon) / (total + K epsilon) * total
        (van den Oord et al. 2017, eqs. 6 to 8).

        Args:
            latents: (N, D), what the encoder gave.
            codes: int64 (N,), what `forward` chose for them.
            generator: on the CPU; draws which latents take the places of dead codes.

        Returns:
            How many codes restarted.
        """
        latents = latents.detach().float()
        rows = torch.zeros_like(self.counts).index_add_(0, codes, torch.ones_like(latents[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, codes, latents)
        rows, sums = _summed(rows), _summed(sums)
        # van den Oord et al. 2017, eqs. 6 and 7: N_k (K,) and m_k (K, D), of n_k rows with the sum of z over them
        self.counts.mul_(self.decay).add_(rows, alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        total = self.counts.sum()
        # eq. 8, e_k = m_k / N_k, with N_k smoothed as Laplace does
        smooth = (self.counts + self.epsilon) / (total + len(self.counts) * self.epsilon) * total
        self.vectors.copy_(self.sums / smooth[:, None])
        return self._restart(latents, self._threshold(float(rows.sum())), generator)

    def _threshold(self, rows: float) -> float:
        return min(self.restart_below, 0.1 * rows / len(self.counts))

    def _restart(self, latents: Tensor, threshold: float, generator: torch.Generator) -> int:
        """Put latents in the places of dead codes; twice the threshold as count gives each some updates to catch on."""
        (dead,) = torch.where(self.counts < threshold)
        if not len(dead):
            return 0
        rows = _from_first(self._draw(latents, len(dead), generator))
        self.vectors[dead] = rows
        self.counts[dead] = 2 * threshold
        self.sums[dead] = 2 * threshold * rows
        return len(dead)

    @staticmethod
    def _draw(latents: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """Draw `number` rows, none twice before all have been drawn."""
        order = torch.randperm(len(latents), generator=generator)
        order = order.repeat(-(-number // len(order)))[:number]
        return latents[order.to(latents.device)]


def _shared() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _summed(value: Tensor) -> Tensor:
    """Add up over all ranks."""
    if _shared():
        dist.all_reduce(value)
    return value


def _from_first(value: Tensor) -> Tensor:
    """Give every rank rank 0's."""
    if _shared():
        value = value.contiguous()
        dist.broadcast(value, 0)
    return value
