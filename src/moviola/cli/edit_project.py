"""`moviola edit project`: the video of a model that comes nearest to a real clip."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Output, Quiet, Seed, Upscale, emit, example, say
from moviola.cli.recorded import recorded
from moviola.cli.written import check_output, write_pieces, write_sheet
from moviola.core.devices import pick_device

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.models.freqmotion import FreqMotionGenerator
    from moviola.pipelines.edit.clock import Clock
    from moviola.pipelines.edit.project import Projection

_Clip = Annotated[Path, typer.Argument(metavar="CLIP", help="A video, or a folder of frames.")]
_Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="freqmotion-toy, or a folder of moviola train freqmotion_..."
    ),
]
_Save = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Also write the codes (.safetensors), to edit them."),
]
_Frames = Annotated[
    int | None,
    typer.Option("--frames", metavar="T", help="Frames of the clip; as long as the model's clips were."),
]
_Fps = Annotated[
    float | None, typer.Option("--fps", metavar="F", help="Take the clip at F frames a second, not its own.")
]
_Steps = Annotated[int, typer.Option("--steps", metavar="N", help="Steps of the fit.")]
_Rate = Annotated[float, typer.Option("--rate", metavar="X", help="Learning rate of the fit.")]
_Starts = Annotated[
    int, typer.Option("--starts", metavar="N", help="Drawn videos to choose the fit's start from.")
]
_Sheet = Annotated[
    Path | None, typer.Option("--sheet", metavar="PNG", help="Also write a sheet: the clip above, then this.")
]
_COLUMNS = 8


@example(
    "moviola edit project clip.mp4 --model freqmotion-toy -o projected.mp4",
    "moviola edit project clip.mp4 --model freqmotion-toy --save clip.safetensors --sheet clip.png -o projected.gif",
)
@recorded("edit project")
def command(
    clip: _Clip,
    model: _Model,
    output: Output,
    save: _Save = None,
    frames: _Frames = None,
    fps: _Fps = None,
    steps: _Steps = 300,
    rate: _Rate = 0.05,
    starts: _Starts = 64,
    upscale: Upscale = 1,
    sheet: _Sheet = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the content, the motion and the noise that make a model draw what comes nearest to a clip.

    The clip is cropped to the centred square and brought to the model's size. Its first frame is at second 0.
    """
    started = time.perf_counter()
    from moviola.data.codec import Writer
    from moviola.models.catalog import load_banded
    from moviola.pipelines.edit.clock import make_clock
    from moviola.pipelines.edit.codes import check_codes
    from moviola.pipelines.edit.project import read_clip

    check_output(output, sheet, upscale)
    if save is not None:
        check_codes(save)
    network = load_banded(model, str(pick_device(device)))
    video, left_out = read_clip(network, clip, frames, fps)
    clock = make_clock(network, frames=len(video), fps=video.fps)
    Writer(output, clock.fps)  # what it refuses, it refuses before the work
    options = {"steps": steps, "rate": rate, "starts": starts, "seed": seed}
    result = _project(network, video, clock, options, quiet or json)
    _remark(result, clip)
    head = _write(network, clock, result, output, upscale, save, quiet or json)
    if sheet is not None:
        _write_sheet(network, video, head, upscale, sheet)
    seconds = round(time.perf_counter() - started, 3)
    report = _report(result, clock, head, {"output": output, "codes": save, "sheet": sheet}, seconds)
    report["notes"] = [left_out] if left_out else []
    if json:
        emit(report)
    _tell(report, quiet or json)


def _project(
    model: FreqMotionGenerator, video: Video, clock: Clock, options: dict[str, Any], quiet: bool
) -> Projection:
    from moviola.core.progress import progress
    from moviola.pipelines.edit.project import fit_clip, project

    with progress("fitting", options["steps"], quiet) as tick:
        return project(model, fit_clip(model, video), clock.times, tick=tick, **options)


def _remark(result: Projection, clip: Path) -> None:
    """Say of a clip what makes its projection doubtful."""
    from moviola.core.notes import note

    if result.is_still_near:
        note(
            f"{clip}: its frames are nearly alike (a still has a PSNR of {result.still:.1f} dB), "
            "so the motion that was found says little"
        )
    if result.stands_still:
        note(
            f"{clip}: the projection hardly moves ({result.motion:.2f} of the clip's motion); "
            "try more steps, or more starts"
        )


def _write(
    model: FreqMotionGenerator,
    clock: Clock,
    result: Projection,
    output: str,
    upscale: int,
    save: Path | None,
    quiet: bool,
) -> Video:
    """Write the video and the codes; return the video's first frames."""
    from moviola.pipelines.edit.codes import SavedCodes, save_codes
    from moviola.pipelines.edit.motion import MotionEdit, draw_edited

    pieces = draw_edited(model, clock, edit=MotionEdit(own=result.codes))
    head = write_pieces(pieces, output, clock.fps, len(clock), upscale, quiet)
    if save is not None:
        save_codes(save, model, SavedCodes(result.codes, len(clock), clock.fps))
    return head


def _write_sheet(model: FreqMotionGenerator, clip: Video, head: Video, upscale: int, path: Path) -> None:
    """Write up to eight frames of the clip as the model sees it, and the same of its projection beneath."""
    import numpy as np

    from moviola.core.video import Video
    from moviola.pipelines.edit.project import fit_clip

    count = min(_COLUMNS, len(head))
    chosen = np.linspace(0, len(head) - 1, count).round().astype(int)
    fitted = Video.from_tensor(fit_clip(model, clip), clip.fps).scale(upscale)
    write_sheet([Video(v.frames[chosen], v.fps) for v in (fitted, head)], path)


def _report(
    result: Projection, clock: Clock, head: Video, paths: dict[str, Any], seconds: float
) -> dict[str, Any]:
    report = {
        "frames": len(clock),
        "fps": float(clock.fps),
        "width": head.width,
        "height": head.height,
        "seconds": seconds,
        "psnr": result.psnr,
        "still": result.still,
        "motion": result.motion,
        "start": result.start,
    }
    return {"output": paths["output"], **report} | {k: str(v) for k, v in paths.items() if v is not None}


def _tell(report: dict[str, Any], quiet: bool) -> None:
    """Print what was fitted, for people."""
    for text in report["notes"]:
        say(f"note: {text}", quiet=quiet)
    say(f"psnr   {report['psnr']:.1f} dB; a still of the clip has {report['still']:.1f} dB", quiet=quiet)
    say(f"motion {report['motion']:.2f} of the clip's", quiet=quiet)
    if "codes" in report:
        say(f"codes  {report['codes']}", quiet=quiet)
    size = f"{report['frames']} frames of {report['width']}x{report['height']}"
    say(f"video  {report['output']} ({size}, {report['seconds']:.1f} s)", quiet=quiet)
