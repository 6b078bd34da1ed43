"""Brightness: against integers and OpenCV; equal pixels are equally bright whatever their place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.luma import luma, luma_levels, luma_thousandths
from moviola.nn.filters import luma as luma_of_tensors

SHAPES = [(1, 1), (5, 7), (3, 16), (9, 33), (64, 65)]


def test_against_integers():
    """299 R + 587 G + 114 B in Python's own numbers; float32 is the nearest to a thousandth of that."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3), np.uint8)
    whole = [299 * r + 587 * g + 114 * b for r, g, b in frames.reshape(-1, 3).tolist()]
    assert luma_thousandths(frames).ravel().tolist() == whole
    assert luma(frames).ravel().tolist() == [float(np.float32(value / 1000)) for value in whole]
    assert luma_levels(frames).ravel().tolist() == [(value + 500) // 1000 for value in whole]
    assert luma(frames).dtype == np.float32 and luma_levels(frames).dtype == np.uint8


def test_against_opencv():
    """Its fixed-point conversion is within one level."""
    cv2 = pytest.importorskip("cv2")
    frame = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    assert np.abs(luma_levels(frame) - cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(int)).max() <= 1


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("colour", [(93, 93, 93), (31, 77, 200), (255, 254, 253)])
def test_flat_stays_flat(size, colour):
    """To the last bit, of bytes, of float32 and of tensors, also where the channels are not next to each other."""
    frame = np.empty((*size, 3), np.uint8)
    frame[:] = colour
    planar = np.moveaxis(np.ascontiguousarray(np.moveaxis(frame, -1, 0)), 0, -1)
    for picture in (frame, planar, frame.astype(np.float32) * np.float32(0.37)):
        values = luma(picture)
        assert values.shape == size and np.ptp(values) == 0
    tensor = torch.from_numpy(frame).movedim(-1, 0)[None].float() / 127.5 - 1
    assert luma_of_tensors(tensor).unique().numel() == 1
