"""Checksums agree with the `sha256sum` tool's format and notice every change."""

from __future__ import annotations

import hashlib

import pytest

from moviola.core.checksums import check_sums, write_sums
from moviola.core.errors import WeightsError
from moviola.core.paths import cache_dir


@pytest.fixture
def folder(tmp_path):
    """Two files, one of them in a sub-folder."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.bin").write_bytes(b"first")
    (tmp_path / "sub" / "b.bin").write_bytes(b"")
    return tmp_path


def test_format(folder):
    """One line a file: digest, two spaces, path; hidden files are left out."""
    (folder / ".hidden").write_text("x")
    text = write_sums(folder).read_text()
    expected = [(hashlib.sha256(b"first"), "a.bin"), (hashlib.sha256(b""), "sub/b.bin")]
    assert text == "".join(f"{digest.hexdigest()}  {name}\n" for digest, name in expected)


def test_whole_then_changed_then_missing(folder):
    """Nothing to say of whole files; a changed and a missing one are named."""
    write_sums(folder)
    assert check_sums(folder) == []
    (folder / "a.bin").write_bytes(b"First")
    (folder / "sub" / "b.bin").unlink()
    assert check_sums(folder) == ["a.bin is damaged", "sub/b.bin is missing"]


@pytest.mark.parametrize("content", [None, "no checksum\n", "ab  a.bin\n"])
def test_no_sums(folder, content):
    """Without a readable list nothing is called whole."""
    if content is not None:
        (folder / "SHA256SUMS").write_text(content)
    with pytest.raises(WeightsError, match="SHA256SUMS"):
        check_sums(folder)


def test_cache_dir(monkeypatch, tmp_path):
    """Own variable first, then the desktop's, then the home folder; nothing is created."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("MOVIOLA_CACHE", raising=False)
    assert cache_dir() == tmp_path / ".cache" / "moviola"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "moviola"
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    assert list(tmp_path.iterdir()) == []
