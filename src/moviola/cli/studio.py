"""`moviola studio`: the web app over a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moviola.cli.common import Json, Quiet, emit, example, say

_Folder = Annotated[
    Path, typer.Argument(metavar="[FOLDER]", help="Of results: shown, and written to. Default: this folder.")
]
_Host = Annotated[
    str,
    typer.Option(
        "--host", metavar="NAME", help="Address to listen on; any but this machine's needs the token."
    ),
]
_Port = Annotated[
    int | None,
    typer.Option("--port", metavar="N", min=1, max=65535, help="Port; 8421, or one that is free."),
]
_Token = Annotated[
    str | None,
    typer.Option(
        "--token", metavar="TEXT", help="What a browser must show; drawn where other machines reach it."
    ),
]
_MaxMb = Annotated[float, typer.Option("--max-mb", metavar="MB", help="Of one upload, at most.")]
_Open = Annotated[bool, typer.Option("--open", help="Show it in this machine's browser.")]


@example(
    "moviola studio results",
    "moviola studio results --open",
    "moviola studio results --host 0.0.0.0 --port 8000",
)
def command(
    folder: _Folder = Path("."),
    host: _Host = "127.0.0.1",
    port: _Port = None,
    token: _Token = None,
    max_mb: _MaxMb = 512,
    open: _Open = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at a folder of results, compare clips frame by frame, make more, judge them: in a browser.

    Only this machine reaches it, unless --host says otherwise; then a token is needed, which stands in the address
    that is printed. It runs until ctrl-C; what is in its queue is gone on with at the next start.
    """
    from moviola.cli.studio_forms import make_forms
    from moviola.studio.serve import serve

    def ready(url: str) -> None:
        if json:
            emit({"url": url, "folder": str(folder.resolve())})
        say(f"studio  {url}", quiet=quiet or json)
        say(f"folder  {folder.resolve()}", quiet=quiet or json)

    serve(folder, make_forms, host=host, port=port, token=token, max_mb=max_mb, opens=open, ready=ready)
