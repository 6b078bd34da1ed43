"""The queue and its worker: order, progress, errors, cancel, restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import moviola
from moviola.studio.errors import RequestError
from moviola.studio.places import Places
from moviola.studio.queue import Queue
from moviola.studio.worker import Worker


@pytest.fixture
def places(folder) -> Places:
    """The folder."""
    return Places(folder)


@pytest.fixture
def queue(places) -> Iterator[Queue]:
    """Its queue."""
    opened = Queue(places.state)
    yield opened
    opened.close()


@pytest.fixture
def start(places, stub) -> Iterator[Callable[[Queue], Worker]]:
    """Starts workers; they are stopped in the end."""
    workers = []

    def begin(queue: Queue) -> Worker:
        workers.append(Worker(places, queue, stub))
        workers[-1].start()
        return workers[-1]

    yield begin
    for worker in workers:
        worker.stop()


def add(queue: Queue, what: str, output: str) -> int:
    """Put a job for the stub into the queue."""
    return queue.add("generate", [f"--output={output}", "--json", "--", what], {"prompt": what}, output)


def until(queue: Queue, job: int, condition: Callable[[dict], bool]) -> dict:
    """Wait for something to be true of a job."""
    with queue.changed:
        assert queue.changed.wait_for(lambda: condition(queue.job(job)), 120)
        return queue.job(job)


def ended(queue: Queue, job: int) -> dict:
    """Wait for a job's end."""
    return until(queue, job, lambda j: j["ended"] is not None)


def go(folder) -> None:
    """Let a stub that waits go on."""
    (folder / "go").write_text("now")


def test_jobs_run_in_their_order(queue, start, folder):
    """One after the other, each to its output and result."""
    jobs = [add(queue, f"text {n}", f"{n}.txt") for n in range(3)]
    start(queue)
    finished = [ended(queue, job) for job in jobs]
    assert [job["state"] for job in finished] == ["done"] * 3
    assert [job["result"] for job in finished] == [{"output": f"{n}.txt"} for n in range(3)]
    assert [(folder / f"{n}.txt").read_text() for n in range(3)] == [f"text {n}" for n in range(3)]
    assert all(a["ended"] <= b["started"] for a, b in pairwise(finished))


def test_progress_and_log(queue, start, folder):
    """Lines of progress become numbers; the others are the log."""
    job = add(queue, "wait", "x.txt")
    worker = start(queue)
    state = until(queue, job, lambda j: j["done"] == 1)
    assert (state["state"], state["stage"], state["total"]) == ("running", "waiting", 4)
    go(folder)
    assert ended(queue, job)["state"] == "done"
    log = worker.log(job)
    assert (
        log.startswith("$ moviola generate --output=x.txt")
        and "a line for the log" in log
        and "progress" not in log
    )


def test_a_failure_has_its_line_and_the_queue_goes_on(queue, start):
    """The error line of the command line; a crash says its signal; the next job runs."""
    failed, crashed, fine = (add(queue, what, f"{what}.txt") for what in ("fail", "crash", "fine"))
    start(queue)
    assert ended(queue, failed)["error"] == "there is no such thing"
    assert ended(queue, crashed)["error"] == f"it was ended by signal {int(signal.SIGKILL)}"
    assert ended(queue, fine)["state"] == "done"


def test_cancel(queue, start, folder):
    """One that runs ends and leaves nothing; one that waits never runs; the next runs."""
    running, waiting, after = (
        add(queue, what, f"{n}.txt") for n, what in enumerate(["wait", "text", "text"])
    )
    worker = start(queue)
    until(queue, running, lambda j: j["done"] == 1)
    worker.cancel(waiting)
    worker.cancel(running)
    assert ended(queue, running)["state"] == ended(queue, waiting)["state"] == "cancelled"
    assert ended(queue, after)["state"] == "done"
    assert not (folder / "0.txt").exists() and not (folder / "1.txt").exists()


def test_the_order_can_be_changed(queue):
    """One that waits changes places with its neighbour; at either end it stays."""
    a, b, c = (add(queue, "text", f"{n}.txt") for n in range(3))
    queue.move(c, -1)
    queue.move(a, -1)
    assert [job["id"] for job in queue.jobs()] == [a, c, b]
    assert queue.take()["id"] == a
    with pytest.raises(RequestError, match="does not wait"):
        queue.move(a, 1)
    with pytest.raises(RequestError, match="cancel it first"):
        queue.remove(a)


def test_a_restart_finds_the_queue(places, queue, start, folder):
    """What ran when the studio was stopped runs again, before what waited."""
    first, second = add(queue, "wait", "1.txt"), add(queue, "text", "2.txt")
    worker = start(queue)
    until(queue, first, lambda j: j["done"] == 1)
    worker.stop()
    assert [job["state"] for job in queue.jobs()] == ["waiting"] * 2
    queue.close()
    again = Queue(places.state)
    assert [job["id"] for job in again.jobs()] == [first, second]
    start(again)
    until(again, first, lambda j: j["done"] == 1)
    go(folder)
    assert ended(again, first)["state"] == ended(again, second)["state"] == "done"


def test_a_killed_studio_finds_the_queue(places, queue, start, stub, folder):
    """A process that is killed hard leaves a job that runs; the next studio ends what is left of it, and runs it."""
    job = add(queue, "wait", "1.txt")
    script = (
        "import sys; from moviola.studio.places import Places; from moviola.studio.queue import Queue; "
        "from moviola.studio.worker import Worker; places = Places(sys.argv[1]); "
        "worker = Worker(places, Queue(places.state), sys.argv[2:]); worker.start(); worker._thread.join()"
    )
    killed = subprocess.Popen([sys.executable, "-c", script, str(folder), *stub])
    while queue.job(job)["done"] != 1:  # written by another process, so nobody tells us
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    left_over = queue.job(job)["process"]
    assert queue.job(job)["state"] == "running"
    start(queue)
    new = until(queue, job, lambda j: j["done"] == 1 and j["process"] not in (None, left_over))["process"]
    assert new != left_over
    go(folder)
    assert ended(queue, job)["state"] == "done"


def test_lines_of_progress(monkeypatch, capsys):
    """What a verb prints for the worker: each stage's first and last state, as JSON, also where it is quiet."""
    from moviola.core.progress import LINE, progress

    monkeypatch.setenv("MOVIOLA_PROGRESS", "lines")
    with progress("frames", 3, quiet=True, start=1) as tick:
        tick(1)
        tick(1, "near the end")
    lines = capsys.readouterr().err.splitlines()
    states = [json.loads(line.removeprefix(LINE)) for line in lines]
    assert states[0] == {"title": "frames", "done": 1, "total": 3, "text": ""}
    assert states[-1] == {"title": "frames", "done": 3, "total": 3, "text": "near the end"}


def test_a_job_whose_studio_is_gone_ends(tmp_path):
    """Nobody reads its progress: the next line of it ends the verb, and its half-written files are gone."""
    script = (
        "import sys; sys.stdin.read(); from moviola.core.atomic import staged\n"
        "from moviola.core.progress import progress\n"
        "with staged('out.txt') as beside, progress('x', 2) as tick:\n"
        "    beside.write_text('half')\n"
        "    while True: tick()"
    )
    source = str(Path(moviola.__file__).parents[1])
    environment = {**os.environ, "MOVIOLA_PROGRESS": "lines", "PYTHONPATH": source}
    reading, writing = os.pipe()
    job = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stderr=writing, env=environment
    )
    os.close(writing)
    os.close(reading)
    assert job.stdin is not None
    job.stdin.close()
    assert job.wait(120) != 0
    assert list(tmp_path.iterdir()) == []
