"""Mixtures: proportions, strengths, order, and their way through JSON."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.data.corrupt import CORRUPTIONS, Mixture


def rng(seed=0):
    return np.random.default_rng(seed)


def test_proportions_are_the_weights():
    """Over many draws each corruption comes as often as its weight says; one of weight 0 never."""
    mixture = Mixture(weights={"noise": 3, "blocks": 1, "jpeg": 0}, clean=0.2)
    generator = rng()
    counts = Counter(name for _ in range(4000) for name, _ in mixture.choose(generator))
    assert counts["jpeg"] == 0
    assert counts["noise"] / 4000 == pytest.approx(0.6, abs=0.03)
    assert counts["blocks"] / 4000 == pytest.approx(0.2, abs=0.03)


def test_strengths_fill_their_ranges():
    """Each corruption's own range, or that of all, from end to end."""
    mixture = Mixture(weights={"noise": 1, "jpeg": 1}, strength=(0.1, 0.2), strengths={"jpeg": (0.6, 1.0)})
    generator = rng()
    drawn = [pair for _ in range(800) for pair in mixture.choose(generator)]
    for name, low, high in (("noise", 0.1, 0.2), ("jpeg", 0.6, 1.0)):
        found = [s for n, s in drawn if n == name]
        assert low <= min(found) < low + 0.01
        assert high - 0.01 < max(found) <= high


def test_draw_puts_one_over_the_other():
    """The result is that of the corruptions chosen, applied by hand in order; masks are joined."""
    clip = rng(1).integers(0, 256, (6, 24, 24, 3), dtype=np.uint8)
    mixture = Mixture.of("blocks", "held-block", "pixels", most=3)
    for seed in range(5):
        generator = rng(seed)
        out, mask = clip, np.zeros(clip.shape[:3], bool)
        for name, strength in mixture.choose(generator):
            out, where = CORRUPTIONS[name].apply(out, strength, generator)
            mask = mask | where
        drawn, said = mixture.draw(clip, rng(seed))
        assert np.array_equal(drawn, out)
        assert np.array_equal(said, mask)
    counts = {len(mixture.choose(rng(k))) for k in range(60)}
    assert counts == {1, 2, 3}
    assert all(len({n for n, _ in mixture.choose(rng(k))}) == len(mixture.choose(rng(k))) for k in range(60))


def test_clean_clips_are_left_alone():
    """With a share of 1 nothing happens to any clip."""
    clip = rng().integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    out, mask = Mixture(clean=1.0).draw(clip, rng())
    assert np.array_equal(out, clip)
    assert not mask.any()


def test_through_json(tmp_path):
    """What is saved is what is loaded, and draws the same."""
    mixture = Mixture(weights={"codec": 2.5, "drift": 1}, strengths={"drift": (0.3, 0.4)}, most=2, clean=0.1)
    file = tmp_path / "mixture.json"
    file.write_text(mixture.to_json(), encoding="utf-8")
    loaded = Mixture.load(file)
    assert loaded == mixture
    assert json.loads(file.read_text())["weights"] == {"codec": 2.5, "drift": 1.0}
    assert [loaded.choose(rng(k)) for k in range(9)] == [mixture.choose(rng(k)) for k in range(9)]


def test_default_holds_all():
    """By default every corruption that a clip alone can tell, equally."""
    assert Mixture().weights == {name: 1.0 for name in CORRUPTIONS if name != "colours"}


@pytest.mark.parametrize(
    "values",
    [
        {"weights": {"noise": -1}},
        {"weights": {}},
        {"weights": {"noise": 0}},
        {"strength": [0.5, 0.2]},
        {"strength": [0, 1]},
        {"strengths": {"noise": [0.2, 1.1]}},
        {"most": 0},
        {"clean": 2},
        {"wieghts": {}},
    ],
)
def test_bad_settings(values):
    """One line each."""
    with pytest.raises(ConfigError) as error:
        Mixture.make(values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["weights", "strengths"])
def test_unknown_corruption(key):
    """The nearest is named."""
    value = 1.0 if key == "weights" else [0.1, 0.2]
    with pytest.raises(UnknownNameError, match="did you mean jitter"):
        Mixture.make({key: {"jiter": value}})
