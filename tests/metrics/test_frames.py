"""frame-fd and frame-is: what the extractor hands on, and which network is named."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from moviola.core.errors import WeightsError
from moviola.core.video import Video
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.frames import (
    FrameExtractor,
    ImageNetwork,
    load_image_network,
    make_frame_fd,
    make_frame_is,
)
from moviola.metrics.measures import SetMeasure
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.nn.pretrained import store
from moviola.nn.pretrained.efficientnet_lite import EfficientNetLite, EfficientNetLiteConfig
from moviola.nn.pretrained.inception import Inception, InceptionConfig


@pytest.fixture(scope="module")
def network():
    """A tiny efficientnet-lite with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        net = EfficientNetLite(EfficientNetLiteConfig.tiny()).eval().requires_grad_(False)
        for parameter in net.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape)
    return ImageNetwork(net, "tiny", "0" * 64, 33, batch=4)


def clip(seed, frames=6, size=(40, 52)):
    """A clip of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, *size, 3), np.uint8)
    return Sample(Video(pixels, 8), f"clip{seed}")


def test_rows_are_frames(network):
    """A row a frame, float32; probabilities sum to 1; the same as one frame at a time through Pillow."""
    extractor, sample = FrameExtractor(network), clip(0)
    out = extractor(sample)
    assert isinstance(extractor, Extractor)
    assert {k: (v.shape, v.dtype.name) for k, v in out.items()} == {
        "pooled": ((6, 12), "float32"),
        "probabilities": ((6, 10), "float32"),
    }
    for i, frame in enumerate(sample.video.frames):
        small = np.asarray(Image.fromarray(frame).resize((33, 33), Image.Resampling.BICUBIC))
        x = torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        pooled, logits = network.network(x)
        assert out["pooled"][i] == pytest.approx(pooled[0].numpy(), rel=1e-4, abs=1e-5)
        assert out["probabilities"][i] == pytest.approx(F.softmax(logits, 1)[0].numpy(), rel=1e-4, abs=1e-6)


def test_bilinear_as_pytorch_fid():
    """Inception's frames are interpolated by torch, corners not aligned, no antialiasing."""
    sample = clip(3, frames=2)
    network = ImageNetwork(Inception(InceptionConfig.tiny()).eval(), "tiny", "0" * 64, 95, "bilinear")
    unit = torch.from_numpy(sample.video.frames).permute(0, 3, 1, 2) / 255.0
    expected = 2 * F.interpolate(unit, size=(95, 95), mode="bilinear", align_corners=False) - 1
    torch.testing.assert_close(network.prepare(sample.video), expected, rtol=0, atol=1e-5)
    assert network.look(sample.video)[0].shape == (2, 2048 // 16)


def test_frame_fd_is_the_distance_of_the_features(network):
    """The Fréchet distance of all frames' features, by the eigenvalues of the covariances' product."""
    extractor = FrameExtractor(network)
    real, fake = (
        np.stack([extractor(clip(s))["pooled"] for s in seeds]) for seeds in ((1, 2, 3, 4), (5, 6, 7))
    )
    *_, measure = _factory(make_frame_fd, network)
    a, b = real.reshape(-1, 12).astype(np.float64), fake.reshape(-1, 12).astype(np.float64)
    root = np.sqrt(np.linalg.eigvals(np.cov(a.T) @ np.cov(b.T)).astype(complex)).real.sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T)) - 2 * root
    assert isinstance(measure, SetMeasure)
    assert measure.score(real, fake) == pytest.approx(expected, rel=1e-4)


def test_frame_is_is_the_score_of_the_classes(network):
    """exp of the mean divergence of the frames' classes from their mean."""
    extractor = FrameExtractor(network)
    fake = np.stack([extractor(clip(s))["probabilities"] for s in (5, 6, 7)])
    *_, measure = _factory(make_frame_is, network)
    p = fake.reshape(-1, 10).astype(np.float64)
    expected = np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean())
    assert measure.score(fake[:0], fake) == pytest.approx(expected, rel=1e-6)


def _factory(make, network):
    """What a factory returns, its network replaced by a tiny one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moviola.metrics.frames.load_efficientnet", lambda device, metric: network)
        return make(Protocol(), "cpu", MetricOptions())


def test_both_metrics_share_a_network_and_name_it(network):
    """One network behind both, named in the identity with its weights."""
    fd, *_ = _factory(make_frame_fd, network)
    score, *_ = _factory(make_frame_is, network)
    assert fd.network is score.network
    assert fd.identity() == {
        "network": "tiny", "sha256": "0" * 64, "resize": "bicubic, antialiased, bytes", "size": "33",
    }  # fmt: skip
    sample, seen = clip(9), []
    hook = fd.network.network.register_forward_hook(lambda *args: seen.append(1))
    fd(sample), score(sample)
    hook.remove()
    assert len(seen) == 2  # 6 frames in batches of 4, once


def test_without_weights(monkeypatch, tmp_path):
    """Each metric says in its own name how to get the weights."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(store.packages, "installed_file", lambda *args: None)
    line = 'frame-is needs the efficientnet-lite0 weights: run "moviola models fetch efficientnet-lite0"'
    with pytest.raises(WeightsError, match=line):
        make_frame_is(Protocol(), "cpu", MetricOptions())


def test_inception_needs_a_file():
    """The line names the file and the option."""
    options = MetricOptions(image_network="inception")
    with pytest.raises(
        WeightsError, match=r"frame-fd with inception needs the file pt_inception.*--inception"
    ):
        make_frame_fd(Protocol(), "cpu", options)


def test_inception_from_a_file(tmp_path):
    """The published file's names and shapes are taken; the score will name the network."""
    path = tmp_path / "inception.pth"
    torch.save(Inception(InceptionConfig()).state_dict(), path)
    network = load_image_network(MetricOptions(image_network="inception", inception=path), "cpu", "frame-fd")
    identity = network.identity()
    assert identity["network"] == "inception-v3 2015-12-05"
    assert (identity["size"], identity["resize"], len(identity["sha256"])) == ("299", "bilinear", 64)


def test_the_extractor_can_be_sent_to_another_process(network):
    """As a cluster does: what arrives gives the same features."""
    extractor, sample = FrameExtractor(network), clip(4)
    again = pickle.loads(pickle.dumps(extractor))
    assert again.identity() == extractor.identity()
    for key, value in extractor(sample).items():
        np.testing.assert_array_equal(again(sample)[key], value)
