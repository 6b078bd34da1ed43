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


def test_frames_in_any_order(tmp_path):
    """As many are kept as a few blocks hold and the two ends, however many there are; slices are the same frames."""
    from moviola.core.video import Video
    from moviola.data import codec
    from moviola.pipelines.restyle.footage import BLOCK, BLOCKS, Footage

    count = (BLOCKS + 2) * BLOCK + 5
    values = np.arange(count, dtype=np.uint8)[:, None, None, None]
    codec.write(
        Video(np.broadcast_to(values, (count, 16, 16, 3)).copy(), 25), tmp_path / "clip.mkv", lossless=True
    )
    frames = Footage(tmp_path / "clip.mkv", slice(2, 10), slice(0, 8)).frames(range(3, count))
    assert len(frames) == count - 3 and frames[0].shape == (8, 8, 3)
    assert [int(frame[0, 0, 0]) for frame in frames] == list(range(3, count))
    backwards = frames[:0:-1]
    assert [int(frame[0, 0, 0]) for frame in backwards] == list(range(count - 1, 3, -1))
    assert int(frames[-1][0, 0, 0]) == count - 1 and int(frames[1:][0][0, 0, 0]) == 4
    blocks = frames._blocks
    assert sum(map(len, blocks._kept.values())) <= BLOCK * BLOCKS and len(blocks._ends) == 2
