"""CLIP: pictures and texts in one space (Radford et al. 2021), by hub name or from a folder.

Pictures are prepared as the model's own `preprocessor_config.json` says (for OpenAI's models: shorter side to 224 px,
bicubic with antialiasing, middle cut out); texts are cut off at the length the model was trained with (77 tokens).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.errors import InputError
from moviola.core.resample import Kernel
from moviola.core.video import Video
from moviola.nn.pretrained.hub import (
    Normalise,
    fingerprint,
    import_transformers,
    load_network,
    load_tokenizer,
    read_preparation,
)

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# Pillow's numbers
_KERNELS: dict[int, Kernel] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}


class CLIP:
    """A CLIP model ready to embed frames and texts.

    Args:
        network: a transformers `CLIPModel`.
        tokenizer: its tokenizer.
        said: its `preprocessor_config.json`, may be empty.
        name: for reports.
        batch: frames or texts at a time.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        preprocessor: Mapping[str, Any],
        name: str = "clip",
        batch: int = 16,
    ) -> None:
        self.network, self.tokenizer, self.name, self.batch = network, tokenizer, name, batch
        side = network.config.vision_config.image_size
        self.edge = _side(preprocessor.get("size", {"shortest_edge": side}), side)
        self.window = (
            _side(preprocessor.get("crop_size", side), side)
            if preprocessor.get("do_center_crop", True)
            else 0
        )
        self.kernel: Kernel = _KERNELS.get(int(preprocessor.get("resample", 3)), "bicubic")
        self.normalise = Normalise.of(preprocessor, MEAN, STD)
        self.max_tokens = network.config.text_config.max_position_embeddings
        self.sha256 = fingerprint(network)

    def identity(self) -> dict[str, str]:
        """Return what changes the embeddings."""
        resize = f"{self.kernel} {self.edge} crop {self.window}, {self.normalise.text()}"
        return {"network": f"CLIP {self.name}", "sha256": self.sha256, "resize": resize}

    def prepare(self, video: Video) -> Any:
        """Return the frames as the network takes them, torch float32 (T, 3, S, S)."""
        height, width = video.height, video.width
        if self.window:
            # the longer side is rounded down, as CLIP's authors do
            scale = self.edge / min(height, width)
            height, width = (
                self.edge if v == min(height, width) else int(v * scale) for v in (height, width)
            )
            video = video.resize(height, width, self.kernel)
            video = _middle(video, self.window)
        else:
            video = video.resize(self.edge, self.edge, self.kernel)
        return self.normalise(video.to_tensor())

    def frames(self, video: Video) -> np.ndarray:
        """Return the embeddings of the frames, float32 (T, D), each of length 1."""
        pixels = self.prepare(video).to(self.network.device)
        parts = [self.network.get_image_features(pixel_values=part) for part in _parts(pixels, self.batch)]
        return _unit(parts)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings of `texts`, float32 (N, D), each of length 1."""
        rows = []
        for start in range(0, len(texts), self.batch):
            part = list(texts[start : start + self.batch])
            tokens = self.tokenizer(
                part, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
            ).to(self.network.device)
            inputs = {key: tokens[key] for key in ("input_ids", "attention_mask") if key in tokens}
            rows.append(self.network.get_text_features(**inputs))
        return _unit(rows)


def _parts(pixels: Any, batch: int) -> list[Any]:
    return [pixels[start : start + batch] for start in range(0, len(pixels), batch)]


def _unit(outputs: Sequence[Any]) -> np.ndarray:
    """Join what the network returned (transformers 5 wraps it, 4 does not) and scale every row to length 1."""
    import torch

    rows = [output if isinstance(output, torch.Tensor) else output.pooler_output for output in outputs]
    return torch.nn.functional.normalize(torch.cat(rows).float(), dim=1).cpu().numpy()


def _middle(video: Video, side: int) -> Video:
    top, left = (video.height - side) // 2, (video.width - side) // 2
    if min(top, left) < 0:
        raise InputError(f"frames of {video.height}x{video.width} do not hold a window of {side} px")
    return video.crop(top, left, side, side)


def _side(size: Any, default: int) -> int:
    if isinstance(size, Mapping):
        return int(size.get("shortest_edge") or size.get("height") or default)
    return int(size)


def load_clip(source: str | Path, device: Any = "cpu", metric: str = "clip-score") -> CLIP:
    """Return the CLIP model at `source`.

    Args:
        source: a folder, or a hub name such as `openai/clip-vit-base-patch32`.
        device: where it goes.
        metric: name of the metric that needs it, for error lines.

    Raises:
        InputError: transformers is missing. WeightsError: no CLIP model there, or the hub is out of reach.
    """
    transformers = import_transformers(metric)
    network: Any = load_network(transformers.CLIPModel, source, metric)
    tokenizer = load_tokenizer(source, metric)
    preprocessor = read_preparation(source, metric)
    return CLIP(network.to(device), tokenizer, preprocessor, name=Path(str(source)).name)
