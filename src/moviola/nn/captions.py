"""Caption encoders: a row of slots to a vector, in four ways that can take each other's place.

`moviola.nn.slots.SlotEmbedding` is the first of them; all map int64 (B, S), 0 for "not said", to float32 (B, D).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.errors import ConfigError
from moviola.nn.slots import SlotEmbedding

CaptionEncoderName = Literal["embedding", "one-hot", "lstm", "sentence"]
Describe = Callable[[list[int]], str]
Encode = Callable[[Sequence[str]], np.ndarray]
SENTENCE_WIDTH = 384
"""D of the vectors of all-MiniLM-L6-v2."""
_CACHE_SIZE = 1 << 16


class OneHotCaption(nn.Module):
    """The caption as a one-hot matrix, a row a slot, flattened and fed to one dense layer.

    Source: the document "Videogeneration", section "Network Architecture" (sentences as one-hot encoded matrices).

    Args:
        sizes: number of values of each slot; each gets one more value, 0, for "not said".
        width: D of the result.
    """

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.columns = max(sizes) + 1
        self.dense = nn.Linear(len(sizes) * self.columns, width)

    def matrix(self, slots: Tensor) -> Tensor:
        """Map slots, int64 (B, S), to the matrices, float32 (B, S, V), V the most values of any slot and one."""
        return F.one_hot(slots, self.columns).float()

    def forward(self, slots: Tensor) -> Tensor:
        """Map slots, int64 (B, S), to float32 (B, width)."""
        return self.dense(self.matrix(slots).flatten(1))


class LstmCaption(nn.Module):
    """Word embeddings through an LSTM, whose last state is the vector.

    A row of slots becomes a sentence by taking the values that are said, in the order of the slots, as its words:
    "red hair", "walks", "to the left" is a sentence of three words. A slot that is not said is no word.

    Args:
        sizes: number of values of each slot.
        width: D of the result, the size of the LSTM's state.
        embedding: size of a word's vector.
        free_text: all slots share one list of words, so that a word has one vector wherever it stands.

    Raises:
        ConfigError: `free_text`, and the slots have different numbers of values.
    """

    starts: Tensor

    def __init__(
        self, sizes: tuple[int, ...], width: int, embedding: int = 256, *, free_text: bool = False
    ) -> None:
        super().__init__()
        if free_text and len(set(sizes)) > 1:
            raise ConfigError(f"free text has one list of words, not slots of {list(sizes)} values")
        starts = [0] * len(sizes) if free_text else [sum(sizes[:i]) for i in range(len(sizes))]
        self.register_buffer("starts", torch.tensor(starts), persistent=False)
        self.table = nn.Embedding(1 + (sizes[0] if free_text else sum(sizes)), embedding)
        self.lstm = nn.LSTM(embedding, width, batch_first=True)

    def words(self, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Map slots, int64 (B, S), to words from the left, int64 (B, S), 0 behind the last, and their number (B,)."""
        is_filled = slots > 0
        words = (slots + self.starts) * is_filled
        order = (~is_filled).int().argsort(dim=1, stable=True)
        return words.gather(1, order), is_filled.sum(dim=1)

    def forward(self, slots: Tensor) -> Tensor:
        """Map slots, int64 (B, S), to float32 (B, width); zeros where nothing is said."""
        words, count = self.words(slots)
        states, _ = self.lstm(self.table(words))
        # the state after the last word: what follows it does not reach back
        last = (count - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
        return states.gather(1, last)[:, 0] * (count > 0)[:, None]


class SentenceCaption(nn.Module):
    """The caption's text through a frozen sentence encoder, and a dense layer, which alone is trained and saved.

    Args:
        describe: a row of slots to its text.
        width: D of the result.
        encode: texts to float32 (N, vectors); None: all-MiniLM-L6-v2, loaded when first needed.
        vectors: size of what `encode` returns.
    """

    def __init__(
        self,
        describe: Describe,
        width: int,
        encode: Encode | None = None,
        vectors: int = SENTENCE_WIDTH,
    ) -> None:
        super().__init__()
        self.describe, self.encode = describe, encode
        self.dense = nn.Linear(vectors, width)
        self._cache: dict[tuple[int, ...], Tensor] = {}

    def forward(self, slots: Tensor) -> Tensor:
        """Map slots, int64 (B, S), to float32 (B, width).

        Raises:
            WeightsError: the weights of the sentence encoder are not on this machine.
            InputError: transformers is missing.
        """
        return self.dense(self.vectors(slots).to(slots.device))

    def vectors(self, slots: Tensor) -> Tensor:
        """Map slots, int64 (B, S), to the frozen vectors of their texts, float32 (B, vectors), on the CPU."""
        rows = [tuple(row) for row in slots.tolist()]
        if len(self._cache) > _CACHE_SIZE:
            self._cache.clear()
        fresh = [row for row in dict.fromkeys(rows) if row not in self._cache]
        if fresh:
            encoded = (self.encode or _minilm())([self.describe(list(row)) for row in fresh])
            self._cache |= {row: torch.from_numpy(v).clone() for row, v in zip(fresh, encoded, strict=True)}
        return torch.stack([self._cache[row] for row in rows])


def require_sentence_encoder() -> None:
    """Load the sentence encoder that "sentence" needs, so that a run without it stops before it has written anything.

    Raises:
        WeightsError: its weights are not on this machine. InputError: transformers is missing.
    """
    _minilm()


@lru_cache(maxsize=1)
def _minilm() -> Encode:
    """Outside the modules, so that a copy of a module (its moving average) shares it."""
    from moviola.nn.pretrained.sentence import NAME, load_sentence_encoder
    from moviola.nn.pretrained.store import find_weights

    purpose = "the caption encoder sentence"
    return load_sentence_encoder(find_weights(NAME, purpose).parent, metric=purpose)


def make_caption_encoder(
    name: CaptionEncoderName,
    sizes: tuple[int, ...],
    width: int,
    *,
    embedding: int = 256,
    free_text: bool = False,
    describe: Describe | None = None,
) -> nn.Module:
    """Make a caption encoder: slots, int64 (B, S), to float32 (B, width).

    Args:
        name: "embedding" (`SlotEmbedding`), "one-hot", "lstm" or "sentence".
        sizes: number of values of each slot.
        width: D of the result.
        embedding: size of a word's vector ("lstm").
        free_text: all slots share one list of words ("lstm").
        describe: a row of slots to its text ("sentence").

    Raises:
        ConfigError: "sentence" without `describe`; `free_text` with different slots.
    """
    if name == "one-hot":
        return OneHotCaption(sizes, width)
    if name == "lstm":
        return LstmCaption(sizes, width, embedding, free_text=free_text)
    if name == "sentence":
        if describe is None:
            raise ConfigError("the caption encoder sentence needs the texts of the captions: set the grammar")
        return SentenceCaption(describe, width)
    return SlotEmbedding(sizes, width)
