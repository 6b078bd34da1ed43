"""What a whole training run is: a config that can build itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError, InputError
from moviola.core.seeds import numpy_generator
from moviola.data.loader import Batch, Clips, FirstFrames, Samples, collate
from moviola.data.sources import source_exists
from moviola.models.textvideo import TextVideoConfig
from moviola.training.loop import Objective, TrainerConfig

DRAWN = ("digits", "icons")


class DataConfig(Config):
    """Which clips to train on.

    Attributes:
        kind: "sprites" (part sheets), "actions" (Weizmann strips), "digits" and "icons" (drawn), "videos" (captioned
            videos of any layout).
        path: the data; not needed for what is drawn.
        size: H = W in pixels of videos and of what is drawn.
        count: number of different drawn clips.
        elements: fewest and most digits or icons a drawn clip.
        period: frames after which a drawn motion repeats.
        mirror: flip half of the videos from left to right, and what their captions say of sides and turns with them;
            not for captions in which such words are no direction ("videos").
        unsaid: chance that a caption leaves visible slots unsaid, so that a given image can answer for them.
        by_action: share of the sprites that are drawn uniformly over the actions; the others are over the rows of the
            sheets, of which one in 21 is of somebody who falls.
    """

    kind: Literal["sprites", "actions", "digits", "icons", "videos"]
    path: Path | None = None
    size: int = Field(default=64, ge=16, multiple_of=16)
    count: int = Field(default=256, ge=1)
    elements: tuple[int, int] = (1, 2)
    period: int = Field(default=24, ge=2)
    mirror: bool = False
    unsaid: float = Field(default=0.0, ge=0, le=1)
    by_action: float = Field(default=0.0, ge=0, le=1)

    def open(self, *, held: bool = False, moments: bool = False) -> Clips:
        """Open the training clips, or with `held` the ones held out.

        Raises:
            ConfigError: when the kind needs a path and there is none, or takes none, or cannot be mirrored.
        """
        from moviola.data import captioned
        from moviola.data.actions import ActionClips

        if self.mirror and self.kind != "videos":
            raise ConfigError(f"data.mirror is for videos; {self.kind} are not mirrored")
        if self.kind in DRAWN:
            if self.path is not None:
                raise ConfigError(f"{self.kind} are drawn and need no data; leave --data {self.path} away")
            return captioned.SceneClips(
                self.kind, self.count, int(held), size=self.size, frames=self.period, elements=self.elements,
                periods=(self.period,), scale=0.36, travel=(0.1, 0.11),
            )  # fmt: skip
        if self.path is None:
            raise ConfigError(f"the {self.kind} data need a path; give --data PATH")
        if not source_exists(self.path):
            raise ConfigError(f"no data at {self.path}; give --data an existing folder")
        if self.kind == "sprites":
            return captioned.SpriteClips(self.path, held=held, unsaid=self.unsaid, by_action=self.by_action)
        if self.kind == "actions":
            return ActionClips(self.path, held=held, moments=moments, unsaid=self.unsaid)
        return captioned.VideoClips(self.path, self.size, held=held, mirror=self.mirror)

    def open_for(self, slots: tuple[int, ...], size: int, **options: bool) -> Clips:
        """Open the clips for a network of these caption slots and this frame size; see `open`.

        Raises:
            ConfigError: when the captions or frames do not fit the network.
        """
        clips = self.open(**options)
        mine = self.frame_size
        if clips.grammar.sizes != tuple(slots):
            raise ConfigError(
                f"the captions of the data have the slots {list(clips.grammar.sizes)} and the network {list(slots)}; "
                "set slots of model (and critic) to those of the data"
            )
        if mine != size:
            raise ConfigError(
                f"the frames of the data are {mine} wide and the network's {size}; set model.size and data.size"
            )
        return clips

    @property
    def frame_size(self) -> int:
        """H = W of the frames, px: what `size` says, but for data of one size."""
        return 64 if self.kind in ("sprites", "actions") else self.size

    def open_shown(self) -> Clips:
        """Open the clips of the previews: those held out, or the training clips where too few are held out."""
        try:
            return self.open(held=True)
        except InputError:
            return self.open()


class Run(Protocol):
    """A whole training run as a config."""

    recipe: str
    part: str
    trainer: TrainerConfig

    def build(self) -> tuple[Objective, Samples]:
        """Make the networks, on the CPU, and the samples."""
        ...

    def manifest(self) -> TextVideoConfig | None:
        """What the model folder says of itself; None for a network that is a model folder by itself."""
        ...

    def with_overrides(self, overrides: list[str]) -> Run:
        """Apply `--set` pairs."""
        ...

    def to_json(self) -> str:
        """Serialise."""
        ...


Recipe = Callable[[Path | None], Run]

_SHOWN = 14
_FPS = {"sprites": 8.0, "actions": 12.5, "digits": 12.0, "icons": 12.0}


def shown_frames(data: DataConfig, clips: Clips) -> Batch:
    """Return first frames and their captions for the previews of a run on `clips`, held out where `data` can."""
    held = FirstFrames(clips if data.kind == "actions" else data.open_shown())
    return collate([held.sample(numpy_generator(0, "shown", i)) for i in range(_SHOWN)])


def manifest(data: DataConfig, size: int) -> TextVideoConfig:
    """Return the manifest of a model trained on `data`; anyone's videos say their rate themselves."""
    from moviola.data.captioned import VideoClips

    clips = data.open()
    fps = float(clips.fps) if isinstance(clips, VideoClips) else _FPS[data.kind]
    return TextVideoConfig(size=size, fps=fps, frames=16, grammar=clips.grammar)
