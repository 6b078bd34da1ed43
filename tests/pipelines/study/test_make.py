"""Making a study: what pairs, what the page holds, captions, sizes, and what is refused."""

from __future__ import annotations

import base64
import json
import re
import shutil

import numpy as np
import pytest

from moviola.core.errors import ConfigError, FormatError, InputError, OutputError, UnknownNameError
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.study import make_study
from moviola.pipelines.study.clips import ClipSettings, name_methods
from moviola.pipelines.study.criteria import CRITERIA, find_criteria
from moviola.pipelines.study.records import load_study


def videos(page, folder) -> tuple[dict, list[Video]]:
    """What the page's script is told, and the clips as they decode."""
    text = page.read_text(encoding="utf-8")
    data, clips = (
        json.loads(re.search(rf'id="{name}">(.*?)</script>', text, flags=re.S)[1])
        for name in ("data", "clips")
    )
    read = []
    for number, uri in enumerate(clips):
        head, _, body = uri.partition(",")
        path = folder / f"{number}.{'webm' if 'webm' in head else 'mp4'}"
        path.write_bytes(base64.b64decode(body))
        read.append(codec.read(path))
    return data, read


def grey(video: Video) -> float:
    """The value of a corner that no mark covers."""
    return float(video.frames[:, -20:, -20:].mean())


@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_the_page_holds_what_the_key_says(clips, tmp_path, format):
    """Every pair shows, on each side, the clip of the method that the key names; each clip is there once."""
    made = make_study(
        clips("a", "b", "c", count=2),
        tmp_path / "s.html",
        catch=0,
        settings=ClipSettings(format=format),
        seed=1,
    )
    data, read = videos(made.page, tmp_path)
    assert len(read) == made.clips == 6 and len(data["pairs"]) == len(made.study.pairs) == 6
    for shown, pair in zip(data["pairs"], made.study.pairs, strict=True):
        for number, method in ((shown["a"], pair.left), (shown["b"], pair.right)):
            assert grey(read[number]) == pytest.approx(40 + 60 * method, abs=4)
            assert len(read[number]) == 6 and float(read[number].fps) == pytest.approx(8, rel=0.01)
            assert (read[number].height, read[number].width) == (192, 288)  # six times as large


def test_a_catch_pair_is_plainly_damaged(tmp_path):
    """One side is the clip, the other of the same size and length, with most frames lost and far from it."""
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        texture = generator.integers(0, 255, (12, 12, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        Video(np.stack([np.roll(texture, 5 * t, 1) for t in range(20)]), 10).save(tmp_path / name / "0.npz")
    made = make_study([tmp_path / "a", tmp_path / "b"], tmp_path / "s.html", catch=2)
    data, read = videos(made.page, tmp_path)
    caught = 0
    for shown, pair in zip(data["pairs"], made.study.pairs, strict=True):
        if pair.damaged is None:
            continue
        caught += 1
        bad, good = (shown["a"], shown["b"]) if pair.damaged == "left" else (shown["b"], shown["a"])
        whole, damaged = (read[n].frames.astype(float) for n in (good, bad))
        assert whole.shape == damaged.shape
        assert 10 * np.log10(255**2 / np.square(whole - damaged).mean()) < 20
        moves = [np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)) > 4 for frames in (whole, damaged)]
        assert moves[0].all() and moves[1].mean() < 0.6
    assert caught == 2


def test_bounded_size(tmp_path):
    """Long and large clips are cut and made smaller, with a note; the page is refused above its limit."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        frames = np.random.default_rng(1).integers(0, 255, (30, 300, 700, 3), np.uint8)
        Video(frames, 10).save(tmp_path / name / "0.npz")
    paths = [tmp_path / "a", tmp_path / "b"]
    settings = ClipSettings(side=256, seconds=0.5)
    made = make_study(paths, tmp_path / "s.html", catch=0, settings=settings)
    _, read = videos(made.page, tmp_path)
    assert [(len(v), v.width, v.height) for v in read] == [(5, 256, 110)] * 2
    assert made.notes[-1] == "2 clips are longer than 0.5 s; their beginning is shown (--seconds)"
    small = ClipSettings(side=256, seconds=0.5, max_mb=0.01)
    with pytest.raises(
        InputError, match=r"would have about .* MB for 2 clips, more than the 0.01 MB of --max-mb"
    ):
        make_study(paths, tmp_path / "t.html", catch=0, settings=small)
    assert not (tmp_path / "t.html").exists() and not (tmp_path / "t.json").exists()


def test_pairs_by_name(clips, tmp_path):
    """Extensions do not count; what has no partner is named; where nothing pairs nothing is written."""
    one, two = clips("a", "b", count=3)
    (one / "002.npz").rename(one / "lonely.npz")
    codec.write(codec.read(two / "000.npz"), two / "000.mp4")
    (two / "000.npz").unlink()
    made = make_study([one, two], tmp_path / "s.html")
    assert sorted({pair.clip for pair in made.study.pairs}) == ["000", "001"]
    assert made.notes[:2] == (
        "a: no other method has lonely; left out",
        "b: no other method has 002; left out",
    )
    for name in ("000.npz", "001.npz"):
        (one / name).unlink()
    with pytest.raises(InputError, match="no clip has a partner"):
        make_study([one, two], tmp_path / "t.html")
    assert not (tmp_path / "t.html").exists()


def test_single_files_are_one_pair(clips, tmp_path):
    """Two videos of any names are compared."""
    one, two = clips("a", "b", count=2)
    made = make_study([one / "000.npz", two / "001.npz"], tmp_path / "s.html", catch=0)
    assert len(made.study.pairs) == 1 and [m.name for m in made.study.methods] == ["000.npz", "001.npz"]


def test_captions(clips, tmp_path):
    """Shown where both clips have the same one; faithfulness to a text is asked there alone."""
    one, two = clips("a", "b", count=3, captions=True)
    (two / "captions.csv").write_text("file,caption\n000.npz,square number 0\n001.npz,something else\n")
    made = make_study([one, two], tmp_path / "s.html", catch=0)
    captions = {pair.clip: pair.caption for pair in made.study.pairs}
    assert captions == {"000": "square number 0", "001": None, "002": "square number 2"}
    asked = {pair.clip: [c.key for c in made.study.criteria_of(pair)] for pair in made.study.pairs}
    assert "textual-faithfulness" in asked["000"] and "textual-faithfulness" not in asked["001"]
    assert any("two different captions" in note for note in made.notes)
    for folder in (one, two):
        (folder / "captions.csv").unlink()
    made = make_study([one, two], tmp_path / "t.html", catch=0)
    assert [c.key for c in made.study.criteria] == list(CRITERIA)[:4]
    assert made.notes == ("no pair has a caption, so textual-faithfulness is not asked",)
    with pytest.raises(ConfigError, match="asks about captions alone"):
        make_study([one, two], tmp_path / "u.html", criteria=["textual-faithfulness"])


def test_criteria():
    """The five of the paper, some of them, or one's own."""
    assert [c.title for c in find_criteria(None)] == [
        "Visual quality", "Realism", "Diversity", "Coherence", "Textual faithfulness",
    ]  # fmt: skip
    found = find_criteria(["realism,coherence", "Nice hands=Which hands, left or right, are better?"])
    assert [c.key for c in found] == ["realism", "coherence", "nice-hands"]
    assert found[2].question == "Which hands, left or right, are better?"
    with pytest.raises(UnknownNameError, match="did you mean realism"):
        find_criteria(["realizm"])
    for words, said in ((["realism", "realism"], "twice"), (["="], "NAME=QUESTION"), ([","], "names none")):
        with pytest.raises(ConfigError, match=said):
            find_criteria(words)


def test_names_of_methods(tmp_path):
    """The last part of the path, and as much before it as tells methods apart."""
    assert name_methods([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]
    assert name_methods([tmp_path / "x/out", tmp_path / "y/out"]) == ["x/out", "y/out"]
    with pytest.raises(ConfigError, match="are the same"):
        name_methods([tmp_path / "a", tmp_path / "x/../a"])


def test_the_same_again(clips, tmp_path):
    """The same command writes the same two files; a key of another study, or another file, is never lost."""
    paths = clips("a", "b")
    made = make_study(paths, tmp_path / "s.html")
    before = [path.read_bytes() for path in (made.page, made.key)]
    make_study(paths, tmp_path / "s.html")
    assert [path.read_bytes() for path in (made.page, made.key)] == before
    moved = [shutil.copytree(path, tmp_path / "moved" / path.name) for path in paths]
    assert make_study(moved, tmp_path / "m.html").study.id == made.study.id
    with pytest.raises(OutputError, match="is the key of another study"):
        make_study(paths, tmp_path / "s.html", seed=1)
    assert load_study(made.key) == made.study
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(OutputError, match="another file of that name"):
        make_study(paths, tmp_path / "t.html")
    assert (tmp_path / "t.json").read_text() == "{}" and not (tmp_path / "t.html").exists()


def test_what_is_refused(clips, tmp_path):
    """One method, a page that is none, numbers out of range, two clips of one name."""
    one, two = clips("a", "b")
    with pytest.raises(ConfigError, match="compares two or more"):
        make_study([one], tmp_path / "s.html")
    with pytest.raises(FormatError, match=r"does not end in \.html"):
        make_study([one, two], tmp_path / "s.pdf")
    for wrong in ({"pairs": 0}, {"catch": -1}):
        with pytest.raises(ConfigError, match="at least"):
            make_study([one, two], tmp_path / "s.html", **wrong)
    codec.write(codec.read(one / "000.npz"), one / "000.mp4")
    with pytest.raises(InputError, match="have the same name"):
        make_study([one, two], tmp_path / "s.html")
