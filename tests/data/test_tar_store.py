"""Tar archives: the same members as the tarfile module reads, in place, and one line for what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import pytest

from moviola.core.errors import InputError
from moviola.data.tar_store import TarStore, expand_shards, is_shards


def write(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_members_are_what_tarfile_reads(tmp_path, monkeypatch):
    members = {
        "./b10.txt": b"ten",
        "b2.txt": os.urandom(70_000),
        "d/" + "n" * 150 + ".bin": b"long name",
        "e": b"",
    }
    one = write(tmp_path / "0.tar", members)
    two = write(tmp_path / "1.tar", {"z.MP4": b"film", ".hidden": b"", "__MACOSX/x": b""})
    store = TarStore([one, two], tmp_path / "{0..1}.tar")
    assert store.names() == ["b2.txt", "b10.txt", "d/" + "n" * 150 + ".bin", "e", "z.MP4"]
    again = pickle.loads(pickle.dumps(store))
    for path in (one, two):
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in store.names():
                    file = archive.extractfile(member)
                    assert (
                        file is not None and store.read_bytes(name) == again.read_bytes(name) == file.read()
                    )
    with store.as_file("z.MP4") as copy:
        assert copy.suffix == ".mp4" and copy.read_bytes() == b"film"
    assert not copy.exists() and store.shard("z.MP4") == two and store.where("e") == f"{one}:e"
    assert len({store.stamp(name) for name in store.names()}) == 5
    for name in store.names():
        assert store.digest(name) == hashlib.sha256(store.read_bytes(name)).hexdigest()
    assert not store.is_settled("e")  # written a moment ago
    monkeypatch.setattr("moviola.core.contents._SETTLED", -1)
    assert store.is_settled("z.MP4")


def test_shards_by_pattern(tmp_path):
    names = [f"s-{k:03d}-{end}.tar" for k in range(8, 12) for end in "ab"]
    for name in names:
        (tmp_path / name).touch()
    assert [p.name for p in expand_shards(tmp_path / "s-{008..011}-{a,b}.tar")] == names
    assert expand_shards(tmp_path / names[0]) == [tmp_path / names[0]]
    assert is_shards("x.TAR") and is_shards("x-{0..3}.tar") and not is_shards("x.tar.gz")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("s-{000..002}.tar", "s-000.tar, one of"),
        ("s-{3..1}.tar", "does not count upwards"),
        ("s-{x}.tar", "is no range"),
        ("s.tar", "no such file"),
    ],
)
def test_patterns_that_mean_nothing(tmp_path, pattern, words):
    with pytest.raises(InputError, match=words):
        expand_shards(tmp_path / pattern)


def test_archives_that_cannot_be_read(tmp_path):
    whole = write(tmp_path / "whole.tar", {"a": b"x" * 5000})
    packed = tmp_path / "packed.tar"
    packed.write_bytes(gzip.compress(whole.read_bytes()))
    with pytest.raises(InputError, match="must be unpacked"):
        TarStore([packed], packed)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cut\.tar"):
        TarStore([cut], cut)
    outside = write(tmp_path / "outside.tar", {"../a": b""})
    with pytest.raises(InputError, match="points outside"):
        TarStore([outside], outside)
    other = write(tmp_path / "other.tar", {"a": b""})
    with pytest.raises(InputError, match=r"other\.tar: 'a' is in .*whole\.tar, too"):
        TarStore([whole, other], tmp_path)
