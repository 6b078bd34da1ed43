"""Logs: JSON lines, trimmed on resuming, and TensorBoard beside them."""

from __future__ import annotations

import json

import pytest

from moviola.training.logs import RunLog


def lines(folder) -> list[dict]:
    """The log, parsed."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_lines_are_on_disk_at_once(tmp_path):
    """One object a line, six digits, flushed."""
    log = RunLog(tmp_path, tensorboard=False)
    log.write(5, {"loss": 1 / 3, "big": 123456789.0})
    assert lines(tmp_path) == [{"step": 5, "loss": 0.333333, "big": 123457000.0}]
    log.close()


def test_resume_drops_later_and_broken_lines(tmp_path):
    """Steps that will run again, and a line cut off by a crash."""
    log = RunLog(tmp_path, tensorboard=False)
    for step in (10, 20, 30):
        log.write(step, {"loss": step})
    log.close()
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 40, "lo')
    log = RunLog(tmp_path, resume_step=20, tensorboard=False)
    log.write(30, {"loss": 0.5})
    log.close()
    assert lines(tmp_path) == [
        {"step": 10, "loss": 10.0},
        {"step": 20, "loss": 20.0},
        {"step": 30, "loss": 0.5},
    ]


def test_a_new_run_starts_empty(tmp_path):
    """Nothing of a run that never reached a checkpoint stays."""
    for _ in range(2):
        log = RunLog(tmp_path, tensorboard=False)
        log.write(1, {"loss": 1.0})
        log.close()
    assert len(lines(tmp_path)) == 1


def test_tensorboard(tmp_path):
    """The same numbers; after resuming, the steps run again replace those from before."""
    pytest.importorskip("tensorboard", reason="tensorboard is optional")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for resume, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        log = RunLog(tmp_path, resume_step=resume)
        for step in steps:
            log.write(step, {"loss": step + resume})
        log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")
    assert [(e.step, e.value) for e in events] == [(1, 1.0), (2, 2.0), (3, 5.0), (4, 6.0)]
