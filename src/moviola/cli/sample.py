"""`moviola sample`: many videos of one model, into a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, Seed, Sheet, emit, example, say
from moviola.cli.hub_options import HUB, Guidance, HubOptions, Steps
from moviola.cli.recorded import recorded
from moviola.cli.written import read_span
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.sample import Sampling
    from moviola.pipelines.sample_folder import Report, SampleFolder

_Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="An embedded model, a folder, or hub: and a diffusers pipeline."),
]
_Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write 00000.mp4, 00001.mp4 ... into.")
]
_Num = Annotated[int, typer.Option("--num", "-n", metavar="N", help="How many videos.")]
_First = Annotated[int, typer.Option("--first", metavar="K", min=0, help="Begin with video K of the seed.")]
_Frames = Annotated[int | None, typer.Option("--frames", metavar="T", help="Frames of each.")]
_Fps = Annotated[float | None, typer.Option("--fps", metavar="F", help="Frames a second.")]
_Time = Annotated[
    str | None, typer.Option("--time", metavar="A:B", help="From second A to B; with a continuous clock.")
]
_Loop = Annotated[bool, typer.Option("--loop", help="Let the last frame lead into the first; as --time.")]
_Prompt = Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="What every video shows.")]
_Captions = Annotated[
    Path | None,
    typer.Option("--captions", metavar="FILE", help="What each shows, in turn: .csv, .jsonl or .txt."),
]
_Format = Annotated[
    str, typer.Option("--format", metavar="KIND", help="mp4, webm, mkv, gif, webp, npz or png-folders.")
]
_Size = Annotated[
    str | None,
    typer.Option("--size", metavar="WxH", help="hub: models and spaces of videos: width and height, px."),
]
_Method = Annotated[
    str | None,
    typer.Option("--method", metavar="NAME", help="Spaces of videos: prior, slerp, gaussian or mixture."),
]


@example(
    "moviola sample sprites -o samples --num 64",
    'moviola sample actions -o waving --num 8 --prompt "a person waves both hands" --frames 40 --format webp',
    "moviola sample freqmotion-toy -o toys --time 0:4 --fps 30 --loop",
    "moviola sample inrv-smileys -o faces --num 8 --size 256x256 --method prior",
    "moviola sample sprites -o told --captions told.txt --sheet told.png",
)
@recorded("sample")
def command(
    model: _Model,
    output: _Output,
    num: _Num = 16,
    first: _First = 0,
    frames: _Frames = None,
    fps: _Fps = None,
    time_span: _Time = None,
    loop: _Loop = False,
    prompt: _Prompt = None,
    captions: _Captions = None,
    format: _Format = "mp4",
    sheet: Sheet = None,
    size: _Size = None,
    steps: Steps = None,
    guidance: Guidance = None,
    method: _Method = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw many videos from a model, told a text or not, into a folder.

    Video n follows from the seed and n alone, so several runs can share the work (--first). The same command goes on
    where it was stopped, and with a larger --num draws those that are missing. A model that is told a text draws its
    captions by the seed unless it is given some; they are written to DIR/captions.csv.
    """
    started = time.perf_counter()
    options = HubOptions(size, steps, guidance)
    _check(num, frames, sheet)
    options.check(model, _own(model))
    from moviola.core.progress import progress
    from moviola.data.pictures import write_png
    from moviola.pipelines.sample_folder import SampleFolder, sample_settings, sample_sheet, write_samples

    place = SampleFolder(output, format)
    clock = {"span": read_span(time_span), "loop": loop, "method": method}
    sampling = _open(model, prompt, captions, frames, fps, clock, options, seed, device)
    hub = {"size": size, "steps": steps, "guidance": guidance, "time": time_span, "loop": loop or None}
    hub["method"] = method
    settings = sample_settings(model, sampling, place, **{k: v for k, v in hub.items() if v is not None})
    with progress("sampling", num, quiet or json) as tick:
        written = write_samples(
            sampling, place, num, settings, first=first, tick=tick,
            note=lambda text: say(f"note: {text}", quiet=quiet, as_json=json),
        )  # fmt: skip
    if sheet is not None:
        write_png(sheet, sample_sheet(place, num, first))
    report = _report(sampling, place, num, first, sheet, written, round(time.perf_counter() - started, 3))
    if json:
        emit(report)
    _tell(report, quiet or json)


def _check(num: int, frames: int | None, sheet: Path | None) -> None:
    for name, value in (("--num", num), ("--frames", frames)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; it must be at least 1")
    if sheet is not None:
        from moviola.data.pictures import check_png

        check_png(sheet, "a contact sheet")


def _own(model: str) -> tuple[str, ...]:
    """Return which options of pipelines of diffusers a model of ours takes, too."""
    if model.startswith(HUB):
        return ()
    from moviola.models.catalog import is_space

    return ("size",) if is_space(model) else ()


def _open(
    model: str,
    prompt: str | None,
    captions: Path | None,
    frames: int | None,
    fps: float | None,
    clock: dict[str, Any],
    options: HubOptions,
    seed: int,
    device: str,
) -> Sampling:
    from moviola.core.devices import pick_device
    from moviola.pipelines.sample import open_sampling
    from moviola.pipelines.sample_folder import read_caption_list

    hub = options.settings()
    return open_sampling(
        model,
        prompt=prompt,
        captions=None if captions is None else read_caption_list(captions),
        frames=frames,
        fps=fps,
        **clock,
        size=hub.size,
        steps=hub.steps,
        guidance=hub.guidance,
        seed=seed,
        device=str(pick_device(device)),
    )


def _report(
    sampling: Sampling,
    place: SampleFolder,
    num: int,
    first: int,
    sheet: Path | None,
    written: Report,
    seconds: float,
) -> dict[str, Any]:
    from moviola.data.codec import probe
    from moviola.pipelines.sample_folder import CAPTIONS_NAME

    info = probe(place.file(first))
    report: dict[str, Any] = {
        "output": str(place.path),
        "videos": num,
        "drawn": written.drawn,
        "frames": info.frames,
        "fps": float(sampling.rate),
        "width": info.width,
        "height": info.height,
        "seconds": seconds,
        "notes": written.notes,
    }
    if sampling.generator.is_conditional:
        report["captions"] = str(place.path / CAPTIONS_NAME)
    if sheet is not None:
        report["sheet"] = str(sheet)
    return report


def _tell(report: dict[str, Any], quiet: bool) -> None:
    size = f"{report['frames']} frames of {report['width']}x{report['height']}"
    say(f"videos    {report['output']} ({report['videos']} of {size})", quiet=quiet)
    if report["drawn"] < report["videos"]:
        say(f"          {report['videos'] - report['drawn']} of them were there already", quiet=quiet)
    for key in ("captions", "sheet"):
        if key in report:
            say(f"{key:<9} {report[key]}", quiet=quiet)
    say(f"took      {report['seconds']:.1f} s", quiet=quiet)
