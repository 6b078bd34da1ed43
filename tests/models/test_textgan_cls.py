"""GAN-CLS: the generator, the discriminator and the image encoder of the source document."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moviola.core.errors import ConfigError
from moviola.models.textgan import (
    FrameCritic,
    FrameGenerator,
    GanClsConfig,
    GanClsCriticConfig,
    GanClsDiscriminator,
    GanClsGenerator,
    ImageEncoder,
    TextGANConfig,
    load_first_frame,
)
from moviola.models.textgan.config import CriticConfig
from moviola.models.textgan.gan_cls import halvings

SLOTS = (3, 2)


def generator(size: int = 32) -> GanClsGenerator:
    """A small one, with running statistics of its own."""
    torch.manual_seed(0)
    config = GanClsConfig(slots=SLOTS, size=size, latent=4, width=32, embedding=6, text=5, reduced=5)
    made = GanClsGenerator(config)
    draws = torch.Generator().manual_seed(3)
    for p in made.parameters():
        p.data.normal_(0, 0.3, generator=draws)
    with torch.no_grad():
        made(torch.ones(4, 2, dtype=torch.int64), torch.randn(4, 4, generator=draws))
    return made.eval()


def critic_config(size: int = 32) -> GanClsCriticConfig:
    """Small."""
    return GanClsCriticConfig(size=size, width=4, text=5, reduced=3)


@torch.no_grad()
@pytest.mark.parametrize("size", [16, 32, 48, 64, 80, 128, 144])
def test_shapes(size):
    """Any multiple of 16: frames (B, 3, size, size) in [-1, 1], logits (B,), vectors (B, text)."""
    made = generator(size)(torch.ones(2, 2, dtype=torch.int64), torch.randn(2, 4))
    assert made.shape == (2, 3, size, size) and made.abs().max() <= 1
    assert GanClsDiscriminator(critic_config(size))(made, torch.randn(2, 5)).shape == (2,)
    assert ImageEncoder(critic_config(size))(made).shape == (2, 5)
    side, count = halvings(size)
    assert side * 2**count == size and (side < 8 or side % 2)
    doubled = sum(isinstance(m, nn.Upsample) for m in generator(size).modules())
    assert doubled == count


def test_the_authors_sizes():
    """At 64x64: z of 512 joins 128 numbers of text, a dense layer to 4x4x1024, then 512, 256, 128 and 3 channels."""
    net = GanClsGenerator(GanClsConfig(slots=SLOTS))
    assert (net.caption.table.embedding_dim, net.caption.lstm.hidden_size) == (256, 128)
    assert (net.dense.in_features, net.dense.out_features) == (512 + 128, 4 * 4 * 1024)
    sizes: list[tuple[int, ...]] = []
    for layer in [*net.layers, *net.head]:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    with torch.no_grad():
        net(torch.ones(2, 2, dtype=torch.int64), torch.zeros(2, 512))
    assert sizes == [(512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]


@torch.no_grad()
def test_words_and_noise_both_matter():
    """Another caption or noise gives another frame; a row gives the same alone or in a batch."""
    net, noise = generator(), torch.randn(1, 4).expand(12, -1)
    rows = torch.tensor([[a, b] for a in range(4) for b in range(3)])
    made = net(rows, noise)
    assert torch.cdist(made.flatten(1), made.flatten(1)).fill_diagonal_(1).min() > 1e-3
    assert torch.allclose(net(rows[5:6], noise[:1])[0], made[5], atol=1e-4)
    assert not torch.allclose(net(rows[:1], torch.randn(1, 4))[0], made[0], atol=1e-3)


@torch.no_grad()
def test_text_is_tiled_over_the_last_map():
    """The 1x1 convolution sees the map's channels and, at each place alike, those of the reduced text."""
    torch.manual_seed(0)
    net, seen = GanClsDiscriminator(critic_config()).eval(), []
    net.join.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    frames, text = torch.rand(2, 3, 32, 32), torch.randn(2, 5)
    net(frames, text)
    (joined,) = seen
    assert torch.equal(joined[:, :-3], net.trunk(frames)) and joined.shape[2:] == (4, 4)
    assert torch.equal(joined[:, -3:], net.reduce(text)[:, :, None, None].expand(-1, -1, 4, 4))
    assert net.join[0].kernel_size == (1, 1)


def test_save_and_load(tmp_path):
    """The same frame after a round trip, and `load_first_frame` finds the form in config.json."""
    net, args = generator(), (torch.ones(1, 2, dtype=torch.int64), torch.randn(1, 4))
    again = load_first_frame(net.save_pretrained(tmp_path / "cls"))
    assert isinstance(again, GanClsGenerator)
    with torch.no_grad():
        assert torch.equal(again(*args), net(*args))
    ours = FrameGenerator(TextGANConfig(slots=SLOTS, size=32, widths=(8, 8, 8, 8), condition=8))
    assert isinstance(load_first_frame(ours.save_pretrained(tmp_path / "ours")), FrameGenerator)


@torch.no_grad()
def test_a_model_with_the_authors_first_frame(tiny_model, tmp_path):
    """A text-to-video folder may hold either form; the film begins with what the generator draws."""
    from moviola.core.ranges import from_network
    from moviola.core.seeds import normal_rows
    from moviola.models.textvideo import TextToVideo
    from moviola.pipelines.generate import generate

    grammar = tiny_model.config.grammar
    config = GanClsConfig(slots=grammar.sizes, size=32, latent=4, width=32, text=5, caption_encoder="one-hot")
    first = GanClsGenerator(config).eval()
    model = TextToVideo(tiny_model.config, first, tiny_model.next)
    folder = model.save_pretrained(tmp_path / "m")
    video = generate("red hair walks left", model=folder, frames=2, seed=3)
    slots = model.fill(3, 0, "red hair walks left")[0][None]
    drawn = from_network(first(slots, normal_rows(3, [0], 4)).clamp(-1, 1))[0].numpy()
    assert abs(video.frames[0].astype(int) - drawn.astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["embedding", "one-hot", "lstm"])
def test_either_form_takes_every_caption_encoder(name, tmp_path):
    """The generators and our critic; a round trip keeps the encoder."""
    args = (torch.tensor([[1, 2], [3, 0]]), torch.randn(2, 4))
    sizes = {"slots": SLOTS, "size": 16, "latent": 4, "caption_encoder": name}
    ours = FrameGenerator(TextGANConfig(**sizes, widths=(8, 8, 8, 8), condition=8)).eval()
    theirs = GanClsGenerator(GanClsConfig(**sizes, width=32, text=5)).eval()
    for net in (ours, theirs):
        again = load_first_frame(net.save_pretrained(tmp_path / type(net).__name__))
        with torch.no_grad():
            assert torch.equal(again(*args), net(*args))
    critic = CriticConfig(slots=SLOTS, size=16, widths=(8, 8, 8, 8), condition=8, caption_encoder=name)
    assert FrameCritic(critic)(torch.rand(2, 3, 16, 16), args[0]).shape == (2,)


def test_sentence_form_keeps_its_grammar(small_grammar, tmp_path, monkeypatch):
    """The captions in words go into config.json, so that a loaded generator can say its slots."""
    import numpy as np

    from moviola.nn import captions

    asked = []

    def encode(texts):
        asked.extend(texts)
        return np.ones((len(texts), 384), np.float32)

    monkeypatch.setattr(captions, "_minilm", lambda: encode)
    config = TextGANConfig(slots=small_grammar.sizes, size=16, widths=(8, 8, 8, 8), condition=8)
    config = config.model_copy(update={"caption_encoder": "sentence"}).reading(small_grammar)
    again = load_first_frame(FrameGenerator(config).save_pretrained(tmp_path / "m"))
    with torch.no_grad():
        again(torch.tensor([[1, 1, 2]]), torch.zeros(1, config.latent))
    assert asked == ["a person with red hair walks right"]


def test_configs_that_do_not_fit(small_grammar):
    """A sentence without words, a grammar of other slots, one list of words for unlike slots."""
    with pytest.raises(ConfigError, match="set the grammar"):
        FrameGenerator(TextGANConfig(slots=SLOTS, caption_encoder="sentence"))
    with pytest.raises(ConfigError, match="not those of the grammar"):
        GanClsConfig.make({"slots": SLOTS, "grammar": small_grammar})
    with pytest.raises(ConfigError, match="free_text"):
        GanClsConfig.make({"slots": SLOTS, "free_text": True})
