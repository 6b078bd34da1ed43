"""Icons: what digits are tested for, where icons differ; and that each shape shows which way it turns."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest

from moviola.core.errors import UnknownNameError
from moviola.data.toys import icons, load_toy
from moviola.data.toys.draw import layer
from moviola.data.toys.icons import COLOURS, NAMES, Config, make, parse


def test_captions_say_the_truth_and_every_icon_and_colour_comes_up():
    elements = []
    for index in range(200):
        clip = make(index, 4, Config(size=8, frames=2, elements=(1, 3)))
        elements += clip.truth["elements"]
        said = [(e.name, e.colour, e.motion) for e in parse(clip.caption)]
        assert said == [(e["name"], e["colour"], e["motion"]) for e in clip.truth["elements"]]
    assert {e["name"] for e in elements} == set(NAMES)
    assert {e["colour"] for e in elements} == set(COLOURS)


def test_an_icon_shows_in_its_own_colour_over_the_background():
    config = Config(elements=(1, 1), names=("house",), colours=("green",), background=(10, 20, 30))
    frame = make(0, 0, config).video.frames[0].reshape(-1, 3)
    colours, counts = np.unique(frame, axis=0, return_counts=True)
    two = {tuple(c) for c in colours[np.argsort(counts)[-2:]].tolist()}
    assert two == {(10, 20, 30), COLOURS["green"]}


@pytest.mark.parametrize("name", NAMES)
def test_no_part_of_a_turn_leaves_an_icon_as_it_was(name):
    angles = 2 * pi * np.arange(1, 20) / 20
    centres = np.full((20, 2), 32.0)
    alpha, _ = layer(icons._glyph(name), centres, np.array([0.0, *angles]), 24.0)
    differ = np.abs(alpha[1:] - alpha[0]).sum((1, 2)) / alpha[0].sum()
    assert differ.min() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_icons_stay_inside_the_unit_disc(name):
    alpha, _ = layer(icons._glyph(name), np.array([[40.0, 40.0]]), np.zeros(1), 30.0)
    size = alpha.shape[1]
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    assert alpha[0][np.hypot(x, y) > 33].sum() == 0
    assert 0.08 < alpha.sum() / (pi * 30**2) < 0.9


def test_unknown_words_in_the_settings_are_named():
    with pytest.raises(UnknownNameError, match="unknown icon 'hart'; did you mean heart"):
        make(0, 0, Config(names=("hart",)))
    with pytest.raises(UnknownNameError, match="unknown colour 'rde'"):
        make(0, 0, Config(colours=("rde",)))


def test_toys_are_found_by_name():
    assert load_toy("icons").make is make
    with pytest.raises(UnknownNameError, match="did you mean digits"):
        load_toy("digit")
