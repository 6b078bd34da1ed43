"""How far those who judge agree: with each other (Krippendorff's alpha), or one order with another (Kendall's tau)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from moviola.core.errors import InputError

Level = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: np.ndarray, level: Level = "nominal") -> float:
    """Return Krippendorff's alpha, 1 - observed over expected disagreement.

    Args:
        ratings: (raters, units), NaN where a rater did not judge a unit. Units with fewer than 2 ratings do not count.
        level: how far two values differ: "nominal" (equal or not), "ordinal" (how many ratings lie between them) or
            "interval" (the square of their difference).

    Returns:
        1 for full agreement, about 0 for what chance gives, below 0 for less; NaN where fewer than two values occur, or
        no unit has two ratings, so that chance cannot be told from agreement.

    Raises:
        InputError: ratings that are no table.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    ratings = np.asarray(ratings, dtype=np.float64)
    if ratings.ndim != 2:
        raise InputError(f"ratings are a table of raters by units, not {ratings.shape}")
    values = np.unique(ratings[~np.isnan(ratings)])
    # how often each value was given to each unit, (units, values)
    given = (ratings[:, :, None] == values).sum(axis=0).astype(np.float64)
    given = given[given.sum(axis=1) > 1]
    number = given.sum(axis=1, keepdims=True)
    # coincidences o_ck: pairs of values within units, each unit weighted by 1 / (m_u - 1)
    pairs = np.einsum("uc,uk->uck", given, given) - np.einsum("uc,ck->uck", given, np.eye(len(values)))
    coincidences = (pairs / (number[:, :, None] - 1)).sum(axis=0)
    marginals = coincidences.sum(axis=1)
    distance = _distances(values, marginals, level)
    expected = float(marginals @ distance @ marginals)
    if expected == 0:
        return float("nan")
    observed = float((coincidences * distance).sum())
    return 1 - (marginals.sum() - 1) * observed / expected


def kendall_tau(one: np.ndarray, two: np.ndarray) -> float:
    """Return Kendall's tau-b of two orders: pairs in one order less pairs in opposite order, ties taken out.

    Args:
        one: (K,), finite. two: (K,), finite.

    Returns:
        1 for the same order, -1 for the opposite; NaN where all values of either are the same.

    Raises:
        InputError: arrays of two lengths.

    Source: Kendall 1945, "The treatment of ties in ranking problems".
    """
    one, two = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise InputError(f"two orders are of one length, not {one.shape} and {two.shape}")
    rows, columns = np.triu_indices(len(one), 1)
    first, second = (np.sign(values[rows] - values[columns]) for values in (one, two))
    untied = np.count_nonzero(first) * np.count_nonzero(second)
    return float((first * second).sum() / np.sqrt(untied)) if untied else float("nan")


def _distances(values: np.ndarray, marginals: np.ndarray, level: Level) -> np.ndarray:
    """The squared differences of values, (V, V)."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return (values[:, None] - values) ** 2
    # ordinal: ratings from one value to the other, half of those of either end
    middle = np.cumsum(marginals) - marginals / 2
    return (middle[:, None] - middle) ** 2
