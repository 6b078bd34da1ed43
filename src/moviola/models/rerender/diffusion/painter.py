"""The diffusion painter: key frames repainted from a text so that they agree with one another.

Source: Yang et al. 2023, "Rerender A Video", section 4.1, on any scheduler of the diffusers library.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.quiet import quiet_libraries
from moviola.core.resample import resize_frames
from moviola.models.rerender.diffusion import latents
from moviola.models.rerender.diffusion.attention import CrossFrame
from moviola.models.rerender.diffusion.config import DiffusionConfig
from moviola.models.rerender.diffusion.constraints import Constraints, Flows, Link, link
from moviola.models.rerender.diffusion.controls import annotate, check, condition
from moviola.models.rerender.diffusion.known import check_mask
from moviola.models.rerender.diffusion.loading import load_pipeline
from moviola.models.rerender.diffusion.memory import Memory, Record
from moviola.models.rerender.diffusion.motion import DirectFlows
from moviola.models.rerender.diffusion.sampling import Sampler, Text, room
from moviola.models.rerender.diffusion.windows import empty_notes, steps


class DiffusionPainter:
    """Key frames repainted with Stable Diffusion and ControlNets.

    The pipeline is used and never changed: between two frames, and after an error, it is as it was given.

    Args:
        pipeline: an image-to-image pipeline of diffusers (SD 1.5, SD 2 or SDXL), on its device, with as many
            ControlNets as `config.controls` has. `config.model`, `dtype`, `device` and `offload` are not looked at.
        config: settings.

    Attributes:
        notes: what is to be said, one line each: windows that hold no step, words that the text encoder does not read,
            layers of a LoRA that do not fit.

    Raises:
        ConfigError: settings and pipeline do not go together, or no step would run.
    """

    def __init__(self, pipeline: Any, config: DiffusionConfig) -> None:
        if config.loras and not pipeline.get_list_adapters():
            raise ConfigError(
                "loras are for a model that is loaded by name; load them into the pipeline that you give"
            )
        self.pipeline, self.config = pipeline, config
        self.sampler = Sampler(pipeline, config)
        self.notes = empty_notes(config.windows, self.sampler.runs)

    @classmethod
    def load(cls, config: DiffusionConfig) -> DiffusionPainter:
        """Load the model, ControlNets and LoRAs that `config` names.

        Raises:
            WeightsError: one of them is not there or cannot be loaded; one line that says what to do.
            InputError: diffusers is not installed, or the card is full. ConfigError: see the class.
        """
        with room():
            pipeline, notes = load_pipeline(config)
            painter = cls(pipeline, config)
        painter.notes[:0] = notes
        return painter

    def paint(
        self,
        frames: Sequence[np.ndarray],
        prompt: str,
        *,
        seed: int = 0,
        anchors: Collection[int] = (0,),
        flows: Flows | None = None,
        controls: Mapping[str, Sequence[np.ndarray]] | None = None,
        masks: Sequence[np.ndarray] | None = None,
        memory: Memory | None = None,
    ) -> Iterator[np.ndarray]:
        """Repaint key frames, one after the other.

        Every frame starts from the same noise. The memory needed does not grow with their number.

        Args:
            frames: the key frames, uint8 (H, W, 3) of one size; `frames[i]` is asked for when it is needed.
            prompt: what the video shall look like.
            seed: of all noise.
            anchors: places in `frames` where a shot begins; these are painted on their own. 0 always is.
                Not looked at when `config.anchor.mode` is "first".
            flows: (i, j) -> flow from frame i to frame j, float32 (2, H, W) in px, x before y, and where frame i is
                hidden in frame j, bool (H, W); None for `DirectFlows(frames)`.
            controls: pictures made elsewhere for ControlNets, by kind, uint8 (h, w, 3), one for each frame.
            masks: what of each frame is repainted, float32 (H, W), where above 0; the latents of the rest are the
                frame's, noised anew at each step (`moviola.models.rerender.diffusion.known`). None for all of it.
            memory: what was painted before; frames that it has seen are left out. It is changed: after each frame it
                can be saved, and a later call that is given it goes on from there to the same pictures.

        Yields:
            uint8 (H, W, 3), of the size of `frames`, in their order.

        Raises:
            PromptError: the prompt is empty. ConfigError: frames of several sizes, wrong control pictures or flows.
            InputError: the card is full, or a library is missing.
        """
        memory = Memory() if memory is None else memory
        given = controls or {}
        check(self.config.controls, given, len(frames))
        if memory.done >= len(frames):
            return
        small = self._small(frames[memory.done])
        self._check(memory, small)
        flows = flows or DirectFlows(frames)
        text = self._text(prompt, *small.shape[:2])
        for i in range(memory.done, len(frames)):
            frame = frames[i]
            small = self._small(frame, small.shape)
            pictures = [given[c.kind][i] if c.kind in given else None for c in self.config.controls]
            device = str(self.pipeline._execution_device)
            with room(), torch.no_grad():
                seen = [
                    condition(annotate(small, control, picture, device))
                    for control, picture in zip(self.config.controls, pictures, strict=True)
                ]
                links = self._links(i, memory, anchors, flows)
                mask = None if masks is None else check_mask(masks[i], frame.shape[:2])
                painted = self._one(i, small, seen, text, seed, links, memory, mask)
            yield resize_frames(painted[None], *frame.shape[:2], kernel="bicubic")[0]

    def _text(self, prompt: str, height: int, width: int) -> Text:
        """Return the prompt as the network takes it, and note what of it is left out."""
        with room(), torch.no_grad(), quiet_libraries():
            text = self.sampler.text(prompt, height, width)
            notes = self.sampler.text_notes(prompt)
        self.notes += [note for note in notes if note not in self.notes]
        return text

    def _one(
        self,
        i: int,
        small: np.ndarray,
        seen: Sequence[Tensor],
        text: Text,
        seed: int,
        links: Sequence[Link],
        memory: Memory,
        mask: np.ndarray | None,
    ) -> np.ndarray:
        """Paint frame `i`, note it in the memory, and return it at the size that is painted."""
        sampler, config = self.sampler, self.config
        frame = CrossFrame(config.attention, sampler.runs, tuple(found.record.features for found in links))
        vae, dtype = self.pipeline.vae, text.embeds.dtype
        constraints = Constraints(config, sampler.runs, vae, dtype, *links)
        if links and not config.preserve_color:
            small = latents.match_colors(small, latents.to_frame(links[0].record.painted))
        made = sampler.denoise(latents.to_tensor(small), text, seen, seed, frame, constraints, mask)
        decoded = latents.decode(vae, made.latent)
        place = torch.device("cpu") if config.attention.offload else decoded.device
        record = Record(
            i,
            decoded.float().to(place),
            made.latent.float().to(place),
            {step: clean.to(place) for step, clean in made.clean.items()},
            frame.features,
        )
        memory.take(record, anchor=not links or self._renew(i, links[0], record))
        return latents.to_frame(decoded)

    def _check(self, memory: Memory, small: np.ndarray) -> None:
        """See whether a memory is of a run with these settings.

        Raises:
            ConfigError: it is not.
        """
        config, n = self.config, self.sampler.runs
        wanted = set(steps(config.attention.window, n))
        kept = {*steps(config.shape.window, n), *steps(config.color.window, n)}
        for record in memory.sources:
            looked = {step for step, _ in record.features}
            same = record.painted.shape[-2:] == small.shape[:2]
            if not same or looked != wanted or set(record.clean) != kept:
                raise ConfigError(
                    "the painter's memory is of a run with other settings (size, steps, strength or windows); "
                    "begin anew, or go on with the settings of that run"
                )

    def _links(self, i: int, memory: Memory, anchors: Collection[int], flows: Flows) -> list[Link]:
        """Return how frame `i` goes over into anchor and previous frame; nothing where it is painted on its own."""
        if i == 0 or (self.config.anchor.mode != "first" and i in anchors):
            return []
        if not any(self.config.windows.values()) and self.config.preserve_color:
            return []
        return [link(i, record, flows) for record in memory.sources]

    def _renew(self, i: int, anchor: Link, record: Record) -> bool:
        """Whether a frame that was painted to agree with the anchor becomes the anchor of those that follow."""
        rules = self.config.anchor
        if rules.mode != "adaptive":
            return False
        if rules.every is not None and i - anchor.record.index >= rules.every:
            return True
        if anchor.overlap < rules.overlap:
            return True
        return (
            rules.style is not None
            and latents.style_distance(anchor.record.latent, record.latent) > rules.style
        )

    def _small(self, frame: np.ndarray, wanted: tuple[int, ...] | None = None) -> np.ndarray:
        """Return a frame at the size that is painted: the shorter side as set, both multiples of the factor.

        Raises:
            ConfigError: the frame is no picture, or of another size than those before (`wanted`).
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ConfigError(f"a frame is uint8 (H, W, 3), not {frame.dtype} {frame.shape}")
        rows, columns = frame.shape[:2]
        height, width = painted_size(rows, columns, self.config.size, self.sampler.factor)
        if wanted is not None and wanted[:2] != (height, width):
            raise ConfigError(f"key frames are of one size; one is {frame.shape[1]}x{frame.shape[0]}")
        return resize_frames(frame[None], height, width, kernel="lanczos")[0]


def painted_size(height: int, width: int, size: int | None, factor: int) -> tuple[int, int]:
    """Return the height and width at which a frame is painted.

    Args:
        height, width: of the frame, px.
        size: shorter side wanted, px; None for the frame's own.
        factor: both are whole multiples of this.
    """
    scale = 1.0 if size is None else size / min(height, width)
    rows, columns = (max(factor, round(side * scale / factor) * factor) for side in (height, width))
    return rows, columns
