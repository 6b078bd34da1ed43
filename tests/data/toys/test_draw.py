"""Drawn glyphs against areas and centroids known in closed form."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.data.toys.draw import disc, from_bitmap, from_distance, layer, paint, polygon, strokes

DISC = from_distance(disc(0, 0, 0.8))
SQUARE = from_distance(polygon([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]))


def draw(glyph, x: float, y: float, angle: float = 0.0, radius: float = 10.0, size: int = 64) -> np.ndarray:
    frames = np.zeros((1, size, size, 3), np.float32)
    paint(frames, *layer(glyph, np.array([[x, y]]), np.array([angle]), radius), (1, 1, 1))
    return frames[0, :, :, 0]


def centroid(image: np.ndarray) -> np.ndarray:
    grid = np.arange(len(image)) + 0.5
    return np.array([(image.sum(0) * grid).sum(), (image.sum(1) * grid).sum()]) / image.sum()


@given(x=st.floats(20, 44), y=st.floats(20, 44), radius=st.floats(4, 18))
@settings(max_examples=40)
def test_a_disc_has_its_area_and_sits_where_it_is_put(x, y, radius):
    image = draw(DISC, x, y, radius=radius)
    assert image.sum() == pytest.approx(pi * (0.8 * radius) ** 2, rel=0.02)
    np.testing.assert_allclose(centroid(image), [x, y], atol=0.03)


@given(angle=st.floats(-4, 4))
@settings(max_examples=20)
def test_turning_keeps_the_area_of_a_square(angle):
    assert draw(SQUARE, 32, 32, angle, radius=15).sum() == pytest.approx(225, rel=0.02)


def test_angles_are_clockwise_on_the_screen():
    pointer = from_distance(strokes([[(0.2, 0), (0.8, 0)]], 0.3))  # to the right of the centre
    for angle, wanted in [(0, (37, 32)), (pi / 2, (32, 37)), (pi, (27, 32)), (-pi / 2, (32, 27))]:
        np.testing.assert_allclose(centroid(draw(pointer, 32, 32, angle)), wanted, atol=0.05)


def test_a_stroke_is_a_capsule():
    glyph = from_distance(strokes([[(-0.5, 0), (0.5, 0)]], 0.4))
    area = draw(glyph, 32, 32, radius=20).sum()
    assert area == pytest.approx(20**2 * (1.0 * 0.4 + pi * 0.2**2), rel=0.02)


def test_a_polygon_with_a_dent_is_not_filled_there():
    glyph = from_distance(polygon([(-0.8, -0.6), (0.8, -0.6), (0.8, 0.6), (0, -0.2), (-0.8, 0.6)]))
    image = draw(glyph, 32, 32, radius=20)
    assert image[40, 32] == 0 and image[24, 32] == 1 and image[34, 18] == 1


def test_what_leaves_the_frame_is_cut_off():
    whole, half = draw(DISC, 32, 32), draw(DISC, 0, 32)
    np.testing.assert_array_equal(half[:, :32], whole[:, 32:])
    assert draw(DISC, -40, 32).sum() == 0


def test_edges_are_soft_and_the_inside_is_full():
    image = draw(DISC, 32.3, 31.6)
    assert image.min() == 0 and image.max() == 1
    assert ((image > 0.05) & (image < 0.95)).sum() > 20


def test_a_bitmap_keeps_its_ink_and_its_place():
    bitmap = np.zeros((28, 28), np.uint8)
    bitmap[4:14, 8:20] = 255  # its centre is at x = 14, y = 9 of 28
    for radius in (6.0, 14.0, 20.0):
        image = draw(from_bitmap(bitmap, radius), 32, 32, radius=radius)
        scale = 2 * radius / 28
        assert image.sum() == pytest.approx(120 * scale**2, rel=0.05)
        np.testing.assert_allclose(centroid(image), [32, 32 + (9 - 14) * scale], atol=0.15)


def test_later_layers_cover_earlier_ones():
    frames = np.zeros((1, 32, 32, 3), np.float32)
    for colour in [(200, 0, 0), (0, 100, 50)]:
        paint(frames, *layer(DISC, np.array([[16.0, 16.0]]), np.zeros(1), 10), colour)
    np.testing.assert_array_equal(frames[0, 16, 16], [0, 100, 50])
