"""Loading SD 1.5, SD 2 and SDXL with ControlNets and LoRAs through the diffusers library. Only safetensors are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core import hub
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError, MoviolaError, WeightsError
from moviola.core.optional import require
from moviola.core.quiet import quiet_libraries
from moviola.models.rerender.diffusion.config import (
    DEFAULT_MODEL,
    MODELS,
    ControlConfig,
    DiffusionConfig,
    FreeUConfig,
)
from moviola.models.rerender.diffusion.loras import add_loras
from moviola.models.rerender.diffusion.pickles import PICKLES, refuse_pickle

if TYPE_CHECKING:
    import torch

INDEX = "model_index.json"
WITHOUT_WEIGHTS = "a filter painter, such as watercolor, works now and needs no weights"


def import_diffusers() -> Any:
    """Return the diffusers library.

    Raises:
        InputError: it, or a library that it cannot do without, is not installed.
    """
    return require("diffusers", "the diffusion painter", WITHOUT_WEIGHTS)


def load_pipeline(config: DiffusionConfig) -> tuple[Any, list[str]]:
    """Return an image-to-image pipeline of diffusers, with its ControlNets and LoRAs, on its device, and notes.

    The notes say what of the LoRAs does not fit the model, one line each.

    Args:
        config: `model`, `controls`, `loras`, `dtype`, `device` and `offload` are looked at.

    Raises:
        WeightsError: a model is not there, not whole, not in safetensors or of another kind; one line that says where
            to get it.
        InputError: diffusers is not installed. ConfigError: no such device.
    """
    import_diffusers()
    with quiet_libraries():
        return _load_pipeline(config)


def _load_pipeline(config: DiffusionConfig) -> tuple[Any, list[str]]:
    diffusers = import_diffusers()
    device = pick_device(config.device)
    dtype = _dtype(config.dtype, device)
    large = _is_large(config.model)
    name = "StableDiffusionXL" if large else "StableDiffusion"
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
    if config.controls:
        nets = [_controlnet(control, large, dtype) for control in config.controls]
        name, options["controlnet"] = f"{name}ControlNet", nets[0] if len(nets) == 1 else nets
    if not large:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    pipeline = load_part(getattr(diffusers, f"{name}Img2ImgPipeline"), config.model, options, "the model")
    pipeline.set_progress_bar_config(disable=True)
    notes = add_loras(pipeline, config.loras)
    if config.offload and device.type == "cuda":
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline, notes
    return pipeline.to(device), notes


def _dtype(name: str, device: torch.device) -> torch.dtype:
    import torch

    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return getattr(torch, name)


def _is_large(model: str) -> bool:
    """Whether a model is SDXL, as its index or the names of its tensors say."""
    path = Path(model).expanduser()
    if path.is_file():
        refuse_pickle(path, "the model")
        return any(name.startswith("conditioner.embedders.1") for name in _tensor_names(path))
    index = path / INDEX if path.is_dir() else from_hub(model, INDEX, "the model")
    try:
        kind = str(json.loads(index.read_text(encoding="utf-8")).get("_class_name", ""))
    except FileNotFoundError:
        raise WeightsError(f"{path} is no folder of a diffusers pipeline: it has no {INDEX}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{index} cannot be read: {hub.first_line(error)}") from None
    if not kind.startswith("StableDiffusion") or kind.startswith(
        ("StableDiffusion3", "StableDiffusionUpscale")
    ):
        raise WeightsError(
            f"{model} is a {kind or 'pipeline of no kind'}; the painter takes SD 1.5, SD 2 and SDXL"
        )
    return kind.startswith("StableDiffusionXL")


def _tensor_names(path: Path) -> list[str]:
    from safetensors import safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return list(file.keys())
    except Exception as error:  # the library has an exception of its own, not named in its interface
        raise WeightsError(f"{path} is no file in safetensors: {hub.first_line(error)}") from None


def from_hub(name: str, file: str, what: str) -> Path:
    """Return a small file of a model on the hub, from this machine where it is here already.

    Raises:
        WeightsError: it cannot be had; `what` begins the line.
    """
    hub.check_name(name, what, WITHOUT_WEIGHTS)
    return hub.fetch(name, file, f"{what} {name!r}", WITHOUT_WEIGHTS)


def _controlnet(control: ControlConfig, large: bool, dtype: torch.dtype) -> Any:
    """Return the ControlNet of a setting."""
    name = control.model
    if name is None:
        usual = MODELS.get(control.kind, (None, None))[int(large)]
        if usual is None:
            model = "SDXL" if large else "SD 1.5"
            raise ConfigError(
                f"no usual ControlNet {control.kind!r} for {model}; give its folder or hub name as model"
            )
        name = usual
    options = {"dtype": dtype, "use_safetensors": True}
    return load_part(import_diffusers().ControlNetModel, name, options, f"the ControlNet {control.kind!r}:")


def load_part(
    kind: Any, name: str, options: dict[str, Any], what: str, instead: str = WITHOUT_WEIGHTS
) -> Any:
    """Load a pipeline or a network from a file, a folder or the hub; what the library says becomes one line.

    Args:
        kind: a class of diffusers or transformers. name: file, folder or hub name. options: of its `from_pretrained`.
        what: it is, for the error line. instead: what would do without it, where it is nowhere.

    Raises:
        WeightsError: it is not there or cannot be loaded.
    """
    path = Path(name).expanduser()
    with quiet_libraries() as heard:
        try:
            made = _open(kind, name, path, options, what, instead)
        except MoviolaError:
            raise
        except Exception as error:  # the library raises nearly everything
            if path.exists():
                raise WeightsError(f"{what} cannot be loaded from {path}: {hub.first_line(error)}") from error
            raise hub.refusal(f"{what} {name!r}", error, instead) from None
    if any(
        "newly initialized" in line or "MISSING" in line for line in heard
    ):  # the library draws them and goes on
        raise WeightsError(f"{what} {name} lacks some of its weights; get the whole of it again")
    return made


def _open(kind: Any, name: str, path: Path, options: dict[str, Any], what: str, instead: str) -> Any:
    """Load what `name` is: a file, a folder or a hub name."""
    if path.is_file():
        return _from_file(kind, path, options, what)
    if path.is_dir():
        _check_folder(path, what)
        return kind.from_pretrained(str(path), local_files_only=True, **options, **_variant(path))
    hub.check_name(name, what, instead)
    return hub.local_first(partial(kind.from_pretrained, name, **options), name, f"{what} {name!r}", instead)


def _from_file(kind: Any, path: Path, options: dict[str, Any], what: str) -> Any:
    """Load a single file; its settings and tokenizer, which no such file holds, come from this machine or the hub."""
    refuse_pickle(path, what)
    _tensor_names(path)
    plain = {key: value for key, value in options.items() if key not in ("use_safetensors", "dtype")}
    load = partial(kind.from_single_file, str(path), torch_dtype=options.get("dtype"), **plain)
    try:
        return load(local_files_only=True)
    except Exception:  # its settings are not here, or it is of no kind that the library knows
        pass
    try:
        hub.reach(DEFAULT_MODEL, what)
    except WeightsError as error:
        raise WeightsError(
            f"{what} {path} is a single file without settings and tokenizer, and these cannot be had from the hub; "
            "load it once where there is a network, or give a folder of diffusers (save_pretrained writes one)"
        ) from error
    return load()


def _check_folder(folder: Path, what: str) -> None:
    """Refuse a folder whose weights are all pickled.

    Raises:
        WeightsError: they are; the line says how to convert the first of them.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    pickles = [path for path in files if path.suffix in PICKLES]
    if pickles and not any(path.suffix == ".safetensors" for path in files):
        refuse_pickle(pickles[0], what)


def _variant(folder: Path) -> dict[str, str]:
    """Return the variant that a folder holds where it has no plain weights."""
    names = [path.name for path in folder.rglob("*.safetensors")]
    half = [name for name in names if ".fp16" in name]
    return {"variant": "fp16"} if names and len(half) == len(names) else {}


@contextmanager
def freeu(unet: Any, config: FreeUConfig | None) -> Iterator[None]:
    """Use FreeU inside the block; afterwards the network's own settings hold again.

    Args:
        unet: a network of diffusers.
        config: its numbers; None leaves the network as it is.
    """
    if config is None:
        yield
        return
    keys = ("s1", "s2", "b1", "b2")
    before = [{key: getattr(block, key) for key in keys if hasattr(block, key)} for block in unet.up_blocks]
    unet.enable_freeu(s1=config.s1, s2=config.s2, b1=config.b1, b2=config.b2)
    try:
        yield
    finally:
        for block, values in zip(unet.up_blocks, before, strict=True):
            for key in keys:
                if key in values:
                    setattr(block, key, values[key])
                else:
                    delattr(block, key)
