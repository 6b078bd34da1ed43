"""The flow methods by name: pictures of every shape."""

from __future__ import annotations

import pytest
import torch

from moviola.nn.flow_methods import flow_method

pytest.importorskip("cv2")


@pytest.mark.parametrize("size", [(14, 40), (8, 100), (2, 40), (100, 6), (1, 1), (15, 15), (16, 16)])
def test_dis_takes_thin_pictures(size: tuple[int, int]) -> None:
    """They are mirrored out to what it needs; equal pictures have no flow."""
    pictures = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = flow_method("dis").estimate(pictures, pictures)
    assert found.shape == (2, 2, *size)
    assert found.abs().max() < 0.1


def test_dis_finds_a_shift_in_a_thin_picture() -> None:
    """Twelve rows are enough to see three pixels to the right."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.nn.functional.interpolate(
        torch.rand(1, 3, 6, 40, generator=generator), size=(12, 160), mode="bilinear"
    )
    flow = flow_method("dis").estimate(noise[..., 3:123] * 2 - 1, noise[..., :120] * 2 - 1)
    assert (flow[:, 0, 2:-2, 16:-16] - 3).abs().mean() < 0.5
