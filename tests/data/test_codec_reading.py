"""Reading what others write: exact random access, rotation, varying rates, grey, alpha, deep colour."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from moviola.core.errors import ConfigError, InputError
from moviola.data import codec
from moviola.data.codec import container
from moviola.data.codec.timing import constant_rate, simplest_between, standard_rate


def encode(
    path: Path,
    frames: list[np.ndarray],
    *,
    encoder: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    stamps: list[int] | None = None,
    rotation: tuple[int, bool] | None = None,
    form: str = "rgb24",
    **options: str,
) -> Path:
    """Write with PyAV directly, so that reading is not tested against our own writing."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(encoder, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = frames[0].shape[0], frames[0].shape[1], pix_fmt
        stream.codec_context.time_base = Fraction(1, rate)
        if pix_fmt == "gray":
            stream.codec_context.color_range = 2  # 0 to 255, said so
        if rotation:
            stream.set_display_rotation(rotation[0], hflip=rotation[1])
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format=form)
            frame.pts, frame.time_base = stamps[i] if stamps else i, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def coded_number(i: int, side: int = 64) -> np.ndarray:
    """A picture that says its number in 8 black or white blocks, whatever the quality, over moving texture."""
    y, x = np.mgrid[:side, :side]
    grey = 128 + 60 * np.sin((x * 3 + y * 5 + i * 7) / 13)
    for bit in range(8):
        grey[:16, bit * side // 8 : (bit + 1) * side // 8] = 255 * (i >> bit & 1)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)


def numbers(frames: np.ndarray) -> list[int]:
    blocks = frames[:, 2:14, :, 0].reshape(len(frames), 12, 8, -1).mean(axis=(1, 3)) > 128
    return (blocks * (1 << np.arange(8))).sum(1).tolist()


@pytest.fixture(scope="module")
def gops(tmp_path_factory) -> dict[str, Path]:
    """200 numbered frames in files with B-frames, short, long and open groups of pictures."""
    folder, frames = tmp_path_factory.mktemp("gops"), [coded_number(i) for i in range(200)]
    return {
        "long.mp4": encode(folder / "long.mp4", frames, bf="3", g="250", preset="fast"),
        "short.mp4": encode(folder / "short.mp4", frames, bf="2", g="7", preset="veryfast"),
        "open.mkv": encode(folder / "open.mkv", frames, bf="3", g="48", **{"x264-params": "open-gop=1"}),
        "refresh.mp4": encode(folder / "refresh.mp4", frames, g="30", **{"x264-params": "intra-refresh=1"}),
        "hevc.mp4": encode(folder / "hevc.mp4", frames, encoder="libx265", g="40", **{"x265-params": "log-level=none"}),
        "plain.avi": encode(folder / "plain.avi", frames, encoder="mpeg4", bf="2", g="30", b="4000000"),
        "h264.avi": encode(folder / "h264.avi", frames, bf="0", g="50", preset="veryfast"),
        "vp9.webm": encode(folder / "vp9.webm", frames, encoder="libvpx-vp9", g="60", **{"cpu-used": "8", "crf": "30"}),
        "vp8.webm": encode(
            folder / "vp8.webm", frames, encoder="libvpx", g="60", b="900000",
            **{"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "4"},
        ),
    }  # fmt: skip


KINDS = [
    "long.mp4",
    "short.mp4",
    "open.mkv",
    "refresh.mp4",
    "hevc.mp4",
    "plain.avi",
    "h264.avi",
    "vp9.webm",
    "vp8.webm",
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_counted_and_in_its_place(gops, kind):
    info, video = codec.probe(gops[kind]), codec.read(gops[kind])
    assert info.frames == len(video) == 200
    assert numbers(video.frames) == list(range(200))
    assert (info.fps, info.variable_rate) == (25, False)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(indices=st.lists(st.integers(-200, 199), min_size=1, max_size=9))
def test_random_access_is_exact(gops, kind, indices):
    whole = _whole(gops[kind])
    assert (codec.read_frames_at(gops[kind], indices) == whole[indices]).all()


_KEPT: dict[Path, np.ndarray] = {}


def _whole(path: Path) -> np.ndarray:
    """All frames by plain decoding with PyAV, without our index."""
    if path not in _KEPT:
        with av.open(str(path)) as file:
            _KEPT[path] = np.stack([f.to_ndarray(format="rgb24") for f in file.decode(video=0)])
    return _KEPT[path]


def test_a_jump_decodes_little(gops, monkeypatch):
    """Frame 150 of 200 with a key frame every 7 does not decode the 150 before it."""
    fed = []
    plain = container.decode
    monkeypatch.setattr(
        container, "decode", lambda path, stream, packet: fed.append(packet) or plain(path, stream, packet)
    )
    assert numbers(codec.read_frames_at(gops["short.mp4"], [150])) == [150]
    assert len(fed) < 14


def test_unwanted_frames_are_not_converted(gops, monkeypatch):
    made = []
    plain = container.RgbConverter.__call__
    monkeypatch.setattr(
        container.RgbConverter, "__call__", lambda self, frame: made.append(1) or plain(self, frame)
    )
    codec.read_frames_at(gops["long.mp4"], [190, 191])
    assert len(made) == 2


def test_a_seek_that_lands_late_is_noticed(gops, monkeypatch):
    """Where jumping does not give what the index says, the file is decoded from its beginning instead."""

    def late(*_args: object) -> None:
        raise container._Unexpected

    monkeypatch.setattr(container.ContainerReader, "_packets_from", late)
    assert numbers(codec.read_frames_at(gops["short.mp4"], [3, 150])) == [3, 150]


def test_a_changed_file_is_indexed_again(tmp_path):
    path = encode(tmp_path / "a.mp4", [coded_number(i) for i in range(5)])
    assert codec.probe(path).frames == 5
    encode(path, [coded_number(i) for i in range(9)])
    assert numbers(codec.read(path).frames) == list(range(9))


def test_bad_indices(gops):
    for bad in [[200], [0, -201], []]:
        with pytest.raises(InputError, match="200 frames, 0 to 199"):
            codec.read_frames_at(gops["long.mp4"], bad)
    with pytest.raises(ConfigError, match="batch"):
        codec.stream(gops["long.mp4"], batch=0)
    with pytest.raises(ConfigError, match="stride"):
        codec.read(gops["long.mp4"], stride=0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate(tmp_path, suffix):
    stamps = [0, 1, 2, 5, 6, 12, 13, 14, 30, 31]
    frames = [coded_number(i) for i in range(10)]
    path = encode(tmp_path / f"a{suffix}", frames, stamps=stamps, rate=25)
    info = codec.probe(path)
    assert info.variable_rate
    assert info.frames == 10
    assert info.fps == 10 / Fraction(32, 25)  # to the end of the last frame
    assert numbers(codec.read(path).frames) == list(range(10))
    assert numbers(codec.read_frames_at(path, [8, 3])) == [8, 3]


CORNERS = np.zeros((48, 80, 3), np.uint8)
CORNERS[:24, :24], CORNERS[24:, :24], CORNERS[:24, 56:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_turned_pictures_are_upright(tmp_path, angle, mirrored):
    path = encode(tmp_path / "a.mp4", [CORNERS] * 3, rotation=(angle, mirrored), crf="5")
    wanted = np.rot90(CORNERS, angle // 90)
    wanted = wanted[:, ::-1] if mirrored else wanted
    video, info = codec.read(path), codec.probe(path)
    assert video.frames.shape[1:] == wanted.shape == (info.height, info.width, 3)
    assert np.abs(video.frames[1].astype(int) - wanted).mean() < 3
    if not mirrored:
        assert info.rotation == -angle % 360
        seen = cv2.VideoCapture(str(path)).read()[1][..., ::-1]
        assert (seen == video.frames[0]).all()


def test_turned_photographs_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored picture must be turned clockwise
    Image.fromarray(CORNERS).save(tmp_path / "a.png", exif=exif)
    assert (codec.read(tmp_path / "a.png").frames[0] == np.rot90(CORNERS, -1)).all()
    assert (codec.probe(tmp_path / "a.png").height, codec.probe(tmp_path / "a.png").width) == (80, 48)


@pytest.mark.parametrize(
    ("encoder", "pix_fmt"), [("libx264", "gray"), ("ffv1", "gray"), ("ffv1", "gray10le")]
)
def test_grey(tmp_path, encoder, pix_fmt):
    frames = [coded_number(i)[..., 0] for i in range(6)]
    path = encode(
        tmp_path / "a.mkv",
        frames,
        encoder=encoder,
        pix_fmt=pix_fmt,
        form="gray",
        **({"crf": "5"} if encoder == "libx264" else {}),
    )
    video = codec.read(path).frames
    assert (video[..., 0] == video[..., 2]).all()
    assert numbers(video) == list(range(6))
    assert np.abs(video[..., 0].astype(int) - np.stack(frames)).mean() < 3


@pytest.mark.parametrize(
    ("encoder", "pix_fmt"), [("libx264", "yuv420p10le"), ("libx264", "yuv444p10le"), ("ffv1", "yuv420p10le")]
)
def test_ten_bits(tmp_path, encoder, pix_fmt):
    frames = [coded_number(i) for i in range(6)]
    path = encode(
        tmp_path / "a.mkv",
        frames,
        encoder=encoder,
        pix_fmt=pix_fmt,
        **({"crf": "5"} if encoder == "libx264" else {}),
    )
    assert codec.probe(path).pixel_format == pix_fmt
    video = codec.read(path).frames
    assert np.abs(video.astype(int) - np.stack(frames)).mean() < 2


def clear(i: int) -> np.ndarray:
    """A red picture whose alpha falls from left to right."""
    picture = np.zeros((20, 30, 4), np.uint8)
    picture[..., 0], picture[..., 1] = 200, i * 10
    picture[..., 3] = np.linspace(255, 0, 30).astype(np.uint8)
    return picture


@pytest.mark.parametrize("name", ["a.mov", "a.png", "a.webp"])
def test_alpha_lies_over_white(tmp_path, name):
    pictures = [clear(i) for i in range(3)]
    if name == "a.mov":
        path = encode(tmp_path / name, pictures, encoder="qtrle", pix_fmt="argb", form="rgba")
    else:
        path = tmp_path / name
        images = [Image.fromarray(p) for p in pictures]
        images[0].save(path, save_all=True, append_images=images[1:], duration=40, lossless=True)
    alpha = np.stack(pictures)[..., 3:] / 255
    wanted = np.stack(pictures)[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(codec.read(path).frames - wanted).max() <= 1.01
    assert codec.probe(path).fps == 25


def test_gif_with_holes_and_uneven_delays(tmp_path):
    images = []
    for i in range(4):
        image = Image.new("RGBA", (24, 16), (0, 0, 0, 0))
        image.paste((255, 0, 0, 255), (i * 4, 2, i * 4 + 6, 12))
        images.append(image)
    images[0].save(
        tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[40, 200, 40, 40], disposal=2
    )
    video, info = codec.read(tmp_path / "a.gif"), codec.probe(tmp_path / "a.gif")
    assert info.variable_rate
    wanted = [
        np.asarray(Image.alpha_composite(Image.new("RGBA", (24, 16), "white"), i).convert("RGB"))
        for i in images
    ]
    assert (video.frames == np.stack(wanted)).all()


def test_sixteen_bit_and_palette_pictures(tmp_path):
    ramp = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    assert np.abs(codec.read(tmp_path / "deep.png").frames[0, ..., 1] - ramp / 257).max() <= 0.51
    Image.fromarray(CORNERS).quantize(8).save(tmp_path / "few.png")
    assert np.abs(codec.read(tmp_path / "few.png").frames[0].astype(int) - CORNERS).max() <= 2


@given(
    st.fractions(min_value=1, max_value=120, max_denominator=1001), st.integers(2, 400),
    st.sampled_from([1000, 90000, 12800, 600]),
)  # fmt: skip
def test_a_constant_rate_is_found(rate, count, ticks):
    stamps = np.array([round(i * ticks / rate) for i in range(count)], np.int64)
    found = constant_rate(stamps, Fraction(1, ticks), [])
    if found is None:  # two frames in one tick
        assert (np.diff(stamps) <= 0).any()
        return
    assert all(abs(i * ticks / found - int(t)) <= Fraction(1, 2) for i, t in enumerate(stamps))
    assert constant_rate(stamps, Fraction(1, ticks), [rate]) in (rate, standard_rate(rate))
    floor = np.array([int(i * ticks / rate) for i in range(count)], np.int64)
    assert constant_rate(floor, Fraction(1, ticks), [rate]) is not None
    if count > 9:
        stamps[count // 2 :] += ticks  # a pause of a second
        assert constant_rate(stamps, Fraction(1, ticks), [rate]) is None


@given(st.fractions(min_value=Fraction(1, 50), max_value=50), st.fractions(min_value=0, max_value=2))
def test_simplest_fraction(low, width):
    found = simplest_between(low, low + width)
    assert low <= found <= low + width
    for smaller in range(1, min(found.denominator, 200)):
        assert ceil(low * smaller) > (low + width) * smaller


def test_memory_stays_flat(tmp_path):
    """Streaming 1500 frames of 320x240 (346 MB raw) through a resize into a file takes less than 120 MB more."""
    code = """if True:
        import resource, sys
        import numpy as np
        from moviola.core.video import Video
        from moviola.data import codec
        picture = Video(np.random.default_rng(0).integers(0, 255, (16, 240, 320, 3), dtype=np.uint8), 25)
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with codec.Writer(sys.argv[1], 25, preset="ultrafast", crf=40) as out:
            for _ in range(15): out.write(picture.resize(120, 160).resize(240, 320))
        list(codec.stream(sys.argv[1]))
        before = peak()
        with codec.Writer(sys.argv[2], 25, preset="ultrafast", crf=40) as out:
            for _ in range(6):
                for piece in codec.stream(sys.argv[1]): out.write(piece)
        assert codec.probe(sys.argv[2]).frames == 1440
        print(peak() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.mp4", tmp_path / "b.mp4"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 120
