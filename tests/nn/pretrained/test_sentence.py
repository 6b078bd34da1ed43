"""The sentence encoder, by a tiny random network and, where they are here, the real weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import WeightsError
from moviola.nn.pretrained import store
from moviola.nn.pretrained.sentence import SentenceEncoder, convert, load_sentence_encoder

transformers = pytest.importorskip("transformers")
WORDS = ["a", "dog", "cat", "runs", "sleeps", "on", "the", "grass"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT with random weights and its tokenizer, as transformers saves them."""
    path = tmp_path_factory.mktemp("tiny-bert")
    (path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    transformers.BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    config = transformers.BertConfig(
        vocab_size=13,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=20,
        max_position_embeddings=20,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = transformers.BertModel(config)
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn(parameter.shape)
    model.save_pretrained(path)
    return path


def test_mean_of_the_tokens_scaled_to_one(folder):
    """Each text alone, without padding: the mean of its tokens' last states, of length 1; the order is kept."""
    texts = ["a dog runs on the grass", "cat", "the cat sleeps on a dog", "runs"]
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    expected = []
    for text in texts:
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        mean = states.mean(dim=0).numpy()
        expected.append(mean / np.linalg.norm(mean))
    encoder = load_sentence_encoder(folder)
    encoder.batch = 3
    found = encoder(texts)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.stack(expected), abs=1e-5)
    assert np.ptp(found @ found.T) > 0.01


def test_long_texts_are_cut_off(folder):
    """What lies beyond the longest text makes no difference."""
    plain = load_sentence_encoder(folder)
    encoder = SentenceEncoder(plain.network, plain.tokenizer, max_tokens=5)
    assert encoder(["a dog runs on the grass"]) == pytest.approx(encoder(["a dog runs"]), abs=1e-6)


def test_convert_keeps_the_weights(folder, tmp_path):
    """Everything but the positions, which are no weights."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    path = tmp_path / "package.safetensors"
    save_file({**tensors, "embeddings.position_ids": torch.arange(20)[None]}, path)
    kept = convert(path)
    assert set(kept) == set(tensors)
    assert all(torch.equal(kept[key], tensors[key]) for key in tensors)


def test_the_wrong_network(folder, tmp_path):
    """Weights that are missing are named, not drawn at random."""
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"conse: .*it lacks encoder\.layer\.1\.output\.dense\.weight"):
        load_sentence_encoder(tmp_path)


def test_real_weights_know_what_texts_mean():
    """Sentences of like meaning lie nearer than others."""
    try:
        path = store.find_weights("minilm")
    except WeightsError as error:
        pytest.skip(str(error))
    vectors = load_sentence_encoder(path.parent)(
        ["a man plays the guitar", "someone makes music on an instrument", "a bowl of soup"]
    )
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert vectors.shape == (3, 384)
    assert near > 0.5 > 0.2 > far
