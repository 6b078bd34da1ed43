"""`moviola models`: the catalog, and what one can say to each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, emit, example, group, say

if TYPE_CHECKING:
    from moviola.models.catalog import ModelCard

app = group("The models at hand and what one can say to them.")


@app.command("list")
@example("moviola models list", "moviola models list --json")
def list_command(json: Json = False) -> None:
    """List the models that this installation holds."""
    from moviola.models.catalog import list_models

    cards = list_models()
    if json:
        emit({"models": [describe(card) for card in cards]})
        return
    width = max((len(card.name) for card in cards), default=0)
    for card in cards:
        say(f"{card.name:<{width}}  {card.summary} ({human_size(card.size_bytes)}, {card.license})")
    if not cards:
        say("no model is embedded in this installation; moviola generate --model takes a folder, too")


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
