"""Weights that a user gives as a file: read without running anything in it, and fitted to a network exactly."""

from __future__ import annotations

import pickle
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core.errors import WeightsError
from moviola.core.weights import load_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_COUNTER = ".num_batches_tracked"


def read_state_dict(path: str | Path, what: str) -> dict[str, Tensor]:
    """Return the tensors in a `.safetensors` file or in a torch file (`.pth`, `.pt`, `.bin`).

    A torch file is read with `weights_only=True`: tensors and plain containers are admitted, nothing else. One level
    of wrapping under the key "state_dict" or "model" is taken off.

    Args:
        path: the file.
        what: the network it is for, for the error line.

    Raises:
        WeightsError: no such file, or something else in it.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"no file {path} to take the weights of {what} from")
    if path.suffix == ".safetensors":
        return load_tensors(path)
    content = _read_torch(path, what)
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return _only_tensors(content, path, what)


def _read_torch(path: Path, what: str) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a TorchScript archive is refused below, in our own words
            return torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        OSError,
        struct.error,
    ):
        raise WeightsError(
            f"{path} holds no weights of {what}: neither a safetensors file nor a torch file of tensors alone"
        ) from None


def _only_tensors(content: Any, path: Path, what: str) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise WeightsError(f"{path} holds no weights of {what}: a table of names and tensors is wanted")
    return {str(key): value for key, value in content.items()}


def fit(network: nn.Module, tensors: dict[str, Tensor], path: str | Path, what: str) -> None:
    """Load `tensors` into `network`; every name and every shape has to agree.

    Counters of batch normalisation (`num_batches_tracked`), which nothing reads, may be missing or left over.

    Args:
        network: gets the tensors.
        tensors: by the network's own names.
        path: where they come from, for the error line.
        what: the network, for the error line.

    Raises:
        WeightsError: names are missing or left over, or a shape differs; one line with the first of them.
    """
    own = {key: tensor for key, tensor in network.state_dict().items() if not key.endswith(_COUNTER)}
    tensors = {key: tensor for key, tensor in tensors.items() if not key.endswith(_COUNTER)}
    missing, extra = sorted(set(own) - set(tensors)), sorted(set(tensors) - set(own))
    if missing or extra:
        first = f"it lacks {missing[0]}" if missing else f"it has {extra[0]}, which that network has not"
        raise WeightsError(f"{path} is not the weights of {what}: {first}")
    for key, tensor in own.items():
        if tensor.shape != tensors[key].shape:
            raise WeightsError(
                f"{path} is not the weights of {what}: "
                f"{key} is {tuple(tensors[key].shape)}, not {tuple(tensor.shape)}"
            )
    network.load_state_dict(tensors, strict=False)
