"""Flow as colours."""

from __future__ import annotations

import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.nn.flow_picture import flow_picture


def test_directions():
    """Four directions at full speed have four pure hues a quarter turn apart; standing still is white."""
    flow = torch.tensor([[[4.0, 0, -4, 0, 0]], [[0.0, 4, 0, -4, 0]]])
    right, down, left, up, still = flow_picture(flow, largest=4)[0].tolist()
    assert right == [255, 0, 0] and left == [0, 255, 255] and still == [255, 255, 255]
    assert down == [128, 255, 0] and up == [128, 0, 255]


def test_speed_is_strength():
    """Half the speed is half way to white; what is faster than the largest is at full strength."""
    picture = flow_picture(torch.tensor([[[2.0, 40.0]], [[0.0, 0.0]]]), largest=4)
    assert picture[0].tolist() == [[255, 128, 128], [255, 0, 0]]
    faint = flow_picture(torch.tensor([[[0.1]], [[0.0]]]))  # below 1 px nothing is blown up
    assert faint[0, 0].tolist() == [255, 229, 229]


def test_bad_input():
    """A batch is refused."""
    with pytest.raises(ConfigError, match=r"\(2, H, W\), got \(1, 2, 3, 3\)"):
        flow_picture(torch.zeros(1, 2, 3, 3))
