"""`moviola study`: a page and its key are made, answers are read, and every kind of bad input is one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from moviola.cli.main import run
from moviola.core.video import Video
from moviola.pipelines.study.records import Answer, Answers, load_study


@pytest.fixture
def folders(tmp_path):
    """Two methods of three clips each, and the folder that holds them."""
    for number, name in enumerate(("ours", "theirs")):
        (tmp_path / name).mkdir()
        for clip in range(3):
            frames = np.full((4, 32, 32, 3), 60 + 90 * number + 5 * clip, np.uint8)
            Video(frames, 8).save(tmp_path / name / f"{clip}.npz")
    return tmp_path


def answered(key, rater: str, likes: int) -> Answers:
    """Answers of someone who likes one method and sees the damage."""
    study = load_study(key)
    answers = [
        Answer(
            pair=number, criterion=c.key,
            choice="right" if (pair.damaged == "left" or (pair.damaged is None and pair.right == likes)) else "left",
        )
        for number, pair in enumerate(study.pairs)
        for c in study.criteria_of(pair)
    ]  # fmt: skip
    return Answers(study=study.id, rater=rater, session=rater, answers=tuple(answers))


def words(folders, *more: str) -> list[str]:
    """`study make` of both methods."""
    return [
        "study",
        "make",
        str(folders / "ours"),
        str(folders / "theirs"),
        "-o",
        str(folders / "s.html"),
        *more,
    ]


def test_make_and_read(folders, capsys):
    """What is made is printed as JSON; answers are read with the key, for people and as JSON, and a page is written."""
    assert (
        run(words(folders, "--json", "--criteria", "realism,coherence", "light=Which one is brighter?")) == 0
    )
    made = json.loads(capsys.readouterr().out)
    assert made["methods"] == ["ours", "theirs"] and made["criteria"] == ["realism", "coherence", "light"]
    assert (made["pairs"], made["catch"], made["clips"]) == (3, 2, 8)
    assert made["bytes"] == (folders / "s.html").stat().st_size and made["notes"] == []
    (folders / "answers").mkdir()
    for name in ("Anna", "Ben"):
        (folders / "answers" / f"{name}.json").write_text(answered(made["key"], name, likes=1).to_json())
    read = ["study", "read", made["key"], str(folders / "answers"), "--report", str(folders / "r.html")]
    assert run(read) == 0
    out = capsys.readouterr().out
    assert "3 pairs of 2 methods, 2 of 2 raters counted" in out and "Coherence" in out and "theirs" in out
    assert run([*read, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    best = found["criteria"]["light"]["standings"][0]
    assert (best["method"], best["rate"], best["comparisons"]) == ("theirs", 1.0, 6)
    assert found["report"] == str(folders / "r.html") and "theirs" in (folders / "r.html").read_text()
    assert run([*read, "--quiet"]) == 0 and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--catch", "-1"], "--catch at least 0"),
        (["--pairs", "0"], "--pairs is at least 1"),
        (["--criteria", "beauty"], "unknown criterion 'beauty'"),
        (["--side", "10"], "side"),
        (["--format", "gif"], "format"),
        (["--max-mb", "0.001"], "--max-mb"),
    ],
)
def test_make_refuses(folders, capsys, more, said):
    """One line, exit 2, and nothing is written."""
    assert run(words(folders, *more)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("moviola: error: ") and said in err and err.count("\n") == 1
    assert sorted(path.name for path in folders.iterdir()) == ["ours", "theirs"]


def test_nothing_pairs(folders, capsys):
    """Clips of other names have no partner."""
    for clip in range(3):
        (folders / "ours" / f"{clip}.npz").rename(folders / "ours" / f"x{clip}.npz")
    assert run(words(folders)) == 2
    err = capsys.readouterr().err
    assert "no clip has a partner" in err and err.count("\n") == 1


def test_read_refuses(folders, capsys):
    """A damaged answer file is named in one line; no page is written."""
    assert run(words(folders, "--quiet")) == 0
    (folders / "bad.json").write_text('{"format": "moviola-study-answers"')
    report = folders / "r.html"
    assert (
        run(["study", "read", str(folders / "s.json"), str(folders / "bad.json"), "--report", str(report)])
        == 2
    )
    out, err = capsys.readouterr()
    assert out == "" and "bad.json" in err and err.count("\n") == 1 and not report.exists()
    assert (
        run(["study", "read", str(folders / "s.json"), str(folders / "bad.json"), "--report", "r.pdf"]) == 2
    )
    assert "does not end in .html" in capsys.readouterr().err
