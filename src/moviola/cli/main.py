"""The entry point: the table of verbs, and what becomes of an error.

`moviola --help` reads only the table below; a verb's file is imported when that verb is named.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from moviola.cli.verbs import LazyGroup, Table, build_row, build_tasks
from moviola.core.errors import MoviolaError, is_lack_of_memory
from moviola.core.names import ERRORS
from moviola.core.notes import Note
from moviola.core.progress import silence

# verb -> (module below moviola.cli, attribute, the line in `moviola --help`); "" for one of TASKS
VERBS: Table = {
    "generate": ("generate", "command", "Make a video from a text, or from a text and a first frame."),
    "sample": ("sample", "command", "Draw many videos from a model into a folder, told a text or not."),
    "refine": ("refine", "command", "Move generated video closer to real video, pass by pass (REGIS)."),
    "restyle": ("restyle", "command", "Repaint a real video: key frames, a painter, propagation."),
    "mend": ("mend", "command", "Find and mend flicker, seams, drift and repeated frames."),
    "keyframes": ("keyframes", "command", "Choose the key frames of a video; print them, plot them."),
    "edit": ("", "", "Edit what a model draws, in the model's own terms."),
    "train": ("train", "command", "Train a network by a recipe; stop and resume at will."),
    "evaluate": ("evaluate", "command", "Judge generated video against real video, with intervals."),
    "redo": ("redo", "command", "Make a file again by what it says of how it was made."),
    "study": ("", "", "Let people compare clips in pairs; read what they said."),
    "studio": ("studio", "command", "Look at results in a browser: compare, make, judge."),
    "data": ("data", "app", "Make toy data sets; see what a data set holds."),
    "models": ("models", "app", "The models at hand and what one can say to them."),
    "doctor": ("doctor", "command", "Versions, devices, codecs and weights found, and what is missing."),
}
# verb -> its sub-verbs, in the form of VERBS; a verb shows itself when it has one
TASKS: dict[str, Table] = {
    "edit": {
        "motion": ("edit_motion", "command", "Draw a video and change its motion by bands of speed."),
        "project": ("edit_project", "command", "Find the model's video that comes nearest to a real clip."),
        "spectrum": ("edit_spectrum", "command", "Print how fast things go to and fro in a video."),
        "invert": ("edit_latent", "invert", "Draw a clip by the nearest code of a space of videos."),
        "inpaint": ("edit_latent", "inpaint", "Fill a clip's lower half, or what a mask hides."),
        "predict": ("edit_latent", "predict", "Continue the first frame, or the first K."),
        "frame-interpolate": (
            "edit_latent",
            "frame_interpolate",
            "Fill a clip between its first and last frame.",
        ),
        "sparse": ("edit_latent", "sparse", "Fill a clip of which a share of the pixels is left."),
        "upsample": ("edit_latent", "upsample", "Enlarge a clip of few pixels to any size."),
        "interpolate": ("edit_interpolate", "command", "Walk from video to video through a latent space."),
        "map": ("edit_map", "command", "A page of a latent space: a thumbnail where each clip lies."),
    },
    "study": {
        "make": ("study", "make", "Write a page on which people compare the clips of methods."),
        "read": ("study", "read", "Say what the answers of raters say, with intervals."),
    },
}

EXIT_OK, EXIT_FAULT, EXIT_INPUT, EXIT_INTERRUPTED, EXIT_PIPE, EXIT_TERMINATED = 0, 1, 2, 130, 141, 143
_ERRNO_OF_INPUT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


class LazyVerbs(LazyGroup):
    """The root command: knows its verbs from `VERBS` and loads one when it is asked for."""

    def rows(self) -> Table:
        """Return the verbs that do something, in the order of the table."""
        return {name: VERBS[name] for name in list_verbs()}

    def load(self, name: str) -> Any:
        """Return the command of the verb `name`."""
        return load_verb(name)


def list_verbs() -> list[str]:
    """Return the verbs in the order of `moviola --help`; one whose table of sub-verbs is empty is none yet."""
    return [name for name in VERBS if TASKS.get(name, True)]


def load_verb(name: str) -> Any:
    """Return the click command of the verb `name` (one of `list_verbs`), importing its file."""
    if name in TASKS:
        return build_tasks(name, TASKS[name], VERBS[name][2])
    return build_row(name, VERBS[name])


def _print_version(wanted: bool) -> None:
    if wanted:
        from moviola import __version__

        print(f"moviola {__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Make, mend, restyle, edit and judge generated video."""


def build_root() -> Any:
    """Return the root command `moviola` (a click group)."""
    app = typer.Typer(cls=LazyVerbs, add_completion=False, rich_markup_mode=None)
    app.callback(subcommand_metavar="VERB ...")(_root)
    return typer.main.get_group(app)


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; this is what the `moviola` script calls.

    Args:
        args: the words after "moviola"; None means those of this process.

    Returns:
        0 done; 2 the input or the arguments are wrong, told in one line on stderr; 130 interrupted;
        141 the reader of stdout went away; 143 told to end (SIGTERM); 1 a fault of ours, in one line with
        the error's type (`MOVIOLA_DEBUG=1` shows the traceback).
    """
    debug = os.environ.get("MOVIOLA_DEBUG", "") not in ("", "0")
    words = list(sys.argv[1:] if args is None else args)
    with warnings.catch_warnings(), _sigterm_unwinds(), _any_name_printable():
        if not debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
        _show_notes(quiet=not {"-q", "--quiet"}.isdisjoint(words))
        try:
            with silence(not {"-q", "--quiet", "--json"}.isdisjoint(words)):
                return _invoke(words)
        except BaseException as error:
            if debug and not isinstance(error, typer.Exit):
                traceback.print_exc()
            return _report(error)


def _show_notes(*, quiet: bool) -> None:
    """Print each note (`moviola.core.notes`) once, as one line on stderr, until warnings are as they were."""
    printed: set[str] = set()
    show = warnings.showwarning

    def show_note(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
        if not issubclass(category, Note):
            show(message, category, *rest, **more)
        elif not quiet and str(message) not in printed:
            printed.add(str(message))
            print(f"moviola: note: {' '.join(str(message).split())[:1500]}", file=sys.stderr)

    warnings.filterwarnings("always", category=Note)
    warnings.showwarning = show_note


def _invoke(words: list[str]) -> int:
    with build_root().make_context("moviola", words) as context:
        result = context.command.invoke(context)
    sys.stdout.flush()
    return result if isinstance(result, int) and not isinstance(result, bool) else EXIT_OK


def _report(error: BaseException) -> int:
    """Print the one line about `error`, if any, and return the exit code."""
    if isinstance(error, typer.Exit):
        return _flush_and(error.exit_code)
    if isinstance(error, BrokenPipeError):
        return _drop_stdout()
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        print("moviola: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_FAULT if error.code else EXIT_OK
    if isinstance(error, MoviolaError):
        return _complain(str(error), error.exit_code)
    if hasattr(error, "format_message"):  # typer's usage errors, wherever the release keeps their class
        return _complain(_usage(error), EXIT_INPUT)
    if isinstance(error, OSError) and error.errno in _ERRNO_OF_INPUT:
        return _complain(f"{error.filename or 'output'}: {error.strerror}", EXIT_INPUT)
    if is_lack_of_memory(error):
        return _complain(
            f"there is not enough memory; ask for smaller frames, or fewer at a time ({error})", EXIT_INPUT
        )
    fault = f"{type(error).__name__}: {error}"
    return _complain(f"{fault} (a fault of moviola's; MOVIOLA_DEBUG=1 shows the traceback)", EXIT_FAULT)


def _usage(error: Any) -> str:
    """Return what is wrong in a usage error, with the value that was given and where to read on."""
    message = error.format_message().strip().rstrip(".")
    for reason in getattr(error.__cause__, "errors", list)()[:1]:  # typer's reason is a pydantic error
        message += f", not {reason['input']!r}"
    context = getattr(error, "ctx", None)
    return f"{message}; see {context.command_path} --help" if context else message


def _complain(message: str, code: int) -> int:
    line = " ".join(message.split())
    print(f"moviola: error: {line[:1500]}", file=sys.stderr)
    return code


def _flush_and(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _drop_stdout()
    return code


def _drop_stdout() -> int:
    """Point stdout at nothing, so that the interpreter's last flush stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_PIPE


@contextmanager
def _any_name_printable() -> Iterator[None]:
    """Let stdout and stderr write what their encoding lacks as escapes: no name of a file ends a run."""
    streams: list[tuple[Any, str]] = [
        (s, s.errors or "strict") for s in (sys.stdout, sys.stderr) if hasattr(s, "reconfigure")
    ]
    try:
        for stream, _ in streams:
            stream.reconfigure(errors=ERRORS)
        yield
    finally:
        for stream, before in streams:
            if not stream.closed:
                stream.reconfigure(errors=before)


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Turn SIGTERM into an exception while a verb runs, so that its half-written files are taken away.

    Only the first one: another, as where each process of a group is told and the group too, must not break into that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(signum: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
