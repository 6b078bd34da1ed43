"""Round trips through every format, seen by independent readers where there are some."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from moviola.core.video import Video
from moviola.data import codec

RATES = st.sampled_from(
    [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25, 2), 8, 24, 25, 50, Fraction(17, 3)]
)
SIDES = st.integers(1, 70)
LOSSLESS = [".png", ".apng", ".npz", ".webp", ".mp4", ".mov", ".mkv", ".webm"]


def moving(frames: int, height: int, width: int, fps=25) -> Video:
    """A smooth coloured picture that moves two pixels a frame."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    t = np.arange(frames)[:, None, None] * 2.0
    planes = [np.sin((x + t) / 9), np.cos((y - t) / 7), np.sin((x + y + t) / 11)]
    return Video(np.rint(np.stack([127.5 + 100 * p + 0 * x for p in planes], -1)).astype(np.uint8), fps)


def noisy(frames: int, height: int, width: int, fps=25) -> Video:
    return Video(np.random.default_rng(1).integers(0, 256, (frames, height, width, 3), dtype=np.uint8), fps)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(np.square(a.astype(float) - b).mean(), 1e-9))


def opencv(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (got := capture.read())[0]:
        frames.append(got[1][..., ::-1])
    return np.stack(frames)


@settings(max_examples=40)
@given(st.sampled_from(LOSSLESS), st.integers(1, 5), SIDES, SIDES, RATES)
def test_lossless_means_every_value(tmp_path, suffix, frames, height, width, fps):
    video = noisy(frames, height, width, fps)
    path = codec.write(video, tmp_path / f"a{suffix}", lossless=True, preset="ultrafast")
    back = codec.read(path)
    assert (back.frames == video.frames).all()
    stills = (".png", ".apng") if frames == 1 else ()  # one picture has no rate
    if suffix not in (".webp", *stills):  # whole milliseconds leave several rates for a few frames
        assert back.fps == video.fps


@settings(max_examples=40)
@given(
    st.sampled_from([".mp4", ".mov", ".mkv", ".webm"]), st.integers(1, 6), SIDES, SIDES, RATES,
    st.sampled_from([None, "yuv444p"]),
)  # fmt: skip
def test_lossy_keeps_size_rate_and_look(tmp_path, suffix, frames, height, width, fps, pix_fmt):
    video = moving(frames, height, width, fps)
    path = codec.write(video, tmp_path / f"a{suffix}", pix_fmt=pix_fmt, preset="ultrafast")
    back, info = codec.read(path), codec.probe(path)
    assert back.frames.shape == video.frames.shape
    assert (info.frames, info.height, info.width, info.fps) == (frames, height, width, back.fps)
    assert back.fps == video.fps
    assert not info.variable_rate
    odd = suffix != ".webm" and (height % 2 or width % 2)
    assert info.pixel_format == (pix_fmt or ("yuv444p" if odd else "yuv420p"))
    assert psnr(back.frames, video.frames) > (30 if info.pixel_format == "yuv444p" else 20)


@pytest.mark.parametrize("height", [96, 720])
def test_colours_stay(tmp_path, height):
    """Flat colours come back within rounding, for us and for OpenCV, with BT.601 and BT.709."""
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
        (200, 100, 50),
        (30, 180, 220),
    ]
    video = Video(np.stack([np.full((height, 64, 3), c, np.uint8) for c in colours]), 25)
    for pix_fmt, allowed in [("yuv444p", 1), ("yuv420p", 2)]:
        path = codec.write(video, tmp_path / "a.mp4", crf=0, pix_fmt=pix_fmt)
        for seen in (codec.read(path).frames, opencv(path)):
            assert np.abs(seen.astype(int) - video.frames).max() <= allowed


def test_opencv_sees_the_same_mp4(tmp_path):
    video = moving(40, 96, 128, Fraction(30000, 1001))
    path = codec.write(video, tmp_path / "a.mp4")
    seen = opencv(path)
    assert len(seen) == 40
    assert psnr(seen, codec.read(path).frames) > 45
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(30000 / 1001, rel=1e-6)


def test_crf_is_quality(tmp_path):
    video = moving(6, 256, 256)
    fine = codec.write(video, tmp_path / "fine.mp4", crf=5, pix_fmt="yuv444p")
    coarse = codec.write(video, tmp_path / "coarse.mp4", crf=45, pix_fmt="yuv444p")
    assert fine.stat().st_size > 3 * coarse.stat().st_size
    assert psnr(codec.read(fine).frames, video.frames) > psnr(codec.read(coarse).frames, video.frames) + 3


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_pillow_sees_the_same_animation(tmp_path, suffix):
    video = moving(9, 41, 53, 20)
    video = Video(np.concatenate([video.frames, video.frames[-1:]]), 20)  # equal neighbours stay two frames
    path = codec.write(video, tmp_path / f"a{suffix}")
    with Image.open(path) as image:
        pairs = [(np.asarray(f.convert("RGB")), f.info["duration"]) for f in ImageSequence.Iterator(image)]
        assert image.info["loop"] == 0
    assert len(pairs) == 10
    assert [d for _, d in pairs] == [50] * 10
    assert (np.stack([f for f, _ in pairs]) == codec.read(path).frames).all()
    assert psnr(pairs[4][0], video.frames[4]) > 28


@given(st.integers(2, 60), RATES)
@settings(max_examples=12)
def test_rounded_delays_give_the_rate_back(tmp_path, frames, fps):
    """Gif keeps hundredths and webp thousandths of a second; the rate found explains every delay."""
    for suffix, ticks in [(".gif", 100), (".webp", 1000)]:
        info = codec.probe(codec.write(moving(frames, 4, 4, fps), tmp_path / f"a{suffix}"))
        assert not info.variable_rate
        assert abs((frames - 1) / info.fps - (frames - 1) / Fraction(fps)) <= Fraction(1, ticks)
        if frames > 40 and suffix == ".webp":
            assert info.fps == fps


def test_frame_folder(tmp_path):
    video = noisy(11, 6, 7, "24000/1001")
    path = codec.write(video, f"{tmp_path}/frames/")
    assert sorted(p.name for p in path.iterdir()) == [f"{i:06d}.png" for i in range(11)] + ["frames.json"]
    assert (np.asarray(Image.open(path / "000007.png")) == video.frames[7]).all()
    back = codec.read(path)
    assert (back.frames == video.frames).all()
    assert back.fps == Fraction(24000, 1001)
    codec.write(video[:3], path)  # a folder of frames is replaced as a whole
    assert len(codec.read(path)) == 3


def test_frames_are_in_the_order_people_count(tmp_path):
    for i in [1, 2, 10, 9]:
        Image.new("RGB", (4, 4), (i, i, i)).save(tmp_path / f"f{i}.png")
    (tmp_path / "frames.json").write_text(json.dumps({"fps": 12.5}))
    (tmp_path / "notes.txt").write_text("not a frame")
    video = codec.read(tmp_path)
    assert video.frames[:, 0, 0, 0].tolist() == [1, 2, 9, 10]
    assert video.fps == Fraction(25, 2)


def test_npz_is_numpys(tmp_path):
    video = noisy(5, 6, 7, "30000/1001")
    with np.load(codec.write(video, tmp_path / "a.npz")) as arrays:
        assert (arrays["frames"] == video.frames).all()
        assert str(arrays["fps"]) == "30000/1001"
    np.savez(tmp_path / "b.npz", frames=video.frames)
    assert (codec.read(tmp_path / "b.npz").frames == video.frames).all()
    assert codec.read(tmp_path / "b.npz").fps == codec.DEFAULT_FPS


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".tif", ".png", ".webp"])
def test_one_picture(tmp_path, suffix):
    video = moving(1, 32, 48)
    path = codec.write(video, tmp_path / f"a{suffix}")
    with Image.open(path) as image:
        assert psnr(np.asarray(image.convert("RGB")), video.frames[0]) > 30
    assert codec.probe(path).frames == len(codec.read(path)) == 1


@given(
    st.sampled_from([".mp4", ".webm", ".gif", ".webp", ".png", ".npz", "/"]), st.integers(1, 9),
    st.none() | st.integers(-12, 12), st.none() | st.integers(-12, 12), st.integers(1, 4),
)  # fmt: skip
def test_streaming_and_parts_equal_the_whole(tmp_path_factory, suffix, batch, start, stop, stride):
    folder = tmp_path_factory.getbasetemp() / "streams"
    folder.mkdir(exist_ok=True)
    path = Path(f"{folder}/clip{suffix}")
    if not path.exists():
        codec.write(moving(12, 16, 18), f"{folder}/clip{suffix}", preset="ultrafast")
    wanted = codec.read(path).frames[start:stop:stride]
    if not len(wanted):
        with pytest.raises(codec.reading.InputError, match="it has 12 frames"):
            codec.read(path, start, stop, stride)
        return
    part = codec.read(path, start, stop, stride)
    pieces = list(codec.stream(path, batch, start, stop, stride))
    assert (part.frames == wanted).all()
    assert [len(p) for p in pieces[:-1]] == [batch] * (len(pieces) - 1)
    assert (Video.concat(pieces).frames == wanted).all()
    assert part.fps == pieces[0].fps == Fraction(codec.probe(path).fps, stride)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".png", ".npz", "/"])
def test_written_in_pieces_or_at_once(tmp_path, suffix):
    video = moving(12, 20, 22, "24000/1001")
    whole = codec.write(video, f"{tmp_path}/whole{suffix}")
    with codec.Writer(f"{tmp_path}/pieces{suffix}", video.fps) as writer:
        for start in range(0, 12, 5):
            writer.write(video[start : start + 5])
        assert not writer.path.exists()
    assert writer.frames == 12
    assert (codec.read(writer.path).frames == codec.read(whole).frames).all()
    assert codec.probe(writer.path).fps == codec.probe(whole).fps


def test_size_is_resize(tmp_path):
    path = codec.write(moving(5, 40, 60), tmp_path / "a.mp4")
    small = codec.read(path, size=(20, 31)).frames
    assert (small == codec.read(path).resize(20, 31).frames).all()
    assert (next(codec.stream(path, 5, size=(20, 31))).frames == small).all()


@pytest.mark.parametrize(("height", "width"), [(48, 64), (256, 256), (540, 960)])
def test_the_same_frames_give_the_same_mp4(tmp_path: Path, height: int, width: int) -> None:
    """Whatever the size, written again and again: x264's macroblock tree did not on some processors."""
    video = moving(24, height, width)
    for number in range(4):
        video.save(tmp_path / f"{number}.mp4")
    first, *others = [(tmp_path / f"{number}.mp4").read_bytes() for number in range(4)]
    assert all(other == first for other in others)
