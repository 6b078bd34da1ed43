"""Frames of the input, cropped as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moviola.core.video import Video
from moviola.pipelines.restyle.footage import Footage


def test_frames_are_those_of_the_video_cropped(tmp_path: Path) -> None:
    """One frame, or one after the other."""
    frames = np.random.default_rng(0).integers(0, 256, (7, 20, 30, 3), dtype=np.uint8)
    Video(frames, 10).save(tmp_path / "clip.mkv", lossless=True)
    footage = Footage(tmp_path / "clip.mkv", slice(2, 18), slice(5, 25))
    np.testing.assert_array_equal(footage.at(4), frames[4, 2:18, 5:25])
    found = list(footage.span(1, 6))
    np.testing.assert_array_equal(np.stack(found), frames[1:6, 2:18, 5:25])
    assert all(frame.flags.c_contiguous for frame in found)
