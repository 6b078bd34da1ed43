"""Text alignment from embeddings, against closed forms and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.metrics.functional.alignment import (
    clip_score,
    conse,
    cosines,
    frame_accuracy,
    temporal_consistency,
)


def plane(*degrees):
    """Vectors of various lengths in the plane at the given angles."""
    return np.array(
        [
            [k * math.cos(math.radians(a)), k * math.sin(math.radians(a))]
            for k, a in enumerate(degrees, start=1)
        ]
    )


def test_clip_score_of_angles():
    """Frames at 0, 60 and 120 degrees from the text: (100 + 50 + 0) / 3."""
    assert clip_score(plane(0, 60, 120), np.array([3.0, 0.0])) == pytest.approx(50.0)
    assert clip_score(plane(180, 135), np.array([1.0, 0.0])) == 0.0


def test_frame_accuracy_of_angles():
    """Texts at 0 and 90 degrees; a frame in the middle counts for its own."""
    own, others = plane(0)[0], plane(90, 180)
    assert frame_accuracy(plane(10, 44, 46, 80), own, others) == 0.5
    assert frame_accuracy(np.array([[1.0, 1.0]]), np.array([1.0, 0.0]), np.array([[0.0, 1.0]])) == 1.0
    frames, texts = (
        np.random.default_rng(0).normal(size=(9, 33)),
        np.random.default_rng(1).normal(size=(7, 33)),
    )
    for count in range(
        1, 8
    ):  # every frame is nearest to a text that stands on both sides: a tie, to the last bit
        best = np.argmax(cosines(frames[:1], texts[:count])[0])
        assert frame_accuracy(frames[:1], texts[best], texts[:count]) == 1.0
    with pytest.raises(ConfigError, match="at least one other"):
        frame_accuracy(plane(10), own, others[:0])


def test_temporal_consistency_of_angles():
    """Steps of 60, 90 and 0 degrees; lengths do not matter."""
    assert temporal_consistency(plane(0, 60, 150, 150)) == pytest.approx((0.5 + 0.0 + 1.0) / 3)
    with pytest.raises(ConfigError, match="at least 2"):
        temporal_consistency(plane(5))


@given(frames=st.integers(1, 3), classes=st.integers(2, 7), top=st.integers(1, 7), seed=st.integers(0, 2**16))
def test_conse_frame_by_frame(frames, classes, top, seed):
    """Equation 3 of the paper, one frame and one class at a time."""
    top = min(top, classes)
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), size=frames)
    names, text = rng.normal(size=(classes, 4)), rng.normal(size=4)
    cosine = []
    for row in probabilities:
        ranked = sorted(range(classes), key=lambda c: -row[c])[:top]
        z = sum(row[c] for c in ranked)
        embedded = sum(row[c] / z * names[c] for c in ranked)
        cosine.append(embedded @ text / math.sqrt((embedded @ embedded) * (text @ text)))
    assert conse(probabilities, names, text, top) == pytest.approx(np.mean(cosine), rel=1e-9)


def test_conse_of_a_sure_classifier():
    """All probability on one class: the cosine of its name with the caption."""
    probabilities = np.array([[0.0, 1.0, 0.0]])
    names = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert conse(probabilities, names, np.array([0.0, 2.0]), 3) == pytest.approx(math.sqrt(0.5))
    with pytest.raises(ConfigError, match="top is 1 to 3 classes, not 4"):
        conse(probabilities, names, np.array([0.0, 2.0]), 4)


def test_cosines_of_nothing():
    """A vector of length 0 has a cosine of 0 with everything."""
    assert cosines(np.zeros((1, 3)), np.ones((2, 3))).tolist() == [[0.0, 0.0]]
