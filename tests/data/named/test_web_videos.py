"""UCF-101, MSR-VTT, Kinetics and WebVid: lists, captions and videos that fit, or one line that says why not."""

from __future__ import annotations

import json
import shutil

import pytest

from moviola.core.errors import FormatError, InputError
from moviola.core.seeds import numpy_generator
from moviola.data.captioned import VideoClips
from moviola.data.named import msrvtt, ucf101
from moviola.data.sources import open_source


def edit(path, old: str, new: str) -> None:
    """Replace a text that stands in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_ucf_has_three_official_splits(writer):
    spec = writer.build("ucf101")
    groups = {
        part: {(item.group or "")[-3:] for item in open_source(f"{spec}#{part}")}
        for part in ("train", "test", "train02", "test02")
    }
    assert groups == {
        "train": {"g03"}, "test": {"g01", "g02"}, "train02": {"g01", "g02"}, "test02": {"g03"}
    }  # fmt: skip
    source = open_source(spec)
    assert source.labels == {"Archery": 6, "HandstandPushups": 6}
    assert {item.caption for item in source} == {"archery", "handstand pushups"}


def test_ucf_names_as_words():
    names = {
        "ApplyEyeMakeup": "apply eye makeup",
        "YoYo": "yo yo",
        "TaiChi": "tai chi",
        "PlayingDhol": "playing dhol",
    }
    assert {name: ucf101.phrase(name) for name in names} == names
    assert all(sum(sizes.values()) == 13320 for sizes in ucf101.SIZES.values())  # Soomro et al. 2012, table 2


def test_ucf_lists_that_contradict(writer):
    spec, lists = writer.build("ucf101"), writer.root / "ucfTrainTestlist"
    kept = (lists / "trainlist01.txt").read_text()
    edit(lists / "trainlist01.txt", "_g03_c01.avi 1", "_g01_c01.avi 1")
    with pytest.raises(
        InputError, match=r"testlist01.txt line 1: .*'v_archery_g01_c01' is listed for test, and for train in"
    ):
        open_source(spec)
    (lists / "trainlist01.txt").write_text(kept + kept)
    with pytest.raises(InputError, match=r"trainlist01.txt line 5: .* is listed already"):
        open_source(spec)
    (lists / "trainlist01.txt").write_text(kept.replace("c01.avi 1", "c01.avi 2"))
    with pytest.raises(InputError, match=r"Archery is class 1 in classInd\.txt, not 2"):
        open_source(spec)
    (lists / "trainlist01.txt").write_text(kept.replace("Archery/", "Bowling/"))
    with pytest.raises(InputError, match="line 1: no action 'Bowling'"):
        open_source(spec)
    (lists / "trainlist01.txt").unlink()
    with pytest.raises(FormatError, match=r"no trainlist01.txt"):
        open_source(spec)


def test_ucf_clips_that_are_missing(writer):
    spec, archery = writer.build("ucf101"), writer.root / "UCF-101/Archery"
    (archery / "v_Archery_g02_c02.avi").rename(archery / "v_Archery_g09_c01.avi")
    with pytest.raises(
        InputError, match=r"testlist01.txt line 4: there is no video Archery/v_archery_g02_c02"
    ):
        open_source(spec)
    shutil.rmtree(archery)  # an action that was not unpacked is no mistake
    source = open_source(spec)
    assert source.labels == {"HandstandPushups": 6} and source.named is not None
    assert [(c.expected, c.found) for c in source.named.checks][:2] == [(101, 1), (13320, 6)]


def test_msrvtt_has_several_captions_a_clip(build):
    source = open_source(build("msrvtt"))
    assert source.splits == {"train": 2, "val": 1, "test": 1}
    told = {item.name: item.captions for item in source}
    assert told["TestVideo/video3.mp4"] == ("caption 1 of 3", "caption 2 of 3")
    assert [item.label for item in source] == ["music", "people", "gaming", "sports"]
    assert sum(n or 0 for n in msrvtt.SIZES.values()) == 10000 and len(msrvtt.CATEGORIES) == 20


def test_every_caption_of_a_clip_is_drawn(build):
    spec = build("msrvtt")
    clips = VideoClips(spec, 16)
    slots = {tuple(clips.draw(numpy_generator(0, n)).slots) for n in range(40)}
    words = [[value.name for value in slot.values] for slot in clips.grammar.slots]
    said = {" ".join(w[k - 1] for w, k in zip(words, row, strict=True)) for row in slots}
    assert said == {f"caption {k} of {i}" for k in (1, 2) for i in (0, 1)}
    held = VideoClips(spec, 16, held=True)
    assert held.grammar.sizes == clips.grammar.sizes and len(held._keys) == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("test_", '"video3", "caption"', '"video9", "caption"', r"sentences\[0\]: a caption for 'video9'"),
        ("test_", '"video3", "split"', '"video2", "split"', "'video2' is listed for val, and for test in"),
        ("test_", '"split": "test"', '"split": "tests"', "split 'tests' is none of train, validate, test"),
        ("train_val_", '"caption": "caption 1 of 0"', '"caption": " "', r"sentences\[0\]: 'caption' is missing, empty"),
        ("train_val_", '{"videos"', '{"videos', "not JSON"),
    ],
)  # fmt: skip
def test_msrvtt_lists_that_are_wrong(writer, file, old, new, words):
    spec = writer.build("msrvtt")
    edit(writer.root / f"{file}videodatainfo.json", old, new)
    with pytest.raises(InputError, match=words):
        open_source(spec)


def test_msrvtt_without_a_video_or_a_sentence(writer):
    spec = writer.build("msrvtt")
    path = writer.root / "test_videodatainfo.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps({**table, "sentences": []}))
    with pytest.raises(InputError, match=r"videos\[0\]: 'video3' has no sentence"):
        open_source(spec)
    path.write_text(json.dumps(table))
    (writer.root / "TestVideo/video3.mp4").unlink()
    with pytest.raises(InputError, match=r"videos\[0\]: 'video3' has captions, and there is no video3.mp4"):
        open_source(spec)


def test_kinetics_leaves_out_what_would_leak(build):
    source = open_source(build("kinetics"))
    assert source.splits == {"train": 2, "val": 1, "test": 1}
    (left,) = source.skipped
    assert left == ("train/abseiling/ccccccccccc_000000_000010.mp4", "ccccccccccc is in val, too")
    assert source.named is not None
    assert [(c.expected, c.found) for c in source.named.checks if c.what == "clips that are here"] == [(6, 5)]
    told = {item.group: (item.label, item.caption) for item in source}
    assert told["aaaaaaaaaaa"] == ("air drumming", "air drumming") and told["ddddddddddd"] == (None, None)


def test_kinetics_flat_and_wrong(writer):
    head = "label,youtube_id,time_start,time_end,split\n"
    writer.put("abc_000000_000010.mp4")
    table = writer.put("train.csv", head + "a b,abc,0,10,train\n")
    spec = f"kinetics:{writer.root}"
    assert [(i.name, i.label) for i in open_source(spec)] == [("abc_000000_000010.mp4", "a b")]
    for row, words in {
        "a b,abc,0,10,train\na b,abc,0,10,val\n": "line 3: .* is listed for val, and for train in .* line 2",
        "a b,abc,zero,10,train\n": "line 2: time_start and time_end",
        "a b,abc,0,10,dev\n": "line 2: split 'dev'",
        "a b,abc,0\n": "line 2: the row ends early",
        "a b,xyz,0,10,train\n": "no video that a CSV lists",
    }.items():
        table.write_text(head + row)
        with pytest.raises(InputError, match=words):
            open_source(spec)
    table.unlink()
    with pytest.raises(FormatError, match="no such CSV"):
        open_source(spec)


def test_webvid(writer):
    spec = writer.build("webvid")
    source = open_source(spec)
    assert {item.group: (item.caption, item.split) for item in source} == {
        "1": ("A dog, running", "train"), "2": ("Sea at night", "train"), "3": ("A cat", "val")
    }  # fmt: skip
    assert source.named is not None
    assert [(c.expected, c.found) for c in source.named.checks][1] == (4, 3)
    edit(writer.root / "results_2M_val.csv", "3,http", "2,http")
    with pytest.raises(InputError, match=r"results_2M_val.csv line 2: '2' is listed for val, and for train"):
        open_source(spec)
    edit(writer.root / "results_2M_train.csv", "Sea at night", " ")
    with pytest.raises(InputError, match=r"results_2M_train.csv line 3: 'name' is empty"):
        open_source(spec)
    writer.put("elsewhere/1.mp4")
    with pytest.raises(InputError, match="has the same name; keep one"):
        open_source(spec)
