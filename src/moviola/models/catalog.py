"""The models that come with moviola, by name, and loading any model folder."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.errors import UnknownNameError, WeightsError
from moviola.core.weights import CONFIG_NAME, read_config

if TYPE_CHECKING:
    from moviola.models.protocols import Refiner
    from moviola.models.textvideo import TextToVideo

_WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class _Entry:
    family: str
    summary: str
    license: str


_EMBEDDED = {
    "sprites": _Entry(
        "text-to-video",
        "small pixel-art people, 64x64, dressed and moving as the text says",
        "CC-BY-SA-3.0",
    ),
    "actions": _Entry(
        "text-to-video",
        "real people, 64x64, waving, bending down or doing jumping jacks",
        "research use (Weizmann actions)",
    ),
    "regis-u": _Entry(
        "regis-u",
        "a refiner for the clips of sprites",
        "CC-BY-SA-3.0, research use (LPC sprites, Weizmann actions)",
    ),
}

_REFINERS = {
    "regis-u": "moviola.models.regis.unet:UnetRefiner",
    "regis-vq": "moviola.models.regis.vq:VqRefiner",
    "regis-fuse": "moviola.models.regis.fuse:FuseRefiner",
}
"""Family of a refiner to its class."""


@dataclass(frozen=True)
class ModelCard:
    """What the catalog says of a model.

    Attributes:
        name: to load it by.
        family: which kind of model.
        summary: one line.
        license: of the weights.
        size_bytes: of all its files.
        path: its folder.
        card_path: the model card.
        says: what one can say to it, a line a slot.
    """

    name: str
    family: str
    summary: str
    license: str
    size_bytes: int
    path: Path
    card_path: Path
    says: str


def list_models() -> list[ModelCard]:
    """Return the cards of the embedded models that this installation holds."""
    return [_card(name) for name in _EMBEDDED if (_WEIGHTS / name / CONFIG_NAME).is_file()]


def find_model(name: str) -> ModelCard:
    """Return the card of the embedded model `name`.

    Raises:
        UnknownNameError: with the nearest names.
    """
    known = [n for n in _EMBEDDED if (_WEIGHTS / n / CONFIG_NAME).is_file()]
    if name not in known:
        raise UnknownNameError.of("model", name, known)
    return _card(name)


def model_folder(model: str | Path) -> Path:
    """Return the folder of an embedded model's name or of a path to a model folder.

    Raises:
        UnknownNameError: when it is neither, with the nearest names.
        WeightsError: when it is a folder without a model.
    """
    path = Path(model)
    if str(model) in _EMBEDDED:
        return find_model(str(model)).path
    if path.is_dir():
        if not (path / CONFIG_NAME).is_file():
            raise WeightsError(
                f"{path} is no model folder: it has no {CONFIG_NAME}; moviola train writes one"
            )
        return path
    if len(path.parts) > 1:
        raise UnknownNameError(
            f"no model folder {path}; give a folder that moviola train wrote, or a name: "
            + ", ".join(c.name for c in list_models())
        )
    return find_model(str(model)).path


def load(model: str | Path, device: str = "cpu") -> TextToVideo:
    """Load a model by catalog name or from a folder that `moviola train` or `save_pretrained` wrote.

    Args:
        model: name or folder.
        device: where its networks go.

    Raises:
        UnknownNameError: no such name or folder.
        WeightsError: the folder is damaged or of no known family.
    """
    from moviola.models.textvideo import TextToVideo

    return TextToVideo.from_pretrained(model_folder(model)).to(device)


def load_refiner(model: str | Path, device: str = "cpu") -> Refiner:
    """Load a refiner by catalog name or from a folder that `moviola train` or `save_pretrained` wrote.

    Args:
        model: name or folder.
        device: where it goes.

    Raises:
        UnknownNameError: no such name or folder.
        WeightsError: the folder is damaged, or holds a model that refines nothing.
    """
    folder = model_folder(model)
    family = read_config(folder).get("family")
    if family not in _REFINERS:
        names = ", ".join(c.name for c in list_models() if c.family in _REFINERS)
        raise WeightsError(f"{model} is no refiner, but family {family!r}; refiners: {names or 'none here'}")
    module, _, name = _REFINERS[family].partition(":")
    return getattr(importlib.import_module(module), name).from_pretrained(folder).to(device)


def _card(name: str) -> ModelCard:
    entry, folder = _EMBEDDED[name], _WEIGHTS / name
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return ModelCard(
        name, entry.family, entry.summary, entry.license, size, folder, folder / "README.md", _says(folder)
    )


def _says(folder: Path) -> str:
    """One line a slot: its values. Read as plain JSON, so that listing models loads nothing heavy."""
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    grammar = config.get("grammar", {"slots": []})
    lines = [f"class: {', '.join(config['classes'])}"] if config.get("classes") else []
    lines += ["text: any caption"] if config.get("text") else []
    for slot in grammar["slots"]:
        names = [v["name"] or (v["phrases"] or ["-"])[0] for v in slot["values"]]
        lines.append(f"{slot['name']}: {', '.join(names)}")
    return "\n".join(lines)
