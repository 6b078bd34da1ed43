"""Pictures beside what is made: every value, whole or not at all, and refused before the work is done."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import FormatError, OutputError
from moviola.data.pictures import check_png, write_png


def test_every_value_is_kept(tmp_path):
    """Also of a view that does not lie in one piece, over a picture that was there."""
    picture = np.random.default_rng(0).integers(0, 256, (5, 14, 3), np.uint8)[:, ::2]
    (tmp_path / "a.png").write_bytes(b"old")
    write_png(check_png(tmp_path / "a.png", "a plot"), picture)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and np.array_equal(np.asarray(image), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("a.jpg", FormatError, "a plot is a PNG; .*a.jpg does not end in .png"),
        ("no/a.png", OutputError, "no does not exist; make it first"),
        ("folder.png", OutputError, "folder.png: it is a folder; name a file"),
    ],
)
def test_refused_places(tmp_path, name, error, words):
    """One line each."""
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(error, match=words):
        check_png(tmp_path / name, "a plot")
