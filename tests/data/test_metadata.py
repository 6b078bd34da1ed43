"""Captions in the layout of the Hugging Face datasets library, and other names for the two columns."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from moviola.core.errors import InputError
from moviola.data.captions import read_captions
from moviola.data.sources import open_source


@pytest.fixture
def data(tmp_path) -> Path:
    """run/a.gif, run/b.gif, walk/a.gif."""
    images = [Image.new("RGB", (8, 8), (40 * i, 0, 0)) for i in range(2)]
    for name in ("run/a", "run/b", "walk/a"):
        path = tmp_path / "set" / f"{name}.gif"
        path.parent.mkdir(parents=True, exist_ok=True)
        images[0].save(path, save_all=True, append_images=images[1:], duration=40)
    return tmp_path / "set"


def captions(path: Path) -> dict[str, str | None]:
    return {item.name: item.caption for item in open_source(path)}


@pytest.mark.parametrize("file", ["file", "file_name", "path", "Path"])
@pytest.mark.parametrize("text", ["caption", "text"])
def test_names_of_columns(file, text):
    for where, content in (
        ("c.csv", f"id,{file},{text}\n1,run/a.gif,one runs\n"),
        ("c.jsonl", json.dumps({"id": 1, file.lower(): "run/a.gif", text: "one runs"})),
    ):
        (line,) = read_captions(content, where)
        assert (line.file, line.caption) == ("run/a.gif", "one runs")


def test_ours_come_first():
    (line,) = read_captions("path,file,text,caption\nx,y,u,v\n", "c.csv")
    assert (line.file, line.caption) == ("y", "v")


def test_one_at_the_root(data):
    (data / "metadata.csv").write_text("file_name,fps,text\nrun/a.gif,25,one runs\nrun/b.gif,25,\n")
    assert captions(data) == {"run/a.gif": "one runs", "run/b.gif": None, "walk/a.gif": None}
    with zipfile.ZipFile(data.parent / "set.zip", "w") as archive:
        for path in sorted(data.rglob("*.*")):
            archive.write(path, path.relative_to(data).as_posix())
    assert captions(data.parent / "set.zip")["run/a.gif"] == "one runs"
    assert {item.caption for item in open_source(data / "run")} == {"one runs", None}  # beside it


def test_one_in_each_folder(data):
    (data / "run" / "metadata.jsonl").write_text('{"file_name": "./a.gif", "caption": "one"}\n')
    (data / "walk" / "metadata.csv").write_text("file_name,caption\na.gif,two\n../run/b.gif,three\n")
    assert captions(data) == {"run/a.gif": "one", "run/b.gif": "three", "walk/a.gif": "two"}


def test_what_is_wrong_is_named_with_its_line(data):
    (data / "run" / "metadata.csv").write_text("file_name,text\na.gif,one\nc.gif,two\n")
    with pytest.raises(InputError, match=r"run/metadata\.csv line 3: there is no clip 'run/c\.gif'"):
        open_source(data)
    (data / "run" / "metadata.csv").write_text("file_name,text\na.gif,one\n")
    (data / "metadata.csv").write_text("file_name,text\nwalk/a.gif,two\nrun/a.gif,other\n")
    with pytest.raises(InputError) as error:
        open_source(data)
    assert all(
        f"{where} line" in str(error.value)
        for where in (data / "metadata.csv", data / "run" / "metadata.csv")
    )
    (data / "metadata.csv").write_text(
        "file_name,text\nwalk/a.gif,two\nrun/a.gif,one\n"
    )  # the same: no matter
    assert captions(data)["run/a.gif"] == "one"
    (data / "metadata.csv").write_text("file_name,text\nwalk/a.gif,two\nwalk/a.gif,three\n")
    with pytest.raises(InputError, match=r"metadata\.csv line 3: a second caption"):
        open_source(data)


def test_metadata_about_something_else(data):
    """It was passed over before, and is now; and a captions file comes first."""
    for content in ("id,camera\n1,left\n", "file_name,label\nnowhere.mp4,3\n", "", "text\nhello\n"):
        (data / "metadata.csv").write_text(content)
        assert set(captions(data).values()) == {None}
    (data / "metadata.csv").write_text("file_name,text\nrun/a.gif,one\n")
    (data / "captions.csv").write_text("path,caption\nrun/a.gif,ours\n")
    assert captions(data)["run/a.gif"] == "ours"
