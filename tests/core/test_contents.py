"""Contents decide: names, times and places do not."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from moviola.core.contents import change_mark, contents
from moviola.core.errors import InputError
from moviola.data.stores import FolderStore

LARGE = (4 << 20) + 5


def age(path: Path) -> None:
    """Make a file look written long ago."""
    os.utime(path, ns=(10**18, 10**18))


def test_a_file_is_its_sha256(tmp_path):
    """As the library computes it; a copy of another name is the same, one more byte is not."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"one")
    assert contents(path) == hashlib.sha256(b"one").hexdigest()
    shutil.copyfile(path, other)
    assert contents(other) == contents(path)
    other.write_bytes(b"one!")
    assert contents(other) != contents(path)


@pytest.mark.parametrize("size", [3, LARGE])
def test_replaced_in_place_by_as_many_bytes_of_the_same_time(tmp_path, size):
    """What `cp -p` and `rsync -t` leave: same name, same size, same time of writing."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"a" * size)
    age(path)
    before = contents(path), change_mark(path)
    assert contents(path) == before[0]
    path.write_bytes(b"b" * size)
    age(path)
    assert contents(path) == hashlib.sha256(b"b" * size).hexdigest() != before[0]


def test_a_set_of_clips_replaced_in_place(tmp_path):
    """Its fingerprint, by which features are kept, changes too: as soon as the file system's clock has moved on."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"one")
    age(path)
    before = FolderStore(tmp_path).stamp("a.mp4")
    for _ in range(100_000):
        path.write_bytes(b"two")
        age(path)
        if FolderStore(tmp_path).stamp("a.mp4") != before:
            return
    pytest.fail("a file that was replaced looks untouched")


def test_a_large_file_is_read_once(tmp_path, monkeypatch):
    """As long as nothing says that it was written; what was written a moment ago is not trusted to say so."""
    path, reads = tmp_path / "w", []
    path.write_bytes(b"a" * LARGE)
    monkeypatch.setattr("moviola.core.contents.cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr("moviola.core.contents._read", lambda path: reads.append(path) or "d" * 64)
    contents(path)
    contents(path)
    assert len(reads) == 2 and not (tmp_path / "cache" / "contents").exists()
    monkeypatch.setattr("moviola.core.contents._SETTLED", -1)
    assert contents(path) == contents(path) == "d" * 64
    assert len(reads) == 3


def test_a_folder_is_its_names_and_contents(tmp_path):
    """Wherever it lies; hidden files and suffixes that are skipped do not count."""
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "unet").mkdir(parents=True)
    (one / "unet" / "a.safetensors").write_bytes(b"a")
    (one / "b.json").write_bytes(b"{}")
    shutil.copytree(one, two)
    (two / ".DS_Store").write_bytes(b"x")
    (two / "a.ckpt").write_bytes(b"x")
    assert contents(one) == contents(two, skip=(".ckpt",)) != contents(two)
    (two / "a.ckpt").unlink()
    (two / "unet" / "a.safetensors").write_bytes(b"b")
    assert contents(one) != contents(two)
    (two / "unet" / "a.safetensors").write_bytes(b"a")
    (two / "b.json").rename(two / "c.json")
    assert contents(one) != contents(two)


def test_what_is_not_there(tmp_path):
    """One line names it."""
    with pytest.raises(InputError, match=r"gone cannot be read: no such file"):
        contents(tmp_path / "gone")
