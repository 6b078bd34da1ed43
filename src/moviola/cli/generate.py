"""`moviola generate`: text to video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, Seed, emit, example, say
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.models.textvideo import TextToVideo
    from moviola.pipelines.generate import Plan

_SHEET_FRAMES = 32

_Prompt = Annotated[
    str, typer.Argument(help="What to show, in the model's words (moviola models show NAME).")
]
_Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write; FOLDER/ for a folder of frames."),
]
_Model = Annotated[str, typer.Option("--model", metavar="NAME|DIR", help="An embedded model, or a folder.")]
_Image = Annotated[Path | None, typer.Option("--image", metavar="FILE", help="Start from this frame.")]
_Frames = Annotated[int | None, typer.Option("--frames", metavar="N", help="Number of frames, any.")]
_Fps = Annotated[float | None, typer.Option("--fps", metavar="F", help="Frames a second.")]
_Num = Annotated[int, typer.Option("--num", metavar="K", help="Make K videos: FILE-0, FILE-1, ...")]
_Upscale = Annotated[int, typer.Option("--upscale", metavar="N", help="Enlarge N times, nearest neighbour.")]
_Sheet = Annotated[Path | None, typer.Option("--sheet", metavar="PNG", help="Also write a contact sheet.")]


@example(
    'moviola generate "a person with green hair and a white shirt walks to the left" -o walk.mp4 --upscale 4',
    'moviola generate "a person waves both hands" --model actions --frames 40 -o wave.gif',
)
def command(
    prompt: _Prompt,
    output: _Output,
    model: _Model = "sprites",
    image: _Image = None,
    frames: _Frames = None,
    fps: _Fps = None,
    num: _Num = 1,
    upscale: _Upscale = 1,
    sheet: _Sheet = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a video from a text, or from a text and a first frame.

    What the prompt leaves open is drawn by the seed. Words the model does not know are named and ignored.
    """
    started = time.perf_counter()
    outputs = _outputs(output, num, sheet)
    if upscale < 1 or (frames is not None and frames < 1):
        name, value = ("--upscale", upscale) if upscale < 1 else ("--frames", frames)
        raise ConfigError(f"{name} is {value}; it must be at least 1")
    from moviola.models.catalog import load
    from moviola.pipelines.generate import plan

    loaded = load(model, str(pick_device(device)))
    count = loaded.config.frames if frames is None else frames
    plans = [plan(prompt, loaded, image=image, fps=fps, seed=seed, index=k) for k in range(num)]
    quiet_or_json = quiet or json
    for note in dict.fromkeys(note for p in plans for note in p.notes):
        say(f"note: {note}", quiet=quiet_or_json)
    seen: list[Video] = []
    for k, (path, planned) in enumerate(zip(outputs, plans, strict=True)):
        seen.append(_write(loaded, planned, path, count, upscale, seed, k, quiet_or_json))
    if sheet is not None:
        _write_sheet(seen, sheet)
    size = loaded.config.size * upscale
    seconds = round(time.perf_counter() - started, 3)
    if json:
        emit(_report(outputs, plans, count, size, seconds, sheet))
    for path, planned in zip(outputs, plans, strict=True):
        say(
            f"asked  {prompt}\ndrawn  {planned.caption}\nvideo  {path} ({count} frames of {size}x{size})",
            quiet=quiet_or_json,
        )
    if sheet is not None:
        say(f"sheet  {sheet}", quiet=quiet_or_json)
    say(f"took   {seconds:.1f} s", quiet=quiet_or_json)


def _outputs(output: str, num: int, sheet: Path | None) -> list[str]:
    """Return the paths to write, checked before anything heavy is loaded."""
    from moviola.data.codec.formats import write_suffix

    if num < 1:
        raise ConfigError(f"--num is {num}; it must be at least 1")
    suffix = write_suffix(output)
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise OutputError(f"--sheet {sheet} is no .png; a contact sheet is a PNG picture")
    for path in filter(None, (Path(output), sheet)):
        if not path.parent.is_dir():
            raise OutputError(f"no folder {path.parent} to write {path.name} into; make it first")
    if num == 1:
        return [output]
    path = Path(output)
    end = path.suffix if suffix else "/"
    return [f"{path.with_suffix('') if suffix else path}-{k}{end}" for k in range(num)]


def _write(
    model: TextToVideo,
    planned: Plan,
    path: str,
    frames: int,
    upscale: int,
    seed: int,
    index: int,
    quiet: bool,
) -> Video:
    """Write one video in pieces; return its first frames for the sheet."""
    from moviola.core.progress import progress
    from moviola.core.video import Video
    from moviola.data.codec import Writer
    from moviola.pipelines.generate import generate_stream

    head: list[Video] = []
    with Writer(path, planned.fps) as writer, progress("generating", frames, quiet) as tick:
        for piece in generate_stream(model, planned, frames, seed=seed, index=index):
            piece = piece.scale(upscale)
            writer.write(piece)
            tick(len(piece))
            if sum(map(len, head)) < _SHEET_FRAMES:
                head.append(piece)
    return Video.concat(head)[:_SHEET_FRAMES]


def _write_sheet(videos: list[Video], path: Path) -> None:
    import numpy as np
    from PIL import Image

    from moviola.core.video import Video
    from moviola.core.weights import write_atomic

    columns = min(8, len(videos[0]))
    picture = Image.fromarray(np.ascontiguousarray(Video.concat(videos).contact_sheet(columns=columns)))
    import io

    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_atomic(path, buffer.getvalue())


def _report(
    outputs: list[str], plans: list[Plan], frames: int, size: int, seconds: float, sheet: Path | None
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "output": str(outputs[0]),
        "frames": frames,
        "fps": float(plans[0].fps),
        "width": size,
        "height": size,
        "seconds": seconds,
        "caption": plans[0].caption,
        "notes": list(plans[0].notes),
    }
    if len(outputs) > 1:
        report["outputs"] = [str(p) for p in outputs]
        report["captions"] = [p.caption for p in plans]
    if sheet is not None:
        report["sheet"] = str(sheet)
    return report
