"""Fusing pictures in the gradient domain: a screened Poisson equation, solved by cosine transforms.

`scipy` is used where a picture is solved, not at import.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from moviola.core.errors import ConfigError
from moviola.core.optional import require


def _transforms() -> Any:
    return require("scipy.fft", "Poisson fusion", 'or carry paint by the method "linear"')


def gradients(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the forward differences of a picture along x and along y; the last column and row are 0.

    Args:
        picture: (H, W) or (H, W, C), any float type.

    Returns:
        two arrays like `picture`.
    """
    across, down = np.zeros_like(picture), np.zeros_like(picture)
    across[:, :-1] = picture[:, 1:] - picture[:, :-1]
    down[:-1] = picture[1:] - picture[:-1]
    return across, down


def solve(across: np.ndarray, down: np.ndarray, prior: np.ndarray, pull: float = 0.01) -> np.ndarray:
    """Find the picture with given gradients that is near a prior.

    Minimises |dx u - across|^2 + |dy u - down|^2 + pull |u - prior|^2 over u, with forward differences and nothing
    beyond the border (Neumann): (D^T D + pull) u = D^T g + pull prior, which the type-2 cosine transform diagonalises
    with eigenvalues 4 - 2 cos(pi k / H) - 2 cos(pi l / W). With a pull of 0 the picture gets the prior's mean.

    Source: Bhat, Curless, Cohen and Zitnick 2008, "Fourier analysis of the 2D screened Poisson equation for gradient
    domain problems", sections 2 and 4.

    Args:
        across: differences to reach along x, float (H, W) or (H, W, C); the last column is not read.
        down: differences to reach along y, like `across`; the last row is not read.
        prior: the picture to stay near, like `across`.
        pull: how strongly, at least 0, in 1/px^2: structures wider than about 2 pi / sqrt(pull) px follow the prior.

    Returns:
        u, float32 (H, W) or (H, W, C).

    Raises:
        ConfigError: shapes that differ, or a negative pull. InputError: SciPy is missing.
    """
    if not across.shape == down.shape == prior.shape or prior.ndim not in (2, 3):
        raise ConfigError(
            f"gradients and prior must have one shape, got {across.shape}, {down.shape}, {prior.shape}"
        )
    if not pull >= 0:
        raise ConfigError(f"pull must be at least 0, got {pull}")
    fft = _transforms()
    prior = prior.astype(np.float32)
    x, y = gradients(prior)
    source = _divergence(across - x, down - y)  # solved for u - prior: what fits already stays as it is
    planes = source[..., None] if source.ndim == 2 else source
    planes = np.ascontiguousarray(planes.transpose(2, 0, 1), np.float32)
    spectrum = fft.dctn(planes, type=2, axes=(1, 2), norm="ortho", overwrite_x=True)
    spectrum *= _inverse(*prior.shape[:2], pull)
    correction = fft.idctn(spectrum, type=2, axes=(1, 2), norm="ortho", overwrite_x=True).transpose(1, 2, 0)
    return prior + correction.reshape(prior.shape)


@lru_cache(maxsize=2)
def _inverse(height: int, width: int, pull: float) -> np.ndarray:
    """Return 1 / (eigenvalue + pull), float32 (height, width); 0 for the mean, which gradients do not change."""
    rows = 2 - 2 * np.cos(np.pi * np.arange(height) / height)
    columns = 2 - 2 * np.cos(np.pi * np.arange(width) / width)
    total = rows[:, None] + columns + pull
    total[0, 0] = np.inf
    return (1 / total).astype(np.float32)


def _divergence(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Return D^T of a field of forward differences, float32 like `across`."""
    out = np.zeros(across.shape, np.float32)
    out[:, :-1] -= across[:, :-1]
    out[:, 1:] += across[:, :-1]
    out[:-1] -= down[:-1]
    out[1:] += down[:-1]
    return out


def fuse(
    first: np.ndarray, second: np.ndarray, share: np.ndarray, prior: np.ndarray, pull: float = 0.01
) -> np.ndarray:
    """Join two frames without a seam: gradients from the chosen one, colours from a prior.

    Gradients are taken inside each frame and then mixed, so that the step from one to the other at the border of the
    choice is in none of them. Where first, second and prior are equal the same frame comes back.

    Source: Yang et al. 2023, "Rerender A Video", section 4.2.3, Poisson fusion (after Perez et al. 2003); they solve
    it by least squares without transforms.

    Args:
        first: uint8 or float32 (H, W, 3), 0 to 255.
        second: like `first`.
        share: share of `first` at each pixel, 0 to 1, float32 (H, W).
        prior: the blend whose colours are kept, uint8 or float32 (H, W, 3), 0 to 255.
        pull: see `solve`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ConfigError: shapes that differ.
    """
    if not first.shape == second.shape == prior.shape or share.shape != first.shape[:2]:
        raise ConfigError(
            f"cannot fuse {first.shape}, {second.shape} and {prior.shape} by shares {share.shape}"
        )
    one, two = (gradients(frame.astype(np.float32)) for frame in (first, second))
    part = share.astype(np.float32)[..., None]
    across, down = (b + part * (a - b) for a, b in zip(one, two, strict=True))
    return np.rint(solve(across, down, prior, pull)).clip(0, 255).astype(np.uint8)
