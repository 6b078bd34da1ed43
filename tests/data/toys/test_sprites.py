"""Sprites: composition against Pillow, cycles, facings, and the split of looks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moviola.core.errors import FormatError
from moviola.data.toys import sprites
from moviola.data.toys.sprites_grammar import ACTIONS, FACINGS, GRAMMAR

# The layout, written down again from the description of the sheets: first row, and frames with a picture.
LAYOUT = {"casts a spell": (0, 7), "thrusts": (4, 8), "walks": (8, 9), "slashes": (12, 6), "shoots": (16, 13)}
FALLS = (20, 6)
LAYERS = ("skin", "eyes", "shoes", "bottom", "top", "hair")
FOLDERS = {
    "skin": "body",
    "bottom": "bottomwear",
    "top": "topwear",
    "hair": "hair",
    "shoes": "shoes",
    "eyes": "eyes",
}
PLACE = {slot.name: i for i, slot in enumerate(GRAMMAR.slots)}


@pytest.fixture(scope="module")
def fake_parts(tmp_path_factory) -> Path:
    """Part sheets whose cells are random boxes of random, partly transparent colours (every cell another)."""
    folder, rng = tmp_path_factory.mktemp("parts"), np.random.default_rng(0)
    for name, slot in zip(
        ("body", "bottomwear", "topwear", "hair", "shoes", "eyes"), GRAMMAR.slots, strict=False
    ):
        (folder / name).mkdir()
        for k in range(len(slot.values)):
            cells = rng.integers(0, 256, (21, 1, 13, 1, 4), dtype=np.uint8)
            cells[..., 3] = rng.choice([0, 90, 200, 255], (21, 1, 13, 1))
            box = np.zeros((1, 64, 1, 64, 1), np.uint8)
            top, left = rng.integers(0, 40, 2)
            box[:, top : top + 24, :, left : left + 24] = 1
            Image.fromarray((cells * box).reshape(21 * 64, 13 * 64, 4)).save(
                folder / name / f"{k}.png", compress_level=1
            )
    return folder


@lru_cache(maxsize=64)
def sheet_of(path: Path) -> Image.Image:
    """A sheet, opened by Pillow."""
    return Image.open(path).convert("RGBA")


def by_pillow(parts: Path, slots: np.ndarray, row: int, column: int) -> np.ndarray:
    """The frame composed by Pillow over the background."""
    picture = Image.new("RGBA", (64, 64), (*sprites.BACKGROUND, 255))
    for name in LAYERS:
        sheet = sheet_of(parts / FOLDERS[name] / f"{slots[PLACE[name]] - 1}.png")
        picture = Image.alpha_composite(
            picture, sheet.crop((column * 64, row * 64, column * 64 + 64, row * 64 + 64))
        )
    return np.array(picture.convert("RGB"))


def check_composition(parts: Path, seeds: range, *, distinct: bool) -> None:
    """Every frame of a few clips is within one level of some cell of its sheet row; `distinct`: no two are alike."""
    sheets = sprites.sheets(str(parts))
    for seed in seeds:
        slots = sprites.random_slots(np.random.default_rng(seed))
        action, facing = ACTIONS[slots[6] - 1], int(slots[7]) - 1
        row, pictures = (
            (FALLS[0], FALLS[1]) if action == "falls" else (LAYOUT[action][0] + facing, LAYOUT[action][1])
        )
        cells = np.stack([by_pillow(parts, slots, row, c) for c in range(pictures)]).astype(int)
        used = []
        for phase in range(sprites.cycle_length(slots)):
            distance = abs(cells - sheets.draw(slots, phase)).reshape(pictures, -1).max(axis=1)
            assert distance.min() <= 1, (action, phase)
            used.append(int(distance.argmin()))
        # each picture in its order, the walk without its standing cell; held cells only repeat
        if distinct:
            assert sorted(set(used)) == list(range(action == "walks", pictures)) and used == sorted(used)


def test_composition_of_fake_parts(fake_parts):
    """Against Pillow's alpha_composite, on made-up sheets."""
    check_composition(fake_parts, range(6), distinct=True)


def test_composition_of_real_parts(shared):
    """Against Pillow's alpha_composite, on the real sheets."""
    check_composition(shared / "media" / "datasets" / "sprites", range(6), distinct=False)


def test_facings_and_actions():
    """Rows of a sheet face up, left, down, right; one who falls faces us; cycles have 8 to 13 frames."""
    assert FACINGS == ("away from the viewer", "to the left", "towards the viewer", "to the right")
    assert set(ACTIONS) == {*LAYOUT, "falls"}
    lengths = {a: sprites.cycle_length([1] * 6 + [k + 1, 3]) for k, a in enumerate(ACTIONS)}
    assert lengths == {"walks": 8, "slashes": 8, "thrusts": 8, "casts a spell": 8, "shoots": 13, "falls": 10}


def test_walking_left_is_not_walking_right(shared):
    """On the real sheets, facing left and right are near mirror images, and away shows no eyes."""
    sheets = sprites.sheets(str(shared / "media" / "datasets" / "sprites"))
    look = [1, 3, 3, 8, 1, 1]
    left, right, away, front = (sheets.draw([*look, 1, f], 2).astype(float) for f in (2, 4, 1, 3))
    assert abs(left[:, ::-1] - right).mean() < 0.5 * abs(left - right).mean()
    skin = np.array([abs(view[14:34, 22:42] - view[24, 32]).mean() for view in (away, front)])
    assert skin[0] != skin[1] and abs(away - front).max() > 50


@given(seed=st.integers(0, 2**32), held=st.sampled_from([None, False, True]))
def test_random_slots(seed, held):
    """Full rows that break no rule, on the asked side of the split."""
    slots = sprites.random_slots(np.random.default_rng(seed), held)
    assert slots.shape == (8,) and slots.dtype == np.int64 and GRAMMAR.allows(slots)
    assert all(1 <= k <= n for k, n in zip(slots, GRAMMAR.sizes, strict=True))
    assert held is None or sprites.held_out(slots) == held


def test_held_out_share():
    """One look in eight, by the look alone: whatever it does and wherever it faces, it is on one side."""
    looks = [sprites.random_slots(np.random.default_rng(i)) for i in range(4000)]
    held = np.array([sprites.held_out(s) for s in looks])
    assert abs(held.mean() - 0.125) < 4 * (0.125 * 0.875 / len(looks)) ** 0.5
    for slots in looks[:50]:
        assert {sprites.held_out([*slots[:6], a, f]) for a in range(1, 7) for f in range(1, 5)} == {
            sprites.held_out(slots)
        }


def test_every_action_facing_row_is_drawn():
    """The 21 rows of the sheet come up about equally often."""
    rows = [tuple(sprites.random_slots(np.random.default_rng(i))[6:]) for i in range(2100)]
    counts = np.array([rows.count(r) for r in set(rows)])
    assert len(counts) == 21 and abs(counts - 100).max() < 5 * 10


def test_clip_frames_loop(fake_parts):
    """Frames count on over the cycle's end."""
    sheets, slots = sprites.sheets(str(fake_parts)), np.array([1, 1, 1, 1, 1, 1, 5, 2])
    frames = sprites.clip_frames(sheets, slots, range(30))
    assert frames.shape == (30, 64, 64, 3) and frames.dtype == np.uint8
    assert np.array_equal(frames[:13], frames[13:26]) and np.array_equal(frames[26:], frames[:4])
    assert np.array_equal(frames[3], sheets.draw(slots, 3))


def test_make(fake_parts):
    """Deterministic clips with their truth; size and length as asked."""
    config = sprites.Config(parts=fake_parts, size=128, frames=20)
    clip, again, other = (sprites.make(i, 5, config) for i in (3, 3, 4))
    assert np.array_equal(clip.video.frames, again.video.frames) and clip.caption == again.caption
    assert clip.caption != other.caption and clip.video.frames.shape == (20, 128, 128, 3)
    assert np.array_equal(clip.video.frames[:, ::2, ::2], clip.video.frames[:, 1::2, 1::2])
    assert (
        GRAMMAR.caption(GRAMMAR.fill(GRAMMAR.parse(clip.caption), np.random.default_rng(0))) == clip.caption
    )
    for name, value in clip.truth["slots"].items():
        assert value in {v.name for v in GRAMMAR.slots[PLACE[name]].values} and value in clip.caption
    cycle = sprites.make(3, 5, sprites.Config(parts=fake_parts)).video
    assert len(cycle) == clip.truth["period"]
    assert np.array_equal(cycle.frames, clip.video.frames[: len(cycle), ::2, ::2])


def test_missing_and_wrong_parts(fake_parts, tmp_path):
    """Named by file."""
    with pytest.raises(FormatError, match=r"body.0\.png"):
        sprites.Sheets(tmp_path)
    (tmp_path / "body").mkdir()
    Image.new("RGBA", (64, 64)).save(tmp_path / "body" / "0.png")
    with pytest.raises(FormatError, match="is 64x64, not 832x1344"):
        sprites.Sheets(tmp_path)


def test_random_slots_by_action():
    """One in six falls, towards the viewer; the others face all ways alike, and looks keep to their side."""
    drawn = np.array(
        [sprites.random_slots(np.random.default_rng(i), held=True, by_action=True) for i in range(1800)]
    )
    counts = np.bincount(drawn[:, 6], minlength=7)[1:]
    assert np.abs(counts - 300).max() < 4 * (1800 * 5 / 36) ** 0.5
    falls = drawn[:, 6] == ACTIONS.index("falls") + 1
    assert set(drawn[falls, 7]) == {3}
    facing = np.bincount(drawn[~falls, 7], minlength=5)[1:]
    assert np.abs(facing - 375).max() < 4 * (1500 * 3 / 16) ** 0.5
    assert all(sprites.held_out(row) for row in drawn[::50])
