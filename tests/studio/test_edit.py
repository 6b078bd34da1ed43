"""Edits that are shown at once: as the command line draws them, in a process of their own."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import ConfigError, InputError
from moviola.studio.drawing import Drawer, draw_bands

MODEL = "freqmotion-toy"


def frames_of(film) -> np.ndarray:
    """The frames of an answer, uint8 (T, H, W, 3)."""
    data = base64.b64decode(film["strip"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data))).reshape(film["frames"], film["height"], film["width"], 3)


def test_bands_are_drawn_as_the_verb_draws_them(tmp_path):
    """The same frames, bit for bit, as `moviola edit motion` writes without loss."""
    from moviola.cli.main import run
    from moviola.data import codec

    values = {"model": MODEL, "seed": 5, "frames": 12, "gains": [1, 0.5, 0], "alter": [7, None, ""]}
    film = draw_bands(values)
    assert film["bands"] == ["low", "mid", "high"]
    out = tmp_path / "out.npz"
    words = ["--gain", "mid=0.5", "--gain", "high=0", "--alter", "low=7", "--seed", "5", "--frames", "12"]
    assert run(["edit", "motion", MODEL, *words, "-o", str(out), "--quiet"]) == 0
    assert np.array_equal(frames_of(film), codec.read(out).frames)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frames": 1000}, "1 to 256"),
        ({"gains": [1, 2]}, "3 numbers"),
        ({"gains": [1, 2, "x"]}, "3 numbers"),
        ({"gains": [1, 2, float("nan")]}, "3 numbers"),
        ({"seed": -1}, "a seed is a whole number"),
        ({"alter": [None, "x", None]}, "a seed is a whole number"),
    ],
)
def test_wrong_values(values, said):
    """One line each."""
    with pytest.raises(ConfigError, match=said):
        draw_bands({"model": MODEL, **values})


def test_another_process_draws():
    """An error comes back as a line, and the same process draws on; where it was killed, that is told."""
    drawer = Drawer()
    try:
        with pytest.raises(InputError, match="unknown model 'nothing'"):
            drawer.draw({"model": "nothing"})
        first = drawer._process.pid
        film = drawer.draw({"model": MODEL, "frames": 4})
        assert frames_of(film).shape[0] == 4 and drawer._process.pid == first
        drawer._process.kill()
        drawer._process.join()
        with pytest.raises(InputError, match="try again"):
            drawer.draw({"model": MODEL, "frames": 4})
    finally:
        drawer.close()


@pytest.mark.parametrize("model", ["/etc", "../model", None, 3, "~/x"])
def test_no_model_outside(client, model):
    """A folder outside is refused, whatever is in it."""
    reply = client.post("/api/bands", json={"model": model})
    assert reply.status_code in (400, 403)
