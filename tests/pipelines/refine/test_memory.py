"""Frames in one piece, and the memory that there is."""

import numpy as np
import pytest
import torch

import moviola as mv
from moviola.core.errors import ConfigError
from moviola.core.video import Video
from moviola.pipelines.refine import memory
from moviola.pipelines.refine.memory import PeakMemory


def test_what_is_alive_at_the_same_time_is_counted():
    """Float32: three of a thousand at most; views take nothing, and what was there before does not count."""
    before = torch.zeros(5000)
    with PeakMemory() as counted:
        one = before[:1000] + 1
        two = one.view(10, 100) * 2
        three = one + two.view(-1)
        del one, two
        four = three.clone()
    assert counted.peak == 3 * 4000 and len(four) == 1000


@pytest.mark.parametrize(("free", "fits"), [(10**6, False), (10**15, True), (None, True)])
def test_whole_frames_need_room(free, fits, monkeypatch):
    """More than four times the size it was trained at; small frames and tiles are not asked about."""
    monkeypatch.setattr(memory, "free_memory", lambda device: free)
    large = Video(np.zeros((2, 128, 160, 3), np.uint8), 8)
    if fits:
        assert mv.refine(large, model="regis-u", iterations=1, size="whole").height == 128
        return
    with pytest.raises(
        ConfigError, match=r"frames of 160x128 in one piece need about .* use --size tile"
    ) as caught:
        mv.refine(large, model="regis-u", iterations=1, size="whole")
    assert "\n" not in str(caught.value)
    small = Video(large.frames[:, :64, :64], 8)
    assert mv.refine(small, model="regis-u", iterations=1, size="whole").height == 64
    assert mv.refine(small, model="regis-u", iterations=1).height == 64


def test_free_memory_is_known_or_not():
    free = memory.free_memory("cpu")
    assert free is None or free > 0
