"""The space of videos: codes by name, ways to draw, rendering in pieces, the encoder, the folder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.models.catalog import load_generator
from moviola.models.inrv import InrvConfig, InrvModel, network, slerp
from moviola.models.inrv.encoder import Encoder
from moviola.models.protocols import is_generator

SMALL = {
    "frames": 6,
    "height": 16,
    "width": 16,
    "captions": ("Crying face", "grinning face", "a cat", "grinning face"),
    "latent": 8,
    "init_std": 1.0,
    "decoder": "low-rank",
    "hidden": 16,
    "layers": 2,
    "rank": 2,
    "head_hidden": 12,
    "head_layers": 2,
}


def model(**changes) -> InrvModel:
    """A small one whose codes are its codebook."""
    torch.manual_seed(0)
    m = InrvModel(InrvConfig(**{**SMALL, **changes})).eval()
    with torch.no_grad():
        m.codes.copy_(m.codebook)
    return m


def test_slerp_is_the_closed_form():
    """Of unit vectors in a plane the angle is divided; lengths change linearly."""
    for share in (0.0, 0.25, 0.5, 1.0):
        a, b = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 4.0, 0.0])
        angle, length = share * np.pi / 2, 2 + 2 * share
        expected = torch.tensor([length * np.cos(angle), length * np.sin(angle), 0.0], dtype=torch.float32)
        assert torch.allclose(slerp(a, b, share), expected, atol=1e-5)
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(12, generator=generator, dtype=torch.float64) for _ in range(2))
    c = slerp(a, b, 0.3)
    whole = torch.arccos(a @ b / a.norm() / b.norm())
    assert torch.allclose(torch.arccos(a @ c / a.norm() / c.norm()), 0.3 * whole)
    assert torch.allclose(c.norm(), 0.7 * a.norm() + 0.3 * b.norm())


def test_slerp_at_the_limits():
    """Equal, opposite and empty vectors go straight."""
    a, zero = torch.tensor([1.0, 2.0]), torch.zeros(2)
    assert torch.allclose(slerp(a, a, 0.4), a, atol=1e-6)
    assert torch.allclose(slerp(a, 3 * a, 0.5), 2 * a, atol=1e-5)
    assert torch.allclose(slerp(a, -a, 0.25), 0.5 * a, atol=1e-5)
    assert torch.equal(slerp(zero, a, 0.5), a / 2) and torch.equal(slerp(zero, zero, 0.5), zero)


def test_clips_by_number_and_by_caption():
    """Whatever the letters' case; a caption of two clips asks for a number."""
    m = model()
    assert m.row_of("crying FACE ") == 0 and m.row_of("2") == 2
    assert torch.equal(m.code_of("a cat"), m.codes[2])
    with pytest.raises(ConfigError, match=r"caption of 2 clips; give a number: 1, 3"):
        m.code_of("grinning face")
    assert m.row_of("crying") == 0 and m.row_of("CAT") == 2
    with pytest.raises(ConfigError, match=r"'face' is in the captions of 3 clips; give a number: 0 "):
        m.row_of("face")
    for number in ("4", "-1"):
        with pytest.raises(ConfigError, match="holds clips 0 to 3"):
            m.code_of(number)
    for name in ("a dog", "", "²", "--1"):
        with pytest.raises(UnknownNameError):
            m.code_of(name)


def test_draws_follow_from_seed_and_index():
    """Whatever else is drawn with them; another seed gives others."""
    m = model(prior=8)
    for method in network.SAMPLERS:
        several = m.draw(3, [0, 1, 2], method)
        assert several.shape == (3, 8)
        assert torch.allclose(m.draw(3, [2], method)[0], several[2], atol=1e-5)
        assert not torch.allclose(m.draw(4, [0], method)[0], several[0])
    assert torch.allclose(m.draw(0, [0]), m.draw(0, [0], "prior"))
    plain = model()
    assert torch.equal(plain.draw(0, [0]), plain.draw(0, [0], "slerp"))
    with pytest.raises(ConfigError, match="no prior"):
        plain.draw(0, [0], "prior")
    with pytest.raises(ConfigError, match="slerp, gaussian, mixture"):
        plain.draw(0, [0], "uniform")


def test_what_the_ways_to_draw_draw():
    """slerp: on the arc of two clips. mixture: as far from a clip as its nearest neighbour. gaussian: mean, spread."""
    m = model()
    for code in m.draw(0, range(5), "slerp"):
        inside = [torch.linalg.lstsq(m.codes[[i, j]].T, code[:, None]) for i in range(4) for j in range(i)]
        assert (
            min(
                float((m.codes[[i, j]].T @ s.solution - code[:, None]).norm())
                for s, (i, j) in zip(inside, [(i, j) for i in range(4) for j in range(i)], strict=True)
            )
            < 1e-4
        )
    distance = torch.cdist(m.codes, m.codes)
    nearest = distance.masked_fill(torch.eye(4, dtype=torch.bool), torch.inf).amin(dim=1)
    ratios = torch.cdist(m.draw(0, range(400), "mixture"), m.codes) / nearest
    assert float((ratios.square().amin(dim=1)).mean()) == pytest.approx(1, abs=0.25)
    many = m.draw(0, range(2000), "gaussian")
    assert torch.allclose(many.mean(dim=0), m.codes.mean(dim=0), atol=0.15)
    assert torch.allclose(many.std(dim=0), m.codes.std(dim=0, unbiased=False), rtol=0.1)


def test_an_untrained_model_draws():
    """Codes that are all zero, and a single clip."""
    m = model(captions=("one",))
    for method in ("slerp", "gaussian", "mixture"):
        assert bool(torch.isfinite(m.draw(0, [0], method)).all())
    with torch.no_grad():
        m.codes.zero_()
    assert bool(torch.isfinite(m.draw(0, [0], "slerp")).all())


def test_rendering_in_pieces():
    """However many pixels are drawn at once: frame groups, and rows of frames that are larger."""
    m = model()
    numbers = torch.tensor([0.0, 0.5, 3.0, 5.0])
    whole = m.decode(m.codes[:1], numbers, 20, 12)[0].detach().clamp(-1, 1)
    for pixels in (10_000, 500, 100, 12, 1):
        pieces = list(m.render(m.codes[:1], numbers, 20, 12, pixels))
        assert len(pieces) == -(-4 // max(1, pixels // 240))
        assert torch.allclose(torch.cat(pieces), whole, atol=1e-5)


def test_what_cannot_be_rendered():
    """At the call, not at the first frame."""
    m = model()
    for numbers, height in (([0.0], 0), ([], 4), ([float("nan")], 4), ([float("inf")], 4)):
        with pytest.raises(ConfigError):
            m.render(m.codes[:1], torch.tensor(numbers), height, 4)
    with pytest.raises(ConfigError, match="takes no prompt"):
        m.stream(0, 0, 4, "a face")
    with pytest.raises(ConfigError, match="at least 1"):
        m.stream(0, 0, 0)


def test_it_is_a_generator(tmp_path):
    """Videos of any length from its folder, equal to those before it was saved."""
    m = model(encoder=(4, 8), prior=8)
    assert is_generator(m) and (m.num_frames, m.height, m.width, m.fps) == (6, 16, 16, 25)
    m.save_pretrained(tmp_path)
    loaded = load_generator(tmp_path)
    before, after = (torch.cat(list(one.stream(1, 2, 9))) for one in (m, loaded))
    assert before.shape == (9, 3, 16, 16) and torch.allclose(before, after, atol=1e-6)
    assert float(before.abs().amax()) <= 1


def test_local_latents_beside_the_whole():
    """A code is the global latent, then C values for each of g x g cells; told embeddings join all of them."""
    m = model(local_cells=3, local=4, condition=5)
    assert m.config.code == 8 + 4 * 9 and m.codebook.shape == (4, 44) == m.codes.shape
    code = m.condition(m.codebook, torch.randn(4, 6, 5))
    assert code.shape == (4, 44)
    whole, local = m.decoder.split(code)
    assert torch.equal(whole, code[:, :8]) and local.shape == (4, 4, 3, 3)


def test_frame_embeddings_are_told_in_any_number():
    """A mean over time of both directions: one embedding or ten, and their order counts."""
    m = model(condition=5)
    instance, frames = torch.randn(2, 8), torch.randn(2, 10, 5)
    code = m.condition(instance, frames)
    assert code.shape == m.condition(instance, frames[:, :1]).shape == (2, 8)
    assert not torch.allclose(code, m.condition(instance, frames.flip(1)), atol=1e-5)
    forward, backward = m.condition.gru(frames)[0].mean(dim=1).chunk(2, dim=1)
    expected = torch.cat([instance, forward, backward], dim=1) @ m.condition.join.weight.T
    assert torch.allclose(code, expected + m.condition.join.bias, atol=1e-5)


# -- the encoder --------------------------------------------------------------------------------------


@pytest.fixture
def encoder() -> Encoder:
    """Of 16x16 frames."""
    torch.manual_seed(0)
    return Encoder(InrvConfig(**{**SMALL, "encoder": (4, 8)})).eval()


def test_hidden_pixels_do_not_count(encoder):
    """Whatever stands there; a frame without any observed pixel is as one that is not given."""
    frames, times = torch.rand(2, 4, 3, 16, 16), torch.linspace(-1, 1, 4).expand(2, -1)
    mask = torch.zeros(2, 4, 1, 16, 16)
    mask[:, :2, :, :8] = 1
    mean, log_variance = encoder(frames, times, mask)
    assert mean.shape == log_variance.shape == (2, 8)
    assert torch.allclose(log_variance, torch.full_like(log_variance, -6.0))
    changed = torch.where(mask > 0, frames, torch.rand_like(frames))
    assert torch.allclose(encoder(changed, times, mask)[0], mean, atol=1e-6)
    assert torch.allclose(encoder(frames[:, :2], times[:, :2], mask[:, :2])[0], mean, atol=1e-5)
    assert not torch.allclose(encoder(frames, times)[0], mean, atol=1e-5)
    assert torch.allclose(encoder(frames, times)[0], encoder(frames, times, torch.ones_like(mask))[0])


def test_frames_are_a_set_with_times(encoder):
    """Their order does not count, their times do; frames of another size are brought to the encoder's."""
    frames, times = torch.rand(1, 4, 3, 16, 16), torch.linspace(-1, 1, 4)[None]
    mean = encoder(frames, times)[0]
    order = [2, 0, 3, 1]
    assert torch.allclose(encoder(frames[:, order], times[:, order])[0], mean, atol=1e-5)
    assert not torch.allclose(encoder(frames[:, order], times)[0], mean, atol=1e-5)
    assert encoder(torch.rand(1, 2, 3, 32, 24), times[:, :2])[0].shape == (1, 8)
