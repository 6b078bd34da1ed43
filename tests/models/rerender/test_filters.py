"""Filter painters: any size, the same bytes each time, and what each is known by."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.luma import luma
from moviola.models.rerender.filters import FILTERS, paint
from moviola.models.rerender.filters.settings import (
    CartoonConfig,
    InkConfig,
    OilConfig,
    SketchConfig,
    WatercolorConfig,
)

NAMES = ["sketch", "watercolor", "oil", "cartoon", "ink"]
SMOOTH = {
    "sketch": SketchConfig(shading=0, grain=0),
    "watercolor": WatercolorConfig(paper=0),
    "cartoon": CartoonConfig(),
    "ink": InkConfig(),
}
"""Settings under which nothing lies fixed in the frame."""


@pytest.fixture(scope="module")
def scene():
    """A disc and a bar on a shaded ground, with a little noise."""
    y, x = np.mgrid[:120, :160]
    picture = np.stack([60 + x * 0.6, 90 + y * 0.5, 200 - x * 0.4], -1)
    picture[(y - 60) ** 2 + (x - 60) ** 2 < 900] = [220, 60, 40]
    picture[40:80, 120:140] = [6, 8, 6]
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def flat(*colour: int, size: tuple[int, int] = (90, 120)) -> np.ndarray:
    """A picture of one colour."""
    return np.full((*size, 3), colour, np.uint8)


def test_the_table():
    assert list(FILTERS) == NAMES
    assert all(f.says for f in FILTERS.values())


@pytest.mark.parametrize("name", NAMES)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    low=st.sampled_from([0, 1, 120, 250]),
    span=st.sampled_from([0, 1, 5, 255]),
)
def test_any_size_and_brightness(name, height, width, low, span):
    """Grey, near-black, near-white and noise, of any size, give a picture of that size, the same each time."""
    frame = np.random.default_rng(1).integers(
        low, min(255, low + span) + 1, (height, width, 3), dtype=np.uint8
    )
    found = paint(frame, name)
    assert found.shape == frame.shape and found.dtype == np.uint8
    assert (found == paint(frame.copy(), name)).all()


@pytest.mark.parametrize("name", NAMES)
def test_untouched_input(name, scene):
    before = scene.copy()
    paint(scene, name)
    assert (scene == before).all()


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("turn", [np.s_[::-1, ::-1], np.s_[:, ::-1]])
def test_no_side_is_favoured(name, turn, scene):
    """Half a turn and a mirror commute with painting where nothing lies fixed in the frame."""
    turned = paint(np.ascontiguousarray(scene[turn]), name, settings=SMOOTH[name])[turn]
    assert np.abs(turned.astype(int) - paint(scene, name, settings=SMOOTH[name])).mean() < 1


@pytest.mark.parametrize("name", NAMES)
def test_strength(name, scene):
    """0 is the frame, 1 the paint, and a half lies between."""
    full = paint(scene, name)
    assert (paint(scene, name, 0) == scene).all()
    half = (scene.astype(float) + full) / 2
    assert np.abs(paint(scene, name, 0.5) - half).max() <= 1
    assert np.abs(full.astype(int) - scene).mean() > 2


@pytest.mark.parametrize("name", ["watercolor", "oil"])
@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (2, 3, 1), (60, 120, 180), (200, 40, 40), (128, 128, 128), (255,) * 3]
)
def test_a_plain_colour_stays_but_for_a_grain_of_mean_zero(name, colour):
    found = paint(flat(*colour), name).astype(float)
    assert np.abs(found.mean((0, 1)) - colour).max() < 1.2
    assert found.std((0, 1)).max() < 14


def test_smooth_settings_leave_a_plain_colour_alone():
    colour = (60, 120, 180)
    assert (
        np.abs(paint(flat(*colour), "watercolor", settings=SMOOTH["watercolor"]).astype(int) - colour).max()
        <= 1
    )


@pytest.mark.parametrize("name", ["watercolor", "oil", "sketch"])
def test_what_lies_in_the_frame_does_not_boil(name):
    """Paper, hatching and strokes are the same under a little noise of the camera, and another noise."""
    random = np.random.default_rng(0)
    noisy = [flat(90, 90, 90) + random.integers(-1, 2, (90, 120, 3)) for _ in range(2)]
    one, two = (luma(paint(frame.astype(np.uint8), name)).ravel() for frame in noisy)
    assert np.corrcoef(one, two)[0, 1] > 0.9 and one.std() > 1


@pytest.mark.parametrize("name", ["sketch", "ink"])
def test_drawings_are_grey_on_white(name, scene):
    found = paint(scene, name)
    assert (found[..., 0] == found[..., 1]).all() and (found[..., 1] == found[..., 2]).all()
    assert np.median(found) > 200
    assert found[45:75, 122:138].mean() < (120 if name == "sketch" else 20)  # the black bar: graphite is grey
    assert paint(flat(255, 255, 255), name).min() == 255


@pytest.mark.parametrize("name", ["watercolor", "cartoon"])
def test_paintings_are_smoother_within_regions(name, scene):
    """Noise inside the disc goes, but for the surface's own grain."""
    found = paint(scene, name, settings=SMOOTH[name]).astype(float)
    inside = np.s_[50:70, 50:70]
    assert found[inside].std(axis=(0, 1)).mean() < 0.7 * scene[inside].std(axis=(0, 1)).mean()


@pytest.mark.parametrize("name", ["watercolor", "oil", "cartoon"])
def test_paintings_keep_borders(name, scene):
    found = paint(scene, name).astype(float)
    across = np.abs(found[60, 95] - found[60, 82]).sum()
    assert across > 0.5 * np.abs(scene[60, 95].astype(float) - scene[60, 82]).sum()


def test_ink_has_two_tones(scene):
    """Few pixels are neither black nor white: rims, a pixel wide. A plain picture has one tone."""
    found = paint(scene, "ink")[..., 0]
    assert ((found > 25) & (found < 230)).mean() < 0.05
    assert (found < 25).mean() > 0.02 and (found > 230).mean() > 0.5
    for level in range(0, 256, 15):
        assert len(np.unique(paint(flat(level, level, level), "ink"))) == 1


def test_ink_has_no_specks():
    """A pixel of dirt draws nothing; a thick stroke does."""
    frame = flat(200, 200, 200)
    frame[20, 20] = 0
    assert (paint(frame, "ink") == 255).all()
    frame[40:60, 40:60] = 0
    found = paint(frame, "ink")
    assert found[45:55, 45:55].max() == 0 and found[:30].min() == 255


def test_ink_settings(scene):
    """Without blacks only lines are left, wide lines are wider; without detail only masses."""
    lines, wide, masses, usual = (
        paint(scene, "ink", settings=settings) < 128
        for settings in (InkConfig(black=0), InkConfig(black=0, line=2), InkConfig(detail=0), InkConfig())
    )
    bar = np.s_[55:65, 128:132]
    assert not lines[bar].any() and masses[bar].all() and usual[bar].all()
    assert 0 < lines.sum() < wide.sum() and masses.sum() < usual.sum()


def test_watercolor_keeps_darks(scene):
    """Black is black, whatever the paper."""
    found = paint(scene, "watercolor")
    assert found[44:76, 124:136].mean() < 10 and found.min() < 3


def test_watercolor_darkens_borders():
    """Pigment gathers on the dark side of a border, and nowhere else."""
    frame = flat(220, 220, 220, size=(80, 120))
    frame[:, 60:] = 120
    found = luma(paint(frame, "watercolor", settings=WatercolorConfig(paper=0)))[40]
    assert found[61] < found[100] - 10 and abs(found[100] - 120) < 2 and found[30] > 218
    none = luma(paint(frame, "watercolor", settings=WatercolorConfig(paper=0, edges=0)))[40]
    assert none[61] > found[61] + 8


def test_oil_keeps_colours(scene):
    assert np.abs(paint(scene, "oil").mean((0, 1)) - scene.mean((0, 1))).max() < 2


@pytest.mark.parametrize("across", [False, True])
def test_oil_strokes_follow_the_picture(across):
    """On soft stripes the strokes run along them: the paint changes less along than across, more so than the noise."""
    wave = 128 + 40 * np.sin(np.arange(160) / 12)
    frame = np.repeat(np.repeat(wave[None, :, None], 160, 0), 3, 2)
    frame = (frame.transpose(1, 0, 2) if across else frame).astype(np.uint8)
    texture = luma(paint(frame, "oil", settings=OilConfig(impasto=2))) - luma(frame)
    dy, dx = (np.square(np.diff(texture, axis=axis)).mean() for axis in (0, 1))
    assert dx > 1.5 * dy if not across else dy > 1.5 * dx


def test_oil_settings(scene):
    """Relief comes with impasto, and small brushes keep more of the frame."""
    grey = flat(128, 128, 128)
    relief = [paint(grey, "oil", settings=OilConfig(impasto=x)).std() for x in (0, 1, 2)]
    assert relief[0] < relief[1] < relief[2]
    large = cv2.resize(scene, (640, 480), interpolation=cv2.INTER_NEAREST)
    many = (OilConfig(brush=0.5), OilConfig(), OilConfig(brush=3), OilConfig(detail=0))
    fine, usual, coarse, broad = (
        np.square(paint(large, "oil", settings=one).astype(float) - large).mean() for one in many
    )
    assert fine < usual < coarse and usual < broad


def test_sketch_shades_the_darks():
    """Hatching in the shadows grows with `shading` and leaves the lights white."""
    dark = [paint(flat(40, 40, 40), "sketch", settings=SketchConfig(shading=x)).mean() for x in (0, 1, 2)]
    assert dark[0] > 240 > dark[1] > dark[2]
    assert paint(flat(200, 200, 200), "sketch").min() > 250
    assert paint(flat(40, 40, 40), "sketch", settings=SketchConfig(shading=1)).std() > 5  # strokes, no wash


def test_cartoon_has_few_shades():
    """Brightness gathers: the fullest quarter of 64 bins holds more pixels than in the frame."""
    ramp = np.repeat(np.linspace(0, 255, 256, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2)

    def fullest(frame):
        counts = np.histogram(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 64, (0, 256))[0]
        return np.sort(counts)[-16:].sum() / counts.sum()

    assert fullest(paint(ramp, "cartoon")) > 1.5 * fullest(ramp)
    grey = paint(flat(60, 120, 180), "cartoon", settings=CartoonConfig(colour=0))
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


def test_what_is_refused(scene):
    with pytest.raises(UnknownNameError, match="watercolor"):
        paint(scene, "watercolour")
    with pytest.raises(ConfigError, match="strength"):
        paint(scene, "ink", 1.5)
    with pytest.raises(ConfigError, match="uint8"):
        paint(scene / 255, "ink")
    with pytest.raises(ConfigError, match="InkConfig, not OilConfig"):
        paint(scene, "ink", settings=OilConfig())
