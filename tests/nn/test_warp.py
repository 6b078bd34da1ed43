"""Warping and occlusion against OpenCV and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.nn.warp import occlusion, warp


def constant(x, y, height=12, width=16):
    """The same flow everywhere."""
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


def noise(height=12, width=16, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_whole_pixels():
    """A whole-pixel flow picks pixels; beyond the edge it is held or nothing, and not valid."""
    picture = noise()
    warped, valid = warp(picture, constant(3, -2))
    assert torch.allclose(warped[..., 2:, :-3], picture[..., :-2, 3:], atol=1e-6)
    assert torch.allclose(warped[..., 2:, -3:], picture[..., :-2, -1:].expand(1, 3, 10, 3), atol=1e-6)
    assert valid[0, 0, 2:, :-3].all() and not valid[0, 0, :2].any() and not valid[0, 0, :, -3:].any()
    dark, same = warp(picture, constant(3, -2), border="zero")
    assert not dark[..., -3:].any() and not dark[..., :2, :].any() and torch.equal(valid, same)


def test_between_pixels():
    """Bilinear reading of a plane is exact."""
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(16.0), indexing="ij")
    plane = (2 * x - 3 * y + 1)[None, None]
    warped, valid = warp(plane, constant(0.25, 1.5))
    expected = plane + 2 * 0.25 - 3 * 1.5
    assert torch.allclose(warped[valid], expected[valid], atol=1e-4)


@pytest.mark.parametrize("kernel", ["bilinear", "nearest"])
def test_by_opencv(kernel):
    """Random flows that leave the picture, against cv2.remap with the edge held."""
    cv2 = pytest.importorskip("cv2")
    generator = torch.Generator().manual_seed(1)
    flow = (torch.rand(1, 2, 12, 16, generator=generator) * 16 - 8).mul(32).floor().add(0.5).div(32)
    picture = noise(seed=2)
    y, x = np.mgrid[0:12, 0:16].astype(np.float32)
    how = cv2.INTER_LINEAR if kernel == "bilinear" else cv2.INTER_NEAREST
    expected = cv2.remap(
        picture[0].permute(1, 2, 0).numpy(), x + flow[0, 0].numpy(), y + flow[0, 1].numpy(), how,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    found = warp(picture, flow, kernel=kernel)[0][0].permute(1, 2, 0).numpy()
    # OpenCV rounds places to 1/32 px
    assert np.abs(found - expected).max() < (0.05 if kernel == "bilinear" else 1e-6)


def test_bicubic_keeps_detail():
    """On a fine wave half a pixel away cubic reading is nearer to the truth than linear."""
    x = torch.arange(64.0)
    wave = torch.sin(1.2 * x).expand(1, 1, 8, 64).contiguous()
    truth = torch.sin(1.2 * (x + 0.5)).expand(1, 1, 8, 64)
    error = {
        kernel: (warp(wave, constant(0.5, 0, 8, 64), kernel=kernel)[0] - truth)[..., 4:-4].abs().max()
        for kernel in ("bilinear", "bicubic")
    }
    assert error["bicubic"] < 0.5 * error["bilinear"]


def test_same_flow_everywhere():
    """Flows that cancel hide only what leaves the picture."""
    hidden = occlusion(constant(3, 0), constant(-3, 0))
    assert not hidden[..., :-3].any() and hidden[..., -3:].all()


def test_square_in_front():
    """A square moves 4 px right over a still ground: hidden is the ground it covers next, and the motion boundary."""
    forward, backward = torch.zeros(1, 2, 24, 32), torch.zeros(1, 2, 24, 32)
    forward[:, 0, 8:16, 8:16] = 4
    backward[:, 0, 8:16, 12:20] = -4
    covered = torch.zeros(24, 32, dtype=torch.bool)
    covered[8:16, 16:20] = True
    assert torch.equal(occlusion(forward, backward, boundaries=False)[0, 0], covered)
    edge = torch.zeros(24, 32, dtype=torch.bool)  # pixels that differ from the next one right or below
    edge[8:16, 7] = edge[8:16, 15] = edge[7, 8:16] = edge[15, 8:16] = True
    assert torch.equal(occlusion(forward, backward)[0, 0], covered | edge)


def test_thresholds():
    """Ruder et al.: the gap squared against a hundredth of both lengths squared, plus a half."""
    for gap, lost in (
        (0.7, False),
        (0.8, True),
    ):  # 0.01 (10^2 + ...) + 0.5 lies at 0.707... for still pictures
        assert occlusion(constant(0, gap), constant(0, 0))[0, 0, 5, 5].item() is lost
    long = constant(6, 0), constant(-7.1, 0)  # 1.21 against 0.01 (36 + 50.41) + 0.5 = 1.364
    assert not occlusion(*long)[0, 0, 5, 5]
    assert occlusion(constant(6, 0), constant(-7.2, 0))[0, 0, 5, 5]  # 1.44 against 1.378


def test_bad_input():
    """A flow of another size."""
    with pytest.raises(
        ConfigError, match=r"pictures \(1, 3, 12, 16\) is \(B, 2, H, W\) of their size, got \(1, 2, 12, 15\)"
    ):
        warp(noise(), constant(0, 0, 12, 15))
