"""cd-fvd and jepa-fd, by networks that are made up."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.video import Video
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.metrics.video_networks import VideoTransformerExtractor, make_cd_fvd, make_jepa_fd
from moviola.nn.pretrained.hub import Normalise
from moviola.nn.pretrained.videomae import VideoMAE


class Tokens(nn.Module):
    """A transformer's stand-in: its tokens are the frames' mean colours."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(image_size=8, num_frames=4)
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]), requires_grad=False)

    def forward(self, pixel_values):
        return SimpleNamespace(last_hidden_state=pixel_values.mean(dim=(3, 4)) * self.scale)


@pytest.fixture
def network():
    """A VideoMAE around it, pixels in [0, 1]."""
    return VideoMAE(Tokens(), None, Normalise())


def clip(seed, frames=4):
    """A clip of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 20, 30, 3), np.uint8)
    return Sample(Video(pixels, 8), f"clip{seed}")


@pytest.mark.parametrize("antialias", [False, True])
def test_features_of_a_clip(network, antialias):
    """The whole frame brought to the network's size by torch's bilinear interpolation."""
    extractor = VideoTransformerExtractor(network, "videomae", "cd-fvd", "VideoMAE x", antialias)
    sample = clip(0)
    unit = torch.from_numpy(sample.video.frames).permute(0, 3, 1, 2) / 255.0
    small = F.interpolate(unit, (8, 8), mode="bilinear", align_corners=False, antialias=antialias)
    expected = small.mean(dim=(0, 2, 3)) * torch.tensor([1.0, 2.0, 3.0])
    out = extractor(sample)["features"]
    assert isinstance(extractor, Extractor)
    assert out.shape == (3,) and out.dtype == np.float32
    assert out == pytest.approx(expected.numpy(), rel=1e-4)


def test_identity(network):
    """Network, weights, resizing and normalisation; the weights' fingerprint follows the weights."""
    first = VideoTransformerExtractor(network, "videomae", "cd-fvd", "VideoMAE x").identity()
    assert (first["network"], first["size"], first["antialias"]) == ("VideoMAE x", "8", "false")
    assert first["pixels"] == "mean 0,0,0 std 1,1,1"
    network.network.scale += 1
    second = VideoTransformerExtractor(network, "videomae", "cd-fvd", "VideoMAE x").identity()
    assert {key for key in first if first[key] != second[key]} == {"sha256"}


def test_clips_of_another_length(network):
    """A clip that the network does not take is refused in the metric's name."""
    with pytest.raises(ConfigError, match="cd-fvd: this VideoMAE takes clips of 4 frames, not 5"):
        VideoTransformerExtractor(network, "videomae", "cd-fvd", "x")(clip(0, frames=5))


def test_factory_checks_the_protocol(network, monkeypatch, tmp_path):
    """The protocol's length is checked before any clip is read; the covariance is the protocol's."""
    monkeypatch.setattr("moviola.nn.pretrained.videomae.load_videomae", lambda folder, device: network)
    options = MetricOptions(videomae=tmp_path)
    extractor, output, measure = make_cd_fvd(Protocol(frames=4, ddof=0), "cpu", options)
    assert (extractor.name, output, measure.ddof) == ("videomae", "features", 0)
    features = [
        np.stack([extractor(clip(s))["features"] for s in seeds]) for seeds in (range(9), range(9, 18))
    ]
    assert measure.score(features[0][:, None], features[1][:, None]) > 0
    with pytest.raises(ConfigError, match="use a protocol of 4 frames"):
        make_cd_fvd(Protocol(frames=16), "cpu", options)


def test_without_a_model(tmp_path):
    """Each metric says which folder it needs, and refuses one that holds nothing."""
    with pytest.raises(WeightsError, match="cd-fvd needs a VideoMAE model: give its folder with --videomae"):
        make_cd_fvd(Protocol(), "cpu", MetricOptions())
    with pytest.raises(WeightsError, match="jepa-fd needs a V-JEPA 2 model: give its folder with --vjepa"):
        make_jepa_fd(Protocol(), "cpu", MetricOptions())
    pytest.importorskip("transformers")
    with pytest.raises(WeightsError, match=r"has no config\.json"):
        make_jepa_fd(Protocol(), "cpu", MetricOptions(vjepa=tmp_path))
