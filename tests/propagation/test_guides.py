"""What patch synthesis compares: edges, positions, and what follows a flow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.propagation.guides import (
    Guides,
    box_mean,
    edges,
    field_from_positions,
    grid,
    halve,
    move_field,
    positions,
    source_guides,
    target_guides,
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture of noise, uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("across", "down"), [(4, 0), (0, 3), (3, 4)])
def test_edges_of_a_ramp(across, down):
    """On a plane of grey the edge strength is twice its slope: a change over two pixels."""
    y, x = np.mgrid[:20, :24]
    frame = (across * x + down * y).astype(np.uint8)[..., None].repeat(3, axis=-1)
    inner = edges(frame)[1:-1, 1:-1]
    assert (inner == round(2 * np.hypot(across, down))).all()


def test_edges_are_where_the_step_is():
    """A step from black to white is an edge at its two columns, cut at 255, and nowhere else."""
    frame = np.zeros((9, 12, 3), np.uint8)
    frame[:, 6:] = 255
    found = edges(frame)
    assert (found[:, 5:7] == 255).all()
    assert not found[:, :5].any() and not found[:, 7:].any()


def test_grid_is_x_then_y():
    """The grid holds x first, then y."""
    assert grid(3, 5)[2, 4].tolist() == [4, 2]
    assert grid(3, 5).shape == (3, 5, 2)


def test_positions_become_pixels_inside():
    """Positions are rounded half up, held inside the source, and nonsense becomes 0."""
    flow = np.zeros((1, 4, 2))
    flow[0] = [[-3, 0], [0.5, 0.49], [9, 9], [np.nan, np.inf]]
    field = field_from_positions(positions(flow), 6, 5)
    assert field.tolist() == [[[0, 0], [2, 0], [4, 5], [0, 0]]]
    assert field.dtype == np.int32


def test_a_field_moves_with_the_picture():
    """What moved by whole pixels takes its matches along; what comes in takes the nearest match inside."""
    field = np.random.default_rng(0).integers(0, 50, (12, 15, 2)).astype(np.int32)
    flow = np.broadcast_to(np.float32([2, -3]), (12, 15, 2))  # from the later frame to the earlier
    moved = move_field(field, flow)
    assert (moved[3:, :13] == field[:9, 2:]).all()
    assert (moved[5, 13:] == field[2, 14]).all()


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5, 7]))
def test_box_mean_is_the_mean_of_what_is_inside(height, width, patch):
    """The box mean is that of the pixels within the frame, counted one by one."""
    values = np.random.default_rng(height * 10 + width).random((height, width, 2))
    reach, found = patch // 2, box_mean(values, patch)
    for y in range(height):
        for x in range(width):
            part = values[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            np.testing.assert_allclose(found[y, x], part.mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(box_mean(values[..., 0], patch), found[..., 0], atol=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 4), (8, 9)])
def test_halving(size):
    """Half the size, rounded up, of means of 2 x 2; at an odd end the last line counts twice."""
    values = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    found = halve(values)
    assert found.shape == (-(-size[0] // 2), -(-size[1] // 2), 3)
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            rows = [2 * y, min(2 * y + 1, size[0] - 1)]
            columns = [2 * x, min(2 * x + 1, size[1] - 1)]
            np.testing.assert_allclose(found[y, x], values[np.ix_(rows, columns)].mean((0, 1)), rtol=1e-5)


def test_guides_of_a_target():
    """The position is the grid and the flow; trust is where the flow is seen."""
    frame = noise(6, 7)
    flow = np.full((6, 7, 2), 1.5, np.float32)
    guides = target_guides(frame, flow=flow, visible=np.eye(6, 7, dtype=bool), temporal=frame)
    assert guides.position is not None and guides.trust is not None
    np.testing.assert_allclose(guides.position, grid(6, 7) + 1.5)
    assert guides.trust.dtype == np.float32 and guides.trust.sum() == 6
    assert source_guides(frame).size == guides.size == (6, 7)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("colour", {"colour": np.zeros((6, 7, 3), np.float32)}),
        ("colour", {"colour": np.zeros((0, 7, 3), np.uint8)}),
        ("edge", {"edge": np.zeros((7, 6), np.uint8)}),
        ("temporal", {"temporal": np.zeros((6, 7), np.uint8)}),
        ("position", {"position": np.zeros((2, 6, 7), np.float32)}),
        ("trust", {"trust": np.zeros((6, 8), np.float32)}),
    ],
)
def test_guides_that_do_not_fit(what, changes):
    """An array of another shape or type is refused in one line that names it."""
    with pytest.raises(ConfigError, match=what) as caught:
        Guides(**{"colour": noise(6, 7), **changes})
    assert "\n" not in str(caught.value)
