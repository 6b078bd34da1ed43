"""Data sets in every layout, on disk and in a zip: what is found, in what order, and what is said when it is wrong."""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from moviola.core.errors import ConfigError, FormatError, InputError, UnknownNameError, VideoReadError
from moviola.core.names import natural_sorted
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.layouts import FramesClip
from moviola.data.sources import Source, open_source, split
from moviola.data.stores import FolderStore, ZipStore


def pixels(seed: int, frames: int = 5, height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def write_npz(path: Path, seed: int, frames: int = 5) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec.write(Video(pixels(seed, frames), fps=10), path)
    return pixels(seed, frames)


def write_frames(folder: Path, frames: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{k}.png")


def write_strip(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


def zipped(folder: Path, wrap: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder.with_name(f"{folder.name}-{len(wrap)}{method}.zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, wrap + file.relative_to(folder).as_posix())
    return path


def same(source: Source, index: int, frames: np.ndarray) -> None:
    np.testing.assert_array_equal(source.read(index).frames, frames)
    np.testing.assert_array_equal(source.read(index, [3, 0, 3]).frames, frames[[3, 0, 3]])
    np.testing.assert_array_equal(np.concatenate([p.frames for p in source.stream(index, 2)]), frames)
    info = source.info(index)
    assert (info.frames, info.height, info.width) == frames.shape[:3]


@pytest.fixture(params=["folder", "zip", "stored", "wrapped"])
def packed(request):
    """The data set as it is, or in one of the ways people zip one."""
    forms = {
        "folder": lambda folder: folder,
        "zip": zipped,
        "stored": lambda folder: zipped(folder, method=zipfile.ZIP_STORED),
        "wrapped": lambda folder: zipped(folder, wrap="my data/"),
    }
    return forms[request.param]


def test_videos(tmp_path, packed):
    made = {
        name: write_npz(tmp_path / "set" / name, seed)
        for seed, name in enumerate(["2.npz", "10.npz", "b1.npz"])
    }
    source = open_source(packed(tmp_path / "set"))
    assert (source.layout, source.names, source.labels) == ("videos", ["2.npz", "10.npz", "b1.npz"], {})
    for index, name in enumerate(source.names):
        same(source, index, made[name])
    assert source[0].info.fps == 10 and source.read(0, [1]).fps == 10


def test_compressed_videos_with_labels(tmp_path, packed):
    ramp = np.repeat(np.arange(0, 240, 12, dtype=np.uint8), 32 * 32 * 3).reshape(20, 32, 32, 3)
    for name in ["walk/a.mp4", "run/deep/b.mp4", "run/c.mp4"]:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        codec.write(Video(ramp, fps="24000/1001"), tmp_path / "set" / name)
    source = open_source(packed(tmp_path / "set"))
    assert source.names == ["run/c.mp4", "run/deep/b.mp4", "walk/a.mp4"]
    assert [item.label for item in source] == ["run", "run", "walk"] and source.labels == {
        "run": 2,
        "walk": 1,
    }
    got = source.read(2, [19, 7])
    assert got.fps == Fraction(24000, 1001)
    assert np.abs(got.frames.astype(int) - ramp[[19, 7]]).max() <= 3


def test_frame_folders(tmp_path, packed):
    for k in (0, 9, 10):
        write_frames(tmp_path / "set" / f"clip{k}", pixels(k, frames=12))
    (tmp_path / "set/clip9/frames.json").write_text('{"fps": "30000/1001"}')
    source = open_source(packed(tmp_path / "set"), fps=12)
    assert (source.layout, source.names) == ("frames", ["clip0", "clip9", "clip10"])
    assert [item.label for item in source] == [None] * 3
    for index, k in enumerate((0, 9, 10)):  # 0.png ... 11.png: natural order, not that of text
        same(source, index, pixels(k, frames=12))
    assert [item.info.fps for item in source] == [12, Fraction(30000, 1001), 12]
    assert source.skipped == ()


def test_frame_folders_with_labels(tmp_path, packed):
    for name in ["cat/one", "cat/two", "dog/one"]:
        write_frames(tmp_path / "set" / name, pixels(1))
    source = open_source(packed(tmp_path / "set"))
    assert source.names == ["cat/one", "cat/two", "dog/one"] and source.labels == {"cat": 2, "dog": 1}


def test_strips(tmp_path, packed):
    for k, name in enumerate(["bend/000.png", "wave/000.png", "wave/001.png"]):
        write_strip(tmp_path / "set" / name, pixels(k, frames=4 + k, height=8, width=8))
    source = open_source(packed(tmp_path / "set"), fps="12.5")
    assert source.layout == "strips" and source.labels == {"bend": 1, "wave": 2}
    assert [item.info.frames for item in source] == [4, 5, 6] and source[0].info.fps == Fraction(25, 2)
    same(source, 1, pixels(1, frames=5, height=8, width=8))


def test_codec_and_source_agree_on_a_frame_folder(tmp_path):
    """Transparency, grey and deep grey mean the same however a folder is read."""
    rng = np.random.default_rng(0)
    (tmp_path / "set/a").mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (8, 9, 4), dtype=np.uint8), "RGBA").save(tmp_path / "set/a/0.png")
    Image.fromarray(rng.integers(0, 256, (8, 9), dtype=np.uint8), "L").save(tmp_path / "set/a/1.png")
    Image.fromarray(rng.integers(0, 65536, (8, 9), dtype=np.uint16)).save(tmp_path / "set/a/2.png")
    np.testing.assert_array_equal(
        open_source(tmp_path / "set").read(0).frames, codec.read(tmp_path / "set/a").frames
    )


def test_one_folder_of_frames_one_video_one_strip(tmp_path):
    write_frames(tmp_path / "walk", pixels(0))
    write_npz(tmp_path / "a.npz", 1)
    write_strip(tmp_path / "s.png", pixels(2, height=6, width=6))
    for path, layout, name in [
        ("walk", "frames", "walk"),
        ("a.npz", "videos", "a.npz"),
        ("s.png", "strips", "s.png"),
    ]:
        source = open_source(tmp_path / path)
        assert (source.layout, source.names, len(source.read(0))) == (layout, [name], 5)


def test_animated_pictures_are_videos(tmp_path):
    frames = pixels(0, frames=3)
    (tmp_path / "set").mkdir()
    codec.write(Video(frames, fps=10), tmp_path / "set/a.png")
    source = open_source(tmp_path / "set")
    assert source.layout == "videos"
    np.testing.assert_array_equal(source.read(0).frames, frames)


def test_what_is_no_clip_is_left_out_and_said(tmp_path):
    write_npz(tmp_path / "a.npz", 0)
    for name in [".hidden.npz", "__MACOSX/a.npz", "README.md", "LICENSE", "notes.xyz"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    Image.new("RGB", (4, 4)).save(tmp_path / "preview.png")
    source = open_source(tmp_path)
    assert source.names == ["a.npz"]
    assert dict(source.skipped) == {
        "notes.xyz": "neither video nor image",
        "preview.png": "an image in a set of videos",
    }


def test_a_layout_can_be_insisted_on(tmp_path):
    write_frames(tmp_path / "clip", pixels(0, height=6, width=12))  # twice as wide as high: looks like strips
    assert open_source(tmp_path).layout == "strips"
    assert len(open_source(tmp_path, layout="frames")) == 1
    with pytest.raises(FormatError, match="no clips in layout 'videos'"):
        open_source(tmp_path / "clip", layout="videos")
    with pytest.raises(UnknownNameError, match="did you mean frames"):
        open_source(tmp_path, layout="frame")


def test_links_are_followed_but_not_in_circles(tmp_path):
    write_npz(tmp_path / "real/a.npz", 0)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/link").symlink_to(tmp_path / "real")
    (tmp_path / "set/loop").symlink_to(tmp_path / "set")
    assert open_source(tmp_path / "set").names == ["link/a.npz"]


# -- list files ----------------------------------------------------------------------------------------------------


def test_a_list_keeps_its_order_and_brings_labels_and_captions(tmp_path):
    write_npz(tmp_path / "v/a.npz", 0)
    write_frames(tmp_path / "v/b", pixels(1))
    write_strip(tmp_path / "c.png", pixels(2, height=6, width=6))
    lines = ["# mine", "c.png", "", "v/b\tdog\ta dog  runs", f"{tmp_path}/v/a.npz\t\tsomeone"]
    (tmp_path / "list.txt").write_text("\r\n".join(lines), encoding="utf-8-sig")
    source = open_source(tmp_path / "list.txt")
    assert source.names == ["c.png", "v/b", f"{tmp_path}/v/a.npz"]
    assert [(i.label, i.caption) for i in source] == [(None, None), ("dog", "a dog runs"), (None, "someone")]
    for index in range(3):
        assert len(source.read(index)) == 5


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["a.npz", "", "gone.mp4"], "list.txt line 3: no such file: gone.mp4"),
        (["a.npz", "a.npz"], "list.txt line 2: 'a.npz' stands in line 1 already"),
        (["a.npz\tx\ty\tz"], "list.txt line 1: more than path, label and caption"),
        (["\tx"], "list.txt line 1: no such file: (empty)"),
        (["list.txt"], "list.txt line 1: "),
        (["sub"], "is a folder without images"),
        (["one.png"], "is one image of 5x4, neither a video nor a strip"),
        (["# nothing"], "list.txt lists no clips"),
    ],
)
def test_a_wrong_list_names_the_line(tmp_path, lines, says):
    write_npz(tmp_path / "a.npz", 0)
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (5, 4)).save(tmp_path / "one.png")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    with pytest.raises(InputError, match=re.escape(says)) as error:
        open_source(tmp_path / "list.txt")
    assert "\n" not in str(error.value)


# -- captions ------------------------------------------------------------------------------------------------------


def test_captions_inside(tmp_path, packed):
    for k in range(3):
        write_npz(tmp_path / "set" / f"{k}.npz", k)
    (tmp_path / "set/captions.csv").write_text("file,caption\n2.npz,two\n0,zero\n")
    source = open_source(packed(tmp_path / "set"))
    assert [item.caption for item in source] == ["zero", None, "two"] and source.skipped == ()


def test_captions_beside_count_from_either_folder(tmp_path):
    for k in range(2):
        write_npz(tmp_path / "train" / f"{k}.npz", k)
        write_npz(tmp_path / "test" / f"{k}.npz", k)
    text = '{"file": "train/0.npz", "caption": "a"}\n{"file": "1.npz", "caption": "b"}\n'
    text += '{"file": "test/1.npz", "caption": "c"}\n'
    (tmp_path / "captions.jsonl").write_text(text)
    assert [item.caption for item in open_source(tmp_path / "train")] == ["a", "b"]
    (tmp_path / "captions.jsonl").write_text(text + '{"file": "train/7.npz", "caption": "c"}\n')
    with pytest.raises(InputError, match=r"captions.jsonl line 4: there is no clip 'train/7.npz'"):
        open_source(tmp_path / "train")


def test_captions_by_name_and_too_many_of_them(tmp_path):
    write_npz(tmp_path / "set/a.npz", 0)
    (tmp_path / "mine.csv").write_text("file,caption\na.npz,said\n")
    assert open_source(tmp_path / "set", captions=tmp_path / "mine.csv")[0].caption == "said"
    assert open_source(tmp_path / "set/a.npz", captions=tmp_path / "mine.csv")[0].caption == "said"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        open_source(tmp_path / "set", captions=tmp_path / "none.csv")
    for name in ("captions.csv", "captions.jsonl"):
        (tmp_path / "set" / name).write_text("")
    with pytest.raises(InputError, match=r"holds captions.csv and captions.jsonl; keep one"):
        open_source(tmp_path / "set")


# -- zips ----------------------------------------------------------------------------------------------------------


def test_a_broken_zip_says_so_in_one_line(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 this is no zip")
    with pytest.raises(InputError, match=r"a.zip is not a readable zip"):
        open_source(tmp_path / "a.zip")
    write_npz(tmp_path / "set/a.npz", 0)
    whole = zipped(tmp_path / "set")
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"cut.zip is not a readable zip"):
        open_source(tmp_path / "cut.zip")


def test_a_damaged_member_is_named_and_leaves_the_others_alone(tmp_path):
    for k in range(2):
        write_strip(tmp_path / "set" / f"{k}.png", pixels(k, height=8, width=8))
    path = zipped(tmp_path / "set", method=zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("1.png").header_offset
    data = bytearray(path.read_bytes())
    data[start + 60 : start + 90] = bytes(30)
    path.write_bytes(data)
    source = open_source(path)
    assert len(source.read(0)) == 5
    with pytest.raises(VideoReadError, match=r"set-00.zip:1.png cannot be unpacked: Bad CRC-32"):
        source.read(1)


def test_a_broken_video_in_a_zip_is_named_by_the_zip(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mp4").write_bytes(b"no video at all")
    with pytest.raises(VideoReadError, match=r"set-08.zip:a.mp4"):
        open_source(zipped(tmp_path / "set")).read(0)


@pytest.mark.parametrize(
    "name", ["../out.npz", "a/../../out.npz", "/etc/out.npz", "C:/out.npz", "..\\out.npz"]
)
def test_members_outside_the_archive_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(InputError, match="points outside the archive"):
        open_source(tmp_path / "a.zip")


def test_an_encrypted_zip_says_so(tmp_path):
    write_npz(tmp_path / "set/a.npz", 0)
    path = zipped(tmp_path / "set")
    data = bytearray(path.read_bytes())
    for signature, at in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]:
        place = data.index(signature) + at
        struct.pack_into("<H", data, place, struct.unpack_from("<H", data, place)[0] | 1)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"'a.npz' is encrypted; unpack the archive first"):
        open_source(path)


def test_sources_travel_to_other_processes(tmp_path, packed):
    frames = write_npz(tmp_path / "set/a.npz", 0)
    source = open_source(packed(tmp_path / "set"))
    source.read(0)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.read(0).frames, frames)


# -- what is wrong with a clip -------------------------------------------------------------------------------------


def test_clips_that_cannot_be_read(tmp_path):
    write_frames(tmp_path / "set/a", pixels(0))
    Image.new("RGB", (4, 4)).save(tmp_path / "set/a/3.png")
    write_frames(tmp_path / "set/b", pixels(0))
    (tmp_path / "set/b/0.png").write_bytes(b"no image")
    write_frames(tmp_path / "set/c", pixels(0))
    (tmp_path / "set/c/frames.json").write_text('{"fps": 0}')
    source = open_source(tmp_path / "set")
    with pytest.raises(VideoReadError, match=r"3.png is 4x4 among frames of 12x8"):
        source.read(0)
    with pytest.raises(VideoReadError, match=r"0.png is not an image"):
        source.info(1)
    with pytest.raises(VideoReadError, match=r"frames.json must hold"):
        source.read(2)
    with pytest.raises(InputError, match="frames 0 to 5 asked for, it has 5"):
        source.read(0, [0, 5])
    with pytest.raises(InputError, match="no frames asked for"):
        source.read(0, [])


def test_a_picture_that_is_no_strip_among_strips(tmp_path):
    for k in range(12):
        write_strip(tmp_path / f"{k}.png", pixels(k, height=8, width=8))
    Image.new("RGB", (9, 8)).save(tmp_path / "11.png")
    source = open_source(tmp_path)
    with pytest.raises(VideoReadError, match=r"11.png is 9x8: not a strip"):
        source.info(11)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        open_source(tmp_path / "none")
    with pytest.raises(FormatError, match="holds no videos and no images"):
        open_source(tmp_path)
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(FormatError, match=r"a.docx is no data set: .*\.mp4.*\.zip"):
        open_source(tmp_path / "a.docx")
    with pytest.raises(ConfigError, match="frame rate"):
        open_source(tmp_path, fps=0)


# -- order, fingerprint, split -------------------------------------------------------------------------------------


@given(st.lists(st.text("ab01/9 _.", min_size=1, max_size=8), unique=True), st.randoms())
def test_the_order_is_total(names, random):
    shuffled = list(names)
    random.shuffle(shuffled)
    assert natural_sorted(shuffled) == natural_sorted(names)


def test_the_order_counts():
    names = ["a10/1", "a9/2", "a9/10", "B/1", "a9.x/1", "2.npz", "0010.npz"]
    assert natural_sorted(names) == ["2.npz", "0010.npz", "a9/2", "a9/10", "a9.x/1", "a10/1", "B/1"]


def test_digests_follow_the_content_alone(tmp_path):
    """In a folder and in a zip, packed or not: the SHA-256 of the bytes."""
    (tmp_path / "set" / "d").mkdir(parents=True)
    contents = {"a.bin": bytes(70_000), "d/b.bin": b"other"}
    for name, data in contents.items():
        (tmp_path / "set" / name).write_bytes(data)
    stores: list[FolderStore | ZipStore] = [FolderStore(tmp_path / "set")]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in contents.items():
                archive.writestr(name, data)
        stores.append(ZipStore(path))
    for store in stores:
        for name, data in contents.items():
            assert store.digest(name) == hashlib.sha256(data).hexdigest()
    assert not stores[0].is_settled("a.bin") and stores[1].is_settled("a.bin")
    harmed = tmp_path / f"{zipfile.ZIP_STORED}.zip"
    harmed.write_bytes(harmed.read_bytes().replace(b"other", b"ether"))
    with pytest.raises(VideoReadError, match=r"d/b\.bin cannot be unpacked: Bad CRC-32"):
        ZipStore(harmed).digest("d/b.bin")


def test_the_fingerprint_follows_the_content(tmp_path, packed):
    for k in range(2):
        write_npz(tmp_path / "set" / f"{k}.npz", k)
    before = open_source(packed(tmp_path / "set")).fingerprint()
    assert open_source(packed(tmp_path / "set")).fingerprint() == before
    assert open_source(packed(tmp_path / "set")).subset([0]).fingerprint() != before
    write_npz(tmp_path / "set/1.npz", 5)
    assert open_source(packed(tmp_path / "set")).fingerprint() != before


def numbered(count: int, folders: tuple[str, ...] = ("x",)) -> Source:
    store = FolderStore(".")
    clips = [
        FramesClip(store, f"{f}/{k:03d}", f, Fraction(25), ("0.png",)) for f in folders for k in range(count)
    ]
    return Source(clips, Path("x"), "frames")


@given(count=st.integers(2, 40), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
@settings(max_examples=40)
def test_a_split_is_whole_and_repeatable(count, fraction, seed):
    source = numbered(count)
    train, val = split(source, fraction, seed=seed)
    assert sorted([*train.names, *val.names]) == source.names and not set(train.names) & set(val.names)
    assert abs(len(val) - fraction * count) <= 1 and len(train) and len(val)
    again = split(source.subset(list(reversed(range(count)))), fraction, seed=seed)
    assert set(again[1].names) == set(val.names)


@given(fraction=st.floats(0.05, 0.95), seed=st.integers(0, 9))
def test_pairs_stay_together_across_folders(fraction, seed):
    train, val = split(numbered(14, ("bend", "wave")), fraction, by="pair", seed=seed)
    persons = [{int(name[-3:]) // 2 for name in part.names} for part in (train, val)]
    assert not persons[0] & persons[1] and persons[0] | persons[1] == set(range(7))


def test_splits_by_a_function_and_of_nothing():
    source = numbered(6, ("a", "b", "c"))
    train, val = split(source, 0.3, by=lambda item: item.label)
    assert len(val.labels) == 1 and len(train.labels) == 2
    assert len(split(source, 0)[1]) == 0 and len(split(source, 1)[0]) == 0
    assert {tuple(split(source, 0.3, seed=s)[1].names) for s in range(4)} != {tuple(val.names)}
    with pytest.raises(ConfigError, match="between 0 and 1"):
        split(source, 1.5)
    with pytest.raises(ConfigError, match="nothing to split"):
        split(source, 0.5, by=lambda item: 0)
    with pytest.raises(UnknownNameError, match="grouping 'pairs'; did you mean pair"):
        split(source, 0.5, by="pairs")  # type: ignore[arg-type]


# -- real data -----------------------------------------------------------------------------------------------------


def test_the_weizmann_strips(shared):
    source = open_source(shared / "media/datasets/weizmann")
    assert (len(source), source.layout) == (56, "strips")
    assert source.labels == {"bend": 14, "jumping-jack": 14, "wave-one-hand": 14, "wave-two-hands": 14}
    infos = [item.info for item in source]
    assert {(i.height, i.width) for i in infos} == {(64, 64)} and all(51 <= i.frames <= 146 for i in infos)
    first, mirrored = source.read(0, [0, 9]).frames, source.read(1, [0, 9]).frames
    assert np.abs(first[:, :, ::-1].astype(int) - mirrored).mean() < 2
    train, val = split(source, 0.15, by="pair")
    assert (len(train), len(val)) == (48, 8)


def test_the_surveillance_clips(shared):
    source = open_source(shared / "media/datasets/cctv")
    assert set(source.labels) == {"fight", "normal"} and len(source) > 250
    whole = source.read(5)
    np.testing.assert_array_equal(source.read(5, [10, 2]).frames, whole.frames[[10, 2]])
