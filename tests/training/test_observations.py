"""Which parts of clips an encoder is shown."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.training import observations
from moviola.training.observations import draw_mask


class Chosen(np.random.Generator):
    """A generator whose first draw chooses a kind of mask."""

    def __init__(self, kind: str, seed: int = 0) -> None:
        super().__init__(np.random.PCG64(seed))
        self.kind: str | None = kind

    def integers(self, *args, **kwargs):
        if self.kind is not None:
            kind, self.kind = self.kind, None
            return observations.KINDS.index(kind)
        return super().integers(*args, **kwargs)


COUNTS = {"all": 25 * 100 * 100, "top": 125_000, "first": 10_000, "ends": 20_000, "box": 25 * 7_500}


@pytest.mark.parametrize("kind", COUNTS)
def test_counts(kind):
    """Pixels observed of 25 frames of 100x100."""
    mask = draw_mask(Chosen(kind), 25, 100, 100)
    assert mask.shape == (25, 100, 100) and mask.dtype == bool and mask.sum() == COUNTS[kind]


def test_where():
    """The upper half, the first frame, both ends; a box hides the same place of all frames."""
    assert draw_mask(Chosen("top"), 3, 8, 6)[:, :4].all()
    assert draw_mask(Chosen("first"), 3, 8, 6)[0].all()
    assert draw_mask(Chosen("ends"), 3, 8, 6)[[0, 2]].all()
    box = draw_mask(Chosen("box"), 3, 8, 6)
    assert (box == box[0]).all()
    rows, columns = np.nonzero(~box[0])
    assert len(rows) == 12 and np.ptp(rows) == 3 and np.ptp(columns) == 2


def test_what_is_drawn():
    """A quarter of the pixels, about; half of the frames, whole ones, and never none."""
    sparse = draw_mask(Chosen("sparse"), 25, 100, 100)
    assert abs(sparse.mean() - 0.25) < 5 * (0.25 * 0.75 / sparse.size) ** 0.5
    counts = []
    for seed in range(200):
        frames = draw_mask(Chosen("frames", seed), 6, 4, 4)
        assert set(frames.mean(axis=(1, 2))) <= {0.0, 1.0} and frames.any()
        counts.append(frames[:, 0, 0].sum())
    assert 2.9 < np.mean(counts) < 4.3  # 3 + half of the one that is always shown


def test_all_kinds_come():
    """Each about as often as it stands in the list; a clip of one frame has a mask of every kind."""
    rng = np.random.default_rng(0)
    shown = [draw_mask(rng, 4, 8, 8).mean() for _ in range(400)]
    assert 0.17 < np.mean(np.array(shown) == 1) < 0.35
    assert all(draw_mask(Chosen(kind), 1, 8, 8).any() for kind in observations.KINDS)
