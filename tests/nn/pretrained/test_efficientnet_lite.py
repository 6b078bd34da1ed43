"""EfficientNet-lite0 against another implementation, and on real pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained import store
from moviola.nn.pretrained.efficientnet_lite import (
    Conv2dNormActivation,
    EfficientNetLite,
    EfficientNetLiteConfig,
    convert,
    load_efficientnet_lite0,
    rename,
)


@pytest.fixture(scope="module")
def pictures(formula):
    """Two pictures, float32 (2, 3, 224, 224) in [-1, 1]."""
    pixels = np.stack([formula.picture(224, seed) for seed in (0, 1)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.fixture(scope="module")
def package_file(formula, golden, tmp_path_factory):
    """A file with the package's names and shapes, filled by the formula."""
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    made = formula.weights(golden["efficientnet-lite0"]["shapes"])
    torch.save({name: torch.from_numpy(value) for name, value in made.items()}, path)
    return path


@pytest.fixture(scope="module")
def network(package_file, tmp_path_factory):
    """The network through `convert` and the loader, as the store does it."""
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("cache") / "model.safetensors"
    save_file(convert(package_file), path)
    return load_efficientnet_lite0(path)


@pytest.fixture(scope="module")
def real():
    """The network with its real weights; skipped where they are not here."""
    try:
        path = store.find_weights("efficientnet-lite0")
    except WeightsError as error:
        pytest.skip(str(error))
    return load_efficientnet_lite0(path)


def test_same_as_the_packages_own_network(network, pictures, golden, agree):
    """Features and logits are those of efficientnet-lite-pytorch for the same weights and pictures."""
    pooled, logits = network(pictures)
    agree(pooled, golden["efficientnet-lite0"]["pooled"])
    agree(logits, golden["efficientnet-lite0"]["logits"])


def test_real_weights(real, pictures, golden, agree):
    """The real weights give the logits that efficientnet-lite-pytorch gives."""
    agree(real(pictures)[1], golden["efficientnet-lite0"]["real_logits"])


def test_a_dog_is_a_dog(real, shared):
    """In frames of a real clip of a corgi, the dogs (classes 151 to 268) hold most of the probability."""
    from moviola.data.codec import read

    video = read(shared / "media" / "video" / "dog.mp4", stop=27, stride=13).resize(224, 224, "bicubic")
    probabilities = real(video.to_tensor())[1].softmax(dim=1).mean(dim=0)
    assert probabilities[151:269].sum() > 0.8
    assert probabilities.argmax() == 263  # Pembroke


def test_folding_changes_nothing(formula):
    """With batch normalisation folded into the convolutions, the outputs are the same."""
    network = EfficientNetLite(EfficientNetLiteConfig.tiny()).eval()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    network.load_state_dict({k: torch.from_numpy(v) for k, v in formula.weights(shapes).items()})
    x = torch.from_numpy(formula.noise((2, 3, 33, 33), 5)) * 2
    with torch.no_grad():
        before, after = network(x), network.fold()(x)
    assert not any("norm" in name for name in network.state_dict())
    for a, b in zip(before, after, strict=True):
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("length", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (9, 5, 2), (10, 5, 1), (5, 3, 1)]
)
def test_padding_is_tensorflows_same(length, kernel, stride):
    """An output at every stride-th place, and the window of the first one begins where TensorFlow's does."""
    layer = Conv2dNormActivation(1, 1, kernel, stride, linear=True).eval()
    layer.conv.weight.data.zero_()
    layer.conv.weight.data[0, 0, 0, 0] = 1.0  # picks the upper left of the window
    ramp = torch.arange(1.0, length + 1).repeat(length, 1)[None, None]
    rows = layer(ramp)[0, 0, -1] * (1 + 1e-3) ** 0.5
    out = -(-length // stride)
    total = max((out - 1) * stride + kernel - length, 0)
    first = np.arange(out) * stride - total // 2
    assert len(rows) == out
    inside = (len(rows) - 1) * stride - total // 2 >= 0  # the last row's window begins inside the picture
    expected = np.where(first >= 0, first + 1, 0) * inside
    assert rows.detach().numpy() == pytest.approx(expected, abs=1e-4)


def test_rename_keeps_what_it_does_not_know():
    """A name of no known form stays, so that `fit` can say it is left over."""
    assert rename("_blocks.3._bn1.running_var") == "blocks.3.depthwise.norm.running_var"
    assert rename("_bn1.weight") == "head.norm.weight"
    assert rename("module._fc.weight") == "module._fc.weight"


def test_another_networks_file(tmp_path):
    """A file of another network is refused in one line that names a weight."""
    path = tmp_path / "other.pth"
    torch.save({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="is not the weights of efficientnet-lite0: it lacks") as caught:
        convert(path)
    assert "\n" not in str(caught.value)


def test_wrong_size(network):
    """Frames of another size are refused."""
    with pytest.raises(ConfigError, match=r"\(B, 3, 224, 224\), not \(1, 3, 64, 64\)"):
        network(torch.zeros(1, 3, 64, 64))
