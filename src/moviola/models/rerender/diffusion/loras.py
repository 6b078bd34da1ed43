"""LoRAs in a pipeline of diffusers: each layer of a file is put where it belongs, or counted as one without a place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core import hub
from moviola.core.errors import WeightsError
from moviola.core.optional import require
from moviola.models.rerender.diffusion.config import LoraConfig
from moviola.models.rerender.diffusion.lora_names import LYCORIS, NETWORKS, Layer, find_layer, read_layers
from moviola.models.rerender.diffusion.pickles import PICKLES, refuse_pickle

if TYPE_CHECKING:
    from torch import Tensor, nn

USUAL = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
_NAMED = 3  # layers that a line names


@dataclass
class Fit:
    """Where the layers of a file belong.

    Attributes:
        layers: by network, then by the name of the layer in it.
        strange: names, as in the file, of layers that no network has.
        sizes: a sentence about each layer that a network has in another size.
    """

    layers: dict[str, dict[str, Layer]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of layers that fit."""
        return sum(len(layers) for layers in self.layers.values())


def add_loras(pipeline: Any, loras: Sequence[LoraConfig]) -> list[str]:
    """Put LoRAs into a pipeline that nobody else has yet.

    Args:
        pipeline: of diffusers, SD or SDXL. loras: which, and how much of each.

    Returns:
        What of them is left out, one line each.

    Raises:
        WeightsError: a LoRA is not there, no LoRA in safetensors, or for another base model.
        InputError: peft is not installed.
    """
    notes: list[str] = []
    for number, lora in enumerate(loras):
        path = find_lora(lora.path, notes)
        tensors, settings = read_lora(path)
        fit = place(pipeline, tensors, path)
        notes += _notes(fit, path)
        for name, layers in fit.layers.items():
            _inject(getattr(pipeline, name), layers, settings.get(name, {}), f"lora_{number}")
    if loras:
        names = [f"lora_{number}" for number in range(len(loras))]
        pipeline.set_adapters(names, [lora.weight for lora in loras])
    return notes


def find_lora(name: str, notes: list[str]) -> Path:
    """Return the file of a LoRA.

    Args:
        name: a file, a folder that holds one, or a hub name. notes: a choice among several files is added.

    Raises:
        WeightsError: there is none in safetensors.
    """
    title, path = f"LoRA {name!r}", Path(name).expanduser()
    if path.is_file():
        refuse_pickle(path, "LoRA")
        return path
    if not path.is_dir():
        hub.check_name(name, title)
        path = _from_hub(name, title)
        if path.is_file():
            return path
    files = [file for file in sorted(path.iterdir()) if file.is_file()]
    found = _choose([file.name for file in files], f"LoRA {name}", notes)
    if found is None:
        for file in files:
            if file.suffix in PICKLES:
                refuse_pickle(file, "LoRA")
        raise WeightsError(f"LoRA {name}: the folder holds no file in safetensors; name the LoRA's file")
    return path / found


def _choose(names: Sequence[str], title: str, notes: list[str]) -> str | None:
    """Return the file of a folder that is the LoRA; several are noted."""
    files = [name for name in names if name.endswith(".safetensors") and "/" not in name]
    usual = [name for name in USUAL if name in files]
    chosen = (usual or files or [None])[0]
    if chosen is not None and not usual and len(files) > 1:
        notes.append(
            f"{title} holds {len(files)} files in safetensors; {chosen} is used; name the file you mean"
        )
    return chosen


def _from_hub(name: str, title: str) -> Path:
    """Return the folder of a LoRA in the cache, or its file, brought from the hub."""
    library = require("huggingface_hub", title)
    try:
        folder = Path(library.snapshot_download(name, local_files_only=True))
    except Exception:  # not here; the library has several errors for it
        folder = None
    if folder is not None and any(folder.glob("*.safetensors")):
        return folder
    files = [file.rfilename for file in hub.reach(name, title).siblings or []]
    found = _choose(files, title, [])
    if found is None:
        raise WeightsError(f"{title} has no weights in safetensors, and no others are read")
    if "adapter_config.json" in files:
        hub.fetch(name, "adapter_config.json", title)
    return hub.fetch(name, found, title)


def read_lora(path: Path) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    """Return the tensors of a file, and by network what is said about ranks and alphas beside them.

    It is said in the file's header, as diffusers writes it, or in peft's `adapter_config.json` beside the file.

    Raises:
        WeightsError: the file is not in safetensors.
    """
    from safetensors import safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = (file.metadata() or {}).get("lora_adapter_metadata", "{}")
    except Exception as error:  # the library has an exception of its own, not named in its interface
        raise WeightsError(f"LoRA {path} is no file in safetensors: {hub.first_line(error)}") from None
    settings: dict[str, dict[str, Any]] = {}
    for key, value in _json(header).items():
        network, _, name = key.partition(".")
        settings.setdefault(network, {})[name] = value
    beside = path.with_name("adapter_config.json")
    if not settings and path.name == USUAL[1] and beside.is_file():
        settings = dict.fromkeys(NETWORKS, _json(beside.read_text(encoding="utf-8")))
    return tensors, settings


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def place(pipeline: Any, tensors: Mapping[str, Tensor], path: Path) -> Fit:
    """Return where the tensors of a LoRA belong in a pipeline's networks.

    Raises:
        WeightsError: they are no LoRA, none of its layers is in the pipeline, or some are in another size.
    """
    strange: list[str] = []
    layers = read_layers(tensors, pipeline, strange)
    if not layers:
        kind = "a LyCORIS network (LoHa, LoKr ...)" if any(map(LYCORIS.search, tensors)) else "no LoRA"
        first = next(iter(tensors), "nothing")
        raise WeightsError(
            f"LoRA {path} is {kind}: it holds {first}; give a LoRA, made for SD 1.5, SD 2 or SDXL"
        )
    networks = {name: net for name in NETWORKS if (net := getattr(pipeline, name, None)) is not None}
    modules = {name: dict(net.named_modules()) for name, net in networks.items()}
    fit = Fit(strange=strange)
    for layer, where in layers:
        network, name = find_layer(where, modules)
        if network is None:
            fit.strange.append(layer.name)
        elif (reason := _misfit(modules[network][name], layer)) is not None:
            fit.sizes.append(f"{network}.{name} {reason}")
        else:
            fit.layers.setdefault(network, {})[name] = layer
    total = fit.count + len(fit.strange) + len(fit.sizes)
    if fit.sizes:
        raise WeightsError(
            f"LoRA {path} is for another base model: {len(fit.sizes)} of its {total} layers have other sizes "
            f"({fit.sizes[0]}); give one made for this model"
        )
    if not fit.count:
        raise WeightsError(
            f"LoRA {path} is for another kind of model: none of its {total} layers is in this one "
            f"(the first is {fit.strange[0]}); give one made for this model"
        )
    return fit


def _misfit(module: nn.Module, layer: Layer) -> str | None:
    """Return why a layer does not fit the one of its name, None if it does."""
    weight: Any = getattr(module, "weight", None)
    assert layer.down is not None and layer.up is not None
    if weight is None or weight.ndim not in (2, 4):
        return "takes no LoRA"
    given = (layer.up.numel() // layer.up.shape[1], layer.down.numel() // layer.rank)
    wanted = (int(weight.shape[0]), weight.numel() // int(weight.shape[0]))
    if given == wanted and layer.up.shape[1] == layer.rank:
        return None
    return f"of {given[1]} in and {given[0]} out where this model has {wanted[1]} and {wanted[0]}"


def _notes(fit: Fit, path: Path) -> list[str]:
    """Return what of a LoRA is left out, one line each."""
    notes = []
    if fit.strange:
        total = fit.count + len(fit.strange)
        more = ", ..." if len(fit.strange) > _NAMED else ""
        notes.append(
            f"LoRA {path.name}: {len(fit.strange)} of its {total} layers do not fit this model and are left out: "
            f"{', '.join(fit.strange[:_NAMED])}{more}"
        )
    plain = sum(_settle_dora(layers) for layers in fit.layers.values())
    if plain:
        notes.append(
            f"LoRA {path.name}: the DoRA magnitudes of {plain} layers do not go with the others and are left out"
        )
    return notes


def _settle_dora(layers: Mapping[str, Layer]) -> int:
    """Take the magnitudes of DoRA from the layers of a network where not all have one for each of their outputs.

    Returns:
        How many were taken.
    """
    have = [layer for layer in layers.values() if layer.magnitude is not None]
    whole = [
        layer
        for layer in have
        if layer.magnitude is not None
        and layer.up is not None
        and (layer.magnitude.ndim < 2 or 1 in layer.magnitude.shape[1:2])
        and layer.magnitude.numel() == layer.up.shape[0]
    ]
    if len(whole) == len(layers):
        return 0
    for layer in have:
        layer.magnitude = None
    return len(have)


def _inject(network: Any, layers: Mapping[str, Layer], settings: Mapping[str, Any], adapter: str) -> None:
    """Put the layers of one LoRA, known to fit, into a network.

    Source: Hu et al. 2021, "LoRA", section 4.1: W x + alpha / r * up @ down x; with rank stabilization (Kalajdzievski
    2023) alpha / sqrt(r).
    """
    peft = require("peft", "a LoRA")
    is_dora = all(layer.magnitude is not None for layer in layers.values())
    config = peft.LoraConfig(
        target_modules=f"({'|'.join(map(re.escape, layers))})",
        use_dora=is_dora,
        lora_bias=any(layer.bias is not None for layer in layers.values()),
    )
    peft.inject_adapter_in_model(config, network, adapter_name=adapter)
    modules = dict(network.named_modules())
    for name, layer in layers.items():
        module = modules[name]
        module.r[adapter], module.lora_alpha[adapter] = layer.rank, _alpha(layer, name, settings)
        down, up = module.lora_A[adapter], module.lora_B[adapter]
        _put(down, "weight", layer.down, (layer.rank, *down.weight.shape[1:]), module.weight)
        _put(up, "weight", layer.up, (up.weight.shape[0], layer.rank, *up.weight.shape[2:]), module.weight)
        if layer.bias is not None:
            _put(up, "bias", layer.bias, tuple(up.bias.shape), module.weight)
        if is_dora:
            magnitude = module.lora_magnitude_vector[adapter]
            _put(magnitude, "weight", layer.magnitude, tuple(magnitude.weight.shape), module.weight)
    network._hf_peft_config_loaded = True  # by this diffusers and transformers know that there are some


def _put(part: Any, name: str, value: Tensor | None, shape: tuple[int, ...], like: Tensor) -> None:
    """Give a part of a layer its values, frozen, in the precision and on the device of the layer's own weight."""
    from torch import nn

    assert value is not None
    setattr(part, name, nn.Parameter(value.reshape(shape).to(like), requires_grad=False))


def _alpha(layer: Layer, name: str, settings: Mapping[str, Any]) -> float:
    """Return a layer's alpha: its own, or as the settings of all say, else its rank."""
    if layer.alpha is not None:
        return layer.alpha
    patterns = settings.get("alpha_pattern") or {}
    fitting = [value for pattern, value in patterns.items() if re.search(rf"(^|\.){pattern}$", name)]
    alpha = (fitting or [settings.get("lora_alpha")])[0]
    if alpha is None:
        return float(layer.rank)
    return float(alpha) * (math.sqrt(layer.rank) if settings.get("use_rslora") else 1.0)
