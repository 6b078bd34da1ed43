"""The Typer classes under every verb: plain help with examples, nearest names for a wrong one.

Help is drawn without rich: it starts faster and reads the same in a pipe. Click is reached only through
`typer.core`, so both the releases of typer that carry it inside and those that depend on it will do.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from moviola.cli.common import EXAMPLES_ATTRIBUTE, LISTS_ATTRIBUTE, spread_lists
from moviola.core.errors import UnknownNameError

if TYPE_CHECKING:
    from typer import Context

Table = dict[str, tuple[str, str, str]]
"""Verb -> (module below moviola.cli, attribute, the line in the help above it)."""

_SECTION = re.compile(r"\n\s*(Args|Arguments|Returns|Raises|Source|Yields):\s*\n")


def _write_help_text(text: str, formatter: Any) -> None:
    """Write the part of a docstring that is for the command line: up to its first `Args:`-like heading."""
    text = _SECTION.split(text, maxsplit=1)[0].strip().replace("`", "")
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;:])\s|\n\n", text.strip(), maxsplit=1)[0].rstrip(";:").replace("\n", " ")


def _is_argument(param: Any) -> bool:
    return param.param_type_name == "argument"


def _argument_name(param: Any) -> str:
    name = (param.metavar or param.name.upper()).strip("[]")
    return name if param.required else f"[{name}]"


class Verb(TyperCommand):
    """One command: its help ends with the lines given to `common.example`."""

    @property
    def examples(self) -> tuple[str, ...]:
        """The command lines given to `common.example`."""
        return getattr(self.callback, EXAMPLES_ATTRIBUTE, ())

    def make_parser(self, ctx: Context) -> Any:  # type: ignore[override]
        """Return the parser of its words, after those given to `common.takes_lists` are spread."""
        parser: Any = super().make_parser(ctx)  # type: ignore[arg-type]
        options = getattr(self.callback, LISTS_ATTRIBUTE, ())
        if options:
            parse = parser.parse_args
            parser.parse_args = lambda args: parse(spread_lists(args, options))
        return parser

    def collect_usage_pieces(self, ctx: Context) -> list[str]:  # type: ignore[override]
        """Return what stands behind the verb in its usage line: IN, or [PROMPT] for what may be left out."""
        arguments = [param for param in self.get_params(ctx) if _is_argument(param)]  # type: ignore[arg-type]
        return ["[OPTIONS]", *(_argument_name(param) for param in arguments)]

    def format_help_text(self, ctx: Context, formatter: Any) -> None:
        """Write the docstring without its argument list (typer shows the options itself)."""
        _write_help_text(self.help or "", formatter)

    def format_options(self, ctx: Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the arguments by the names of the usage line, and the options; no types, whose names help nobody."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):  # type: ignore[arg-type]
            record = param.get_help_record(ctx)  # type: ignore[arg-type]
            if record is not None and _is_argument(param):
                rows["Arguments"].append((_argument_name(param), record[1]))
            elif record is not None:
                rows["Options"].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:
        """Write the examples as they are: a wrapped command line cannot be copied."""
        if self.examples:
            with formatter.section("Example"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class VerbGroup(TyperGroup):
    """A verb with sub-verbs; called bare it prints its help, a wrong name is answered with the nearest."""

    noun = "verb"

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the group's own options; no argument at all means `--help`."""
        return super().parse_args(ctx, args or ["--help"])  # type: ignore[arg-type]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Any, list[str]]:  # type: ignore[override]
        """Return the sub-command that `args[0]` names.

        Raises:
            UnknownNameError: there is none; the message names the nearest.
        """
        command = self.get_command(ctx, args[0])  # type: ignore[arg-type]
        if command is None and not args[0].startswith("-"):
            kind = " ".join([*ctx.command_path.split()[1:], self.noun])
            raise UnknownNameError.of(kind, args[0], self.list_commands(ctx))  # type: ignore[arg-type]
        return super().resolve_command(ctx, args)  # type: ignore[arg-type]

    def format_commands(self, ctx: Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the sub-verbs, each with the first sentence of its help."""
        rows = [(name, _first_sentence(command.help or "")) for name, command in self.commands.items()]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)

    def format_help_text(self, ctx: Context, formatter: Any) -> None:
        """Write the group's help."""
        _write_help_text(self.help or "", formatter)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:
        """Write where to read on."""
        formatter.write_paragraph()
        formatter.write_text(f"{ctx.command_path} {self.noun.upper()} --help tells more, with an example.")


class LazyGroup(VerbGroup):
    """A group that knows its verbs from a table, and imports the file of one when it is asked for."""

    table: Table | None = None

    def rows(self) -> Table:
        """Return the table."""
        return self.table or {}

    def load(self, name: str) -> Any:
        """Return the command of `name`, one of `rows`."""
        return build_row(name, self.rows()[name])

    def list_commands(self, ctx: Context) -> list[str]:  # type: ignore[override]
        """Return the verbs in the order of the table."""
        return list(self.rows())

    def get_command(self, ctx: Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Import and return the verb `cmd_name`; None when the table does not hold it."""
        return self.load(cmd_name) if cmd_name in self.rows() else None

    def format_commands(self, ctx: Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the verbs and their one line, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, _, line) in self.rows().items()])


def build_row(name: str, row: tuple[str, str, str]) -> Any:
    """Return the runnable command of one row of a table, importing its file."""
    module, attribute, line = row
    return build(name, getattr(importlib.import_module(f"moviola.cli.{module}"), attribute), line)


def build_tasks(name: str, table: Table, help: str) -> Any:
    """Return the group `name` of the sub-verbs of a table, none of which is imported.

    Args:
        name: the verb.
        table: its sub-verbs.
        help: the line of the verb.
    """
    target = typer.Typer(cls=LazyGroup, help=help, add_completion=False, rich_markup_mode=None)
    target.callback()(_nothing)
    command: Any = typer.main.get_group(target)
    command.name, command.table, command.help = name, table, help
    command.subcommand_metavar = "VERB ..."
    return command


def _nothing() -> None:
    """What a group does before its sub-verb."""


def build(name: str, target: Callable[..., Any] | typer.Typer, help: str) -> Any:
    """Return the runnable command of one verb.

    Args:
        name: the verb.
        target: the function `command` of its file, or the `app` of a verb group.
        help: the line of the verb table, shown for a group that has no help of its own.

    Returns:
        A click command (`Verb` or `VerbGroup`), whose help is plain text.
    """
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name, cls=Verb)(target)
        return typer.main.get_command(single)
    target._add_completion = False
    target.rich_markup_mode = None
    target.info.cls = VerbGroup
    for info in target.registered_commands:
        info.cls = Verb
    command = typer.main.get_group(target)
    command.name = name
    command.subcommand_metavar = "VERB ..."
    command.help = command.help or help
    return command
