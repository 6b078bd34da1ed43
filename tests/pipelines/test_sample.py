"""Many videos of one model: what decides each, and what a folder of them holds."""

from __future__ import annotations

import csv
import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
import torch

import moviola as mv
from moviola.core.errors import (
    ConfigError,
    FormatError,
    InputError,
    OutputError,
    PromptError,
    UnknownNameError,
    WeightsError,
)
from moviola.data import codec
from moviola.data.sources import open_source
from moviola.pipelines.sample import open_sampling, sample
from moviola.pipelines.sample_folder import (
    SampleFolder,
    read_caption_list,
    sample_settings,
    sample_sheet,
    write_samples,
)

PROMPT = "a person with red hair walks"


class Ramp:
    """A generator that is told nothing: every pixel of frame n is n + 40 seed + 9 index; it counts what it draws."""

    is_conditional, num_frames, height, width, fps = False, 3, 4, 6, Fraction(8)

    def __init__(self, fault: int = -1) -> None:
        self.drawn, self.fault = [], fault

    def stream(self, seed, index, frames, prompt=None):
        """One frame a piece; the video `fault` stops after its first."""
        self.drawn.append(index)
        for n in range(frames):
            if index == self.fault and n:
                raise KeyboardInterrupt
            yield torch.full((1, 1, 4, 6), (n + 40 * seed + 9 * index) / 127.5 - 1)


def written(model, place, num, **how):
    """Write samples as the command does."""
    sampling = open_sampling(model, **how)
    return write_samples(sampling, place, num, sample_settings(model, sampling, place))


# -- in memory ----------------------------------------------------------------------------------------


def test_each_follows_from_seed_and_number(tiny_model):
    """Not from how many are drawn, nor from which is drawn first; and it is what `generate` makes of its caption."""
    many = [v.frames for v in sample(tiny_model, num=5, seed=3, frames=4)]
    assert len({v.tobytes() for v in many}) == 5 and many[0].shape == (4, 32, 32, 3)
    later = [v.frames for v in mv.sample(tiny_model, num=2, first=3, seed=3, frames=4)]
    assert np.array_equal(later, many[3:])
    for index in (4, 1):
        caption = tiny_model.describe(3, index).caption
        alone = mv.generate(caption, model=tiny_model, seed=3, index=index, frames=4)
        assert np.array_equal(alone.frames, many[index])


def test_prompt_captions_rate_and_length(tiny_model):
    """One prompt for all, or captions in turn; the model's length and rate unless others are asked for."""
    first, second = sample(tiny_model, num=2, prompt=PROMPT, fps=10)
    assert len(first) == 6 and first.fps == 10 and not np.array_equal(first.frames, second.frames)
    assert np.array_equal(first.frames, mv.generate(PROMPT, model=tiny_model).frames)
    told = ["red hair walks left", "blue hair waves right"]
    videos = list(sample(tiny_model, num=3, captions=told, frames=2))
    for index, video in enumerate(videos):
        alone = mv.generate(told[index % 2], model=tiny_model, index=index, frames=2)
        assert np.array_equal(video.frames, alone.frames) and video.fps == Fraction(25, 2)


def test_a_generator_that_is_told_nothing():
    """Drawn one at a time, as they are asked for."""
    ramp = Ramp()
    videos = sample(ramp, num=3, seed=1)
    ramp.drawn.clear()
    assert [int(v.frames[0, 0, 0, 0]) for v in videos] == [40, 49, 58]
    assert ramp.drawn == [0, 1, 2]
    with pytest.raises(ConfigError, match="told no text"):
        sample(Ramp(), num=1, prompt="a cat")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"num": 0}, ConfigError, "num is 0"),
        ({"first": -1}, ConfigError, "first -1"),
        ({"frames": 0}, ConfigError, "frames is 0"),
        ({"fps": 0}, ConfigError, "fps is 0"),
        ({"fps": float("nan")}, ConfigError, "fps is nan"),
        ({"prompt": ""}, PromptError, "empty"),
        ({"captions": []}, InputError, "no captions"),
        ({"captions": [PROMPT, "xyzzy"]}, PromptError, "caption 2: no word"),
        ({"captions": [PROMPT], "prompt": PROMPT}, ConfigError, "not both"),
        ({"size": (8, 8)}, ConfigError, "size is for hub:"),
        ({"model": "regis-u"}, WeightsError, "regis-u is a refiner; generators are"),
        ({"model": "spritez"}, UnknownNameError, "spritez"),
    ],
)
def test_bad_input(tiny_model, change, error, words):
    """Raised by the call itself, before anything is drawn."""
    with pytest.raises(error, match=words) as raised:
        sample(**{"model": tiny_model, "num": 1, **change})
    assert "\n" not in str(raised.value)


def test_a_model_without_first_frames(tiny_model):
    """Nothing to begin with."""
    with pytest.raises(WeightsError, match="first-frame network"):
        sample(dataclasses.replace(tiny_model, first=None), num=1)


# -- in a folder --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["npz", "png-folders", "webp", "gif", "mp4"])
def test_formats(tmp_path, kind):
    """Numbered, and read back by what reads data; told nothing, so there are no captions."""
    place = SampleFolder(tmp_path / "out", kind)
    assert written(Ramp(), place, 2).drawn == 2
    assert not (place.path / "captions.csv").exists()
    video = codec.read(place.file(1))
    assert video.frames.shape == (3, 4, 6, 3)
    assert abs(video.frames.astype(int) - 10).max() <= 5
    if kind in ("npz", "png-folders"):
        assert [int(f.frames[0, 0, 0, 0]) for f in video] == [9, 10, 11] and video.fps == 8
        assert [item.name for item in open_source(place.path)] == [place.file(k).name for k in range(2)]


def test_captions_are_read_by_data(tiny_model, tmp_path):
    """What each video shows, as the seed drew it."""
    place = SampleFolder(tmp_path / "out", "npz")
    written(tiny_model, place, 4, seed=2, frames=2)
    captions = [tiny_model.describe(2, k).caption for k in range(4)]
    with (place.path / "captions.csv").open(encoding="utf-8", newline="") as file:
        assert [(r["file"], r["caption"]) for r in csv.DictReader(file)] == [
            (f"0000{k}.npz", captions[k]) for k in range(4)
        ]
    assert [item.caption for item in open_source(place.path)] == captions
    assert list(read_caption_list(place.path / "captions.csv")) == captions


def test_going_on(tmp_path):
    """What is there is left as it is; more are drawn where more are asked for, and the same as at once."""
    place = SampleFolder(tmp_path / "out", "npz")
    ramp = Ramp()
    written(ramp, place, 2)
    place.file(0).write_bytes(b"left as it is")
    ramp.drawn.clear()
    ticks = []
    sampling = open_sampling(ramp)
    settings = sample_settings(ramp, sampling, place)
    ramp.drawn.clear()
    assert write_samples(sampling, place, 4, settings, tick=ticks.append).drawn == 2
    assert ramp.drawn == [2, 3] and ticks == [1, 1, 1, 1]
    assert place.file(0).read_bytes() == b"left as it is"
    assert int(codec.read(place.file(3)).frames[0, 0, 0, 0]) == 27
    assert written(ramp, place, 1).drawn == 0 and place.file(3).exists()


def test_fewer_than_before_keep_their_captions(tiny_model, tmp_path):
    """Asking for fewer takes nothing away."""
    place = SampleFolder(tmp_path / "out", "npz")
    written(tiny_model, place, 3, frames=1)
    written(tiny_model, place, 1, frames=1)
    assert [item.caption for item in open_source(place.path)] == [
        tiny_model.describe(0, k).caption for k in range(3)
    ]


@pytest.mark.parametrize("fault", [0, 2])
def test_stopped(tmp_path, fault):
    """Whole videos stay, no half one does; without a whole one nothing does, and an empty folder stays empty."""
    for name, exists in (("new", False), ("empty", True)):
        place = SampleFolder(tmp_path / name, "npz")
        if exists:
            place.path.mkdir()
        with pytest.raises(KeyboardInterrupt):
            written(Ramp(fault), place, 4)
        left = sorted(path.name for path in place.path.iterdir()) if place.path.exists() else None
        if fault:
            assert left == ["00000.npz", "00001.npz", "sample.json"]
            assert written(Ramp(), place, 4).drawn == 2
        else:
            assert left == ([] if exists else None)


def test_stopped_with_captions(tiny_model, tmp_path, monkeypatch):
    """What is whole has its caption, so that the folder can be used."""
    from moviola.pipelines.sample import Sampling

    place, whole = SampleFolder(tmp_path / "out", "npz"), Sampling.take

    def fail(self, index):
        if index == 2:
            raise KeyboardInterrupt
        return whole(self, index)

    monkeypatch.setattr(Sampling, "take", fail)
    with pytest.raises(KeyboardInterrupt):
        written(tiny_model, place, 5, frames=1)
    assert [item.caption for item in open_source(place.path)] == [
        tiny_model.describe(0, k).caption for k in range(2)
    ]


def test_a_setting_that_is_left_out_is_another(tmp_path):
    """What an earlier run was given and this one is not."""
    place, sampling = SampleFolder(tmp_path / "out", "npz"), open_sampling(Ramp())
    write_samples(sampling, place, 1, sample_settings(Ramp(), sampling, place, steps=4))
    with pytest.raises(OutputError, match="steps 4, not None"):
        write_samples(sampling, place, 1, sample_settings(Ramp(), sampling, place))


@pytest.mark.parametrize(
    ("how", "words"),
    [({"seed": 1}, "seed 0, not 1"), ({"frames": 2}, "frames 3, not 2"), ({"fps": 9}, "fps 8, not 9")],
)
def test_other_settings_are_refused(tmp_path, how, words):
    """Named, and nothing changes."""
    place = SampleFolder(tmp_path / "out", "npz")
    written(Ramp(), place, 1)
    before = {path.name: path.read_bytes() for path in place.path.iterdir()}
    with pytest.raises(OutputError, match=words) as raised:
        written(Ramp(), place, 2, **how)
    assert "\n" not in str(raised.value)
    assert {path.name: path.read_bytes() for path in place.path.iterdir()} == before


def test_a_model_that_was_trained_further(tiny_model, tmp_path):
    """Its samples are others; the same weights under another name are the same model."""
    place = SampleFolder(tmp_path / "out", "npz")
    one, two = (tiny_model.save_pretrained(tmp_path / name) for name in ("one", "two"))
    written(one, place, 1, frames=1)
    assert written(two, place, 1, frames=1).drawn == 0
    tiny_model.next.head.weight.data.add_(1)
    tiny_model.save_pretrained(two)
    with pytest.raises(OutputError, match=r"other settings \(model [0-9a-f]{12}, not [0-9a-f]{12}\)"):
        written(two, place, 1, frames=1)


def test_folders_that_are_none(tmp_path):
    """Something else in it, a file, no parent, and a format of nobody."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    cases = [
        (tmp_path / "mine", "neither empty nor a folder of samples"),
        (tmp_path / "mine" / "thesis.txt", "a file of that name"),
        (tmp_path / "no" / "such", "make it first"),
    ]
    for path, words in cases:
        with pytest.raises(OutputError, match=words):
            written(Ramp(), SampleFolder(path, "npz"), 1)
    with pytest.raises(UnknownNameError, match="unknown format 'mp5'; did you mean mp4"):
        written(Ramp(), SampleFolder(tmp_path / "out", "mp5"), 1)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "thesis.txt"]


def test_settings_are_told(tmp_path):
    """In JSON beside the videos."""
    place = SampleFolder(tmp_path / "out", "npz")
    written(Ramp(), place, 1, seed=5, frames=2)
    told = json.loads((place.path / "sample.json").read_text())
    assert {key: told[key] for key in ("model", "frames", "fps", "seed", "format")} == {
        "model": "Ramp",
        "frames": 2,
        "fps": "8",
        "seed": 5,
        "format": "npz",
    }


def test_sheet(tmp_path):
    """A row each of evenly spaced frames: first, middle and last of each video here."""
    place = SampleFolder(tmp_path / "out", "npz")
    written(Ramp(), place, 2, frames=20)
    sheet = sample_sheet(place, 2)
    assert sheet.shape == (2 * 4 + 2, 8 * 6 + 7 * 2, 3)
    assert [int(v) for v in sheet[0, ::8, 0]] == [0, 3, 5, 8, 11, 14, 16, 19]
    assert int(sheet[6, 0, 0]) == 9


def test_caption_lists(tmp_path):
    """Three forms; what is none is said by its name."""
    (tmp_path / "a.txt").write_text("\ufeffa cat \n\n  two  dogs\n", encoding="utf-8")
    assert read_caption_list(tmp_path / "a.txt") == ("a cat", "two dogs")
    (tmp_path / "a.jsonl").write_text('{"file": "x", "caption": "a cat"}\n')
    assert read_caption_list(tmp_path / "a.jsonl") == ("a cat",)
    for name, text, error, words in (
        ("empty.txt", "\n", InputError, "holds no captions"),
        ("a.pdf", "a cat", FormatError, r"\.csv, \.jsonl or \.txt"),
        ("missing.txt", None, InputError, "cannot be read"),
    ):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(error, match=words) as raised:
            read_caption_list(tmp_path / name)
        assert name in str(raised.value)
