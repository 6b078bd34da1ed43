"""Cutting a grid into its clips."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError, FormatError, OutputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.grids import cut_grid


def cells(rows: int, columns: int) -> np.ndarray:
    """Random smooth cells, uint8 (rows, columns, T=5, 16, 24, 3)."""
    rng = np.random.default_rng(0)
    start = rng.integers(30, 200, (rows, columns, 1, 1, 1, 3))
    return (start + np.arange(5)[:, None, None, None] * 7 + np.zeros((16, 24, 1), int)).astype(np.uint8)


@pytest.fixture
def grid(tmp_path):
    """A 2x3 grid with a gap of 4, written by numpy alone."""
    made = cells(2, 3)
    frames = np.zeros((5, 2 * 16 + 4, 3 * 24 + 8, 3), np.uint8)
    for r in range(2):
        for c in range(3):
            frames[:, r * 20 : r * 20 + 16, c * 28 : c * 28 + 24] = made[r, c]
    return codec.write(Video(frames, fps=12), tmp_path / "grid.npz")


def test_every_cell_becomes_its_clip(grid, tmp_path):
    names = cut_grid(grid, tmp_path / "out", 2, 3, gap=4)
    assert names == ["r00c00.mp4", "r00c01.mp4", "r00c02.mp4", "r01c00.mp4", "r01c01.mp4", "r01c02.mp4"]
    for i, name in enumerate(names):
        got = codec.read(tmp_path / "out" / name)
        assert got.fps == 12
        assert np.abs(got.frames.astype(int) - cells(2, 3)[i // 3, i % 3]).max() <= 3


@pytest.mark.parametrize(("rows", "columns", "gap"), [(2, 3, 0), (3, 3, 4), (36, 1, 4)])
def test_a_grid_that_does_not_divide(grid, tmp_path, rows, columns, gap):
    with pytest.raises(FormatError, match="80x36"):
        cut_grid(grid, tmp_path / "out", rows, columns, gap=gap)
    assert not (tmp_path / "out").exists()


def test_bad_numbers_and_a_taken_folder(grid, tmp_path):
    with pytest.raises(ConfigError, match="at least 1"):
        cut_grid(grid, tmp_path / "out", 0, 3)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    with pytest.raises(OutputError, match="taken"):
        cut_grid(grid, tmp_path / "taken", 2, 3, gap=4)
