"""Samples by number: nothing depends on batch size, rank or order."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.data.grammar import Grammar
from moviola.data.loader import Clip, FirstFrames, Histories, Loader, collate


class Counting:
    """Clips whose frame k is a picture of the number k + 1; the slot says which clip it is."""

    grammar = Grammar.from_captions(["a b c d e f g h"])

    def __init__(self, length: int = 20, cyclic: bool = False) -> None:
        self.length, self.cyclic = length, cyclic

    def draw(self, rng: np.random.Generator) -> Clip:
        return Clip(np.array([rng.integers(1, 9)]), self.length, self.cyclic, self.read)

    def read(self, index: np.ndarray) -> np.ndarray:
        index = np.asarray(index)
        if not self.cyclic and index.max(initial=0) >= self.length:
            raise IndexError(index)
        return np.broadcast_to(
            (index % self.length + 1).astype(np.uint8)[:, None, None, None], (len(index), 2, 2, 3)
        )


class Numbers:
    """A sample that is one random number."""

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"x": rng.integers(0, 2**40, 3)}


def test_ranks_share_the_samples_of_one_device():
    """Rank r of w with batch b, together, see what one device with batch w*b sees, in its order."""
    whole = Loader(Numbers(), 12, seed=3)
    for world in (2, 3, 4):
        parts = [Loader(Numbers(), 12 // world, 3, rank, world) for rank in range(world)]
        for step in (0, 1, 7):
            assert torch.equal(torch.cat([p.make(step)["x"] for p in parts]), whole.make(step)["x"])


def test_steps_do_not_overlap_and_seeds_differ():
    """Every number is used once; another seed gives other samples."""
    loader = Loader(Numbers(), 4, seed=3)
    rows = torch.cat([loader.make(s)["x"] for s in range(5)])
    assert len(torch.unique(rows, dim=0)) == 20
    assert not torch.equal(Loader(Numbers(), 4, seed=4).make(0)["x"], loader.make(0)["x"])


def test_batches_by_step_in_any_order():
    """One step ahead or out of order, the batch of a step is the same."""
    loader = Loader(Numbers(), 4, seed=3)
    try:
        for step in (0, 1, 2, 7, 7, 0, 1):
            assert torch.equal(loader(step)["x"], Loader(Numbers(), 4, seed=3).make(step)["x"])
    finally:
        loader.close()


def test_an_error_in_the_thread_is_raised():
    """A sample that fails ahead fails its step, not silently."""

    class Bad:
        def sample(self, rng):
            raise ValueError("no frame")

    loader = Loader(Bad(), 1, seed=0)
    with pytest.raises(ValueError, match="no frame"):
        loader(0)
    loader.close()


def test_collate():
    """uint8 stays uint8, scalars become (B,)."""
    batch = collate([{"a": np.zeros((2, 2), np.uint8), "n": np.int64(k)} for k in range(3)])
    assert batch["a"].shape == (3, 2, 2) and batch["a"].dtype == torch.uint8
    assert batch["n"].tolist() == [0, 1, 2]


@given(
    seed=st.integers(0, 2**32),
    cyclic=st.booleans(),
    length=st.integers(1, 30),
    history=st.integers(1, 10),
    future=st.integers(1, 12),
    single=st.floats(0, 1),
    full=st.floats(0, 1),
)
def test_histories_are_right_aligned_and_followed_by_the_future(
    seed, cyclic, length, history, future, single, full
):
    """`count` consecutive frames at the right end, zeros before, the next frames after; short clips hold their last."""
    samples = Histories(Counting(length, cyclic), history, future, single, full)
    sample = samples.sample(np.random.default_rng(seed))
    count, past, after = int(sample["count"]), sample["history"][:, 0, 0, 0], sample["future"][:, 0, 0, 0]
    assert 1 <= count <= history and past.shape == (history,) and after.shape == (future,)
    assert not past[: history - count].any()
    seen = [*past[history - count :].tolist(), *after.tolist()]
    step = (lambda k: k % length + 1) if cyclic else (lambda k: min(k + 1, length))
    assert all(step(a) == b for a, b in itertools.pairwise(seen)), seen
    assert 1 <= seen[0] <= length


def test_shares_of_histories():
    """30 % single frames, 35 % full, the rest uniform; four single ones in five begin the cycle."""
    samples = Histories(Counting(13, cyclic=True), 10, 1, single=0.3, full=0.35, restart=0.8)
    drawn = [samples.sample(np.random.default_rng(i)) for i in range(4000)]
    counts = np.array([int(s["count"]) for s in drawn])
    share = {1: 0.3 + 0.035, 10: 0.35 + 0.035, 5: 0.035}
    for count, p in share.items():
        assert abs((counts == count).mean() - p) < 4.5 * (p * (1 - p) / len(counts)) ** 0.5
    first = np.array([int(s["history"][-1, 0, 0, 0]) == 1 for s in drawn])[counts == 1]
    p = 0.8 + 0.2 / 13
    assert abs(first.mean() - p) < 4.5 * (p * (1 - p) / len(first)) ** 0.5


@pytest.mark.parametrize("any_phase", [False, True])
def test_first_frames(any_phase):
    """The first frame (or any), its caption, and the caption of another clip."""
    samples = FirstFrames(Counting(), any_phase=any_phase)
    drawn = [samples.sample(np.random.default_rng(i)) for i in range(300)]
    phases = {int(s["frame"][0, 0, 0]) for s in drawn}
    assert phases == (set(range(1, 21)) if any_phase else {1})
    assert all(not np.array_equal(s["slots"], s["other"]) for s in drawn)
    assert drawn[0]["frame"].shape == (2, 2, 3)


def numbers(frames: np.ndarray) -> list[int]:
    """The number of each frame of (T, H, W, 3)."""
    return frames[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("cyclic", [False, True])
def test_first_frame_of_the_roll_out(cyclic):
    """A history with empty places holds the whole roll-out, so its oldest frame is the first; a full one may not."""
    samples = Histories(Counting(20, cyclic), history=4, restart=0.5)
    earlier = 0
    for i in range(200):
        made = samples.sample(np.random.default_rng(i))
        oldest, first = int(made["history"][4 - made["count"], 0, 0, 0]), int(made["first"][0, 0, 0])
        if made["count"] < 4:
            assert first == oldest
        elif not cyclic:
            assert first <= oldest
        earlier += first != oldest
        future = int(made["future"][0, 0, 0, 0])
        assert (first + int(made["time"]) - future) % (20 if cyclic else 1000) == 0
    assert earlier > 40


class TwoLooks(Counting):
    """Looked at otherwise, frame k is a picture of the number k + 101."""

    def draw(self, rng: np.random.Generator) -> Clip:
        clip = super().draw(rng)
        return dataclasses.replace(
            clip, other_look=lambda rng: lambda index: self.read(index) + np.uint8(100)
        )


def test_histories_of_another_look():
    """The given share shows the same frames with another look; what is to be predicted, and the first frame, do not."""
    samples = Histories(TwoLooks(), history=4, other_look=0.3)
    other = 0
    for i in range(1000):
        made = samples.sample(np.random.default_rng(i))
        seen, count = numbers(made["history"]), int(made["count"])
        next_one = numbers(made["future"])[0]
        looks = {number > 100 for number in seen[4 - count :]}
        assert len(looks) == 1 and next_one <= 100 and numbers(made["first"][None])[0] <= 100
        assert [number % 100 for number in seen[4 - count :]] == list(range(next_one - count, next_one))
        assert not any(seen[: 4 - count])
        other += looks.pop()
    assert abs(other / 1000 - 0.3) < 4.5 * (0.3 * 0.7 / 1000) ** 0.5
    plain = [Histories(clips, 4).sample(np.random.default_rng(1)) for clips in (TwoLooks(), Counting())]
    assert all(np.array_equal(plain[0][key], plain[1][key]) for key in plain[0])  # none asked for, none drawn


class TwoMotions(Counting):
    """Before another motion, frame k is a picture of the number k + 101."""

    def draw(self, rng: np.random.Generator) -> Clip:
        clip = super().draw(rng)
        return dataclasses.replace(
            clip, other_past=lambda rng: lambda index: self.read(index) + np.uint8(100)
        )


def test_histories_that_begin_with_another_motion():
    """In the given share the first frame is of the other motion, in the history as well; the rest is not."""
    samples = Histories(TwoMotions(), history=4, other_past=0.3)
    other = 0
    for i in range(1000):
        sample = samples.sample(np.random.default_rng(i))
        seen, count = numbers(sample["history"])[4 - int(sample["count"]) :], int(sample["count"])
        next_one, first = numbers(sample["future"])[0], numbers(sample["first"][None])[0]
        assert next_one <= 100
        assert seen[1:] == list(range(next_one - count + 1, next_one))
        assert seen[0] == (first if count < 4 else next_one - count)
        if first <= 100:
            assert next_one - first == int(sample["time"])
        other += first > 100
    assert abs(other / 1000 - 0.3) < 4.5 * (0.3 * 0.7 / 1000) ** 0.5
    plain = [Histories(clips, 4).sample(np.random.default_rng(1)) for clips in (TwoMotions(), Counting())]
    assert all(np.array_equal(plain[0][key], plain[1][key]) for key in plain[0])


class Flowing(Counting):
    """Its flow says which frame and which first frame it was asked for."""

    def draw(self, rng: np.random.Generator) -> Clip:
        def flow(index: np.ndarray, first: int) -> np.ndarray:
            return np.broadcast_to(
                np.stack([index, np.full_like(index, first)], axis=1)[..., None, None], (len(index), 2, 4, 4)
            ).astype(np.float32)

        return dataclasses.replace(super().draw(rng), flow=flow)


def test_flows_are_of_the_futures_from_the_first_frame():
    """Asked for, they are those of the frames to predict, from the frame that the roll-out began with; else nan."""
    samples = Histories(Flowing(), history=4, future=2, flow=True)
    for i in range(50):
        made = samples.sample(np.random.default_rng(i))
        first = numbers(made["first"][None])[0]
        assert (made["flow"][:, 0, 0, 0] == np.array(numbers(made["future"])) - 1).all()
        assert (made["flow"][:, 1] == first - 1).all()
    unknown = Histories(Counting(), history=4, flow=True).sample(np.random.default_rng(0))["flow"]
    assert unknown.shape[:2] == (1, 2) and np.isnan(unknown).all()
    assert "flow" not in Histories(Flowing(), history=4).sample(np.random.default_rng(0))


class Looped(Counting):
    """Frames 3 to 7 (numbers 4 to 8) may be repeated."""

    def draw(self, rng: np.random.Generator) -> Clip:
        return Clip(np.array([1]), self.length, cyclic=False, read=self.read, loop=(3, 8))


def test_frames_up_to_the_end_of_the_first_period():
    """What comes before the loop comes once; a roll-out may begin anywhere in what is left of it."""
    samples = Histories(Looped(), restart=0.3, cycle=10, begin=1.0)
    seen = set()
    for i in range(100):
        made = samples.sample(np.random.default_rng(i))
        lead, period = int(made["lead"]), int(made["period"])
        shown = numbers(made["cycle"])
        assert period == 5 and not any(shown[lead + period :])
        first = shown[0]
        assert shown[:lead] == list(range(first, 4))
        assert shown[lead : lead + period] == [4 + (max(first, 4) - 4 + k) % 5 for k in range(5)]
        seen.add(first)
    assert seen == set(range(1, 9))


def test_cycles_that_are_not_handed_out():
    """None where the clip has no loop, or a longer one; seldom where few are wanted."""
    for samples in (
        Histories(Counting(), cycle=30, begin=1.0),
        Histories(Counting(20, cyclic=True), cycle=19, begin=1.0),
    ):
        made = samples.sample(np.random.default_rng(0))
        assert made["period"] == 0 and not made["cycle"].any()
    few = Histories(Counting(5, cyclic=True), cycle=5, begin=0.1)
    handed = sum(few.sample(np.random.default_rng(i))["period"] > 0 for i in range(400))
    assert 20 < handed < 70


class Pairs(Counting):
    """Clips of two slots, one of which is sometimes not said."""

    def draw(self, rng):
        clip = super().draw(rng)
        slots = np.array([rng.integers(0, 3), rng.integers(1, 3)])
        return Clip(slots, clip.length, clip.cyclic, clip.read)


def test_captions_that_contradict():
    """With `other`, a caption of another clip that says another thing, not one that only says less; else none."""
    plain, made = Histories(Pairs()), Histories(Pairs(), other=True)
    right = 0
    for i in range(200):
        sample, without = made.sample(np.random.default_rng(i)), plain.sample(np.random.default_rng(i))
        assert sample.keys() - without.keys() == {"other"}
        assert all(np.array_equal(sample[key], without[key]) for key in without)
        a, b = sample["slots"], sample["other"]
        right += any(x != y and x and y for x, y in zip(a, b, strict=True))
    assert right >= 198  # each of eight draws contradicts in more than half of the cases


def test_histories_of_clips_that_loop_begin_at_their_first_frame():
    """As when generating; clips that end are begun anywhere."""
    begun = {}
    for clips in (Looped(), Counting()):
        samples = Histories(clips, single=1.0, restart=0.8)
        made = [samples.sample(np.random.default_rng(i)) for i in range(200)]
        begun[type(clips)] = sum(int(m["history"][-1, 0, 0, 0]) == 1 for m in made)
    assert begun[Looped] > 140 and begun[Counting] < 40
