"""The first page: the page itself, the gallery, single clips, frames by number, uploads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from moviola import __version__
from moviola.studio.answers import answer, file, number, picture, text
from moviola.studio.clips import describe, list_clips
from moviola.studio.frames import preview, strip, time_slice
from moviola.studio.places import Places
from moviola.studio.uploads import check_size, receive, upload_name

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

PAGE = Path(__file__).parent / "page"


def look_routes(places: Places, max_bytes: int) -> list[BaseRoute]:
    """Return what is answered about the clips of a folder.

    Args:
        places: the folder. max_bytes: of an upload.
    """
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    def index(request: Request) -> Response:
        return file_of_page("index.html")

    def studio(request: Request) -> Response:
        return answer({"folder": places.folder.name or "/", "version": __version__, "max_bytes": max_bytes})

    def clips(request: Request) -> Response:
        return answer(list_clips(places))

    def clip(request: Request) -> Response:
        return answer(describe(places, text(request, "name")))

    def frames(request: Request) -> Response:
        path = places.existing(text(request, "name"))
        start, count = int(number(request, "start")), int(number(request, "count", 1))
        exact = request.query_params.get("exact") == "1"
        data, kind, have = strip(path, start, count, int(number(request, "side", 640)), exact)
        return picture(data, kind, **{"x-frames": str(have)})

    def sliced(request: Request) -> Response:
        path = places.existing(text(request, "name"))
        return picture(time_slice(path, text(request, "axis"), number(request, "at")), "image/png")

    def small(request: Request) -> Response:
        return file(preview(places, places.existing(text(request, "name"))))

    def media(request: Request) -> Response:
        path = places.existing(request.path_params["name"])
        return file(path / "index.html" if path.is_dir() else path)

    async def upload(request: Request) -> Response:
        check_size(request.headers.get("content-length"), max_bytes, places.folder)
        name = upload_name(places, text(request, "name"))
        await receive(request.stream(), places.path(name), max_bytes, None)
        return answer({"name": name}, 201)

    return [
        Route("/", index),
        Route("/api/studio", studio),
        Route("/api/clips", clips),
        Route("/api/clip", clip),
        Route("/api/frames", frames),
        Route("/api/slice", sliced),
        Route("/api/preview", small),
        Route("/api/upload", upload, methods=["PUT"]),
        Route("/media/{name:path}", media),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]


def file_of_page(name: str) -> Response:
    """Return a file of the page."""
    from starlette.responses import FileResponse

    return FileResponse(PAGE / name)
