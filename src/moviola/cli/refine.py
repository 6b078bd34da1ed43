"""`moviola refine`: move generated video closer to real video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, Seed, emit, example, say
from moviola.cli.recorded import recorded
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.refine import Plan, Refined, RefinedSet

_Input = Annotated[
    Path,
    typer.Argument(metavar="IN", help="A video, a folder of frames, or a folder, zip or list of videos."),
]
_Output = Annotated[
    str, typer.Option("--output", "-o", metavar="OUT", help="File to write; for a set a new or empty folder.")
]
_Model = Annotated[
    str, typer.Option("--model", metavar="NAME|DIR", help="A refiner's name, or a folder that train filled.")
]
_Iterations = Annotated[
    str, typer.Option("--iterations", "-n", metavar="N|auto", help="Passes; auto stops by itself.")
]
_Corruption = Annotated[
    str | None,
    typer.Option(
        "--corruption", metavar="NAME|JSON", help="Corrupt before each pass; a name, or a mixture's file."
    ),
]
_Strength = Annotated[
    float | None, typer.Option("--strength", metavar="X", help="Of the corruption, up to 1; 0.5.")
]
_Keep = Annotated[
    bool, typer.Option("--keep-known", help="Put back, bit for bit, the pixels the corruption left alone.")
]
_Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="What the video shows.")]
_Class = Annotated[str | None, typer.Option("--class", metavar="NAME", help="The class of the video.")]
_Trace = Annotated[
    Path | None,
    typer.Option("--trace", metavar="DIR", help="Write every pass side by side, and its figures."),
]
_Size = Annotated[
    str, typer.Option("--size", metavar="HOW", help="Frames of another size: tile, resize or whole.")
]
_Overlap = Annotated[
    int | None,
    typer.Option(
        "--window-overlap", metavar="K", help="Frames that windows share; a quarter of a window if not said."
    ),
]
_Threshold = Annotated[
    float | None,
    typer.Option("--threshold", metavar="X", help="auto: stop when a pass changes less, of 255; 0.5."),
]
_Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="auto: passes at most; 8.")]
_HeldOut = Annotated[
    Path | None,
    typer.Option(
        "--held-out", metavar="REAL", help="auto, a set: stop when --metric against REAL stops improving."
    ),
]
_Metric = Annotated[
    str | None,
    typer.Option("--metric", metavar="NAME", help="Of --held-out (moviola evaluate --list); fvmd-lk."),
]
_SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Of a set: leave out clips that cannot be read; name them.")
]
_Layout = Annotated[
    str | None, typer.Option("--layout", metavar="NAME", help="Of a set: auto, videos, frames or strips.")
]
_Suffix = Annotated[
    str | None, typer.Option("--suffix", metavar=".EXT", help="Of a set's outputs; their own if not said.")
]
_Lossless = Annotated[
    bool, typer.Option("--lossless", help="Write every value as it is, where the format can.")
]
_Batch = Annotated[int, typer.Option("--batch", metavar="N", help="Windows or tiles at a time.")]


@example(
    "moviola refine generated.mp4 -o refined.mp4",
    "moviola refine generated.mp4 -o refined.mp4 --model regis-u --iterations 4 --trace trace",
    "moviola refine clips -o refined --model my-refiner --iterations auto --held-out real --metric fvmd-lk",
    "moviola refine generated.mp4 -o refined.mp4 --corruption held-block --keep-known --seed 1",
)
@recorded("refine")
def command(
    input: _Input,
    output: _Output,
    model: _Model = "regis-u",
    iterations: _Iterations = "2",
    corruption: _Corruption = None,
    strength: _Strength = None,
    keep_known: _Keep = False,
    text: _Text = None,
    label: _Class = None,
    trace: _Trace = None,
    size: _Size = "tile",
    window_overlap: _Overlap = None,
    threshold: _Threshold = None,
    limit: _Limit = None,
    held_out: _HeldOut = None,
    metric: _Metric = None,
    skip_bad: _SkipBad = False,
    layout: _Layout = None,
    suffix: _Suffix = None,
    lossless: _Lossless = False,
    batch: _Batch = 4,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Move generated video closer to real video: a network trained to mend real video, applied again and again.

    Any length, size and rate; the sound is kept. What was done to frames of another size than the network's is said.
    """
    started = time.perf_counter()
    settings = {
        "iterations": read_iterations(iterations), "corruption": corruption, "strength": strength,
        "keep_known": keep_known, "text": text, "label": label, "size": size, "overlap": window_overlap,
        "threshold": threshold, "limit": limit, "batch": batch, "seed": seed,
    }  # fmt: skip
    settings = {key: value for key, value in settings.items() if value is not None}
    of_set = {
        "held_out": held_out, "metric": metric, "layout": layout, "skip_bad": skip_bad, "suffix": suffix
    }  # fmt: skip
    done = _run(input, output, model, settings, of_set, trace, lossless, device, quiet or json)
    seconds = round(time.perf_counter() - started, 3)
    if json:
        emit(_report(done, seconds, trace))
    _tell(done, seconds, trace, quiet or json)


def read_iterations(text: str) -> int | str:
    """Return "auto" or the whole number in `text`.

    Raises:
        ConfigError: neither, or below 0.
    """
    if text.strip() == "auto":
        return "auto"
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise ConfigError(f"--iterations is {text}; it must be auto or a whole number of at least 0")
    return count


def _run(
    given: Path,
    output: str,
    model: str,
    settings: dict[str, Any],
    of_set: dict[str, Any],
    trace: Path | None,
    lossless: bool,
    device: str,
    quiet: bool,
) -> Refined | RefinedSet:
    """Look at the input, then load the model, then refine."""
    from moviola.core.progress import progress
    from moviola.data.codec.formats import write_suffix
    from moviola.pipelines.refine import make_plan, refine_file, refine_set
    from moviola.pipelines.refine.inputs import is_set, open_clips, open_one

    many = is_set(given)
    _check_set(of_set, many)
    _check_settings(settings, of_set)
    of_set = {**of_set, "metric": of_set["metric"] or "fvmd-lk", "layout": of_set["layout"] or "auto"}
    if many:
        clips, _ = open_clips(given, of_set["layout"], of_set["skip_bad"])
    else:
        clips = [open_one(given)]
        write_suffix(output)
    plan = make_plan(model, None, str(pick_device(device)), **settings)
    with progress("refining", _total(sum(clip.frames for clip in clips), plan), quiet) as tick:
        if many:
            return refine_set(given, output, plan, trace=trace, lossless=lossless, tick=tick, **of_set)
        return refine_file(given, output, plan, trace=trace, lossless=lossless, tick=tick)


def _check_set(of_set: dict[str, Any], many: bool) -> None:
    """Refuse what means nothing for a single video.

    Raises:
        ConfigError: there is such an option.
    """
    if many:
        return
    if of_set["held_out"] is not None:
        raise ConfigError(
            "--held-out compares sets of clips; IN is a single video, whose auto stops by --threshold"
        )
    if of_set["suffix"] is not None:
        raise ConfigError("--suffix is for a set of videos; name the output of a single one with -o")
    for name in ("layout", "skip_bad"):
        if of_set[name]:
            raise ConfigError(f"--{name.replace('_', '-')} is for a set of videos; IN is a single one")


def _check_settings(settings: dict[str, Any], of_set: dict[str, Any]) -> None:
    """Refuse options that would change nothing without another one, or beside it.

    Raises:
        ConfigError: there is one.
    """
    corruption, held_out = settings.get("corruption"), of_set["held_out"] is not None
    if "strength" in settings and corruption is None:
        raise ConfigError("--strength is that of --corruption; name one, or leave it out")
    if "strength" in settings and str(corruption).endswith(".json"):
        raise ConfigError(f"--strength has no effect with {corruption}: a mixture has strengths of its own")
    if "threshold" in settings and held_out:
        raise ConfigError("--threshold has no effect with --held-out, whose metric says when to stop")
    for name in ("threshold", "limit"):
        if name in settings and settings["iterations"] != "auto":
            raise ConfigError(f"--{name} is for --iterations auto, not for {settings['iterations']}")
    if of_set["metric"] is not None and not held_out:
        raise ConfigError("--metric judges passes against --held-out REAL; give that, or leave it out")


def _total(frames: int, plan: Plan) -> int | None:
    """Return how many frames the passes will finish together, None where that is not known."""
    count = plan.settings.iterations
    return None if isinstance(count, str) else frames * count


def _report(done: Refined | RefinedSet, seconds: float, trace: Path | None) -> dict[str, Any]:
    from moviola.pipelines.refine import Refined

    if isinstance(done, Refined):
        report: dict[str, Any] = {**_video(done), "seconds": seconds}
    else:
        report = {
            "output": done.output,
            "frames": sum(video.frames for video in done.videos),
            **{key: _common(done, key) for key in ("fps", "width", "height", "iterations")},
            "seconds": seconds,
            "notes": done.notes,
            "videos": [_video(video) for video in done.videos],
            "skipped": done.skipped,
        }
    return report if trace is None else {**report, "trace": trace}


def _video(video: Refined) -> dict[str, Any]:
    keys = ("output", "frames", "fps", "width", "height", "iterations", "notes")
    report = {key: getattr(video, key) for key in keys}
    return {**report, "passes": video.passes} if video.passes else report


def _common(done: RefinedSet, key: str) -> Any:
    """Return what all videos of a set have in common, None where they differ."""
    values = {getattr(video, key) for video in done.videos}
    return values.pop() if len(values) == 1 else None


def _tell(done: Refined | RefinedSet, seconds: float, trace: Path | None, quiet: bool) -> None:
    """Print what was done, for people."""
    from moviola.pipelines.refine import Refined

    videos = [done] if isinstance(done, Refined) else done.videos
    notes = [note for video in videos for note in video.notes]
    if not isinstance(done, Refined):
        notes += done.notes
        for name, reason in done.skipped:
            say(f"skipped {name}: {reason}", quiet=quiet)
    for note in dict.fromkeys(notes):
        count = notes.count(note)
        say(f"note: {note}" + (f" ({count} videos)" if count > 1 else ""), quiet=quiet)
    if isinstance(done, Refined):
        for row in done.passes:
            say(_figures(row), quiet=quiet)
        passes = "pass" if done.iterations == 1 else "passes"
        say(
            f"video  {done.output} ({done.frames} frames of {done.width}x{done.height}, {done.iterations} {passes})",
            quiet=quiet,
        )
    else:
        say(f"videos {done.output} ({len(done.videos)} of them)", quiet=quiet)
    if trace is not None:
        say(f"trace  {trace}", quiet=quiet)
    say(f"took   {seconds:.1f} s", quiet=quiet)


def _figures(row: dict[str, Any]) -> str:
    """Return the figures of one pass as a line."""

    def show(key: str) -> str:
        return "-" if row[key] is None else f"{row[key]:.4g}"

    keys = ("change", "sharpness", "flicker", "motion")
    return f"pass {row['pass']}  " + "  ".join(f"{key} {show(key)}" for key in keys)
