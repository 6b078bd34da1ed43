"""LPIPS between clips."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError, WeightsError
from moviola.core.video import Video
from moviola.metrics.base import PairExtractor, Sample
from moviola.metrics.lpips import LpipsExtractor, make_lpips
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.nn.pretrained.lpips import LPIPS


@pytest.fixture(scope="module")
def extractor():
    """LPIPS with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LPIPS("alex").eval().requires_grad_(False)
    for head in network.heads:
        head.data += 1.0
    return LpipsExtractor(network, {"network": "lpips 0.1 alex", "sha256": "0" * 64}, batch=2)


def clip(seed, frames=5, size=40, name="a"):
    """A clip of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, size, size, 3), np.uint8)
    return Sample(Video(pixels, 8), name)


def test_mean_over_frames(extractor):
    """The mean of the frames' distances, whatever the batch; 0 for a clip and itself."""
    real, fake = clip(0), clip(1)
    single = [
        extractor.network(real.video[i].to_tensor(), fake.video[i].to_tensor()).item() for i in range(5)
    ]
    out = extractor(real, fake)["lpips"]
    assert isinstance(extractor, PairExtractor)
    assert out.shape == () and out.dtype == np.float32
    assert float(out) == pytest.approx(np.mean(single), rel=1e-5) and float(out) > 0.01
    assert float(extractor(real, real)["lpips"]) == 0.0


def test_shapes_that_differ(extractor):
    """Both clips and their shapes are named."""
    with pytest.raises(InputError, match="a is 5 frames of 40x40, b is 4 frames of 40x40"):
        extractor(clip(0), clip(1, frames=4, name="b"))


def test_frames_that_are_too_small(extractor):
    """A line with the smallest size."""
    with pytest.raises(ConfigError, match="at least 31 px, not 16x16"):
        extractor(clip(0, size=16), clip(1, size=16))


def test_factory(tmp_path, monkeypatch):
    """The file the user names is used and is part of the identity; without one there is one line."""
    heads = {f"lin{i}.model.1.weight": torch.ones(1, len(h), 1, 1) for i, h in enumerate(LPIPS("alex").heads)}
    torch.save(heads, tmp_path / "heads.pth")
    trunk = {k: v for k, v in LPIPS("alex").state_dict().items() if k.startswith("features.")}
    torch.save(trunk, tmp_path / "alexnet.pth")
    monkeypatch.setattr("moviola.nn.pretrained.lpips.find_heads", lambda *args: tmp_path / "heads.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    options = MetricOptions(lpips_backbone=tmp_path / "alexnet.pth")
    extractor, output = make_lpips(Protocol(), "cpu", options)
    assert output == extractor.name == "lpips"
    assert extractor.identity()["network"] == "lpips 0.1 alex"
    assert float(extractor(clip(0), clip(1))["lpips"]) > 0
    with pytest.raises(WeightsError, match="lpips needs the backbone"):
        make_lpips(Protocol(), "cpu", MetricOptions())
    with pytest.raises(WeightsError, match=r"no file .*missing"):
        make_lpips(Protocol(), "cpu", MetricOptions(lpips_backbone=tmp_path / "missing.pth"))
