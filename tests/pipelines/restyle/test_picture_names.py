"""Which frame a picture is for, by its name."""

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.data.pictures import write_png
from moviola.pipelines.restyle.pictures import numbered


def write(folder, *names):
    for name in names:
        write_png(folder / name, np.zeros((2, 2, 3), np.uint8))
    return folder


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("000016.png", 16),
        ("16.png", 16),
        ("frame7.png", 7),
        ("000016_v1.png", 16),
        ("000016 (2).png", 16),
        ("take3_000016.png", 16),
        ("out-1080p-000016.png", 16),
        ("2026-05-03_000016.png", 16),
        ("0000.png", 0),
    ],
)
def test_frame_numbers(tmp_path, name, frame):
    assert list(numbered(write(tmp_path, name))) == [frame]


@pytest.mark.parametrize("name", ["12_5.png", "v1_16.png", "1080_0016.png"])
def test_names_that_say_no_frame_clearly(tmp_path, name):
    with pytest.raises(InputError, match=r"several numbers in it \(\d+, \d+\)") as caught:
        numbered(write(tmp_path, name))
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_hidden_files_are_left_out(tmp_path):
    """macOS puts "._NAME" beside NAME; it is no picture."""
    write(tmp_path, "000016.png")
    (tmp_path / "._000016.png").write_bytes(b"\0\5\26\7")
    assert {frame: path.name for frame, path in numbered(tmp_path).items()} == {16: "000016.png"}


def test_two_for_one_frame(tmp_path):
    with pytest.raises(InputError, match="both for frame 16"):
        numbered(write(tmp_path, "000016.png", "000016_v1.png"))
