"""`moviola evaluate`: what it asks the pipeline for, what it prints, and every kind of bad input."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from moviola.cli import tables
from moviola.cli.evaluate import DEFAULT_METRICS, metric_keys
from moviola.cli.main import run
from moviola.core.errors import WeightsError
from moviola.core.video import Video
from moviola.metrics.catalog import METRICS
from moviola.metrics.protocol import PRESETS
from moviola.metrics.results import Report, Score
from moviola.pipelines.evaluate.report.text import figure

SHA = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """REAL: five clips that move; FAKE: five that move otherwise. 12 frames of 32x32."""
    root = tmp_path_factory.mktemp("sets")
    for name, speed in (("real", 1), ("fake", 2)):
        (root / name).mkdir()
        for i in range(5):
            texture = (
                np.random.default_rng(i).integers(0, 255, (9, 9, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            )
            frames = np.stack([np.roll(texture, speed * t, axis=1)[:32, :32] for t in range(12)])
            Video(frames, 8).save(root / name / f"{i}.npz")
    return root / "real", root / "fake"


@pytest.fixture
def made() -> Report:
    """What the pipeline is taken to find."""
    clip = {f"{i}.npz": float(i) for i in range(5)}
    fvd = Score(
        "fvd", 300.0, 250.0, 350.0, 5, 5, "lower", 100.0, "scaled from N=2", None, 200.0, "", "i3d", SHA,
        warnings=("few clips",), per_clip=clip,
    )  # fmt: skip
    motion = Score("motion", 2.0, 1.5, 2.5, 5, 5, "neither", reference=3.0, unit="px/frame")
    real = {"path": "some/real", "layout": "videos", "fingerprint": SHA, "videos": 5, "clips": 5}
    return Report(
        {"fvd": fvd, "motion": motion},
        {"name": "quick", "frames": 8, "real": real, "decoder": "PyAV 17"},
        warnings=("samples repeat",),
        classes={"run": {"fvd": 400.0}, "walk": {"fvd": 200.0}},
        sanity={"noise": {"fvd": 500.0, "motion": 3.0}, "frozen": {"fvd": 90.0, "motion": 0.0}},
        skipped=(("fake", "bad.mp4", "cannot be decoded"),),
        seconds=4.2,
    )


@pytest.fixture
def pipeline(monkeypatch, made):
    """Put a stand-in in place of the pipeline; return the calls it got."""
    calls = []

    def evaluate(*args, **kwargs):
        calls.append((args, kwargs))
        return made

    monkeypatch.setattr("moviola.pipelines.evaluate.evaluate", evaluate, raising=False)
    return calls


@pytest.fixture
def say(sets, capsys):
    """Run `moviola evaluate REAL FAKE ...`; return (exit code, stdout, stderr)."""

    def call(*words: object, real: object = sets[0], fake: object = sets[1]):
        code = run(["evaluate", str(real), str(fake), "--device", "cpu", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_text(say, pipeline):
    """Aligned columns with every figure; then classes, damages, protocol, what was skipped, warnings."""
    code, out, err = say()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    head = lines[0]
    assert head.split()[:2] == ["metric", "value"]
    for title, cell in (("floor", "100.0 (scaled from N=2)"), ("infinity", "200.0"), ("N", "5 + 5"),
                        ("network", f"i3d {SHA[:12]}"), ("95 % interval", "250.0 to 350.0")):  # fmt: skip
        assert lines[1][head.index(title) :].startswith(cell)
    assert lines[2][head.index("real") :].startswith("3.000") and "2.000 px/frame" in lines[2]
    for said in (
        "400.0 worst", "200.0 best", "90.00 unseen", "protocol  quick: 16 frames", "fingerprint 0123456789ab",
        "real      some/real", "decoder   PyAV 17", "skipped   bad.mp4 (fake): cannot be decoded",
        "warning   samples repeat", "warning   fvd: few clips", "took      4.2 s",
    ):  # fmt: skip
        assert said in out, said
    assert not any(line != line.rstrip() for line in lines)


def test_arguments_reach_the_pipeline(say, pipeline, sets, tmp_path):
    """Keys once each and in order, the protocol as it was changed, options, and how to go about it."""
    assert say(
        "-m", "motion, fvd", "--metrics", "motion", "--protocol", "cdfvd-16f", "--set", "frames=8",
        "--set", "policy=center", "--seed", 3, "--skip-bad", "--sanity", "--no-cache", "--pair", "order", "--draws", 7,
        "--clip", "some/clip", "--lpips-backbone", "alex.pth", "--flow", "dis", "--candidate", "a dog",
    )[0] == 0  # fmt: skip
    (real, fake, metrics, protocol), how = pipeline[0]
    assert (real.path, fake.path, len(fake), metrics) == (*sets, 5, ("motion", "fvd"))
    expected = PRESETS["cdfvd-16f"].model_dump() | {
        "frames": 8,
        "policy": "center",
        "name": "cdfvd-16f (changed)",
    }
    assert protocol.model_dump() == expected
    options = how.pop("options")
    assert (options.clip, str(options.lpips_backbone), options.flow) == ("some/clip", "alex.pth", "dis")
    assert options.candidates == ("a dog",)
    how.pop("tick"), how.pop("expect")
    assert how == {
        "device": "cpu", "sanity": True, "skip_bad": True, "pair": "order", "draws": 7, "cache": False, "seed": 3,
    }  # fmt: skip


def test_default_metrics_exist():
    """The fixed default, and every way to name metrics."""
    assert metric_keys(None) == tuple(DEFAULT_METRICS.split(","))
    assert metric_keys(["fvd,kvd", "kvd", " motion ,"]) == ("fvd", "kvd", "motion")


def test_json(say, pipeline, made):
    """One object with the promised shape; figures of single clips stay in the report's folder."""
    code, out, err = say("--json")
    said = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert {"scores", "protocol", "warnings", "classes", "sanity", "skipped", "seconds", "report"} == set(
        said
    )
    fvd = {k: said["scores"]["fvd"][k] for k in ("value", "low", "high", "floor", "n_real", "n_fake")}
    assert fvd == {"value": 300.0, "low": 250.0, "high": 350.0, "floor": 100.0, "n_real": 5, "n_fake": 5}
    assert "per_clip" not in said["scores"]["fvd"] and said["report"] is None
    assert said["skipped"] == [["fake", "bad.mp4", "cannot be decoded"]]


def test_quiet(say, pipeline):
    """Nothing at all."""
    assert say("--quiet") == (0, "", "")


def test_report_and_baseline(say, pipeline, made, sets, tmp_path, monkeypatch):
    """A page with players; a second run against the first tells what moved."""
    code, out, _ = say("--report", tmp_path / "one", "--set", "frames=8")
    assert code == 0 and f"report    {tmp_path / 'one' / 'index.html'}" in out
    assert "<video" in (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    better = replace(made, scores={"fvd": replace(made["fvd"], value=240.0)}, classes={"run": {"fvd": 150.0}})
    monkeypatch.setattr("moviola.pipelines.evaluate.evaluate", lambda *a, **k: better)
    code, out, _ = say("--baseline", tmp_path / "one", "--report", tmp_path / "two")
    row = next(line for line in out.splitlines() if "+60.00" in line)
    assert code == 0 and row.split() == ["fvd", "300.0", "240.0", "+60.00", "+20.0", "%", "run"]
    assert "Gain and loss" in (tmp_path / "two" / "index.html").read_text(encoding="utf-8")
    said = json.loads(say("--baseline", tmp_path / "one" / "report.json", "--json")[1])
    assert said["baseline"]["scores"]["fvd"] == {"before": 300.0, "after": 240.0, "gain": 60.0}


def test_narrow_terminal(say, pipeline, monkeypatch):
    """On a terminal of 60 columns each metric is a block; no line of the table is wider than that."""
    monkeypatch.setattr(tables, "width", lambda: 60)
    _, out, _ = say()
    lines = out.splitlines()
    assert lines[:3] == ["fvd", "  value          300.0", "  95 % interval  250.0 to 350.0"]
    assert max(map(len, lines[: lines.index("")])) <= 60


def test_many_classes(say, pipeline, made, monkeypatch):
    """The first twelve, how many more there are, and still the best and the worst of all."""
    classes = {f"class{i:02d}": {"fvd": float(i)} for i in range(40)}
    monkeypatch.setattr("moviola.pipelines.evaluate.evaluate", lambda *a, **k: replace(made, classes=classes))
    out = say()[1]
    assert "class11" in out and "class12" not in out and "and 28 more" in out
    assert "fvd: best class00, worst class39" in out


def test_many_skipped(say, pipeline, made, monkeypatch):
    """Twelve are named and the others counted; JSON names all."""
    skipped = tuple(("fake", f"bad{i:02d}.mp4", "cannot be decoded") for i in range(40))
    monkeypatch.setattr("moviola.pipelines.evaluate.evaluate", lambda *a, **k: replace(made, skipped=skipped))
    out = say()[1]
    assert "bad11" in out and "bad12" not in out and "and 28 more" in out
    assert len(json.loads(say("--json")[1])["skipped"]) == 40


def test_list(capsys):
    """Every metric with what it needs, and every protocol; as JSON too."""
    assert run(["evaluate", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(any(line.startswith(f"{key} ") for line in out.splitlines()) for key in METRICS)
    assert all(f"protocol  {name}:" in out for name in PRESETS)
    assert run(["evaluate", "--list", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [m["key"] for m in said["metrics"]] == list(METRICS) and list(said["protocols"]) == list(PRESETS)


BAD = {
    "no REAL": ({"real": "no/where"}, [], "no such file or folder: no/where"),
    "no FAKE": ({"fake": "no/where"}, [], "no such file or folder: no/where"),
    "unknown metric": ({}, ["-m", "fvdd"], "unknown metric 'fvdd'; did you mean fvd"),
    "no metric": ({}, ["-m", " , "], "names no metric"),
    "unknown protocol": ({}, ["--protocol", "quik"], "did you mean quick"),
    "unknown setting": ({}, ["--set", "frame=8"], "frames"),
    "setting without value": ({}, ["--set", "frames"], "no '='"),
    "setting out of range": ({}, ["--set", "frames=0"], "not 0"),
    "unknown flow": ({}, ["--flow", "sift"], "not 'sift'"),
    "RAFT's weights alone": ({}, ["--raft", "raft.pth"], "--raft is for --flow raft, not for lk"),
    "Inception's alone": (
        {},
        ["--inception", "i.pth"],
        "--inception is for --image-network inception, not for",
    ),
    "unknown layout": ({}, ["--layout", "heap"], "heap"),
    "one draw": ({}, ["--draws", 1], "draws"),
    "report nowhere": ({}, ["--report", "no/such/dir"], "does not exist"),
    "no baseline": ({}, ["--baseline", "gone.json"], "gone.json"),
    "no captions": ({}, ["--captions", "gone.csv"], "gone.csv"),
    "negative seed": ({}, ["--seed", -1], "seed"),
    "no device": ({}, ["--device", "tpu"], "tpu"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(say, pipeline, tmp_path, monkeypatch, case):
    """Exit 2, one line on stderr, nothing on stdout; the pipeline is never asked."""
    monkeypatch.chdir(tmp_path)
    where, words, why = BAD[case]
    code, out, err = say(*words, **where)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("moviola: error: ") and why in err
    assert pipeline == [] and os.listdir(tmp_path) == []


@pytest.mark.parametrize(("words", "what"), [([], "REAL and FAKE"), (["x"], "FAKE")])
def test_both_sets_are_needed(capsys, words, what):
    """The line names what is missing and shows the form."""
    assert run(["evaluate", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"needs {what}: moviola evaluate REAL FAKE" in err


def test_missing_weights_leave_no_page(say, monkeypatch, tmp_path):
    """What the pipeline refuses is one line; no folder is made for it."""

    def refuse(*args, **kwargs):
        raise WeightsError('fvd needs the i3d weights: run "moviola models fetch i3d"')

    monkeypatch.setattr("moviola.pipelines.evaluate.evaluate", refuse, raising=False)
    code, out, err = say("--report", tmp_path / "page")
    assert (code, out) == (2, "") and "models fetch i3d" in err
    assert os.listdir(tmp_path) == []


def test_for_real(say, sets, tmp_path):
    """Without a network: FAKE scrolls at twice the speed of REAL; text, JSON and page agree."""
    words = ["-m", "motion,flicker", "--set", "frames=6", "--no-cache", "--report", tmp_path / "page"]
    code, out, err = say(*words, "--json")
    said = json.loads(out)
    motion = said["scores"]["motion"]
    assert (code, err) == (0, "")
    assert motion["value"] == pytest.approx(2 * motion["reference"], rel=0.25)
    assert (motion["n_real"], motion["n_fake"]) == (5, 5) and motion["low"] <= motion["value"] <= motion[
        "high"
    ]
    assert said["protocol"]["name"] == "quick (changed)" and said["protocol"]["real"]["clips"] == 5
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert said["report"] == str(tmp_path / "page" / "index.html")
    assert figure(motion["value"]) in page and page.count("<video") == 4 + 4
    code, _, err = say("-m", "motion", "--set", "frames=20", "--no-cache")
    assert code == 2 and err.count("\n") == 1 and "12 frames" in err and "needs 20" in err
    code, _, err = say("-m", "motion", fake=sets[0])
    assert code == 2 and err.count("\n") == 1 and "REAL and FAKE are the same" in err


def test_a_metrics_old_key(say):
    """fvmd gives fvmd-lk, under its new name and with a note: it is not the published figure of the old name."""
    words = ["--set", "frames=6", "--no-cache", "--json"]
    code, out, err = say("-m", "fvmd,fvmd-lk", *words)
    said = json.loads(out)
    assert (code, err, list(said["scores"])) == (0, "", ["fvmd-lk"])
    (note,) = [line for line in said["warnings"] if "fvmd" in line]
    assert note.startswith("fvmd is called fvmd-lk: ") and "PIPs++" in note
    code, out, _ = say("-m", "fvmd-lk", *words)
    again = json.loads(out)
    assert again["scores"] == said["scores"] and not [line for line in again["warnings"] if "fvmd" in line]
