"""The next-frame U-Net and its roll-outs."""

from __future__ import annotations

import itertools
import weakref

import pytest
import torch
from pydantic import ValidationError

from moviola.core.errors import WeightsError
from moviola.models.nextframe import Change, NextFrameConfig, NextFrameUNet, push, rollout, stream
from moviola.models.nextframe.network import oldest

SLOTS = (3, 2)


def network(caption: str = "film", history: int = 5, std: float = 0.2) -> NextFrameUNet:
    """A small network with random weights everywhere (FiLM starts at zero)."""
    made = NextFrameUNet(
        NextFrameConfig(
            slots=SLOTS, size=32, history=history, widths=(8, 8, 8, 8), condition=8, caption=caption
        )
    )
    generator = torch.Generator().manual_seed(3)
    for p in made.parameters():
        p.data.normal_(0, std, generator=generator)
    return made.eval()


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random values in [-1, 1]."""
    return torch.rand(*shape, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("caption", ["film", "concat"])
@torch.no_grad()
def test_empty_places_are_not_looked_at(caption):
    """Only the last `count` frames matter, whatever lies in the places before: the history is right-aligned."""
    net, history, slots = network(caption), frames(5, 5), torch.ones(5, 2, dtype=torch.int64)
    count = torch.arange(1, 6)
    expected = net(history, count, slots)
    for k in range(5):
        other = history.clone()
        other[:, k] = frames(5, seed=k + 1)
        changed = (net(other, count, slots) - expected).flatten(1).abs().amax(dim=1) > 0
        # place k of 5 is real for the samples whose count reaches back to it
        assert changed.tolist() == [c >= 5 - k for c in count.tolist()]


@torch.no_grad()
def test_an_empty_place_is_not_a_grey_frame():
    """Zero pixels that are real and zero pixels that are empty differ by the mask."""
    net, slots = network("concat"), torch.ones(1, 2, dtype=torch.int64)
    history = torch.zeros(1, 5, 3, 32, 32)
    history[:, -1] = frames(1)
    made = [net(history, torch.tensor([n]), slots) for n in range(1, 6)]
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(made, 2))


@pytest.mark.parametrize("caption", ["film", "concat"])
@torch.no_grad()
def test_every_word_changes_the_frame(caption):
    """Each value of each slot, and "not said", gives another picture."""
    net = network(caption)
    rows = torch.tensor([[a, b] for a in range(4) for b in range(3)])
    made = net(frames(1, 5).expand(12, -1, -1, -1, -1), torch.full((12,), 5), rows).flatten(1)
    assert torch.cdist(made, made).fill_diagonal_(1).min() > 1e-3


@torch.no_grad()
def test_a_fresh_film_network_knows_the_caption():
    """Before training, too, the caption reaches the output (through the dense network)."""
    torch.manual_seed(0)
    net = NextFrameUNet(NextFrameConfig(slots=SLOTS, size=32, widths=(8, 8, 8, 8), condition=8)).eval()
    history, count = frames(2, 10), torch.tensor([10, 10])
    history[1] = history[0]
    a, b = net(history, count, torch.tensor([[1, 1], [2, 1]]))
    assert not torch.equal(a, b)


@torch.no_grad()
def test_batch_of_two_is_two_singles():
    """No sample sees another, in one step and in a roll-out."""
    net, history = network(), frames(2, 5)
    count, slots = torch.tensor([2, 5]), torch.tensor([[1, 2], [3, 0]])
    both = net(history, count, slots)
    for i in range(2):
        assert torch.allclose(
            both[i], net(history[i : i + 1], count[i : i + 1], slots[i : i + 1])[0], atol=1e-4
        )
    both = rollout(net, frames(2), slots, 6)
    for i in range(2):
        assert torch.allclose(both[i], rollout(net, frames(2)[i : i + 1], slots[i : i + 1], 6)[0], atol=1e-3)


def test_rollout_begins_with_the_shorter_one():
    """The first frame is the given one; 20 frames begin with the same 10."""
    net, first, slots = network(), frames(1), torch.tensor([[1, 1]])
    long, short = rollout(net, first, slots, 20), rollout(net, first, slots, 10)
    assert long.shape == (1, 20, 3, 32, 32)
    assert torch.equal(long[:, :10], short) and torch.equal(long[:, 0], first)
    assert long.abs().max() <= 1 and not long.requires_grad
    assert (long[:, 1:] - long[:, :-1]).abs().amax() > 0.01


@torch.no_grad()
def test_rollout_is_the_network_on_its_own_frames():
    """Step by step by hand: a growing history, then a sliding one, clipped to [-1, 1]."""
    net, slots = network(history=3), torch.tensor([[2, 1]])
    made = [frames(1)]
    for _ in range(5):
        seen = made[-3:]
        empty = [torch.zeros_like(made[0])] * (3 - len(seen))
        made.append(net(torch.stack([*empty, *seen], dim=1), torch.tensor([len(seen)]), slots).clamp(-1, 1))
    # another layout in memory may round otherwise, and each frame is made from those before it
    torch.testing.assert_close(rollout(net, frames(1), slots, 6), torch.stack(made, dim=1), rtol=0, atol=1e-3)


def test_push():
    """The oldest falls off on the left; the count stops at K."""
    history, count = torch.zeros(1, 2, 3, 4, 4), torch.tensor([0])
    for value in (1.0, 2.0, 3.0):
        history, count = push(history, count, torch.full((1, 3, 4, 4), value))
    assert history[0, :, 0, 0, 0].tolist() == [2.0, 3.0] and count.tolist() == [2]


def test_stream_holds_no_more_than_its_history(monkeypatch):
    """The network is never given more than K frames, and what was yielded is let go."""
    net = network(history=3, std=0.01)
    sizes = []
    forward = net.forward
    monkeypatch.setattr(
        net, "forward", lambda h, c, s, f, t: (sizes.append((h.shape[1], int(c))), forward(h, c, s, f, t))[1]
    )
    made = stream(net, frames(1), torch.tensor([[1, 1]]))
    yielded = [weakref.ref(next(made)) for _ in range(30)]
    assert sizes[:2] == [(3, 1), (3, 2)] and set(sizes[2:]) == {(3, 3)}
    assert sum(frame() is not None for frame in yielded) <= 2  # the first and the newest


def test_save_and_load(tmp_path):
    """The same frames after a round trip; nearly the same after one in half precision."""
    net, args = network(), (frames(1, 5), torch.tensor([3]), torch.tensor([[1, 2]]))
    with torch.no_grad():
        expected = net(*args)
        again = NextFrameUNet.from_pretrained(net.save_pretrained(tmp_path / "full"))
        halved = NextFrameUNet.from_pretrained(net.save_pretrained(tmp_path / "half", half=True))
        assert torch.equal(again(*args), expected)
        assert torch.allclose(halved(*args), expected, rtol=0.02, atol=0.02 * expected.abs().max().item())
    assert again.config == net.config
    size = [(tmp_path / n / "model.safetensors").stat().st_size for n in ("half", "full")]
    assert size[0] < 0.6 * size[1]
    (tmp_path / "full" / "config.json").write_text('{"class": "FrameGenerator"}')
    with pytest.raises(WeightsError, match="FrameGenerator"):
        NextFrameUNet.from_pretrained(tmp_path / "full")


def test_sizes_are_checked():
    """A frame size that the strides do not divide is refused by the config."""
    with pytest.raises(ValidationError):
        NextFrameConfig(slots=SLOTS, size=40)


@torch.no_grad()
@pytest.mark.parametrize("size", [32, 64, 96])
def test_sizes(size):
    """One frame out, of the same size."""
    net = NextFrameUNet(NextFrameConfig(slots=SLOTS, size=size, history=2, widths=(8, 8, 8, 8), condition=8))
    made = net(torch.zeros(1, 2, 3, size, size), torch.tensor([1]), torch.tensor([[0, 0]]))
    assert made.shape == (1, 3, size, size) and made.dtype == torch.float32


@torch.no_grad()
def test_a_network_with_reach_moves_pixels_as_chosen():
    """Told to take every pixel from two to the left and one below, and to draw nothing, it shifts the newest frame."""
    made = NextFrameUNet(
        NextFrameConfig(slots=SLOTS, size=32, history=3, widths=(8, 8, 8, 8), condition=8, reach=2)
    )
    assert made.moves is not None and made.moves.choice.bias is not None and made.head.bias is not None
    made.head.weight.zero_()
    made.head.bias.copy_(torch.tensor([0.0] * 12 + [1.0] * 4))  # three channels drawn: nothing; the mask: all
    logits = torch.full((25, 4), -50.0)
    logits[3 * 5 + 0] = 50.0  # row +1, column -2
    made.moves.choice.bias.copy_(logits.flatten())
    history = frames(2, 3)
    out = made.eval()(history, torch.tensor([3, 3]), torch.ones(2, 2, dtype=torch.int64))
    newest = history[:, -1]
    torch.testing.assert_close(out[:, :, :31, 2:], newest[:, :, 1:, :30])
    torch.testing.assert_close(out[:, :, 31, 2:], newest[:, :, 31, :30])  # the border repeats


@torch.no_grad()
def test_reach_begins_by_staying():
    """A fresh network with reach takes most of each pixel from its own place: training may start from one without."""
    moves = NextFrameUNet(NextFrameConfig(slots=SLOTS, size=32, widths=(8, 8, 8, 8), reach=1)).moves
    assert moves is not None
    weight = moves.choice(torch.randn(1, 8, 16, 16)).unflatten(1, (9, 4)).softmax(dim=1)
    assert weight.argmax(dim=1).eq(4).all() and weight[:, 4].min() > 0.6


@pytest.mark.parametrize("cut", [True, False])
@torch.no_grad()
def test_a_change_of_caption(cut):
    """What comes before is as without it; after it the film goes on as one that begins with that frame."""
    net, start, anew = network(history=3), frames(1), frames(1) * 0.5
    before, after = torch.tensor([[2, 1]]), torch.tensor([[1, 2]])
    changed = stream(net, start, before, {4: Change(after, anew if cut else None)})
    made = torch.cat([next(changed) for _ in range(8)])
    plain = rollout(net, start, before, 4)[0]
    assert torch.equal(made[:4], plain)
    # the history is emptied but for the frame it goes on from, whose caption is the new one
    first, offset = (anew, 4) if cut else (plain[3:4], 3)
    again = rollout(net, first, after, 8 - offset)[0]
    # what is masked out of the history still takes part in sums, as zeros
    torch.testing.assert_close(made[4:], again[4 - offset :], rtol=0, atol=1e-3)
    assert not torch.allclose(made[4:], rollout(net, start, before, 8)[0, 4:], atol=1e-2)


def test_a_change_holds_no_more_than_its_history(monkeypatch):
    """The count begins again at one, and frames from before the change are let go."""
    net, counts = network(history=3, std=0.01), []
    forward = net.forward
    monkeypatch.setattr(
        net, "forward", lambda h, c, s, f, t: (counts.append(int(c)), forward(h, c, s, f, t))[1]
    )
    slots = torch.tensor([[1, 1]])
    made = stream(net, frames(1), slots, {5: Change(slots + 1), 9: Change(slots, frames(1))})
    yielded = [weakref.ref(next(made)) for _ in range(14)]
    # made by the network: frames 1 to 8 and 10 to 13
    assert counts == [1, 2, 3, 3, 1, 2, 3, 3, 1, 2, 3, 3]
    assert sum(frame() is not None for frame in yielded) <= 3  # both given frames and the newest


def test_memory_holds_the_first_frame_of_its_part(monkeypatch):
    """The first frame stays in view; after a cut the one given there, after another change the newest."""
    net, seen = network(history=3, std=0.01), []
    forward = net.forward
    monkeypatch.setattr(net, "forward", lambda h, c, s, f, t: (seen.append(f), forward(h, c, s, f, t))[1])
    slots, given = torch.tensor([[1, 1]]), frames(1)
    made = stream(net, frames(1), slots, {3: Change(slots), 6: Change(slots, given)})
    film = [next(made) for _ in range(9)]
    starts = [film[0], film[0], film[2], film[2], film[2], given, given]
    assert all(torch.equal(mine, wanted) for mine, wanted in zip(seen, starts, strict=True))


def test_memory_takes_the_oldest_frame_where_none_is_given():
    """A history with empty places holds the whole roll-out."""
    history = torch.arange(4.0)[None, :, None, None, None].expand(3, -1, 3, 2, 2)
    assert oldest(history, torch.tensor([1, 3, 4]))[:, 0, 0, 0].tolist() == [3.0, 1.0, 0.0]
