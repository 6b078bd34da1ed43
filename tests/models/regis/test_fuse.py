"""REGIS-Fuse: split and layers against loops and PyTorch's own, and what the network may and may not see."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.models.regis.fuse import FuseConfig, FuseRefiner
from moviola.models.regis.fuse.network import Attention, FusionFeedForward, rotary_angles, rotate
from moviola.models.regis.fuse.split import grid, overlaps, soft_compose, soft_split

SMALL = {
    "size": 16, "frames": 4, "encoder": 8, "encoder_layers": 1, "width": 24, "blocks": 2, "heads": 2, "fusion": 3,
}  # fmt: skip
OUTPUTS = ("frame", "residual")


@pytest.fixture(autouse=True)
def one_seed():
    """Start from one global seed and leave none behind."""
    before = torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_rng_state(before)


def small(**changes) -> FuseRefiner:
    """A network of a few thousand weights whose head is not zero."""
    network = FuseRefiner(FuseConfig(**(SMALL | changes)))
    torch.nn.init.normal_(network.decoder.head.weight, std=0.1)
    return network.eval()


def clips(batch=2, frames=4, height=16, width=16) -> torch.Tensor:
    """Uniform noise in [-1, 1]."""
    return torch.rand(batch, frames, 3, height, width) * 2 - 1


# -- the split ----------------------------------------------------------------------------------------------


def split_by_loops(features: np.ndarray, patch: int, stride: int) -> np.ndarray:
    """Cut a (C, h, w) map patch by patch."""
    padded = np.pad(features, ((0, 0), *[(patch // 2, patch // 2)] * 2))
    rows = range(0, padded.shape[1] - patch + 1, stride)
    columns = range(0, padded.shape[2] - patch + 1, stride)
    return np.stack([padded[:, y : y + patch, x : x + patch].ravel() for y in rows for x in columns])


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 17), st.integers(1, 17), st.sampled_from([(1, 1), (3, 1), (3, 2), (5, 3), (7, 3), (7, 4)])
)
def test_split_and_composition(height, width, form):
    """The split is the loops'; composing gives the map back; every place is covered as often as loops count."""
    patch, stride = form
    features = torch.randn(2, 3, height, width)
    patches = soft_split(features, patch, stride)
    assert patches.shape == (2, math.prod(grid(height, width, patch, stride)), 3 * patch**2)
    np.testing.assert_array_equal(patches[1].numpy(), split_by_loops(features[1].numpy(), patch, stride))
    back = soft_compose(patches, height, width, patch, stride)
    torch.testing.assert_close(back, features, rtol=1e-5, atol=1e-6)
    covered = [
        sum(start <= place < start + patch for start in range(-(patch // 2), height + patch // 2 - patch + 1, stride))
        for place in range(height)
    ]  # fmt: skip
    assert overlaps(height, patch, stride).tolist() == covered and min(covered) >= 1


def test_composition_is_the_mean_where_patches_overlap():
    """Two patches of 3 that share one place of three."""
    patches = torch.zeros(1, 2, 9)
    patches[0, 1] = 6.0
    composed = soft_compose(patches, 1, 3, 3, 2)[0, 0, 0]
    assert composed.tolist() == [0.0, 3.0, 6.0]
    assert soft_compose(patches.bfloat16(), 1, 3, 3, 2).dtype == torch.bfloat16


# -- the layers ---------------------------------------------------------------------------------------------


def test_feed_forward_by_loops():
    """Expand, put together by the mean, GELU, cut, shrink; in numpy."""
    feed = FusionFeedForward(6, fusion=2, patch=3, stride=2)
    tokens = torch.randn(1, 3 * 2, 6)
    with torch.no_grad():
        made = feed(tokens, 5, 4)[0].numpy()
        wide = feed.expand(tokens)[0].view(3, 2, 2, 3, 3).numpy()
    total, count = np.zeros((2, 7, 6)), np.zeros((7, 6))
    for row in range(3):
        for column in range(2):
            place = (slice(2 * row, 2 * row + 3), slice(2 * column, 2 * column + 3))
            total[(slice(None), *place)] += wide[row, column]
            count[place] += 1
    mean = (total / np.maximum(count, 1))[:, 1:6, 1:5]
    bent = 0.5 * mean * (1 + np.vectorize(math.erf)(mean / math.sqrt(2)))
    cut = split_by_loops(bent, 3, 2)
    weight, bias = feed.shrink.weight.detach().numpy(), feed.shrink.bias.detach().numpy()
    np.testing.assert_allclose(made, cut @ weight.T + bias, rtol=1e-4, atol=1e-5)


def test_attention_is_pytorchs():
    """Without positions: `torch.nn.MultiheadAttention` with the same weights."""
    ours, theirs = Attention(24, 3), torch.nn.MultiheadAttention(24, 3, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.join.weight,
            "out_proj.bias": ours.join.bias,
        }
    )
    x = torch.randn(2, 7, 24)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], rtol=1e-4, atol=1e-5)


def test_rotary_positions_are_relative():
    """Products of turned vectors depend on the difference of their places alone; lengths stay."""
    angles = rotary_angles(3, 4, 4, 12, torch.device("cpu"))
    assert angles.shape == (48, 6)
    q, k = (
        rotate(torch.randn(1, 12).expand(48, 12), angles),
        rotate(torch.randn(1, 12).expand(48, 12), angles),
    )
    torch.testing.assert_close(q.norm(dim=1), q[:1].norm(dim=1).expand(48))
    scores = (q @ k.T).view(3, 4, 4, 3, 4, 4)
    torch.testing.assert_close(scores[0, 1, 0, 1, 2, 3], scores[1, 2, 0, 2, 3, 3], rtol=1e-4, atol=1e-4)
    moved = [scores[0, 0, 0, 1, 0, 0], scores[0, 0, 0, 0, 1, 0], scores[0, 0, 0, 0, 0, 1]]
    assert len({round(s.item(), 4) for s in moved}) == 3


# -- the network --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("skips", [False, True])
def test_any_clip(output, skips):
    """Any length, any sides that 4 divides; shaped and ranged as what went in, also for half a clip's mask."""
    network = small(output=output, skips=skips)
    for video in (clips(), clips(1, 1), clips(1, 7, 24, 12)):
        mask = (torch.rand_like(video[:, :, :1]) > 0.5).float()
        for given_mask in (None, mask, mask.bool()):
            with torch.no_grad():
                refined = network.refine(video, given_mask)
            assert refined.shape == video.shape and refined.dtype == torch.float32
            assert refined.abs().max() <= 1 and not torch.equal(refined, video)


def test_the_papers_form():
    """The defaults are FuseFormer's sizes; its 32 million weights are counted by hand."""
    config = FuseConfig()
    assert (config.width, config.blocks, config.heads, config.frames, config.fusion * config.patch**2) == (
        512, 8, 4, 8, 1960,
    )  # fmt: skip
    assert config.output == "frame" and config.erase and not config.skips
    with torch.device("meta"):
        network = FuseRefiner(config)
    block = 4 * 512**2 + 4 * 512 + 2 * 512 * 1960 + 1960 + 512 + 4 * 512
    ends = 2 * 512 * 6272 + 6272 + 512
    convolutions = (4 * 64 + 64 * 64 + 64 * 128 + 5 * 128**2 + 128 * 64 + 64 * 64 + 64 * 3) * 9
    biases = 64 + 64 + 128 + 5 * 128 + 64 + 64 + 3
    assert sum(p.numel() for p in network.parameters()) == 8 * block + ends + convolutions + biases


def test_residual_starts_as_the_identity():
    """Before any training; a drawn frame is another, within tanh's reach."""
    video = clips()
    torch.testing.assert_close(FuseRefiner(FuseConfig(**SMALL, output="residual"))(video), video)
    drawn = FuseRefiner(FuseConfig(**SMALL))
    with torch.no_grad():
        drawn.decoder.head.bias.fill_(100.0)
        assert (drawn(video) == 1.1).all() and (drawn.refine(video) == 1).all()


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_mask_erases(output):
    """What lies under the mask does not matter, unless it is a whole frame; without `erase` it does."""
    video, other, mask = clips(), clips(), torch.zeros(2, 4, 1, 16, 16)
    mask[:, 1:, :, 4:12, 4:12] = 1
    swapped = torch.where(mask > 0, other, video)
    network = small(output=output, skips=True)
    seeing = small(output=output, skips=True, erase=False)
    with torch.no_grad():
        assert torch.equal(network(video, mask), network(swapped, mask))
        assert not torch.equal(network(video, mask), network(video))
        assert not torch.equal(seeing(video, mask), seeing(swapped, mask))
        mask[:] = 1
        assert not torch.equal(network(video, mask), network(other, mask))


def test_frames_see_each_other_and_clips_do_not():
    """A change in the first frame reaches the last; a change in one clip leaves the other alone."""
    network, video = small(), clips()
    changed = video.clone()
    changed[0, 0] *= -1
    with torch.no_grad():
        before, after = network(video), network(changed)
    assert (before[0, 3] - after[0, 3]).abs().max() > 1e-5
    torch.testing.assert_close(before[1], after[1], rtol=1e-4, atol=1e-5)


def test_order_of_frames():
    """Rotary positions know which frame is which; without them frames may be exchanged."""
    video, order = clips(), torch.tensor([2, 0, 3, 1])
    for positions, same in (("none", True), ("rotary", False)):
        network = small(positions=positions)
        for block in network.blocks:
            torch.nn.init.normal_(block.attention.qkv.weight, std=0.5)
        with torch.no_grad():
            gap = (network(video[:, order]) - network(video)[:, order]).abs().max()
        assert (gap < 1e-4) == same


@pytest.mark.parametrize("output", OUTPUTS)
def test_it_overfits_one_clip(output):
    """A hundred steps restore most of one clip of flat shapes from noise and a hole."""
    network = FuseRefiner(FuseConfig(**(SMALL | {"encoder": 16}), output=output, skips=True))
    clean = torch.full((1, 4, 3, 16, 16), -0.6)
    for t in range(4):
        clean[0, t, 0, 4:10, 2 + 2 * t : 8 + 2 * t] = 0.6
    mask = torch.zeros(1, 4, 1, 16, 16)
    mask[:, 1, :, 2:9, 3:10] = 1
    flawed = (clean + 0.3 * torch.randn(clean.shape)) * (1 - mask)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(100):
        loss = (network(flawed, mask) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    with torch.no_grad():
        left = (network.refine(flawed, mask) - clean).square().mean()
    assert left < 0.2 * (flawed - clean).square().mean()


@pytest.mark.parametrize("output", OUTPUTS)
def test_bfloat16(output):
    """Under autocast: float32 out, finite gradients, and close to full precision."""
    network, video = small(output=output, skips=True), clips()
    with torch.no_grad():
        exact = network(video)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(video)
    rough.square().mean().backward()
    assert rough.dtype == torch.float32 and (rough - exact).abs().max() < 0.05
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_saved_and_read(tmp_path):
    """A folder gives back the same network, config and all."""
    network, video = small(output="residual", skips=True), clips()
    network.save_pretrained(tmp_path)
    again = FuseRefiner.from_pretrained(tmp_path)
    assert again.config == network.config and again.config.family == "regis-fuse"
    with torch.no_grad():
        assert torch.equal(again.refine(video), network.refine(video))


def test_nothing_is_shared_between_instances():
    """Every weight of one is its own storage, and training one leaves the other as it was."""
    one, other = small(), small()
    assert not {p.data_ptr() for p in one.parameters()} & {p.data_ptr() for p in other.parameters()}
    assert len({p.data_ptr() for p in one.parameters()}) == len(list(one.parameters()))
    before = {k: v.clone() for k, v in other.state_dict().items()}
    one(clips()).mean().backward()
    torch.optim.SGD(one.parameters(), lr=1.0).step()
    assert all(torch.equal(before[k], v) for k, v in other.state_dict().items())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"heads": 5}, "width"),
        ({"patch": 6}, "odd"),
        ({"stride": 5}, "stride"),
        ({"size": 18}, "multiple of 4"),
        ({"multiple": 6}, "multiple"),
        ({"text": True}, "neither classes nor text"),
        ({"classes": ["run"]}, "neither classes nor text"),
    ],
)
def test_config_refuses(values, says):
    """What cannot be built is refused in one line."""
    with pytest.raises(ConfigError, match=says) as caught:
        FuseConfig.make(values)
    assert "\n" not in str(caught.value)


def test_clip_refused():
    """Channels, sides and masks that do not fit."""
    network = small()
    for video, mask in (
        (clips()[:, :, :1], None),
        (clips(height=18), None),
        (clips(), torch.zeros(2, 4, 16, 16)),
    ):
        with pytest.raises(ConfigError):
            network.refine(video, mask)
