"""What a pipeline may ask of a network, whatever its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from moviola.core.config import Config

if TYPE_CHECKING:
    from torch import Tensor


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
