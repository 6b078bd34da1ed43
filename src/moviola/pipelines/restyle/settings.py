"""Settings of restyling."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from moviola.core.config import Config
from moviola.core.errors import ConfigError, UnknownNameError
from moviola.models.rerender.diffusion.config import DiffusionConfig
from moviola.models.rerender.filters import FILTERS
from moviola.models.rerender.filters.settings import (
    CartoonConfig,
    InkConfig,
    OilConfig,
    SketchConfig,
    WatercolorConfig,
)
from moviola.propagation.propagate import Method, PropagationConfig

DIFFUSION = "diffusion"


def default_painter(prompt: str) -> str:
    """Return the painter where none is named: "diffusion" where there is a prompt, else "watercolor"."""
    return DIFFUSION if prompt.strip() else "watercolor"


def _changed(config: Config) -> list[str]:
    """Return the names of the settings of a config that are not the usual ones."""
    usual = type(config)()
    return [name for name in type(config).model_fields if getattr(config, name) != getattr(usual, name)]


class KeyConfig(Config):
    """Which frames are painted.

    Attributes:
        method: measure of change: "uniform", "histogram", "orb", "flow", "deep", "latent", or "optimal" for the keys
            that propagate best.
        vae: for "latent", a diffusion model or its autoencoder; None for the model of the painter "diffusion".
        interval: frames between keys, on average (Algorithm 1) or exactly ("uniform"); 1 paints every frame.
        count: exactly so many keys instead; None to go by `interval`.
        alpha: a key comes at the latest after alpha * interval frames, at least 1.
        beta: how much change, over that of a mean interval, brings a key.
        min_gap: frames between keys at least.
        force_last: the last frame is a key too.
        indices: exactly these frames instead.
        shots: cuts are looked for: each starts a new key, and no paint goes over it.
        borrow: a shot without a key of the user's own takes the paint of the nearest one in time, over the cut; it is
            refused otherwise.
    """

    method: str = "flow"
    vae: str | None = None
    interval: int = Field(default=10, ge=1)
    count: int | None = Field(default=None, ge=1)
    alpha: float = Field(default=1.2, ge=1)
    beta: float = Field(default=1.0, gt=0)
    min_gap: int = Field(default=1, ge=1)
    force_last: bool = False
    indices: tuple[int, ...] | None = None
    shots: bool = True
    borrow: bool = False

    def unused(self, by_hand: bool = False) -> list[str]:
        """Return the names of settings that are not the usual ones and change nothing.

        Args:
            by_hand: the key frames are those the user painted, unless `indices` says which.
        """
        names = set() if self.method == "latent" else {"vae"}
        if not (by_hand and self.shots) or self.indices is not None:
            names |= {"borrow"}
        if by_hand or self.indices is not None:
            names |= {"method", "vae", "interval", "count", "alpha", "beta", "min_gap", "force_last"}
        elif self.count is not None:
            names |= {"interval", "alpha", "beta"}
        elif self.method in ("uniform", "optimal") or self.interval == 1:
            names |= {"alpha", "beta"}
        return [name for name in _changed(self) if name in names]


class MaskConfig(Config):
    """Which part of the frames is repainted; the rest stays as it is.

    Attributes:
        file: a grey video or a folder of frames, as long as the video, or one picture for all frames; or a folder of
            pictures of a few frames by number (`000010.png` for frame 10), which are carried to the others. White is
            repainted; colours count by their luma. None for the whole frames.
        invert: black is repainted.
        feather: px from the border inwards within which the paint sets in; 0 for a hard border.
        reach: px from the border within which colours go over into the paint's, in the gradient domain; 0 for a plain
            composite; None for 1/100 of the frame's shorter side, at most 6.
    """

    file: Path | None = None
    invert: bool = False
    feather: float = Field(default=0.0, ge=0)
    reach: float | None = Field(default=None, ge=0)


class RestylePropagation(PropagationConfig):
    """How the paint is carried; attributes as `PropagationConfig`, but for the first.

    Attributes:
        method: also "auto": "warp" for filters, which paint like places alike, and "patch" for diffusion and paint by
            hand.
    """

    method: Literal["auto", "patch", "warp", "linear"] = "auto"  # type: ignore[assignment]


class RestyleConfig(Config):
    """All that decides what the restyled video looks like.

    Attributes:
        painter: "diffusion", or a filter that needs no weights (`moviola.models.rerender.filters.FILTERS`).
        prompt: what the painted frames show; for "diffusion".
        strength: of a filter, 0 to 1.
        sketch, watercolor, oil, cartoon, ink: settings of the filters, each for the painter of its name.
        keys: which frames are painted.
        propagation: how their paint is carried to the other frames.
        flow: optical flow: "dis", "lk" or "raft". raft: file with RAFT-small's weights.
        crop: left, top, right, bottom to cut off first, px.
        mask: which part of the frames is repainted.
        diffusion: settings of the painter "diffusion".
        pictures: for its ControlNets, by kind: a folder of pictures made elsewhere, `000010.png` for key frame 10.
        seed: of everything drawn.
    """

    painter: str = "watercolor"
    prompt: str = ""
    strength: float = Field(default=1.0, gt=0, le=1)
    sketch: SketchConfig = SketchConfig()
    watercolor: WatercolorConfig = WatercolorConfig()
    oil: OilConfig = OilConfig()
    cartoon: CartoonConfig = CartoonConfig()
    ink: InkConfig = InkConfig()
    keys: KeyConfig = KeyConfig()
    propagation: RestylePropagation = RestylePropagation()
    flow: Literal["dis", "lk", "raft"] = "dis"
    raft: Path | None = None
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    mask: MaskConfig = MaskConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    pictures: dict[str, Path] = Field(default_factory=dict)
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.crop) < 0:
            raise ValueError("crop: px to cut off are at least 0")
        return self

    def carrying(self, by_hand: bool = False) -> PropagationConfig:
        """Return how the paint is carried; `by_hand` where the user gives painted key frames."""
        best: Method = "patch" if by_hand or self.painter == DIFFUSION else "warp"
        chosen = self.propagation
        method = best if chosen.method == "auto" else chosen.method
        return PropagationConfig(**{**dict(chosen), "method": method, "seed": chosen.seed + self.seed})

    def brush(self) -> Config | None:
        """Return the settings of the filter that paints; None for diffusion."""
        return None if self.painter == DIFFUSION else getattr(self, self.painter)

    def check(self, by_hand: bool = False) -> list[str]:
        """Look at what belongs together; return notes. With paint `by_hand` the painter does not count.

        Raises:
            ConfigError: a diffusion painter without a prompt, or flow by RAFT without its weights.
            UnknownNameError: no such painter.
        """
        if self.flow == "raft" and (self.raft is None or not self.raft.is_file()):
            missing = "say where" if self.raft is None else f"there is no file {self.raft}"
            raise ConfigError(
                f'flow "raft" needs the weights of RAFT-small; {missing}: --set raft=raft-small.pth'
            )
        ignored = self.unused(by_hand)
        what = "painted key frames" if by_hand else f"the painter {self.painter}"
        notes = [f"not used with {what} and these key frames: {', '.join(ignored)}"] if ignored else []
        if by_hand:
            return notes
        if self.painter == DIFFUSION:
            if not self.prompt.strip():
                raise ConfigError('the painter "diffusion" needs a prompt: what the painted frames show')
            return notes
        if self.painter not in FILTERS:
            raise UnknownNameError.of("painter", self.painter, [*FILTERS, DIFFUSION])
        if self.keys.method == "latent" and self.keys.vae is None and self.keys.indices is None:
            raise ConfigError(
                'method "latent" needs an autoencoder: --set keys.vae=NAME, a model or its folder'
            )
        if self.prompt.strip():
            notes.append(f"the painter {self.painter} takes no prompt; it was not used")
        return notes

    def unused(self, by_hand: bool = False) -> list[str]:
        """Return the names of settings that are not the usual ones and change nothing; `by_hand` as for `check`."""
        diffuses = self.painter == DIFFUSION and not by_hand
        names = [] if diffuses else [f"diffusion.{name}" for name in _changed(self.diffusion)]
        own = ["strength"] if diffuses else ["pictures"]
        own += ["painter", "prompt", "strength"] if by_hand else []
        own += ["raft"] if self.flow != "raft" else []
        names += [] if self.mask.file else [f"mask.{name}" for name in _changed(self.mask)]
        names += [name for name in own if name in _changed(self)]
        others = [name for name in FILTERS if by_hand or name != self.painter]
        names += [f"{name}.{below}" for name in others for below in _changed(getattr(self, name))]
        return names + [f"keys.{name}" for name in self.keys.unused(by_hand)]

    def cropped(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns that are left of a frame.

        Raises:
            ConfigError: nothing is.
        """
        left, top, right, bottom = self.crop
        if left + right >= width or top + bottom >= height:
            raise ConfigError(
                f"crop {left},{top},{right},{bottom} leaves nothing of {width}x{height}; "
                "it is left,top,right,bottom in px"
            )
        return slice(top, height - bottom), slice(left, width - right)
