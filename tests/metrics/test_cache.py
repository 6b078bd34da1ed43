"""One network for several metrics, and one look at a clip."""

from __future__ import annotations

import gc
import pickle

import numpy as np

from moviola.core.video import Video
from moviola.metrics.cache import PerVideo, full_precision, load_shared


class Thing:
    """Something large."""


def length(video):
    """A function that can be pickled."""
    return len(video)


def test_loaded_once_while_in_use():
    """The same object for the same key, another for another, a new one when nobody holds the old."""
    first = load_shared("a", Thing)
    assert load_shared("a", Thing) is first
    assert load_shared("b", Thing) is not first
    made = []
    del first
    gc.collect()
    kept = load_shared("a", lambda: made.append(1) or Thing())
    assert made == [1] and isinstance(kept, Thing)


def test_a_clip_is_looked_at_once():
    """Asked twice about one video the function runs once; equal frames in another video are another video."""
    asked = []
    look = PerVideo(lambda video: asked.append(1) or len(video))
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    video = Video(frames, 8)
    assert [look(video), look(video), look(Video(frames, 8))] == [3, 3, 3]
    assert len(asked) == 2
    del video
    gc.collect()
    assert len(look._values) == 0


def test_it_can_be_sent_to_another_process():
    """The function goes, what it remembers stays."""
    look = PerVideo(length)
    video = Video(np.zeros((2, 4, 4, 3), np.uint8), 8)
    assert look(video) == 2
    again = pickle.loads(pickle.dumps(look))
    assert len(again._values) == 0 and again(video) == 2


def test_full_precision_changes_nothing_on_the_cpu():
    """Off CUDA there is nothing to set."""
    with full_precision("cpu") as setting:
        assert setting is None
