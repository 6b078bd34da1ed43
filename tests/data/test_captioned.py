"""Captioned clips: sprites, drawn toys, and videos of one's own."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.errors import InputError
from moviola.core.notes import Note
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data import captioned, codec
from moviola.data.toys import sprites
from moviola.nn.warp import warp


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The decoded cache, inside the test's folder."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_sheets(monkeypatch):
    """Sprites that draw their phase as a grey level, so that no part sheets are needed."""

    class Grey:
        def draw(self, slots, phase):
            return np.full((64, 64, 3), phase, np.uint8)

    monkeypatch.setattr(sprites, "sheets", lambda folder: Grey())


def test_sprite_clips_keep_to_their_side(no_sheets):
    """Training clips are never held-out looks, held-out clips always; unsaid blanks only what a frame shows."""
    for held in (False, True):
        clips = captioned.SpriteClips("parts", held=held, unsaid=0.5)
        drawn = [clips.draw(np.random.default_rng(i)) for i in range(200)]
        full = [c.slots for c in drawn if c.slots.all()]
        assert all(sprites.held_out(s) == held for s in full) and 70 < len(full) < 130
        assert all(c.slots[6] for c in drawn)
        assert any((c.slots[:6] == 0).all() for c in drawn)


def test_sprite_clips_by_action(no_sheets):
    """The share that is drawn over the actions makes those who fall, one row of 21, more frequent."""
    falls = {}
    for share in (0.0, 0.5, 1.0):
        clips = captioned.SpriteClips("parts", by_action=share)
        drawn = [clips.draw(np.random.default_rng(i)).slots[6] for i in range(900)]
        falls[share] = np.mean(np.array(drawn) == 6)
    for share, expected in ((0.0, 1 / 21), (0.5, 0.5 / 21 + 0.5 / 6), (1.0, 1 / 6)):
        assert abs(falls[share] - expected) < 4 * (expected * (1 - expected) / 900) ** 0.5


def test_sprite_clip_draws_what_was_said_before_blanking(no_sheets):
    """The picture does not change with what the caption leaves out."""
    clip = captioned.SpriteClips("parts").of(np.array([1, 2, 3, 4, 1, 2, 5, 4]))
    assert clip.cyclic and clip.length == 13
    clip.slots[:] = 0
    assert clip.read(np.array([0, 12, 13]))[:, 0, 0, 0].tolist() == [0, 12, 0]


def test_drawn_clips_and_others():
    """Other clips are other pictures under the same words."""
    clips = captioned.DrawnClips("digits", 6, size=32, frames=5, elements=(1, 1))
    others = clips.others(seed=1)
    assert others.grammar == clips.grammar
    clip, other = clips.draw(np.random.default_rng(0)), others.draw(np.random.default_rng(0))
    assert clip.length == 5 and not clip.cyclic
    assert clip.read(np.array([4, 0])).shape == (2, 32, 32, 3)
    assert not np.array_equal(clip.read(np.arange(5)), other.read(np.arange(5)))
    assert 1 <= other.slots.max() <= max(clips.grammar.sizes)


def test_drawn_clips_that_cannot_be_said(monkeypatch):
    """One clip's words do not say another's."""
    clips = captioned.DrawnClips("digits", 1, size=32, frames=2, elements=(1, 1))
    seeds = iter(range(1, 50))
    with pytest.raises(InputError, match="none of 1 digits"):
        for seed in seeds:
            clips.others(seed)


@pytest.mark.parametrize("toy", ["digits", "icons"])
def test_scene_clips(toy):
    """A clip says in its slots what its caption says, repeats for ever, and is made once."""
    clips = captioned.SceneClips(toy, 8, size=32, frames=8, periods=(8,), scale=0.36, travel=(0.1, 0.1))
    for index in range(8):
        clip = clips.of(index)
        caption = clips.module.make(index, 0, clips.config).caption
        assert clips.grammar.caption(clip.slots) == caption
        assert clip.cyclic and clip.length == 8 and clip.latent.shape == (4,)
        assert np.array_equal(clip.read(np.array([1, 9, 81])), clip.read(np.array([1, 1, 1])))
    assert clips.draw(np.random.default_rng(0)) is clips.draw(np.random.default_rng(0))


def test_scene_latents_say_where():
    """The further right a digit stands, the larger its first number; lower, its second; about N(0, 1) over clips."""
    clips = captioned.SceneClips("digits", 1, size=32, frames=1, elements=(1, 1), motions=("spin-clockwise",))
    latents, centres = [], []
    for index in range(200):
        clip = clips.of(index)
        y, x = np.nonzero(clip.read(np.array([0]))[0, :, :, 0] > 99)
        latents.append(clip.latent[:2])
        centres.append((x.mean(), y.mean()))
    where, seen = np.array(latents), np.array(centres)
    for axis in (0, 1):
        ranks = [np.argsort(np.argsort(v[:, axis])) for v in (where, seen)]
        assert np.corrcoef(*ranks)[0, 1] > 0.98
    assert abs(where.mean()) < 0.15 and abs(where.std() - 1) < 0.15


@pytest.mark.parametrize("toy", ["digits", "icons"])
def test_another_look_in_the_same_places(toy):
    """Other things, whose ink has its centre where the clip's own has, but for their skew."""
    clips = captioned.SceneClips(toy, 20, size=64, frames=24, elements=(1, 1), periods=(24,), scale=0.36)
    index, differing, apart = np.arange(24), 0, []
    for k in range(20):
        clip = clips.of(k)
        other = clip.other_look(np.random.default_rng(k))(index)
        own = clip.read(index)
        differing += bool((own != other).any())
        for mine, theirs in zip(own, other, strict=True):
            where = [np.argwhere(frame.any(axis=-1)).mean(axis=0) for frame in (mine, theirs)]
            apart.append(np.abs(where[0] - where[1]).max())
    assert differing >= 12  # the same thing may be drawn again
    assert max(apart) < 6 and np.mean(apart) < 2  # a thing is 23 px wide; motions go over 6 to 13 px


def test_another_look_of_a_sprite(no_sheets, monkeypatch):
    """The same action at the same phase, by someone of the same side of the split."""
    asked = []
    monkeypatch.setattr(
        sprites, "clip_frames", lambda sheets, row, index: asked.append((tuple(row), tuple(index)))
    )
    for held in (False, True):
        clips = captioned.SpriteClips("parts", held=held)
        for i in range(30):
            clip = clips.draw(np.random.default_rng(i))
            clip.other_look(np.random.default_rng(1000 + i))(np.array([3, 4]))
            row, index = asked.pop()
            assert index == (3, 4) and row[6] == clip.slots[6] and row[:6] != tuple(clip.slots[:6])
            assert sprites.held_out(np.array(row)) == held


def test_another_past_of_a_sprite(no_sheets, monkeypatch):
    """The same person, who does something else or faces another way."""
    asked = []
    monkeypatch.setattr(sprites, "clip_frames", lambda sheets, row, index: asked.append(tuple(row)))
    for i in range(60):
        clip = captioned.SpriteClips("parts").draw(np.random.default_rng(i))
        clip.other_past(np.random.default_rng(1000 + i))(np.array([0]))
        row = asked.pop()
        assert row[:6] == tuple(clip.slots[:6]) and row[6:] != tuple(clip.slots[6:])


def write_clips(folder, captions: list[str], frames: int = 4) -> None:
    """Frame folders with a captions.jsonl beside them."""
    for k, _ in enumerate(captions):
        (folder / f"c{k:02d}").mkdir(parents=True)
        for t in range(frames):
            Image.fromarray(np.full((24, 24, 3), 8 * k + t, np.uint8)).save(folder / f"c{k:02d}" / f"{t}.png")
    lines = [json.dumps({"file": f"c{k:02d}", "caption": c}) for k, c in enumerate(captions) if c]
    if lines:
        (folder / "captions.jsonl").write_text("\n".join(lines) + "\n")


def test_video_clips(tmp_path, cache):
    """Words from the captions, frames at the asked size, and a split in which no clip is on both sides."""
    data = tmp_path / "data"
    write_clips(data, [f"a {w} star" for w in ("red", "blue", "green", "white", "black") * 6])
    sides = {held: captioned.VideoClips(data, 16, held=held) for held in (False, True)}
    assert sides[False].grammar == sides[True].grammar and sides[False].grammar.sizes == (7, 7, 7)
    levels = {}
    for held, clips in sides.items():
        drawn = [clips.draw(np.random.default_rng(i)) for i in range(150)]
        assert all(c.read(np.array([3, 0])).shape == (2, 16, 16, 3) and c.length == 4 for c in drawn)
        levels[held] = {int(c.read(np.array([0]))[0, 0, 0, 0]) for c in drawn}
        said = {clips.grammar.caption(c.slots) for c in drawn}
        assert said <= {f"a {w} star" for w in ("red", "blue", "green", "white", "black")}
    assert not levels[False] & levels[True] and len(levels[False] | levels[True]) == 30
    assert len(levels[True]) <= 8


def test_mirrored_clips(tmp_path, cache):
    """A clip whose left half is bright says "left", one that is flipped has it on the right and says "right"."""
    data = tmp_path / "data"
    for k in range(20):
        side, frame = k % 2, np.zeros((16, 16, 3), np.uint8)
        frame[:, 8 * side : 8 * side + 8] = 200
        (data / f"c{k:02d}").mkdir(parents=True)
        for t in range(2):
            Image.fromarray(frame).save(data / f"c{k:02d}" / f"{t}.png")
    lines = [{"file": f"c{k:02d}", "caption": f"walks {'right' if k % 2 else 'left'}"} for k in range(20)]
    (data / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    plain = captioned.VideoClips(data, 16)
    for held in (False, True):
        clips = captioned.VideoClips(data, 16, held=held, mirror=True)
        assert clips.grammar == plain.grammar
        seen = set()
        for i in range(80):
            clip = clips.draw(np.random.default_rng(i))
            frame, said = clip.read(np.array([1]))[0], clips.grammar.caption(clip.slots)
            assert said == ("walks left" if frame[0, 0, 0] > frame[0, -1, 0] else "walks right")
            seen.add(said)
        assert len(seen) == 2 or held


def test_words_that_only_a_flip_says(tmp_path, cache):
    """All clips walk to the left: with flips "right" is known and trained on, and half of what is drawn."""
    write_clips(tmp_path / "data", ["walks left"] * 20)
    clips = captioned.VideoClips(tmp_path / "data", 16, mirror=True)
    said = [clips.grammar.caption(clips.draw(np.random.default_rng(i)).slots) for i in range(100)]
    assert set(said) == {"walks left", "walks right"} and 30 <= said.count("walks right") <= 70
    held = captioned.VideoClips(tmp_path / "data", 16, held=True, mirror=True)
    assert held.grammar == clips.grammar
    assert {held.grammar.caption(held.draw(np.random.default_rng(i)).slots) for i in range(30)} == {
        "walks left"
    }


def test_videos_without_captions(tmp_path, cache):
    """Said, with what would be right."""
    write_clips(tmp_path / "data", ["", ""])
    with pytest.raises(InputError, match=r"captions\.jsonl") as error:
        captioned.VideoClips(tmp_path / "data", 16)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [f"clip{i}" for i in range(12)])
def test_a_single_clip_is_trained_on_whatever_its_name(tmp_path, cache, name):
    """The split goes by a hash of the name; it never takes the only clip away."""
    data = tmp_path / "data"
    write_clips(data, ["a star"])
    (data / "c00").rename(data / name)
    (data / "captions.jsonl").write_text(json.dumps({"file": name, "caption": "a star"}) + "\n")
    assert captioned.VideoClips(data, 16).draw(np.random.default_rng(0)).length == 4


def write_counted(folder, rates, seconds=2):
    """A clip for each rate; a frame that begins after t seconds has the value 100 t."""
    folder.mkdir()
    for k, fps in enumerate(rates):
        values = np.array([round(100 * t / fps) for t in range(seconds * fps)], np.uint8)
        frames = np.broadcast_to(values[:, None, None, None], (len(values), 16, 16, 3)).copy()
        codec.write(Video(frames, fps), folder / f"{k}.npz")
    lines = [json.dumps({"file": f"{k}.npz", "caption": f"clip {k}"}) for k, _ in enumerate(rates)]
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n")


def test_rates(tmp_path, cache):
    """The rate is that of most clips; others are named, and brought to it: the same moments show the same frames."""
    write_counted(tmp_path / "data", [10, 20, 10, 5])
    with pytest.warns(
        Note, match=r"2 of 4 videos play at another .* \(5, 20 frames .* to 10: 1\.npz, 3\.npz"
    ):
        clips = captioned.VideoClips(tmp_path / "data", 16)
    assert clips.fps == 10
    seen = {}
    for i in range(40):
        clip = clips.draw(np.random.default_rng(i))
        seen[clips.grammar.caption(clip.slots)] = clip.read(np.arange(clip.length))[:, 0, 0, 0].tolist()
    at_ten = list(range(0, 200, 10))
    assert seen["clip 0"] == seen["clip 1"] == seen["clip 2"] == at_ten
    assert len(seen["clip 3"]) == 20 and set(seen["clip 3"]) == set(range(0, 200, 20))


def test_a_model_plays_at_the_rate_of_its_clips(tmp_path, cache):
    """Of one rate, no note is made."""
    from moviola.recipes.base import DataConfig, manifest

    write_counted(tmp_path / "data", [12, 12])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert manifest(DataConfig(kind="videos", path=tmp_path / "data", size=16), 16).fps == 12


def test_broken_clips_are_named(tmp_path, cache):
    """And the others are trained on."""
    write_counted(tmp_path / "data", [12, 12])
    (tmp_path / "data" / "broken.mp4").write_bytes(b"nothing of a film")
    with pytest.warns(Note, match=r"1 videos cannot be decoded and are left out: broken\.mp4"):
        captioned.VideoClips(tmp_path / "data", 16)


def test_video_files(tmp_path, cache):
    """Real files, lossless enough to be told apart."""
    data = tmp_path / "data"
    data.mkdir()
    for k in range(12):
        Video(np.full((3, 32, 32, 3), 20 * k, np.uint8), 10).save(data / f"v{k}.mp4")
    (data / "captions.csv").write_text("file,caption\n" + "".join(f"v{k}.mp4,clip {k}\n" for k in range(12)))
    clips = captioned.VideoClips(data, 32)
    for i in range(20):
        clip = clips.draw(np.random.default_rng(i))
        number = int(clips.grammar.caption(clip.slots).split()[1])
        assert abs(int(clip.read(np.array([2]))[0, 16, 16, 0]) - 20 * number) <= 3


def test_detail_is_where_another_word_shows(shared):
    """The mask of a frame is exactly where it differs from the frame of a row that differs in one slot of the look."""
    clips = captioned.SpriteClips(shared / "media" / "datasets" / "sprites")
    row = np.array([1, 3, 3, 1, 1, 1, 3, 3])
    masks = [clips.of(row).differing(np.arange(2), np.random.default_rng(i)) for i in range(40)]
    mine = clips.of(row).read(np.arange(2))
    wanted = []
    for slot in range(6):
        for value in range(1, clips.grammar.sizes[slot] + 1):
            other = row.copy()
            other[slot] = value
            wanted.append((clips.of(other).read(np.arange(2)) != mine).any(axis=-1))
    for mask in masks:
        assert mask.shape == (2, 64, 64) and any(np.array_equal(mask, w) for w in wanted)
    assert len({int(m.sum()) for m in masks}) > 4


@pytest.mark.parametrize("toy", ["digits", "icons"])
def test_the_flow_of_a_scene_brings_back_its_frames(toy: str):
    """The first frame, warped by the flow, is each frame where something moves; elsewhere the flow is nan."""
    clips = captioned.SceneClips(
        toy, 40, size=64, frames=24, elements=(1, 2), periods=(24,), scale=0.36, travel=(0.1, 0.11)
    )
    rng, motions = numpy_generator(0, "flow"), set()
    for _ in range(12):
        clip, numbers, first = clips.draw(rng), np.array([1, 7, 13, 22, 30]), int(rng.integers(24))
        motions.add(clips.grammar.caption(clip.slots))
        assert clip.flow is not None
        flow = clip.flow(numbers, first)
        frames, known = clip.read(numbers).astype(np.float32), np.isfinite(flow).all(axis=1)
        assert flow.shape == (5, 2, 64, 64) and not (frames[~known] != np.array(clips.background)).any()
        before = torch.from_numpy(clip.read(np.array([first]))).movedim(-1, 1).float().expand(5, -1, -1, -1)
        warped = warp(before, torch.from_numpy(np.nan_to_num(flow)))[0].movedim(1, -1).numpy()
        still = np.abs(before.movedim(1, -1).numpy() - frames)[known].mean()
        assert np.abs(warped - frames)[known].mean() < max(
            0.5 * still, 4
        )  # what is left is from between pixels
    assert len(motions) > 6
