"""REGIS-VQ: shapes, configs, padding, saving, and that no two share anything."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moviola.core.errors import ConfigError
from moviola.core.seeds import torch_generator
from moviola.models.protocols import Condition
from moviola.models.regis.vq import VqConfig, VqRefiner
from moviola.models.regis.vq.network import _strides

SMALL = {
    "size": 16,
    "frames": 4,
    "downsample": (2, 4, 4),
    "hidden": 16,
    "codes": 32,
    "code_width": 8,
    "layers": 1,
}


def small(**settings: object) -> VqRefiner:
    """A small refiner of seeded weights."""
    torch.manual_seed(0)
    return VqRefiner(VqConfig.make(SMALL | settings)).eval()


def clip(*shape: int) -> torch.Tensor:
    """A random clip in [-1, 1]."""
    return torch.rand(shape, generator=torch_generator(1)) * 2 - 1


def test_defaults_are_the_source_documents():
    """16x128x128 becomes 4x32x32 codes of 2048; two strided convolutions, four blocks each way."""
    config = VqConfig()
    assert (config.codes, config.code_width, config.hidden, config.layers) == (2048, 256, 240, 4)
    assert (config.frames, config.size, config.downsample, config.multiple) == (16, 128, (4, 4, 4), 4)
    with torch.device("meta"):
        network = VqRefiner(config)
        latents = network.encode(torch.empty(1, 16, 3, 128, 128))
    assert latents.shape == (1, 4, 32, 32, 256)
    assert [len(network.encoder.down), len(network.decoder.up)] == [2, 2]
    assert [len(network.encoder.blocks), len(network.decoder.blocks)] == [4, 4]


@pytest.mark.parametrize(
    ("downsample", "strides"),
    [
        ((4, 4, 4), [(2, 2, 2), (2, 2, 2)]),
        ((2, 4, 4), [(2, 2, 2), (1, 2, 2)]),
        ((1, 8, 4), [(1, 2, 2), (1, 2, 2), (1, 2, 1)]),
    ],
)
def test_strides_and_codes(downsample, strides):
    """The strides multiply to the downsampling, the codes have its shape, and the clip comes back in its own."""
    assert _strides(downsample) == strides
    network = small(downsample=downsample)
    a, b, c = downsample
    assert network.codes(clip(2, 4, 3, 16, 24)).shape == (2, 4 // a, 16 // b, 24 // c)
    assert network.refine(clip(2, 4, 3, 16, 24)).shape == (2, 4, 3, 16, 24)
    assert network.config.multiple == max(b, c)


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_a_length_that_does_not_divide(frames):
    """As if the last frame were held to the next multiple, and cut back."""
    network, video = small(), clip(1, frames, 3, 16, 16)
    held = torch.cat([video, video[:, -1:]], dim=1)
    refined = network.refine(video)
    assert refined.shape == video.shape
    assert torch.equal(refined, network.refine(held)[:, :frames])


def test_refine_is_decode_of_codes_and_clamped():
    """A pass draws the looked-up codes; mask and condition do not change it; two passes are a pass of a pass."""
    network, video = small(), clip(2, 4, 3, 16, 16)
    with torch.no_grad():
        network.decoder.up[-1].bias.fill_(1.0)
        refined = network.refine(video)
        values = network.quantizer.lookup(network.codes(video))
        decoded = network.decode(values, 4)
    assert torch.equal(refined, decoded.clamp(-1, 1)) and decoded.max() > 1 and refined.max() == 1
    assert torch.allclose(network(video).video, decoded, atol=1e-4)
    condition = Condition(label=torch.zeros(2, dtype=torch.int64))
    assert torch.equal(network.refine(video, torch.ones(2, 4, 1, 16, 16), condition), refined)
    assert refined.dtype == torch.float32 and not network.refine(refined).equal(refined)


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((1, 4, 1, 16, 16), None),
        ((4, 3, 16, 16), None),
        ((1, 4, 3, 16, 18), None),
        ((1, 4, 3, 16, 16), (1, 4, 16, 16)),
    ],
)
def test_clips_that_do_not_fit(shape, mask):
    """Other channels, axes or sides, and masks of another shape: one line."""
    with pytest.raises(ConfigError, match=r"^.*regis-vq.*$|^the mask of a clip.*$"):
        small().refine(torch.zeros(shape), None if mask is None else torch.zeros(mask))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"downsample": (2, 3, 4)}, "downsample"),
        ({"downsample": (1, 1, 1)}, "downsample"),
        ({"downsample": "4,4"}, "downsample"),
        ({"multiple": 6}, "multiple 6"),
        ({"size": 18}, "size 18"),
        ({"hidden": 16, "heads": 3}, "heads 3"),
        ({"family": "regis-u"}, "family"),
    ],
)
def test_configs_that_do_not_fit(settings, word):
    """One line that names the setting."""
    with pytest.raises(ConfigError, match=word):
        VqConfig.make(SMALL | settings)


def test_saved_and_loaded(tmp_path):
    """The same result, codebook and its flag included."""
    network, video = small(), clip(1, 4, 3, 16, 16)
    with torch.no_grad():
        network.quantizer.initialise(network.encode(video).flatten(0, -2), torch_generator(0))
    network.save_pretrained(tmp_path)
    loaded = VqRefiner.from_pretrained(tmp_path)
    assert loaded.quantizer.initialised and loaded.config == network.config
    assert torch.equal(loaded.refine(video), network.refine(video))


def test_two_networks_share_nothing():
    """No parameter, buffer or layer of one is the other's, nor twice in one; changing one leaves the other."""
    one, two = small(), small()
    video = clip(1, 4, 3, 16, 16)
    before = two.refine(video)
    for network in (one, two):
        modules = [m for m in network.modules() if isinstance(m, nn.Conv3d | nn.Linear | nn.GroupNorm)]
        tensors = [t.data_ptr() for m in modules for t in m.parameters(recurse=False)]
        assert len(set(tensors)) == len(tensors)
    assert not {t.data_ptr() for t in one.state_dict().values()} & {
        t.data_ptr() for t in two.state_dict().values()
    }
    with torch.no_grad():
        for tensor in one.state_dict().values():
            tensor.add_(1)
    assert torch.equal(two.refine(video), before)


def test_bf16_autocast_trains():
    """Outputs and the codebook's part stay float32, and every parameter gets a finite gradient."""
    network, video = small().train(), clip(1, 4, 3, 16, 16)
    for name, parameter in network.named_parameters():
        if ".out." in name:  # at zero they hide the layers before them
            nn.init.normal_(parameter, std=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(video)
        loss = output.video.square().mean() + output.quantized.commitment
    assert {t.dtype for t in (output.video, output.latents, output.quantized.values)} == {torch.float32}
    loss.backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None and g.isfinite().all() and g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ({"quantizer": "fsq", "levels": (4, 3)}, ()),
        ({"quantizer": "residual", "depth": 3, "code_width": 6}, (3,)),
    ],
)
def test_other_quantizers(values: dict[str, object], shape: tuple[int, ...], tmp_path):
    """Both kinds encode, decode, save and load; a code of "residual" is several numbers."""
    config = VqConfig.make(
        {"size": 16, "frames": 4, "codes": 8, "hidden": 8, "layers": 1, "downsample": (2, 2, 2), **values}
    )
    net = VqRefiner(config).eval()
    video = torch.rand(2, 4, 3, 16, 16) * 2 - 1
    codes = net.codes(video)
    assert codes.shape == (2, 2, 8, 8, *shape)
    with torch.no_grad():
        refined = net.refine(video)
        assert torch.allclose(net.decode(net.quantizer.lookup(codes), 4).clamp(-1, 1), refined, atol=1e-5)
        loaded = VqRefiner.from_pretrained(net.save_pretrained(tmp_path))
        assert torch.allclose(loaded.refine(video), refined, atol=1e-5)


def test_the_width_of_fsq_is_that_of_its_levels():
    """A code of a grid has one value a channel."""
    assert VqConfig.make({"quantizer": "fsq", "levels": (8, 5, 5)}).code_width == 3
