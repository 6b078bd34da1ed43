"""The toy of moving columns: exact motion, frequencies as calculated by hand, and what is drawn where."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.data.toys.sinusoid import CLOCK_STEP, Config, draw_elements, make, render
from moviola.data.toys.write import write_dataset


def test_frequencies_by_hand():
    """Radius 4 at 64 px leaves 56 px of way; to and fro at 2, 4, 8 px a frame takes 56, 28, 14 frames of 1/8."""
    config = Config()
    assert [round(config.omega(v), 2) for v in (2, 4, 8)] == [0.90, 1.80, 3.59]
    assert config.omega(2) == pytest.approx(2 * math.pi / (56 * 0.125))
    assert Config(size=32).omega(2) == pytest.approx(config.omega(2))


def test_bouncing_is_a_simulation_with_exact_reflection():
    """Frame by frame: move, and mirror what goes beyond a border."""
    config = Config(frames=200, speeds=(2.5, 4.0, 7.25))
    for element in make(4, 7, config).truth["elements"]:
        y = element["centres"][:, 1]
        velocity = float(np.sign(y[1] - y[0])) * element["speed"]
        if (
            abs(y[1] - y[0]) < element["speed"] - 1e-9
        ):  # a reflection in the first step: begin with the second
            y, velocity = y[1:], float(np.sign(y[2] - y[1])) * element["speed"]
        place = y[0]
        for expected in y[1:100]:
            place += velocity
            if place > 60:
                place, velocity = 120 - place, -velocity
            elif place < 4:
                place, velocity = 8 - place, -velocity
            assert place == pytest.approx(expected, abs=1e-6)


def test_drift_goes_down_only():
    """Every step is the speed, but for the one that enters again above."""
    for element in make(0, 0, Config(motion="drift", frames=64)).truth["elements"]:
        steps = np.diff(element["centres"][:, 1])
        down = steps > 0
        assert np.allclose(steps[down], element["speed"])
        assert np.allclose(steps[~down], element["speed"] - 72)
        assert (~down).sum() <= 64 * element["speed"] / 72 + 1


def test_sine_has_one_frequency():
    """56 frames hold one period of the slowest: all power at that frequency."""
    element = make(0, 0, Config(motion="sine", frames=56, speeds=(2.0,))).truth["elements"][0]
    power = np.abs(np.fft.rfft(element["centres"][:, 1] - 32)) ** 2
    assert power[1] / power[1:].sum() == pytest.approx(1.0)
    assert element["omega"] == pytest.approx(2 * np.pi / (56 * CLOCK_STEP))


def test_what_is_drawn_stands_where_the_truth_says():
    """The centroid of each column's brightness is the centre (squares and circles are symmetric)."""
    config = Config(frames=12)
    for index in range(6):
        clip = make(index, 1, config)
        frames = clip.video.frames.astype(float).sum(-1)
        for k, element in enumerate(clip.truth["elements"]):
            column = frames[:, :, 16 * k + 8 : 16 * k + 24]
            y = (column * (np.arange(64) + 0.5)[None, :, None]).sum((1, 2)) / column.sum((1, 2))
            if element["name"] != "triangle":
                assert np.allclose(y, element["centres"][:, 1], atol=0.05)
            assert column.max() <= sum(element["colour"])
        assert (frames[:, :, :8] == 0).all()


def test_same_arguments_same_clip():
    """Clip k depends on (seed, k) alone; any size holds the same scene."""
    a, b = make(3, 5, Config()), make(3, 5, Config(frames=8))
    assert np.array_equal(a.video.frames[:8], b.video.frames)
    assert a.caption == b.caption and make(4, 5).caption + make(3, 6).caption != 2 * a.caption
    small = make(3, 5, Config(size=32))
    assert small.truth["elements"][0]["speed"] == a.truth["elements"][0]["speed"] / 2


def test_drawn_at_instants_between():
    """Frames at real times lie between the whole ones."""
    config = Config()
    elements = draw_elements(np.random.default_rng(0), config)
    half = render(elements, np.array([0.0, 0.5, 1.0]), config)
    assert np.array_equal(half[[0, 2]], render(elements, np.arange(2), config))


def test_written_with_its_trajectories(tmp_path):
    """`data make sinusoid`: clips and captions.jsonl with the truth."""
    import json

    out = write_dataset("sinusoid", 3, tmp_path / "toy", config=Config(size=32, frames=4))
    rows = [json.loads(line) for line in (out / "captions.jsonl").read_text().splitlines()]
    assert len(rows) == 3 and len(list(out.glob("*.mp4"))) == 3
    assert np.shape(rows[0]["truth"]["elements"][0]["centres"]) == (4, 2)
    assert "bounces" in rows[0]["caption"]


@pytest.mark.parametrize("values", [{"radius": 40}, {"speeds": [60]}, {"speeds": []}, {"columns": 0}])
def test_what_does_not_fit_is_refused(values):
    """A shape larger than the frame, a speed of more than one way a frame, nothing to draw."""
    with pytest.raises(ConfigError):
        Config.make(values)


def test_a_column_of_its_own_speed():
    """With `by_column` column k has speed k in every clip and begins again after the last; the rest is drawn alike."""
    config = Config(columns=4, speeds=(2.0, 4.0, 8.0), by_column=True)
    for index in range(4):
        drawn, fixed = (
            make(index, 3, c).truth["elements"]
            for c in (config.model_copy(update={"by_column": False}), config)
        )
        assert [e["speed"] for e in fixed] == [2.0, 4.0, 8.0, 2.0]
        assert [(e["name"], e["colour"], e["phase"]) for e in fixed] == [
            (e["name"], e["colour"], e["phase"]) for e in drawn
        ]
