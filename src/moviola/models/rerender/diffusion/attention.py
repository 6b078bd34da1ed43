"""Cross-frame attention: a frame looks at the anchor and the previous frame instead of at itself.

Self-attention asks with a frame's own features and is answered by keys and values made from the same features. Here
keys and values are made from the features of the anchor and of the previous frame at the same layer and the same step,
so that what a frame shows is put together from what those showed. It hangs on the attention processors of the network
and knows nothing of the scheduler.

Source: Yang et al. 2023, "Rerender A Video", section 4.1, "Style-aware cross-frame attention" (after Wu et al. 2023,
"Tune-A-Video", section 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moviola.models.rerender.diffusion.config import AttentionConfig
from moviola.models.rerender.diffusion.windows import steps

if TYPE_CHECKING:
    from torch import nn

Features = dict[tuple[int, str], Tensor]  # (step, layer) -> (guidance branches, positions, channels)
_BLOCKS = {
    "decoder": ("up_blocks",),
    "middle": ("mid_block", "up_blocks"),
    "all": ("down_blocks", "mid_block", "up_blocks"),
}


def layer_names(unet: nn.Module, layers: str) -> list[str]:
    """Return the names of the self-attention processors that take part.

    Args:
        unet: a network of diffusers.
        layers: "decoder", "middle" (decoder and middle) or "all".
    """
    processors: Any = unet.attn_processors
    return [name for name in processors if name.startswith(_BLOCKS[layers]) and ".attn1." in name]


class CrossFrame:
    """What the processors of one frame read and write.

    Only features of the steps in the window and of the chosen layers are kept, so that what is held is that of two
    frames, anchor and previous, however many frames there are.

    Args:
        config: settings.
        n: steps that run.
        sources: features of the frames that are looked at, each as another frame's `features`; none to look at itself.

    Attributes:
        features: of the frame that is being painted.
        step: the step that is being made; the painter sets it.
    """

    def __init__(self, config: AttentionConfig, n: int, sources: tuple[Features, ...] = ()) -> None:
        self.config, self.sources = config, sources
        self.window = steps(config.window, n)
        self.features: Features = {}
        self.step = 0

    def context(self, layer: str, hidden: Tensor) -> Tensor | None:
        """Keep `hidden`, and return what keys and values are made from: None for the frame's own features.

        Args:
            layer: name of the processor.
            hidden: features that enter the layer, (guidance branches, positions, channels).
        """
        if self.step not in self.window:
            return None
        kept = hidden.detach().to(getattr(torch, self.config.store))
        # without a copy the network could write over what is kept
        self.features[self.step, layer] = kept.cpu() if self.config.offload else _apart(kept, hidden)
        if not self.sources:
            return None
        seen = [source[self.step, layer].to(hidden) for source in self.sources]
        return torch.cat([*seen, hidden] if self.config.own else seen, dim=1)

    def size(self) -> int:
        """Return how many bytes the features of this frame take."""
        return sum(value.numel() * value.element_size() for value in self.features.values())


def _apart(kept: Tensor, hidden: Tensor) -> Tensor:
    return kept.clone() if kept.data_ptr() == hidden.data_ptr() else kept


class CrossFrameProcessor:
    """An attention processor that hands another one the features of other frames.

    Whatever the other does (PyTorch's attention, slices, xFormers), LoRA included, it does with keys and values from
    there. Where nothing is to be changed it gets its arguments as they came.

    Args:
        base: the processor that stood there.
        layer: its name.
        frame: what is read and written.
    """

    def __init__(self, base: Any, layer: str, frame: CrossFrame) -> None:
        self.base, self.layer, self.frame = base, layer, frame

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        *args: Any,
        **options: Any,
    ) -> Tensor:
        """Do self-attention with keys and values from the frames that are looked at; (B, positions, C) in and out."""
        if encoder_hidden_states is None:
            encoder_hidden_states = self.frame.context(self.layer, hidden_states)
        return self.base(attn, hidden_states, encoder_hidden_states, *args, **options)


@contextmanager
def hooked(unet: nn.Module, frame: CrossFrame) -> Iterator[None]:
    """Put cross-frame processors into a network; afterwards it has its own again, whatever happened.

    Args:
        unet: a network of diffusers.
        frame: what is read and written; nothing is put in where its window is empty.
    """
    model: Any = unet
    before: Mapping[str, Any] = dict(model.attn_processors)
    names = layer_names(unet, frame.config.layers) if frame.window else []
    if not names:
        yield
        return
    changed = {name: CrossFrameProcessor(before[name], name, frame) for name in names}
    model.set_attn_processor({**before, **changed})
    try:
        yield
    finally:
        model.set_attn_processor(dict(before))
