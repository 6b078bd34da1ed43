"""What a text encoder does not read of a text, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def notes_on_cut(texts: Mapping[str, str], tokenizers: Iterable[Any], most: int | None = None) -> list[str]:
    """Return one line for each text that is longer than a text encoder reads, with the words that it does not read.

    Args:
        texts: name, such as "the prompt", to text.
        tokenizers: of the transformers library, which end a text by one token of their own.
        most: tokens that the pipeline itself reads at most, None for as many as the tokenizers say.
    """
    notes = []
    for tokenizer in tokenizers:
        length = tokenizer.model_max_length if most is None else min(most, tokenizer.model_max_length)
        for name, text in texts.items():
            rest = tokenizer(text, truncation=False).input_ids[
                length - 1 : -1
            ]  # one place is that of the end
            if rest:
                words = tokenizer.decode(rest).strip()
                notes.append(f'{name} is longer than the text encoder reads; left out: "{words}"')
    return list(dict.fromkeys(notes))
