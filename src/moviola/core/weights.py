"""Saving and loading networks: `config.json` beside `model.safetensors`. No pickle is ever read or written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from moviola.core.atomic import reason_of, write_atomic
from moviola.core.config import Config
from moviola.core.errors import ConfigError, OutputError, WeightsError

if TYPE_CHECKING:
    import torch

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"


class _Savable(Protocol):
    config: Config

    def state_dict(self) -> dict[str, torch.Tensor]: ...


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of the file at `path` as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save_pretrained(module: _Savable, folder: str | Path, *, half: bool = False) -> Path:
    """Write `module.config` and its tensors into `folder` (made if missing); return the folder.

    Args:
        module: any network with a `config`.
        folder: where `config.json` and `model.safetensors` go.
        half: store floating tensors as float16 (half the size; they are widened again on loading).
    """
    from safetensors.torch import save

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {reason_of(error)}") from None
    tensors = {k: _storable(v, half) for k, v in module.state_dict().items()}
    write_atomic(folder / WEIGHTS_NAME, save(tensors, metadata={"format": "pt"}))
    values = {"class": type(module).__name__, **module.config.model_dump(mode="json")}
    write_atomic(folder / CONFIG_NAME, (json.dumps(values, indent=2) + "\n").encode())
    return folder


def _storable(tensor: torch.Tensor, half: bool) -> torch.Tensor:
    import torch

    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(torch.float16) if half and tensor.is_floating_point() else tensor


def read_config(folder: str | Path) -> dict[str, Any]:
    """Return the values of `folder/config.json`.

    Raises:
        WeightsError: when there is none or it is not JSON.
    """
    path = Path(folder) / CONFIG_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder} is no model folder: it has no {CONFIG_NAME}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is not a readable JSON file: {error}") from None
    if not isinstance(values, dict):
        raise WeightsError(f"{path} holds no JSON object")
    return values


def load_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, half-precision ones widened to float32.

    Raises:
        WeightsError: when the file is missing or damaged.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(str(path))
    except FileNotFoundError:
        raise WeightsError(f"no weights at {path}") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file: {error}") from None
    return {k: v.float() if v.dtype in (torch.float16, torch.bfloat16) else v for k, v in tensors.items()}


def present_names(tensors: Mapping[str, torch.Tensor], renamed: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Return the tensors under their present names.

    Args:
        tensors: dotted name to tensor.
        renamed: old name of a part to its present one (`PretrainedMixin.renamed`).
    """
    names = dict.fromkeys(tensors, "")
    for name in names:
        part = next((old for old in renamed if name == old or name.startswith(f"{old}.")), None)
        names[name] = name if part is None else renamed[part] + name[len(part) :]
    return {names[name]: tensor for name, tensor in tensors.items()}


def start_from(module: torch.nn.Module, folder: str | Path, fresh: Sequence[str] = ()) -> list[str]:
    """Copy into `module` every tensor of `folder/model.safetensors` that it has by name and shape.

    Args:
        module: a network; what finds no match keeps its value.
        folder: what `save_pretrained` wrote, of a network like this one.
        fresh: names of parts of `module` that keep their values, such as "banks" or "banks.1".

    Returns:
        Names of the tensors of `module` that keep their values.

    Raises:
        WeightsError: no weights there, or none that fits. ConfigError: no part of a name in `fresh`.
    """
    import torch

    stored = present_names(load_tensors(Path(folder) / WEIGHTS_NAME), getattr(module, "renamed", {}))
    own = module.state_dict()
    for part in fresh:
        if not any(name.startswith(f"{part}.") for name in own):
            parts = ", ".join(sorted({name.split(".")[0] for name in own}))
            raise ConfigError(
                f"the network has no part {part!r} that could start fresh; its parts are {parts}"
            )
    skipped = tuple(f"{part}." for part in fresh)
    fits = {
        k: v for k, v in stored.items() if k in own and own[k].shape == v.shape and not k.startswith(skipped)
    }
    if not fits:
        raise WeightsError(f"no tensor in {folder} fits the network; start from one of the same family")
    with torch.no_grad():
        module.load_state_dict({**own, **fits})
    return [k for k in own if k not in fits]


class PretrainedMixin:
    """Adds `save_pretrained` and `from_pretrained` to an `nn.Module` whose only argument is its `config`.

    Attributes:
        renamed: old name of a part of the network (dotted, with what is below it) to its present one; files with old
            names keep loading.
    """

    config_class: type[Config]
    config: Any
    renamed: ClassVar[Mapping[str, str]] = {}

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> Path:
        """Write config and weights into `folder`; see `moviola.core.weights.save_pretrained`."""
        return save_pretrained(self, folder, half=half)  # type: ignore[arg-type]

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read a network that `save_pretrained` wrote, in eval mode, on the CPU.

        Raises:
            WeightsError: when the folder holds another class, or tensors that do not fit.
        """
        values = read_config(folder)
        written = values.pop("class", cls.__name__)
        if written != cls.__name__:
            raise WeightsError(f"{folder} holds a {written}, not a {cls.__name__}")
        try:
            config = cls.config_class.make(values)
        except ConfigError as error:
            raise WeightsError(
                f"{Path(folder) / CONFIG_NAME} is no config of a {cls.__name__}: {error}"
            ) from None
        module: Any = cls(config)  # type: ignore[call-arg]
        try:
            module.load_state_dict(present_names(load_tensors(Path(folder) / WEIGHTS_NAME), cls.renamed))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise WeightsError(f"the weights in {folder} do not fit its config: {reason}") from None
        return module.eval()
