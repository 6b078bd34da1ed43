"""The generator: what it computes, what it does not depend on, and what its folder holds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError, WeightsError
from moviola.models.catalog import load_generator
from moviola.models.freqmotion import Codes, FreqMotionConfig, FreqMotionGenerator
from moviola.models.protocols import is_generator

SMALL = {
    "size": 16,
    "content": 8,
    "motion": 6,
    "style": 10,
    "content_layers": 2,
    "features": 12,
    "widths": (8, 8, 4),
}


def generator(**changes) -> FreqMotionGenerator:
    """A small one, untrained, the same each time."""
    torch.manual_seed(0)
    return FreqMotionGenerator(FreqMotionConfig(**{**SMALL, **changes})).eval()


def test_sizes_of_the_paper():
    """31.35 million parameters at 256 px and 22.8 million at 32 px, counted in the authors' network (issue)."""
    with torch.device("meta"):
        large = FreqMotionGenerator(FreqMotionConfig())
        small = FreqMotionGenerator(FreqMotionConfig(size=32, widths=(512, 512, 512, 512)))
    assert sum(p.numel() for p in large.parameters()) / 1e6 == pytest.approx(31.35, abs=0.1)
    assert sum(p.numel() for p in small.parameters()) / 1e6 == pytest.approx(22.8, abs=0.1)


def test_trajectory_is_the_equation():
    """w(t) = w_c + W2 lrelu(W diag(s) sin(omega t + phi) / sqrt(F) + b) + b2 for each bank, written out in float64."""
    model = generator(ranges=((0.0, 3.0), (3.0, 7.0)))
    codes = model.draw(1, [0, 1])
    times = torch.tensor([[-1.0, 0.3, 12.25], [0.0, 5.5, -2.0]])
    expected = codes.content.double()[:, None].repeat(1, 3, 1)
    for bank, scales in zip(model.banks, codes.scales, strict=True):
        for b in range(2):
            for k in range(3):
                omega, phi = bank.sinusoids.omega.double(), bank.sinusoids.phi.double()
                waves = torch.sin(omega * float(times[b, k]) + phi)
                modulated = (
                    bank.hidden.weight.double() * scales[b].double() / 12**0.5
                )  # W'_ji = W_ji s_i / sqrt(F)
                hidden = F.leaky_relu(modulated @ waves + bank.hidden.bias.double(), 0.2) * 2**0.5
                out = bank.out.weight.double() / 6**0.5 @ hidden + bank.out.bias.double()
                expected[b, k] += out
    assert torch.allclose(model.trajectory(times, codes).double(), expected, atol=1e-4)


@pytest.mark.parametrize("layers", [1, 3])
def test_gated_motion_codes_are_odd(layers):
    """m(-z) = -m(z), whatever the weights; the generator draws with them, and its folder holds them."""
    model = generator(gated=True, motion_layers=layers)
    with torch.no_grad():
        for p in model.motion_mapping.parameters():
            p.normal_()
    z = torch.randn(5, 6)
    code = model.motion_mapping(z)
    assert code.shape == (5, 6) and float(code.abs().amax()) > 0.1
    assert torch.allclose(model.motion_mapping(-z), -code, atol=1e-6)
    # the gates depend on the energy of the parts: a linear map would keep proportions between two vectors
    ratio = code / model.motion_mapping.basis(model.motion_mapping.norm(z))
    assert float(ratio.std(dim=0).amax()) > 1e-2 and float(ratio.amin()) >= 0 and float(ratio.amax()) <= 2


@pytest.mark.parametrize("trend", [0, 3])
def test_shifts_begin_each_bank_at_a_time_of_its_own(trend):
    """The motion of a code that is turned is the motion of the same code at other times, bank by bank."""
    model = generator(ranges=((0.5, 1.5), (2.0, 4.0)), shifts=True, trend=trend)
    assert model.draw_latent("motion", 0, [0]).shape == (1, 6 + 4)
    times = torch.tensor([[-1.0, 0.3, 12.25]])
    still = torch.cat([torch.randn(1, 6), torch.tensor([[1.0, 0.0, 1.0, 0.0]])], dim=1)
    turned = still.clone()
    turned[:, 8:] = torch.tensor([[0.0, 2.0]])  # the second bank, by a quarter of a turn
    with torch.no_grad():
        before, after = (model.scales(model.map_motion(z)) for z in (still, turned))
        for k, later in ((0, 0.0), (1, 2 * torch.pi / 3.0 / 4)):  # its middle is at 3 radians a time unit
            bank = model.banks[k]
            assert bank.frequencies().shape == before[k][0].shape == (24 + trend,)
            expected = bank.features(times + later)[..., :12] * before[k][:, None, :12]
            drawn = bank.features(times) * after[k][:, None]
            assert torch.allclose(drawn[..., :12] + drawn[..., 12:24], expected, atol=1e-5)


def test_shifts_make_motion_stationary():
    """Over many videos the features of a bank are equally strong at all times, and 0 on average."""
    model = generator(ranges=((1.9, 2.1),), shifts=True)
    with torch.no_grad():
        scales = model.scales(model.map_motion(model.draw_latent("motion", 0, range(4000))))[0]
        waves = model.banks[0].features(torch.linspace(-1, 8, 20)[None])[0]
        values = (waves[:, None] * scales[None])[..., :12] + (waves[:, None] * scales[None])[..., 12:]
    spread = values.square().mean(dim=1).sqrt()
    assert float((values.mean(dim=1).abs() / spread).amax()) < 0.1
    assert float((spread / spread.mean(dim=0) - 1).abs().amax()) < 0.1


def test_linear_motion_holds_only_its_frequencies():
    """Without the nonlinearity, mu(t) of one frequency is a sinusoid of that frequency and nothing else."""
    model = generator(activate=False, features=1, ranges=((2.0, 2.001),))
    omega = abs(float(model.omega()[0]))
    codes = model.draw(0, [0])
    times = torch.arange(64) / 64 * 2 * torch.pi / omega  # one period
    path = (model.trajectory(times[None], codes) - codes.content[:, None]).detach().double()
    power = torch.fft.rfft(path[0], dim=0).abs().square().sum(dim=1)
    assert power[1] / power[1:].sum() > 0.999
    harmonics = generator(features=1, ranges=((2.0, 2.001),))
    path = harmonics.trajectory(times[None], harmonics.draw(0, [0])).detach().double()
    power = torch.fft.rfft(path[0], dim=0).abs().square().sum(dim=1)
    assert power[2:].sum() / power[1:].sum() > 0.001


def test_a_video_depends_on_seed_and_index_alone():
    """Not on what else is drawn with it; a longer one begins with the shorter one, bit for bit."""
    model = generator()
    short = torch.cat(list(model.stream(3, 5, 10)))
    long = torch.cat(list(model.stream(3, 5, 37)))
    assert short.shape == (10, 3, 16, 16) and torch.equal(long[:10], short)
    assert short.abs().max() <= 1
    together = model(model.frame_times(10).float().expand(4, -1), model.draw(3, [2, 5, 0, 9]))
    # one row of a batch of four: the same numbers, summed in another order
    assert torch.allclose(together[1].clamp(-1, 1), short, atol=1e-4)
    assert not torch.allclose(torch.cat(list(model.stream(3, 6, 10))), short, atol=1e-2)
    assert not torch.allclose(torch.cat(list(model.stream(4, 5, 10))), short, atol=1e-2)


def test_any_real_times():
    """Frames at grid times do not depend on the instants between or around them."""
    model = generator()
    codes = model.draw(0, [0])
    grid = torch.cat(list(model.stream_at(model.frame_times(5), codes)))
    dense = torch.cat(list(model.stream_at(model.frame_times(9, start=-1.0) / 2 - 0.5, codes)))
    assert torch.allclose(dense[::2], grid, atol=1e-5)
    backwards = torch.cat(list(model.stream_at(model.frame_times(5).flip(0), codes)))
    assert torch.allclose(backwards.flip(0), grid, atol=1e-5)


@pytest.mark.parametrize("times", [torch.tensor([0.0, float("nan")]), torch.zeros(0), torch.zeros(2, 2)])
def test_times_that_are_none(times):
    """NaN, no times, two rows."""
    model = generator()
    with pytest.raises(ConfigError, match="times"):
        next(model.stream_at(times, model.draw(0, [0])))


def test_noise_belongs_to_the_video():
    """One map a video and layer: still motion makes still video, also where noise is strong."""
    model = generator()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.7)
    codes = model.draw(0, [0])
    still = Codes(codes.content, tuple(torch.zeros_like(s) for s in codes.scales), codes.noise)
    frames = torch.cat(list(model.stream_at(model.frame_times(6), still)))
    assert torch.allclose(frames, frames[:1].expand_as(frames), atol=1e-6)
    other = Codes(still.content, still.scales, model.draw(1, [0]).noise)
    assert not torch.allclose(next(model.stream_at(model.frame_times(6), other)), frames, atol=1e-2)


def test_large_frames_are_drawn_a_few_at_a_time(monkeypatch):
    """The same frames and the same gradients, to rounding, as of the whole batch at once; the numbers of the pieces."""
    model, drawn = generator(), []
    handle = model.synthesis.up[1].register_forward_hook(lambda m, i, o: drawn.append(len(o)))
    codes = model.draw(0, range(3))
    times = model.frame_times(3).float().expand(3, -1)
    results = []
    for limit in (1 << 20, 4 * 16 * 16 * 4):  # the last layer has 4 channels of 16x16
        monkeypatch.setattr("moviola.models.freqmotion.synthesis._CACHED", limit)
        frames = model(times, codes)
        results.append(
            [frames, *torch.autograd.grad(frames.square().mean(), [*model.synthesis.parameters()])]
        )
    handle.remove()
    assert drawn == [9, 4, 4, 1]
    for whole, pieces in zip(*results, strict=True):
        assert torch.allclose(whole, pieces, rtol=1e-4, atol=1e-5)


def test_it_is_a_generator_and_a_model_folder(tmp_path):
    """The protocol, the catalog, and the same frames after saving (halves are exact in halves)."""
    model = generator(trend=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    model.save_pretrained(tmp_path / "m", half=True)
    loaded = load_generator(tmp_path / "m")
    assert is_generator(model) and isinstance(loaded, FreqMotionGenerator)
    assert torch.equal(next(loaded.stream(0, 0, 4)), next(model.stream(0, 0, 4)))
    assert (loaded.num_frames, loaded.height, loaded.width, loaded.fps) == (16, 16, 16, 25)
    assert not loaded.is_conditional
    with pytest.raises(ConfigError, match="no prompt"):
        loaded.stream(0, 0, 4, "a ball")
    with pytest.raises(ConfigError, match="at least 1"):
        loaded.stream(0, 0, 0)


def test_weights_of_another_architecture(tmp_path):
    """Named in one line."""
    generator().save_pretrained(tmp_path / "m")
    generator(features=13).save_pretrained(tmp_path / "other")
    (tmp_path / "m" / "config.json").write_bytes((tmp_path / "other" / "config.json").read_bytes())
    with pytest.raises(WeightsError, match="do not fit"):
        load_generator(tmp_path / "m")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 24}, "power of two"),
        ({"widths": (8, 8)}, "one entry for each"),
        ({"ranges": ((3.0, 1.0),)}, "low < high"),
        ({"ranges": ((3.0, 5.0), (0.0, 3.0))}, "from low to high"),
    ],
)
def test_configs_that_fit_nothing(changes, words):
    """One line that says what would."""
    with pytest.raises(ConfigError, match=words):
        FreqMotionConfig.make({**SMALL, **changes})
