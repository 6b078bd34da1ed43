"""Real clips, against OpenCV and Pillow."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from moviola.data import codec


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Path]:
    return sorted((shared / "media" / "video").glob("*.mp4"))


def test_every_clip_is_opencvs(clips):
    assert len(clips) >= 6
    for path in clips:
        capture, info = cv2.VideoCapture(str(path)), codec.probe(path)
        assert info.frames == int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        assert float(info.fps) == pytest.approx(capture.get(cv2.CAP_PROP_FPS))
        count = 0
        for piece in codec.stream(path, 32):
            for frame in piece.frames:
                ok, seen = capture.read()
                assert ok
                # OpenCV and we ask the same library for the same conversion
                assert np.abs(seen[..., ::-1].astype(int) - frame).max() <= 2, (path.name, count)
                count += 1
        assert count == info.frames
        assert not capture.read()[0]


def test_random_access_in_every_clip(clips):
    for path in clips:
        length = codec.probe(path).frames
        indices = np.random.default_rng(length).integers(0, length, 5)
        found = codec.read_frames_at(path, indices)
        for index, frame in zip(indices, found, strict=True):
            assert (codec.read(path, int(index), int(index) + 1).frames[0] == frame).all()
        at = int(indices.max())
        skipped = next(codec.stream(path, 1, start=at)).frames[0]
        assert (skipped == found[indices.argmax()]).all()


def test_a_real_gif_is_pillows(shared):
    path = shared / "media" / "video" / "ucf101-cricketshot.gif"
    video = codec.read(path)
    assert (len(video), video.height, video.width, video.fps) == (79, 224, 224, 25)
    with Image.open(path) as image:
        image.seek(50)
        assert (np.asarray(image.convert("RGB")) == video.frames[50]).all()


def test_real_sound(shared):
    video = codec.read(shared / "media" / "video" / "nasa-13013.mp4", audio=True)
    assert video.audio is not None
    assert video.audio.duration == pytest.approx(video.duration, abs=0.01)
    assert 0.001 < float(np.abs(video.audio.samples).mean()) < 0.5
