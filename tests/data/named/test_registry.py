"""What holds of every named data set: found, split without leaks, captioned, read, and refused when it is none."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from moviola.cli.main import run
from moviola.core.errors import ConfigError, FormatError, InputError, UnknownNameError
from moviola.data.cache import CacheConfig, open_cached
from moviola.data.captioned import VideoClips
from moviola.data.named.registry import DATASETS, parse_spec
from moviola.data.sources import open_source, source_exists, split
from moviola.data.windows import VideoWindows
from moviola.pipelines.evaluate.inputs import open_set
from moviola.recipes.base import DataConfig

NAMES = tuple(DATASETS)


@pytest.mark.parametrize("name", NAMES)
def test_every_clip_is_captioned_and_read(build, name):
    source = open_source(build(name))
    assert len(source) and len(set(source.names)) == len(source) and source.layout == name
    captioned = [item for item in source if item.caption]
    assert captioned and all(item.captions[0] == item.caption for item in captioned)
    if name != "kinetics":  # whose test list has no labels
        assert len(captioned) == len(source)
    for index in (0, len(source) - 1):
        video = source.read(index)
        info = source.info(index)
        assert video.frames.shape == (info.frames, info.height, info.width, 3)
        np.testing.assert_array_equal(source.read(index, [1, 0]).frames, video.frames[[1, 0]])
        streamed = np.concatenate([piece.frames for piece in source.stream(index, 2)])
        np.testing.assert_array_equal(streamed, video.frames)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.read(0).frames, source.read(0).frames)


@pytest.mark.parametrize("name", NAMES)
def test_no_group_is_on_both_sides_of_a_split(build, name):
    spec = build(name)
    splits = [s for s in DATASETS[name].splits if not s.endswith(("02", "03"))]
    groups, names = {}, {}
    for part in splits:
        try:
            source = open_source(f"{spec}#{part}")
        except InputError as error:
            assert f"no clips of the split {part!r}" in str(error)
            continue
        assert {item.split for item in source} == {part}
        groups[part], names[part] = {item.group for item in source}, set(source.names)
    assert len(groups) >= 2 and "train" in groups
    for one in groups:
        for other in groups:
            assert one == other or not (groups[one] & groups[other] or names[one] & names[other])
    whole = open_source(spec)
    assert sum(map(len, names.values())) == len(whole) == sum(whole.splits.values())
    train, held = whole.part(held=False), whole.part(held=True)
    assert set(train.names) == names["train"] and set(held.names) == set(whole.names) - names["train"]


@pytest.mark.parametrize("name", NAMES)
def test_another_layout_is_refused_in_one_line(writer, name, capsys):
    writer.put("notes/readme.txt", "nothing")
    writer.put("zebra.bin", b"x")
    assert run(["data", "info", f"{name}:{writer.root}"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert DATASETS[name].layout in printed.err and "found" in printed.err and "zebra.bin" in printed.err


@pytest.mark.parametrize("name", NAMES)
def test_info_says_what_was_expected_and_found(build, name, capsys):
    spec = build(name)
    assert run(["data", "info", spec, "--json", "--min-frames", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["dataset"] == name and found["broken"] == [] and found["clips"] == sum(found["splits"].values())
    )
    assert found["checks"] and all(set(check) == {"what", "expected", "found"} for check in found["checks"])
    assert run(["data", "info", spec, "--fast"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for check in found["checks"]:
        assert any(check["what"] in line and f"found {check['found']}" in line for line in lines)


@pytest.mark.parametrize("name", ["kth", "ucf101", "msrvtt", "kinetics", "sky-timelapse", "how2sign-faces"])
def test_a_zip_is_the_same_data_set(writer, name, tmp_path):
    spec = writer.build(name)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(writer.root.rglob("*")):
            if path.is_file():
                archive.write(path, f"wrapped/{path.relative_to(writer.root)}")
    folder, packed = open_source(spec), open_source(f"{name}:{tmp_path / 'set.zip'}")
    told = [[(item.name, item.caption, item.split, item.group) for item in s] for s in (folder, packed)]
    assert told[0] == told[1]
    np.testing.assert_array_equal(folder.read(0).frames, packed.read(0).frames)


def test_list_names_all(capsys):
    assert run(["data", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["datasets"]
    assert [one["name"] for one in told] == list(NAMES)
    assert all(all(one.values()) for one in told)
    assert run(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert all(one[key] in text for one in told for key in ("name", "title", "url", "licence", "split_rule"))


def test_count_chooses_the_same_clips_again(build):
    spec = build("ucf101")
    few = open_source(f"{spec}#train:3")
    whole = open_source(f"{spec}#train")
    assert len(few) == 3 and few.names == open_source(f"{spec}#train:3").names
    assert few.names == [name for name in whole.names if name in few.names]
    assert len(open_source(f"{spec}#train:99")) == len(whole)
    assert len(open_source(f"{spec}#:5")) == 5


def test_what_a_path_asks_for(writer, tmp_path, monkeypatch):
    assert parse_spec(writer.root) is None and parse_spec("/nowhere/at/all") is None
    assert parse_spec("C:/somewhere") is None and parse_spec("ab:c") is None
    odd = writer.put("kth:x#train/a.mp4").parent
    monkeypatch.chdir(writer.root)
    assert parse_spec(odd.name) is None and len(open_source(odd.name)) == 1
    (tmp_path / "a#b").mkdir()
    spec = parse_spec(f"kth:{tmp_path / 'a#b'}")
    assert spec is not None and spec.path.name == "a#b" and spec.split is None
    spec = parse_spec(f"kth:{tmp_path / 'a#b'}#test:12")
    assert spec is not None and (spec.path.name, spec.split, spec.count) == ("a#b", "test", 12)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("kht:{}", UnknownNameError, ["unknown data set 'kht'", "kth"]),
        ("ucf:{}#train", UnknownNameError, ["unknown data set 'ucf'"]),
        ("ucf101:{}#val", UnknownNameError, ["unknown split of ucf101 'val'", "train"]),
        ("ucf101:{}/none", InputError, ["no such file or folder", "none"]),
    ],
)
def test_a_name_that_is_none(writer, text, error, words):
    with pytest.raises(error) as caught:
        open_source(text.format(writer.root))
    assert all(word in str(caught.value) for word in words)


def test_layout_and_captions_of_ones_own(build, tmp_path):
    spec = build("kinetics")
    with pytest.raises(ConfigError, match="layout of its own"):
        open_source(spec, layout="videos")
    name = open_source(spec).names[0]
    (tmp_path / "mine.csv").write_text(f"file,caption\n{name},said anew\n")
    source = open_source(spec, captions=tmp_path / "mine.csv")
    before = open_source(spec)
    assert source[0].caption == "said anew" != before[0].caption
    assert [item.caption for item in source][1:] == [item.caption for item in before][1:]


def test_source_exists(build):
    spec = build("ucf101")
    assert source_exists(spec) and source_exists(spec + "#train") and not source_exists("/nowhere/at/all")


def test_a_file_of_another_kind_is_no_data_set(writer):
    path = writer.put("a.bin", b"x")
    with pytest.raises(FormatError, match=r"no folder, .zip or .tar"):
        open_source(f"ucf101:{path}")


def test_training_takes_the_split_of_the_data_set(build):
    spec = build("ucf101")
    tested = {item.name for item in open_source(spec) if item.split == "test"}
    for held in (False, True, None):
        windows = VideoWindows(spec, 16, 2, held=held)
        names = {windows._cache[k].name for k in windows._keys}
        assert names and (names <= tested if held else not names & tested)


def test_one_split_alone_is_held_out_by_group(build):
    source = open_source(build("ucf101") + "#train")
    cached = open_cached(source, CacheConfig(height=16))
    assert {item.group for item in cached} == {item.group for item in source} and cached[0].split == "train"
    train, val = split(source, 0.5, by="group")
    assert len(train) and len(val) and not {i.group for i in train} & {i.group for i in val}


def test_the_fingerprint_follows_the_range(writer):
    spec = writer.build("kth")
    before = open_source(spec).fingerprint()
    assert open_source(spec).fingerprint() == before
    text = (writer.root / "00sequences.txt").read_text()
    (writer.root / "00sequences.txt").write_text(text.replace("14-24", "15-24"))
    assert open_source(spec).fingerprint() != before
    shutil.rmtree(writer.root)


def test_a_recipe_trains_on_one_side(build):
    spec = build("kth")
    data = DataConfig.make({"kind": "videos", "path": spec, "size": 16})
    trained, held = data.open(), data.open(held=True)
    assert isinstance(trained, VideoClips) and isinstance(held, VideoClips)
    people = [{clips._cache[k].group for k in clips._keys} for clips in (trained, held)]
    assert people == [{"person01", "person16"}, {"person17", "person25"}]
    assert trained.grammar.sizes == held.grammar.sizes
    words = {word for slot in trained.grammar.slots for word in (value.name for value in slot.values)}
    assert {"walking", "boxing", "left", "right"} <= words


def test_clips_of_one_file_are_told_apart_when_they_are_judged(build):
    found = open_set(build("kth") + "#test", "REAL")
    assert len(found) == 10 and len({entry.stamp() for entry in found.entries}) == 10
    assert found.entries[0].facts().frames == 5


def test_nothing_at_the_path_of_a_recipe(capsys):
    assert run(["train", "nextframe_videos", "--data", "kth:/nowhere/at/all"]) == 2
    assert "no such file or folder: /nowhere/at/all" in capsys.readouterr().err
