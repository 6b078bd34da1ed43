"""The Weizmann strips: captions, the split by person, and moments."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import FormatError
from moviola.data import actions
from moviola.data.actions import FOLDERS, GRAMMAR, MOMENTS, ActionClips

HELD = 2  # the place in each folder of the person kept out


@pytest.fixture(scope="module")
def strips(tmp_path_factory):
    """Strips of 8x8 frames whose red says the folder, green the number, blue the frame."""
    folder = tmp_path_factory.mktemp("strips")
    for f, name in enumerate(FOLDERS):
        (folder / name).mkdir()
        for number in range(14):
            frames = np.zeros((8, 60, 8, 3), np.uint8)
            frames[..., 0], frames[..., 1] = f, number
            frames[..., 2] = np.arange(60)[None, :, None]
            Image.fromarray(frames.reshape(8, 480, 3)).save(folder / name / f"{number:03d}.png")
    return folder


def drawn(clips: ActionClips, n: int = 300) -> list[tuple[np.ndarray, np.ndarray]]:
    """(slots, (folder, number, frame) of every frame) of n clips."""
    made = [clips.draw(np.random.default_rng(i)) for i in range(n)]
    return [(c.slots, c.read(np.arange(c.length))[:, 4, 4].astype(int)) for c in made]


def test_split_by_person(strips):
    """The held-out person is never trained on, in any folder nor mirrored; the others never held out."""
    sides = {held: drawn(ActionClips(strips, held=held)) for held in (False, True)}
    people = {held: {(int(p[0, 0]), int(p[0, 1]) // 2) for _, p in side} for held, side in sides.items()}
    assert people[True] == {(f, HELD) for f in range(4)}
    assert people[False] == {(f, k) for f in range(4) for k in range(7) if k != HELD}
    assert all(slots[0] == 0 for slots, _ in sides[True]) and all(slots[0] > 0 for slots, _ in sides[False])


def test_captions_say_what_is_shown(strips):
    """Action by folder, side by the parity of the number; clothes tell people of one folder apart."""
    wears = {}
    for slots, pixels in drawn(ActionClips(strips)):
        f, number = pixels[0, :2]
        assert slots[1] == f + 1 and slots[2] == number % 2 + 1 and GRAMMAR.allows(slots)
        wears.setdefault((f, slots[0]), set()).add(number // 2)
    assert all(len(people) == 1 for people in wears.values()) and len(wears) == 24
    assert [v.name.split()[0] for v in GRAMMAR.slots[1].values] == ["waves", "waves", "does", "bends"]


@pytest.mark.parametrize("moments", [False, True])
def test_every_second_frame_from_a_moment(strips, moments):
    """12.5 frames a second; with moments the slot says where it begins, 6 frames apart."""
    starts = set()
    for slots, pixels in drawn(ActionClips(strips, moments=moments)):
        frames = pixels[:, 2]
        assert set(np.diff(frames)) == {2} and frames[-1] >= 58
        starts.add(int(frames[0]))
        if moments:
            assert frames[0] == 6 * (slots[3] - 1)
    assert starts == ({6 * k for k in range(MOMENTS)} if moments else {0, 1})


def test_unsaid(strips):
    """What a frame shows may stay unsaid; the action never."""
    slots = np.array([s for s, _ in drawn(ActionClips(strips, unsaid=0.5))])
    assert (slots[:, 1] > 0).all()
    assert 0.25 < (slots[:, 0] == 0).mean() < 0.45 and 0.25 < (slots[:, 2] == 0).mean() < 0.45


def test_missing_strip(tmp_path):
    """Named by file."""
    with pytest.raises(FormatError, match=r"wave-one-hand.000\.png"):
        ActionClips(tmp_path)


def test_real_strips(shared):
    """Mirror images are on one side, next to each other, as the split assumes."""
    clips = ActionClips(shared / "media" / "datasets" / "weizmann")
    assert len(clips.keys) == 48
    for name in FOLDERS:
        for k in range(0, 14, 2):
            a, b = clips.strips[name, k], clips.strips[name, k + 1]
            n = min(len(a), len(b))
            assert abs(a[:n, :, ::-1].astype(int) - b[:n]).mean() < 1.0


def test_read_many(strips):
    """Asking twice reads the disk once."""
    assert actions._strips(str(strips)) is actions._strips(str(strips))
