"""Names of LoRA layers: what a file holds for each layer, and which layer of which network is meant.

Files name their layers in many ways: kohya's (`lora_unet_...`, blocks as in diffusers or in the original SDXL), those
of diffusers, old and new, and those of peft, each with its prefixes. The layer that is meant is the one of that name in
the network itself, so that nothing is loaded beside it, and what has no place is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

NETWORKS = ("unet", "text_encoder", "text_encoder_2")
_DOWN, _UP = (
    "lora_A|lora_down|lora.down|lora_linear_layer.down",
    "lora_B|lora_up|lora.up|lora_linear_layer.up",
)
_TENSOR = re.compile(
    rf"(?P<layer>.+?)(?:[._](?:(?P<down>{_DOWN})|(?P<up>{_UP}))(?:\.\w+)??\.(?P<what>weight|bias)"
    r"|(?:[._]lora)?\.(?P<alpha>alpha)|\.(?P<magnitude>lora_magnitude_vector(?:\.\w+)*|dora_scale))"
)
LYCORIS = re.compile(r"\.(hada_|lokr_|oft_|lora_mid|a1\.|diff)")
_KOHYA = re.compile(r"lora_(unet|te1?|te2)_")
_ORIGINAL = ("input_blocks.", "middle_block.", "output_blocks.")  # of the first release, as ComfyUI has them
_PREFIXES = ("base_model.model.", "model.", "diffusion_model.", "transformer.", "unet.", "text_encoder.",
             "text_encoder_2.")  # fmt: skip
_ENCODERS = ("text_model.", "encoder.layers.", "text_projection")
_OLD_TEXT = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}


@dataclass
class Layer:
    """What a file holds for one layer.

    Attributes:
        name: as in the file.
        down: (r, in, ...). up: (out, r, ...). bias: of `up`, (out,). magnitude: of DoRA, (out,).
        alpha: up @ down counts alpha / r times; None for r.
    """

    name: str
    down: Tensor | None = None
    up: Tensor | None = None
    bias: Tensor | None = None
    magnitude: Tensor | None = None
    alpha: float | None = None

    @property
    def rank(self) -> int:
        """The rank r."""
        assert self.down is not None
        return int(self.down.shape[0])


def read_layers(tensors: Mapping[str, Tensor], pipeline: Any, strange: list[str]) -> list[tuple[Layer, str]]:
    """Return the whole layers of a file, each with its name as diffusers or peft would write it.

    Layers that lack a matrix, and tensors of other kinds, are added to `strange`.
    """
    layers: dict[str, Layer] = {}
    broken: set[str] = set()
    for key, value in tensors.items():
        match = _TENSOR.fullmatch(key)
        if match is None:
            broken.add(key.partition(".")[0] if _KOHYA.match(key) else key)
            continue
        layer = layers.setdefault(match["layer"], Layer(match["layer"]))
        if match["alpha"]:
            layer.alpha = float(value)
        elif match["magnitude"]:
            layer.magnitude = value
        elif match["what"] == "bias":
            layer.bias = value
        else:
            setattr(layer, "down" if match["down"] else "up", value)
    old = {match["layer"] for key in tensors if "_lora." in key and (match := _TENSOR.fullmatch(key))}
    whole = []
    for name, layer in layers.items():
        where = (
            None if name in broken or layer.down is None or layer.up is None else _diffusers(name, pipeline)
        )
        if where is None:
            broken.add(name)
        else:
            whole.append((layer, f"{where}.0" if name in old and where.endswith(".to_out") else where))
    strange += sorted(broken)
    return whole


def _diffusers(name: str, pipeline: Any) -> str | None:
    """Return a layer's name as diffusers has it; None for one of kohya's that diffusers cannot read."""
    bare = name.removeprefix("model.").removeprefix("diffusion_model.")
    if bare.startswith(_ORIGINAL):
        name = "lora_unet_" + bare.replace(".", "_")
    if not _KOHYA.match(name):
        return name
    import torch

    pair = {f"{name}.lora_{part}.weight": torch.empty(1, 1) for part in ("down", "up")}
    try:
        state = pipeline.lora_state_dict(pair, unet_config=pipeline.unet.config)[0]
    except Exception:  # of several kinds: it knows no such block
        return None
    match = next((found for key in state if (found := _TENSOR.fullmatch(key))), None)
    if match is None:
        return None
    return f"{match['layer']}.0" if match["layer"].endswith(".to_out") else match["layer"]


def find_layer(where: str, modules: Mapping[str, Mapping[str, nn.Module]]) -> tuple[str | None, str]:
    """Return the network and the name in it of the layer that is meant; None where there is none."""
    name, network = where, None
    while (prefix := next((p for p in _PREFIXES if name.startswith(p)), None)) is not None:
        name = name.removeprefix(prefix)
        network = prefix[:-1] if prefix[:-1] in NETWORKS else network
    network = network or ("text_encoder" if name.startswith(_ENCODERS) else "unet")
    name = name.replace(".processor", "")
    if network != "unet":
        head, _, last = name.removesuffix(".to_out.0").rpartition(".")
        if name.endswith(".to_out.0"):  # of the old form, with the place that it has in a UNet
            head, last = f"{head}.{last}", "to_out"
        name = f"{head}.{_OLD_TEXT.get(last, last)}" if head else last
    known = modules.get(network, {})
    for candidate in (name, name.removeprefix("text_model."), f"text_model.{name}"):
        if candidate in known:
            return network, candidate
    return None, name
