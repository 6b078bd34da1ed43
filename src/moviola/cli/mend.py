"""`moviola mend`: find and mend flicker, seams, drift and repeated frames."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, Quiet, emit, example, say
from moviola.cli.recorded import recorded
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.mend import Faults, Mended, MendSettings

_Input = Annotated[Path, typer.Argument(metavar="IN", help="A video, or a folder of frames.")]
_Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="OUT", help="File to write; FOLDER/ for frames.")
]
_Flicker = Annotated[
    bool, typer.Option("--flicker", help="Light that comes and goes, everywhere or in parts.")
]
_Guide = Annotated[
    Path | None,
    typer.Option("--guide", metavar="SOURCE", help="The clip it was made from: motion is read there."),
]
_Seams = Annotated[
    str | None,
    typer.Option(
        "--seams", metavar="auto|F,F", help="Where pieces do not fit: found, or their first frames."
    ),
]
_Drift = Annotated[
    bool, typer.Option("--drift", help="Slow change of colour, contrast, sharpness since the first second.")
]
_Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference", metavar="PICTURE", help="Take mean and contrast from this picture; with --drift."
    ),
]
_Stills = Annotated[bool, typer.Option("--stills", help="Repeated frames; frames between take their places.")]
_Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="DIR", help="Write a page: before and after, playing, and the curves."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what is broken, and write nothing.")]
_Lossless = Annotated[
    bool, typer.Option("--lossless", help="Write every value as it is, where the format can.")
]


@example(
    "moviola mend film.mp4 -o mended.mp4",
    "moviola mend painted.mp4 -o steady.mp4 --flicker --guide clip.mp4 --report report",
    "moviola mend long.mp4 -o whole.mp4 --seams 81,162 --drift",
    "moviola mend film.mp4 --dry-run --json",
)
@recorded("mend")
def command(
    input: _Input,
    output: _Output = None,
    flicker: _Flicker = False,
    guide: _Guide = None,
    seams: _Seams = None,
    drift: _Drift = False,
    reference: _Reference = None,
    stills: _Stills = False,
    report: _Report = None,
    dry_run: _DryRun = False,
    lossless: _Lossless = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Mend what a model left in a video: flicker, seams, drift, repeated frames.

    Without a switch it looks for all of them and mends what it finds; a clean clip comes back as it was. Length, size,
    rate and sound are kept. No weights, no graphics card.
    """
    started = time.perf_counter()
    _check(output, report, dry_run)
    settings = _settings(flicker, seams, drift, reference, stills)
    if dry_run:
        faults = _look(input, settings, guide, quiet or json)
        if json:
            emit(
                {"input": str(input), **faults.to_dict(), "seconds": round(time.perf_counter() - started, 3)}
            )
        _tell(faults, quiet or json)
        return
    done = _run(input, str(output), settings, guide, lossless, report, quiet or json)
    seconds = round(time.perf_counter() - started, 3)
    if json:
        keys = ("output", "frames", "fps", "width", "height")
        emit(
            {
                **{key: getattr(done, key) for key in keys},
                "seconds": seconds,
                "how": done.how,
                **done.faults.to_dict(),
            }
        )
    _tell(done.faults, quiet or json)
    say(
        f"video  {done.output} ({done.frames} frames of {done.width}x{done.height}, {_HOW[done.how]})",
        quiet=quiet or json,
    )
    if report is not None:
        say(f"report {report}", quiet=quiet or json)
    say(f"took   {seconds:.1f} s", quiet=quiet or json)


_HOW = {
    "mended": "mended",
    "copied": "a copy of the input, byte for byte",
    "encoded": "its frames unchanged, encoded once for this format",
}


def _check(output: str | None, report: Path | None, dry_run: bool) -> None:
    """Check where the results go, before anything is read.

    Raises:
        ConfigError: no output, or one beside --dry-run. FormatError, OutputError: nothing can be written there.
    """
    from moviola.cli.written import check_output

    if dry_run and (output is not None or report is not None):
        raise ConfigError("--dry-run writes nothing; leave out -o and --report, or --dry-run")
    if dry_run:
        return
    if output is None:
        raise ConfigError("-o OUT is missing: name the file to write, or say --dry-run")
    check_output(output, None)
    if report is not None:
        from moviola.pipelines.evaluate.report import check_folder

        check_folder(report)


def _settings(
    flicker: bool, seams: str | None, drift: bool, reference: Path | None, stills: bool
) -> MendSettings:
    from moviola.data import codec
    from moviola.pipelines.mend import MendSettings

    picture = None if reference is None else codec.read_picture(reference)
    return MendSettings(flicker, None if seams is None else read_seams(seams), drift, stills, picture)


def read_seams(text: str) -> Any:
    """Return "auto" or the frame numbers of "81,162".

    Raises:
        ConfigError: neither.
    """
    if text.strip() == "auto":
        return "auto"
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--seams is {text}; it must be auto or frame numbers such as 81,162")
    return [int(part) for part in parts]


def _look(given: Path, settings: MendSettings, guide: Path | None, quiet: bool) -> Faults:
    from moviola.core.progress import progress
    from moviola.data import codec
    from moviola.pipelines.mend import find_faults

    with progress("looking", codec.probe(given).frames, quiet) as tick:
        return find_faults(given, settings, guide, tick)


def _run(
    given: Path,
    output: str,
    settings: MendSettings,
    guide: Path | None,
    lossless: bool,
    report: Path | None,
    quiet: bool,
) -> Mended:
    from moviola.core.progress import progress
    from moviola.data import codec
    from moviola.pipelines.mend import mend_file

    with progress("mending", 2 * codec.probe(given).frames, quiet) as tick:
        return mend_file(given, output, settings, guide=guide, lossless=lossless, report=report, tick=tick)


def _tell(faults: Faults, quiet: bool) -> None:
    """Print what was found, for people."""
    for line in faults.lines():
        say(f"found  {line}", quiet=quiet)
    for note in faults.notes:
        say(f"note: {note}", quiet=quiet)
