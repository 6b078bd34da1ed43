"""Sound: kept where asked, in step with the frames, whole or in pieces."""

from __future__ import annotations

import av
import numpy as np
import pytest
from scipy.signal import correlate

from moviola.core.video import Audio, Video
from moviola.data import codec

RATE, SECONDS, FPS = 44100, 4, 25


def murmur(channels: int = 1) -> Audio:
    """Smoothed noise: any shift of it is plain in a correlation."""
    noise = np.random.default_rng(0).normal(size=(RATE * SECONDS, channels))
    smooth = np.stack([np.convolve(c, np.ones(24) / 24, "same") for c in noise.T], 1)
    return Audio((smooth * 0.8).astype(np.float32), RATE)


def with_sound(channels: int = 1) -> Video:
    return Video(np.zeros((SECONDS * FPS, 16, 16, 3), np.uint8), FPS, murmur(channels))


def lag_and_likeness(heard: np.ndarray, wanted: np.ndarray) -> tuple[int, float]:
    """How many samples late, and how much of the energy is there at that lag."""
    length = min(len(heard), len(wanted))
    both = correlate(heard[:length], wanted[:length], "same", method="fft")
    return int(both.argmax()) - length // 2, float(both.max() / np.square(wanted).sum())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".npz"])
def test_sound_comes_back_in_step(tmp_path, suffix, channels):
    video = with_sound(channels)
    path = codec.write(video, tmp_path / f"a{suffix}")
    assert codec.probe(path).has_audio
    assert codec.read(path).audio is None
    audio = codec.read(path, audio=True).audio
    assert audio is not None
    assert video.audio is not None
    assert (audio.channels, audio.rate) == (channels, 48000 if suffix == ".webm" else RATE)
    assert len(audio.samples) == SECONDS * audio.rate
    for channel in range(channels):
        heard = audio.samples[:, channel]
        if audio.rate != RATE:
            heard = np.interp(np.arange(RATE * SECONDS) / RATE, np.arange(len(heard)) / audio.rate, heard)
        lag, likeness = lag_and_likeness(heard, video.audio.samples[:, channel])
        assert abs(lag) <= RATE // 1000
        assert likeness > 0.9


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".npz"])
def test_parts_and_pieces_are_the_whole(tmp_path, suffix):
    path = codec.write(with_sound(2), tmp_path / f"a{suffix}")
    whole = codec.read(path, audio=True).audio
    pieces = [piece.audio for piece in codec.stream(path, 7, audio=True)]
    assert whole is not None
    assert all(piece is not None for piece in pieces)
    np.testing.assert_array_equal(np.concatenate([p.samples for p in pieces if p]), whole.samples)
    for start, stop, stride in [(0, 10, 1), (60, 90, 1), (50, 100, 5)]:
        part = codec.read(path, start, stop, stride, audio=True)
        assert part.audio is not None
        wanted = whole.samples[start * whole.rate // FPS : stop * whole.rate // FPS]
        assert len(part.audio.samples) == len(wanted)
        assert part.audio.duration == pytest.approx(part.duration)
        lag, likeness = lag_and_likeness(part.audio.samples[:, 0], wanted[:, 0])
        assert abs(lag) <= whole.rate // 1000  # after a jump, mkv says where it is in whole milliseconds
        assert likeness > 0.9


def test_written_in_pieces(tmp_path):
    video = with_sound()
    whole = codec.read(codec.write(video, tmp_path / "a.mp4"), audio=True).audio
    with codec.Writer(tmp_path / "b.mp4", FPS) as out:
        for start in range(0, len(video), 9):
            out.write(video[start : start + 9])
    pieces = codec.read(tmp_path / "b.mp4", audio=True).audio
    assert whole is not None
    assert pieces is not None
    lag, likeness = lag_and_likeness(pieces.samples[:, 0], whole.samples[:, 0])
    assert (lag, round(likeness, 2)) == (0, 1.0)


def test_sound_that_begins_late_or_ends_early(tmp_path):
    """Sound from second 1 to 2 of a video of 4 seconds has silence around it."""
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        video, sound = out.add_stream("libx264", rate=FPS), out.add_stream("aac", rate=RATE, layout="mono")
        video.width = video.height = 16
        for _ in range(SECONDS * FPS):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        out.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(murmur().samples[:RATE].T.copy(), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, RATE
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    audio = codec.read(tmp_path / "a.mp4", audio=True).audio
    assert audio is not None
    loud = [float(np.abs(second).mean()) for second in audio.samples[:, 0].reshape(SECONDS, RATE)]
    assert loud[1] > 20 * max(loud[0], loud[2], loud[3])
    lag, _ = lag_and_likeness(audio.samples[RATE : 2 * RATE, 0], murmur().samples[:RATE, 0])
    assert abs(lag) <= RATE // 1000


def test_a_gap_after_the_first_frame_of_sound(tmp_path):
    """The second frame is stamped 20 ms late, as after a cut; what follows is where its stamps say, also in a part."""
    murmurs = murmur().samples[:, 0]
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        video, sound = (
            out.add_stream("libx264", rate=FPS),
            out.add_stream("pcm_s16le", rate=RATE, layout="mono"),
        )
        video.width = video.height = 16
        for _ in range(SECONDS * FPS):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        out.mux(video.encode(None))
        for begin in range(0, RATE * 3, 1024):
            samples = (murmurs[None, begin : begin + 1024] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, begin + (RATE // 50 if begin else 0)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    for start in (0, 2 * FPS):
        audio = codec.read(tmp_path / "a.mkv", start, start + FPS // 2, audio=True).audio
        assert audio is not None
        begin = start * RATE // FPS + 4096
        wanted = murmurs[begin - RATE // 50 :][:8192]
        lag, likeness = lag_and_likeness(audio.samples[4096:12288, 0], wanted)
        assert abs(lag) <= RATE // 1000
        assert likeness > 0.9


def test_sound_can_be_left_out(tmp_path):
    assert not codec.probe(codec.write(with_sound(), tmp_path / "a.mp4", audio=False)).has_audio
    for suffix in (".gif", ".png", ".webp", "/"):
        path = codec.write(with_sound()[:5], f"{tmp_path}/b{suffix}")
        assert codec.read(path, audio=True).audio is None
