"""LPIPS against the lpips package and against its equation written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained import lpips as ours
from moviola.nn.pretrained import packages
from moviola.nn.pretrained.lpips import LPIPS, SMALLEST, load_lpips
from moviola.nn.pretrained.store import locate

CONVOLUTIONS = {"alex": (0, 3, 6, 8, 10), "vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}
WIDTHS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


@pytest.fixture(scope="module")
def backbone(formula, tmp_path_factory):
    """Files of both backbones with torchvision's names, filled by the formula, and a classifier that is not used."""
    folder = tmp_path_factory.mktemp("backbones")
    for net in CONVOLUTIONS:
        shapes = {k: v.shape for k, v in LPIPS(net).state_dict().items() if k.startswith("features.")}
        assert {int(k.split(".")[1]) for k in shapes} == set(CONVOLUTIONS[net])
        weights = formula.weights({k: tuple(v) for k, v in shapes.items()} | {"classifier.1.weight": (3, 5)})
        torch.save({k: torch.from_numpy(v) for k, v in weights.items()}, folder / f"{net}.pth")
    return lambda net: folder / f"{net}.pth"


@pytest.fixture(scope="module")
def heads(formula, tmp_path_factory):
    """Files of heads with the names and shapes of the lpips package; weights are positive, as learned ones are."""
    folder = tmp_path_factory.mktemp("heads")
    for net, widths in WIDTHS.items():
        table = {
            f"lin{i}.model.1.weight": torch.from_numpy(formula.noise((1, width, 1, 1), i) + 0.5)
            for i, width in enumerate(widths)
        }
        torch.save(table, folder / f"{net}.pth")
    return lambda net: folder / f"{net}.pth"


@pytest.fixture(scope="module")
def pairs(formula):
    """Two pairs of pictures, float32 (2, 3, 64, 64) in [-1, 1]."""
    pixels = np.stack([formula.picture(64, seed) for seed in range(4)])
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x[:2], x[2:]


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_same_as_the_lpips_package(net, backbone, pairs, golden):
    """With the package's own heads, the distances are those that the package gives."""
    if locate("lpips")[0] == "missing":
        pytest.skip("the heads are not here: moviola models fetch lpips")
    network, identity = load_lpips(net, backbone(net))
    assert network(*pairs).tolist() == pytest.approx(golden["lpips"][net], rel=1e-4)
    assert identity["network"] == f"lpips 0.1 {net}"
    assert len(identity["sha256"]) == len(identity["heads"]) == 64


def test_equation_one(backbone, heads, pairs):
    """Equation 1, position by position, on the features of a plain chain of layers."""
    weights = torch.load(backbone("alex"), weights_only=True)
    learned = torch.load(heads("alex"), weights_only=True)

    def activations(x):
        shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
        h = (x - shift) / torch.tensor([0.458, 0.448, 0.450])[:, None, None]
        for i, stride, padding in zip(CONVOLUTIONS["alex"], (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), strict=True):
            h = F.max_pool2d(h, 3, 2) if i in (3, 6) else h
            h = F.conv2d(
                h, weights[f"features.{i}.weight"], weights[f"features.{i}.bias"], stride, padding
            ).relu()
            yield h[0].numpy().astype(np.float64)

    total = 0.0
    both = zip(activations(pairs[0][:1]), activations(pairs[1][:1]), strict=True)
    for layer, (a, b) in enumerate(both):
        w = learned[f"lin{layer}.model.1.weight"].flatten().numpy()
        height, width = a.shape[1:]
        for row in range(height):
            for column in range(width):
                u, v = a[:, row, column], b[:, row, column]
                difference = u / (np.linalg.norm(u) + 1e-10) - v / (np.linalg.norm(v) + 1e-10)
                total += (w * difference**2).sum() / (height * width)
    network, _ = load_lpips("alex", backbone("alex"), heads("alex"))
    assert network(pairs[0][:1], pairs[1][:1]).item() == pytest.approx(total, rel=1e-4)


def test_it_is_a_distance(backbone, heads, pairs):
    """0 for equal pictures, the same both ways, and no picture of a batch sees another."""
    network, _ = load_lpips("alex", backbone("alex"), heads("alex"))
    assert network(pairs[0], pairs[0]).tolist() == [0.0, 0.0]
    torch.testing.assert_close(network(*pairs), network(pairs[1], pairs[0]))
    assert network(pairs[0][1:], pairs[1][1:]).item() == pytest.approx(network(*pairs)[1].item(), rel=1e-5)
    assert (network(*pairs) > 0.01).all()


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_smallest_pictures(net):
    """The smallest size works; one pixel less is refused in a line."""
    side = SMALLEST[net]
    network = LPIPS(net)
    assert network(torch.zeros(1, 3, side, side + 5), torch.zeros(1, 3, side, side + 5)).shape == (1,)
    small = torch.zeros(1, 3, side + 5, side - 1)
    with pytest.raises(ConfigError, match=f"at least {side} px, not {side + 5}x{side - 1}"):
        network(small, small)


def test_pictures_of_two_shapes():
    """Shapes that differ are refused."""
    with pytest.raises(ConfigError, match="one shape"):
        LPIPS("alex")(torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 41))


def test_the_other_backbones_file(backbone, heads):
    """The weights of VGG are not taken for those of AlexNet."""
    with pytest.raises(WeightsError, match=r"is not the weights of alex \(lpips\): it "):
        load_lpips("alex", backbone("vgg"), heads("alex"))


def test_without_a_backbone(monkeypatch, tmp_path):
    """One line that names the file; a file that torchvision left in its cache is found."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(WeightsError, match=r"needs the backbone alexnet-owt-7be5be79\.pth.*--lpips-backbone"):
        ours.find_backbone("alex", None)
    left = tmp_path / "checkpoints" / "vgg16-397923af.pth"
    left.parent.mkdir()
    left.touch()
    assert ours.find_backbone("vgg", None) == left


def test_without_heads(monkeypatch, tmp_path):
    """One line that says what to fetch."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "installed_file", lambda *args: None)
    with pytest.raises(WeightsError, match=r'run "moviola models fetch lpips"'):
        ours.find_heads("alex")
