"""The second page: forms, and the queue of what is to be made."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from moviola.core.errors import UnknownNameError
from moviola.studio.answers import answer, text, values
from moviola.studio.errors import RequestError
from moviola.studio.forms import Form
from moviola.studio.places import Places
from moviola.studio.queue import RUNNING, Queue
from moviola.studio.worker import Worker

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from moviola.core.provenance import Provenance


def plain_record(record: Provenance, path: Path, places: Places) -> dict[str, Any]:
    """Return a record as the page shows it; of its inputs, `sources` are those that the folder holds, by name."""
    sources = []
    for one in record.inputs:
        place = (path.parent / one.name).resolve()
        if place.is_file() and place.is_relative_to(places.folder):
            sources.append(places.name(place))
    settings = {
        key: one for key, one in record.settings.items() if key == "seed" or one not in ("", 0, False)
    }
    return {
        "verb": record.verb,
        "version": record.version,
        "settings": {key: str(value) for key, value in settings.items()},
        "inputs": [one.name for one in record.inputs],
        "sources": sources,
    }


class Orders:
    """Turns what a form says into a job.

    Args:
        places: the folder. queue: of it. make_forms: returns the forms of the verbs; called when the first is needed.
    """

    def __init__(self, places: Places, queue: Queue, make_forms: Callable[[], Sequence[Form]]) -> None:
        self.places, self.queue, self._make_forms = places, queue, make_forms

    @cached_property
    def forms(self) -> dict[str, Form]:
        """The forms, by verb."""
        return {form.verb: form for form in self._make_forms()}

    def form(self, verb: str) -> Form:
        """Return the form of a verb.

        Raises:
            UnknownNameError: there is none.
        """
        if verb not in self.forms:
            raise UnknownNameError.of("verb", verb, self.forms)
        return self.forms[verb]

    def order(self, verb: str, given: dict[str, Any], output: str = "") -> int:
        """Put a job into the queue; return its id.

        Args:
            verb: of a form. given: by the names of its fields.
            output: a new name in the folder; "" for one that is free.

        Raises:
            InputError: and what is below it: no such verb, wrong values, a name that is taken or outside.
        """
        form = self.form(verb)
        output = self._output(form, given, output)
        words = form.words(given, output)
        return self.queue.add(verb, words, given, output)

    def _output(self, form: Form, given: dict[str, Any], name: str) -> str:
        suffix = self._suffix(form, given)
        stem = form.verb.replace(" ", "-")
        if not name:
            taken = self.queue.outputs()
            number = 1
            while (
                f"{stem}-{number}{suffix}" in taken or self.places.path(f"{stem}-{number}{suffix}").exists()
            ):
                number += 1
            return f"{stem}-{number}{suffix}"
        path = self.places.path(name)
        if path.exists() or name in self.queue.outputs():
            raise RequestError(f"{name} is there already; name another output", 409)
        if not path.parent.is_dir():
            raise RequestError(f"there is no folder {PurePosixPath(name).parent} for {path.name}")
        return name

    def _suffix(self, form: Form, given: dict[str, Any]) -> str:
        """Return the suffix of an output: that of the form, none where a folder of clips comes in."""
        source = given.get("input")
        if form.suffix == ".mp4" and isinstance(source, str) and source.strip():
            path = self.places.path(source.strip())
            if path.is_dir() and form.verb == "refine":
                return ""
        return form.suffix


def plain_job(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as the page shows it: with its command line, and the seconds it has to go."""
    left = None
    if job["state"] == RUNNING and job["done"] and job["total"] and job["stage_started"]:
        passed = time.time() - job["stage_started"]
        left = passed * (job["total"] - job["done"]) / job["done"]
    command = f"moviola {job['verb']} {shlex.join(job['words'])}"
    hidden = ("words", "process", "place")
    return {
        **{k: v for k, v in job.items() if k not in hidden},
        "command": command,
        "left": left,
        "now": time.time(),
    }


class MakeEndpoints:
    """Answers about forms and jobs.

    Args:
        orders: makes jobs. worker: runs them.
    """

    def __init__(self, orders: Orders, worker: Worker) -> None:
        self.orders, self.worker, self.queue = orders, worker, orders.queue

    def forms(self, request: Request) -> Response:
        """Return all forms."""
        return answer([form.plain() for form in self.orders.forms.values()])

    def more(self, request: Request) -> Response:
        """Return the further fields of a form."""
        return answer([asdict(field) for field in self.orders.form(text(request, "verb")).more()])

    def jobs(self, request: Request) -> Response:
        """Return all jobs."""
        return answer([plain_job(job) for job in self.queue.jobs()])

    async def order(self, request: Request) -> Response:
        """Make a job of a form that was filled in."""
        from starlette.concurrency import run_in_threadpool

        given = await values(request)
        verb, form, output = (given.get(name) for name in ("verb", "values", "output"))
        if not (isinstance(verb, str) and isinstance(form, dict) and isinstance(output, str | None)):
            raise RequestError("a job needs a verb and values")
        job = await run_in_threadpool(self.orders.order, verb, form, output or "")
        return answer(plain_job(self.queue.job(job)), 201)

    def one(self, request: Request) -> Response:
        """Return a job."""
        return answer(plain_job(self.queue.job(request.path_params["job"])))

    def log(self, request: Request) -> Response:
        """Return what a job has printed."""
        from starlette.responses import PlainTextResponse

        return PlainTextResponse(self.worker.log(request.path_params["job"]))

    def cancel(self, request: Request) -> Response:
        """End a job."""
        self.worker.cancel(request.path_params["job"])
        return self.one(request)

    def again(self, request: Request) -> Response:
        """Make a job like a given one, into another output."""
        job = self.queue.job(request.path_params["job"])
        return answer(plain_job(self.queue.job(self.orders.order(job["verb"], job["given"]))), 201)

    async def move(self, request: Request) -> Response:
        """Let a job change places with its neighbour."""
        by = (await values(request)).get("by")
        if by not in (-1, 1):
            raise RequestError("by is -1 or 1")
        self.queue.move(request.path_params["job"], by)
        return self.one(request)

    def forget(self, request: Request) -> Response:
        """Take a finished job off the list."""
        self.queue.remove(request.path_params["job"])
        return answer({})

    def made(self, request: Request) -> Response:
        """Return the job that made a clip."""
        job = self.queue.of_output(text(request, "name"))
        return answer(None if job is None else plain_job(job))

    def record(self, request: Request) -> Response:
        """Return what a file says of how it was made, or null."""
        from moviola.pipelines.descent import read_provenance

        path = self.orders.places.existing(text(request, "name"))
        record = read_provenance(path)
        return answer(None if record is None else plain_record(record, path, self.orders.places))

    def routes(self) -> list[BaseRoute]:
        """Return which of them answers what."""
        from starlette.routing import Route

        job = "/api/jobs/{job:int}"
        return [
            Route("/api/forms", self.forms),
            Route("/api/more", self.more),
            Route("/api/jobs", self.jobs),
            Route("/api/jobs", self.order, methods=["POST"]),
            Route(job, self.one),
            Route(job, self.forget, methods=["DELETE"]),
            Route(f"{job}/log", self.log),
            Route(f"{job}/cancel", self.cancel, methods=["POST"]),
            Route(f"{job}/again", self.again, methods=["POST"]),
            Route(f"{job}/move", self.move, methods=["POST"]),
            Route("/api/made", self.made),
            Route("/api/record", self.record),
        ]
