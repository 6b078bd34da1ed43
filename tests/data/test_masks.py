"""Masks as they are read: levels, kinds, pieces, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.data.masks import Masks, Piece, open_masks, to_share, write_masks


def test_levels():
    """Up to 8 is black, from 247 white, between in a line; inverted, the other way round."""
    levels = np.arange(256, dtype=np.uint8)[None]
    share = to_share(levels)[0]
    assert not share[:9].any() and (share[247:] == 1).all()
    np.testing.assert_allclose(share[8:248], np.linspace(0, 1, 240), atol=1e-6)
    np.testing.assert_allclose(to_share(levels, invert=True)[0], share[::-1], atol=1e-6)


def test_pieces_in_a_row(tmp_path: Path):
    """Masks of several files, from any frame to any other, cropped; each by its number."""
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 2, (7, 20, 30), dtype=np.uint8) * 255
    one = write_masks(levels[:4], tmp_path / "one")
    two = write_masks(Video(np.repeat(levels[4:, ..., None], 3, -1), 10), tmp_path / "two")
    masks = Masks((Piece(0, 4, one), Piece(4, 7, two)))
    np.testing.assert_array_equal(np.stack(list(masks.frames())), levels / 255)
    np.testing.assert_array_equal(np.stack(list(masks.span(3, 6))), levels[3:6] / 255)
    part = masks.cropped(slice(2, 9), slice(5, 30))
    np.testing.assert_array_equal(part.at(5), levels[5, 2:9, 5:] / 255)
    assert masks.mark != part.mark and masks.mark == Masks((Piece(0, 4, one), Piece(4, 7, two))).mark


def test_arrays_of_every_kind_mean_the_same(tmp_path: Path):
    """bool, 0 to 1 and 0 to 255; one for all frames; by frame number as pictures of a folder."""
    mask = np.random.default_rng(1).random((16, 18)) < 0.5
    for number, given in enumerate(
        (mask, mask.astype(float), 255 * mask.astype(np.uint8), mask[None, ..., None])
    ):
        masks = open_masks(write_masks(given, tmp_path / str(number)), 3, (16, 18))
        np.testing.assert_array_equal(np.stack(list(masks.frames())), np.repeat(mask[None], 3, 0))
    folder = write_masks({4: mask}, tmp_path / "few")
    assert [path.name for path in folder.iterdir()] == ["000004.png"]
    with pytest.raises(InputError, match=r"not int64"):
        write_masks(np.zeros((2, 2), np.int64), tmp_path / "no")


def test_other_lengths_and_sizes(tmp_path: Path):
    path = write_masks(np.zeros((2, 16, 18), bool), tmp_path / "two")
    with pytest.raises(
        InputError, match=r"two\.mkv has 2 frames and the video has 3; give as many, or one picture"
    ):
        open_masks(path, 3, (16, 18))
    with pytest.raises(
        InputError, match=r"is 18x16 and the frames of clip are 20x16; they must be of one size"
    ):
        open_masks(path, 2, (16, 20), "clip")
