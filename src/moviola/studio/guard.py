"""Who may ask: the token, the host, pages of other sites; and what every answer says to the browser."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from moviola.core.names import json_text

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "moviola-studio"
MARK = b"x-moviola-studio"
"""A header that the page sends with whatever changes something; no page of another site can."""
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Guard:
    """Lets requests through to an app that are allowed.

    Args:
        app: behind it.
        token: that a browser must show; None for none.
        hosts: names that the server is called by; empty for any (another machine may know it by any).
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: Iterable[str]) -> None:
        self.app, self.token, self.hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        query = parse_qs(scope["query_string"].decode("latin-1"))
        refusal = self._refusal(scope["method"], headers, query)
        if refusal is not None:
            await _answer(send, *refusal)
        elif self.token is not None and "token" in query:
            cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000"
            await _redirect(send, [(b"location", b"/"), (b"set-cookie", cookie.encode("latin-1"))])
        else:
            await self.app(scope, receive, _with_headers(send))

    def _refusal(
        self, method: str, headers: dict[bytes, bytes], query: dict[str, list[str]]
    ) -> tuple[int, str] | None:
        """Return status and reason of what is not allowed; None for what is."""
        host = headers.get(b"host", b"").decode("latin-1")
        if self.hosts and _name(host) not in self.hosts:  # a name of another site that leads to this machine
            return 421, f"this studio is not called {host}; open it by the address that it printed"
        if self.token is not None and not self._knows(headers, query):
            return 401, "this studio needs its token; open it by the whole address that it printed"
        if method not in ("GET", "HEAD") and MARK not in headers:
            return 403, f"a request that changes something needs the header {MARK.decode()}: 1"
        return None

    def _knows(self, headers: dict[bytes, bytes], query: dict[str, list[str]]) -> bool:
        token = (self.token or "").encode()
        cookies = (pair.strip().partition(b"=") for pair in headers.get(b"cookie", b"").split(b";"))
        shown = [value for name, _, value in cookies if name == COOKIE.encode()]
        shown.append(headers.get(b"authorization", b"").removeprefix(b"Bearer "))
        shown += [value.encode("utf-8", "surrogatepass") for value in query.get("token", ())]
        return any(hmac.compare_digest(one, token) for one in shown)


def _name(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            have = [name for name, _ in message["headers"]]
            more = list(_HEADERS)
            if b"content-security-policy" not in have:
                more.append((b"content-security-policy", POLICY.encode()))
            if b"cache-control" not in have:
                more.append((b"cache-control", b"no-cache"))
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json_text({"error": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": 303, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": b""})
