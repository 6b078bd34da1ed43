"""The autoencoder alone, against what the library gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import moviola as mv
from moviola.core.errors import ConfigError, WeightsError
from moviola.core.video import Video
from moviola.models.rerender.diffusion.encoder import load_encoder

pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, saved as diffusers saves it."""
    place = tmp_path_factory.mktemp("model")
    tiny("sd", 0).save_pretrained(place)
    return place


@pytest.mark.parametrize("part", [".", "vae"])
def test_latents_are_the_librarys(tiny, folder: Path, part: str) -> None:
    """Of a whole model or of an autoencoder's own folder: the most likely latents, in the network's scale."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    found = load_encoder(str(folder / part))(frames)
    vae = tiny("sd", 0).vae
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        expected = vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_frames_are_shrunk(folder: Path) -> None:
    """The shorter side as set; both are whole latents."""
    frames = np.zeros((1, 90, 161, 3), np.uint8)
    assert load_encoder(str(folder), size=40)(frames).shape == (1, 4, 10, 18)


def test_key_frames_by_latents(folder: Path) -> None:
    """The change is the root mean square of the difference of latents."""
    frames = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    found = mv.keyframes(Video(frames, 10), method="latent", cuts=False, options={"vae": str(folder)})
    latents = load_encoder(str(folder))(frames).double()
    expected = (latents[1:] - latents[:-1]).pow(2).mean(dim=(1, 2, 3)).sqrt().numpy()
    assert found.change[0] == 0
    np.testing.assert_allclose(found.change[1:], expected, rtol=1e-4)


def test_bad_input(tmp_path: Path) -> None:
    """No autoencoder is named, or there is none."""
    video = Video(np.zeros((3, 32, 32, 3), np.uint8), 10)
    with pytest.raises(ConfigError, match="needs an autoencoder"):
        mv.keyframes(video, method="latent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="the autoencoder cannot be loaded from"):
        load_encoder(str(tmp_path / "empty"))
