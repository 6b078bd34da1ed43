"""The web app: what is answered to which request."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.locks import FolderLock
from moviola.core.optional import require
from moviola.studio.forms import Form
from moviola.studio.guard import LOOPBACK, Guard
from moviola.studio.places import Places

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@dataclass(frozen=True)
class StudioSettings:
    """How a studio is run.

    Attributes:
        token: that a browser must show; None for none.
        hosts: names that the server is called by; empty for any.
        max_bytes: of one upload.
        program: words that start moviola, for a job.
    """

    token: str | None = None
    hosts: tuple[str, ...] = LOOPBACK
    max_bytes: int = 512 * 10**6
    program: tuple[str, ...] = (sys.executable, "-m", "moviola")


def make_app(
    folder: str | Path,
    make_forms: Callable[[], Sequence[Form]] = tuple,
    settings: StudioSettings | None = None,
) -> ASGIApp:
    """Return the studio over a folder as an ASGI app; its queue is worked on between its start and its shutdown.

    Args:
        folder: of results.
        make_forms: returns the forms of the verbs that can be run; called when the first is needed.
        settings: None for those of a studio that only this machine reaches.

    Raises:
        InputError: no folder, one that cannot be written to, or a library is missing.
        OutputError: another studio runs over the folder.
    """
    require("starlette", "studio")
    from starlette.applications import Starlette

    from moviola.studio.answers import error_handlers
    from moviola.studio.drawing import Drawer
    from moviola.studio.edit_routes import edit_routes
    from moviola.studio.hand_routes import HandEndpoints
    from moviola.studio.look import look_routes
    from moviola.studio.make import MakeEndpoints, Orders
    from moviola.studio.queue import Queue
    from moviola.studio.worker import Worker

    settings = settings or StudioSettings()
    places = Places(folder)
    lock = FolderLock(places.state, "a studio")
    queue = Queue(places.state)
    orders, worker, drawer = (
        Orders(places, queue, make_forms),
        Worker(places, queue, settings.program),
        Drawer(),
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()
        drawer.close()
        queue.close()
        lock.release()

    routes = [
        *look_routes(places, settings.max_bytes),
        *MakeEndpoints(orders, worker).routes(),
        *HandEndpoints(places, queue, settings.max_bytes).routes(),
        *edit_routes(places, drawer),
    ]
    app = Starlette(routes=routes, exception_handlers=error_handlers(), lifespan=lifespan)
    return Guard(app, settings.token, settings.hosts)
