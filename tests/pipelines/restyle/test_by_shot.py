"""The user's own key frames in a video with cuts: paint goes over none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moviola as mv
from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.data.pictures import write_png
from moviola.pipelines.restyle import Plan, RestyleConfig, restyle_file
from moviola.pipelines.restyle.by_shot import borrowed, check_shots, parts_by_shot, without_key
from moviola.pipelines.restyle.carrying import Part
from moviola.pipelines.restyle.painting import anchors_of

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def test_parts_end_at_cuts():
    """The head of a shot comes from its first key, the tail from its last one; nothing comes from another shot."""
    assert parts_by_shot([2, 12], 16, [8]) == [
        Part(0, 2, None, 2), Part(2, 8, 2, None), Part(8, 12, None, 12), Part(12, 16, 12, None)
    ]  # fmt: skip
    assert parts_by_shot([0, 4, 6], 8, [4]) == [Part(0, 4, 0, None), Part(4, 6, 4, 6), Part(6, 8, 6, None)]


@given(st.integers(1, 40), st.data())
def test_parts_cover_every_frame_once_and_stay_in_their_shot(count, data):
    """Whatever the keys and cuts, also where shots without a key borrow."""
    frame = st.integers(0, count - 1)
    keys = sorted(data.draw(st.sets(frame, min_size=1)))
    cuts = sorted(data.draw(st.sets(frame)) - {0})
    left = borrowed(keys, count, cuts)
    assert set(left) <= set(cuts) and not without_key(keys, count, left)
    if not without_key(keys, count, cuts):
        assert left == cuts
    parts = parts_by_shot(keys, count, left)
    assert [t for part in parts for t in range(part.start, part.stop)] == list(range(count))
    for part in parts:
        read = [part.start, part.stop - 1, *(key for key in (part.first, part.last) if key is not None)]
        assert not [cut for cut in left if min(read) < cut <= max(read)]


def test_who_lends():
    """The nearest key in time; on a tie the one before."""
    assert borrowed([2, 20], 24, [8, 16]) == [8]
    assert borrowed([2, 21], 24, [8, 16]) == [16]
    assert borrowed([2, 17], 24, [8, 16]) == [8]
    assert borrowed([5, 18], 24, [8, 16]) == [16]
    assert borrowed([20], 24, [8, 16]) == [] == borrowed([2], 24, [8, 16])


def test_the_first_key_of_each_shot_is_its_anchor():
    """Also where it is not the shot's first frame."""
    assert anchors_of([2, 5, 12, 14, 20], [8, 20], "shot") == [2, 12, 20]
    assert anchors_of([2, 5, 12], [8], "first") == [2]


def test_shots_without_a_key_are_named():
    """One frame, several, many."""
    with pytest.raises(
        InputError, match=r"^mine holds no picture for a shot of the video, frames 8 to 15; paint one"
    ):
        check_shots([2, 20], 24, [8, 16], "mine")
    with pytest.raises(
        InputError, match=r"for shots of the video, frames 1, 2, 3, 4, 5, 6 and 1 more; paint a frame of"
    ):
        check_shots([0], 8, range(1, 8), "mine")
    check_shots([0, 9], 24, [8], "mine")


@pytest.fixture
def three_shots(tmp_path: Path) -> Path:
    """A dark, a bright and a dark shot of eight still frames each."""

    def blocks(seed: int) -> np.ndarray:
        colors = np.random.default_rng(seed).integers(0, 64, (6, 8, 3), np.uint8)
        return colors.repeat(8, axis=0).repeat(8, axis=1)

    dark, bright = blocks(1), 255 - blocks(2)
    path = tmp_path / "clip.mkv"
    Video(np.stack([dark] * 8 + [bright] * 8 + [dark] * 8), 10).save(path, lossless=True)
    return path


def painted(
    clip: Path, folder: Path, keys: dict[int, tuple[int, int, int]], *, plain: bool = True, **how: object
) -> np.ndarray:
    """Restyle with plain pictures as keys; return the colour of each frame, (T, 3), `plain` too."""
    mine = folder / f"keys-{len(keys)}"
    mine.mkdir(exist_ok=True)
    for key, color in keys.items():
        write_png(mine / f"{key:06d}.png", np.full((48, 64, 3), color, np.uint8))
    settings = RestyleConfig.make({"propagation": {"method": "warp"}, "keys": how})
    restyle_file(clip, folder / "out.mkv", settings, Plan(keys=mine), lossless=True)
    frames = mv.read(folder / "out.mkv").frames.astype(int)
    assert not plain or np.ptp(frames, axis=(1, 2)).max() <= 2
    return frames[:, 0, 0]


def test_each_shot_keeps_its_own_paint(three_shots, tmp_path):
    """Plain colours, none of which is mixed with that of another shot, though no key lies on a cut."""
    colors = painted(three_shots, tmp_path, {2: RED, 12: GREEN, 20: BLUE})
    expected = np.repeat([RED, GREEN, BLUE], 8, axis=0)
    assert np.abs(colors - expected).max() <= 2


def test_a_shot_without_a_key(three_shots, tmp_path):
    """Refused and named; painted from its neighbour where that is asked for; no cuts, no shots."""
    keys = {2: RED, 18: BLUE}
    with pytest.raises(InputError, match=r"frames 8 to 15; paint one of its frames"):
        painted(three_shots, tmp_path, keys)
    assert not (tmp_path / "out.work").exists()
    colors = painted(three_shots, tmp_path, keys, borrow=True)
    assert (colors[:8] == RED).all() and np.abs(colors[8:] - BLUE).max() <= 2
    assert len(painted(three_shots, tmp_path, keys, plain=False, shots=False)) == 24


def test_borrowing_that_changes_nothing_is_said():
    """It is for the user's own keys."""
    config = RestyleConfig.make({"painter": "ink", "keys": {"borrow": True}})
    assert "keys.borrow" in config.check()[0] and "keys.borrow" not in config.check(by_hand=True)[0]
