"""Stopping by itself, and traces: figures against other ways to get them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import InputError, OutputError
from moviola.data import codec
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import flicker
from moviola.metrics.temporal import Motion
from moviola.pipelines.refine import make_plan, refine, refine_file
from moviola.pipelines.refine.auto import HeldOut, MemoryShelf, make_stages, mean_change
from moviola.pipelines.refine.trace import check_trace, contact_sheet


def darker(amounts):
    """A refiner's function that takes away so many levels, call by call."""
    left = list(amounts)
    return lambda x: x - left.pop(0) / 127.5


@pytest.fixture
def grey(noise_video):
    """8 frames whose values leave room below."""
    video = noise_video(8)
    return type(video)(np.clip(video.frames, 60, 255), video.fps)


def test_auto_stops_when_little_changes(formula, grey):
    """10, then 3, then 0 levels: the third pass is the last one."""
    refiner = formula(darker([10, 3, 0, 50]))
    stages, why = make_stages(
        make_plan(refiner, iterations="auto", threshold=1.0), MemoryShelf(grey.frames), keep=True
    )
    assert len(stages) == 4 and why == "stopped by itself: pass 3 changed 0 of 255 on average, less than 1"
    assert np.array_equal(np.concatenate(list(stages[-1].frames())), grey.frames - 13)


def test_auto_has_a_limit(formula, grey):
    """Said."""
    plan = make_plan(formula(darker([5] * 9)), iterations="auto", limit=3)
    stages, why = make_stages(plan, MemoryShelf(grey.frames), keep=False)
    assert len(stages) == 4 and why.startswith("stopped at the limit of 3 passes")


def test_auto_in_memory(formula, grey):
    """`moviola.refine(..., iterations="auto")`."""
    out = refine(grey, formula(darker([10, 0.2])), "auto")
    assert np.array_equal(out.frames, grey.frames - 10)


def test_mean_change():
    """The mean of all differences, however they are cut; other lengths are refused."""
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (20, 4, 5, 3), np.uint8) for _ in range(2))
    cut = [[x[:16], x[16:]] for x in (a, b)]
    assert mean_change(*cut) == pytest.approx(np.abs(a.astype(float) - b).mean())
    with pytest.raises(InputError, match="length"):
        mean_change([a], cut[1])


@pytest.mark.parametrize(
    ("better", "values", "reference", "best"),
    [
        ("lower", [5, 3, 4], None, 1),
        ("higher", [5, 3, 4], None, 0),
        ("neither", [5, 3, 4], 3.9, 2),
        ("lower", [5, 3, 4], 3.9, 2),
    ],
)
def test_held_out_directions(better, values, reference, best, tmp_path, monkeypatch, noise_video):
    """Less is better, more is better, or as the real clips have it."""
    noise_video(8).save(tmp_path / "real.mkv", lossless=True)
    found = iter(values)

    def evaluate(real, fake, metrics, protocol, **how):
        assert metrics == ["flicker"] and protocol.frames == 8
        score = SimpleNamespace(metric="flicker", value=next(found), better=better, reference=reference)
        return {"flicker": score}

    monkeypatch.setattr("moviola.pipelines.evaluate.evaluate", evaluate)
    judge = HeldOut(tmp_path, "flicker", 8)
    improved = [judge.judge("fake") for _ in values]
    assert judge.best == best and judge.values == values
    assert improved == [True, better != "higher", reference is not None]
    assert "5, 3, 4; best after" in judge.note


def test_trace(formula, noise_video, tmp_path):
    """The files, and figures as the metrics have them; the output is the one without a trace."""
    video = noise_video(20, 24, 16)
    video.save(tmp_path / "in.npz")
    done = refine_file(
        tmp_path / "in.npz",
        tmp_path / "out.npz",
        make_plan(formula(), iterations=2),
        trace=tmp_path / "trace",
    )
    first = refine(video, formula(), 1)
    second = refine(first, formula(), 1)
    assert np.array_equal(codec.read(tmp_path / "out.npz").frames, second.frames)
    written = json.loads((tmp_path / "trace/trace.json").read_text())["passes"]
    assert written == done.passes and [row["pass"] for row in written] == [0, 1, 2]
    for row, shown, before in zip(written, (video, first, second), (video, video, first), strict=True):
        assert row["sharpness"] == pytest.approx(gradient_energy(shown.frames))
        assert row["flicker"] == pytest.approx(flicker(shown.frames))
        motion = Motion()
        motion.update(shown)
        assert row["motion"] == pytest.approx(motion.compute(), rel=1e-4)
        for key, other in (("change", before), ("change_from_input", video)):
            expected = np.abs(shown.frames.astype(float) - other.frames).mean()
            assert row[key] == pytest.approx(expected)
    shown = codec.probe(tmp_path / "trace/trace.mp4")
    assert (shown.frames, shown.height, shown.width) == (20, 24, 3 * 16 + 2 * 2)
    with Image.open(tmp_path / "trace/trace.png") as sheet:
        assert sheet.size == (8 * 16 + 7 * 2, 3 * 24 + 2 * 2)


def test_contact_sheet_rows():
    """A stage a row, the first and the last frame at its ends."""
    frames = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(3, -1).repeat(4, 1).repeat(4, 2)
    sheet = contact_sheet([MemoryShelf(frames).first, MemoryShelf(frames + 100).first], 20)
    assert (
        sheet[0, 0, 0] == 0 and sheet[0, -1, 0] == 19 and sheet[-1, 0, 0] == 100 and sheet[-1, -1, 0] == 119
    )


def test_trace_of_a_single_pixel_frame(formula, noise_video, tmp_path):
    """Figures that cannot be had are null."""
    noise_video(1, 16, 1).save(tmp_path / "in.npz")
    plan = make_plan(formula(), iterations=1)
    done = refine_file(tmp_path / "in.npz", tmp_path / "out.npz", plan, trace=tmp_path / "t")
    assert [done.passes[1][key] for key in ("sharpness", "flicker", "motion")] == [None] * 3


def test_trace_folder_of_something_else(tmp_path):
    """Is left alone; an earlier trace may be replaced."""
    (tmp_path / "t/clip").mkdir(parents=True)
    (tmp_path / "t/clip/trace.json").write_text("{}")
    assert check_trace(tmp_path / "t") == tmp_path / "t"
    (tmp_path / "t/thesis.tex").write_text("")
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        check_trace(tmp_path / "t")
    with pytest.raises(OutputError, match="make it first"):
        check_trace(tmp_path / "no/t")
