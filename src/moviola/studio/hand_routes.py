"""What is answered about restyling by hand."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from moviola.core.errors import FormatError
from moviola.studio.answers import answer, number, picture, text, values
from moviola.studio.errors import RequestError
from moviola.studio.frames import strip
from moviola.studio.hand import Session
from moviola.studio.make import plain_job
from moviola.studio.places import Places
from moviola.studio.queue import Queue
from moviola.studio.uploads import check_size, receive

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class HandEndpoints:
    """Answers about restyling by hand.

    Args:
        places: the folder. queue: of it. max_bytes: of an upload.
    """

    def __init__(self, places: Places, queue: Queue, max_bytes: int) -> None:
        self.places, self.queue, self.max_bytes = places, queue, max_bytes

    def _session(self, request: Request) -> Session:
        return Session(self.places, request.path_params["name"])

    def _key(self, request: Request, session: Session) -> int:
        key = int(number(request, "key"))
        if key not in session.state["keys"]:
            raise RequestError(f"frame {key} is no key frame", 404)
        return key

    async def begin(self, request: Request) -> Response:
        """Return the session of a clip, begun where there is none."""
        from starlette.concurrency import run_in_threadpool

        clip = (await values(request)).get("clip")
        if not isinstance(clip, str):
            raise RequestError("a session needs a clip")
        session = await run_in_threadpool(Session.begin, self.places, clip)
        return answer(session.describe(), 201)

    def one(self, request: Request) -> Response:
        """Return a session."""
        return answer(self._session(request).describe())

    async def keys(self, request: Request) -> Response:
        """Say which frames are keys."""
        given, session = await values(request), self._session(request)
        session.set_keys(given.get("keys"), given.get("change"))
        return answer(session.describe())

    async def order(self, request: Request) -> Response:
        """Put the next step into the queue."""
        given = await values(request)
        job = self._session(request).order(self.queue, request.path_params["step"], given)
        return answer(plain_job(self.queue.job(job)), 201)

    def picture(self, request: Request) -> Response:
        """Return a key frame as it is, or its paint; or the first frame's look."""
        session, kind = self._session(request), text(request, "kind")
        if kind == "source":
            key = int(number(request, "key"))
            data, media, _ = strip(session.clip, key, 1, int(number(request, "side", 4096)), True)
            return picture(data, media)
        path = session.folder / "look.png" if kind == "look" else session.painted(self._key(request, session))
        if path is None or not path.is_file():
            raise RequestError("there is no paint yet", 404)
        return picture(path.read_bytes(), "image/png")

    async def upload(self, request: Request) -> Response:
        """Take a person's paint of a key."""
        from starlette.concurrency import run_in_threadpool

        session = self._session(request)
        key, suffix = self._key(request, session), PurePosixPath(text(request, "name")).suffix.lower()
        if suffix not in _PICTURES:
            raise FormatError(
                f"the paint of a key is a picture, {', '.join(_PICTURES)}, not {suffix or 'nameless'}"
            )
        check_size(request.headers.get("content-length"), self.max_bytes, session.folder)
        beside = session.folder / f"upload-{key}{suffix}"
        size = (session.state["height"], session.state["width"])
        try:
            await receive(request.stream(), beside, self.max_bytes, size)
            await run_in_threadpool(_take, beside, session, key)
        finally:
            beside.unlink(missing_ok=True)
        return answer(session.describe())

    def drop(self, request: Request) -> Response:
        """Go back from a person's paint of a key to the painter's."""
        session = self._session(request)
        session.key_path("hand", self._key(request, session)).unlink(missing_ok=True)
        return answer(session.describe())

    def routes(self) -> list[BaseRoute]:
        """Return which of them answers what."""
        from starlette.routing import Route

        session = "/api/hand/{name:str}"
        return [
            Route("/api/hand", self.begin, methods=["POST"]),
            Route(session, self.one),
            Route(f"{session}/keys", self.keys, methods=["POST"]),
            Route(f"{session}/picture", self.picture),
            Route(f"{session}/picture", self.upload, methods=["PUT"]),
            Route(f"{session}/picture", self.drop, methods=["DELETE"]),
            Route(f"{session}/{{step:str}}", self.order, methods=["POST"]),
        ]


def _take(path: Path, session: Session, key: int) -> None:
    """Keep an uploaded picture as the paint of a key."""
    from moviola.data import codec
    from moviola.data.pictures import write_png

    write_png(session.key_path("hand", key), codec.read_picture(path))
