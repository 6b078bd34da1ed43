"""Fusing pictures in the gradient domain: a screened Poisson equation, solved by cosine transforms.

Inside a region of any shape it is solved by conjugate gradients (`solve_within`).

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


def solve_within(
    across: np.ndarray, down: np.ndarray, prior: np.ndarray, region: np.ndarray, pull: float
) -> np.ndarray:
    """Find the picture with given gradients inside a region; outside it is the prior (Dirichlet).

    Minimises what `solve` does over the pixels of the region alone, by conjugate gradients. A change dies away as
    exp(-sqrt(pull) d) with the distance d from where gradients and prior disagree, so pixels that are farther than
    6 / sqrt(pull) from there keep the prior.

    Source: Perez, Gangnet and Blake 2003, "Poisson Image Editing", equations 3 and 7; the screening term is that of
    Bhat et al. 2008; conjugate gradients: Hestenes and Stiefel 1952.

    Args:
        across: wanted differences along x, float (H, W, C); the last column is not read.
        down: wanted differences along y, like `across`; the last row is not read.
        prior: the picture to stay near, like `across`.
        region: bool (H, W), what may change.
        pull: how strongly, above 0, in 1/px^2.

    Returns:
        u, float32 (H, W, C).

    Raises:
        ConfigError: shapes that differ, or a pull that is not above 0. InputError: SciPy or OpenCV is missing.
    """
    if not across.shape == down.shape == prior.shape or region.shape != prior.shape[:2]:
        raise ConfigError(
            f"gradients {across.shape}, {down.shape}, prior {prior.shape} and region {region.shape} must be of one size"
        )
    if not pull > 0:
        raise ConfigError(f"pull must be above 0, got {pull}")
    solution = prior.astype(np.float32)
    x, y = gradients(solution)
    source = _divergence(across - x, down - y)
    near = region & _within((source != 0).any(-1) & region, 6 / pull**0.5)
    if near.any():
        solution[near] += _conjugate_gradients(_operator(near, pull), source[near])
    return solution


def _within(sources: np.ndarray, reach: float) -> np.ndarray:
    """Return which pixels are at most `reach` px from one of the sources, bool (H, W)."""
    if not sources.any():
        return sources
    cv2 = require("cv2", "Poisson fusion")
    return cv2.distanceTransform((~sources).astype(np.uint8), cv2.DIST_L2, 5) <= reach


def _operator(region: np.ndarray, pull: float) -> Any:
    """Return D^T D + pull over the pixels of a region (H, W), read row by row, as a sparse matrix (n, n)."""
    sparse = require("scipy.sparse", "Poisson fusion")
    count = int(region.sum())
    number = np.full(region.shape, -1, np.int32)
    number[region] = np.arange(count, dtype=np.int32)
    degree = np.full(
        region.shape, 4, np.float32
    )  # neighbours in the frame; those outside the region are fixed
    degree[0] -= 1
    degree[-1] -= 1
    degree[:, 0] -= 1
    degree[:, -1] -= 1
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    both = [(a[(a >= 0) & (b >= 0)], b[(a >= 0) & (b >= 0)]) for a, b in pairs]
    one, two = (np.concatenate([pair[side] for pair in both]) for side in (0, 1))
    places = np.arange(count, dtype=np.int32)
    values = np.concatenate([degree[region] + np.float32(pull), np.full(2 * len(one), -1, np.float32)])
    rows, columns = np.concatenate([places, one, two]), np.concatenate([places, two, one])
    return sparse.csr_array((values, (rows, columns)), shape=(count, count))


def _conjugate_gradients(
    matrix: Any, right: np.ndarray, tolerance: float = 1e-4, most: int = 500
) -> np.ndarray:
    """Solve a symmetric positive definite system for each column of `right` (n, C), to a share of its length."""
    solution, rest = np.zeros_like(right), right.copy()
    way, length = rest.copy(), (rest * rest).sum(0)
    enough = tolerance**2 * length
    for _ in range(most):
        if (length <= enough).all():
            break
        image = matrix @ way
        step = length / np.maximum((way * image).sum(0), 1e-30)
        solution += step * way
        rest -= step * image
        before, length = length, (rest * rest).sum(0)
        way = rest + length / np.maximum(before, 1e-30) * way
    return solution


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
