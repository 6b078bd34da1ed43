"""all-MiniLM-L6-v2, a sentence encoder of 22 million weights: a text in, 384 numbers out.

Wang et al. 2020, "MiniLM: Deep self-attention distillation", trained further on pairs of sentences by the makers of
sentence-transformers. As they use it: at most 256 word pieces, the mean over the tokens of the last layer, scaled to
length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.nn.pretrained.hub import import_transformers, load_network, load_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

NAME = "minilm"
MAX_TOKENS = 256


class SentenceEncoder:
    """Texts to vectors.

    Args:
        network: a transformers encoder.
        tokenizer: its tokenizer.
        max_tokens: longer texts are cut off.
        batch: texts at a time.
    """

    def __init__(self, network: Any, tokenizer: Any, max_tokens: int = MAX_TOKENS, batch: int = 64) -> None:
        self.network, self.tokenizer = network, tokenizer
        self.max_tokens, self.batch = max_tokens, batch

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of `texts`, float32 (N, D), each of length 1."""
        import torch

        # texts of like length go together, so that little is spent on padding
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows: list[Tensor] = []
        with torch.inference_mode():
            for start in range(0, len(texts), self.batch):
                rows.append(self._encode([texts[i] for i in order[start : start + self.batch]]))
        vectors = torch.cat(rows).float().cpu().numpy()
        return vectors[np.argsort(order)]

    def _encode(self, texts: list[str]) -> Tensor:
        import torch.nn.functional as F

        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.network.device)
        states = self.network(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        return F.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def convert(path: Path) -> dict[str, Tensor]:
    """Return the weights in the package's file `path` as they are; positions, which are no weights, are left out.

    Raises:
        WeightsError: the file is damaged.
    """
    from moviola.core.weights import load_tensors

    return {key: tensor for key, tensor in load_tensors(path).items() if not key.endswith("position_ids")}


def load_sentence_encoder(folder: Path, device: Any = "cpu", metric: str = "conse") -> SentenceEncoder:
    """Return the encoder in `folder`: `config.json`, `model.safetensors` and the tokenizer's files.

    Args:
        folder: the store's, that of `moviola.nn.pretrained.store.find_weights("minilm")`.
        device: where it goes.
        metric: name of the metric that needs it, for error lines.

    Raises:
        InputError: transformers is missing. WeightsError: the folder holds no such network.
    """
    transformers = import_transformers(metric)
    network: Any = load_network(transformers.AutoModel, folder, metric, ignore=("pooler.",))
    return SentenceEncoder(network.to(device), load_tokenizer(folder, metric))
