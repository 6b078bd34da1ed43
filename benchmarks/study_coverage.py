"""How often do the intervals of a user study hold the true score? python benchmarks/study_coverage.py [--studies 300]

Simulated studies of three methods on 10 clips, true Bradley-Terry scores 0.8, 0 and -0.8, answered by raters who each
have scores of their own around these (`spread`, standard deviation). For each number of raters it prints the part of
the 95 % intervals that hold the true score, beside that of plain percentiles over the raters alone.
"""

from __future__ import annotations

import argparse

import numpy as np

from moviola.core.seeds import numpy_generator
from moviola.metrics.functional.bradley_terry import bradley_terry, win_probability
from moviola.pipelines.study.answers import Rater
from moviola.pipelines.study.plan import draw_pairs
from moviola.pipelines.study.records import Criterion, Method, Study
from moviola.pipelines.study.tally import PRIOR, count_wins, resample

TRUTH = np.array([0.8, 0.0, -0.8])
CASES = ((1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0), (5, 0.0), (10, 0.0), (20, 0.0), (10, 0.5))
DRAWS = 400


def make_study(clips: int = 10) -> Study:
    """The key of a study of three methods without catch pairs."""
    names = [f"{n:03}" for n in range(clips)]
    pairs = draw_pairs({(i, j): names for i in range(3) for j in range(i + 1, 3)}, lambda m: None, catch=0)
    methods = tuple(Method(name=str(n), path="") for n in range(3))
    criterion = Criterion(key="quality", title="Quality", question="Which one is better?")
    return Study(id="", seed=0, title="", methods=methods, criteria=(criterion,), pairs=tuple(pairs))


def answer(study: Study, spread: float, generator: np.random.Generator) -> Rater:
    """A rater whose own scores lie around the true ones."""
    chance = win_probability(TRUTH + generator.normal(0, spread, 3))
    sides = ("right", "left")
    choices = {
        (n, "quality"): sides[bool(generator.random() < chance[pair.left, pair.right])]
        for n, pair in enumerate(study.pairs)
    }
    return Rater("", "", choices)  # pyright: ignore[reportArgumentType]


def plain(study: Study, raters: list[Rater], generator: np.random.Generator) -> np.ndarray:
    """Whether plain percentiles over the raters hold each true score, bool (3,)."""
    each = np.stack([count_wins(study, rater, "quality").sum(axis=0) for rater in raters])
    counts = generator.multinomial(len(raters), np.full(len(raters), 1 / len(raters)), size=DRAWS)
    drawn = bradley_terry(np.concatenate([each.sum(0)[None], np.einsum("dr,rij->dij", counts, each)]), PRIOR)[
        1:
    ]
    return holds(*np.quantile(drawn, [0.025, 0.975], axis=0))


def holds(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether intervals hold the true scores, bool (3,)."""
    return (low <= TRUTH) & (high >= TRUTH)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=300)
    a = parser.parse_args()
    study = make_study()
    print("raters  spread  resampled          held   plain percentiles over raters")
    for count, spread in CASES:
        generator = numpy_generator(0, "coverage", count, str(spread))
        held, bare, over = [], [], ""
        for _ in range(a.studies):
            raters = [answer(study, spread, generator) for _ in range(count)]
            draws = resample(study, raters, "quality", DRAWS, generator)
            if draws is None:
                continue
            held.append(holds(*draws.interval(draws.scores, 0.95)))
            bare.append(plain(study, raters, generator))
            over = draws.over
        print(f"{count:>6}  {spread:>6}  {over:<17}  {np.mean(held):.3f}  {np.mean(bare):.3f}")


if __name__ == "__main__":
    main()
