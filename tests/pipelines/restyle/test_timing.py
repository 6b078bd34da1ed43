"""A restyled video keeps the time of every frame and the shape of its pixels."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from moviola.core.errors import FormatError
from moviola.core.video import Audio, Video
from moviola.data import codec
from moviola.pipelines.restyle import RestyleConfig, restyle, restyle_file

cv2 = pytest.importorskip("cv2")
STAMPS = [Fraction(t, 100) for t in (0, 40, 50, 60, 180, 183, 186, 260)]


@pytest.fixture
def uneven() -> Video:
    """A grey square that walks to the right."""
    frames = np.full((8, 32, 48, 3), 200, np.uint8)
    for i, frame in enumerate(frames):
        frame[8:20, 4 + 3 * i : 16 + 3 * i] = 60
    sound = Audio(np.sin(np.arange(3 * 8000) / 9).astype(np.float32)[:, None] * 0.4, 8000)
    return Video(frames, Fraction(8, 3), sound, STAMPS, Fraction(64, 45))


@pytest.mark.parametrize(
    "painter", ["sketch", "oil", "ink"]
)  # whose frames an encoder would order each in its way
def test_a_file(uneven, tmp_path, painter):
    uneven.save(tmp_path / "in.mp4", preset="ultrafast")
    config = RestyleConfig.make({"painter": painter, "keys": {"interval": 4}, "crop": [0, 0, 16, 0]})
    done = restyle_file(tmp_path / "in.mp4", tmp_path / "out.mp4", config)
    with av.open(str(tmp_path / "out.mp4")) as file:
        stream = file.streams.video[0]
        stamps = sorted(packet.pts * packet.time_base for packet in file.demux(stream) if packet.size)
        assert [stamp - stamps[0] for stamp in stamps] == STAMPS
        assert file.streams.audio
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert [capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)] == [64, 45]
    assert codec.read(tmp_path / "out.mp4").clock == uneven.clock
    assert [note for note in done.notes if "in.mp4 has a variable rate; its 8 frames" in note]


def test_in_memory(uneven):
    out = restyle(uneven, painter="sketch", keys={"interval": 4})
    assert (out.clock, out.pixel_aspect, out.audio) == (uneven.clock, uneven.pixel_aspect, uneven.audio)


def test_a_rate_that_the_output_cannot_hold_is_refused_before_the_work(uneven, tmp_path):
    uneven.with_fps(100).save(tmp_path / "in.mp4", preset="ultrafast")
    config = RestyleConfig.make({"painter": "sketch"})
    with pytest.raises(FormatError, match="at most 50"):
        restyle_file(tmp_path / "in.mp4", tmp_path / "out.gif", config)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
