"""Who may ask, and for what."""

from __future__ import annotations

import os

import pytest

from .conftest import make_client

TOKEN = "abcdefghijkl-123"


@pytest.mark.parametrize(
    "name",
    ["../outside.mp4", "/etc/passwd", "a/../../outside.mp4", "..\\outside.mp4", "~/x.mp4", "C:\\x.mp4"],
)
@pytest.mark.parametrize("place", ["clip", "frames", "preview", "slice"])
def test_a_path_outside_is_refused(client, folder, name, place):
    """By its name, whether or not something is there."""
    (folder.parent / "outside.mp4").write_bytes((folder / "a.mp4").read_bytes())
    reply = client.get(f"/api/{place}", params={"name": name, "start": 0, "axis": "row", "at": 0})
    assert reply.status_code == 403 and "outside the folder" in reply.json()["error"]


@pytest.mark.parametrize(
    "name", ["%2e%2e/outside.mp4", "..%2foutside.mp4", "%2fetc/passwd", ".moviola-studio/x"]
)
def test_a_file_outside_is_not_given(client, folder, name):
    """Nor one that is hidden."""
    (folder.parent / "outside.mp4").write_bytes(b"secret")
    reply = client.get(f"/media/{name}")
    assert reply.status_code in (403, 404) and b"secret" not in reply.content


def test_a_link_that_leads_outside_is_refused(client, folder):
    """And the gallery does not list it."""
    (folder.parent / "outside.mp4").write_bytes((folder / "a.mp4").read_bytes())
    os.symlink(folder.parent / "outside.mp4", folder / "link.mp4")
    assert client.get("/media/link.mp4").status_code == 403
    assert "link.mp4" not in {clip["name"] for clip in client.get("/api/clips").json()["clips"]}


def test_a_token_is_needed(folder):
    """Without it nothing is answered; with it a cookie is set that stands for it."""
    with make_client(folder, token=TOKEN, hosts=()) as client:
        assert client.get("/api/clips").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/page/studio.js").status_code == 401
        assert client.get("/api/clips", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        first = client.get(f"/?token={TOKEN}")
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=Strict"} <= set(first.headers["set-cookie"].split("; "))
        assert client.get("/api/clips").status_code == 200  # the client keeps cookies


def test_a_page_of_another_site_changes_nothing(client, folder):
    """A request without the page's own header is refused, and the name of another site too."""
    del client.headers["X-Moviola-Studio"]
    assert client.put("/api/upload?name=x.mp4", content=b"x").status_code == 403
    assert client.get("/", headers={"host": "elsewhere.example:8421"}).status_code == 421


def test_the_address(monkeypatch):
    """This machine alone needs no token; any other host draws one, and a weak one is refused."""
    from moviola.core.errors import ConfigError, InputError
    from moviola.studio.serve import address, open_socket, token_for

    assert token_for("127.0.0.1", None) is None and token_for("localhost", None) is None
    drawn = token_for("0.0.0.0", None)
    assert drawn is not None and len(drawn) >= 24 and drawn != token_for("0.0.0.0", None)
    with pytest.raises(ConfigError, match="--token is 12 letters"):
        token_for("0.0.0.0", "short")
    assert address("127.0.0.1", 8421, None) == "http://127.0.0.1:8421/"
    assert address("192.0.2.1", 1, TOKEN) == f"http://192.0.2.1:1/?token={TOKEN}"
    with open_socket("127.0.0.1", None) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            InputError, match=f"cannot listen on 127.0.0.1, port {port}: .*give another --port"
        ):
            open_socket("127.0.0.1", port)
