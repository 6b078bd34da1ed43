"""Where a diffusers pipeline is and whether it may be loaded: folder, cache or hub; safetensors; text to video."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from moviola.core import hub
from moviola.core.errors import WeightsError
from moviola.core.optional import require
from moviola.core.quiet import quiet_libraries

if TYPE_CHECKING:
    import torch

INDEX = "model_index.json"
FRAME_ARGUMENTS = ("num_frames", "video_length", "frames")
_SUGGESTION = (
    "give a text-to-video pipeline, such as TextToVideoSDPipeline, AnimateDiffPipeline, CogVideoXPipeline, "
    "LTXPipeline or WanPipeline"
)
# pipelines that say only when called that they want a picture, a video or a sketch beside the text
_FROM_PICTURES = re.compile(
    r"(Image|Video)(To|2)(Video|World)|(?<!T)I2V|Control|Inpaint|Upsample|InContext|Refine|HDR"
)


def import_diffusers() -> Any:
    """Return the diffusers library.

    Raises:
        InputError: it, or a library it cannot do without, is not installed or does not start.
    """
    return require("diffusers", 'a model that begins with "hub:"')


def find_pipeline(name: str, dtype: torch.dtype) -> Any:
    """Return the diffusers pipeline called `name`, on the CPU.

    Args:
        name: a folder that holds `model_index.json`, or a hub name (owner/name).
        dtype: of its weights.

    Raises:
        WeightsError: there is none, it is no text-to-video pipeline, lacks weights, or has none in safetensors.
    """
    with quiet_libraries():  # looking at a pipeline's class makes the libraries speak, too
        return _find_pipeline(name, dtype)


def _find_pipeline(name: str, dtype: torch.dtype) -> Any:
    title, path = f"hub:{name}", Path(name).expanduser()
    if name and path.is_dir():
        return _from_folder(path, title, dtype)
    hub.check_name(name, title)
    kept, trouble = hub.cached(name, INDEX, title), None
    if kept is not None:
        try:
            return _from_folder(kept.parent, title, dtype)
        except WeightsError as error:  # a part of it is not on this machine yet, or it is wrong there too
            trouble = error
    try:
        folder = _download(name, title)
    except WeightsError:
        if trouble is not None:
            raise trouble from None
        raise
    return _from_folder(folder, title, dtype)


def _download(name: str, title: str) -> Path:
    """Bring a pipeline's files from the hub and return their folder; its class is looked at before its weights come."""
    files = [s.rfilename for s in hub.reach(name, title).siblings or []]
    if INDEX not in files:
        raise WeightsError(f"{title} is no diffusers pipeline: it has no {INDEX}")
    _pipeline_class(hub.fetch(name, INDEX, title), title)
    how = {"use_safetensors": True, "variant": _variant(files, title)}
    try:
        return Path(import_diffusers().DiffusionPipeline.download(name, **how))
    except Exception as error:  # without a network there are many
        raise hub.refusal(title, error) from None


def _from_folder(folder: Path, title: str, dtype: torch.dtype) -> Any:
    index = folder / INDEX
    if not index.is_file():
        raise WeightsError(f"{title}: {folder} is no folder of a diffusers pipeline: it has no {INDEX}")
    _pipeline_class(index, title)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    how = {
        "dtype": dtype,
        "use_safetensors": True,
        "local_files_only": True,
        "variant": _variant(names, title),
    }
    with quiet_libraries() as heard:
        try:
            pipeline = import_diffusers().DiffusionPipeline.from_pretrained(str(folder), **how)
        except Exception as error:  # the library raises nearly everything
            raise WeightsError(f"{title}: cannot load {folder}: {hub.first_line(error)}") from error
    lacking = [message for message in heard if "newly initialized" in message]
    if lacking:  # the libraries draw them at random and go on
        raise WeightsError(f"{title}: {folder} lacks weights: {_lacking(lacking[0])}")
    return pipeline


def _lacking(report: str) -> str:
    """Return the first name in a library's report of missing weights."""
    found = re.search(r"newly initialized[^\[]*\[['\"]([^'\"]+)|^\s*(\S+)\s*\|[^|\n]*MISSING", report, re.M)
    return next((group for group in found.groups() if group), "") if found else "some of its tensors"


def _pipeline_class(index: Path, title: str) -> type:
    """Return the class that `model_index.json` names.

    Raises:
        WeightsError: it is no JSON, names no class of diffusers, or one that makes no video from a text alone.
    """
    diffusers = import_diffusers()
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        raise WeightsError(f"{title}: {index} is not a readable index of a diffusers pipeline") from None
    if not isinstance(named, str):
        raise WeightsError(
            f"{title}: its pipeline is code that lies beside the weights; such code is not run"
        )
    found = getattr(diffusers, named, None)
    if not (isinstance(found, type) and issubclass(found, diffusers.DiffusionPipeline)):
        raise WeightsError(
            f"{title}: diffusers {diffusers.__version__} has no pipeline {named} or lacks a library for it"
        )
    check_text_to_video(found, title)
    return found


def check_text_to_video(kind: type, title: str) -> None:
    """Refuse what makes no video from a text alone.

    Args:
        kind: a pipeline's class.
        title: for the error line.

    Raises:
        WeightsError: it takes no text, makes no video, or wants a picture or a video first.
    """
    call: Callable[..., Any] = kind.__call__
    known = inspect.signature(call).parameters
    wanted = [
        key
        for key, value in known.items()
        if value.default is value.empty
        and key not in ("self", "prompt")
        and value.kind in (value.POSITIONAL_OR_KEYWORD, value.KEYWORD_ONLY)
    ]
    reason = ""
    if "prompt" not in known:
        reason = "takes no text"
    elif wanted:
        reason = f"wants {wanted[0]} beside the text"
    elif _FROM_PICTURES.search(kind.__name__):
        reason = "starts from pictures or a video, not from a text alone"
    elif not set(known) & set(FRAME_ARGUMENTS):
        reason = "makes no videos"
    if reason:
        raise WeightsError(f"{title} is a {kind.__name__}, which {reason}; {_SUGGESTION}")


def _variant(names: Iterable[str], title: str) -> str | None:
    """Return which set of weights to load: None for the plain one, "fp16" or "bf16" where a part has only that.

    Args:
        names: files of the pipeline, folder/file.
        title: for the error line.

    Raises:
        WeightsError: there are weights, but none in safetensors.
    """
    paths = [PurePosixPath(name) for name in names]
    weights = [p for p in paths if p.suffix == ".safetensors" and len(p.parts) == 2]
    if not weights and any(p.suffix in (".bin", ".pt", ".pth", ".ckpt") for p in paths):
        raise WeightsError(f"{title} has no weights in safetensors, and no others are read")
    for variant in ("fp16", "bf16"):
        here = {p.parent for p in weights if f".{variant}." in p.name or f".{variant}-" in p.name}
        plain = {p.parent for p in weights if not re.search(r"\.(fp16|bf16|non_ema|ema)[.-]", p.name)}
        if here - plain:
            return variant
    return None
