"""`moviola generate`: text to video."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Output, Quiet, Seed, Sheet, Upscale, emit, example, say
from moviola.cli.hub_options import Guidance, HubOptions, Negative, Size, Steps
from moviola.cli.recorded import recorded
from moviola.cli.written import check_output, write_pieces, write_sheet
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.pipelines.generate import Take
    from moviola.pipelines.refine import Plan as RefinePlan

_Prompt = Annotated[
    str, typer.Argument(help="What to show, in the model's words (moviola models show NAME).")
]
_Model = Annotated[
    str,
    typer.Option(
        "--model", metavar="NAME|DIR|hub:NAME", help="An embedded model, a folder, or a diffusers pipeline."
    ),
]
_Image = Annotated[Path | None, typer.Option("--image", metavar="FILE", help="Start from this frame.")]
_Then = Annotated[
    list[str] | None,
    typer.Option(
        "--then", metavar="PROMPT", help="What comes after it in the same film; any number of times."
    ),
]
_Join = Annotated[
    str | None,
    typer.Option(
        "--join", metavar="cut|carry", help="Go on from a first frame drawn anew, or from the newest."
    ),
]
_Frames = Annotated[
    int | None, typer.Option("--frames", metavar="N", help="Number of frames, any; with --then of each part.")
]
_Fps = Annotated[float | None, typer.Option("--fps", metavar="F", help="Frames a second.")]
_Index = Annotated[
    int,
    typer.Option("--index", metavar="K", min=0, help="Make video K of the seed, as mv.generate(index=K)."),
]
_Num = Annotated[int, typer.Option("--num", metavar="K", help="Make K videos: FILE-0, FILE-1, ...")]
_Refine = Annotated[
    int, typer.Option("--refine", metavar="N", help="Refine it by N passes (moviola refine).")
]
_Mend = Annotated[
    bool, typer.Option("--mend", help="Mend flicker, seams, drift and repeated frames (moviola mend).")
]
_Refiner = Annotated[
    str | None, typer.Option("--refiner", metavar="NAME|DIR", help="With which refiner; regis-u.")
]


@example(
    'moviola generate "a person with green hair and a white shirt walks to the left" -o walk.mp4 --upscale 4',
    'moviola generate "a person waves both hands" --model actions --frames 40 -o wave.gif',
    'moviola generate "an orc casts a spell" --refine 2 -o orc.mp4',
    'moviola generate "a person walks to the left" --then "walks to the right" --then slashes -o film.mp4',
    'moviola generate "a panda eats bamboo" --model hub:ali-vilab/text-to-video-ms-1.7b -o panda.mp4',
)
@recorded("generate")
def command(
    prompt: _Prompt,
    output: Output,
    then: _Then = None,
    join: _Join = None,
    model: _Model = "sprites",
    image: _Image = None,
    frames: _Frames = None,
    fps: _Fps = None,
    num: _Num = 1,
    index: _Index = 0,
    upscale: Upscale = 1,
    sheet: Sheet = None,
    refine: _Refine = 0,
    refiner: _Refiner = None,
    mend: _Mend = False,
    size: Size = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a video from a text, or from a text and a first frame.

    What the prompt leaves open is drawn by the seed. Words the model does not know are named and ignored. What a later
    prompt (--then) leaves open stays as it was.
    """
    started = time.perf_counter()
    outputs = _outputs(output, num, sheet)
    options = HubOptions(size, steps, guidance, negative)
    _check_numbers(upscale, frames, refine)
    options.check(model)
    place = str(pick_device(device))
    if refiner is not None and not refine:
        raise ConfigError(f"--refiner {refiner} has no effect without --refine N; give it, or leave it out")
    polish = _refine_plan(refiner, refine, place, model)
    from moviola.pipelines.generate import takes as plan_takes

    how: dict[str, Any] = {
        "image": image,
        "frames": frames,
        "fps": fps,
        "seed": seed,
        "first": index,
        "device": place,
    }
    how |= {"then": then or (), "join": join}
    takes = plan_takes(prompt, model, num, **how, settings=options.settings())
    made = _make(takes, outputs, polish, upscale, quiet or json, mend, index)
    if sheet is not None:
        write_sheet([one.head for one in made], sheet)
    seconds = round(time.perf_counter() - started, 3)
    if json:
        how_refined = {"refined": {"model": refiner or _REFINER, "iterations": refine}} if polish else {}
        emit({**_report(made, seconds, sheet), **how_refined})
    _tell(made, prompt, seconds, sheet, quiet or json)


_REFINER = "regis-u"  # used unless one is named


@dataclass(frozen=True)
class _Made:
    """A video that was written: where, of what take, its first frames, and its size."""

    path: str
    take: Take
    head: Video

    @property
    def size(self) -> str:
        return f"{self.head.width}x{self.head.height}"


def _check_numbers(upscale: int, frames: int | None, refine: int) -> None:
    for name, value, least in (("--upscale", upscale, 1), ("--frames", frames, 1), ("--refine", refine, 0)):
        if value is not None and value < least:
            raise ConfigError(f"{name} is {value}; it must be at least {least}")


def _refine_plan(refiner: str | None, iterations: int, device: str, model: str) -> RefinePlan | None:
    """Load the refiner before anything is made; None where there is nothing to do.

    The usual refiner leaves alone what it is not known to better, with a note; one that is asked for does what it can.
    """
    if not iterations:
        return None
    from moviola.core.provenance import declare
    from moviola.pipelines.refine import make_plan

    declare(models={"refiner": [refiner or _REFINER]})
    plan = make_plan(refiner or _REFINER, device=device, iterations=iterations)
    plan.note_on_generator(model, left=refiner is None)
    return plan if refiner is not None or plan.betters(model) else None


def _make(
    takes: Iterable[Take],
    outputs: list[str],
    polish: RefinePlan | None,
    upscale: int,
    quiet: bool,
    mend: bool = False,
    first: int = 0,
) -> list[_Made]:
    """Write one take after the other; what is to be noted is told before. Refiners are told what is drawn, in full."""
    from moviola.core.provenance import as_if

    if isinstance(takes, list):  # planned ahead: all notes first
        _tell_notes(takes, quiet)
    made: list[_Made] = []
    for index, (path, take) in enumerate(zip(outputs, takes, strict=True), first):
        if not isinstance(takes, list):
            _tell_notes([take], quiet)
        shown = take if polish is None else _refined(take, polish)
        shown = _mended(shown) if mend else shown
        with as_if(path, num=1, index=index):
            head = write_pieces(shown.pieces(), path, shown.fps, shown.frames, upscale, quiet)
        if polish is not None:
            take = _with_notes(take, polish, head.height // upscale, head.width // upscale, quiet)
        made.append(_Made(path, take, head))
    return made


def _refined(take: Take, plan: RefinePlan) -> Take:
    """Return the take with its pieces refined, each part by itself: the refiner is told what that part shows."""
    from moviola.pipelines.generate import Part
    from moviola.pipelines.refine import refine_stream

    parts = take.parts or (Part(take.caption, 0, take.frames),)

    def pieces() -> Iterator[Video]:
        drawn = take.pieces()
        for part in parts:
            yield from refine_stream(_next_frames(drawn, part.frames), plan.telling(part.caption))

    return replace(take, pieces=pieces)


def _mended(take: Take) -> Take:
    """Return the take with what is broken in its frames mended, before it is written."""
    from moviola.pipelines.mend import mend_stream

    return replace(take, pieces=lambda: mend_stream(take.pieces()))


def _next_frames(pieces: Iterator[Video], frames: int) -> Iterator[Video]:
    """Yield the pieces that hold the next `frames` frames."""
    while frames > 0 and (piece := next(pieces, None)) is not None:
        frames -= len(piece)
        yield piece


def _with_notes(take: Take, plan: RefinePlan, height: int, width: int, quiet: bool) -> Take:
    """Say what refining did to a video of this size and length, and put it with the take's notes."""
    from moviola.pipelines.refine import notes_on

    frames = take.parts[0].frames if take.parts else take.frames
    notes = tuple(notes_on(plan, frames, height, width))
    _tell_notes([replace(take, notes=notes)], quiet)
    return replace(take, notes=(*take.notes, *notes))


def _tell_notes(takes: list[Take], quiet: bool) -> None:
    for note in dict.fromkeys(note for take in takes for note in take.notes):
        say(f"note: {note}", quiet=quiet)


def _tell(made: list[_Made], prompt: str, seconds: float, sheet: Path | None, quiet: bool) -> None:
    """Print what was made, for people."""
    for one in made:
        changes = "".join(
            f"then   {part.caption} (from frame {part.first_frame})\n" for part in one.take.parts[1:]
        )
        say(
            f"asked  {prompt}\ndrawn  {one.take.caption}\n{changes}"
            f"video  {one.path} ({one.take.frames} frames of {one.size})",
            quiet=quiet,
        )
    if sheet is not None:
        say(f"sheet  {sheet}", quiet=quiet)
    say(f"took   {seconds:.1f} s", quiet=quiet)


def _outputs(output: str, num: int, sheet: Path | None) -> list[str]:
    """Return the paths to write, checked before anything heavy is loaded."""
    from moviola.data.codec.formats import write_suffix

    if num < 1:
        raise ConfigError(f"--num is {num}; it must be at least 1")
    check_output(output, sheet)
    suffix = write_suffix(output)
    if num == 1:
        return [output]
    path = Path(output)
    end = path.suffix if suffix else "/"
    return [f"{path.with_suffix('') if suffix else path}-{k}{end}" for k in range(num)]


def _report(made: list[_Made], seconds: float, sheet: Path | None) -> dict[str, Any]:
    first = made[0]
    report: dict[str, Any] = {
        "output": first.path,
        "frames": first.take.frames,
        "fps": float(first.take.fps),
        "width": first.head.width,
        "height": first.head.height,
        "seconds": seconds,
        "caption": first.take.caption,
        "notes": list(first.take.notes),
    }
    if len(made) > 1:
        report["outputs"] = [one.path for one in made]
        report["captions"] = [one.take.caption for one in made]
    if first.take.parts:
        report["parts"] = [asdict(part) for part in first.take.parts]
        if len(made) > 1:
            report["all_parts"] = [[asdict(part) for part in one.take.parts] for one in made]
    if sheet is not None:
        report["sheet"] = str(sheet)
    return report
