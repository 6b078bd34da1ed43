"""What is answered about edits that are shown at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moviola.studio.answers import answer, values
from moviola.studio.drawing import Drawer
from moviola.studio.errors import RequestError
from moviola.studio.places import Places, check_words

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute


def edit_routes(places: Places, drawer: Drawer) -> list[BaseRoute]:
    """Return what is answered about edits that are shown at once.

    Args:
        places: the folder. drawer: of the frames.
    """
    from starlette.concurrency import run_in_threadpool
    from starlette.routing import Route

    async def bands(request: Request) -> Response:
        given = await values(request)
        return answer(
            await run_in_threadpool(drawer.draw, {**given, "model": _model(places, given.get("model"))})
        )

    return [Route("/api/bands", bands, methods=["POST"])]


def _model(places: Places, name: Any) -> str:
    """Return a model's name, or the path of its folder.

    Raises:
        RequestError: none, or one outside the folder.
    """
    if not isinstance(name, str) or not name:
        raise RequestError("an edit needs a model")
    check_words([name])
    path = places.path(name)
    return str(path) if path.is_dir() else name
