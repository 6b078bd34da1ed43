"""Text to video: what decides the result, and what does not."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

import moviola
from moviola.core.errors import (
    ConfigError,
    InputError,
    PromptError,
    UnknownNameError,
    VideoReadError,
    WeightsError,
)
from moviola.core.video import Video
from moviola.pipelines.generate import generate, generate_stream, open_generator, plan, take, takes

PROMPT = "a person with red hair walks"


def test_same_seed_same_bytes(tiny_model, tiny_folder):
    """Loaded or named by folder, through the package or the module; another seed gives another video."""
    made = generate(PROMPT, model=tiny_model, seed=3)
    assert made.frames.shape == (6, 32, 32, 3) and made.fps == Fraction(25, 2)
    for other in (
        generate(PROMPT, model=tiny_folder, seed=3),
        moviola.generate(PROMPT, model=str(tiny_folder), seed=3),
    ):
        assert np.array_equal(made.frames, other.frames)
    assert not np.array_equal(made.frames[0], generate(PROMPT, model=tiny_model, seed=4).frames[0])


def test_global_randomness_does_not_matter(tiny_model):
    """Nor is it used up."""
    torch.manual_seed(1)
    a = generate(PROMPT, model=tiny_model)
    first = torch.rand(2)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(2)
    assert np.array_equal(a.frames, generate(PROMPT, model=tiny_model).frames)
    assert torch.equal(first, expected)


def test_samples_of_a_seed(tiny_model):
    """Sample k of a seed is another video, with other draws for what the prompt leaves open."""
    plans = [plan(PROMPT, tiny_model, index=k) for k in range(12)]
    assert len({p.caption for p in plans}) > 1
    assert all("red hair" in p.caption and "walks" in p.caption for p in plans)
    videos = [generate(PROMPT, model=tiny_model, index=k).frames.tobytes() for k in range(6)]
    assert len(set(videos)) == 6


def test_longer_videos_begin_with_the_shorter(tiny_model):
    """Whatever the pieces they are made in."""
    long, short = (generate(PROMPT, model=tiny_model, frames=n) for n in (70, 9))
    assert len(long) == 70 and np.array_equal(long.frames[:9], short.frames)
    pieces = list(generate_stream(tiny_model, plan(PROMPT, tiny_model), 70))
    assert [len(p) for p in pieces] == [32, 32, 6]
    assert np.array_equal(np.concatenate([p.frames for p in pieces]), long.frames)


def test_one_word_more_changes_only_its_slot(tiny_model):
    """The other slots keep their draws, and the noise is the seed's."""
    for seed in range(30):
        base, said = (plan(p, tiny_model, seed=seed) for p in (PROMPT, PROMPT + " right"))
        assert said.slots[2] == 2 and torch.equal(base.slots[:2], said.slots[:2])
        if base.slots[2] == 2:
            assert said.caption == base.caption
    for seed in range(30):
        base, said = (plan(p, tiny_model, seed=seed) for p in ("walks", "green hair walks"))
        assert torch.equal(base.slots[1:], said.slots[1:])


def test_every_word_reaches_the_frames(tiny_model):
    """Hair, action and side each change the video; the action also where the first frame is given."""
    base = generate("red hair walks left", model=tiny_model).frames
    for other in ("blue hair walks left", "red hair waves left", "red hair walks right"):
        assert not np.array_equal(generate(other, model=tiny_model).frames[0], base[0])
    image = Video(base[:1], 1)
    a, b = (generate(f"red hair {w} left", model=tiny_model, image=image).frames for w in ("walks", "waves"))
    assert np.array_equal(a[0], b[0]) and not np.array_equal(a[1:], b[1:])


def test_notes(tiny_model):
    """Unknown words with the nearest, values that gave way."""
    notes = plan("a person with redd hair wlaks jumps left zzzzz", tiny_model).notes
    assert len(notes) == 4 and all("\n" not in n for n in notes)
    assert "'redd'" in notes[0] and "red" in notes[0] and "'wlaks'" in notes[1] and "walks" in notes[1]
    assert notes[2] == "'zzzzz' is not known and was ignored" and "jumps" in notes[3]
    assert plan(PROMPT, tiny_model).notes == ()


def test_image(tiny_model, tmp_path):
    """The first frame is the image itself at the model's size; what it shows stays unsaid."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = tmp_path / "first.png"
    Image.fromarray(pixels).save(path)
    planned = plan("walks", tiny_model, image=path)
    assert planned.notes == () and planned.caption == "a person walks" and planned.slots.tolist() == [0, 1, 0]
    for image in (path, str(path), Video(pixels[None], 5)):
        assert np.array_equal(generate("walks", model=tiny_model, image=image).frames[0], pixels)


def test_image_of_another_size(tiny_model, tmp_path):
    """Cropped to its centre square, resized, and said."""
    pixels = np.zeros((50, 90, 3), np.uint8)
    pixels[:, 20:70] = (200, 100, 0)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    planned = plan("walks", tiny_model, image=tmp_path / "wide.png")
    assert planned.notes == ("the image was brought from 90x50 to 32x32 (centre crop, lanczos)",)
    assert (planned.first.frames == np.array([200, 100, 0])).all()


def test_video_as_image(tiny_model, tmp_path):
    """Its first frame."""
    frames = np.stack([np.full((32, 32, 3), v, np.uint8) for v in (40, 200)])
    Video(frames, 5).save(tmp_path / "clip.gif")
    assert (generate("walks", model=tiny_model, image=tmp_path / "clip.gif").frames[0] == 40).all()


@pytest.mark.parametrize(
    ("fps", "rate"), [(None, Fraction(25, 2)), (10, Fraction(10)), (23.976, Fraction(24000, 1001))]
)
def test_rates(tiny_model, fps, rate):
    """The model's own, or the asked one as an exact fraction."""
    assert generate(PROMPT, model=tiny_model, frames=1, fps=fps).fps == rate


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"prompt": ""}, PromptError, "empty"),
        ({"prompt": "xyzzy blorp"}, PromptError, "no word"),
        ({"prompt": "walks waves"}, PromptError, "two things"),
        ({"frames": 0}, ConfigError, "frames is 0"),
        ({"frames": -3}, ConfigError, "frames is -3"),
        ({"fps": 0}, ConfigError, "frame rate"),
        ({"fps": float("nan")}, ConfigError, "frame rate"),
        ({"fps": float("inf")}, ConfigError, "frame rate"),
        ({"image": "nothing.png"}, VideoReadError, r"nothing\.png"),
        ({"model": "spritez"}, UnknownNameError, "spritez"),
        ({"model": "no/such/folder"}, UnknownNameError, "no model folder"),
        ({"model": object()}, InputError, "a object draws no videos"),
        ({"steps": 4, "size": (8, 8)}, ConfigError, "size, steps is for hub:NAME; a loaded TextToVideo"),
    ],
)
def test_bad_input(tiny_model, change, error, words):
    """One line each, of the class that exits with 2."""
    arguments = {"prompt": PROMPT, "model": tiny_model} | change
    with pytest.raises(error, match=words) as raised:
        generate(**arguments)
    assert isinstance(raised.value, InputError) and "\n" not in str(raised.value)


def test_an_image_that_is_none(tiny_model, tmp_path):
    """Text in a PNG's place."""
    (tmp_path / "x.png").write_text("this is no picture")
    with pytest.raises(InputError, match=r"x\.png") as raised:
        generate(PROMPT, model=tiny_model, image=tmp_path / "x.png")
    assert "\n" not in str(raised.value)


def test_a_model_without_first_frames(tiny_model):
    """Needs an image, and says so; with one it works."""
    blind = dataclasses.replace(tiny_model, first=None)
    with pytest.raises(WeightsError, match="--image"):
        generate(PROMPT, model=blind)
    image = Video(np.zeros((1, 32, 32, 3), np.uint8), 1)
    assert len(generate(PROMPT, model=blind, image=image)) == 6
    without = dataclasses.replace(plan(PROMPT, tiny_model), first=None)
    with pytest.raises(WeightsError, match="--image"):
        next(generate_stream(blind, without, 3))


# -- any generator ------------------------------------------------------------------------------------


class Ramp:
    """A generator that is told nothing: frame n of video (seed, index) is one grey value."""

    is_conditional, num_frames, height, width, fps = False, 5, 4, 6, Fraction(8)

    def stream(self, seed, index, frames, prompt=None):
        """Pieces of two frames."""
        values = (torch.arange(frames) + 40 * seed + 9 * index) / 127.5 - 1
        for piece in values.split(2):
            yield piece[:, None, None, None].expand(-1, 1, self.height, self.width)


def test_a_generator_that_is_told_nothing():
    """Its own length and rate, or those asked for; a prompt or an image is refused."""
    made = take(open_generator(Ramp()), None, seed=1, index=2)
    assert (made.caption, made.notes, made.frames, made.fps) == ("", (), 5, 8)
    pieces = list(made.pieces())
    assert [len(piece) for piece in pieces] == [2, 2, 1] and pieces[0].frames.shape == (2, 4, 6, 3)
    assert [int(frame.frames[0, 0, 0, 0]) for piece in pieces for frame in piece] == [58, 59, 60, 61, 62]
    assert take(Ramp(), None, seed=0, index=0, frames=9, fps=12.5).fps == Fraction(25, 2)
    for how, words in (
        ({"prompt": "a cat"}, "told no text"),
        ({"prompt": None, "image": "x.png"}, "--image"),
    ):
        with pytest.raises(ConfigError, match=words):
            take(Ramp(), **how, seed=0, index=0)
    with pytest.raises(ConfigError, match="frames is 0"):
        take(Ramp(), None, seed=0, index=0, frames=0)


def test_takes_do_not_depend_on_one_another(tiny_model):
    """Number k of many, of few, or alone is the same video."""
    many = [next(one.pieces()).frames for one in takes(PROMPT, tiny_model, 4, seed=2)]
    assert np.array_equal(
        many[3], next(next(iter(takes(PROMPT, tiny_model, 1, first=3, seed=2))).pieces()).frames
    )
    assert np.array_equal(many[1], generate(PROMPT, model=tiny_model, seed=2, index=1).frames)
    first = [next(one.pieces()).frames for one in takes(PROMPT, tiny_model, 2, seed=2)]
    assert np.array_equal(first, many[:2])


def test_a_refiner_generates_nothing():
    """By its name, with the names that would do."""
    with pytest.raises(WeightsError, match=r"regis-u is a refiner; generators are .*sprites"):
        generate(PROMPT, model="regis-u")


# -- a caption that changes ---------------------------------------------------------------------------

LATER = ["right", "a person with blue hair waves"]


@pytest.mark.parametrize("join", ["cut", "carry", None])
def test_then_keeps_what_came_before(tiny_model, join):
    """Bit for bit, part after part; each part looks different from the film that goes on."""
    how = {"model": tiny_model, "frames": 7, "seed": 3, "join": join}
    first = generate("red hair walks left", **how | {"join": None}).frames
    two = generate("red hair walks left", then=LATER[:1], **how).frames
    three = generate("red hair walks left", then=LATER, **how).frames
    assert len(two) == 14 and len(three) == 21
    assert np.array_equal(two[:7], first) and np.array_equal(three[:14], two)
    plain = generate("red hair walks left", model=tiny_model, frames=21, seed=3).frames
    assert not np.array_equal(plain[7:14], three[7:14]) and not np.array_equal(plain[14:], three[14:])


def test_then_by_a_cut_or_from_the_newest_frame(tiny_model):
    """A cut shows the film of the later caption from its beginning; carried on, it is that film from the last frame."""
    prompt, how = "red hair walks left", {"model": tiny_model, "frames": 5, "seed": 3}
    alone = generate("red hair walks right", **how).frames
    cut = generate(prompt, then="right", **how).frames
    assert np.array_equal(cut[5], alone[0]) and np.abs(cut[5:].astype(int) - alone).max() <= 1
    carried = generate(prompt, then="right", join="carry", **how).frames
    assert np.array_equal(carried[:5], cut[:5]) and not np.array_equal(carried[5], cut[5])
    image = Video(np.full((1, 32, 32, 3), 90, np.uint8), 1)
    shown = generate(prompt, then="right", image=image, **how).frames
    assert np.array_equal(shown, generate(prompt, then="right", image=image, join="carry", **how).frames)
    assert np.array_equal(shown[:5], generate(prompt, image=image, **how).frames)


def test_parts(tiny_model):
    """Captions in full and where they begin; what is left open is the same in all of them."""
    made = takes("walks left", tiny_model, 6, frames=4, then=LATER, seed=1)
    for one in made:
        assert one.frames == 12 and [(p.first_frame, p.frames) for p in one.parts] == [(0, 4), (4, 4), (8, 4)]
        first, second, third = (part.caption for part in one.parts)
        assert one.caption == first and second == first.replace("left", "right")
        assert third == "a person with blue hair waves right"
        assert [len(piece) for piece in one.pieces()] == [4, 4, 4]
    assert len({one.caption for one in made}) > 1
    assert takes("walks", tiny_model, 1)[0].parts == ()


def test_notes_of_later_prompts(tiny_model):
    """Say of which prompt they are; one that changes nothing says so and cuts nothing."""
    notes = plan("walks left", tiny_model, then=["zzzz waves", "waves"]).notes
    assert notes == (
        "--then, number 1: 'zzzz' is not known and was ignored",
        "--then, number 2: nothing changes, the film goes on as it was",
    )
    same = generate("walks left", model=tiny_model, frames=5, then="walks")
    assert np.array_equal(same.frames, generate("walks left", model=tiny_model, frames=10).frames)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"then": ["waves", ""]}, PromptError, "--then, number 2: the prompt is empty"),
        ({"then": ""}, PromptError, "--then: the prompt is empty"),
        ({"then": "wlaks"}, PromptError, "--then: .*did you mean walks"),
        ({"then": ["walks waves"]}, PromptError, "--then: .*two things of the action"),
        ({"then": "waves", "join": "fade"}, ConfigError, "--join is 'fade'; it is one of cut, carry"),
        ({"join": "cut"}, ConfigError, "--join cut has no effect without --then"),
        (
            {"then": "waves", "join": "cut", "image": Video(np.zeros((1, 32, 32, 3), np.uint8), 1)},
            ConfigError,
            "use --join carry",
        ),
        ({"then": "waves", "frames": 0}, ConfigError, "frames is 0"),
        ({"then": "waves", "model": Ramp()}, ConfigError, "--then is for .* a Ramp has one text a video"),
        ({"then": "waves", "model": "hub:none/such"}, ConfigError, "--then is for .* hub:none/such has"),
        ({"then": "waves", "model": "freqmotion-toy"}, ConfigError, "--then is for .* a FreqMotionGenerator"),
    ],
)
def test_bad_later_prompts(tiny_model, change, error, words):
    """One line each, of the class that exits with 2."""
    with pytest.raises(error, match=words) as raised:
        generate(**{"prompt": PROMPT, "model": tiny_model} | change)
    assert isinstance(raised.value, InputError) and "\n" not in str(raised.value)
