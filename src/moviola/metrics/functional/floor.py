"""The real-against-real floor: what a set metric says of two sets that differ in nothing but chance.

Two equal Gaussians of 400 features score 302 at 256 clips and 39.8 at 2048, so a figure means nothing until one knows
what the same number of real clips scores against real clips.
"""

from __future__ import annotations

import numpy as np

from moviola.metrics.functional.infinity import Countable, subset_counts


def real_floor(
    measure: Countable,
    real: np.ndarray,
    n_real: int,
    n_fake: int,
    generator: np.random.Generator,
    splits: int = 5,
) -> tuple[float | None, str]:
    """Return what `measure` gives for real clips in place of generated ones.

    With enough real clips, disjoint parts of `n_real` and `n_fake` of them are scored. With fewer, disjoint halves of
    h clips are, and the figure is carried over to the number of clips asked for. That figure b is bias alone; it falls
    as 1 / n for many clips and levels off for few, which b = c / (n + n0) follows closely. Quarters of the set give
    n0 (measures without bias have n0 = 0), and with n = 2 / (1 / n_real + 1 / n_fake)

        floor = b(h) (h + n0) / (n + n0).

    Args:
        measure: whose floor.
        real: (N, d) or (N, rows, d); may be memory-mapped.
        n_real: real clips in the score that the floor is for.
        n_fake: generated ones.
        generator: draws the parts.
        splits: how many times the clips are dealt anew; the mean is returned.

    Returns:
        The floor and how it was found: "measured", or "scaled from N=h"; (None, "") with fewer than 4 real clips. For
        a measure of generated clips alone it is the figure of `n_fake` real ones (of all, if those are fewer).
    """
    n = len(real)
    if measure.fake_only:
        size = min(n, n_fake)
        score = measure.scorer(real, real)
        parts = [subset_counts(n, size, generator) for _ in range(splits if size < n else 1)]
        return float(np.mean([score(p, p) for p in parts])), "measured" if n >= n_fake else f"of N={n}"
    if n >= n_real + n_fake:
        return _split_in_two(measure, real, (n_real, n_fake), generator, splits), "measured"
    half, quarter = n // 2, n // 4
    if half < 2:
        return None, ""
    at_half = _split_in_two(measure, real, (half, half), generator, splits)
    effective_size = 2 / (1 / n_real + 1 / n_fake)
    provenance = f"scaled from N={half}"
    if measure.unbiased or quarter < 2:
        return at_half * half / effective_size, provenance
    at_quarter = _split_in_two(measure, real, (quarter, quarter), generator, splits)
    return carry_over(at_quarter, quarter, at_half, half, effective_size), provenance


def carry_over(at_few: float, few: float, at_more: float, more: float, size: float) -> float:
    """Return c / (size + n0) for the c and n0 that give `at_few` at `few` clips and `at_more` at `more`.

    Args:
        at_few: figure at `few` clips, above 0.
        at_more: figure at `more` clips.
        few: clips, fewer than `more`.
        more: clips.
        size: clips asked for.

    Returns:
        The figure there. Where the two fall faster than 1 / n, n0 is 0; where they do not fall, the larger set's
        figure is returned.
    """
    if at_few <= at_more:
        return at_more
    offset = max((at_more * more - at_few * few) / (at_few - at_more), 0.0)
    return at_more * (more + offset) / (size + offset)


def _split_in_two(
    measure: Countable, real: np.ndarray, sizes: tuple[int, int], generator: np.random.Generator, splits: int
) -> float:
    """The mean figure of disjoint random parts of the given sizes."""
    score = measure.scorer(real, real)
    values = []
    for _ in range(splits):
        order = generator.permutation(len(real))
        parts = [np.zeros(len(real), dtype=np.int64) for _ in sizes]
        parts[0][order[: sizes[0]]] = 1
        parts[1][order[sizes[0] : sum(sizes)]] = 1
        values.append(score(parts[0], parts[1]))
    return float(np.mean(values))
