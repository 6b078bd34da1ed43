"""Cross-frame attention."""

import pytest
import torch

from moviola.models.rerender.diffusion.attention import CrossFrame, CrossFrameProcessor, hooked, layer_names
from moviola.models.rerender.diffusion.config import AttentionConfig

EXACT = AttentionConfig(store="float32")


def hidden(seed, branches=2):
    return torch.randn(branches, 12, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def layer(tiny):
    """A self-attention of the decoder and its name."""
    unet = tiny().unet
    name = layer_names(unet, "decoder")[0]
    attention = unet.get_submodule(name.removesuffix(".processor"))
    assert attention.to_q.in_features == 8
    return attention, name


def run(attention, name, frame, features):
    processor = CrossFrameProcessor(attention.processor, name, frame)
    with torch.no_grad():
        return processor(attention, features)


@pytest.mark.parametrize("copies", [1, 2])
def test_looking_at_equal_frames_is_plain_attention(layer, copies):
    attention, name = layer
    features = hidden(0)
    with torch.no_grad():
        plain = attention(features)
    frame = CrossFrame(EXACT, 1, tuple({(0, name): features} for _ in range(copies)))
    torch.testing.assert_close(run(attention, name, frame, features), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("own", [False, True])
def test_keys_and_values_are_those_of_the_other_frames(layer, own):
    """Against attention written out head by head."""
    attention, name = layer
    anchor, previous, features = hidden(1), hidden(2), hidden(3)
    config = AttentionConfig(store="float32", own=own)
    frame = CrossFrame(config, 1, ({(0, name): anchor}, {(0, name): previous}))
    found = run(attention, name, frame, features)

    seen = torch.cat([anchor, previous, features] if own else [anchor, previous], dim=1)
    with torch.no_grad():
        q, k, v = attention.to_q(features), attention.to_k(seen), attention.to_v(seen)
        width = q.shape[-1] // attention.heads
        heads = []
        for h in range(attention.heads):
            part = slice(h * width, (h + 1) * width)
            scores = q[..., part] @ k[..., part].transpose(1, 2) / width**0.5
            heads.append(scores.softmax(-1) @ v[..., part])
        expected = attention.to_out[0](torch.cat(heads, -1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_only_steps_in_the_window_are_kept_and_changed(layer):
    attention, name = layer
    config = AttentionConfig(window=(0.5, 1.0))
    frame = CrossFrame(config, 4, ({(step, name): hidden(4) for step in (2, 3)},))
    features = hidden(5)
    with torch.no_grad():
        plain = attention(features)
    equal = []
    for frame.step in range(4):
        equal.append(torch.allclose(run(attention, name, frame, features), plain, rtol=1e-5, atol=1e-6))
    assert equal == [True, True, False, False]
    assert sorted(frame.features) == [(2, name), (3, name)]
    assert all(value.dtype == torch.float16 for value in frame.features.values())
    assert frame.size() == 2 * 2 * 12 * 8 * 2  # steps, branches, positions, channels, bytes


def test_what_is_kept_is_a_copy(layer):
    attention, name = layer
    frame, features = CrossFrame(EXACT, 1), hidden(6)
    run(attention, name, frame, features)
    before = frame.features[0, name].clone()
    features.zero_()
    torch.testing.assert_close(frame.features[0, name], before, rtol=0, atol=0)
    assert before.abs().sum() > 0


def test_layers(tiny):
    unet = tiny().unet
    decoder, middle, everything = (layer_names(unet, layers) for layers in ("decoder", "middle", "all"))
    assert len(decoder) == 2 and all(name.startswith("up_blocks") for name in decoder)
    assert len(middle) == 3 and len(everything) == 4
    assert not any("attn2" in name for name in everything)


def test_processors_are_put_back_after_an_error(tiny):
    unet = tiny().unet
    before = dict(unet.attn_processors)
    with pytest.raises(RuntimeError, match="stop"), hooked(unet, CrossFrame(EXACT, 3)):
        inside = dict(unet.attn_processors)
        raise RuntimeError("stop")
    changed = {name for name in before if inside[name] is not before[name]}
    assert changed == set(layer_names(unet, "decoder"))
    assert all(unet.attn_processors[name] is before[name] for name in before)


def test_an_empty_window_puts_nothing_in(tiny):
    unet = tiny().unet
    before = dict(unet.attn_processors)
    with hooked(unet, CrossFrame(AttentionConfig(window=None), 3)):
        assert all(unet.attn_processors[name] is before[name] for name in before)
