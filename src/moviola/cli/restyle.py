"""moviola restyle: paint the key frames of a video and carry the paint to the frames between."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, emit, example, say
from moviola.cli.recorded import recorded
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.restyle import Plan, RestyleConfig, Restyled

_Input = Annotated[Path, typer.Argument(metavar="IN", help="A video, or a folder of frames.")]
_Prompt = Annotated[
    str, typer.Argument(metavar="[PROMPT]", help='What the painted frames show; for --painter "diffusion".')
]
_Output = Annotated[
    str, typer.Option("--output", "-o", metavar="OUT", help="File to write; FOLDER/ for frames.")
]
_Painter = Annotated[
    str | None,
    typer.Option(
        "--painter",
        metavar="NAME",
        help="sketch, watercolor, oil, cartoon, ink or diffusion; with a prompt diffusion, else watercolor.",
    ),
]
_Strength = Annotated[float | None, typer.Option("--strength", metavar="X", help="Of the paint, up to 1.")]
_Model = Annotated[
    str | None, typer.Option("--model", metavar="NAME|PATH", help="diffusion: SD 1.5, SD 2 or SDXL.")
]
_Control = Annotated[
    list[str] | None,
    typer.Option(
        "--control", metavar="KIND[=X]", help="diffusion: a ControlNet and its strength; repeatable."
    ),
]
_Lora = Annotated[
    list[str] | None,
    typer.Option("--lora", metavar="PATH[=X]", help="diffusion: a LoRA and its weight; repeatable."),
]
_Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="NAME", help="diffusion: ddim, dpm-2m, unipc, euler, lcm ..."),
]
_Steps = Annotated[int | None, typer.Option("--steps", metavar="N", help="diffusion: denoising steps.")]
_Method = Annotated[
    str | None,
    typer.Option("--method", metavar="NAME", help="How key frames are chosen (moviola keyframes)."),
]
_Interval = Annotated[
    int | None, typer.Option("--interval", metavar="N", help="Frames from key to key; 10, and 1 paints all.")
]
_Count = Annotated[int | None, typer.Option("--count", metavar="K", help="Exactly so many keys instead.")]
_Anchor = Annotated[
    str | None, typer.Option("--anchor", metavar="HOW", help="diffusion: first, shot or adaptive.")
]
_Propagation = Annotated[
    str | None, typer.Option("--propagation", metavar="HOW", help="patch (best), warp (fast) or linear.")
]
_Flow = Annotated[str | None, typer.Option("--flow", metavar="NAME", help="Optical flow: dis, lk or raft.")]
_Crop = Annotated[
    str | None, typer.Option("--crop", metavar="L,T,R,B", help="Cut off first: left, top, right, bottom, px.")
]
_Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask",
        metavar="FILE",
        help="Repaint what is white here: a grey video or folder, a picture, or 000010.png ... for some frames.",
    ),
]
_Invert = Annotated[bool, typer.Option("--invert-mask", help="Repaint what is black in the mask.")]
_Feather = Annotated[
    float | None, typer.Option("--mask-feather", metavar="PX", help="Let the paint set in over PX; 0.")
]
_Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="JSON", help="Settings: ours, or a Rerender-A-Video config."),
]
_Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; repeatable.")
]
_Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="DIR", help="Your own painted key frames, 000010.png for frame 10."),
]
_First = Annotated[bool, typer.Option("--first-only", help="Paint the first frame alone, into OUT (a .png).")]
_Work = Annotated[
    Path | None,
    typer.Option("--work", metavar="DIR", help="Work here and keep it; else OUT.work, removed in the end."),
]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with the work that is there.")]
_Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Parts carried at a time; 2 for long work."),
]
_Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, help="Same seed, same result; 0, or the config's.")
]
_Mend = Annotated[
    bool, typer.Option("--mend", help="Mend flicker and seams by the motion of IN (moviola mend --guide IN).")
]
_Lossless = Annotated[
    bool, typer.Option("--lossless", help="Write every value as it is, where the format can.")
]


@example(
    "moviola restyle clip.mp4 --painter watercolor -o painted.mp4",
    'moviola restyle clip.mp4 "an oil painting of a woman" --painter diffusion --control canny=0.6 '
    "--control hed=0.8 -o painted.mp4",
    "moviola restyle clip.mp4 --painter ink --first-only -o look.png",
    "moviola restyle clip.mp4 --keys painted-by-hand --work work -o painted.mp4",
    "moviola restyle clip.mp4 --painter oil --mask person.mp4 -o painted.mp4",
)
@recorded("restyle")
def command(
    input: _Input,
    output: _Output,
    prompt: _Prompt = "",
    painter: _Painter = None,
    strength: _Strength = None,
    model: _Model = None,
    control: _Control = None,
    lora: _Lora = None,
    scheduler: _Scheduler = None,
    steps: _Steps = None,
    method: _Method = None,
    interval: _Interval = None,
    count: _Count = None,
    anchor: _Anchor = None,
    propagation: _Propagation = None,
    flow: _Flow = None,
    crop: _Crop = None,
    mask: _Mask = None,
    invert_mask: _Invert = False,
    mask_feather: _Feather = None,
    config: _Config = None,
    set: _Set = None,
    keys: _Keys = None,
    first_only: _First = False,
    work: _Work = None,
    resume: _Resume = False,
    workers: _Workers = None,
    lossless: _Lossless = False,
    mend: _Mend = False,
    seed: _Seed = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Restyle a real video: choose key frames, paint them, carry the paint to the frames between.

    A filter (--painter watercolor ...) needs no weights; "diffusion" repaints by a text with Stable Diffusion. The
    result has the input's frames, size, rate and sound.
    """
    from moviola.pipelines.restyle import Plan

    started = time.perf_counter()
    given = {
        "painter": painter, "prompt": prompt or None,
        "flow": flow, "crop": None if crop is None else _crop(crop), "seed": seed,
        "keys.method": method, "keys.interval": interval, "keys.count": count,
        "mask.file": None if mask is None else str(mask), "mask.invert": invert_mask or None,
        "mask.feather": mask_feather, "propagation.method": propagation, "diffusion.model": model,
        "diffusion.scheduler": scheduler, "diffusion.steps": steps, "diffusion.anchor.mode": anchor,
        "diffusion.controls": _controls(control), "diffusion.loras": _loras(lora),
    }  # fmt: skip
    settings, notes = _settings(config, given, strength, set or [])
    _check_options({**given, "strength": strength, "workers": workers}, settings, keys, first_only)
    plan = Plan(work, resume, keys, workers, str(pick_device(device)))
    run = _run_and_mend if mend and not first_only else _run
    done = run(input, output, settings, plan, first_only, lossless, quiet or json)
    name = settings.painter if keys is None else None  # keys of one's own: nothing was painted by a painter
    _tell(done, name, [*notes, *done.notes], round(time.perf_counter() - started, 3), json, quiet)


def _tell(
    done: Restyled, painter: str | None, notes: list[str], seconds: float, json: bool, quiet: bool
) -> None:
    """Print what was done, for programs or for people."""
    if json:
        shape = {key: getattr(done, key) for key in ("output", "frames", "fps", "width", "height")}
        emit({**shape, "seconds": seconds, "painter": painter, "keys": done.keys, "notes": notes})
    for note in notes:
        say(f"note: {note}", quiet=quiet or json)
    what = "picture" if done.output.endswith(".png") else "video  "
    size = f"{done.frames} frames of {done.width}x{done.height}, {len(done.keys)} painted"
    say(f"{what} {done.output} ({size})", quiet=quiet or json)
    say(f"took    {seconds:.1f} s", quiet=quiet or json)


def _run(
    given: Path,
    output: str,
    settings: RestyleConfig,
    plan: Plan,
    first_only: bool,
    lossless: bool,
    quiet: bool,
) -> Restyled:
    from dataclasses import replace

    from moviola.core.progress import progress
    from moviola.data import codec
    from moviola.pipelines.restyle import paint_first, restyle_file

    if first_only:
        return paint_first(given, output, settings, plan)
    with progress("restyling", codec.probe(given).frames, quiet) as tick:
        return restyle_file(given, output, settings, replace(plan, tick=tick), lossless=lossless)


def _run_and_mend(
    given: Path,
    output: str,
    settings: RestyleConfig,
    plan: Plan,
    first_only: bool,
    lossless: bool,
    quiet: bool,
) -> Restyled:
    """Paint into a temporary file without loss, and write it mended; motion is read in the input, if it is not cropped.

    Raises:
        ConfigError: work that is to be gone on with has no name, or there is a mask, outside which all stays.
    """
    import tempfile
    from dataclasses import replace

    from moviola.cli.written import check_output
    from moviola.pipelines.mend import mend_file

    check_output(output, None)
    if settings.mask.file is not None:
        raise ConfigError(
            "--mend would change what is outside the mask; mend the clip first, or leave one of them out"
        )
    if plan.resume and plan.work is None:
        raise ConfigError("--mend with --resume needs --work DIR, the work to go on with")
    with tempfile.TemporaryDirectory(prefix="moviola-mend-") as folder:
        painted = str(Path(folder) / "painted.mkv")
        done = _run(given, painted, settings, plan, first_only, True, quiet)
        guide = None if any(settings.crop) else given
        mended = mend_file(painted, output, guide=guide, lossless=lossless)
    return replace(done, output=mended.output, notes=(*done.notes, *mended.faults.lines()))


def _settings(
    path: Path | None, given: dict[str, Any], strength: float | None, more: list[str]
) -> tuple[RestyleConfig, list[str]]:
    """Put the settings together: the file's, then the options', then --set; the strength is that of the painter."""
    from moviola.pipelines.restyle.read import read_config

    values, notes = read_config(path)
    for name, value in given.items():
        if value is not None:
            _put(values, name.split("."), value)
    from moviola.pipelines.restyle import RestyleConfig
    from moviola.pipelines.restyle.settings import DIFFUSION, default_painter

    painter = values.setdefault("painter", default_painter(values.get("prompt", "")))
    if strength is not None:
        _put(values, ["diffusion", "strength"] if painter == DIFFUSION else ["strength"], strength)
    return RestyleConfig.make(values).with_overrides(more), notes


_OPTIONS = {
    "keys.method": "--method", "keys.interval": "--interval", "keys.count": "--count",
    "propagation.method": "--propagation", "diffusion.model": "--model", "diffusion.scheduler": "--scheduler",
    "diffusion.steps": "--steps", "diffusion.anchor.mode": "--anchor", "diffusion.controls": "--control",
    "diffusion.loras": "--lora", "mask.file": "--mask", "mask.invert": "--invert-mask",
    "mask.feather": "--mask-feather",
}  # fmt: skip
"""Setting to the option that gives it, where their names differ."""


def _check_options(
    given: dict[str, Any], settings: RestyleConfig, by_hand: Path | None, first_only: bool
) -> None:
    """Refuse options that would change nothing beside others.

    Raises:
        ConfigError: there is one.
    """
    from moviola.pipelines.restyle.settings import DIFFUSION

    names = [name for name, value in given.items() if value is not None]
    useless = {name: f"--painter {settings.painter}" for name in names if name.startswith("diffusion.")}
    if settings.painter == DIFFUSION and by_hand is None:
        useless = {}
    if "keys.count" in names:
        useless["keys.interval"] = "--count"
    if by_hand is not None:
        useless = dict.fromkeys([*useless, "painter", "strength"], "--keys")
        useless |= dict.fromkeys(("keys.method", "keys.interval", "keys.count"), "--keys")
    if first_only:
        rest = ("keys.method", "keys.interval", "keys.count", "propagation.method", "workers")
        useless |= dict.fromkeys(rest, "--first-only")
    for name in names:
        if name in ("mask.invert", "mask.feather") and settings.mask.file is None:
            raise ConfigError(f"{_OPTIONS[name]} needs a mask: --mask FILE")
        if name in useless:
            option = _OPTIONS.get(name, f"--{name}")
            raise ConfigError(f"{option} has no effect with {useless[name]}; leave one of them out")


def _put(values: dict[str, Any], names: list[str], value: Any) -> None:
    for name in names[:-1]:
        values = values.setdefault(name, {})
    values[names[-1]] = value


def _crop(text: str) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4:
        raise ConfigError(f"--crop is {text}; it is four numbers of px: left,top,right,bottom")
    return values


def _pairs(words: list[str], option: str) -> tuple[list[str], list[float]]:
    """Divide NAME=X words; all of them have a number or none."""
    names, numbers = [], []
    for word in words:
        name, equals, number = word.rpartition("=")
        if not equals:
            names.append(word)
            continue
        names.append(name)
        try:
            numbers.append(float(number))
        except ValueError:
            raise ConfigError(f"{option} {word}: {number} is no number; say {option} {name}=0.8") from None
    return names, numbers


def _controls(words: list[str] | None) -> list[dict[str, Any]] | None:
    if not words:
        return None
    from moviola.models.rerender.diffusion.controls import pair

    return [control.model_dump() for control in pair(*_pairs(words, "--control"))]


def _loras(words: list[str] | None) -> list[dict[str, Any]] | None:
    if not words:
        return None
    names, weights = _pairs(words, "--lora")
    if weights and len(weights) != len(names):
        raise ConfigError(f"{len(names)} LoRAs and {len(weights)} weights; give each one as PATH=X, or none")
    return [
        {"path": name, "weight": weight}
        for name, weight in zip(names, weights or [1.0] * len(names), strict=True)
    ]
