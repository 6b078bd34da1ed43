"""Low-rank adapters: fine-tune a network for a new domain by training a few small matrices beside its frozen weights.

A layer's weight W becomes W + (alpha / rank) B A with A (rank rows) drawn at random and B = 0, so that nothing changes
at first; only A and B are trained (Hu et al. 2022, "LoRA", section 4.1). For convolutions A is a convolution with the
layer's own kernel to `rank` channels and B one of kernel 1. The peft library does the arithmetic; the adapters are
saved in its own format, so that it can read them.
"""

from __future__ import annotations

import fnmatch
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from moviola.core.atomic import write_atomic
from moviola.core.errors import ConfigError, OutputError, UnknownNameError, WeightsError
from moviola.core.optional import require
from moviola.core.seeds import seeded
from moviola.core.weights import load_tensors
from moviola.nn.volume import Conv3d

CONFIG_NAME, WEIGHTS_NAME = "adapter_config.json", "adapter_model.safetensors"
BUFFERS_NAME = "adapter_buffers.safetensors"

_ADAPTER, _PREFIX = "default", "base_model.model."
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv3d)
_STATE = "_moviola_lora"
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class _State:
    """What a network was before it got adapters.

    Attributes:
        config: of peft.
        trained: names of the parameters that could be trained.
        buffers: copies of its saved buffers, by name.
    """

    config: Any
    trained: frozenset[str]
    buffers: dict[str, Tensor]


def import_peft() -> Any:
    """Return the peft library.

    Raises:
        InputError: it is not installed, or does not start.
    """
    return require("peft", "a low-rank adapter")


def adaptable(network: nn.Module) -> list[str]:
    """Return the dotted names of the layers that can carry an adapter.

    These are `nn.Linear`, `nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d` and moviola's own `Conv3d`, of these very classes
    (another subclass may do more than its weight says), not grouped, dilated or padded with anything but zeros, without
    a parametrization (spectral norm), outside `nn.MultiheadAttention` (which reads the weights itself) and used in one
    place only.
    """
    uses = Counter(id(p) for m in network.modules() for p in m._parameters.values() if p is not None)
    places = Counter(id(module) for _, module in network.named_modules(remove_duplicate=False))
    return [
        name
        for name, layer in _outside_attention(network, "")
        if name and places[id(layer)] == 1 and _plain(layer) and uses[id(layer._parameters["weight"])] == 1
    ]


def _outside_attention(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    yield name, module
    if not isinstance(module, nn.MultiheadAttention):
        for key, child in module.named_children():
            yield from _outside_attention(child, f"{name}.{key}" if name else key)


def _plain(layer: nn.Module) -> bool:
    if type(layer) not in _LAYERS or layer._parameters.get("weight") is None:
        return False  # an old-style weight norm keeps the weight under another name
    if isinstance(layer, nn.Linear):
        return True
    settings: Any = layer
    return settings.groups == 1 and set(settings.dilation) == {1} and settings.padding_mode == "zeros"


def add_lora(
    network: Network,
    rank: int = 8,
    alpha: float | None = None,
    targets: Sequence[str] | None = None,
    *,
    dropout: float = 0.0,
    seed: int = 0,
) -> Network:
    """Give layers of a network adapters and freeze everything else, in place; the output stays what it was.

    Build the optimizer afterwards, from `lora_parameters(network)` or from all parameters (frozen ones have no
    gradient and stay as they are).

    Args:
        network: any network that has no adapters yet.
        rank: of each update, at least 1.
        alpha: the update is scaled by alpha / rank; None for alpha = rank.
        targets: which layers: dotted names, their endings ("to_q" for every "... .to_q"), or shell patterns
            ("decoder.*"); None for every layer of `adaptable(network)`.
        dropout: share of inputs of an adapter that are zeroed in training, 0 to below 1.
        seed: of the adapters' initial weights; nothing else decides them.

    Returns:
        `network`.

    Raises:
        ConfigError: it has adapters already, nothing in it can carry one, or a number is outside its range.
        UnknownNameError: a target that is no such layer.
        InputError: peft is not installed.
    """
    if rank < 1:
        raise ConfigError(f"the rank of an adapter is {rank}; it must be at least 1")
    if not 0 <= dropout < 1:
        raise ConfigError(f"the dropout of an adapter is {dropout}; it must be from 0 to below 1")
    scale = float(rank if alpha is None else alpha)
    config = import_peft().LoraConfig(
        r=rank,
        lora_alpha=int(scale) if scale.is_integer() else scale,
        lora_dropout=dropout,
        target_modules="|".join(re.escape(name) for name in _chosen(network, targets)),
        auto_mapping={
            "base_model_class": type(network).__name__,
            "parent_library": type(network).__module__,
        },
    )
    return _inject(network, config, seed)


def _chosen(network: nn.Module, targets: Sequence[str] | None) -> list[str]:
    known = adaptable(network)
    if not known:
        raise ConfigError(f"no layer of a {type(network).__name__} can carry an adapter")
    if targets is None:
        return known
    chosen: set[str] = set()
    for target in targets:
        matching = {n for n in known if fnmatch.fnmatchcase(n, target) or n.endswith(f".{target}")}
        if not matching:
            raise UnknownNameError.of("layer for an adapter", target, known)
        chosen |= matching
    if not chosen:
        raise ConfigError("no layer is named to carry an adapter; leave the targets out to take all")
    return [name for name in known if name in chosen]


def _inject(network: Network, config: Any, seed: int) -> Network:
    if hasattr(network, _STATE):
        raise ConfigError(f"this {type(network).__name__} has adapters already; merge them first")
    trained = frozenset(name for name, p in network.named_parameters() if p.requires_grad)
    state = _State(config, trained, {k: v.detach().clone() for k, v in _buffers(network).items()})
    with seeded(seed, "lora"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_peft().inject_adapter_in_model(config, network, adapter_name=_ADAPTER)
    setattr(network, _STATE, state)
    return network


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    state = network.state_dict()
    return {name: state[name] for name, _ in network.named_buffers() if name in state}


def _state(network: nn.Module) -> _State:
    state = getattr(network, _STATE, None)
    if state is None:
        raise ConfigError(f"this {type(network).__name__} has no adapters; add or load some first")
    return state


def lora_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the adapters, which are all that is trained.

    Raises:
        ConfigError: there are no adapters.
    """
    _state(network)
    return [p for name, p in network.named_parameters() if ".lora_" in name]


@torch.no_grad()
def merge_lora(network: Network) -> Network:
    """Add the adapters' updates to the weights and take the adapters out, in place.

    The output stays what it was (up to rounding), the state dict has its plain keys again, and what could be trained
    before `add_lora` can be trained again. Merge a `copy.deepcopy(network)` to save in the middle of a training.

    Returns:
        `network`.

    Raises:
        ConfigError: there are no adapters. WeightsError: an adapter holds values that are not finite.
    """
    state = _state(network)
    layer_class = require("peft.tuners.lora", "a low-rank adapter").LoraLayer
    adapted = [(name, m) for name, m in network.named_modules() if isinstance(m, layer_class)]
    for name, module in adapted:
        tensors = [p for key, p in module.named_parameters() if "lora_" in key]
        if not all(bool(torch.isfinite(p).all()) for p in tensors):
            raise WeightsError(f"the adapter of {name} holds values that are not finite; nothing was merged")
    for name, module in adapted:
        layer: Any = module
        layer.merge()
        parent, _, key = name.rpartition(".")
        setattr(network.get_submodule(parent), key, layer.get_base_layer())
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in state.trained)
    for extra in (_STATE, "peft_config"):
        if hasattr(network, extra):
            delattr(network, extra)
    return network


def save_lora(network: nn.Module, folder: str | Path) -> Path:
    """Write the adapters alone, in peft's format, into `folder` (made if missing).

    Saved buffers that training has moved since (a codebook, running means) go into a file of their own, since the
    adapters are of no use without them.

    Returns:
        The folder.

    Raises:
        ConfigError: there are no adapters. OutputError: the folder cannot be written.
    """
    from safetensors.torch import save

    state, folder = _state(network), Path(folder)
    tensors = {
        _PREFIX + name.replace(f".{_ADAPTER}.", "."): tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if ".lora_" in name
    }
    moved = {k: v.cpu().contiguous() for k, v in _buffers(network).items() if _differs(v, state.buffers[k])}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BUFFERS_NAME).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror or error}") from None
    if moved:
        write_atomic(folder / BUFFERS_NAME, save(moved, metadata={"format": "pt"}))
    write_atomic(folder / WEIGHTS_NAME, save(tensors, metadata={"format": "pt"}))
    values = {**state.config.to_dict(), "inference_mode": True}
    text = json.dumps(values, indent=2, sort_keys=True, default=_plain_json) + "\n"
    write_atomic(folder / CONFIG_NAME, text.encode())
    return folder


def _differs(now: Tensor, before: Tensor) -> bool:
    return now.shape != before.shape or not torch.equal(now.cpu(), before.cpu())


def _plain_json(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def load_lora(network: Network, folder: str | Path) -> Network:
    """Give a network the adapters that `save_lora` wrote, in place; train them further or merge them.

    Args:
        network: of the class the adapters were made for, with the weights they were trained on.
        folder: what `save_lora` wrote.

    Returns:
        `network`.

    Raises:
        WeightsError: no adapters there, damaged ones, or ones for another network.
        ConfigError: the network has adapters already. InputError: peft is not installed.
    """
    folder = Path(folder)
    config = _read_config(folder, type(network).__name__)
    tensors = load_tensors(folder / WEIGHTS_NAME)
    expected = [name for name in adaptable(network) if re.fullmatch(config.target_modules, name)]
    stored = {key.removeprefix(_PREFIX).rsplit(".lora_", 1)[0] for key in tensors}
    if stored != set(expected):
        odd = sorted(stored ^ set(expected))[0]
        raise WeightsError(
            f"the adapters in {folder} are of another {type(network).__name__}: see layer {odd}"
        )
    for name in expected:
        _check_shapes(network.get_submodule(name), name, tensors, config.r, folder)
    moved = load_tensors(folder / BUFFERS_NAME) if (folder / BUFFERS_NAME).is_file() else {}
    own = _buffers(network)
    if any(key not in own or own[key].shape != value.shape for key, value in moved.items()):
        raise WeightsError(f"{folder / BUFFERS_NAME} does not fit the {type(network).__name__}")
    _inject(network, config, 0)
    named = {
        re.sub(r"\.lora_([AB])\.", rf".lora_\1.{_ADAPTER}.", key.removeprefix(_PREFIX)): value
        for key, value in tensors.items()
    }
    network.load_state_dict({**named, **moved}, strict=False)
    return network


def _read_config(folder: Path, title: str) -> Any:
    path = folder / CONFIG_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        made_for = (values.get("auto_mapping") or {}).get("base_model_class", title)
        targets = values["target_modules"]
        settings = {key: values[key] for key in ("r", "lora_alpha", "lora_dropout", "auto_mapping")}
        if not isinstance(targets, str) or not isinstance(settings["r"], int) or settings["r"] < 1:
            raise ValueError
    except FileNotFoundError:
        raise WeightsError(f"{folder} is no folder of adapters: it has no {CONFIG_NAME}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise WeightsError(f"{path} is not a readable config of adapters") from None
    if made_for != title:
        raise WeightsError(f"{folder} holds adapters for a {made_for}, not for a {title}")
    return import_peft().LoraConfig(**settings, target_modules=targets)


def _check_shapes(layer: nn.Module, name: str, tensors: dict[str, Tensor], rank: int, folder: Path) -> None:
    weight: Any = layer.weight
    shapes = {
        "A": (rank, *weight.shape[1:]),
        "B": (weight.shape[0], rank, *(1 for _ in weight.shape[2:])),
    }
    for letter, shape in shapes.items():
        tensor = tensors.get(f"{_PREFIX}{name}.lora_{letter}.weight")
        if tensor is None or tuple(tensor.shape) != shape:
            what = "is missing" if tensor is None else f"has the shape {tuple(tensor.shape)}, not {shape}"
            raise WeightsError(f"the adapters in {folder} do not fit: {letter} of layer {name} {what}")
