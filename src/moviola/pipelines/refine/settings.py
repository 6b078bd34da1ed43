"""What is to be done, checked against the network that is to do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError, check_name
from moviola.core.notes import note
from moviola.models.protocols import Condition, Refiner, RefinerSizes
from moviola.pipelines.refine.tiles import SizeMode
from moviola.pipelines.refine.windows import check_overlap, default_overlap

if TYPE_CHECKING:
    import numpy as np

    from moviola.models.catalog import ModelCard

    Corrupt = Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class RefineSettings(Config):
    """How to refine.

    Attributes:
        iterations: passes, 0 and up; "auto" stops by itself, see `threshold` and `limit`.
        corruption: corrupt before each pass: a name in `moviola.data.corrupt.CORRUPTIONS`, or a `.json` file of a
            mixture (`moviola data match` writes one); None hands the video over as it is.
        strength: of the corruption, above 0 and up to 1; a mixture has its own.
        keep_known: put the pixels that the corruption left alone back after each pass, bit for bit.
        text: what the video shows, for networks that take text.
        label: its class, for networks that take one.
        size: what to do with frames of another size than the network's: see `tiles.make_layout`.
        overlap: frames that windows share, 0 to half a window; None for a quarter.
        threshold: "auto" stops when a pass changes less than this on average, in levels of 0 to 255.
        limit: passes that "auto" makes at most.
        batch: windows or tiles that the network gets at a time.
        seed: of the corruption. Pass k (from 0) draws by seed + k: two runs of one pass with seeds s and s + 1 make
            what one run of two passes makes with seed s.
    """

    iterations: int | Literal["auto"] = 2
    corruption: str | None = None
    strength: float = Field(default=0.5, gt=0, le=1)
    keep_known: bool = False
    text: str | None = None
    label: str | None = None
    size: SizeMode = "tile"
    overlap: int | None = None
    threshold: float = Field(default=0.5, ge=0)
    limit: int = Field(default=8, ge=1)
    batch: int = Field(default=4, ge=1)
    seed: int = 0


_LIMIT = (
    "which it was not trained on and may soften; train one on your own clips (moviola train regis_u_pairs)"
)


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that decides what becomes of a video, worked out before its frames are read.

    Attributes:
        refiner: the network. settings: what was asked for.
        sizes: the network's config. overlap: frames that windows share.
        condition: what the video shows, for one clip; None for nothing said.
        corrupt: frames uint8 (T, H, W, 3), pass and generator to the corrupted frames and the mask, bool (T, H, W);
            None for none.
        device: where the network is.
        card: what the catalog says of an embedded network; None for any other.
    """

    refiner: Refiner
    settings: RefineSettings
    sizes: RefinerSizes
    overlap: int
    condition: Condition | None
    corrupt: Corrupt | None
    device: torch.device
    card: ModelCard | None = None

    def note_on_footage(self, sizes: Iterable[tuple[int, int]]) -> None:
        """Tell a person where videos are, by their size, not of the kind that an embedded network was trained on.

        Args:
            sizes: height and width of each video, px.
        """
        side = self.sizes.size
        if self.card is None or not self.settings.iterations or all(size == (side, side) for size in sizes):
            return
        note(
            f"{self.sizes.family} is {self.card.summary}, {side}x{side}; frames of another size are other footage, "
            f"{_LIMIT}"
        )

    def knows(self, model: str | Path) -> bool:
        """Return whether the network was trained on what a generator, by name or folder, draws, as far as is known."""
        return self.card is None or str(model) in self.card.refines

    def betters(self, model: str | Path) -> bool:
        """Return whether it is known to better what a generator draws; one's own refiner is taken to."""
        return self.card is None or str(model) in self.card.betters

    def note_on_generator(self, model: str | Path, *, left: bool = False) -> None:
        """Tell a person that an embedded network does not better what a generator draws, or was not trained on it.

        Args:
            model: the generator's name or folder.
            left: the video will be left as it is.
        """
        if self.card is None or not self.settings.iterations:
            return
        family = self.sizes.family
        if left and not self.betters(model):
            reason = f"is {self.card.summary}"
            if self.knows(model):
                reason = f"was not measured to better the clips of {model}"
            note(
                f"{family} {reason}; what {model} draws is left as it is; --refiner {family} refines it all the same"
            )
        elif not self.knows(model):
            note(f"{family} is {self.card.summary}; what {model} draws is other footage, {_LIMIT}")

    def telling(self, text: str) -> Plan:
        """Return a plan that tells the refiner another text; this one where it takes no text, or there is none."""
        if not self.sizes.text or not text.strip():
            return self
        settings = self.settings.model_copy(update={"text": text})
        return replace(self, settings=settings, condition=_condition(self.sizes, settings))


def make_plan(
    model: str | Path | Refiner, settings: RefineSettings | None = None, device: str = "cpu", **changes: Any
) -> Plan:
    """Load the network and check the settings against it.

    Args:
        model: a catalog name, a folder that `moviola train` wrote, or a loaded `Refiner`.
        settings: None for the defaults. changes: fields of it to change.
        device: where to run a network given by name or folder.

    Raises:
        UnknownNameError: no such model, class, corruption or setting. WeightsError: a damaged model.
        ConfigError: negative iterations, a text for a network without text, a network of other channels or range ...
    """
    values = {**(settings or RefineSettings()).model_dump(), **changes}
    check_iterations(values["iterations"])
    settings = RefineSettings.make(values)
    corrupt = _corruption(settings)
    refiner = _load(model, device)
    sizes = check_refiner(refiner)
    overlap = default_overlap(sizes.frames) if settings.overlap is None else settings.overlap
    check_overlap(overlap, sizes.frames)
    condition = _condition(sizes, settings)
    return Plan(refiner, settings, sizes, overlap, condition, corrupt, _device_of(refiner), _card(model))


def check_iterations(iterations: Any) -> None:
    """Refuse anything but "auto" or a whole number of 0 and up.

    Raises:
        ConfigError: in one line.
    """
    whole = isinstance(iterations, int) and not isinstance(iterations, bool) and iterations >= 0
    if not whole and iterations != "auto":
        raise ConfigError(f"iterations is {iterations}; it must be auto or a whole number of at least 0")


def check_refiner(refiner: Refiner) -> RefinerSizes:
    """Return the config of a network that colour video in [-1, 1] fits.

    Raises:
        ConfigError: it takes other channels or another range.
    """
    sizes = cast(RefinerSizes, refiner.config)
    if sizes.channels != 3:
        raise ConfigError(f"{sizes.family} takes {sizes.channels} channels; a video has 3")
    if tuple(refiner.value_range) != (-1.0, 1.0):
        low, high = refiner.value_range
        raise ConfigError(f"{sizes.family} takes values of {low:g} to {high:g}; moviola hands over -1 to 1")
    return sizes


def _load(model: str | Path | Refiner, device: str) -> Refiner:
    if not isinstance(model, str | Path):
        return model
    from moviola.models.catalog import load_refiner

    return load_refiner(model, device)


def _card(model: str | Path | Refiner) -> ModelCard | None:
    """Return the card of an embedded network that is given by its name or folder."""
    if not isinstance(model, str | Path):
        return None
    from moviola.models.catalog import list_models

    cards = (c for c in list_models() if str(model) == c.name or Path(model).resolve() == c.path.resolve())
    return next(cards, None)


def _device_of(refiner: Refiner) -> torch.device:
    if isinstance(refiner, torch.nn.Module):
        for tensor in (*refiner.parameters(), *refiner.buffers()):
            return tensor.device
    return torch.device("cpu")


def _corruption(settings: RefineSettings) -> Corrupt | None:
    """Return the corruption of the settings as a function."""
    if settings.corruption is None:
        if settings.keep_known:
            raise ConfigError("keep-known needs a corruption; without one every pixel is known")
        return None
    from moviola.data.corrupt import Mixture, find_corruption

    if settings.corruption.endswith(".json"):
        mixture = Mixture.load(settings.corruption)
        return lambda frames, number, generator: mixture.draw(frames, generator)
    found = find_corruption(settings.corruption)
    strength = settings.strength
    return lambda frames, number, generator: found.for_pass(number).apply(frames, strength, generator)


def _condition(sizes: RefinerSizes, settings: RefineSettings) -> Condition | None:
    """Return text and class as numbers, for one clip."""
    label = tokens = None
    if settings.label is not None:
        label = torch.tensor([_class_index(sizes.family, sizes.classes, settings.label)])
    if settings.text is not None:
        if not sizes.text:
            raise ConfigError(
                f"{sizes.family} was trained without text; leave the text out, or name another model"
            )
        from moviola.nn.words import tokenize

        tokens = torch.from_numpy(tokenize(settings.text))[None]
        if not tokens.any():
            raise ConfigError(f"the text {settings.text!r} holds no word")
    return None if label is None and tokens is None else Condition(label, tokens)


def _class_index(family: str, classes: Sequence[str], label: str) -> int:
    if not classes:
        raise ConfigError(f"{family} was trained without classes; leave the class out, or name another model")
    check_name("class", label, classes)
    return list(classes).index(label)
