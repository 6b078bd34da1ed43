"""Filter painters: any size, the same bytes each time, and what each is known by."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.models.rerender.filters import FILTERS, paint

NAMES = ["sketch", "watercolor", "oil", "cartoon", "ink"]


@pytest.fixture(scope="module")
def scene():
    """A disc and a bar on a shaded ground, with a little noise."""
    y, x = np.mgrid[:120, :160]
    picture = np.stack([60 + x * 0.6, 90 + y * 0.5, 200 - x * 0.4], -1)
    picture[(y - 60) ** 2 + (x - 60) ** 2 < 900] = [220, 60, 40]
    picture[40:80, 120:140] = [20, 40, 30]
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def test_the_table():
    assert list(FILTERS) == NAMES
    assert all(f.says for f in FILTERS.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (31, 17)])
def test_any_size(name, size):
    frame = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = paint(frame, name)
    assert found.shape == frame.shape and found.dtype == np.uint8


@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_and_untouched_input(name, scene):
    before = scene.copy()
    first = paint(scene, name)
    assert (first == paint(scene, name)).all() and (scene == before).all()
    mirrored = paint(np.ascontiguousarray(scene[:, ::-1]), name)[:, ::-1]
    assert np.abs(mirrored.astype(int) - first).mean() < 1  # no side is favoured


@pytest.mark.parametrize("name", NAMES)
def test_strength(name, scene):
    """0 is the frame, 1 the paint, and a half lies between."""
    full = paint(scene, name)
    assert (paint(scene, name, 0) == scene).all()
    half = (scene.astype(float) + full) / 2
    assert np.abs(paint(scene, name, 0.5) - half).max() <= 1
    assert np.abs(full.astype(int) - scene).mean() > 2


@pytest.mark.parametrize("name", ["sketch", "ink"])
def test_drawings_are_grey_on_white(name, scene):
    found = paint(scene, name)
    assert (found[..., 0] == found[..., 1]).all() and (found[..., 1] == found[..., 2]).all()
    assert np.median(found) > 230
    assert found[58:62, 118:124].min() < found[5:30, 5:30].mean() - 20  # the bar's outline against the ground


@pytest.mark.parametrize("name", ["watercolor", "oil", "cartoon"])
def test_paintings_are_smoother_within_regions(name, scene):
    """Noise inside the disc goes, the disc's border stays."""
    found = paint(scene, name).astype(float)
    inside = np.s_[50:70, 50:70]
    assert found[inside].std(axis=(0, 1)).mean() < 0.7 * scene[inside].std(axis=(0, 1)).mean()
    across = np.abs(found[60, 95] - found[60, 82]).sum()
    assert across > 0.5 * np.abs(scene[60, 95].astype(float) - scene[60, 82]).sum()


def test_oil_takes_the_most_frequent_tone():
    """A thin line on a ground goes; a wide one stays."""
    frame = np.full((60, 60, 3), 200, np.uint8)
    frame[:, 10] = 30
    frame[:, 35:50] = 30
    found = paint(frame, "oil")
    assert found[30, 10].mean() > 190 and found[30, 42].mean() < 40


def test_cartoon_has_few_shades(scene):
    """Brightness gathers: the seven fullest of 32 bins hold more pixels than in the frame."""
    ramp = np.repeat(np.linspace(0, 255, 256, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2)

    def fullest(frame):
        counts = np.histogram(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 64, (0, 256))[0]
        return np.sort(counts)[-16:].sum() / counts.sum()

    assert fullest(paint(ramp, "cartoon")) > 1.5 * fullest(ramp)


def test_what_is_refused(scene):
    with pytest.raises(UnknownNameError, match="watercolor"):
        paint(scene, "watercolour")
    with pytest.raises(ConfigError, match="strength"):
        paint(scene, "ink", 1.5)
    with pytest.raises(ConfigError, match="uint8"):
        paint(scene / 255, "ink")
