"""All decoders: one interface, whole or in pieces; what local latents and feature maps give between their cells."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.models.inrv.coordinates import axis, mesh
from moviola.models.inrv.decoders import interpolate_axis
from moviola.models.inrv.local import LocalLatents

KINDS = ("hyper", "low-rank", "mixture", "film-siren", "factorised", "conv")
POINTWISE = KINDS[:-1]


def model(decoder: str, **changes) -> InrvModel:
    """A small one with codes that differ."""
    torch.manual_seed(0)
    sizes = {
        "frames": 6,
        "height": 16,
        "width": 16,
        "captions": ("a", "b", "c"),
        "latent": 8,
        "init_std": 1.0,
        "hidden": 16,
        "layers": 2,
        "rank": 2,
        "bases": 3,
        "head_hidden": 12,
        "head_layers": 2,
        "widths": (12, 8, 6),
        "local": 4,
    }
    return InrvModel(InrvConfig(**{**sizes, "decoder": decoder, **changes}))


@pytest.mark.parametrize("cells", [0, 3])
@pytest.mark.parametrize("decoder", POINTWISE)
def test_the_grid_is_the_points_of_its_mesh(decoder, cells):
    """Times for all videos, or some of each."""
    m = model(decoder, local_cells=cells)
    t, y, x = torch.tensor([-0.9, 0.1]), axis(5, 16, "centres"), axis(7, 16, "centres")
    with torch.no_grad():
        state = m.decoder.prepare(m.codebook)
        grid = m.decoder.grid(state, t, y, x)
        points = m.decoder.points(state, mesh(t, y, x))
        assert grid.shape == (3, 2, 5, 7, 3)
        assert torch.allclose(grid.flatten(1, 3), points, atol=1e-4, rtol=1e-4)
        each = torch.stack([t, t + 0.3, t + 0.5])
        grid = m.decoder.grid(state, each, y, x)
        points = m.decoder.points(state, torch.stack([mesh(row, y, x) for row in each]))
    assert torch.allclose(grid.flatten(1, 3), points, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("cells", [0, 3])
@pytest.mark.parametrize("decoder", KINDS)
def test_pieces_are_the_whole(decoder, cells):
    """Rows, frames and videos one by one, at the model's own size and at another."""
    m = model(decoder, local_cells=cells)
    numbers = torch.tensor([0.0, 1.5, 5.0])
    for height, width in ((16, 16), (11, 23)):
        y, x = m.axes(height, width)
        with torch.no_grad():
            whole = m.decode(m.codebook, numbers, height, width)
            assert whole.shape == (3, 3, 3, height, width)
            for k in range(3):
                state = m.decoder.prepare(m.codebook[k : k + 1])
                rows = [
                    torch.cat(
                        [m.decoder.grid(state, m.times(n[None]), part, x) for part in y.split(4)], dim=2
                    )
                    for n in numbers
                ]
                pieces = torch.cat(rows, dim=1)[0].movedim(-1, 1)
                assert torch.allclose(pieces, whole[k], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("decoder", KINDS)
@pytest.mark.parametrize("cells", [0, 3])
def test_everything_is_trained(decoder, cells):
    """Gradients reach the codes and all parameters (the convolutional decoder reads its cells another way)."""
    m = model(decoder, local_cells=cells)
    m.decode(m.codebook, torch.tensor([0.0, 2.5])).square().mean().backward()
    names = [n for n, p in m.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    unused = ["decoder.local.sharpness", "decoder.local.key.weight", "decoder.local.key.bias"]
    # a bias that all nine cells share leaves their weights alone
    free = unused if decoder == "conv" else ["decoder.local.key.bias"]
    assert not set(names) - set(free if cells else []), names
    assert bool((m.codebook.grad.abs().sum(dim=1) > 0).all())


@pytest.mark.parametrize("decoder", KINDS)
def test_half_precision_is_near(decoder):
    """bf16 under autocast draws nearly the same frames."""
    m = model(decoder, local_cells=3)
    with torch.no_grad():
        exact = m.decode(m.codebook, torch.arange(6.0))
        with torch.autocast("cpu", torch.bfloat16):
            rough = m.decode(m.codebook, torch.arange(6.0)).float()
    assert float((exact - rough).square().mean()) < 2e-3 * float(exact.square().mean() + 1e-3)


@pytest.mark.parametrize("decoder", KINDS)
def test_the_start_is_near_colours(decoder):
    """Frames of a fresh network of usual sizes are of the order of 1, and videos differ."""
    sizes = {"hidden": 64, "layers": 4, "head_hidden": 64, "head_layers": 4, "bases": 16, "rank": 8}
    m = model(decoder, latent=64, init_std=0.5, widths=(32, 16, 8), **sizes)
    with torch.no_grad():
        frames = m.decode(m.codebook, torch.arange(6.0))
    assert 0.01 < float(frames.std()) < 3
    assert float((frames[0] - frames[1]).abs().mean()) > 1e-3 * float(frames.std())


def test_frames_of_any_instant():
    """A time is that of the frame with this number, whatever else is drawn; 1.5 lies between 1 and 2."""
    for decoder in KINDS:
        m = model(decoder)
        with torch.no_grad():
            a = m.decode(m.codebook, torch.tensor([0.0, 1.5, 4.0]))
            b = m.decode(m.codebook, torch.tensor([1.5]))
        assert torch.allclose(a[:, 1:2], b, atol=1e-4)


def test_local_latents_change_without_a_jump():
    """Along lines across all cells, steps of 1e-4 move what is read by less than a small multiple of it."""
    torch.manual_seed(0)
    local = LocalLatents(4, 5)
    latents = torch.randn(2, 4, 5, 5)
    line = torch.linspace(-1, 1, 20_001)
    with torch.no_grad():
        for y, x in ((line, line), (torch.full_like(line, 0.3), line), (line, -0.7 * line)):
            values = local(latents, y, x)
            assert values.shape == (2, 20_001, 4)
            assert float(values.diff(dim=1).abs().amax()) < 5e-3
    # what is read is a weighted mean: it stays between the lowest and the highest cell
    assert float(values.amax()) <= float(latents.amax()) and float(values.amin()) >= float(latents.amin())


def test_local_latents_are_local():
    """A place reads the cells within 1.5 of it alone; large contents do not overflow."""
    torch.manual_seed(0)
    local = LocalLatents(4, 8)
    latents = torch.randn(1, 4, 8, 8)
    y, x = torch.tensor([-0.8]), torch.tensor([-0.8])
    with torch.no_grad():
        before = local(latents, y, x)
        latents[..., 4:] = 9.0
        latents[..., 4:, :] = 9.0
        assert torch.equal(local(latents, y, x), before)
        latents[..., :2, :2] += 9
        assert not torch.allclose(local(latents, y, x), before)
        assert bool(torch.isfinite(local(1e4 * latents, y, x)).all())


def test_axes_are_read_as_pytorch_does():
    """At all centres F.interpolate gives the same, at any places F.grid_sample."""
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 5, 7)
    for height, width in ((5, 7), (11, 4), (3, 20)):
        y, x = axis(height, 0, "centres"), axis(width, 0, "centres")
        result = interpolate_axis(interpolate_axis(maps, y, -2), x, -1)
        expected = F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
        assert torch.allclose(result, expected, atol=1e-5)
    y, x = 2.2 * torch.rand(9) - 1.1, 2.2 * torch.rand(6) - 1.1
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).expand(2, -1, -1, -1)
    expected = F.grid_sample(maps, places, mode="bilinear", padding_mode="border", align_corners=False)
    assert torch.allclose(interpolate_axis(interpolate_axis(maps, y, -2), x, -1), expected, atol=1e-5)
    one = torch.randn(1, 2, 1, 1)
    assert torch.equal(interpolate_axis(one, y, -2), one.expand(-1, -1, 9, -1))


def test_only_pointwise_decoders_have_points():
    """The convolutional one draws whole frames."""
    m = model("conv")
    assert not m.decoder.pointwise and all(model(kind).decoder.pointwise for kind in POINTWISE)
    with pytest.raises(NotImplementedError):
        m.decoder.points(m.decoder.prepare(m.codebook), torch.zeros(1, 3))


def test_sizes_that_cannot_be():
    """One line each."""
    for values, words in (
        ({"captions": ()}, "captions"),
        ({"decoder": "conv", "widths": ()}, "widths"),
        ({"height": 16, "encoder": (4, 4, 4, 4)}, "at least 32 px"),
        ({"decoder": "tree"}, "decoder"),
    ):
        with pytest.raises(ConfigError, match=words) as raised:
            InrvConfig.make(values)
        assert "\n" not in str(raised.value)
