"""Answers: JSON, files, pictures, and what becomes of an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core.errors import InputError, VideoReadError
from moviola.core.names import json_text
from moviola.studio.errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Endpoint = Callable[["Request"], "Response"]
_FOREVER = "private, max-age=31536000, immutable"
_SANDBOX = (
    "sandbox allow-scripts allow-popups; default-src 'self' 'unsafe-inline' data: blob:; form-action 'none'"
)


def answer(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    from starlette.responses import Response

    return Response(json_text(value, allow_nan=False), status, media_type="application/json")


def picture(data: bytes, kind: str, **headers: str) -> Response:
    """Return a picture of an address that names the version of its clip, so that the browser keeps it."""
    from starlette.responses import Response

    return Response(data, media_type=kind, headers={"cache-control": _FOREVER, **headers})


def file(path: Path) -> Response:
    """Return a file, or the part of it that is asked for; a page in it runs apart from the studio's own."""
    from starlette.responses import FileResponse

    own_page = path.suffix.lower() in (".html", ".htm", ".svg", ".xml", ".xhtml")
    return FileResponse(path, headers={"content-security-policy": _SANDBOX} if own_page else None)


def number(request: Request, name: str, default: float | None = None) -> float:
    """Return a number of the request's query.

    Raises:
        RequestError: it is missing, or no number.
    """
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        return float(text or "")
    except ValueError:
        raise RequestError(f"{name} is {text!r}; it must be a number") from None


def text(request: Request, name: str) -> str:
    """Return a text of the request's query; raises RequestError where it is missing."""
    value = request.query_params.get(name)
    if not value:
        raise RequestError(f"{name} is missing in the request")
    return value


async def values(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request, at most 1 MB.

    Raises:
        RequestError: it is none.
    """
    import json

    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > 10**6:
            raise RequestError("the request is larger than 1 MB", 413)
    try:
        values = json.loads(data)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise RequestError("the request is no JSON object")
    return values


def error_handlers() -> dict[Any, Callable[[Request, Any], Response]]:
    """Return what answers an error: one line, as the command line prints it."""

    def refuse(request: Request, error: InputError) -> Response:
        status = error.status if isinstance(error, RequestError) else 400
        return answer(
            {"error": " ".join(str(error).split())}, 422 if isinstance(error, VideoReadError) else status
        )

    def fail(request: Request, error: Exception) -> Response:
        return answer({"error": f"{type(error).__name__}: {error} (a fault of moviola's)"}, 500)

    return {InputError: refuse, Exception: fail}
