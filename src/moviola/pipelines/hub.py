"""Text-to-video pipelines of the diffusers library, from a folder or by hub name, as one more generator.

Whatever pipeline the folder names (ModelScope's and VideoFusion's `TextToVideoSDPipeline`, AnimateDiff, CogVideoX,
LTX, Wan ...), what it is asked and what it answers is read off its own signature: the number of frames, the frame rate,
steps and guidance have other names from one to the next. Only safetensors are read and no code beside the weights is
run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.core.cut_texts import notes_on_cut
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError, InputError, PromptError
from moviola.core.progress import bars_are_shown
from moviola.core.quiet import quiet_libraries
from moviola.core.rates import as_rate
from moviola.core.seeds import seeded
from moviola.core.video import Video
from moviola.pipelines.hub_files import (
    FRAME_ARGUMENTS,
    check_text_to_video,
    find_pipeline,
    import_diffusers,
)

if TYPE_CHECKING:
    import torch

_RATES = ("frame_rate", "fps", "target_fps")
_RESULTS = ("frames", "images", "videos", "video")
_SHAPES = re.compile(r"size of tensor|sizes? .*must match|shape .* is invalid|shapes cannot be multiplied")
_SHAPE_ARGUMENTS = (*FRAME_ARGUMENTS, "height", "width")
_TEMPORAL = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio", "vae_temporal_scale_factor")

# Frames a second that a pipeline was trained at, by the beginning of its class name, where no argument says it.
NATIVE_RATES = {
    "TextToVideoSD": 8,
    "TextToVideoZero": 4,
    "AnimateDiff": 8,
    "AnyFlow": 16,
    "Allegro": 15,
    "CogVideoX": 8,
    "Cosmos": 16,
    "EasyAnimate": 8,
    "Helios": 24,
    "HunyuanVideo": 24,
    "Kandinsky": 24,
    "Latte": 8,
    "Mochi": 30,
    "MotifVideo": 24,
    "SanaVideo": 16,
    "SkyReels": 24,
    "Wan": 16,
}
UNKNOWN_RATE = 8


@dataclass(frozen=True)
class Request:
    """What is asked of a pipeline; None leaves a setting to the pipeline.

    Attributes:
        prompt: any text.
        frames: at least 1.
        size: height and width, px.
        steps: denoising steps, at least 1.
        guidance: weight of classifier-free guidance, 0 or more (Ho and Salimans 2022, eq. 6, up to its form).
        fps: frames a second, above 0.
        negative: what shall not be seen; "" for nothing.
        seed: of all noise; the same video comes of it as of diffusers' own `torch.Generator("cpu").manual_seed(seed)`.

    Raises:
        PromptError: an empty prompt.
        ConfigError: a number outside its range.
    """

    prompt: str
    frames: int | None = None
    size: tuple[int, int] | None = None
    steps: int | None = None
    guidance: float | None = None
    fps: float | None = None
    seed: int = 0
    negative: str = ""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise PromptError("the prompt is empty; say what the video shows")
        numbers = {"frames": self.frames, "steps": self.steps}
        numbers |= dict(zip(("height", "width"), self.size, strict=True)) if self.size else {}
        for name, value in numbers.items():
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        if self.guidance is not None and not 0 <= self.guidance < float("inf"):
            raise ConfigError(f"guidance is {self.guidance}; it must be a number of at least 0")
        if self.fps is not None:
            as_rate(self.fps)


@dataclass(frozen=True, eq=False)
class Made:
    """A video and what is to be said about it.

    Attributes:
        video: of the size the pipeline chose or was asked for.
        notes: what was cut, guessed or ignored, one line each.
    """

    video: Video
    notes: tuple[str, ...]


def generate_from_hub(
    name: str,
    prompt: str,
    *,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    fps: float | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Video:
    """Make a video from a text with a diffusers pipeline; see `load_hub` and `HubPipeline.generate`.

    Args:
        name: a folder that holds `model_index.json`, or a hub name (owner/name); "hub:" before it is allowed.
        prompt: any text.
        frames: number of frames; None for the pipeline's own.
        size: (height, width), px; None for the pipeline's own.
        steps: denoising steps; None for the pipeline's own.
        guidance: weight of classifier-free guidance; None for the pipeline's own.
        fps: frames a second; None for the rate the pipeline was made for.
        seed: of all noise.
        device: "auto", "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        PromptError, ConfigError: see `Request`, and a setting that this pipeline does not have or refuses.
        WeightsError: no such pipeline, or not a whole text-to-video pipeline in safetensors.
        InputError: diffusers is not installed, or the pipeline stopped.
    """
    request = Request(prompt, frames, size, steps, guidance, fps, seed)
    return load_hub(name, device).generate(request).video


def load_hub(name: str, device: str = "cpu") -> HubPipeline:
    """Load a diffusers text-to-video pipeline.

    The hub is asked only for what is not on this machine yet. On CUDA the weights are bfloat16 (float16 where the card
    has no bfloat16), else float32; what does not fit on the card is moved there part by part as it is needed.

    Args:
        name: as for `generate_from_hub`.
        device: "auto", "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        WeightsError: no such pipeline, or not a whole text-to-video pipeline in safetensors.
        InputError: diffusers is not installed. ConfigError: no such device.
    """
    import torch

    import_diffusers()
    name = name.removeprefix("hub:")
    place = pick_device(device)
    dtype = torch.float32
    if place.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    pipeline = find_pipeline(name, dtype)
    _move(pipeline, place)
    return HubPipeline(pipeline, name)


def _move(pipeline: Any, device: torch.device) -> None:
    """Put a pipeline on a device; on a card without the room for all its weights, one network at a time."""
    import torch

    if device.type == "cuda":
        networks = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
        size = sum(p.numel() * p.element_size() for network in networks for p in network.parameters())
        if size > 0.8 * torch.cuda.mem_get_info(device)[0]:
            pipeline.enable_model_cpu_offload(device=device)
            return
    pipeline.to(device)


class HubPipeline:
    """A diffusers text-to-video pipeline behind one plain method.

    Args:
        pipeline: a loaded pipeline, on its device.
        name: for error lines.

    Raises:
        WeightsError: it is not a text-to-video pipeline.
    """

    def __init__(self, pipeline: Any, name: str = "") -> None:
        self.pipeline = pipeline
        self.title = type(pipeline).__name__
        self.name = f"hub:{name or self.title}"
        check_text_to_video(type(pipeline), self.name)
        self._parameters: Mapping[str, inspect.Parameter] = inspect.signature(pipeline.__call__).parameters

    @property
    def fps(self) -> Fraction | None:
        """Frames a second of its videos: its own default, else the published rate, else None."""
        named = self._named(_RATES)
        if named and isinstance(self._parameters[named].default, int | float):
            return as_rate(self._parameters[named].default)
        fitting = [start for start in NATIVE_RATES if self.title.startswith(start)]
        return as_rate(NATIVE_RATES[max(fitting, key=len)]) if fitting else None

    def default(self, argument: str) -> Any:
        """Return the default of an argument of its call; None where it has none, or no such argument."""
        known = self._parameters.get(argument)
        return None if known is None or known.default is known.empty else known.default

    def generate(self, request: Request) -> Made:
        """Make one video.

        A pipeline whose autoencoder packs several frames into one can make only certain numbers of frames: it is asked
        for the next larger one, and what is too much is cut off the end.

        Raises:
            ConfigError: a setting that this pipeline does not have, or more frames than it can make.
            InputError: the pipeline stopped: a size it cannot take, too little memory, a missing library ...
        """
        self._check_frames(request.frames)
        arguments = self._arguments(request)
        self.pipeline.set_progress_bar_config(disable=not bars_are_shown(), leave=False)
        with quiet_libraries() as heard, seeded(request.seed):
            frames = _as_uint8(self._call(arguments), self.name)
        notes = self._notes_on_cut(request)
        if not notes and any("truncated because" in message for message in heard):
            notes.append(f"the prompt is longer than {self.title} reads; its end was left out")
        if request.frames is not None and len(frames) < request.frames:
            notes.append(f"{self.title} made {len(frames)} frames, not {request.frames}")
        rate = self.fps if request.fps is None else as_rate(request.fps)
        if rate is None:
            rate = as_rate(UNKNOWN_RATE)
            notes.append(f"the frame rate of {self.title} is not known; {UNKNOWN_RATE} a second was taken")
        return Made(Video(frames[: request.frames], rate), tuple(notes))

    def _notes_on_cut(self, request: Request) -> list[str]:
        """Return what of the texts the pipeline's text encoders do not read, a line each."""
        texts = {"the prompt": request.prompt, "the negative prompt": request.negative}
        parts = (getattr(self.pipeline, name, None) for name in ("tokenizer", "tokenizer_2", "tokenizer_3"))
        tokenizers = [part for part in parts if hasattr(part, "model_max_length")]
        return notes_on_cut(texts, tokenizers, self.default("max_sequence_length"))

    def _check_frames(self, frames: int | None) -> None:
        """Refuse more frames than there are places in the motion modules' positional encodings."""
        most = self._most_frames()
        if frames is not None and most is not None and frames > most:
            raise ConfigError(f"{self.name}: {self.title} makes at most {most} frames, not {frames}")

    def _most_frames(self) -> int | None:
        if getattr(self.pipeline, "free_noise_enabled", False):  # then it looks at windows of frames
            return None
        parts = (getattr(self.pipeline, name, None) for name in ("motion_adapter", "unet"))
        most = (getattr(getattr(part, "config", None), "motion_max_seq_length", None) for part in parts)
        return next((int(value) for value in most if value), None)

    def _call(self, arguments: dict[str, Any]) -> Any:
        import torch

        try:
            return self.pipeline(**arguments)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"{self.name}: not enough memory on the device; ask for fewer frames or a smaller size"
            ) from error
        except Exception as error:  # a pipeline raises nearly everything
            said = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            if isinstance(error, RuntimeError) and _SHAPES.search(said):
                asked = ", ".join(f"{key} {arguments[key]}" for key in _SHAPE_ARGUMENTS if key in arguments)
                raise InputError(
                    f"{self.name}: {self.title} cannot make {asked or 'this'}: its networks are not made for that; "
                    "ask for fewer frames or another size"
                ) from error
            raise InputError(f"{self.name}: {self.title} stopped: {said}") from error

    def _named(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if name in self._parameters), None)

    def _arguments(self, request: Request) -> dict[str, Any]:
        """Return what the pipeline is called with: what was asked, under the names it has for it."""
        import torch

        asked: dict[str, tuple[tuple[str, ...], Any]] = {
            "frames": (FRAME_ARGUMENTS, request.frames and self._possible(request.frames)),
            "height": (("height",), request.size and request.size[0]),
            "width": (("width",), request.size and request.size[1]),
            "steps": (("num_inference_steps",), request.steps),
            "guidance": (("guidance_scale",), request.guidance),
            "a negative prompt": (("negative_prompt",), request.negative or None),
        }
        arguments: dict[str, Any] = {"prompt": request.prompt}
        for word, (names, value) in asked.items():
            if value is None:
                continue
            named = self._named(names)
            if named is None:
                raise ConfigError(f"{self.name}: {self.title} has no setting for {word}; leave it out")
            arguments[named] = value
        rate = self._named(_RATES)
        if rate and request.fps is not None:
            arguments[rate] = int(request.fps) if float(request.fps).is_integer() else float(request.fps)
        if "output_type" in self._parameters:
            arguments["output_type"] = "np"
        arguments["generator"] = torch.Generator("cpu").manual_seed(request.seed)
        return arguments

    def _possible(self, frames: int) -> int:
        """Return the smallest n of at least `frames` with n - 1 a multiple of the autoencoder's step in time."""
        found = (getattr(self.pipeline, name, None) for name in _TEMPORAL)
        step = next((int(value) for value in found if value), 1)
        return -(-(frames - 1) // step) * step + 1


def _as_uint8(result: Any, name: str) -> np.ndarray:
    """Return the frames of the first video of a pipeline's result as uint8 (T, H, W, 3).

    Args:
        result: has `frames` (or `images`): a list of lists of PIL images, or values in [0, 1] as an array
            (B, T, H, W, 3) or a tensor (B, T, 3, H, W); without B it is one video.
        name: for error lines.

    Raises:
        InputError: it has none, or values that are not finite.
    """
    value = next((v for v in (getattr(result, key, None) for key in _RESULTS) if v is not None), None)
    if value is None or len(value) == 0:
        raise InputError(f"{name}: the pipeline returned no frames")
    if isinstance(value, list | tuple):
        first = value[0] if isinstance(value[0], list | tuple) or np.ndim(value[0]) == 4 else value
        value = np.stack([np.asarray(f.convert("RGB") if hasattr(f, "convert") else f) for f in first])
    elif hasattr(value, "detach"):
        value = value.detach().cpu().float().numpy()
    array = np.asarray(value)
    array = array[0] if array.ndim == 5 else array
    if array.ndim == 4 and array.shape[-1] != 3 and array.shape[1] == 3:
        array = np.moveaxis(array, 1, -1)
    if array.ndim != 4 or array.shape[-1] != 3:
        raise InputError(f"{name}: the pipeline returned no video but an array of shape {array.shape}")
    if array.dtype == np.uint8:
        return array
    if not np.isfinite(array).all():
        raise InputError(
            f"{name}: the pipeline made values that are no numbers; try another precision or size"
        )
    return (array.astype(np.float32).clip(0, 1) * 255).round().astype(np.uint8)
