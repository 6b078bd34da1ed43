"""Running the app until it is stopped."""

from __future__ import annotations

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

from moviola.core.errors import ConfigError, InputError
from moviola.core.optional import require
from moviola.studio.app import StudioSettings, make_app
from moviola.studio.forms import Form
from moviola.studio.guard import LOOPBACK

PORT = 8421


def is_local(host: str) -> bool:
    """Return whether only this machine reaches a server of that address."""
    return host in LOOPBACK or host.startswith("127.")


def token_for(host: str, token: str | None) -> str | None:
    """Return the token that is needed: the one given, a new one where other machines reach the server, else None.

    Raises:
        ConfigError: a token that is too easily guessed, or that no address holds.
    """
    if token is None:
        return None if is_local(host) else secrets.token_urlsafe(24)
    if len(token) < 12 or not (token.isascii() and token.replace("-", "").replace("_", "").isalnum()):
        raise ConfigError("--token is 12 letters, digits, - or _ or more; leave it out and one is drawn")
    return token


def open_socket(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: address to listen on. port: None for 8421, or where that is taken any that is free.

    Raises:
        InputError: the address is not of this machine, or the port is taken.
    """
    for one in (PORT, 0) if port is None else (port,):
        try:
            family = socket.getaddrinfo(host, one, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, one), family=family)
        except (OSError, OverflowError) as error:
            if port is not None or one == 0:
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                raise InputError(
                    f"cannot listen on {host}, port {one}: {reason}; give another --port"
                ) from None
    raise AssertionError("unreachable")


def address(host: str, port: int, token: str | None) -> str:
    """Return what a browser of this machine opens."""
    name = socket.gethostname() if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def serve(
    folder: str | Path,
    make_forms: Callable[[], Sequence[Form]] = tuple,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    max_mb: float = 512,
    opens: bool = False,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run the studio over a folder until it is interrupted.

    Args:
        folder: of results.
        make_forms: returns the forms of the verbs that can be run.
        host: address to listen on. port: None for 8421 or one that is free.
        token: that a browser must show; None draws one where other machines reach the host.
        max_mb: of one upload.
        opens: show it in the browser of this machine.
        ready: called with the address once it answers.

    Raises:
        InputError: and what is below it: no such folder, port, or library.
    """
    uvicorn = require("uvicorn", "studio")
    from moviola.data import (
        codec as codec,
    )  # takes a while to load: now, and not when the first page asks for its clips

    if max_mb <= 0:
        raise ConfigError(f"--max-mb is {max_mb}; it must be above 0")
    token = token_for(host, token)
    hosts = (*LOOPBACK, host) if is_local(host) else ()
    app = make_app(folder, make_forms, StudioSettings(token, hosts, int(max_mb * 1e6)))
    listening = open_socket(host, port)
    url = address(host, listening.getsockname()[1], token)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)

    def tell() -> None:
        ready(url)
        if opens:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    tell()
    server.run(sockets=[listening])
