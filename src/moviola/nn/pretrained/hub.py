"""Networks that the transformers library loads, from a folder or by hub name: found, loaded whole, or one clear line.

Only safetensors are read and no code that lies beside the weights is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core import hub
from moviola.core.errors import WeightsError
from moviola.core.optional import require

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def import_transformers(metric: str) -> Any:
    """Return the transformers library.

    Args:
        metric: name of the metric that needs it, for the error line.

    Raises:
        InputError: it is not installed, or does not start.
    """
    return require("transformers", metric)


@dataclass(frozen=True)
class HubSource:
    """Where a network is: a folder, or a name on the hub.

    Attributes:
        text: what transformers is given.
        metric: name of the metric that needs it, for error lines.
        local: it is a folder.
    """

    text: str
    metric: str
    local: bool

    @classmethod
    def of(cls, source: str | Path, metric: str) -> HubSource:
        """Find out what `source` is.

        Raises:
            WeightsError: it is neither a folder nor of the form of a hub name.
        """
        path = Path(source).expanduser()
        if path.is_dir():
            if not (path / "config.json").is_file():
                raise WeightsError(f"{metric}: {path} is no model folder: it has no config.json")
            return cls(str(path), metric, True)
        hub.check_name(str(source), metric)
        return cls(str(source), metric, False)

    def open(self, load: Callable[..., Any]) -> Any:
        """Return what `load(text, **keywords)` returns; the hub is asked only for what is not on this machine yet.

        Raises:
            WeightsError: the library could not; one line.
        """
        with quiet():
            try:
                if self.local:
                    return load(self.text, local_files_only=True)
                return hub.local_first(partial(load, self.text), self.text, f"{self.metric}: {self.text!r}")
            except WeightsError:
                raise
            except Exception as error:  # the library raises nearly everything
                raise self.refuse(error) from None

    def refuse(self, error: BaseException) -> WeightsError:
        """Return the one line that says why the network cannot be loaded."""
        return WeightsError(f"{self.metric}: cannot load {self.text}: {hub.first_line(error)}")


def load_network(auto: Any, source: str | Path, metric: str, ignore: tuple[str, ...] = ()) -> nn.Module:
    """Return the network at `source`, whole, float32, in eval mode on the CPU.

    Args:
        auto: a transformers model class.
        source: folder or hub name.
        metric: name of the metric that needs it, for error lines.
        ignore: beginnings of the names of weights that may be missing because they are not used.

    Raises:
        WeightsError: it is not there, is another kind of network, or lacks weights (transformers would draw them at
            random and go on).
    """
    import torch

    place = HubSource.of(source, metric)
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    network, info = place.open(partial(auto.from_pretrained, **options))
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(ignore or ("\0",)))
    if missing:
        raise WeightsError(
            f"{metric}: {place.text} is no {auto.__name__}: it lacks {missing[0]}"
            + (f" and {len(missing) - 1} more weights" if missing[1:] else "")
        )
    return network.eval().requires_grad_(False)


def load_tokenizer(source: str | Path, metric: str) -> Any:
    """Return the tokenizer at `source`.

    Raises:
        WeightsError: there is none.
    """
    transformers = import_transformers(metric)
    return HubSource.of(source, metric).open(transformers.AutoTokenizer.from_pretrained)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing reports and progress bars on the terminal."""
    hub_logging = require("huggingface_hub.utils.logging", "a network of the hub")
    logging = require("transformers.utils.logging", "a network of the hub")
    level, hub_level, bars = (
        logging.get_verbosity(),
        hub_logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
    )
    logging.set_verbosity(logging.CRITICAL)
    hub_logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub_logging.set_verbosity(hub_level)
        if bars:
            logging.enable_progress_bar()


def fingerprint(network: nn.Module) -> str:
    """Return a SHA-256 (hex) over the weights: name, type, shape and bytes of each, by name.

    The same weights have the same fingerprint from a folder, from the hub, in one file or in several.
    """
    digest = hashlib.sha256()
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(f"{key}\t{tensor.dtype}\t{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_preparation(source: str | Path, metric: str) -> dict[str, Any]:
    """Return how the network at `source` wants its pictures, as its own JSON says; empty where it says nothing."""
    images = require("transformers.image_processing_base", metric).ImageProcessingMixin
    videos = require("transformers.video_processing_utils", metric).BaseVideoProcessor
    place = HubSource.of(source, metric)
    for reader in (
        images.get_image_processor_dict,
        videos.get_video_processor_dict,
    ):
        with suppress(WeightsError):  # no such file there: the other kind, or the network's defaults
            return dict(place.open(reader)[0])
    return {}


@dataclass(frozen=True)
class Normalise:
    """Mean and standard deviation per channel of pictures in [0, 1].

    Attributes:
        mean: of each channel.
        std: of each channel.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @classmethod
    def of(
        cls, preprocessor: Mapping[str, Any], mean: tuple[float, ...], std: tuple[float, ...]
    ) -> Normalise:
        """Take the values out of what `read_preparation` returned; `mean` and `std` where it says nothing."""
        if not preprocessor.get("do_normalize", True):
            return cls()
        return cls(tuple(preprocessor.get("image_mean", mean)), tuple(preprocessor.get("image_std", std)))

    def __call__(self, x: Tensor) -> Tensor:
        """Map float32 (..., 3, H, W) in [-1, 1] to the network's own scale."""
        mean, std = (x.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return ((x + 1) / 2 - mean) / std

    def text(self) -> str:
        """Return the values in a line, for an identity."""
        return f"mean {','.join(f'{v:g}' for v in self.mean)} std {','.join(f'{v:g}' for v in self.std)}"
