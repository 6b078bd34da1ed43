"""What a pipeline may ask of a network, whatever its family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeGuard

from moviola.core.config import Config

if TYPE_CHECKING:
    from torch import Tensor


class Generator(Protocol):
    """Draws videos: a GAN, a diffusion pipeline, a space of videos ..., told a text or not.

    Video `index` of `seed` follows from these two (and the prompt) alone, whatever is drawn before it, beside it or on
    how many devices. A longer video begins with the shorter one wherever the family can draw so.

    A family whose clock is continuous adds a narrower protocol of its own beside this one; `stream` then draws at the
    times 0, 1/fps, 2/fps ...
    """

    @property
    def is_conditional(self) -> bool:
        """Whether it is told a text; it is a `TextGenerator` then, and is given no prompt otherwise."""
        ...

    @property
    def num_frames(self) -> int:
        """How many frames it draws when nobody says: the length it was trained at, or the like."""
        ...

    @property
    def height(self) -> int:
        """H of a frame, px."""
        ...

    @property
    def width(self) -> int:
        """W of a frame, px."""
        ...

    @property
    def fps(self) -> Fraction:
        """Frames a second at which its videos have the speed of what it was trained on."""
        ...

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw one video, piece by piece, without a gradient.

        Args:
            seed, index: which video: number `index`, from 0, of `seed`.
            frames: T, at least 1.
            prompt: what to show; None for whatever the seed draws.

        Yields:
            float32 (t, C, H, W) in [-1, 1], C of 3 or 1, t of at least 1 and bounded whatever `frames` is where the
            family can draw so; T frames in all.

        Raises:
            ConfigError: `frames` is below 1 or more than it can draw, or a prompt for a model that takes none.
            PromptError: a prompt it cannot follow.
        """
        ...


@dataclass(frozen=True)
class Description:
    """What a video will show.

    Attributes:
        caption: in full; told to the same model with the same seed and index, it draws the same video.
        notes: what of the prompt was ignored or chosen, one line each.
    """

    caption: str
    notes: tuple[str, ...] = ()


class TextGenerator(Generator, Protocol):
    """A generator that is told a text, and says what it will draw before it draws."""

    def describe(self, seed: int, index: int, prompt: str | None = None) -> Description:
        """Say what `stream` with the same arguments will draw; runs no network.

        Raises:
            PromptError: the prompt is empty, or one it cannot follow, or there is none and it cannot draw one.
        """
        ...


def is_generator(model: object) -> TypeGuard[Generator]:
    """Return whether `model` draws videos."""
    return callable(getattr(model, "stream", None)) and hasattr(model, "is_conditional")


def is_text_generator(model: Generator) -> TypeGuard[TextGenerator]:
    """Return whether `model` is told a text."""
    return model.is_conditional


@dataclass(frozen=True, eq=False)
class Condition:
    """What a clip shows, as numbers.

    Attributes:
        label: class of each clip, int64 (B,), an index into `RefinerConfig.classes`; -1 where it is not known.
        tokens: words of each clip's text, int64 (B, L) as `moviola.nn.words.tokenize` makes them; 0 is padding.
    """

    label: Tensor | None = None
    tokens: Tensor | None = None


class RefinerSizes(Protocol):
    """What a pipeline reads of a refiner's config; `moviola.models.regis.base.RefinerConfig` has it."""

    @property
    def family(self) -> str:
        """Name of the family."""
        ...

    @property
    def channels(self) -> int:
        """Of a frame."""
        ...

    @property
    def frames(self) -> int:
        """Frames of a window."""
        ...

    @property
    def size(self) -> int:
        """H = W it was trained at, px."""
        ...

    @property
    def multiple(self) -> int:
        """What H and W must be a multiple of."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes it can be told; empty for none."""
        ...

    @property
    def text(self) -> bool:
        """Whether it can be told a text."""
        ...


class Refiner(Protocol):
    """Moves generated video closer to real video.

    Attributes:
        config: its sizes: frames of a window, H = W it was trained at, classes, whether it takes text.
        value_range: of what goes in and comes out.
    """

    config: Config
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def refine(self, video: Tensor, mask: Tensor | None = None, condition: Condition | None = None) -> Tensor:
        """Make one pass.

        Args:
            video: float32 (B, T, C, H, W) in `value_range`; 1 <= T <= config.frames, H and W multiples of
                config.multiple.
            mask: (B, T, 1, H, W), 1 where the clip is known to be corrupted, 0 where it is not; None for all 0.
            condition: what the clips show; None for nothing said.

        Returns:
            The refined clip, shaped and ranged as `video`.
        """
        ...
