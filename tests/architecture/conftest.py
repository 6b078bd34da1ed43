"""What several architecture tests need: a parser of command lines that runs nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moviola.cli.main import build_root


def check_words(words: list[str]) -> None:
    """Fail when `words` (those after "moviola") name no verb, an unknown option, or too few or many arguments."""
    context = build_root().make_context("moviola", [], resilient_parsing=True)
    command, rest = context.command, list(words)
    while hasattr(command, "commands"):
        _, command, rest = command.resolve_command(context, rest)
    if "--help" in rest:
        return
    context = command.make_context(command.name, [], resilient_parsing=True)
    context.resilient_parsing = False
    values, left, _ = command.make_parser(context).parse_args(rest)
    missing = [param.name for param in command.params if param.required and not values.get(param.name)]
    assert (left, missing) == ([], [])


@pytest.fixture(name="check_words")
def check_words_fixture() -> Callable[[list[str]], None]:
    """See `check_words`."""
    return check_words
