"""What is written keeps the time of every frame and the shape of its pixels: seen through PyAV, OpenCV and Pillow."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import FormatError, InputError
from moviola.core.notes import Note
from moviola.core.video import Audio, Video
from moviola.data import codec

DELAYS = [2000, 100, 100, 100, 1500]  # ms
STAMPS = [Fraction(t, 1000) for t in np.cumsum([0, *DELAYS[:-1]]).tolist()]
EXACT = [".mp4", ".m4v", ".mov"]
PICTURES = [".gif", ".png", ".apng", ".webp"]


def moving(count: int = 5, aspect: Fraction | int = 1, sound: Audio | None = None) -> Video:
    y, x = np.mgrid[:32, :48]
    frames = np.stack([np.stack([x * 5, y * 7, (x + y) * 2 + 20 * i], -1) % 256 for i in range(count)])
    seconds = Fraction(sum(DELAYS), 1000)
    return Video(frames.astype(np.uint8), 5 / seconds, sound, STAMPS, aspect)


def packets(path: Path) -> tuple[list[Fraction], Fraction]:
    """Return the stamps of a file, in order, from the first, and when the last frame ends, by its packets alone."""
    with av.open(str(path)) as file:
        rows = sorted((p.pts, p.duration, p.time_base) for p in file.demux(video=0) if p.pts is not None)
    stamps = [(pts - rows[0][0]) * tick for pts, _, tick in rows]
    return stamps, stamps[-1] + rows[-1][1] * rows[-1][2]


def delays(path: Path) -> list[float]:
    """Return Pillow's durations in ms."""
    with Image.open(path) as image:
        out = []
        for i in range(image.n_frames):
            image.seek(i)
            image.load()
            out.append(image.info["duration"])
    return out


def write(video: Video, path: str | Path, how: str, **options) -> Path:
    """Write a video at once, in pieces that carry their times, or in plain pieces with the times given beforehand."""
    if how == "whole":
        return codec.write(video, path, **options)
    pieces = [video[:2], video[2:3], video[3:]]
    if how == "times":
        with codec.Writer(path, video.fps, video.times, **options) as writer:
            for piece in pieces:
                writer.write(piece.with_fps(25))
    else:
        with codec.Writer(path, 25, **options) as writer:
            for piece in pieces:
                writer.write(piece)
    return Path(path)


@pytest.mark.parametrize("how", ["whole", "pieces", "times"])
@pytest.mark.parametrize("suffix", [*EXACT, ".mkv", ".webm"])
def test_containers_keep_every_stamp(tmp_path, suffix, how):
    path = write(moving(), tmp_path / f"a{suffix}", how, preset="ultrafast")
    assert packets(path) == (STAMPS, Fraction(sum(DELAYS), 1000))
    back = codec.read(path)
    assert list(back.times or ()) == STAMPS
    assert back.duration == 3.8


@pytest.mark.parametrize("how", ["whole", "pieces", "times"])
@pytest.mark.parametrize("suffix", PICTURES)
def test_pictures_keep_every_delay(tmp_path, suffix, how):
    path = write(moving(), tmp_path / f"a{suffix}", how)
    assert delays(path) == DELAYS
    assert codec.read(path).clock == moving().clock


@pytest.mark.parametrize("how", ["whole", "pieces"])
@pytest.mark.parametrize("name", ["a.npz", "frames/"])
def test_frames_and_arrays_keep_times_and_pixels(tmp_path, name, how):
    video = moving(aspect=Fraction(64, 45))
    path = f"{tmp_path}/{name}"
    write(video, path, how)
    back, info = codec.read(path), codec.probe(path)
    assert (back.clock, back.pixel_aspect) == (video.clock, video.pixel_aspect)
    assert (info.variable_rate, info.pixel_aspect, info.duration) == (True, video.pixel_aspect, 3.8)
    assert (back.frames == video.frames).all()


def test_times_of_a_folder_that_do_not_fit(tmp_path):
    path = f"{tmp_path}/frames/"
    write(moving(), path, "whole")
    stated = Path(path) / "frames.json"
    stated.write_text(json.dumps({**json.loads(stated.read_text()), "times": [0, 1]}))
    with pytest.raises(InputError, match=r"frames\.json does.*5 frames need 5 times, got 2"):
        codec.read(path)


@pytest.mark.parametrize("suffix", [*EXACT, ".mkv", ".webm", *PICTURES])
def test_rounding_never_adds_up(tmp_path, suffix):
    """300 frames a third and two thirds of 40 ms apart: nothing is a whole tick of any of the formats."""
    count = 300
    stamps = [Fraction(4, 100) * (i // 2) + (i % 2) * Fraction(4, 300) for i in range(count)]
    if suffix == ".gif":
        stamps = [4 * stamp for stamp in stamps]  # a gif shows a frame for 20 ms at least
    frames = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    video = Video(frames, count / (stamps[-1] + Fraction(8, 300)), None, stamps)
    path = codec.write(video, tmp_path / f"a{suffix}", preset="ultrafast")
    if suffix in PICTURES:
        written = np.cumsum([0, *delays(path)])[:-1] / 1000
    else:
        written = np.array([float(stamp) for stamp in packets(path)[0]])
    finest = {".gif": 0.005, ".webp": 0.0005, ".mkv": 0.0005, ".webm": 0.0005}.get(suffix, 0.0001)
    assert len(written) == count
    assert np.abs(written - [float(stamp) for stamp in stamps]).max() <= finest + 1e-9


def test_frames_closer_than_a_tick_stay_apart(tmp_path):
    stamps = [Fraction(i, 10_000) for i in range(4)] + [Fraction(1)]
    video = Video(moving().frames, 4, None, stamps)
    for suffix in (".mkv", ".webm", ".gif", ".webp"):
        back = codec.read(codec.write(video, tmp_path / f"a{suffix}", preset="ultrafast"))
        assert len(back) == 5
        assert back.times is not None and back.times[-1] == 1


def test_a_delay_longer_than_a_gif_can_say(tmp_path):
    video = Video(moving().frames[:2], Fraction(2, 1000), None, [0, 700])
    with pytest.raises(FormatError, match=r"a\.gif.*700 s"):
        codec.write(video, tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_plain_pieces_then_pieces_with_times(tmp_path):
    with (
        pytest.raises(FormatError, match="variable rate follows one of constant rate"),
        codec.Writer(tmp_path / "a.mp4", 25) as writer,
    ):
        writer.write(moving().with_fps(25))
        writer.write(moving())
    with (
        pytest.raises(FormatError, match="only so many times"),
        codec.Writer(tmp_path / "a.mp4", 25, STAMPS) as writer,
    ):
        writer.write(moving())
        writer.write(moving())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png", ".webp", ".npz"])
def test_the_same_video_gives_the_same_bytes(tmp_path, suffix):
    one, two = (codec.write(moving(), tmp_path / f"{name}{suffix}") for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_an_apng_stays_a_valid_png(tmp_path):
    path = codec.write(moving(), tmp_path / "a.png")
    with Image.open(path) as image:
        image.verify()
    with av.open(str(path), format="apng") as file:  # FFmpeg compares the checksum of every chunk
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert (np.stack(frames) == moving().frames).all()


RATE = 16_000


def beep(stamp: Fraction, seconds: Fraction) -> Audio:
    samples = np.zeros((int(seconds * RATE), 1), np.float32)
    at = int(stamp * RATE)
    samples[at : at + 800, 0] = 0.5 * np.sin(np.arange(800) * 0.4)
    return Audio(samples, RATE)


def flash_and_beep(path: Path) -> tuple[float, float]:
    """Return when the picture becomes bright and when there is sound, s, as PyAV decodes them."""
    with av.open(str(path)) as file:
        flash = next(f.time for f in file.decode(video=0) if f.to_ndarray(format="gray").mean() > 128)
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()).reshape(-1) > 0.1)
            if len(loud):
                return float(flash), float(frame.time + loud[0] / frame.sample_rate)
    raise AssertionError("no sound")


@pytest.mark.parametrize("start", [0, 7])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_stays_with_its_frame(tmp_path, suffix, start):
    """20 frames a tenth of a second apart, then 40 a fortieth: frame 20 is bright at 2 s; by the mean rate at 1 s."""
    stamps = [Fraction(i, 10) if i < 20 else 2 + Fraction(i - 20, 40) for i in range(60)]
    frames = np.zeros((60, 32, 48, 3), np.uint8)
    frames[20:23] = 255
    video = Video(frames, 20, beep(Fraction(2), Fraction(3)), stamps)
    source = codec.write(video, tmp_path / f"source{suffix}", preset="ultrafast")
    again = codec.read(source, start, audio=True).save(tmp_path / f"again{suffix}")
    with codec.Writer(tmp_path / f"pieces{suffix}", 25) as writer:
        for piece in codec.stream(source, 16, start, audio=True):
            writer.write(piece)
    for path in (again, tmp_path / f"pieces{suffix}"):
        flash, sound = flash_and_beep(path)
        begin = float(stamps[start])
        assert flash == pytest.approx(2 - begin, abs=0.0011)
        assert sound == pytest.approx(2 - begin, abs=0.025)


@pytest.mark.parametrize("suffix", [*EXACT, ".mkv"])
def test_containers_state_oblong_pixels(tmp_path, suffix):
    path = codec.write(moving(aspect=Fraction(64, 45)), tmp_path / f"a{suffix}", preset="ultrafast")
    with av.open(str(path)) as file:
        assert file.streams.video[0].sample_aspect_ratio == Fraction(64, 45)
        assert next(file.decode(video=0)).width == 48
    capture = cv2.VideoCapture(str(path))
    sar = [capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)]
    assert sar == [64, 45]
    assert codec.read(path).pixel_aspect == codec.probe(path).pixel_aspect == Fraction(64, 45)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".webm"])
def test_formats_without_oblong_pixels_get_square_ones(tmp_path, suffix):
    with pytest.warns(Note, match=rf"{suffix} has square pixels.*from 48x32 to 68x32"):
        path = codec.write(moving(aspect=Fraction(64, 45)), tmp_path / f"a{suffix}")
    info = codec.probe(path)
    assert (info.width, info.height, info.pixel_aspect) == (68, 32, 1)


def test_reading_at_another_size_keeps_the_shape(tmp_path):
    path = codec.write(moving(aspect=Fraction(64, 45)), tmp_path / "a.mp4", preset="ultrafast")
    assert codec.read(path, size=(16, 24)).pixel_aspect == Fraction(64, 45)
    assert codec.read(path, size=(32, 64)).pixel_aspect == Fraction(64, 45) * Fraction(48, 64)
    assert next(codec.stream(path, size=(32, 64))).pixel_aspect == Fraction(16, 15)


def test_parts_and_strides_keep_their_times(tmp_path):
    path = codec.write(moving(), tmp_path / "a.mkv", preset="ultrafast")
    whole = moving()
    assert codec.read(path, 1, 4).clock == whole[1:4].clock
    assert codec.read(path, stride=2).clock == whole[::2].clock
    pieces = list(codec.stream(path, 2, stride=2))
    assert sum(piece.clock.length for piece in pieces) == whole.clock.length
    gaps = [b - a for a, b in pairwise(Video.concat(pieces).times or ())]
    assert gaps == [Fraction(21, 10), Fraction(2, 10)]
