"""Pictures that users give: read as every other picture is, whatever program saved them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import moviola as mv
from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.restyle import Plan, RestyleConfig, restyle_file
from moviola.pipelines.restyle.diffusion import _pictures

HEIGHT, WIDTH = 24, 32
RAMP = (np.arange(HEIGHT * WIDTH) * 85).reshape(HEIGHT, WIDTH)  # 0 to 65195


def colors() -> np.ndarray:
    """A picture of which no turn is like another, uint8 (H, W, 3)."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def wide_grey(path: Path) -> np.ndarray:
    """Save 16 bits of grey; 65535 is white."""
    Image.fromarray(RAMP.astype(np.uint16)).save(path)
    return np.rint(RAMP / 257).astype(np.uint8)[..., None].repeat(3, axis=2)


def clear(path: Path) -> np.ndarray:
    """Save colours whose left half is clear, with black beneath; clear is white."""
    rgba = np.dstack([colors(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    rgba[:, : WIDTH // 2] = 0
    Image.fromarray(rgba).save(path)
    expected = colors()
    expected[:, : WIDTH // 2] = 255
    return expected


def turned(path: Path) -> np.ndarray:
    """Save a picture that lies on its side, with the EXIF note that says so (6: to be turned clockwise)."""
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(colors())))
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(path, exif=exif)
    return colors()


KINDS = {"wide grey png": (wide_grey, ".png"), "wide grey tiff": (wide_grey, ".tif"), "clear": (clear, ".png"),
         "turned": (turned, ".png")}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_as_a_key_frame_and_as_a_control_picture(tmp_path, kind):
    """What comes out of the key frame, and what a ControlNet is shown, is the picture."""
    save, suffix = KINDS[kind]
    mine = tmp_path / "mine"
    mine.mkdir()
    expected = save(mine / f"000000{suffix}")
    np.testing.assert_array_equal(codec.read_picture(mine / f"000000{suffix}"), expected)
    np.testing.assert_array_equal(_pictures("normal", mine, [0])[0], expected)
    Video(np.zeros((2, HEIGHT, WIDTH, 3), np.uint8), 10).save(tmp_path / "clip.mkv", lossless=True)
    settings = RestyleConfig.make({"propagation": {"method": "warp"}})
    restyle_file(tmp_path / "clip.mkv", tmp_path / "out.mkv", settings, Plan(keys=mine), lossless=True)
    np.testing.assert_array_equal(mv.read(tmp_path / "out.mkv").frames[0], expected)


def test_values_without_a_range_and_files_that_are_none(tmp_path):
    """One line each."""
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(InputError, match=r"depth\.tif .*floating-point.* 8 or 16 bits"):
        codec.read_picture(tmp_path / "depth.tif")
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no\.png is not a picture"):
        codec.read_picture(tmp_path / "no.png")
    with pytest.raises(InputError, match=r"gone\.png"):
        codec.read_picture(tmp_path / "gone.png")
