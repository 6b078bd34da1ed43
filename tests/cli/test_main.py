"""The entry point: exit codes, one line for every error, nothing else on stderr."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
import warnings
from typing import Annotated

import pytest
import typer

from moviola.cli.common import Json, Seed, example
from moviola.cli.main import TASKS, VERBS, list_verbs, run
from moviola.core.errors import InputError, NonFiniteError, VideoReadError


@pytest.fixture
def verb(monkeypatch):
    """Install a verb `toy` that calls a function of the test; returns a setter."""

    def install(action):
        @example("moviola toy 1")
        def command(
            count: Annotated[int, typer.Argument(help="a number", min=1)], json: Json = False, seed: Seed = 0
        ) -> object:
            """Do something small."""
            return action()

        module = types.ModuleType("moviola.cli.toy")
        module.command = command
        monkeypatch.setitem(sys.modules, "moviola.cli.toy", module)
        monkeypatch.setitem(VERBS, "toy", ("toy", "command", "A toy."))

    install(lambda: None)
    return install


def outcome(capsys, *words: str) -> tuple[int, str, str]:
    """Run a command line; return its exit code, stdout and stderr."""
    code = run(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def is_one_error_line(err: str) -> bool:
    """Whether stderr holds exactly one line that begins as ours do."""
    return err.startswith("moviola: error: ") and err.count("\n") == 1 and err.endswith("\n")


def test_help_lists_every_verb(capsys):
    """`--help` names each verb beside its line of the table."""
    code, out, err = outcome(capsys, "--help")
    assert (code, err) == (0, "")
    for name, (_, _, line) in ((verb, VERBS[verb]) for verb in list_verbs()):
        assert f"{name} " in out
        assert line.split()[0] in out


@pytest.mark.parametrize("words", [[], ["models"]], ids=["moviola", "moviola models"])
def test_bare_group_prints_its_help(capsys, words):
    """Without arguments the help is printed, as with --help."""
    assert outcome(capsys, *words) == outcome(capsys, *words, "--help")


def test_version(capsys):
    """`--version` prints the version of the package."""
    import moviola

    assert outcome(capsys, "--version") == (0, f"moviola {moviola.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["genrate"], "did you mean generate?"),
        (["zzz"], "known: generate"),
        (["models", "lst"], "unknown models verb 'lst'; did you mean list?"),
        (["--bogus"], "--bogus"),
        (["models", "--bogus"], "moviola models --help"),
        (["toy"], "COUNT"),
        (["toy", "1", "2"], "2"),
        (["toy", "0"], "0"),
        (["toy", "many"], "many"),
        (["toy", "1", "--seed"], "--seed"),
        (["toy", "1", "--seed", "-1"], "-1"),
        (["toy", "1", "--sed", "1"], "--sed"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_one_line_and_exit_2(capsys, verb, words, said):
    """Every usage error is one line on stderr that shows what was wrong; stdout stays empty."""
    code, out, err = outcome(capsys, *words)
    assert (code, out) == (2, "")
    assert is_one_error_line(err), err
    assert said.lower() in err.lower()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("clip.mp4: wrong"), 2, "clip.mp4: wrong"),
        (VideoReadError("two\nlines"), 2, "two lines"),
        (NonFiniteError(7, "loss"), 1, "step 7"),
        (OSError(errno.ENOSPC, "No space left on device", "out.mp4"), 2, "out.mp4: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "out.mp4"), 2, "out.mp4: Permission denied"),
        (MemoryError("112 TiB"), 2, "there is not enough memory; ask for smaller frames"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), 2, "not enough memory"),
        (RuntimeError("shapes differ"), 1, "a fault of moviola's"),
        (ValueError("odd"), 1, "ValueError: odd (a fault of moviola's; MOVIOLA_DEBUG=1 shows the traceback)"),
        (SystemExit(3), 3, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_exit_codes(capsys, verb, error, code, said):
    """Each kind of error has its exit code and its one line."""

    def fail():
        raise error

    verb(fail)
    got, out, err = outcome(capsys, "toy", "1")
    assert (got, out) == (code, "")
    assert err == "" if said is None else (is_one_error_line(err) and said in err)


def test_interrupt(capsys, verb):
    """Ctrl-C exits 130 and says only that."""

    def interrupt():
        raise KeyboardInterrupt

    verb(interrupt)
    assert outcome(capsys, "toy", "1") == (130, "", "moviola: interrupted\n")


def test_debug_shows_the_traceback(capsys, verb, monkeypatch):
    """With MOVIOLA_DEBUG the place of the fault is shown, and the exit code is the same."""

    def fail():
        raise ValueError("odd")

    verb(fail)
    monkeypatch.setenv("MOVIOLA_DEBUG", "1")
    code, _, err = outcome(capsys, "toy", "1")
    assert code == 1
    assert "Traceback" in err
    assert "in fail" in err


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (1, 1), (0, 0), (True, 0), ("text", 0)])
def test_only_an_integer_result_is_an_exit_code(capsys, verb, returned, code):
    """A verb may return its exit code; anything else means done."""
    verb(lambda: returned)
    assert outcome(capsys, "toy", "1") == (code, "", "")


def test_warnings_of_libraries_are_not_shown(capsys, verb):
    """A person who runs a verb cannot act on a library's deprecation."""
    import warnings

    verb(lambda: warnings.warn("old", DeprecationWarning, stacklevel=1))
    assert outcome(capsys, "toy", "1") == (0, "", "")


def test_reader_that_goes_away(tmp_path):
    """A closed pipe ends the run quietly, also where the interpreter flushes at its end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "moviola", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize(("signal_name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_signals_unwind(tmp_path, signal_name, code):
    """A process told to stop runs its `finally` blocks, so that half-written files go."""
    marker = tmp_path / "half-written"
    script = f"""
import os, pathlib, signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from moviola.cli.main import VERBS, run
def command() -> None:
    marker = pathlib.Path({str(marker)!r})
    marker.write_text("half")
    try:
        os.kill(os.getpid(), signal.{signal_name})
        signal.sigtimedwait([], 5)
    finally:
        if "{signal_name}" == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)  # told again: the cleaning goes on
        marker.unlink()
module = types.ModuleType("moviola.cli.toy")
module.command = command
sys.modules["moviola.cli.toy"] = module
VERBS["toy"] = ("toy", "command", "A toy.")
sys.exit(run(["toy"]))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    assert not marker.exists()
    assert "Traceback" not in result.stderr


# -- verbs of sub-verbs -------------------------------------------------------------------------------


def test_a_group_without_a_task_is_none(capsys, monkeypatch):
    """Not in the help, and as unknown as any other word."""
    monkeypatch.setitem(TASKS, "edit", {})
    assert "edit" not in list_verbs() and "\n  edit " not in outcome(capsys, "--help")[1]
    code, out, err = outcome(capsys, "edit", "motion")
    assert (code, out) == (2, "") and "unknown verb 'edit'" in err and is_one_error_line(err)


def test_one_line_adds_a_task(capsys, verb, monkeypatch):
    """The group is in the help, lists the task by its line without importing it, and runs it."""
    ran = []
    verb(lambda: ran.append(1))
    lost = ("no_such_file", "command", "Never imported here.")
    monkeypatch.setitem(TASKS, "edit", {"toy": ("toy", "command", "A toy."), "lost": lost})
    assert f"\n  edit       {VERBS['edit'][2]}\n" in outcome(capsys, "--help")[1]
    for words in (["edit"], ["edit", "--help"]):
        code, out, err = outcome(capsys, *words)
        assert (code, err) == (0, "") and out.startswith("Usage: moviola edit ") and VERBS["edit"][2] in out
        assert "A toy." in out and "Never imported here." in out
    code, out, _ = outcome(capsys, "edit", "toy", "--help")
    assert code == 0 and out.startswith("Usage: moviola edit toy") and "Do something small." in out
    assert outcome(capsys, "edit", "toy", "3") == (0, "", "") and ran == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edit", "tyo"], "unknown edit verb 'tyo'; did you mean toy?"),
        (["edit", "toy", "x"], "see moviola edit toy --help"),
        (["edit", "toy", "1", "--no"], "--no"),
        (["edit", "--no"], "--no"),
    ],
)
def test_wrong_words_of_a_task(capsys, verb, monkeypatch, words, said):
    """One line and exit 2, as everywhere."""
    monkeypatch.setitem(TASKS, "edit", {"toy": ("toy", "command", "A toy.")})
    code, out, err = outcome(capsys, *words)
    assert (code, out) == (2, "") and said in err and is_one_error_line(err)


def test_a_note_is_one_line_a_text_and_quiet_is_quiet(capsys, verb):
    """What is odd about an input goes to stderr once, beside any result; `--quiet` leaves it out."""
    from moviola.core.notes import note

    def action() -> None:
        for _ in range(3):
            note("a.gif lacks\nits end")
        warnings.warn("a library's own talk", stacklevel=1)
        print("{}")

    verb(action)
    assert outcome(capsys, "toy", "1", "--json") == (0, "{}\n", "moviola: note: a.gif lacks its end\n")
    with warnings.catch_warnings(record=True) as heard:  # run leaves the filters as they were
        warnings.simplefilter("always")
        note("b.gif")
    assert [str(w.message) for w in heard] == ["b.gif"]
