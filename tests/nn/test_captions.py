"""Caption encoders, each against a plain way to the same vector."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.captions import LstmCaption, OneHotCaption, SentenceCaption, make_caption_encoder
from moviola.nn.slots import SlotEmbedding

SIZES = (3, 1, 4)


def texts(row):
    """A caption of a row."""
    return " ".join(f"word{i}-{k}" for i, k in enumerate(row) if k)


class Letters:
    """A stand-in for a sentence encoder: counts of signs, and how often it was asked for what."""

    def __init__(self):
        self.asked: list[str] = []

    def __call__(self, captions):
        self.asked += captions
        return np.stack([np.bincount(list(c.encode()), minlength=128) for c in captions]).astype(np.float32)


def test_one_hot_matrix():
    """One 1 a row, at the value; the dense layer sees it flattened."""
    module, slots = OneHotCaption(SIZES, 6), torch.tensor([[0, 1, 4], [3, 0, 0]])
    matrix = torch.zeros(2, 3, 5)
    for b in range(2):
        for s in range(3):
            matrix[b, s, slots[b, s]] = 1
    assert torch.equal(module.matrix(slots), matrix)
    expected = matrix.reshape(2, 15) @ module.dense.weight.T + module.dense.bias
    assert torch.allclose(module(slots), expected, atol=1e-6)


def reference(module: LstmCaption, words: list[int]) -> torch.Tensor:
    """The last state, by a cell that is given one word after the other."""
    cell = torch.nn.LSTMCell(module.lstm.input_size, module.lstm.hidden_size)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data = getattr(module.lstm, f"{name}_l0").data
    h = c = torch.zeros(1, module.lstm.hidden_size)
    for word in words:
        h, c = cell(module.table.weight[word][None], (h, c))
    return h[0]


@torch.no_grad()
def test_lstm_reads_what_is_said_in_order():
    """Every value of every slot is a word of its own; a slot that is not said is left out."""
    module = LstmCaption(SIZES, 5, 7)
    rows = {(3, 1, 4): [3, 4, 8], (0, 1, 2): [4, 6], (2, 0, 1): [2, 5], (0, 0, 3): [7], (0, 0, 0): []}
    made = module(torch.tensor(list(rows)))
    for vector, words in zip(made, rows.values(), strict=True):
        assert torch.allclose(vector, reference(module, words), atol=1e-6)


@torch.no_grad()
def test_lstm_of_free_text_shares_its_words():
    """Word 2 has one vector at any place, so where a caption begins in the row makes no difference; its order does."""
    module = LstmCaption((4, 4, 4), 5, 7, free_text=True)
    assert module.table.num_embeddings == 5
    a, b, c = module(torch.tensor([[2, 1, 0], [0, 2, 1], [1, 2, 0]]))
    assert torch.allclose(a, b, atol=1e-6) and torch.allclose(a, reference(module, [2, 1]), atol=1e-6)
    assert not torch.allclose(a, c, atol=1e-4)
    with pytest.raises(ConfigError, match="one list of words"):
        LstmCaption(SIZES, 5, free_text=True)


def test_sentences_are_encoded_once_and_stay_frozen():
    """The dense layer of the encoder's vectors; equal rows are asked for once; only the dense layer has weights."""
    encode = Letters()
    module = SentenceCaption(texts, 6, encode, vectors=128)
    slots = torch.tensor([[1, 1, 2], [3, 0, 4], [1, 1, 2]])
    expected = module.dense(torch.from_numpy(Letters()([texts(r) for r in slots.tolist()])))
    assert torch.allclose(module(slots), expected, atol=1e-6)
    module(slots[:2])
    assert sorted(encode.asked) == sorted({texts(r) for r in slots.tolist()})
    assert set(module.state_dict()) == {"dense.weight", "dense.bias"}
    module(slots).sum().backward()
    assert module.dense.weight.grad is not None
    again = copy.deepcopy(module)  # as the moving average does
    assert torch.equal(again(slots), module(slots))


def test_no_sentence_encoder_here(monkeypatch, tmp_path):
    """One line says how to get it."""
    from moviola.nn import captions
    from moviola.nn.pretrained import store

    def missing(name, asked):
        raise WeightsError(f"{asked} needs the {name} weights")

    captions._minilm.cache_clear()
    monkeypatch.setattr(store, "find_weights", missing)
    with pytest.raises(WeightsError, match="the caption encoder sentence needs the minilm weights"):
        SentenceCaption(texts, 6)(torch.ones(1, 3, dtype=torch.int64))


def test_real_sentences_lie_near_what_they_mean():
    """With the real weights, where they are here: a caption is nearer to one of like meaning."""
    from moviola.nn.pretrained import store

    pytest.importorskip("transformers")
    try:
        store.find_weights("minilm")
    except WeightsError as error:
        pytest.skip(str(error))
    said = {1: "a person jumps to the left", 2: "somebody is leaping leftwards", 3: "a green house"}
    module = SentenceCaption(lambda row: said[row[0]], 8)
    a, b, c = module.vectors(torch.tensor([[1], [2], [3]]))
    assert a.norm().item() == pytest.approx(1, abs=1e-4) and a @ b > a @ c + 0.2


@pytest.mark.parametrize("name", ["embedding", "one-hot", "lstm", "sentence"])
def test_every_encoder_has_the_same_face(name):
    """Slots to (B, width), by name; the usual one is the slot embedding."""
    module = make_caption_encoder(name, SIZES, 6, describe=texts)
    if isinstance(module, SentenceCaption):
        module.encode = lambda captions: np.ones((len(captions), 384), np.float32)
    assert module(torch.tensor([[0, 1, 4], [3, 0, 0]])).shape == (2, 6)
    assert isinstance(module, SlotEmbedding) == (name == "embedding")


def test_sentence_needs_texts():
    """Named, not guessed."""
    with pytest.raises(ConfigError, match="texts of the captions"):
        make_caption_encoder("sentence", SIZES, 6)
