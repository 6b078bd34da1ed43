"""Flow between key frames that is chained through the frames between them, against known motion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from moviola.core.video import Video
from moviola.models.rerender.diffusion import DirectFlows
from moviola.pipelines.restyle.motion import ChainedFlows
from moviola.propagation.flow import estimator

pytest.importorskip("cv2")
HEIGHT, WIDTH, STEP = 64, 160, 6
KEYS = (0, 9, 18, 27)


def texture(width: int, seed: int = 0) -> np.ndarray:
    """A soft pattern that nowhere repeats, uint8 (HEIGHT, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (1, HEIGHT // 4, width // 4, 3), dtype=np.uint8)
    return Video(coarse, 1).resize(HEIGHT, width).frames[0]


def panned() -> np.ndarray:
    """A camera that moves to the right by STEP px a frame: what is seen moves to the left."""
    field = texture(WIDTH + STEP * KEYS[-1])
    return np.stack([field[:, STEP * t : STEP * t + WIDTH] for t in range(KEYS[-1] + 1)])


def chained(frames: np.ndarray, spans: list[tuple[int, int]] | None = None) -> ChainedFlows:
    def span(start: int, stop: int) -> Iterator[np.ndarray]:
        if spans is not None:
            spans.append((start, stop))
        return iter(frames[start:stop])

    return ChainedFlows(KEYS, span, estimator("dis"))


def test_motion_that_the_direct_flow_misses() -> None:
    """Nine frames of 6 px are 54 px: the chained flow is right within half a pixel, the direct one is lost."""
    frames = panned()
    there, hidden = chained(frames)(1, 0)
    moved = STEP * KEYS[1]
    common = np.zeros((HEIGHT, WIDTH), bool)
    common[8:-8, 8 : WIDTH - moved - 8] = True  # the rest of frame 9 is not in frame 0
    direct, _ = DirectFlows(frames[list(KEYS)])(1, 0)
    assert there.shape == (2, HEIGHT, WIDTH) and there.dtype == np.float32
    assert np.abs(there[0][common] - moved).mean() < 0.5 and np.abs(there[1][common]).mean() < 0.5
    assert np.abs(direct[0][common] - moved).mean() > 10
    assert hidden[common].mean() < 0.05
    assert hidden[:, WIDTH - moved + 8 :].mean() > 0.9


def test_two_keys_back_is_twice_as_far() -> None:
    """Flow to a key before the last one is chained from key to key."""
    frames = panned()
    there, hidden = chained(frames)(2, 0)
    moved = STEP * KEYS[2]
    common = (slice(8, -8), slice(8, WIDTH - moved - 8))
    assert np.abs(there[0][common] - moved).mean() < 0.7
    assert hidden[common].mean() < 0.1


def test_what_a_moving_square_uncovers_is_hidden() -> None:
    """Still ground stays seen; the ground that the square has left is not in the earlier key frame."""
    side, step = 40, 3
    ground, square = texture(WIDTH), texture(WIDTH, 1)[:side, :side]
    frames = np.stack([ground.copy() for _ in range(KEYS[-1] + 1)])
    for t, frame in enumerate(frames[: KEYS[1] + 1]):
        frame[12 : 12 + side, 16 + step * t : 16 + side + step * t] = square
    there, hidden = chained(frames)(1, 0)
    moved = step * KEYS[1]
    middle = (slice(22, 42), slice(16 + moved + 10, 16 + moved + side - 10))
    assert hidden[16:48, 18 : 16 + moved - 2].mean() > 0.9
    assert hidden[middle].mean() < 0.1 and np.abs(there[0][middle] + moved).mean() < 0.5
    assert hidden[:, 120:].mean() < 0.05 and np.abs(there[:, :, 120:]).mean() < 0.1


def test_a_run_that_goes_on_finds_what_a_whole_one_finds() -> None:
    """Nothing depends on what was asked before; frames between two keys are read once for both questions."""
    frames, spans = panned(), list[tuple[int, int]]()
    whole = chained(frames, spans)
    for i, j in ((1, 0), (2, 0), (2, 1), (3, 0)):
        whole(i, j)
    assert sum(stop - start > 1 for start, stop in spans) == len(KEYS) - 1
    flow, hidden = whole(3, 2)
    again = chained(frames)
    for one, other in zip((*whole(3, 0), flow, hidden), (*again(3, 0), *again(3, 2)), strict=True):
        np.testing.assert_array_equal(one, other)
