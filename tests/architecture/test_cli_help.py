"""Every verb and sub-verb explains itself, with an example that would parse."""

from __future__ import annotations

import re
import shlex

import pytest

from moviola.cli.main import list_verbs, load_verb, run


def every_command() -> list[list[str]]:
    """All verbs, and the sub-verbs of groups, as the words one types."""
    words = []
    for verb in list_verbs():
        try:
            command = load_verb(verb)
        except ImportError:  # reported by the tests below, which load it again
            command = None
        words.append([verb])
        words += [[verb, name] for name in command.list_commands(None)] if is_group(command) else []
    return words


def is_group(command) -> bool:
    """Whether it has sub-verbs."""
    return hasattr(command, "list_commands")


def load(words: list[str]):
    """Return the command that `words` name."""
    command = load_verb(words[0])
    for word in words[1:]:
        command = command.get_command(None, word)
    return command


COMMANDS = every_command()
LEAVES = [words for words in COMMANDS if sum(other[: len(words)] == words for other in COMMANDS) == 1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help(words, capsys):
    """`--help` exits 0, prints on stdout only and describes every option."""
    assert run([*words, "--help"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith(f"Usage: moviola {' '.join(words)}")
    assert "Args:" not in printed.out


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_has_an_example_that_parses(words, capsys, check_words):
    """There is at least one example, it is this command, and its options exist."""
    assert run([*words, "--help"]) == 0
    out = capsys.readouterr().out
    examples = [line.strip() for line in out.partition("Example:")[2].splitlines() if line.strip()]
    assert examples
    for line in examples:
        typed = shlex.split(line)
        assert typed[: len(words) + 1] == ["moviola", *words]
        check_words(typed[1:])


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_names_values_not_types(words, capsys):
    """Every value has a name of ours (N, FILE, KEY=VALUE), in the usage line as in the lists below it."""
    assert run([*words, "--help"]) == 0
    usage, _, rest = capsys.readouterr().out.partition("\n")
    assert not set("<>{}") & set(usage) and "[[" not in usage
    assert re.findall(r"<[a-z ]+>", rest) == []
    for param in load(words).params:
        if param.param_type_name == "argument":
            assert (param.metavar or param.name.upper()).strip("[]") in usage


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_option_is_described(words):
    """No option or argument without a help text."""
    command = load(words)
    silent = [
        param.name for param in command.params if param.name != "help" and not getattr(param, "help", "")
    ]
    assert silent == []


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_verb_speaks_json(words):
    """Every command has `--json`."""
    command = load(words)
    assert "--json" in {opt for param in command.params for opt in param.opts}
