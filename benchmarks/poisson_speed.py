"""Poisson fusion by cosine transforms against least squares by LSQR, in one process on the same pictures.

    python benchmarks/poisson_speed.py [SIDE ...]

Claim: far faster than `scipy.sparse.linalg.lsqr`, which is how Rerender-A-Video's authors solve it (4 s for 256x256),
to the same answer. Both fuse the same two noisy pictures of three channels; LSQR gets the system stacked from gradients
and sqrt(pull) times the prior, is stopped at its default tolerance 1e-6, and begins from the prior. A direct sparse
solver (`splu`) stands beside it, its factors counted in. Figures are this process's CPU seconds, the best of some.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import lsqr, splu

from moviola.propagation.poisson import gradients, solve

PULL = 0.05


def scene(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of a mosaic of two pictures taken inside each, and their average as the prior."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(128, 40, (2, side, side, 3)).astype(np.float32)
    share = (np.indices((side, side)).sum(0) // 32 % 2).astype(np.float32)[..., None]
    one, two = gradients(first), gradients(second)
    across, down = (b + share * (a - b) for a, b in zip(one, two, strict=True))
    return across, down, (first + second) / 2


def matrix(side: int) -> sparse.csr_array:
    """Forward differences along x and y, and the identity times sqrt(PULL)."""
    line = sparse.diags_array([-np.ones(side - 1), np.ones(side - 1)], offsets=[0, 1], shape=(side - 1, side))
    eye = sparse.eye_array(side)
    rows = [sparse.kron(eye, line), sparse.kron(line, eye), np.sqrt(PULL) * sparse.eye_array(side * side)]
    return sparse.vstack(rows).tocsr()


def right_side(across: np.ndarray, down: np.ndarray, prior: np.ndarray, channel: int) -> np.ndarray:
    parts = [across[:, :-1, channel], down[:-1, :, channel], np.sqrt(PULL) * prior[..., channel]]
    return np.concatenate([part.ravel().astype(np.float64) for part in parts])


def by_lsqr(across: np.ndarray, down: np.ndarray, prior: np.ndarray) -> np.ndarray:
    system = matrix(len(prior))
    found = [
        lsqr(system, right_side(across, down, prior, c), x0=prior[..., c].ravel().astype(np.float64))[0]
        for c in range(3)
    ]
    return np.stack(found, -1).reshape(prior.shape)


def by_factors(across: np.ndarray, down: np.ndarray, prior: np.ndarray) -> np.ndarray:
    system = matrix(len(prior))
    factors = splu((system.T @ system).tocsc())
    found = [factors.solve(system.T @ right_side(across, down, prior, c)) for c in range(3)]
    return np.stack(found, -1).reshape(prior.shape)


def best(call: Callable[[], np.ndarray], repeats: int = 3) -> tuple[float, np.ndarray]:
    times, found = [], np.empty(0)
    for _ in range(repeats):
        start = time.process_time()
        found = call()
        times.append(time.process_time() - start)
    return min(times), found


def main() -> None:
    for side in [int(a) for a in sys.argv[1:]] or [256, 512]:
        fields = scene(side)
        ours, exact = best(lambda f=fields: solve(*f, pull=PULL))
        print(f"{side}x{side}x3, pull {PULL}: cosine transforms {ours * 1e3:.1f} ms")
        for name, call in (("lsqr", by_lsqr), ("sparse direct", by_factors)):
            seconds, found = best(lambda c=call, f=fields: c(*f), repeats=1 if side > 256 else 2)
            gap = np.abs(found - exact).max()
            print(
                f"  {name}: {seconds:.2f} s, {seconds / ours:.0f}x ours; largest difference {gap:.2g} levels"
            )


if __name__ == "__main__":
    main()
