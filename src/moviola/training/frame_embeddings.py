"""What a frozen network makes of the frames of each clip, computed once and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.atomic import output_errors, write_atomic
from moviola.core.errors import WeightsError
from moviola.core.paths import cache_dir
from moviola.core.video import Video
from moviola.core.weights import load_tensors
from moviola.data.whole_clips import ClipTable

OFFLINE = "efficientnet-lite0"
Embedder = Callable[[Video], np.ndarray]
"""A video to one vector a frame, float32 (T, D)."""


def load_embedder(name: str, device: str = "cpu") -> tuple[Embedder, dict[str, str]]:
    """Return what embeds frames, and its identity.

    Args:
        name: "efficientnet-lite0" (its pooled features, 1280; needs no network access), or a CLIP model: a folder, or
            a hub name such as `openai/clip-vit-base-patch32`.
        device: where it runs.

    Raises:
        InputError: transformers is missing. WeightsError: no weights; one line that says how to get them.
    """
    if name == OFFLINE:
        from moviola.metrics.frames import load_efficientnet

        network = load_efficientnet(device, "data.embedder")
        return lambda video: network.look(video)[0], network.identity()
    from moviola.nn.pretrained.clip import load_clip

    clip = load_clip(name, device, "data.embedder")
    return clip.frames, clip.identity()


@torch.no_grad()
def embed_clips(clips: ClipTable, name: str, device: str = "cpu") -> Tensor:
    """Return the embeddings of every frame of every clip, float16 (V, T, D).

    They are kept in `cache_dir()/embeddings/` under the sha256 of the clips, their frames and the network.

    Args:
        clips: the data set.
        name: see `load_embedder`.
        device: where the network runs.

    Raises:
        InputError, WeightsError: see `load_embedder`. OutputError: the cache cannot be written.
    """
    from safetensors.torch import save

    embed, identity = load_embedder(name, device)
    key = hashlib.sha256(json.dumps([clips.fingerprint(), identity], sort_keys=True).encode()).hexdigest()
    path = cache_dir() / "embeddings" / f"{key}.safetensors"
    tensors = _read(path)
    if tensors is None:
        rows = [torch.from_numpy(embed(Video(clips.read(k), clips.fps))).half() for k in range(len(clips))]
        tensors = {"embeddings": torch.stack(rows)}
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, save(tensors))
    return tensors["embeddings"].half()


def _read(path: Any) -> dict[str, Tensor] | None:
    """Return what the cache holds; None for nothing, or a damaged file, which is made again."""
    try:
        return load_tensors(path) if path.is_file() else None
    except WeightsError:
        return None
