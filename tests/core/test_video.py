"""The Video type: slicing, geometry, joining, tensors."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Audio, Video


def numbered(frames: int = 10, height: int = 4, width: int = 6, fps=10, sound: bool = False) -> Video:
    """Frame i is filled with i; where there is sound, sample k is k / 10000 at 100 samples a frame of 10 fps."""
    pixels = np.arange(frames, dtype=np.uint8).reshape(-1, 1, 1, 1)
    samples = (np.arange(frames * 100, dtype=np.float32) / 10000)[:, None]
    return Video(np.tile(pixels, (1, height, width, 3)), fps, Audio(samples, 1000) if sound else None)


def values(video: Video) -> list[int]:
    return video.frames[:, 0, 0, 0].tolist()


def test_numbers_of_a_video():
    video = numbered(12, 4, 6, "24000/1001")
    assert (len(video), video.height, video.width, video.fps) == (12, 4, 6, Fraction(24000, 1001))
    assert video.duration == pytest.approx(12 * 1001 / 24000)
    assert repr(video) == "Video(12 frames, 4x6, 24000/1001 fps)"


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 1), np.uint8),
        np.zeros((2, 0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_video(frames):
    with pytest.raises(InputError, match="uint8 frames"):
        Video(frames, 25)


@given(
    st.integers(1, 12),
    st.integers(-15, 15) | st.none(),
    st.integers(-15, 15) | st.none(),
    st.sampled_from([1, 2, 3, -1, -2]),
)
def test_slices_are_pythons(length, start, stop, step):
    video, wanted = numbered(length), list(range(length))[start:stop:step]
    if not wanted:
        with pytest.raises(InputError, match="no frame"):
            video[start:stop:step]
        return
    part = video[start:stop:step]
    assert values(part) == wanted
    assert part.fps == Fraction(10, abs(step))


def test_single_frames():
    video = numbered(5)
    assert [values(frame) for frame in video] == [[0], [1], [2], [3], [4]]
    assert values(video[-1]) == [4]
    with pytest.raises(IndexError):
        video[5]


def test_sound_follows_the_slice():
    video = numbered(10, sound=True)
    for part, first, count in [(video[3:6], 300, 300), (video[2:8:2], 200, 600), (video[-1], 900, 100)]:
        assert part.audio is not None
        np.testing.assert_allclose(
            part.audio.samples[:, 0], np.arange(first, first + count) / 10000, rtol=1e-6
        )
    assert video[::-1].audio is None


def test_sound_is_padded_with_silence():
    sound = Audio(np.ones((10, 2), np.float32), 10).cut(Fraction(-1, 2), Fraction(2))
    assert sound.samples[:, 0].tolist() == [0] * 5 + [1] * 10 + [0] * 10
    assert (sound.channels, sound.duration) == (2, 2.5)
    with pytest.raises(InputError, match="float32"):
        Audio(np.zeros(5, np.float32), 10)
    with pytest.raises(InputError, match="1 Hz"):
        Audio(np.zeros((5, 1), np.float32), 0)


def test_crop_scale_resize():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 14, 3), dtype=np.uint8)
    video = Video(pixels, 25)
    assert (video.crop(2, 3, 4, 5).frames == pixels[:, 2:6, 3:8]).all()
    assert (video.center_crop_square().frames == pixels[:, :, 2:11]).all()
    assert (video.scale(3).frames == np.kron(pixels, np.ones((1, 3, 3, 1), np.uint8))).all()
    assert video.resize(18, 7).frames.shape == (3, 18, 7, 3)
    for box in [(0, 0, 10, 1), (-1, 0, 2, 2), (0, 13, 2, 2), (0, 0, 0, 2)]:
        with pytest.raises(ConfigError, match="9x14"):
            video.crop(*box)
    with pytest.raises(ConfigError, match="at least 1"):
        video.scale(0)


def test_join_in_time():
    joined = Video.concat([numbered(2, sound=True), numbered(3), numbered(1, sound=True)])
    assert values(joined) == [0, 1, 0, 1, 2, 0]
    assert joined.audio is not None
    assert len(joined.audio.samples) == 600
    assert not joined.audio.samples[200:500].any()
    assert values(numbered(2).loop(3)) == [0, 1] * 3
    with pytest.raises(ConfigError, match="at least 1"):
        numbered(2).loop(0)


def test_looped_sound_does_not_drift():
    video = Video(numbered(1).frames, "24000/1001", Audio(np.ones((5000, 1), np.float32), 44100))
    looped = video.loop(240)
    assert looped.audio is not None
    assert len(looped.audio.samples) == round(240 * 1001 / 24000 * 44100)


@pytest.mark.parametrize(
    ("others", "noun"), [([numbered(2, 5)], "size"), ([numbered(2, fps=12)], "rate"), ([], "no videos")]
)
def test_what_cannot_be_joined(others, noun):
    with pytest.raises(InputError, match=noun):
        Video.concat([numbered(2), *others] if others else [])


def test_side_by_side_holds_the_last_frame():
    pair = Video.side_by_side([numbered(2, 4, 3), numbered(4, 4, 5)], gap=2)
    assert pair.frames.shape == (4, 4, 10, 3)
    assert pair.frames[:, 0, 0, 0].tolist() == [0, 1, 1, 1]
    assert pair.frames[:, 0, -1, 0].tolist() == [0, 1, 2, 3]
    assert (pair.frames[:, :, 3:5] == 255).all()
    with pytest.raises(InputError, match="height"):
        Video.side_by_side([numbered(2, 4), numbered(2, 5)])
    with pytest.raises(ConfigError, match="gap"):
        Video.side_by_side([numbered(2)], gap=-1)


def test_contact_sheet():
    video = numbered(10, 4, 6)
    sheet = video.contact_sheet(columns=4, gap=1)
    assert sheet.shape == (3 * 5 - 1, 4 * 7 - 1, 3)
    assert sheet[::5, ::7, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 255, 255]]
    assert video.contact_sheet(columns=3, rows=1, gap=0)[0, ::6, 0].tolist() == [0, 4, 9]
    assert video[:2].contact_sheet(columns=8).shape == (4, 14, 3)
    with pytest.raises(ConfigError, match="column"):
        video.contact_sheet(columns=0)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
def test_tensors_and_back(frames, height, width):
    pixels = np.random.default_rng(frames).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    video = Video(pixels, 25)
    tensor = video.to_tensor()
    assert tensor.shape == (frames, 3, height, width)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.permute(0, 2, 3, 1).numpy(), pixels / 127.5 - 1, atol=1e-6)
    assert (Video.from_tensor(tensor, 25).frames == pixels).all()


def test_tensors_that_are_none():
    clipped = Video.from_tensor(torch.tensor([-3.0, 0.0, 3.0]).view(3, 1, 1, 1), 10)
    assert clipped.frames[:, 0, 0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    with pytest.raises(InputError, match="T, C, H, W"):
        Video.from_tensor(torch.zeros(3, 4, 4), 10)
    with pytest.raises(InputError, match="finite"):
        Video.from_tensor(torch.full((1, 3, 2, 2), float("nan")), 10)


def test_another_rate_drops_the_sound():
    video = numbered(4, sound=True)
    assert video.with_fps(10).audio is video.audio
    assert video.with_fps("25").audio is None
    assert video.with_fps("25").fps == 25


def test_saving_and_showing(tmp_path):
    path = numbered(3, 16, 16).save(tmp_path / "out.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert 'src="data:video/mp4;base64,' in numbered(2, 5, 7)._repr_html_()
