"""What is handed in: looked at, bounded, and gone where it is refused."""

from __future__ import annotations

import pytest

from moviola.data import codec

from .conftest import make_client


def names(folder) -> set[str]:
    """What lies in the folder, hidden files too."""
    return {path.name for path in folder.iterdir()} - {".moviola-studio"}


def test_a_clip_is_taken(client, folder):
    """Under its own name; a second one of that name gets a number."""
    data = (folder / "a.mp4").read_bytes()
    assert client.put("/api/upload?name=my film.mp4", content=data).json() == {"name": "my-film.mp4"}
    assert client.put("/api/upload?name=C:\\x\\my film.mp4", content=data).json() == {"name": "my-film-1.mp4"}
    assert codec.probe(folder / "my-film-1.mp4").frames == 24


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.mp4", b"this is no video", "x.mp4"),
        ("x.png", b"\x89PNG\r\n\x1a\n cut short", "x.png"),
        ("x.exe", b"MZ", "no video and no picture by its name"),
        ("x.mp4", b"", "x.mp4"),
    ],
)
def test_what_is_no_video_is_refused(client, folder, name, data, said):
    """In one line, and nothing of it is left."""
    before = names(folder)
    reply = client.put("/api/upload", params={"name": name}, content=data)
    assert reply.status_code == 400 and said in reply.json()["error"] and ".part" not in reply.json()["error"]
    assert names(folder) == before


def test_a_cut_video_is_refused(client, folder):
    """Its last frame is decoded too."""
    before, data = names(folder), (folder / "a.mp4").read_bytes()
    assert client.put("/api/upload?name=cut.mp4", content=data[: len(data) // 2]).status_code == 400
    assert names(folder) == before


def test_too_large_by_what_it_says(folder):
    """Two gigabytes are refused before a byte of them is read."""
    read = []

    def endless():
        read.append(1)
        yield b"x"

    with make_client(folder, max_bytes=10**6) as client:
        reply = client.put(
            "/api/upload?name=x.mp4", content=endless(), headers={"content-length": "2000000000"}
        )
    assert reply.status_code == 413 and "2000 MB; at most 1 " in reply.json()["error"]
    assert names(folder) == {"a.mp4", "b.mp4", "fast.mp4"}


def test_too_large_without_saying_so(folder):
    """It is counted as it comes, and nothing of it is left."""
    with make_client(folder, max_bytes=10**5) as client:
        reply = client.put("/api/upload?name=x.mp4", content=(b"x" * 10**4 for _ in range(50)))
    assert reply.status_code == 413 and "--max-mb" in reply.json()["error"]
    assert names(folder) == {"a.mp4", "b.mp4", "fast.mp4"}


def test_a_frame_too_large_is_refused(client, folder, monkeypatch):
    """By the numbers of the file, before it is decoded."""
    monkeypatch.setattr("moviola.studio.uploads.MAX_PIXELS", 1000)
    reply = client.put("/api/upload?name=x.mp4", content=(folder / "a.mp4").read_bytes())
    assert reply.status_code == 400 and "64x48" in reply.json()["error"]
