"""Containers whose packets do not say plainly which frames there are: read as FFmpeg decodes them."""

from __future__ import annotations

import importlib.util
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from moviola.core.notes import Note
from moviola.data import codec
from moviola.data.codec.bitstream import is_in_order, is_shown
from moviola.data.codec.index import packet_index
from moviola.data.codec.timing import ascending, constant_rate
from moviola.metrics.functional.paired import psnr

_SPEC = importlib.util.spec_from_file_location("containers", Path(__file__).with_name("containers.py"))
assert _SPEC and _SPEC.loader
containers = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(containers)
cut, encode, numbers, packed_avi = (
    containers.cut,
    containers.encode,
    containers.numbers,
    containers.packed_avi,
)
picture, plain, remux = containers.picture, containers.plain, containers.remux


def check(path: Path, expected: list[int], fps: Fraction | int = 25) -> None:
    """Read in every way; `expected`: what the pictures say, in order."""
    truth, video, info = plain(path), codec.read(path), codec.probe(path)
    assert numbers(video.frames) == expected
    assert info.frames == len(video) == len(truth)
    assert np.abs(video.frames.astype(int) - truth).max() <= 2
    assert (info.fps, info.variable_rate) == (fps, False)
    assert (np.concatenate([piece.frames for piece in codec.stream(path, batch=7)]) == video.frames).all()
    for part in (slice(len(video) // 3, None, 3), slice(1, 5), slice(len(video) - 1, None)):
        assert (codec.read(path, part.start, part.stop, part.step or 1).frames == video.frames[part]).all()
    for number in range(0, len(video), 3):
        assert (codec.read_frames_at(path, [number])[0] == video.frames[number]).all(), number


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("first", [1, 17, 40, 55])
def test_a_lossless_cut_shows_all_frames_from_the_cut_on(tmp_path, suffix, first):
    """The edit list marks the packets before the cut as discarded; later pictures refer to them."""
    source = encode(tmp_path / "whole.mp4", 80, bf="3", g="20", qp="15")
    check(cut(source, tmp_path / f"cut{suffix}", Fraction(first, 25)), list(range(first, 80)))


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("libx264", {"bf": "3", "g": "20", "qp": "15"}),
        ("libx264", {"bf": "2", "g": "25", "qp": "15", "x264-params": "open-gop=1"}),
        ("mpeg4", {"bf": "2", "g": "12", "qmin": "2", "qmax": "2"}),
        ("mpeg2video", {"bf": "2", "g": "12", "qmin": "2", "qmax": "2"}),
        ("libx264", {"bf": "0", "g": "20", "qp": "15"}),
        ("mpeg4", {"g": "12", "qmin": "2", "qmax": "2"}),
    ],
)
def test_avi_is_read_in_the_order_of_showing(tmp_path, encoder, options):
    check(encode(tmp_path / "a.avi", 60, encoder, **options), list(range(60)))


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(15), Fraction(60)])
def test_the_rate_of_an_avi_is_what_it_states(tmp_path, rate):
    info = codec.probe(encode(tmp_path / "a.avi", 30, rate=rate, bf="2"))
    assert (info.fps, info.variable_rate) == (rate, False)


@pytest.mark.parametrize("between", [1, 2])
def test_packed_mpeg4(tmp_path, between):
    path = packed_avi(tmp_path / "a.avi", 40, between)
    check(path, list(range(40)))


def test_a_bit_exact_copy_in_avi_has_the_same_pictures(tmp_path):
    options = {"bf": "3", "g": "20", "qp": "15"}
    one, two = (codec.read(encode(tmp_path / f"a{s}", 40, **options)) for s in (".mp4", ".avi"))
    assert np.isinf(psnr(one.frames, two.frames)).all()


def test_pictures_before_the_first_key_frame(tmp_path):
    """A cut in an open group of pictures: the leading ones refer to what was cut away; as many are read as come out."""
    source = encode(
        tmp_path / "a.mkv", 60, bf="3", g="20", qp="15", **{"x264-params": "open-gop=1:scenecut=0"}
    )
    seen = []

    def from_second_key(packet: Any, _: int) -> bool:
        seen.append(packet.is_keyframe)
        return sum(seen) > 1

    path = remux(source, tmp_path / "cut.mkv", from_second_key)
    truth = np.stack(plain(path))
    assert codec.probe(path).frames == len(truth) == len(codec.read(path))
    assert (codec.read_frames_at(path, [0, 5, 30]) == truth[[0, 5, 30]]).all()
    assert numbers(codec.read(path).frames)[-30:] == list(range(30, 60))


def test_sound_of_an_avi_that_begins_with_lost_pictures(tmp_path):
    """Two pictures that cannot be decoded precede the first; the sound begins with them, so it begins earlier."""
    source = encode(tmp_path / "a.avi", 60, "mpeg4", bf="2", g="12", qmin="2", qmax="2", b_strategy="0")
    with av.open(str(source)) as file:
        second = [n for n, p in enumerate(p for p in file.demux(video=0) if p.size) if p.is_keyframe][1]

    def from_second_key(packet: Any, number: int) -> bool:
        packet.pts = packet.dts = number - second
        return number >= second

    path = remux(source, tmp_path / "cut.avi", from_second_key)
    assert packet_index(source).origin == 0
    assert packet_index(path).origin == Fraction(2, 25)
    assert numbers(codec.read(path).frames) == list(range(60 - len(plain(path)), 60))


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(60000, 1001), Fraction(120), Fraction(1000, 33)]
)
def test_milliseconds_copied_into_finer_ticks(tmp_path, rate):
    """An mkv copied to mp4 keeps stamps rounded to milliseconds, in ticks that would be finer."""
    source = encode(tmp_path / "a.mkv", 60, rate=rate, bf="2")
    info = codec.probe(remux(source, tmp_path / "a.mp4"))
    assert (info.frames, info.fps, info.variable_rate) == (60, rate, False)


def test_stamps_near_a_rate_in_fine_ticks_are_no_milliseconds():
    stamps = np.array([0, 3003, 6006, 9040, 12012])  # of 90000: a third of a millisecond late
    assert constant_rate(stamps, Fraction(1, 90000), [Fraction(30000, 1001)]) is None


@pytest.mark.parametrize(("encoder", "options"), [("mjpeg", {}), ("mpeg4", {"bf": "2", "b_strategy": "0"})])
def test_empty_slots_of_an_avi_are_dropped_frames(tmp_path, encoder, options):
    """Every seventh picture is left out, so the others do not come at six sevenths of the rate, but at their times."""
    slots = [i for i in range(60) if i % 7 != 3]
    with av.open(str(tmp_path / "a.avi"), "w") as out:
        stream: Any = out.add_stream(encoder, rate=30, options=options)
        stream.height, stream.width = containers.SIDE, containers.SIDE
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        for slot in slots:
            frame = av.VideoFrame.from_ndarray(picture(slot), format="rgb24")
            frame.pts, frame.time_base = slot, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert numbers(codec.read(tmp_path / "a.avi").frames) == slots
    assert codec.read_times(tmp_path / "a.avi") == tuple(Fraction(slot, 30) for slot in slots)


def test_a_file_that_begins_between_key_frames(tmp_path):
    source = encode(tmp_path / "a.mkv", 60, bf="0", g="20", qp="15")
    path = remux(source, tmp_path / "b.mkv", lambda _, number: number >= 15)
    truth = np.stack(plain(path))
    assert codec.probe(path).frames == len(truth) == len(codec.read(path))
    assert (codec.read_frames_at(path, [len(truth) - 1]) == truth[-1:]).all()


def test_stamps_that_repeat(tmp_path):
    """Two pictures at one time are two frames, in the order of decoding, and the times ascend."""
    source = encode(tmp_path / "a.mkv", 30, bf="0", g="30", qp="15")

    def repeat(packet: Any, number: int) -> bool:
        if number == 12:
            packet.pts = packet.dts = packet.pts - 40
        return True

    path = remux(source, tmp_path / "b.mkv", repeat)
    assert numbers(codec.read(path).frames) == list(range(30))
    assert numbers(codec.read_frames_at(path, [11, 12, 13])) == [11, 12, 13]
    times = codec.read_times(path)
    assert times is not None
    assert (np.diff([float(t) for t in times]) > 0).all()


def test_the_default_one_of_two_streams_is_read(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        streams: list[Any] = [out.add_stream("libx264", rate=25, options={"bf": "0"}) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        streams[0].disposition = av.stream.Disposition(0)
        streams[1].disposition = av.stream.Disposition.default
        for i in range(10):
            for k, stream in enumerate(streams):
                frame = av.VideoFrame.from_ndarray(picture(i + 100 * k), format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    assert numbers(codec.read(tmp_path / "a.mkv").frames) == list(range(100, 110))


@pytest.mark.parametrize("rate", [1200, 2000, 20000])
def test_high_speed_cameras(tmp_path, rate):
    path = encode(tmp_path / "a.mp4", 20, rate=rate, bf="2")
    assert codec.probe(path).fps == codec.read(path).fps == rate


@pytest.mark.parametrize("numerator", [24000, 30000, 48000, 60000, 120000])
@pytest.mark.parametrize("count", [20, 600])
@pytest.mark.parametrize("off", [Fraction(0), Fraction(1, 10**5), Fraction(-1, 10**5)])
def test_rates_of_television_in_milliseconds(numerator, count, off):
    """Also where the file states the rate with an error, as mkv does in whole nanoseconds or worse."""
    rate = Fraction(numerator, 1001)
    stamps = np.array([round(1000 * i / rate) for i in range(count)], np.int64)
    stated = (rate * (1 + off)).limit_denominator(2000) if off else rate
    for told in ([stated], []):
        if told or count == 600:
            assert constant_rate(stamps, Fraction(1, 1000), told) == rate


def test_what_a_file_states_exactly_stays():
    ticks = np.arange(50, dtype=np.int64) * 50
    assert constant_rate(ticks, Fraction(1, 2997), [Fraction(2997, 50)]) == Fraction(2997, 50)
    ticks = np.arange(50, dtype=np.int64) * 317
    assert constant_rate(ticks, Fraction(1, 19001), [Fraction(19001, 317)]) == Fraction(19001, 317)


def test_stamps_cut_from_a_longer_file():
    """0, 34, 67, 100, 134: thirds of 100 ms, the first rounded down as well."""
    stamps = np.array([round(Fraction(2 + i) * 100 / 3) for i in range(40)], np.int64)
    assert constant_rate(stamps, Fraction(1, 1000), [Fraction(30)]) == 30
    assert constant_rate(stamps + (np.arange(40) > 20), Fraction(1, 1000), [Fraction(30)]) is None


def test_ascending():
    assert ascending(np.array([0, 5, 5, 5, 6, 20])).tolist() == [0, 5, 6, 7, 8, 20]


def test_pictures_that_are_only_referred_to():
    assert is_shown(memoryview(b"\x10"), "vp8")
    assert not is_shown(memoryview(b"\x00"), "vp8")
    assert not is_shown(memoryview(bytes([0b10_0_0_0_0_0_0, 0])), "vp9")
    assert is_shown(memoryview(bytes([0b10_0_0_0_0_1_0, 0])), "vp9")
    assert is_shown(memoryview(bytes([0b10_0_0_1_000, 0])), "vp9")
    assert is_shown(memoryview(bytes([0b10_0_0_0_0_0_0, 0b110_00001])), "vp9"), "a superframe"
    assert not is_shown(memoryview(b"\x00"), "vp8")


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_slice_types(tmp_path, suffix):
    """Against the kind of picture that FFmpeg decodes."""
    path = encode(tmp_path / f"a{suffix}", 30, bf="2", g="10")
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        extradata = stream.codec_context.extradata
        ordered = [is_in_order(bytes(p), "h264", extradata) for p in file.demux(stream) if p.size]
    with av.open(str(path)) as file:
        kinds = [av.video.frame.PictureType(frame.pict_type).name for frame in file.decode(video=0)]
    assert ordered.count(False) == kinds.count("B")


def spoiled(path: Path, packet: int) -> Path:
    """Overwrite the middle of one packet."""
    with av.open(str(path)) as file:
        where = next(p for n, p in enumerate(file.demux(video=0)) if n == packet)
        start, size = where.pos, where.size
    data = bytearray(path.read_bytes())
    data[start + size // 3 : start + size // 3 + size // 2] = b"\x55" * (size // 2)
    path.write_bytes(data)
    return path


@pytest.fixture
def damaged(tmp_path) -> tuple[Path, list[int]]:
    """A folder with a whole and a damaged clip, and the frames of it that FFmpeg marks."""
    (tmp_path / "set").mkdir()
    encode(tmp_path / "set/whole.mp4", 40, bf="0", g="40", qp="15")
    path = spoiled(encode(tmp_path / "set/bad.mp4", 40, bf="0", g="20", qp="15"), 10)
    with av.open(str(path)) as file:
        marked = [i for i, frame in enumerate(file.decode(video=0)) if frame.is_corrupt]
    if not marked:
        pytest.skip("this FFmpeg marks no frame of the spoiled file")
    return tmp_path / "set", marked


def test_mended_frames_are_noted(damaged):
    folder, marked = damaged
    with pytest.warns(Note, match=f"bad.mp4: {len(marked)} of 40 frames are damaged"):
        codec.read(folder / "bad.mp4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec.read(folder / "whole.mp4")
        with codec.watch_concealed() as concealed:
            codec.read(folder / "bad.mp4")
    assert sorted(concealed) == marked


def test_a_survey_names_clips_with_mended_frames(damaged):
    from moviola.cli.data import report, to_json
    from moviola.data.sources import open_source
    from moviola.data.survey import survey

    folder, marked = damaged
    result = survey(open_source(folder))
    assert (result.damaged, result.broken) == ([("bad.mp4", marked)], [])
    assert to_json(result)["damaged"] == [{"name": "bad.mp4", "frames": marked}]
    assert any("bad.mp4" in line and "damaged" in line for line in report(result, 16))


def test_evaluate_names_clips_with_mended_frames(damaged, tmp_path):
    import moviola as mv

    folder, _ = damaged
    encode(tmp_path / "bad.mp4", 40, bf="0", g="40", qp="25")
    report = mv.evaluate(
        real=str(folder / "bad.mp4"),
        fake=str(tmp_path / "bad.mp4"),
        metrics="psnr",
        cache=False,
        device="cpu",
    )
    # frames 12 to 27 are judged; those up to the key frame 20 refer to the damaged one before them
    assert any("REAL" in text and "bad.mp4" in text and "damaged" in text for text in report.warnings)


REPORTS = {
    "avi_h264_bframes.avi": (40, 25, False),
    "editlist_discarded_key_g40cut.mp4": (95, 25, False),
    "hs2000.mp4": (30, 2000, False),
    "opengop264cut.mkv": (30, 30, False),
    "rate_5994.mkv": (30, Fraction(60000, 1001), False),
    "sar.mp4": (24, 25, False),
    "vfr_sound.mp4": (60, 20, True),
}


@pytest.mark.parametrize("name", REPORTS)
def test_files_that_were_reported(shared, name):
    """Counts and rates are those of `ffprobe -show_frames`; pictures against plain decoding."""
    path = shared / "media/reports" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    video, info, truth = codec.read(path), codec.probe(path), np.stack(plain(path))
    assert (info.frames, info.fps, info.variable_rate) == REPORTS[name]
    assert video.fps == info.fps
    assert np.abs(video.frames.astype(int) - truth).max() <= 2
    assert (np.concatenate([p.frames for p in codec.stream(path, batch=9)]) == video.frames).all()
    assert (codec.read(path, 3, None, 4).frames == video.frames[3::4]).all()
    order = np.random.default_rng(0).permutation(len(video))
    assert (codec.read_frames_at(path, order) == video.frames[order]).all()
