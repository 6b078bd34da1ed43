"""A refined video keeps the time of every frame and the shape of its pixels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from moviola.core.errors import FormatError
from moviola.data import codec
from moviola.pipelines.refine import make_plan, refine, refine_file, refine_set

STAMPS = [Fraction(i, 10) if i < 20 else 2 + Fraction(i - 20, 40) for i in range(40)]


@pytest.fixture
def uneven(noise_video):
    """40 frames, 20 a tenth of a second apart, 20 a fortieth; oblong pixels; sound."""
    return replace(
        noise_video(40, sound=True), fps=Fraction(40, 4), times=STAMPS, pixel_aspect=Fraction(64, 45)
    )


def stated(path):
    """Stamps and pixel aspect as PyAV reads them."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stamps = sorted(packet.pts * packet.time_base for packet in file.demux(stream) if packet.size)
        return [stamp - stamps[0] for stamp in stamps], stream.sample_aspect_ratio


@pytest.mark.parametrize("how", ["chain", "trace", "auto"])
def test_a_file(formula, uneven, tmp_path, how):
    uneven.save(tmp_path / "in.mp4", preset="ultrafast")
    plan = make_plan(formula(), iterations="auto" if how == "auto" else 1, limit=1, threshold=0)
    trace = tmp_path / "trace" if how == "trace" else None
    done = refine_file(tmp_path / "in.mp4", tmp_path / "out.mp4", plan, trace=trace)
    assert stated(tmp_path / "out.mp4") == (STAMPS, Fraction(64, 45))
    assert [note for note in done.notes if "in.mp4 has a variable rate; its 40 frames" in note]
    before, after = (codec.read(tmp_path / name, audio=True) for name in ("in.mp4", "out.mp4"))
    assert after.clock == before.clock
    assert after.audio is not None and before.audio is not None
    assert len(after.audio.samples) == len(before.audio.samples)
    if trace:
        assert stated(trace / "trace.mp4") == (STAMPS, Fraction(64, 45))


def test_a_set(formula, uneven, tmp_path):
    (tmp_path / "in").mkdir()
    uneven.save(tmp_path / "in/a.mp4", preset="ultrafast")
    uneven.with_fps(10).save(tmp_path / "in/b.mp4", preset="ultrafast")
    done = refine_set(tmp_path / "in", tmp_path / "out", make_plan(formula(), iterations=1))
    assert stated(tmp_path / "out/a.mp4") == (STAMPS, Fraction(64, 45))
    assert codec.read_times(tmp_path / "out/b.mp4") is None
    assert ["variable rate" in " ".join(video.notes) for video in done.videos] == [True, False]


@pytest.mark.parametrize("iterations", [1, "auto"])
def test_in_memory(formula, uneven, iterations):
    out = refine(uneven, formula(), iterations, limit=1)
    assert (out.clock, out.pixel_aspect) == (uneven.clock, uneven.pixel_aspect)
    assert np.array_equal(out.audio.samples, uneven.audio.samples)


@pytest.mark.parametrize("iterations", [1, "auto"])
def test_a_rate_that_the_output_cannot_hold_is_refused_before_the_work(formula, uneven, tmp_path, iterations):
    uneven.with_fps(100).save(tmp_path / "in.mp4", preset="ultrafast")
    steps = []
    plan = make_plan(formula(), iterations=iterations, limit=1, threshold=0)
    with pytest.raises(FormatError, match="at most 50"):
        refine_file(tmp_path / "in.mp4", tmp_path / "out.gif", plan, tick=steps.append)
    assert steps == []
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
