"""A record in the metadata of every kind of file: other programs see it, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from moviola.core.contents import contents
from moviola.core.provenance import Ingredient, Provenance, recording
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.codec.comments import ROOM, read_comments
from moviola.data.codec.formats import STILL_SUFFIXES, WRITE_SUFFIXES
from moviola.data.pictures import write_png
from moviola.pipelines.descent import read_provenance

KINDS = [*WRITE_SUFFIXES, "/"]
RECORD = Provenance(
    verb="generate",
    version="0.1.0",
    settings={"prompt": 'a <b> & "c" ä \U0001f3ac', "seed": 3},
    inputs=(Ingredient("image", "../first.png", "ab" * 32),),
)


class Always:
    """Gives every file the same record."""

    def __init__(self, record=RECORD):
        self._record = record

    def record(self, path):
        return self._record


def clip(suffix: str) -> Video:
    """Six frames of noise, one for a still."""
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3), dtype=np.uint8)
    return Video(frames[:1] if suffix in STILL_SUFFIXES else frames, 10)


def write(path, suffix: str, record=RECORD) -> Path:
    """Write the clip with a record."""
    with recording(Always(record)):
        return codec.write(clip(suffix), f"{path}{suffix}")


@pytest.mark.parametrize("suffix", KINDS)
def test_every_format_keeps_the_record(suffix, tmp_path):
    """It is read back, and the same clip written again is the same file."""
    first, second = write(tmp_path / "a", suffix), write(tmp_path / "b", suffix)
    assert read_provenance(first) == RECORD
    assert contents(first) == contents(second)


@pytest.mark.parametrize("suffix", KINDS)
def test_the_record_changes_no_frame(suffix, tmp_path):
    """The frames are those of a file without one."""
    plain = codec.write(clip(suffix), f"{tmp_path / 'plain'}{suffix}")
    assert read_provenance(plain) is None
    assert np.array_equal(codec.read(write(tmp_path / "a", suffix)).frames, codec.read(plain).frames)


@pytest.mark.parametrize("suffix", [s for s in KINDS if s not in (".bmp", ".tif", ".tiff")])
def test_it_survives_a_copy(suffix, tmp_path):
    """A copy elsewhere under another name says the same."""
    made, copy = write(tmp_path / "a", suffix), tmp_path / f"copy{suffix.strip('/')}"
    shutil.copytree(made, copy) if made.is_dir() else shutil.copyfile(made, copy)
    assert read_provenance(copy) == RECORD


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif"])
def test_ffmpeg_shows_it(suffix, tmp_path):
    """What FFmpeg calls the comment is the record."""
    with av.open(str(write(tmp_path / "a", suffix))) as container:
        tags = {key.lower(): text for key, text in container.metadata.items()}
    assert tags["comment"] == RECORD.to_json()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".npz", ".gif"])
def test_other_readers_show_it(suffix, tmp_path):
    """Pillow, or Python's own zip."""
    made = write(tmp_path / "a", suffix)
    text = RECORD.to_json()
    if suffix == ".npz":
        assert zipfile.ZipFile(made).comment.decode() == text
        assert np.load(made)["frames"].shape == (6, 32, 48, 3)
        return
    with Image.open(made) as image:
        image.load()
        if suffix == ".png":
            assert image.text["Comment"] == text
        elif suffix in (".jpg", ".gif"):
            assert image.info["comment"].decode() == text
        else:
            packet = ElementTree.fromstring(image.info["xmp"])
            assert [node.text for node in packet.iter() if node.tag.endswith("}li")] == [text]


def test_a_picture_has_its_record(tmp_path):
    """Sheets and painted frames are pictures like any other."""
    with recording(Always()):
        write_png(tmp_path / "sheet.png", clip(".png").frames[0])
    assert read_provenance(tmp_path / "sheet.png") == RECORD
    assert np.array_equal(codec.read_picture(tmp_path / "sheet.png"), clip(".png").frames[0])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif", ".webp", ".png", ".npz", ".jpg"])
def test_a_record_too_long_for_a_file_lies_beside_it(suffix, tmp_path):
    """Where the format has no room the record is a file beside it, and reads the same."""
    long = Provenance(verb="generate", version="0.1.0", settings={"prompt": "x" * ROOM})
    made = write(tmp_path / "a", suffix, long)
    assert (tmp_path / f"a{suffix}.json").is_file()
    assert read_provenance(made) == long


def test_a_record_beside_another_file_is_not_its_own(tmp_path):
    """A bmp that was written over since has lost its record."""
    made = write(tmp_path / "a", ".bmp")
    assert read_provenance(made) == RECORD
    codec.write(Video(255 - clip(".bmp").frames, 10), made)
    assert read_provenance(made) is None


@pytest.mark.parametrize("suffix", KINDS)
def test_damage_is_no_crash(suffix, tmp_path):
    """A record is the right one or none, wherever the file is cut and whatever byte of it is wrong."""
    made = write(tmp_path / "a", suffix)
    target = made / "provenance.json" if made.is_dir() else made
    whole = target.read_bytes()
    rng = np.random.default_rng(1)
    at = whole.find(b"generate")
    for place in [*rng.integers(0, len(whole), 20), *(range(at - 20, at + 20, 7) if at > 0 else ())]:
        target.write_bytes(whole[:place])
        assert read_provenance(made) in (None, RECORD)
        target.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        found = read_provenance(made)
        assert found is None or isinstance(found, Provenance)
    target.write_bytes(b"")
    assert read_provenance(made) is None


@pytest.mark.parametrize(
    "text", ["made on a Sunday", "{}", '{"moviola": 1}', '{"verb": "generate"}', "[1, 2]"]
)
def test_foreign_comments_are_not_ours(text, tmp_path):
    """Comments of other programs, JSON or not."""
    image = Image.fromarray(clip(".png").frames[0])
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text)
    image.save(tmp_path / "a.png", pnginfo=info)
    image.save(tmp_path / "a.gif", comment=text.encode())
    image.save(tmp_path / "a.jpg", comment=text.encode())
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        container.metadata["comment"] = text
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(clip(".png").frames[0], format="rgb24")))
        container.mux(stream.encode(None))
    (tmp_path / "a.mp4.json").write_text(json.dumps({"of": "me", "comment": text}))
    for name in ("a.png", "a.gif", "a.jpg", "a.mp4"):
        assert text in read_comments(tmp_path / name)
        assert read_provenance(tmp_path / name) is None


def test_no_file_has_no_record(tmp_path):
    """Nothing there, an empty file, a folder of something else, a text."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.txt").write_text(RECORD.to_json())
    for name in ("none.mp4", "empty.mp4", "text.txt", "."):
        assert read_provenance(tmp_path / name) is None


def test_a_folder_of_frames_with_a_record_is_written_over(tmp_path):
    """The record counts as one of the frames' own files, and the new frames have the new record."""
    write(tmp_path / "a", "/")
    codec.write(clip("/"), f"{tmp_path / 'a'}/")
    assert read_provenance(tmp_path / "a") is None
    assert "provenance.json" not in os.listdir(tmp_path / "a")
