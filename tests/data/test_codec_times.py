"""When each frame is shown, and how wide its pixels are: against stamps and ratios that the test chose."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from moviola.data import codec
from moviola.data.codec.reading import open_reader

STAMPS = [0, 40, 80, 320, 360, 1000]


def encode(path: Path, stamps: list[int], *, aspect: Fraction | None = None, rotation: int = 0) -> Path:
    """Write grey pictures with these stamps in milliseconds."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25, options={"bf": "2", "qp": "20"})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 20 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_varying_times_are_the_stamps(tmp_path, suffix):
    path = encode(tmp_path / f"a{suffix}", STAMPS)
    assert codec.read_times(path) == tuple(Fraction(t, 1000) for t in STAMPS)
    info = codec.probe(path)
    assert info.variable_rate
    assert info.duration > 1.0, "the last frame lasts some time too"


def test_a_constant_rate_has_no_times(tmp_path):
    assert codec.read_times(encode(tmp_path / "a.mkv", [0, 33, 67, 100, 133, 167])) is None


def test_varying_delays_of_a_gif(tmp_path):
    frames = [Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)) for i in range(4)]
    frames[0].save(
        tmp_path / "a.gif",
        save_all=True,
        append_images=frames[1:],
        duration=[2000, 100, 100, 1500],
        optimize=False,
    )
    assert codec.read_times(tmp_path / "a.gif") == (0, 2, Fraction(21, 10), Fraction(22, 10))
    assert codec.probe(tmp_path / "a.gif").duration == pytest.approx(3.7)


@pytest.mark.parametrize(("rotation", "shown"), [(0, "64/45"), (180, "64/45"), (90, "45/64")])
def test_pixel_aspect(tmp_path, rotation, shown):
    path = encode(tmp_path / "a.mp4", [0, 40, 80], aspect=Fraction(64, 45), rotation=rotation)
    assert codec.probe(path).pixel_aspect == Fraction(shown) == open_reader(path).pixel_aspect


def test_pixels_are_square_where_nothing_is_stated(tmp_path):
    assert codec.probe(encode(tmp_path / "a.mp4", [0, 40, 80])).pixel_aspect == 1


def test_a_survey_tells_of_varying_rates_and_oblong_pixels(tmp_path):
    from moviola.cli.data import report, to_json
    from moviola.data.sources import open_source
    from moviola.data.survey import survey

    encode(tmp_path / "a.mp4", STAMPS, aspect=Fraction(64, 45))
    encode(tmp_path / "b.mp4", [0, 40, 80])
    result = survey(open_source(tmp_path), min_frames=1)
    assert (result.variable, result.aspects) == (1, [("64/45", 1)])
    assert to_json(result)["aspects"] == [{"pixel_aspect": "64/45", "clips": 1}]
    lines = report(result, 1)
    assert any("64/45" in line for line in lines)
    assert any("varies in 1 of 2" in line for line in lines)
    assert not any(
        "pixels" in line or "varies" in line for line in report(survey(open_source(tmp_path / "b.mp4")), 1)
    )
