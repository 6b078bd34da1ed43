"""Restyling by hand: sessions, keys, paint, and the jobs that come of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from moviola.data import codec
from moviola.studio.errors import RequestError
from moviola.studio.hand import Session
from moviola.studio.places import Places
from moviola.studio.queue import Queue


def png(level: int, size: tuple[int, int] = (48, 64)) -> bytes:
    """A grey picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def session(folder) -> Session:
    """The session of a.mp4, with keys at 0, 8 and 16."""
    begun = Session.begin(Places(folder), "a.mp4")
    begun.set_keys([16, 8])
    return begun


@pytest.fixture
def painted(session) -> Session:
    """With the painter's paint of each key."""
    for key in (0, 8, 16):
        path = session.key_path("paint", key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(100 + key))
    return session


def test_a_session_is_found_again(client):
    """The same clip has the same session; its keys stay, and the first frame is always one."""
    begun = client.post("/api/hand", json={"clip": "a.mp4"}).json()
    assert (begun["frames"], [key["frame"] for key in begun["keys"]]) == (24, [0])
    change = [0.5] * 24
    client.post(f"/api/hand/{begun['name']}/keys", json={"keys": [9, 3, 9], "change": change})
    again = client.post("/api/hand", json={"clip": "a.mp4"}).json()
    assert ([key["frame"] for key in again["keys"]], again["change"]) == ([0, 3, 9], change)
    assert client.post("/api/hand", json={"clip": "b.mp4"}).json()["name"] != begun["name"]


@pytest.mark.parametrize("keys", [[24], [-1], ["3"], "3", [], None, [1.5]])
def test_keys_are_frames(client, keys):
    """Anything else is refused, and the keys stay as they were."""
    name = client.post("/api/hand", json={"clip": "a.mp4"}).json()["name"]
    reply = client.post(f"/api/hand/{name}/keys", json={"keys": keys})
    assert reply.status_code == 400 and "0 to 23" in reply.json()["error"]
    assert [key["frame"] for key in client.get(f"/api/hand/{name}").json()["keys"]] == [0]


@pytest.mark.parametrize("name", ["nothing", "..", "a b", "../queue.sqlite"])
def test_no_other_session(client, name):
    """A name of none is refused, wherever it leads."""
    assert client.get(f"/api/hand/{name}").status_code in (404, 405)


def test_paint_by_hand_goes_before_the_painters(client, painted, folder):
    """A key can be downloaded; uploaded it counts; taken back, the painter's is there again."""
    place = f"/api/hand/{painted.name}/picture"
    source = np.asarray(
        Image.open(io.BytesIO(client.get(place, params={"kind": "source", "key": 8}).content))
    )
    assert np.array_equal(source, codec.read_frames_at(folder / "a.mp4", [8])[0])
    assert client.get(place, params={"kind": "painted", "key": 8}).content == png(108)
    reply = client.put(place, params={"key": 8, "name": "mine.png"}, content=png(200))
    assert [key["by"] for key in reply.json()["keys"]] == ["painter", "hand", "painter"]
    assert np.asarray(Image.open(painted.key_path("hand", 8))).max() == 200
    reply = client.delete(place, params={"key": 8})
    assert [key["by"] for key in reply.json()["keys"]] == ["painter"] * 3


@pytest.mark.parametrize(
    ("key", "name", "data", "said"),
    [
        (8, "mine.png", png(1, (48, 60)), "60x48; this key is 64x48"),
        (8, "mine.png", b"no picture", "not a picture"),
        (8, "mine.mp4", b"x", "is a picture"),
        (9, "mine.png", png(1), "frame 9 is no key frame"),
    ],
)
def test_paint_that_does_not_fit(client, painted, key, name, data, said):
    """Is refused in one line, and nothing of it is left."""
    place = f"/api/hand/{painted.name}/picture"
    reply = client.put(place, params={"key": key, "name": name}, content=data)
    assert reply.status_code in (400, 404) and said in reply.json()["error"]
    assert [path.name for path in painted.folder.iterdir() if path.is_file()] == ["session.json"]
    assert not list((painted.folder / "hand").iterdir())


def test_the_paint_of_the_keys_is_gathered(painted):
    """Of each key, and of no other; what did not change is not written again."""
    painted.gather()
    before = {path.name: path.stat().st_mtime_ns for path in (painted.folder / "own").iterdir()}
    assert sorted(before) == ["000000.png", "000008.png", "000016.png"]
    painted.key_path("hand", 16).write_bytes(png(3))
    painted.gather()
    after = {path.name: path.stat().st_mtime_ns for path in (painted.folder / "own").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"000016.png"}
    painted.set_keys([8])
    painted.gather()
    assert sorted(path.name for path in (painted.folder / "own").iterdir()) == ["000000.png", "000008.png"]


def test_a_key_without_paint(session):
    """Cannot be carried; the line says which."""
    with pytest.raises(RequestError, match="key frame 0 is not painted yet"):
        session.gather()


def test_steps_are_command_lines(painted, folder):
    """Each is one that moviola reads, in the folder; a prompt stays one word, wrong values are refused."""
    from moviola.cli.studio_forms import check
    from moviola.core.errors import ConfigError

    queue = Queue(Places(folder).state)
    steps = {
        "choose": {"method": "optimal", "interval": "4"}, "look": {"painter": "ink"},
        "paint": {"painter": "diffusion", "prompt": "-a lake", "strength": "0.5"}, "carry": {},
    }  # fmt: skip
    for what, values in steps.items():
        job = queue.job(painted.order(queue, what, values))
        check(job["verb"], job["words"])
    words = [job["words"] for job in queue.jobs()]
    assert words[2][-2:] == ["a.mp4", "-a lake"] and "--set=keys.indices=[0, 8, 16]" in words[2]
    assert queue.job(4)["output"] == "by-hand-1.mp4"
    assert queue.job(painted.order(queue, "carry", {}))["output"] == "by-hand-2.mp4"
    for what, values in [
        ("choose", {"interval": "x"}), ("paint", {"painter": "--set=raft=/x"}), ("look", {"strength": "much"}),
    ]:  # fmt: skip
        with pytest.raises(ConfigError):
            painted.order(queue, what, values)
    queue.close()
