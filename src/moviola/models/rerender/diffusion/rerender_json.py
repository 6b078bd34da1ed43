"""The JSON configs of the Rerender-A-Video authors, read into our settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from moviola.core.config import Config, read_values
from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion.config import DiffusionConfig
from moviola.models.rerender.diffusion.controls import pair

Period = tuple[float, float]
MISSPELT = {"color_perserve": "color_preserve"}
KINDS = {"hed": "hed", "canny": "canny", "depth": "depth"}


class RerenderJson(Config):
    """A config of the authors, key by key, with their defaults.

    Attributes:
        input, output, work_dir, key_subdir: files and folders.
        frame_count: frames to take; None for all.
        interval: frames between key frames.
        crop: px to cut off at the left, right, top and bottom.
        sd_model: a checkpoint in safetensors; None for SD 1.5.
        prompt, a_prompt, n_prompt: the prompt, what is put behind it, what shall not be seen.
        ddim_steps, scale: steps asked for, weight of guidance.
        control_type, control_strength: "HED", "canny" ...; we also take lists of them, of one length.
        canny_low, canny_high: thresholds.
        seed: of the noise; -1 for any.
        image_resolution: shorter side that is painted, px.
        use_limit_device_resolution: fit the size to the card; not taken over.
        x0_strength: share of the steps that is run from the noised input; below 0 or above 1: from noise alone.
        style_update_freq: key frames until the anchor is renewed.
        cross_period, warp_period, mask_period, ada_period: windows of attention, shape, pixel and colour; a start
            above or at the end turns one off.
        mask_strength: weight of the pixel-aware fusion.
        inner_strength: noise of their pixel-aware fusion; ours has none.
        smooth_boundary: soft masks.
        color_preserve: keep the input's colours.
        loose_cfattn: looser cross-frame attention.
        freeu_args: FreeU's b1, b2, s1, s2; all 1 is none.
    """

    input: str = ""
    output: str = ""
    work_dir: str | None = None
    key_subdir: str = "keys"
    frame_count: Annotated[int, Field(ge=1)] | None = None
    interval: Annotated[int, Field(ge=1)] = 10
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    sd_model: str | None = None
    prompt: str = ""
    a_prompt: str = ""
    n_prompt: str = ""
    ddim_steps: int = 20
    scale: float = 7.5
    control_type: str | tuple[str, ...] = "HED"
    control_strength: float | tuple[float, ...] = 1.0
    canny_low: int = 100
    canny_high: int = 200
    seed: int = -1
    image_resolution: int = 512
    use_limit_device_resolution: bool = False
    x0_strength: float = -1.0
    style_update_freq: Annotated[int, Field(ge=1)] = 10
    cross_period: Period = (0.0, 1.0)
    warp_period: Period = (0.0, 0.1)
    mask_period: Period = (0.5, 0.8)
    ada_period: Period = (1.0, 1.0)
    mask_strength: float = 0.5
    inner_strength: float = 0.9
    smooth_boundary: bool = True
    color_preserve: bool = True
    loose_cfattn: bool = False
    freeu_args: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)

    def diffusion(self, scheduler: str = "ddim") -> DiffusionConfig:
        """Return our settings for the same.

        Args:
            scheduler: theirs is DDIM; any of ours does.

        Raises:
            ConfigError: a value outside its range, or ControlNets and strengths of different number.
        """
        b1, b2, s1, s2 = self.freeu_args
        whole = not 0 <= self.x0_strength <= 1
        values: dict[str, Any] = {
            "controls": [control.model_dump() for control in self._controls()],
            "scheduler": scheduler,
            "steps": self.ddim_steps,
            "strength": 1.0 if whole else self.x0_strength,
            "guidance": self.scale,
            "extra_prompt": self.a_prompt,
            "negative_prompt": self.n_prompt,
            "size": self.image_resolution,
            "freeu": None if self.freeu_args == (1, 1, 1, 1) else {"b1": b1, "b2": b2, "s1": s1, "s2": s2},
            "attention": {"window": _window(self.cross_period), "own": self.loose_cfattn},
            "shape": {"window": _window(self.warp_period)},
            "pixel": {
                "window": _window(self.mask_period),
                "strength": self.mask_strength,
                "smooth": self.smooth_boundary,
            },
            "color": {"window": _window(self.ada_period)},
            "anchor": {"mode": "adaptive", "every": self.style_update_freq},
            "preserve_color": self.color_preserve,
        }
        if self.sd_model:
            values["model"] = self.sd_model
        return DiffusionConfig.make(values)

    def _controls(self) -> tuple[Any, ...]:
        one = isinstance(self.control_type, str)
        names = [self.control_type] if one else list(self.control_type)
        kinds = [KINDS.get(str(name).lower(), str(name).lower()) for name in names]
        given = self.control_strength
        strengths = [float(value) for value in (given if isinstance(given, tuple) else (given,))]
        limits = {"low": self.canny_low, "high": self.canny_high}
        return tuple(
            control.model_copy(update=limits) if control.kind == "canny" else control
            for control in pair(kinds, strengths)
        )


@dataclass(frozen=True)
class FromJson:
    """What a config of the authors says.

    Attributes:
        original: all of it, checked.
        notes: what was put right or is not taken over, one line each.
    """

    original: RerenderJson
    notes: tuple[str, ...]


def read_rerender_json(path: str | Path) -> FromJson:
    """Read a config of the authors.

    Raises:
        ConfigError: it cannot be read, has an unknown key (the nearest right ones are named) or a bad value.
    """
    values = read_values(path)
    notes = []
    for wrong, right in MISSPELT.items():
        if wrong in values:
            if right in values:
                raise ConfigError(f"{path} has both {wrong!r} and {right!r}; keep {right!r}")
            values[right] = values.pop(wrong)
            notes.append(f"{path}: {wrong!r} is taken for {right!r}")
    original = RerenderJson.make(values)
    if "inner_strength" in values:
        notes.append(f"{path}: inner_strength is not used; our pixel-aware fusion adds no noise")
    if original.use_limit_device_resolution:
        notes.append(f"{path}: use_limit_device_resolution is not used; set the size, or offload=true")
    if not 0 <= original.x0_strength <= 1:
        notes.append(
            f"{path}: x0_strength {original.x0_strength:g} is taken for 1, all steps from the noised input"
        )
    return FromJson(original, tuple(notes))


def _window(period: Period) -> list[float] | None:
    """Return a period of theirs as a window of ours; None for one that is turned off."""
    start, end = period
    return None if start >= end else [start, end]
