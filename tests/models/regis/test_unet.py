"""REGIS-U: shapes, conditions, masks, and that it learns."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from moviola.core.errors import ConfigError
from moviola.models.protocols import Condition
from moviola.models.regis.unet import UnetConfig, UnetRefiner
from moviola.nn.words import tokenize

TINY = UnetConfig(
    dim=8,
    multipliers=(1, 2),
    blocks=1,
    heads=2,
    head=8,
    condition=16,
    frames=4,
    size=16,
    classes=("a", "b"),
    text=True,
)


def make(config=TINY, drawn=False, seed=0):
    """A network; `drawn` gives every weight a value, so that nothing starts at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = UnetRefiner(config)
    if drawn:
        generator = torch.Generator().manual_seed(seed)
        for p in network.parameters():
            p.data = p.data + 0.05 * torch.randn(p.shape, generator=generator)
    return network.eval()


def clip(batch=2, frames=4, height=16, width=16, seed=0):
    return torch.rand(batch, frames, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def tokens(*texts):
    return torch.stack([torch.from_numpy(tokenize(text)) for text in texts])


def test_the_documents_sizes():
    """Dim 64 with multipliers 1, 2, 4, 8 at 64x64; sides must be multiples of 8."""
    config = UnetConfig()
    assert (config.dim, config.multipliers, config.frames, config.size) == (64, (1, 2, 4, 8), 16, 64)
    assert config.multiple == 8
    assert (
        UnetConfig(multipliers=(1, 2, 4), patch=2).multiple == 8
        and UnetConfig(multipliers=(1, 2, 4, 8), patch=2).multiple == 16
    )
    with pytest.raises(ValidationError):
        UnetConfig(dim=20)


@pytest.mark.parametrize(("frames", "height", "width"), [(4, 16, 16), (1, 16, 24), (3, 8, 16), (7, 16, 16)])
def test_any_shape(frames, height, width):
    """Other lengths and sides than it was trained at; what comes out is in range."""
    network = make(drawn=True)
    out = network.refine(clip(2, frames, height, width))
    assert out.shape == (2, frames, 3, height, width) and out.abs().max() <= 1


@pytest.mark.parametrize("patch", [1, 2])
def test_it_begins_as_the_identity(patch):
    """A fresh network with a residual changes nothing; one without makes grey."""
    config = TINY.model_copy(update={"patch": patch, "multiple": 4})
    video = clip()
    assert torch.allclose(make(config).refine(video), video, atol=1e-6)
    assert not make(config.model_copy(update={"residual": False})).refine(video).any()


def test_conditions_change_the_output():
    """Class and text do; an unknown class and no text are the same as nothing said."""
    network, video = make(drawn=True), clip()
    plain = network.refine(video)
    as_a, as_b = (network.refine(video, condition=Condition(torch.tensor([i, i]))) for i in (0, 1))
    red, blue = (
        network.refine(video, condition=Condition(tokens=tokens(t, t))) for t in ("a red ball", "a blue ball")
    )
    for one, other in ((plain, as_a), (as_a, as_b), (plain, red), (red, blue)):
        assert (one - other).abs().max() > 1e-3
    nothing = Condition(torch.tensor([-1, -1]), tokens("", ""))
    assert torch.allclose(network.refine(video, condition=nothing), plain, atol=1e-5)


def test_text_reaches_places_through_attention():
    """With the pooled text cut off, words still change the output through cross-attention, and differently by place."""
    network, video = make(drawn=True), clip()
    for p in network.condition_encoder.mlp.parameters():
        p.data.zero_()
    red, blue = (network.refine(video, condition=Condition(tokens=tokens(t, t))) for t in ("red", "blue"))
    difference = (red - blue).abs().mean((0, 1, 2))
    assert difference.max() > 1e-4 and difference.std() > 0.05 * difference.mean()


def test_mask_changes_the_output():
    """What is marked is treated otherwise; no mask is a mask of nothing."""
    network, video = make(drawn=True), clip()
    nothing = torch.zeros(2, 4, 1, 16, 16)
    assert torch.equal(network.refine(video, nothing), network.refine(video))
    some = nothing.clone()
    some[..., :8] = 1
    assert (network.refine(video, some) - network.refine(video)).abs().max() > 1e-3


def test_frames_see_each_other_and_clips_do_not():
    """A change in one frame reaches the others of its clip, and no other clip."""
    network, video = make(drawn=True), clip()
    changed = video.clone()
    changed[0, 3] = -changed[0, 3]
    one, other = network.refine(video), network.refine(changed)
    assert (one[0, 0] - other[0, 0]).abs().max() > 1e-5
    assert torch.allclose(one[1], other[1], atol=1e-6)


def test_two_networks_share_nothing():
    """Training one leaves another untouched."""
    one, other = make(), make()
    before = [p.clone() for p in other.parameters()]
    optimizer = torch.optim.SGD(one.parameters(), 1.0)
    one(clip()).square().mean().backward()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))
    assert not {p.data_ptr() for p in one.parameters()} & {p.data_ptr() for p in other.parameters()}


def test_it_overfits_one_clip():
    """From a noisy clip back to the clean one: a tenth of the error after 150 steps."""
    network, clean = make(seed=1).train(), clip(1, seed=5)
    clean = torch.nn.functional.interpolate(clean[:, :, :, ::8, ::8].flatten(0, 1), size=16, mode="bilinear")[
        None
    ]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    flawed = (clean + 0.3 * noise).clamp(-1, 1)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (network(flawed) - clean).square().mean()
        loss.backward()
        optimizer.step()
    before = float((flawed - clean).square().mean())
    assert float((network.eval().refine(flawed) - clean).square().mean()) < 0.1 * before


def test_saved_and_loaded(tmp_path):
    """The same output to the bit."""
    network, video = make(drawn=True), clip()
    network.save_pretrained(tmp_path)
    assert torch.equal(UnetRefiner.from_pretrained(tmp_path).refine(video), network.refine(video))


@pytest.mark.parametrize(
    ("shape", "mask", "line"),
    [
        ((2, 4, 1, 16, 16), None, r"refines clips \(B, T, 3, H, W\), not \(2, 4, 1, 16, 16\)"),
        ((2, 4, 3, 16, 15), None, "needs sides that 2 divides, not 15x16"),
        ((2, 4, 3, 16, 16), (2, 4, 3, 16, 16), r"is \(2, 4, 1, 16, 16\), not \(2, 4, 3, 16, 16\)"),
    ],
)
def test_bad_input(shape, mask, line):
    """Axes, sides and masks that do not fit are named."""
    with pytest.raises(ConfigError, match=line):
        make(TINY.model_copy(update={"multiple": 2})).refine(
            torch.zeros(shape), None if mask is None else torch.zeros(mask)
        )


def test_recall_mends_a_lost_frame_from_the_others():
    """Of clips that stand still, one frame is grey; what it showed is to be had from the others, and is soon taken."""
    network = make(TINY.model_copy(update={"recall": 0, "patch": 2, "multiple": 4})).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def lost(seed):
        clean = clip(4, 1, seed=seed).expand(-1, 4, -1, -1, -1)
        flawed = clean.clone()
        flawed[:, seed % 4] = 0
        return clean, flawed

    for seed in range(60):
        clean, flawed = lost(seed)
        optimizer.zero_grad()
        (network(flawed) - clean).square().mean().backward()
        optimizer.step()
    clean, flawed = lost(1001)
    left = (network.eval().refine(flawed) - clean).square().mean() / (flawed - clean).square().mean()
    assert left < 0.2


def test_recall_adds_nothing_to_a_clip_of_one_colour_and_is_off_by_default():
    """All pixels that could be recalled are alike then."""
    network = make(TINY.model_copy(update={"recall": 1, "patch": 2, "multiple": 4}))
    video = torch.full((1, 4, 3, 16, 16), 0.25)
    assert torch.allclose(network.refine(video), video, atol=1e-6)
    assert UnetConfig().recall is None and not any("recall" in name for name in make().state_dict())
