"""Tone curves against gains, offsets and gammas that are known."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.pipelines.mend import tone

WHOLE = np.ones((32, 32), bool)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(20, 200, (32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "change", [lambda x: x, lambda x: x + 10, lambda x: 1.15 * x, lambda x: 255 * (x / 255) ** 1.2]
)
def test_a_transfer_is_found(change):
    """Followed forwards, levels become what the change makes of them; backwards, they come back."""
    before = picture()
    curve, mass, left = tone.fit_transfer(before, change(before).astype(np.float32), WHOLE)
    levels = np.broadcast_to(np.linspace(30, 190, 9), (3, 9))
    forward = tone.step_forward(curve, levels)
    assert np.abs(forward - change(levels)).max() < 0.8
    assert np.abs(tone.step_back(curve, forward) - levels).max() < 0.1
    assert mass.sum(-1) == pytest.approx(1)
    assert np.abs(left).max() < 1.5


def test_outliers_do_not_speak():
    """A tenth of the pixels that shows something else moves the curve by little."""
    before = picture()
    after = before + 5
    after[:3] = 250
    curve, _, _ = tone.fit_transfer(before, after, WHOLE)
    assert np.abs(tone.read_curves(curve, np.full((3, 1), 100.0)) - 5).max() < 1


def test_nothing_visible_is_no_change():
    """Without a pixel to compare there is no transfer."""
    curve, mass, _ = tone.fit_transfer(picture(), picture(1), np.zeros((32, 32), bool))
    assert not curve.any() and not mass.any()


def test_inverse_takes_back():
    """A curve followed by its inverse is none, but for what is lost between knots."""
    curve = 255 * (tone.LEVELS / 255) ** 1.15 - tone.LEVELS + 4
    both = tone.then(curve, tone.inverse(curve))
    assert np.abs(both[2:-2]).max() < 0.5


def test_a_steady_fade_stays():
    """Light that grows by as much in every frame is not flicker: no correction away from the ends."""
    transfers = np.full((40, 3, tone.KNOTS), 1.5)
    assert np.abs(tone.smoothed(transfers, np.zeros(40, int), 4, 12)[12:-12]).max() < 0.05


def test_segments_are_not_compared():
    """What is in another segment has no weight."""
    segments = np.repeat([0, 1], 10)
    weights = tone.line_weights(segments, 4, 8)
    for t, row in enumerate(weights):
        assert row.sum() == pytest.approx(1)
        outside = [k for k in range(-8, 9) if not 0 <= t + k < 20 or segments[t + k] != segments[t]]
        assert not row[[k + 8 for k in outside]].any()


def test_a_frame_is_changed_as_its_levels_are():
    """Bytes and floats get the same displacement."""
    frame = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    curve = np.stack([0.1 * tone.LEVELS, np.full(tone.KNOTS, -2.0), np.zeros(tone.KNOTS)])
    wanted = frame + np.stack([0.1 * frame[..., 0], np.full((4, 4), -2.0), np.zeros((4, 4))], -1)
    for given in (frame, frame.astype(np.float32)):
        assert np.abs(tone.apply_curve(given, curve) - wanted).max() < 1e-3
