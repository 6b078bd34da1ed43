"""Arithmetic on latents against closed forms and loops."""

import numpy as np
import pytest
import torch

from moviola.models.rerender.diffusion import latents


def draw(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_adain_gives_the_anchors_statistics():
    anchor, other = 3 * draw(0, 1, 4, 9, 7) + 2, draw(1, 1, 4, 6, 5)
    changed = latents.adain(other, *latents.statistics(anchor))
    for c in range(4):
        assert changed[0, c].mean().item() == pytest.approx(anchor[0, c].mean().item(), abs=1e-4)
        expected = anchor[0, c].std(unbiased=False).item()
        assert changed[0, c].std(unbiased=False).item() == pytest.approx(expected, rel=1e-4)


def test_adain_with_its_own_statistics_changes_nothing():
    latent = draw(2, 1, 4, 8, 8)
    torch.testing.assert_close(latents.adain(latent, *latents.statistics(latent)), latent)


def test_style_distance():
    latent = draw(3, 1, 4, 8, 8)
    _, deviation = latents.statistics(latent)
    assert latents.style_distance(latent, latent) == 0
    moved = latent + 2 * deviation  # every mean two deviations away
    assert latents.style_distance(latent, moved) == pytest.approx(2, rel=1e-4)
    assert latents.style_distance(latent, latent.flip(3)) == pytest.approx(0, abs=1e-3)


def test_frames_to_tensors_and_back():
    frame = np.arange(256, dtype=np.uint8).reshape(4, 64)[..., None].repeat(3, 2)
    tensor = latents.to_tensor(frame)
    assert tensor.shape == (1, 3, 4, 64)
    assert tensor.min() == -1 and tensor.max() == 1
    np.testing.assert_array_equal(latents.to_frame(tensor), frame)


def test_bring_by_whole_latents_is_exact():
    """A flow of two latents in pixels reads the latent two places further on, whatever the factor."""
    latent = draw(4, 1, 4, 6, 10)
    for factor in (4, 8):
        flow = torch.zeros(1, 2, 6 * factor, 10 * factor)
        flow[:, 0] = 2 * factor
        moved = latents.bring(latent, flow)
        torch.testing.assert_close(moved[..., :8], latent[..., 2:], rtol=0, atol=0)


def test_visible_only_where_every_pixel_is():
    visible = torch.ones(1, 1, 24, 32, dtype=torch.bool)
    visible[..., 5, 9] = False
    small = latents.shrink_visible(visible, 6, 8)
    assert small[0, 0, 1, 2] == 0
    assert small.sum() == 6 * 8 - 1
    smooth = latents.shrink_visible(visible, 6, 8, smooth=True)
    assert (smooth <= small).all()
    assert smooth[0, 0, 1, 3].item() == pytest.approx(1 - 1 / 25, abs=0.06)
    assert smooth[0, 0, 5, 7] == 1


def test_fuse_is_the_weighted_mean():
    a, b, weight = draw(5, 1, 4, 3, 3), draw(6, 1, 4, 3, 3), torch.rand(1, 1, 3, 3)
    torch.testing.assert_close(latents.fuse(a, b, weight), (1 - weight) * a + weight * b)


def test_encoding_is_that_of_the_autoencoder(tiny):
    vae = tiny().vae
    picture = draw(7, 1, 3, 16, 24).clamp(-1, 1)
    with torch.no_grad():
        plain = latents.encode(vae, picture, torch.float32)
        expected = vae.encode(picture).latent_dist.mode() * vae.config.scaling_factor
        assert plain.shape == (1, 4, 4, 6)
        torch.testing.assert_close(plain, expected)
        expected = vae.decode(plain / vae.config.scaling_factor).sample
        torch.testing.assert_close(latents.decode(vae, plain), expected)


class Dull:
    """An autoencoder that keeps half of what it is given, at half the size, but nothing at its left half."""

    dtype, device = torch.float32, torch.device("cpu")

    class config:
        scaling_factor = 1.0

    class Latents:
        def __init__(self, value):
            self.value = value

        def mode(self):
            return self.value

    def encode(self, picture):
        value = torch.nn.functional.avg_pool2d(picture, 2) * 0.5
        return type("Encoded", (), {"latent_dist": self.Latents(value)})

    def decode(self, latent, return_dict=False):
        picture = torch.nn.functional.interpolate(latent, scale_factor=2)
        picture[..., : picture.shape[-1] // 2] *= -1
        return (picture,)


def test_faithful_encoding_makes_up_for_what_is_lost():
    """Where the autoencoder only weakens, z + (z - E(D(z))) is 1.5 z; where it turns the sign round, z stays."""
    picture = torch.full((1, 3, 8, 8), 0.8)
    found = latents.encode_faithfully(Dull(), picture, torch.float32)
    torch.testing.assert_close(found[..., 2:], torch.full((1, 3, 4, 2), 0.4 + (0.4 - 0.2)))
    torch.testing.assert_close(found[..., :2], torch.full((1, 3, 4, 2), 0.4))


def test_colours_are_brought_to_the_reference():
    from skimage.exposure import match_histograms

    rng = np.random.default_rng(0)
    frame = rng.integers(0, 120, (20, 30, 3), dtype=np.uint8)
    reference = rng.integers(60, 256, (25, 15, 3), dtype=np.uint8)
    expected = match_histograms(frame, reference, channel_axis=2)
    found = latents.match_colors(frame, reference)
    assert np.abs(found.astype(float) - expected).max() <= 1
    np.testing.assert_array_equal(latents.match_colors(frame, frame), frame)
