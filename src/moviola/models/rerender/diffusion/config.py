"""Settings of the diffusion painter."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from moviola.core.config import Config
from moviola.core.errors import UnknownNameError
from moviola.models.rerender.diffusion.schedulers import SCHEDULER_NAMES
from moviola.models.rerender.diffusion.windows import Window

DEFAULT_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"

MODELS: dict[str, tuple[str, str | None]] = {
    "canny": ("lllyasviel/control_v11p_sd15_canny", "diffusers/controlnet-canny-sdxl-1.0"),
    "depth": ("lllyasviel/control_v11f1p_sd15_depth", "diffusers/controlnet-depth-sdxl-1.0"),
    "hed": ("lllyasviel/control_v11p_sd15_softedge", None),
    "openpose": ("lllyasviel/control_v11p_sd15_openpose", None),
    "tile": ("lllyasviel/control_v11f1e_sd15_tile", None),
}
"""The usual ControlNet of each kind, for SD 1.5 and for SDXL."""
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=4)]


class ControlConfig(Config):
    """One ControlNet (Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models").

    Attributes:
        kind: what it looks at: "canny", "hed", "tile", "depth", "openpose" or any name of your own; see
            `moviola.models.rerender.diffusion.controls` for those that are made here.
        model: the ControlNet: a folder, a file in safetensors or a hub name; None for the usual one of this kind.
        strength: how much it counts, 0 to 4.
        start, end: share of the steps that run between which it counts.
        low, high: thresholds of "canny", 0 to 255.
        annotator: the network that draws "depth" or "openpose" pictures: a folder or a hub name; None for the usual
            one (`moviola.models.rerender.diffusion.annotators`).
        detector: for "openpose" the one that finds people first.
    """

    kind: str = "canny"
    model: str | None = None
    strength: Weight = 1.0
    start: Share = 0.0
    end: Share = 1.0
    low: Annotated[int, Field(ge=0, le=255)] = 100
    high: Annotated[int, Field(ge=0, le=255)] = 200
    annotator: str | None = None
    detector: str | None = None


class LoraConfig(Config):
    """One LoRA (Hu et al. 2021).

    Attributes:
        path: a file in safetensors, a folder that holds one, or a hub name.
        weight: how much of it, -4 to 4; below 0 its opposite.
    """

    path: str
    weight: Annotated[float, Field(ge=-4, le=4)] = 1.0


class AttentionConfig(Config):
    """Style-aware cross-frame attention (Rerender-A-Video, section 4.1, "Style-aware cross-frame attention").

    Attributes:
        window: when it acts; None never.
        layers: which self-attentions: those of the decoder (as published), of decoder and middle, or all.
        own: let a frame also look at itself, not only at anchor and previous frame: looser, better for what has
            just come into view.
        store: precision in which features are kept.
        offload: keep them in the computer's memory, not on the card: slower, and saves card memory.
    """

    window: Window | None = (0.0, 1.0)
    layers: Literal["decoder", "middle", "all"] = "decoder"
    own: bool = False
    store: Literal["float16", "bfloat16", "float32"] = "float16"
    offload: bool = False


class ShapeConfig(Config):
    """Shape-aware fusion: the anchor's clean latent, warped (Rerender-A-Video, section 4.1, "Shape-aware").

    Attributes:
        window: when it acts; None never.
        strength: weight of the warped latent where the anchor is visible.
    """

    window: Window | None = (0.0, 0.1)
    strength: Share = 1.0


class PixelConfig(Config):
    """Pixel-aware fusion: painted anchor and previous frame, warped (Rerender-A-Video, section 4.1, "Pixel-aware").

    Attributes:
        window: when it acts; None never.
        strength: weight of the fused picture where anchor or previous frame is visible.
        fidelity: encode with the autoencoder's own loss made up for ("Fidelity-oriented image encoding").
        smooth: let the weight fall off towards what is hidden.
    """

    window: Window | None = (0.5, 0.8)
    strength: Share = 0.5
    fidelity: bool = True
    smooth: bool = True


class ColorConfig(Config):
    """Colour-aware adjustment: AdaIN on the clean latent (Rerender-A-Video, section 4.1, "Color-aware").

    Attributes:
        window: when it acts; None never.
    """

    window: Window | None = (0.8, 1.0)


class AnchorConfig(Config):
    """Which painted frame the others agree with.

    Attributes:
        mode: "first": the first frame for the whole video; "shot": the first of each shot; "adaptive": as "shot", and
            within a shot a frame that agrees with the anchor becomes the new one when the settings below say so.
        overlap: renew when less than this share of the frame is visible in the anchor ("adaptive").
        style: renew when the painted frame's style is farther from the anchor's than this; see `latents.style_distance`
            ("adaptive"); None never.
        every: renew after so many frames ("adaptive"); None never. The published code renews every tenth.
    """

    mode: Literal["first", "shot", "adaptive"] = "adaptive"
    overlap: Share = 0.4
    style: Annotated[float, Field(gt=0)] | None = 0.75
    every: Annotated[int, Field(ge=1)] | None = None


class FreeUConfig(Config):
    """FreeU (Si et al. 2023): how much backbone (b) and skip (s) features count in the decoder's first two stages.

    Attributes:
        s1, s2: of the skips, usually below 1.
        b1, b2: of the backbone, usually above 1.
    """

    s1: Annotated[float, Field(ge=0, le=3)] = 0.9
    s2: Annotated[float, Field(ge=0, le=3)] = 0.2
    b1: Annotated[float, Field(ge=0, le=3)] = 1.2
    b2: Annotated[float, Field(ge=0, le=3)] = 1.4


class DiffusionConfig(Config):
    """Settings of the diffusion painter.

    Attributes:
        model: SD 1.5, SD 2 or SDXL: a folder as diffusers saves it, one file in safetensors, or a hub name.
        controls: ControlNets, each with its strength.
        scheduler: a name of `schedulers.SCHEDULERS`, or "own" for the model's.
        steps: that are asked for.
        strength: share of the steps that runs: how much is repainted.
        guidance: weight of classifier-free guidance (Ho and Salimans 2022); 1 or less is none.
        eta: DDIM's share of fresh noise.
        extra_prompt: put behind every prompt.
        negative_prompt: what shall not be seen.
        size: shorter side that is painted, px; None the frame's own. Frames come back in their own size.
        dtype: precision; "auto" is float16 on CUDA (bfloat16 is given by name), float32 elsewhere.
        device: "auto", "cpu", "mps", "cuda" or "cuda:N".
        offload: keep the networks in the computer's memory and bring each to the card when it is used.
        loras: LoRAs, added up.
        freeu: FreeU's four numbers; None for none.
        clip_skip: layers of the text encoder that are left out at its end.
        attention, shape, pixel, color: the constraints between frames.
        anchor: which frame the others agree with.
        preserve_color: keep the input's colours; otherwise its histogram is brought to the painted anchor's first.
    """

    model: str = DEFAULT_MODEL
    controls: tuple[ControlConfig, ...] = ()
    scheduler: str = "dpm-2m"
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    strength: Annotated[float, Field(gt=0, le=1)] = 0.75
    guidance: Annotated[float, Field(ge=0)] = 7.5
    eta: Share = 0.0
    extra_prompt: str = ""
    negative_prompt: str = ""
    size: Annotated[int, Field(ge=16)] | None = 512
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    device: str = "auto"
    offload: bool = False
    loras: tuple[LoraConfig, ...] = ()
    freeu: FreeUConfig | None = None
    clip_skip: Annotated[int, Field(ge=1)] | None = None
    attention: AttentionConfig = AttentionConfig()
    shape: ShapeConfig = ShapeConfig()
    pixel: PixelConfig = PixelConfig()
    color: ColorConfig = ColorConfig()
    anchor: AnchorConfig = AnchorConfig()
    preserve_color: bool = True

    @field_validator("scheduler")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SCHEDULER_NAMES:
            raise ValueError(str(UnknownNameError.of("scheduler", name, SCHEDULER_NAMES)))
        return name

    @property
    def windows(self) -> dict[str, tuple[float, float] | None]:
        """The windows of the four constraints by name."""
        return {
            "cross-frame attention": self.attention.window,
            "shape-aware fusion": self.shape.window,
            "pixel-aware fusion": self.pixel.window,
            "colour adjustment (AdaIN)": self.color.window,
        }

    def plain(self) -> DiffusionConfig:
        """Return these settings with every constraint between frames off."""
        off = {"window": None}
        names = ("attention", "shape", "pixel", "color")
        parts = {name: getattr(self, name).model_copy(update=off) for name in names}
        return self.model_copy(update={**parts, "preserve_color": True})
