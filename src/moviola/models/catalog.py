"""The models that come with moviola, by name, and loading any model folder."""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core.contents import contents
from moviola.core.errors import UnknownNameError, WeightsError, check_name
from moviola.core.weights import CONFIG_NAME, WEIGHTS_NAME, read_config

if TYPE_CHECKING:
    from moviola.models.freqmotion import FreqMotionGenerator
    from moviola.models.inrv import InrvModel
    from moviola.models.protocols import Generator, Refiner
    from moviola.models.textvideo import TextToVideo

_WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class _Entry:
    family: str
    summary: str
    license: str
    refines: tuple[str, ...] = ()
    betters: tuple[str, ...] = ()


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
    "digits": _Entry(
        "text-to-video",
        "one or two drawn digits, 64x64, which go to and fro, orbit or spin as the text says",
        "Apache-2.0",
    ),
    "icons": _Entry(
        "text-to-video",
        "one or two coloured icons, 64x64, which go to and fro, orbit or spin as the text says",
        "Apache-2.0",
    ),
    "regis-u": _Entry(
        "regis-u",
        "a refiner for the clips of sprites",
        "CC-BY-SA-3.0, research use (LPC sprites, Weizmann actions)",
        refines=("sprites",),
    ),
    "freqmotion-toy": _Entry(
        "freqmotion",
        "three bouncing dots, 32x32, each slow, medium or fast, whose motion is edited by bands of speed",
        "Apache-2.0",
    ),
    "inrv-smileys": _Entry(
        "inrv",
        "a space of 75 animated faces, of any size and rate, to walk in and to complete clips with",
        "MIT (Fluent Emoji, Microsoft)",
    ),
    "inrv-actions": _Entry(
        "inrv",
        "a space of 48 clips of real people, waving, bending down or doing jumping jacks",
        "research use (Weizmann actions)",
    ),
}

GENERATOR, REFINER = "generator", "refiner"


@dataclass(frozen=True)
class Family:
    """A kind of model folder.

    Attributes:
        kind: what its models do: `GENERATOR`, `REFINER`, or the name of a part of one.
        target: its class, "module:name", which has `from_pretrained`, `save_pretrained` and `to`.
    """

    kind: str
    target: str

    def load_class(self) -> Any:
        """Import and return the class."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


# "family" of a config.json -> what it is; a new family is one line
FAMILIES: dict[str, Family] = {
    "text-to-video": Family(GENERATOR, "moviola.models.textvideo:TextToVideo"),
    "regis-u": Family(REFINER, "moviola.models.regis.unet:UnetRefiner"),
    "regis-vq": Family(REFINER, "moviola.models.regis.vq:VqRefiner"),
    "regis-fuse": Family(REFINER, "moviola.models.regis.fuse:FuseRefiner"),
    "freqmotion": Family(GENERATOR, "moviola.models.freqmotion:FreqMotionGenerator"),
    "inrv": Family(GENERATOR, "moviola.models.inrv:InrvModel"),
    "textgan": Family("first-frame network", "moviola.models.textgan:FrameGenerator"),
    "textgan-cls": Family("first-frame network", "moviola.models.textgan:GanClsGenerator"),
    "nextframe": Family("next-frame network", "moviola.models.nextframe:NextFrame"),
}


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
        refines: of a refiner, the generators whose clips it was trained on.
        betters: those whose clips, as they are drawn today, it was measured to better.
    """

    name: str
    family: str
    summary: str
    license: str
    size_bytes: int
    path: Path
    card_path: Path
    says: str
    refines: tuple[str, ...] = ()
    betters: tuple[str, ...] = ()


def list_models() -> list[ModelCard]:
    """Return the cards of the embedded models that this installation holds."""
    return [_card(name) for name in _EMBEDDED if (_WEIGHTS / name / CONFIG_NAME).is_file()]


def find_model(name: str) -> ModelCard:
    """Return the card of the embedded model `name`.

    Raises:
        UnknownNameError: with the nearest names.
    """
    known = [n for n in _EMBEDDED if (_WEIGHTS / n / CONFIG_NAME).is_file()]
    check_name("model", name, known)
    return _card(name)


def model_folder(model: str | Path) -> Path:
    """Return the folder of an embedded model's name or of a path to a model folder.

    Raises:
        UnknownNameError: when it is neither, with the nearest names.
        WeightsError: when it is a folder without a model.
    """
    path = Path(model)
    if str(model).startswith("hub:"):
        raise UnknownNameError(
            f"{model} is a pipeline of diffusers, no model of ours; generate and sample take it"
        )
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


def model_digest(model: str | Path) -> str:
    """Return the SHA-256 (hex) of the names, settings and weights of a model's networks; loads nothing.

    Args:
        model: name or folder; errors as `model_folder`.
    """
    folder = model_folder(model)
    files = sorted(path for path in folder.rglob("*") if path.name in (WEIGHTS_NAME, CONFIG_NAME))
    lines = [f"{contents(path)} {path.relative_to(folder).as_posix()}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def load(model: str | Path, device: str = "cpu") -> Any:
    """Load a model of any kind by catalog name or from a folder that `moviola train` or `save_pretrained` wrote.

    Args:
        model: name or folder.
        device: where its networks go.

    Returns:
        An object of the family's class (`FAMILIES`), in eval mode: a `moviola.models.protocols.Generator`, a
        `Refiner`, or one network of a generator.

    Raises:
        UnknownNameError: no such name or folder.
        WeightsError: the folder is damaged or of no known family.
    """
    folder = model_folder(model)
    return family_of(model).load_class().from_pretrained(folder).to(device)


def load_generator(model: str | Path, device: str = "cpu") -> Generator:
    """Load a model that draws videos; arguments and errors as `load`.

    Raises:
        WeightsError: besides, the model is of another kind; the line says of which, and names the generators.
    """
    return _load_kind(model, device, GENERATOR)


def load_refiner(model: str | Path, device: str = "cpu") -> Refiner:
    """Load a model that refines videos; arguments and errors as `load`.

    Raises:
        WeightsError: besides, the model is of another kind; the line says of which, and names the refiners.
    """
    return _load_kind(model, device, REFINER)


def load_text_to_video(model: str | Path, device: str = "cpu") -> TextToVideo:
    """Load a model of the family "text-to-video"; arguments and errors as `load`.

    Raises:
        WeightsError: besides, the model is of another family; the line says of which, and names those that fit.
    """
    return _load_family(model, device, "text-to-video", "text-to-video models")


def load_banded(model: str | Path, device: str = "cpu") -> FreqMotionGenerator:
    """Load a model whose motion has bands of speed; arguments and errors as `load`.

    Raises:
        WeightsError: besides, the model has none; the line names those that do.
    """
    return _load_family(model, device, "freqmotion", "models whose motion has bands")


def load_space(model: str | Path, device: str = "cpu") -> InrvModel:
    """Load a space of videos, in which every code is a video; arguments and errors as `load`.

    Raises:
        WeightsError: besides, the model is of another family; the line says of which, and names those that fit.
    """
    return _load_family(model, device, "inrv", "spaces of videos")


def is_space(model: str | Path) -> bool:
    """Return whether a model given by name or folder is a space of videos; loads nothing. Errors as `family_of`."""
    return family_of(model) is FAMILIES["inrv"]


def family_of(model: str | Path) -> Family:
    """Return the family of a model given by name or folder; loads nothing.

    Raises:
        UnknownNameError, WeightsError: see `load`.
    """
    family = read_config(model_folder(model)).get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise WeightsError(f"{model} is of no known family, but {family!r}; known: {', '.join(FAMILIES)}")
    return FAMILIES[family]


def _load_kind(model: str | Path, device: str, kind: str) -> Any:
    folder, family = model_folder(model), family_of(model)
    if family.kind != kind:
        names = [card.name for card in list_models() if FAMILIES[card.family].kind == kind]
        raise WeightsError(f"{_what(model, family)}; {kind}s are {_names(names)}")
    return family.load_class().from_pretrained(folder).to(device)


def _load_family(model: str | Path, device: str, name: str, plural: str) -> Any:
    folder, family = model_folder(model), family_of(model)
    if family is not FAMILIES[name]:
        names = [card.name for card in list_models() if card.family == name]
        raise WeightsError(f"{_what(model, family)}; {plural} are {_names(names)}")
    return family.load_class().from_pretrained(folder).to(device)


def _what(model: str | Path, family: Family) -> str:
    name = next(key for key, value in FAMILIES.items() if value is family)
    return f"{model} is a {family.kind}" + ("" if name == str(model) else f" ({name})")


def _names(names: list[str]) -> str:
    return ", ".join(names) or "not part of this installation; train one"


def _card(name: str) -> ModelCard:
    entry, folder = _EMBEDDED[name], _WEIGHTS / name
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return ModelCard(
        name,
        entry.family,
        entry.summary,
        entry.license,
        size,
        folder,
        folder / "README.md",
        _says(folder),
        entry.refines,
        entry.betters,
    )


def _says(folder: Path) -> str:
    """One line a slot: its values. Read as plain JSON, so that listing models loads nothing heavy."""
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    grammar = config.get("grammar", {"slots": []})
    lines = [f"class: {', '.join(config['classes'])}"] if config.get("classes") else []
    lines += ["text: any caption"] if config.get("text") else []
    lines += [f"clips: {', '.join(config['captions'])}"] if config.get("captions") else []
    if config.get("ranges"):
        ranges = [f"{low:g} to {high:g}" for low, high in config["ranges"]]
        lines.append(
            f"bands of motion: {', '.join(ranges)} radians a time unit ({config['frames'] / 2:g} frames)"
        )
    for slot in grammar["slots"]:
        names = [v["name"] or (v["phrases"] or ["-"])[0] for v in slot["values"]]
        lines.append(f"{slot['name']}: {', '.join(names)}")
    return "\n".join(lines)
