"""VideoMAE and V-JEPA by tiny random networks, against what the transformers library makes of the same clips."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained.videomae import load_videomae
from moviola.nn.pretrained.vjepa import load_vjepa

transformers = pytest.importorskip("transformers")
SHARED = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def shaken(model):
    """The model with noise on every weight, so that each of them matters."""
    generator = torch.Generator().manual_seed(4)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A VideoMAE classifier in a folder, with a preparation of its own."""
    path = tmp_path_factory.mktemp("classifier")
    config = transformers.VideoMAEConfig(
        **SHARED,
        image_size=16,
        patch_size=8,
        num_frames=4,
        tubelet_size=2,
        num_labels=5,
        use_mean_pooling=True,
    )
    shaken(transformers.VideoMAEForVideoClassification(config)).save_pretrained(path)
    (path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A VideoMAE as trained without labels, in a folder that says nothing of pixels."""
    path = tmp_path_factory.mktemp("plain")
    config = transformers.VideoMAEConfig(
        **SHARED, image_size=16, patch_size=8, num_frames=4, tubelet_size=2, use_mean_pooling=False,
        decoder_hidden_size=16, decoder_num_attention_heads=2, decoder_num_hidden_layers=1,
        decoder_intermediate_size=20,
    )  # fmt: skip
    shaken(transformers.VideoMAEForPreTraining(config)).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def vjepa(tmp_path_factory):
    """A V-JEPA 2 in a folder with its preparation."""
    path = tmp_path_factory.mktemp("vjepa")
    config = transformers.VJEPA2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2.0, crop_size=32, patch_size=16,
        frames_per_clip=4, tubelet_size=2, pred_hidden_size=24, pred_num_attention_heads=2,
        pred_num_hidden_layers=1, pred_num_mask_tokens=2, pred_mlp_ratio=2.0,
    )  # fmt: skip
    shaken(transformers.VJEPA2Model(config)).save_pretrained(path)
    said = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "do_normalize": True}
    (path / "video_preprocessor_config.json").write_text(json.dumps(said))
    return path


def clips(formula, frames, size):
    """Two clips, float32 (2, T, 3, size, size) in [0, 1]."""
    pixels = np.stack([[formula.picture(size, 7 * c + t) for t in range(frames)] for c in range(2)])
    return torch.from_numpy(pixels).permute(0, 1, 4, 2, 3).float() / 255


def test_classifier_features_are_those_before_its_last_layer(classifier, formula):
    """The features through the last layer are the logits; pixels stay in [0, 1] where the folder says so."""
    network, x = load_videomae(classifier), clips(formula, 4, 16)
    model = transformers.VideoMAEForVideoClassification.from_pretrained(classifier).eval()
    with torch.no_grad():
        features, logits = network(x * 2 - 1), model(pixel_values=x).logits
        torch.testing.assert_close(model.classifier(features), logits, rtol=1e-4, atol=1e-5)
    assert (network.size, network.frames) == (16, 4)
    assert (features[0] - features[1]).abs().max() > 1e-3


def test_plain_videomae(plain, formula):
    """Without a classifier: the mean over tokens; ImageNet's statistics where the folder says nothing."""
    network, x = load_videomae(plain), clips(formula, 4, 16)
    model = transformers.VideoMAEModel.from_pretrained(plain).eval()
    with torch.no_grad():
        tokens = model(pixel_values=(x - MEAN[:, None, None]) / STD[:, None, None]).last_hidden_state
        torch.testing.assert_close(network(x * 2 - 1), tokens.mean(dim=1), rtol=1e-4, atol=1e-5)


def test_vjepa(vjepa, formula):
    """The mean over the encoder's tokens, pixels as the folder says; clips of other lengths can be looked at too."""
    network = load_vjepa(vjepa)
    model = transformers.VJEPA2Model.from_pretrained(vjepa).eval()
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    for frames in (4, 8):
        x = clips(formula, frames, 32)
        with torch.no_grad():
            out = model(pixel_values_videos=(x - mean[:, None, None]) / std[:, None, None])
            torch.testing.assert_close(
                network(x * 2 - 1), out.last_hidden_state.mean(1), rtol=1e-4, atol=1e-5
            )


def test_clips_of_another_length(classifier, vjepa):
    """A length that the network does not take is refused, and the right one is named."""
    with pytest.raises(ConfigError, match=r"cd-fvd: this VideoMAE takes clips of 4 frames, not 16"):
        load_videomae(classifier).check_length(16, "cd-fvd")
    with pytest.raises(ConfigError, match="in groups of 2; a clip of 5 frames leaves some over"):
        load_vjepa(vjepa).check_length(5, "jepa-fd")
    load_vjepa(vjepa).check_length(6, "jepa-fd")


def test_another_kind_of_network(classifier, vjepa, tmp_path):
    """A folder of another network, and a folder that is none."""
    with pytest.raises(WeightsError, match="cd-fvd: "):
        load_videomae(vjepa)
    with pytest.raises(WeightsError, match="jepa-fd: "):
        load_vjepa(classifier)
    with pytest.raises(WeightsError, match=r"no model folder: it has no config\.json"):
        load_videomae(tmp_path)
