"""The queue: jobs in a SQLite file, so that they are there after a restart."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from moviola.studio.errors import RequestError

FILE = "queue.sqlite"
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
_COLUMNS = {
    "id": "INTEGER PRIMARY KEY AUTOINCREMENT", "place": "REAL", "verb": "TEXT", "words": "TEXT", "given": "TEXT",
    "output": "TEXT", "state": "TEXT", "made": "REAL", "started": "REAL", "ended": "REAL", "stage": "TEXT",
    "stage_started": "REAL", "done": "INTEGER", "total": "INTEGER", "error": "TEXT", "result": "TEXT",
    "process": "INTEGER",
}  # fmt: skip
_JSON = ("words", "given", "result")
_KEPT = 500  # finished jobs that are remembered


class Queue:
    """Jobs, each with the words of its command line.

    A job is a dict: id; place (smaller runs earlier); verb; words; given, the values of its form; output, a name in the
    folder; state, one of "waiting", "running", "done", "failed", "cancelled"; made, started, ended, stage_started
    (seconds); stage, done, total: how far it is; error, a line; result, what the verb printed; process, its number.

    Args:
        folder: where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._file = sqlite3.connect(folder / FILE, check_same_thread=False, isolation_level=None)
        self._file.row_factory = sqlite3.Row
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        self._do(f"CREATE TABLE IF NOT EXISTS jobs ({columns})")
        self.changed = threading.Condition(self._lock)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def add(self, verb: str, words: Sequence[str], given: Mapping[str, Any], output: str) -> int:
        """Put a job at the end; return its id."""
        with self.changed:
            last = self._rows("SELECT max(place) AS place FROM jobs")[0]["place"] or 0
            values = (
                last + 1,
                verb,
                json.dumps(list(words)),
                json.dumps(dict(given)),
                output,
                WAITING,
                time.time(),
            )
            names = "place, verb, words, given, output, state, made"
            with closing(
                self._do(f"INSERT INTO jobs ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
            ) as cursor:
                job = int(cursor.lastrowid or 0)
            finished = "SELECT id FROM jobs WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT -1 OFFSET ?"
            self._do(f"DELETE FROM jobs WHERE id IN ({finished})", _KEPT)
            self.changed.notify_all()
        return job

    def job(self, job: int) -> dict[str, Any]:
        """Return a job.

        Raises:
            RequestError: there is none of that id.
        """
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", job)
        if not rows:
            raise RequestError(f"there is no job {job}", 404)
        return rows[0]

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs: what runs, what waits in its order, what is finished, the newest first."""
        rows = self._rows("SELECT * FROM jobs")
        order = {RUNNING: 0, WAITING: 1}
        return sorted(
            rows, key=lambda j: (order.get(j["state"], 2), j["place"] if not j["ended"] else -j["ended"])
        )

    def of_output(self, name: str) -> dict[str, Any] | None:
        """Return the newest job that made a file, or the folder that holds it; None where none did."""
        rows = self._rows("SELECT * FROM jobs WHERE state = ? ORDER BY ended DESC", DONE)
        return next((j for j in rows if name == j["output"] or name.startswith(f"{j['output']}/")), None)

    def outputs(self) -> set[str]:
        """Return the names that jobs are to write."""
        rows = self._rows("SELECT output FROM jobs WHERE state IN (?, ?)", WAITING, RUNNING)
        return {row["output"] for row in rows}

    def update(self, job: int, **values: Any) -> None:
        """Change what is known of a job."""
        with self.changed:
            pairs = {name: json.dumps(v) if name in _JSON else v for name, v in values.items()}
            self._do(
                f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in pairs)} WHERE id = ?",
                *pairs.values(),
                job,
            )
            self.changed.notify_all()

    def take(self) -> dict[str, Any] | None:
        """Return the next job that waits, which runs from now on; None where none waits."""
        with self.changed:
            rows = self._rows("SELECT * FROM jobs WHERE state = ? ORDER BY place LIMIT 1", WAITING)
            if not rows:
                return None
            self.update(
                rows[0]["id"],
                state=RUNNING,
                started=time.time(),
                stage=None,
                done=None,
                total=None,
                error=None,
            )
            return self.job(rows[0]["id"])

    def wait_again(self, job: int) -> None:
        """Let a job that ran wait again, before the others."""
        with self.changed:
            first = self._rows("SELECT min(place) AS place FROM jobs WHERE state = ?", WAITING)[0]["place"]
            place = self.job(job)["place"] if first is None else min(first - 1, self.job(job)["place"])
            self.update(
                job, state=WAITING, place=place, started=None, stage=None, done=None, total=None, process=None
            )

    def move(self, job: int, by: int) -> None:
        """Let a job that waits change places with one `by` places behind (below 0: before) it."""
        with self.changed:
            waiting = self._rows("SELECT * FROM jobs WHERE state = ? ORDER BY place", WAITING)
            at = next((i for i, one in enumerate(waiting) if one["id"] == job), None)
            if at is None:
                raise RequestError(f"job {job} does not wait any more", 409)
            other = waiting[min(len(waiting) - 1, max(0, at + by))]
            self.update(job, place=other["place"])
            self.update(other["id"], place=waiting[at]["place"])

    def remove(self, job: int) -> None:
        """Forget a job that is finished; its output stays.

        Raises:
            RequestError: there is none of that id, or it is not finished.
        """
        with self.changed:
            if self.job(job)["ended"] is None:
                raise RequestError(f"job {job} is not finished; cancel it first", 409)
            self._do("DELETE FROM jobs WHERE id = ?", job)

    def _do(self, statement: str, *values: Any) -> sqlite3.Cursor:
        with self._lock:
            return self._file.execute(statement, values)

    def _rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self._lock, closing(self._do(statement, *values)) as cursor:
            return [_plain(row) for row in cursor.fetchall()]


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    return {name: json.loads(row[name]) if name in _JSON and row[name] else row[name] for name in row.keys()}  # noqa: SIM118
