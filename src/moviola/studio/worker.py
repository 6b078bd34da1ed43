"""The worker: one job at a time, each a process of its own, so that neither a crash nor a cancel reaches the server."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from moviola.core.progress import LINE, LINES_SWITCH
from moviola.studio.places import Places
from moviola.studio.queue import CANCELLED, DONE, FAILED, RUNNING, WAITING, Queue

_ERROR = "moviola: error: "
_PATIENCE = 10.0  # seconds that a job has to take its half-written files away
_MOST_OUTPUT = 10**7


class Worker:
    """Runs the jobs of a queue in its folder.

    Args:
        places: the folder. queue: of it.
        program: words that start moviola.
    """

    def __init__(
        self, places: Places, queue: Queue, program: Sequence[str] = (sys.executable, "-m", "moviola")
    ) -> None:
        self.places, self.queue, self.program = places, queue, program
        self._logs = places.room("logs")
        self._process: subprocess.Popen[bytes] | None = None
        self._running: int | None = None
        self._cancelled: set[int] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="worker", daemon=True)

    def start(self) -> None:
        """Take up jobs; one that ran when the last server ended runs again."""
        for job in self.queue.jobs():
            if job["state"] == RUNNING:
                _end_left_over(job)
                self.queue.wait_again(job["id"])
        self._thread.start()

    def stop(self) -> None:
        """End the job that runs, which will run again, and take up no other."""
        with self.queue.changed:
            self._stopping = True
            self.queue.changed.notify_all()
            _tell_to_end(self._process)
        self._thread.join(_PATIENCE + 5)

    def cancel(self, job: int) -> None:
        """End a job that runs, or let one that waits never run; a finished one stays as it is."""
        with self.queue.changed:
            if self.queue.job(job)["state"] == WAITING:
                self.queue.update(job, state=CANCELLED, ended=time.time())
            elif self._running == job:
                self._cancelled.add(job)
                _tell_to_end(self._process)

    def log(self, job: int) -> str:
        """Return what a job has printed so far, without its progress; the end of it where it is long."""
        with suppress(OSError):
            return self._log_path(job).read_bytes()[-200_000:].decode("utf-8", "replace")
        return ""

    def _log_path(self, job: int) -> Path:
        return self._logs / f"{job}.txt"

    def _loop(self) -> None:
        while True:
            with self.queue.changed:
                job = None
                while not self._stopping and (job := self.queue.take()) is None:
                    self.queue.changed.wait()
                if job is None:
                    return
                self._running = job["id"]
            try:
                self._run(job)
            except Exception as error:  # a fault of ours must not end the queue
                self.queue.update(
                    job["id"], state=FAILED, ended=time.time(), error=f"{type(error).__name__}: {error}"
                )
            finally:
                self._running = self._process = None

    def _run(self, job: dict[str, Any]) -> None:
        """Run one job to its end."""
        words = [*job["verb"].split(), *job["words"]]
        paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        environment = {**os.environ, LINES_SWITCH: "lines", "PYTHONPATH": os.pathsep.join(paths)}
        printed = bytearray()
        with self._log_path(job["id"]).open("wb") as log:
            log.write(f"$ moviola {shlex.join(words)}\n".encode("utf-8", "replace"))
            with self.queue.changed:
                process = self._process = subprocess.Popen(
                    [*self.program, *words], cwd=self.places.folder, env=environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                )  # fmt: skip
                if self._stopping or job["id"] in self._cancelled:
                    _tell_to_end(process)
            self.queue.update(job["id"], process=process.pid)
            assert process.stdout is not None and process.stderr is not None
            reader = threading.Thread(target=_gather, args=(process.stdout, printed), daemon=True)
            reader.start()
            error = self._follow(job["id"], process.stderr, log)
            reader.join()
            code = process.wait()
            log.write(bytes(printed))
        self._finish(job["id"], code, error, bytes(printed))

    def _follow(self, job: int, stream: IO[bytes], log: IO[bytes]) -> str | None:
        """Take progress and the log from what a job prints on stderr; return its error line."""
        error = None
        stage: str | None = None
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if not line.startswith(LINE):
                log.write(raw)
                log.flush()
                error = line.removeprefix(_ERROR) if line.startswith(_ERROR) else error
                continue
            with suppress(ValueError, KeyError):
                state = json.loads(line.removeprefix(LINE))
                new = {"stage_started": time.time()} if state["title"] != stage else {}
                stage = state["title"]
                self.queue.update(job, stage=stage, done=state["done"], total=state["total"], **new)
        return error

    def _finish(self, job: int, code: int, error: str | None, printed: bytes) -> None:
        if job in self._cancelled and code != 0:
            self.queue.update(job, state=CANCELLED, ended=time.time())
        elif code == 0:
            self.queue.update(job, state=DONE, ended=time.time(), result=_result(printed))
        elif self._stopping:
            self.queue.wait_again(job)
        else:
            reason = error or (
                f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}"
            )
            self.queue.update(job, state=FAILED, ended=time.time(), error=reason)
        self._cancelled.discard(job)


def _result(printed: bytes) -> Any:
    try:
        return json.loads(printed)
    except ValueError:
        return None


def _gather(stream: IO[bytes], into: bytearray) -> None:
    """Read a stream to its end; what is beyond 10 MB is dropped."""
    for piece in iter(lambda: stream.read(1 << 16), b""):
        if len(into) < _MOST_OUTPUT:
            into += piece


def _tell_to_end(process: subprocess.Popen[bytes] | None) -> None:
    """Tell a job to end; if it does not, it is killed after a while."""
    if process is None or process.poll() is not None:
        return
    _signal(process.pid, signal.SIGTERM)

    def insist() -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        if process.poll() is None:
            _signal(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    threading.Thread(target=insist, daemon=True).start()


def _signal(number: int, what: int) -> None:
    """Send a signal to a job and to the processes that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(number, what) if hasattr(os, "killpg") else os.kill(number, what)


def _end_left_over(job: dict[str, Any]) -> None:
    """End a job of a server that was killed, where it can be told from other processes.

    Elsewhere it ends by itself, at its next line of progress, which nobody reads.
    """
    number = job["process"]
    line = Path("/proc", str(number), "cmdline")
    mark = f"--output={job['output']}".encode()
    until = time.monotonic() + _PATIENCE
    with suppress(OSError):
        while mark in line.read_bytes().split(b"\0"):
            _signal(number, signal.SIGTERM if time.monotonic() < until else signal.SIGKILL)
            time.sleep(0.1)
