"""Passes in memory and piece by piece: what they promise, bit for bit, and every kind of bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import moviola as mv
from moviola.core.errors import ConfigError, UnknownNameError, WeightsError
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.corrupt import Mixture, find_corruption
from moviola.nn.words import tokenize
from moviola.pipelines.refine import make_plan, refine, refine_stream


def test_a_formula(formula, noise_video):
    """x -> x / 2 on [-1, 1], rounded to bytes; length, size, rate and sound stay."""
    video = noise_video(21, sound=True)
    out = refine(video, formula(), 1)
    expected = np.rint((video.frames / 127.5 - 1) / 2 * 127.5 + 127.5)
    assert np.array_equal(out.frames, expected) and out.fps == video.fps and out.audio is video.audio


def test_it_is_a_public_name(formula, noise_video):
    """`moviola.refine`."""
    assert np.array_equal(
        mv.refine(noise_video(5), formula(), 1).frames, refine(noise_video(5), formula(), 1).frames
    )


@pytest.mark.parametrize("size", [(16, 16), (30, 41)])
@pytest.mark.parametrize("mode", ["tile", "resize", "whole"])
def test_two_passes_are_one_pass_twice(smearing, noise_video, size, mode):
    """Bit for bit, with windows, tiles and resizing in between."""
    video = noise_video(21, *size)
    twice = refine(refine(video, smearing, 1, size=mode), smearing, 1, size=mode)
    assert np.array_equal(refine(video, smearing, 2, size=mode).frames, twice.frames)


@pytest.mark.parametrize("corruption", ["held-block", "sliding", "noise"])
@pytest.mark.parametrize("keep", [False, True])
def test_two_corrupted_passes_are_one_with_each_seed(smearing, noise_video, corruption, keep):
    """Pass k draws by seed + k."""
    video, how = noise_video(21), {"corruption": corruption, "keep_known": keep}
    once = refine(video, smearing, 1, seed=5, **how)
    twice = refine(once, smearing, 1, seed=6, **how)
    assert np.array_equal(refine(video, smearing, 2, seed=5, **how).frames, twice.frames)
    assert not np.array_equal(once.frames, refine(video, smearing, 1, seed=6, **how).frames)


def test_keep_known(formula, noise_video):
    """Known pixels are bit-equal, the others are the network's; the network gets the corrupted clip and the mask."""
    video, refiner = noise_video(8), formula(lambda x: torch.full_like(x, 1.0))
    out = refine(video, refiner, 1, corruption="blocks", strength=0.8, keep_known=True, seed=3)
    flawed, mask = find_corruption("blocks").apply(video.frames, 0.8, numpy_generator(3, "refine", 0))
    assert 0.1 < mask.mean() < 0.9
    assert np.array_equal(out.frames[~mask], video.frames[~mask]) and (out.frames[mask] == 255).all()
    given, covered, _ = refiner.calls[0]
    assert np.array_equal(Video.from_tensor(given[0], 10).frames, flawed)
    assert np.array_equal(covered[0, :, 0].numpy().astype(bool), mask)


def test_keep_known_over_windows_tiles_and_passes(smearing, noise_video):
    """What no window of no pass covers is untouched."""
    video = noise_video(19, 30, 20)
    out = refine(video, smearing, 2, corruption="held-block", keep_known=True, overlap=2)
    covered = np.zeros((19, 30, 20), bool)
    for number in range(2):
        for index, start in enumerate((0, 6, 11)):
            clip = video.frames[start : start + 8]  # the box does not depend on what is in it
            generator = numpy_generator(number, "refine", index)
            covered[start : start + 8] |= find_corruption("held-block").apply(clip, 0.5, generator)[1]
    assert 0 < covered.mean() < 0.9
    assert np.array_equal(out.frames[~covered], video.frames[~covered])
    assert not np.array_equal(out.frames, video.frames)


def test_mixture_file(formula, noise_video, tmp_path):
    """A `.json` of `moviola data match` is drawn from as `Mixture.draw` does."""
    mixture = Mixture.of("noise", "pixels")
    (tmp_path / "m.json").write_text(mixture.to_json())
    out = refine(noise_video(8), formula(lambda x: x), 1, corruption=str(tmp_path / "m.json"))
    expected, _ = mixture.draw(noise_video(8).frames, numpy_generator(0, "refine", 0))
    assert np.array_equal(out.frames, expected)


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_short_videos(smearing, noise_video, frames):
    """Fewer frames than a window are continued and cut back: one window, all frames."""
    video = noise_video(frames)
    assert refine(video, smearing, 1).frames.shape == video.frames.shape and smearing.clips == 1
    assert smearing.calls[0][0].shape[1] == 8


@pytest.mark.parametrize("size", [(16, 16), (23, 50)])
def test_no_seam_on_a_constant_video(formula, size):
    """One colour in, one colour out, over windows and tiles."""
    video = Video(np.full((37, *size, 3), (10, 77, 200), np.uint8), 25)
    out = refine(video, formula(lambda x: torch.tanh(1.3 * x)), 3)
    assert len(np.unique(out.frames.reshape(-1, 3), axis=0)) == 1


def test_each_window_once(formula, noise_video):
    """100 frames in windows of 8 that share 2: 17 windows a pass, and no more."""
    refiner = formula()
    refine(noise_video(100), refiner, 3, overlap=2, batch=5)
    assert refiner.clips == 3 * 17
    assert max(len(video) for video, _, _ in refiner.calls) == 5


def test_batch_does_not_matter(smearing, noise_video):
    """Nor does what else is in it."""
    video = noise_video(50, 30, 20)
    one, many = (refine(video, smearing, 2, batch=batch) for batch in (1, 7))
    assert np.array_equal(one.frames, many.frames)


@pytest.mark.parametrize("piece", [1, 5, 16, 64])
def test_stream_equals_whole(smearing, noise_video, piece):
    """The same frames, in pieces as they came, each with its own sound."""
    video = noise_video(45, sound=True)
    pieces = [video[i : i + piece] for i in range(0, 45, piece)]
    out = list(refine_stream(pieces, make_plan(smearing), 2))
    assert [len(p) for p in out] == [len(p) for p in pieces]
    assert all(a.audio is b.audio for a, b in zip(out, pieces, strict=True))
    assert np.array_equal(Video.concat(out).frames, refine(video, smearing, 2).frames)


def test_stream_is_lazy(formula, noise_video):
    """Frames come out a few windows after they went in, whatever the length."""
    video, read, most = noise_video(1), [0], 0

    def pieces():
        for _ in range(300):
            read[0] += 1
            yield video

    for written, _ in enumerate(refine_stream(pieces(), make_plan(formula(), batch=2), 3)):
        most = max(most, read[0] - written)
    assert read[0] == 300 and most <= 3 * 3 * 8


def test_no_passes(formula, noise_video):
    """The video as it is, the network untouched."""
    refiner = formula()
    assert np.array_equal(refine(noise_video(), refiner, 0).frames, noise_video().frames)
    assert refiner.calls == []


def test_condition(formula, noise_video):
    """Class and words as numbers, one a clip of the batch."""
    refiner = formula()
    refine(noise_video(40), refiner, 1, text="a dog runs", label="jump", batch=3)
    for video, _, condition in refiner.calls:
        assert condition.label.tolist() == [1] * len(video)
        assert np.array_equal(condition.tokens.numpy(), np.stack([tokenize("a dog runs")] * len(video)))


def test_a_plan_can_be_told_another_text(formula):
    """All else stays; nothing said, or a network without text, leaves it as it is."""
    plan = make_plan(formula(), iterations=3, text="a dog runs")
    told = plan.telling("a cat jumps")
    assert np.array_equal(told.condition.tokens[0].numpy(), tokenize("a cat jumps"))
    assert (told.settings.iterations, plan.settings.text) == (3, "a dog runs")
    without = make_plan(formula(text=False))
    assert plan.telling(" ") is plan and without.telling("a cat jumps") is without


def test_ticks(formula, noise_video):
    """Progress counts every frame of every pass."""
    done = []
    refine(noise_video(37), formula(), 3, tick=lambda advance=1, text="": done.append(advance))
    assert sum(done) == 3 * 37


BAD = {
    "negative": ({"iterations": -1}, {}, ConfigError, "auto or a whole number of at least 0"),
    "no number": ({"iterations": "many"}, {}, ConfigError, "iterations is many"),
    "half": ({"iterations": 1.5}, {}, ConfigError, "iterations is 1.5"),
    "corruption": ({"corruption": "held-blok"}, {}, UnknownNameError, "did you mean held-block"),
    "no mixture": ({"corruption": "no.json"}, {}, ConfigError, "no.json"),
    "strength": ({"corruption": "noise", "strength": 0}, {}, ConfigError, "strength"),
    "nothing known": ({"keep_known": True}, {}, ConfigError, "keep-known needs a corruption"),
    "class": ({"label": "runn"}, {}, UnknownNameError, "did you mean run"),
    "no classes": ({"label": "run"}, {"classes": ()}, ConfigError, "without classes"),
    "no text": ({"text": "a dog"}, {"text": False}, ConfigError, "without text"),
    "empty text": ({"text": " ... "}, {}, ConfigError, "holds no word"),
    "size": ({"size": "tils"}, {}, ConfigError, "size"),
    "overlap": ({"overlap": 5}, {}, ConfigError, "0 to 4 frames"),
    "channels": ({}, {"channels": 1}, ConfigError, "takes 1 channels"),
    "setting": ({"iterashuns": 1}, {}, ConfigError, "iterashuns"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(formula, noise_video, case):
    """One line that says what would be right; the network is not asked."""
    changes, sizes, kind, said = BAD[case]
    refiner = formula(**sizes)
    with pytest.raises(kind) as caught:
        refine(noise_video(), refiner, **{"iterations": 1, **changes})
    assert said in str(caught.value) and "\n" not in str(caught.value) and refiner.calls == []


def test_another_range(formula, noise_video):
    """A network that declares [0, 1] is refused."""
    refiner = formula()
    refiner.value_range = (0.0, 1.0)
    with pytest.raises(ConfigError, match="values of 0 to 1"):
        refine(noise_video(), refiner, 1)


@pytest.mark.parametrize(
    ("function", "said"),
    [(lambda x: x[:, :4], "gave"), (lambda x: x * torch.nan, "not finite")],
    ids=["shape", "nan"],
)
def test_a_broken_network(formula, noise_video, function, said):
    """Named, not written."""
    with pytest.raises(WeightsError, match=said):
        refine(noise_video(), formula(function), 1)


def test_auto_needs_the_whole_video(formula, noise_video):
    """Piece by piece there is no telling when to stop."""
    with pytest.raises(ConfigError, match="auto"):
        list(refine_stream([noise_video()], make_plan(formula(), iterations="auto")))
