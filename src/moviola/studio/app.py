"""The web app: what is answered to which request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.optional import require
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
    """

    token: str | None = None
    hosts: tuple[str, ...] = LOOPBACK
    max_bytes: int = 512 * 10**6


def make_app(folder: str | Path, settings: StudioSettings | None = None) -> ASGIApp:
    """Return the studio over a folder as an ASGI app.

    Args:
        folder: of results.
        settings: None for those of a studio that only this machine reaches.

    Raises:
        InputError: no folder, one that cannot be written to, or a library is missing.
    """
    require("starlette", "studio")
    from starlette.applications import Starlette

    from moviola.studio.answers import error_handlers
    from moviola.studio.look import look_routes

    settings = settings or StudioSettings()
    places = Places(folder)
    app = Starlette(routes=look_routes(places, settings.max_bytes), exception_handlers=error_handlers())
    return Guard(app, settings.token, settings.hosts)
