"""SkyTimelapse, How2Sign-Faces and WebDataset shards."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import FormatError, InputError
from moviola.data.sources import open_source


def test_sky_clips_are_folders_of_frames(writer):
    spec = writer.build("sky-timelapse")
    writer.frames("elsewhere")
    source = open_source(spec, fps=10)
    assert {item.name: (item.group, item.split) for item in source} == {
        "sky_test/d/d_1": ("d", "test"), "sky_train/a/a_1": ("a", "train"), "sky_train/a/a_2": ("a", "train"),
        "sky_train/b/b_1": ("b", "train"), "sky_train/c/c_1": ("c", "train"),
    }  # fmt: skip
    video = source.read(0)
    assert [int(np.median(frame)) for frame in video.frames] == [0, 1, 2] and video.fps == 10
    assert {name.split("/")[0] for name, _ in source.skipped} == {"elsewhere"}
    writer.frames("sky_test/a/a_9")
    with pytest.raises(InputError, match="video 'a' is in sky_train and in sky_test"):
        open_source(spec)


def test_signers_are_on_one_side(writer):
    spec = writer.build("how2sign-faces")
    source = open_source(spec)
    sides: dict[str, set] = {}
    for item in source:
        signer = item.name.rpartition("_")[0].rpartition("-")[0].rpartition("-")[2]
        assert item.group == f"signer{signer}"
        sides.setdefault(signer, set()).add(item.split)
    assert set(sides) == {"1", "2", "5"} and all(len(splits) == 1 for splits in sides.values())
    assert sorted(source.splits) == ["test", "train"]
    writer.frames("How2Sign-Blobs_128x128/train/-vidx_1-4-rgb_front")
    assert open_source(spec).skipped == (("How2Sign-Blobs_128x128/train/-vidx_1-4-rgb_front", "in no list"),)


def test_lists_of_another_machine(writer):
    for folder in ("train", "test"):
        writer.frames(f"{folder}/clip_1")
    table = writer.put("how2sign_faces.txt", "/scratch/x/test/clip_1\n")
    spec = f"how2sign-faces:{writer.root}"
    assert open_source(spec).names == ["test/clip_1"]
    for text, words in {
        "/scratch/x/clip_1\n": "line 1: .* may be t[a-z]*/clip_1 or t[a-z]*/clip_1",
        "/x/test/clip_1\n\n/y/test/clip_1/\n": "line 3: test/clip_1 is listed already",
        "/x/test/clip_2\n": "line 1: there is no video and no folder of frames 'clip_2'",
    }.items():
        table.write_text(text)
        with pytest.raises(InputError, match=words):
            open_source(spec)
    table.write_text("\n")
    with pytest.raises(FormatError, match="is empty"):
        open_source(spec)


def test_shards_by_pattern_without_a_name(writer):
    writer.build("webdataset")
    source = open_source(writer.root / "train-{000..001}.tar")
    told = {item.name: (item.caption, item.split) for item in source}
    assert told == {
        "00000.mp4": ("text 00000", "train"), "00001.mp4": ("json 00001", "train"),
        "10000.mp4": ("text 10000", "train"), "10001.mp4": ("json 10001", "train"),
    }  # fmt: skip
    assert len(open_source(f"{writer.root}/train-{{000..001}}.tar#train:3")) == 3
    one = open_source(writer.root / "test-000.tar")
    assert one.layout == "webdataset" and len(one) == 2
    assert [int(np.median(f)) for f in one.read(0).frames] == pytest.approx([0, 1, 2], abs=2)


def test_keys_end_at_the_first_dot(writer):
    members = {"d.1/a.b.mp4": writer.mp4, "d.1/a.txt": b"said", "c.json": b'{"status": "failed"}'}
    path = writer.tar("x.tar", members)
    source = open_source(path)
    assert [(item.name, item.caption, item.split, item.group) for item in source] == [
        ("d.1/a.b.mp4", "said", None, "d.1/a")
    ]
    assert source.skipped == (("c.json", "a sample without a video"),)
    with pytest.raises(InputError, match="it has no splits"):
        open_source(f"{path}#train")


def test_shards_that_are_wrong(writer):
    path = writer.tar("x.tar", {"a.mp4": writer.mp4, "b.txt": b"said"})
    with pytest.raises(InputError, match=r"x.tar:b.txt is a caption without a clip; expected b.mp4"):
        open_source(path)
    writer.tar("x.tar", {"a.mp4": writer.mp4, "a.json": b"{"})
    with pytest.raises(InputError, match=r"x.tar:a.json: not JSON"):
        open_source(path)
    writer.tar("x.tar", {"a.bin": b""})
    with pytest.raises(FormatError, match="no videos"):
        open_source(path)
    with pytest.raises(InputError, match=r"y-0.tar, one of"):
        open_source(writer.root / "y-{0..3}.tar")
