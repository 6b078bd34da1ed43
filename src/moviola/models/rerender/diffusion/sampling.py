"""The denoising loop: a frame's latent is noised and denoised by a pipeline's networks, with constraints on the way.

With every constraint off it makes the same draws and the same sums, in the same order, as the image-to-image pipelines
of the diffusers library do, so that the pictures are equal to rounding (a test holds this for every scheduler).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.cut_texts import notes_on_cut
from moviola.core.errors import ConfigError, InputError, PromptError
from moviola.core.optional import require
from moviola.models.rerender.diffusion import latents
from moviola.models.rerender.diffusion.attention import CrossFrame, hooked
from moviola.models.rerender.diffusion.config import DiffusionConfig
from moviola.models.rerender.diffusion.constraints import Constraints
from moviola.models.rerender.diffusion.known import Known, repainted_latents
from moviola.models.rerender.diffusion.loading import freeu
from moviola.models.rerender.diffusion.schedulers import Schedule, make_scheduler, schedule, step_options
from moviola.models.rerender.diffusion.windows import steps

AESTHETIC, UNAESTHETIC = 6.0, 2.5  # what SDXL's refiner is told about wanted and unwanted pictures

_BASE = {
    "cross_attention_dim": "width of the text is",
    "in_channels": "number of latent channels is",
    "block_out_channels": "widths of the blocks are",
    "layers_per_block": "number of layers per block is",
    "addition_embed_type": "condition beside the text is",
    "projection_class_embeddings_input_dim": "width of that condition is",
}
"""What a ControlNet and its network have in common: settings of diffusers, and what they are."""


@dataclass(frozen=True, eq=False)
class Text:
    """A prompt as the network takes it.

    Attributes:
        embeds: (branches, tokens, width), with guidance the unwanted text first.
        added: what SDXL takes beside it.
    """

    embeds: Tensor
    added: dict[str, Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Denoised:
    """What the loop gives.

    Attributes:
        latent: (1, C, h, w).
        clean: predicted x0, after the constraints, of those steps that are recorded; float32.
    """

    latent: Tensor
    clean: dict[int, Tensor]


class Sampler:
    """A pipeline's networks and how they are used. The pipeline is read and never changed.

    Args:
        pipeline: an image-to-image pipeline of diffusers, SD or SDXL, with or without ControlNets.
        config: settings.

    Raises:
        ConfigError: the number of ControlNets and of settings for them differ, or one is of a kind that is not
            supported or for another base model; the model wants more than a noisy latent.
    """

    def __init__(self, pipeline: Any, config: DiffusionConfig) -> None:
        self.pipeline, self.config = pipeline, config
        self.large = "XL" in type(pipeline).__name__
        net = getattr(pipeline, "controlnet", None)
        self.nets = [] if net is None else list(getattr(net, "nets", [net]))
        if len(self.nets) != len(config.controls):
            raise ConfigError(
                f"the pipeline has {len(self.nets)} ControlNets and the settings name {len(config.controls)}"
            )
        if any(net.config.global_pool_conditions for net in self.nets):
            raise ConfigError("ControlNets that look at pooled pictures (shuffle) are not supported")
        _check_channels(pipeline)
        for net, control in zip(self.nets, config.controls, strict=True):
            _check_base(net, pipeline.unet, control.kind)
        make_scheduler(config.scheduler, pipeline.scheduler)  # whether it can be made

    @property
    def guided(self) -> bool:
        """Whether the network is asked twice a step, with and without the prompt."""
        embedded = hasattr(self.pipeline, "get_guidance_scale_embedding") and self._guidance_width is not None
        return self.config.guidance > 1 and not embedded

    @property
    def _guidance_width(self) -> int | None:
        return self.pipeline.unet.config.time_cond_proj_dim

    @property
    def factor(self) -> int:
        """Pixels per latent, one way."""
        return int(self.pipeline.vae_scale_factor)

    def schedule(self) -> Schedule:
        """Return a new scheduler, set, with the steps that run."""
        made = make_scheduler(self.config.scheduler, self.pipeline.scheduler)
        return schedule(made, self.config.steps, self.config.strength, self.pipeline._execution_device)

    @property
    def runs(self) -> int:
        """Number of steps that really run."""
        return len(self.schedule().timesteps)

    def text(self, prompt: str, height: int, width: int) -> Text:
        """Return a prompt for frames of a size in px.

        Raises:
            PromptError: the prompt is empty. ConfigError: `clip_skip` leaves no layer of a text encoder.
        """
        if not prompt.strip():
            raise PromptError("the prompt is empty; say what the video shall look like")
        config, pipe = self.config, self.pipeline
        device = pipe._execution_device
        self._check_skip()
        full = self._full(prompt)
        unwanted = config.negative_prompt or None
        if not self.large:
            given = self._skipped(full) if config.clip_skip else None
            wanted, other = pipe.encode_prompt(full, device, 1, self.guided, unwanted, prompt_embeds=given)
            return Text(torch.cat([other, wanted]) if self.guided else wanted)
        wanted, other, pooled, other_pooled = pipe.encode_prompt(
            full, None, device, 1, self.guided, unwanted, None, clip_skip=config.clip_skip
        )
        return self._large_text(wanted, other, pooled, other_pooled, (height, width))

    def _full(self, prompt: str) -> str:
        return f"{prompt}, {self.config.extra_prompt}" if self.config.extra_prompt else prompt

    def text_notes(self, prompt: str) -> list[str]:
        """Return one line for each text of which something has no effect: what the text encoders do not read."""
        texts = {"the prompt": self._full(prompt)}
        if self.config.negative_prompt and not self.guided:
            return [
                *notes_on_cut(texts, self._tokenizers),
                "the negative prompt has no effect without guidance; set guidance above 1",
            ]
        return notes_on_cut({**texts, "the negative prompt": self.config.negative_prompt}, self._tokenizers)

    @property
    def _tokenizers(self) -> list[Any]:
        found = (getattr(self.pipeline, name, None) for name in ("tokenizer", "tokenizer_2"))
        return [tokenizer for tokenizer in found if tokenizer is not None]

    def _check_skip(self) -> None:
        """Refuse to leave out more layers of a text encoder than it has.

        SDXL reads its encoders' last layer but one anyway; `clip_skip` counts from there (Podell et al. 2023).
        """
        found = (getattr(self.pipeline, name, None) for name in ("text_encoder", "text_encoder_2"))
        layers = min(int(encoder.config.num_hidden_layers) for encoder in found if encoder is not None)
        most = layers - 1 if self.large else layers
        if self.config.clip_skip is not None and self.config.clip_skip > most:
            raise ConfigError(
                f"clip_skip {self.config.clip_skip}: the text encoder has {layers} layers; give at most {most}"
            )

    def _skipped(self, prompt: str) -> Tensor:
        """Return a prompt's embedding by the text encoder without its last `clip_skip` layers."""
        tokenizer, encoder = self.pipeline.tokenizer, self.pipeline.text_encoder
        length = tokenizer.model_max_length
        tokens = tokenizer(
            prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        device = self.pipeline._execution_device
        states = encoder(tokens.input_ids.to(device), output_hidden_states=True).hidden_states
        skip = self.config.clip_skip or 0
        norm = getattr(encoder, "text_model", encoder).final_layer_norm  # transformers 5 has no text_model
        return norm(states[-1 - skip])

    def _large_text(
        self, wanted: Tensor, other: Tensor, pooled: Tensor, other_pooled: Tensor, size: tuple[int, int]
    ) -> Text:
        """Return SDXL's conditions: text and sizes (Podell et al. 2023, section 2.2)."""
        pipe = self.pipeline
        second = pipe.text_encoder_2
        width = int(pooled.shape[-1]) if second is None else second.config.projection_dim
        sizes, other_sizes = pipe._get_add_time_ids(
            size,
            (0, 0),
            size,
            AESTHETIC,
            UNAESTHETIC,
            size,
            (0, 0),
            size,
            dtype=wanted.dtype,
            text_encoder_projection_dim=width,
        )
        if self.guided:
            wanted, pooled = torch.cat([other, wanted]), torch.cat([other_pooled, pooled])
            sizes = torch.cat([other_sizes, sizes])
        device = pipe._execution_device
        return Text(wanted.to(device), {"text_embeds": pooled.to(device), "time_ids": sizes.to(device)})

    def denoise(
        self,
        picture: Tensor,
        text: Text,
        seen: Sequence[Tensor],
        seed: int,
        frame: CrossFrame,
        constraints: Constraints,
        mask: np.ndarray | None = None,
    ) -> Denoised:
        """Repaint a picture's latent.

        Args:
            picture: float32 (1, 3, H, W) in [-1, 1], H and W multiples of `factor`.
            text: the prompt.
            seen: what each ControlNet looks at, float32 (1, 3, H, W) in [0, 1].
            seed: of all noise, as of `torch.Generator("cpu").manual_seed(seed)`.
            frame: cross-frame attention of this frame.
            constraints: on the clean latent.
            mask: above 0 where the picture is repainted, float32 (h, w) of any size; None for all of it.

        Raises:
            InputError: the networks gave values that are no numbers.
        """
        plan = self.schedule()
        generator = torch.Generator("cpu").manual_seed(seed)
        encoded, noise = self._encoded(picture, generator, text.embeds.dtype)
        latent = plan.scheduler.add_noise(encoded, noise, plan.timesteps[:1])
        known = None
        if mask is not None:
            known = Known(encoded, noise, repainted_latents(mask, *encoded.shape[-2:]))
        looked = self._conditions(seen)
        options = step_options(plan.scheduler, self.config.eta, generator)
        clean: dict[int, Tensor] = {}
        keep = self._recorded(len(plan.timesteps))
        unet = self.pipeline.unet
        with hooked(unet, frame), freeu(unet, self.config.freeu):
            for i, t in enumerate(plan.timesteps):
                frame.step = i
                output = self._predict(latent, i, t, plan, text, looked)
                if constraints.acts(i) or i in keep:
                    level = plan.level(i)
                    found = level.clean(output, latent)
                    if constraints.acts(i):
                        found = constraints.apply(i, found)
                        output = level.output(found, latent).to(output.dtype)
                    if i in keep:
                        clean[i] = found
                latent = plan.scheduler.step(output, t, latent, **options, return_dict=False)[0]
                if known is not None:
                    latent = known.put(latent, i, plan)
        if not torch.isfinite(latent).all():
            raise InputError(
                "the diffusion model made values that are no numbers; try dtype=float32 (or bfloat16 on a card)"
            )
        return Denoised(latent, clean)

    def _recorded(self, n: int) -> set[int]:
        """Return the steps whose clean latent later frames may ask for."""
        return {*steps(self.config.shape.window, n), *steps(self.config.color.window, n)}

    def _encoded(
        self, picture: Tensor, generator: torch.Generator, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Return the picture's latent and the noise of the first step."""
        randn_tensor = require("diffusers.utils.torch_utils", "the diffusion painter").randn_tensor
        device = self.pipeline._execution_device
        latent = latents.encode(self.pipeline.vae, picture.to(device, dtype), dtype, generator)
        return latent, randn_tensor(latent.shape, generator=generator, device=device, dtype=dtype)

    def _conditions(self, seen: Sequence[Tensor]) -> list[Tensor]:
        device = self.pipeline._execution_device
        pictures = [  # the repetition, of one, is the pipelines': it settles how the picture lies in memory
            picture.repeat_interleave(1, dim=0).to(device, net.dtype)
            for net, picture in zip(self.nets, seen, strict=True)
        ]
        return [torch.cat([picture] * 2) if self.guided else picture for picture in pictures]

    def _predict(
        self, latent: Tensor, i: int, t: Tensor, plan: Schedule, text: Text, looked: Sequence[Tensor]
    ) -> Tensor:
        """Return the network's output at step `i`, with guidance (Ho and Salimans 2022, equation 6)."""
        entering = torch.cat([latent] * 2) if self.guided else latent
        entering = plan.scheduler.scale_model_input(entering, t)
        options: dict[str, Any] = {"added_cond_kwargs": dict(text.added) if text.added else None}
        if self.nets:
            down, middle = self._residuals(entering, i, t, len(plan.timesteps), text, looked)
            options |= {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        elif hasattr(self.pipeline, "get_guidance_scale_embedding") and self._guidance_width is not None:
            weight = torch.tensor([self.config.guidance - 1])
            embedded = self.pipeline.get_guidance_scale_embedding(weight, embedding_dim=self._guidance_width)
            options["timestep_cond"] = embedded.to(device=latent.device, dtype=latent.dtype)
        unet = self.pipeline.unet
        output = unet(entering, t, encoder_hidden_states=text.embeds, return_dict=False, **options)[0]
        if not self.guided:
            return output
        without, wanted = output.chunk(2)
        return without + self.config.guidance * (wanted - without)

    def _residuals(
        self, entering: Tensor, i: int, t: Tensor, n: int, text: Text, looked: Sequence[Tensor]
    ) -> tuple[Any, Any]:
        """Return what the ControlNets add to the network's features."""
        strengths = [
            control.strength * (1.0 - float(i / n < control.start or (i + 1) / n > control.end))
            for control in self.config.controls
        ]
        several = len(self.nets) > 1 or hasattr(self.pipeline.controlnet, "nets")
        options = {"added_cond_kwargs": dict(text.added)} if text.added else {}
        return self.pipeline.controlnet(
            entering,
            t,
            encoder_hidden_states=text.embeds,
            controlnet_cond=list(looked) if several else looked[0],
            conditioning_scale=strengths if several else strengths[0],
            return_dict=False,
            **options,
        )


def _check_channels(pipeline: Any) -> None:
    """Refuse networks that take more than a noisy latent: those for inpainting, of pix2pix, with depth.

    Raises:
        ConfigError: it is one.
    """
    wanted, given = pipeline.unet.config.in_channels, pipeline.vae.config.latent_channels
    if wanted != given:
        raise ConfigError(
            f"the model's UNet takes {wanted} channels and a latent has {given}: it is one for inpainting or the like; "
            "give a plain text-to-image model"
        )


def _check_base(net: Any, unet: Any, kind: str) -> None:
    """Compare a ControlNet with the network that it is to control.

    Raises:
        ConfigError: it is for another base model.
    """
    for key, meaning in _BASE.items():
        mine, own = getattr(net.config, key, None), getattr(unet.config, key, None)
        if mine != own:
            raise ConfigError(
                f"the ControlNet {kind!r} is for another base model: its {meaning} {_said(mine)}, the model's "
                f"{_said(own)}; give one made for this model (SD 1.5, SD 2 and SDXL each have their own)"
            )


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@contextmanager
def room() -> Iterator[None]:
    """Turn a card that is full into one line that says which settings lower what is needed.

    Raises:
        InputError: the card has no memory left.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise InputError(
            "the card's memory is full; lower size, or set attention.offload=true, offload=true, dtype=float16, or "
            "attention.window to fewer steps"
        ) from None
