"""What is answered about the clips of a folder: the list, the numbers, the frames."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

from moviola.core.video import Video
from moviola.data import codec


def pixels(reply) -> np.ndarray:
    """The picture of an answer, uint8 (H, W, 3)."""
    assert reply.status_code == 200, reply.text
    return np.asarray(Image.open(io.BytesIO(reply.content)).convert("RGB"))


def test_the_list_holds_clips_and_nothing_else(client, folder):
    """Videos, pictures, arrays and folders of frames, the newest first; no text, nothing hidden, no single frames."""
    (folder / "notes.txt").write_text("no clip")
    (folder / ".hidden.mp4").write_bytes(b"x")
    (folder / "below").mkdir()
    Video(np.zeros((2, 8, 8, 3), np.uint8), 8).save(folder / "below" / "c.npz")
    Video(np.zeros((3, 8, 8, 3), np.uint8), 8).save(f"{folder / 'frames'}/")
    for age, name in enumerate(["frames", "below/c.npz", "fast.mp4", "a.mp4", "b.mp4"]):
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    listed = client.get("/api/clips").json()
    assert [clip["name"] for clip in listed["clips"]] == [
        "frames",
        "below/c.npz",
        "fast.mp4",
        "a.mp4",
        "b.mp4",
    ]
    assert [clip["show"] for clip in listed["clips"]] == ["preview", "preview", "video", "video", "video"]
    assert (listed["folders"], listed["left_out"]) == (["below"], 0)


def test_a_clip_in_numbers(client):
    """As the codec says."""
    clip = client.get("/api/clip", params={"name": "a.mp4"}).json()
    assert (clip["frames"], clip["width"], clip["height"], clip["fps"], clip["times"]) == (
        24,
        64,
        48,
        12.0,
        None,
    )


def test_a_varying_rate_has_its_times(client, folder):
    """Each frame's time is told."""
    Video(np.zeros((3, 8, 8, 3), np.uint8), 8, times=[0, 0.5, 0.75]).save(folder / "v.npz")
    assert client.get("/api/clip", params={"name": "v.npz"}).json()["times"] == [0, 0.5, 0.75]


def test_frames_are_those_of_the_codec(client, folder):
    """Exact frames by number equal what the codec reads, one below the other; the strip ends with the clip."""
    reply = client.get("/api/frames", params={"name": "a.mp4", "start": 20, "count": 16, "exact": 1})
    assert reply.headers["x-frames"] == "4"
    expected = codec.read(folder / "a.mp4").frames[20:]
    assert np.array_equal(pixels(reply), expected.reshape(-1, 64, 3))


def test_frames_that_are_played_are_near(client, folder):
    """A jpeg is within a few levels of the frame."""
    got = pixels(client.get("/api/frames", params={"name": "a.mp4", "start": 3})).astype(int)
    assert np.abs(got - codec.read_frames_at(folder / "a.mp4", [3])[0]).max() <= 3


def test_a_large_frame_is_made_smaller(client, folder):
    """To the side that is asked for, in its shape."""
    Video(np.full((2, 100, 200, 3), 77, np.uint8), 8).save(folder / "large.npz")
    got = pixels(
        client.get(
            "/api/frames", params={"name": "large.npz", "start": 0, "count": 2, "side": 50, "exact": 1}
        )
    )
    assert got.shape == (2 * 25, 50, 3) and (got == 77).all()


@pytest.mark.parametrize(
    ("values", "status", "said"),
    [
        ({"start": 24}, 404, "0 to 23"),
        ({"start": -1}, 404, "0 to 23"),
        ({"start": "x"}, 400, "must be a number"),
        ({"start": 0, "count": 99}, 400, "1 to 32"),
        ({"start": 0, "side": 9999}, 400, "16 to 4096"),
    ],
)
def test_a_frame_that_is_none(client, values, status, said):
    """One line, and no more is decoded than was promised."""
    reply = client.get("/api/frames", params={"name": "a.mp4", **values})
    assert reply.status_code == status and said in reply.json()["error"]


@pytest.mark.parametrize(("axis", "shape"), [("row", (24, 64)), ("column", (24, 48))])
def test_a_slice_has_a_line_of_each_frame(client, folder, axis, shape):
    """Line t of the slice is the chosen line of frame t."""
    got = pixels(client.get("/api/slice", params={"name": "a.mp4", "axis": axis, "at": 0.5}))
    frames = codec.read(folder / "a.mp4").frames
    assert got.shape[:2] == shape
    assert np.array_equal(got, frames[:, 24] if axis == "row" else frames[:, :, 32])


def test_what_no_browser_plays_has_a_small_copy(client, folder):
    """An array is shown by an mp4, which is made once and stays out of the list."""
    Video(np.full((5, 20, 20, 3), 90, np.uint8), 8).save(folder / "c.npz")
    first = client.get("/api/preview", params={"name": "c.npz"})
    assert first.headers["content-type"] == "video/mp4"
    copies = list((folder / ".moviola-studio" / "previews").iterdir())
    assert len(copies) == 1 and codec.probe(copies[0]).frames == 5
    assert client.get("/api/preview", params={"name": "c.npz"}).content == first.content
    assert len(client.get("/api/clips").json()["clips"]) == 4


def test_a_part_of_a_file_is_given(client, folder):
    """As a browser's player asks for it."""
    reply = client.get("/media/a.mp4", headers={"range": "bytes=2-5"})
    assert (reply.status_code, reply.content) == (206, (folder / "a.mp4").read_bytes()[2:6])


def test_a_clip_that_cannot_be_read(client, folder):
    """Its line, as the command line prints it."""
    (folder / "bad.mp4").write_bytes(b"no video")
    reply = client.get("/api/clip", params={"name": "bad.mp4"})
    assert reply.status_code == 422 and "bad.mp4" in reply.json()["error"]


def test_a_page_in_the_folder_runs_apart(client, folder):
    """A page that lies in the folder has no part in the studio's origin."""
    (folder / "report.html").write_text("<script>1</script>")
    assert (
        client.get("/media/report.html")
        .headers["content-security-policy"]
        .startswith("sandbox allow-scripts")
    )


def test_the_page_loads_nothing_from_elsewhere(client):
    """Its policy allows the studio alone, and no script inside the page."""
    reply = client.get("/")
    policy = reply.headers["content-security-policy"]
    assert "script-src 'self';" in policy and "default-src 'none'" in policy and "http" not in policy
    assert "http:" not in reply.text and "https:" not in reply.text
