"""`moviola keyframes`: choose the key frames of a video, print them, plot them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, emit, example, say
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.keyframes import KeyFrames

_Input = Annotated[Path, typer.Argument(metavar="IN", help="A video, or a folder of frames.")]
_Method = Annotated[
    str,
    typer.Option(
        "--method", "-m", metavar="NAME", help="uniform, histogram, orb, flow, deep, latent or optimal."
    ),
]
_Interval = Annotated[
    int | None,
    typer.Option(
        "--interval",
        metavar="N",
        help="Frames from key to key where change is average; 10, and 1 makes every frame a key.",
    ),
]
_Count = Annotated[
    int | None,
    typer.Option("--count", "-k", metavar="K", help="Exactly so many keys, instead of --interval."),
]
_Alpha = Annotated[
    float | None, typer.Option("--alpha", metavar="X", help="Longest gap, in intervals; at least 1; 1.2.")
]
_Beta = Annotated[
    float | None,
    typer.Option("--beta", metavar="X", help="Factor of the threshold; more gives fewer keys; 1."),
]
_MinGap = Annotated[
    int | None, typer.Option("--min-gap", metavar="N", help="Fewest frames from key to key; 1.")
]
_MaxGap = Annotated[
    int | None, typer.Option("--max-gap", metavar="N", help="Most frames from key to key, with --count.")
]
_ForceLast = Annotated[bool, typer.Option("--force-last", help="Make the last frame a key.")]
_NoCuts = Annotated[bool, typer.Option("--no-cuts", help="Do not look for cuts.")]
_Keys = Annotated[
    str | None, typer.Option("--keys", metavar="LIST", help="Key frames by hand: 0,10,20; -1 is the last.")
]
_Vae = Annotated[
    str | None,
    typer.Option("--vae", metavar="NAME|PATH", help="latent: a diffusion model, or its autoencoder."),
]
_Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask", metavar="FILE", help="Count change in what is white here: a grey video, folder or picture."
    ),
]
_Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="PNG", help="Draw the curve of changes and the keys.")
]


@example(
    "moviola keyframes clip.mp4",
    "moviola keyframes clip.mp4 --method optimal --count 12 --plot keys.png",
    "moviola keyframes clip.mp4 --method orb --interval 15 --alpha 1.5 --force-last --json",
    "moviola keyframes clip.mp4 --mask person.mp4",
)
def command(
    input: _Input,
    method: _Method = "flow",
    interval: _Interval = None,
    count: _Count = None,
    alpha: _Alpha = None,
    beta: _Beta = None,
    min_gap: _MinGap = None,
    max_gap: _MaxGap = None,
    force_last: _ForceLast = False,
    no_cuts: _NoCuts = False,
    keys: _Keys = None,
    vae: _Vae = None,
    mask: _Mask = None,
    plot: _Plot = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose the key frames of a video: more where it changes, and one at every cut.

    A key falls where enough has changed since the last one, or after alpha intervals. The method optimal predicts how
    well the frames between can be made from the keys, and takes the best. Nothing is drawn at random.
    """
    from moviola.pipelines.keyframes import write_plot
    from moviola.pipelines.keyframes.plot import check_plot

    if plot is not None:
        check_plot(plot)
    given = {
        "interval": interval, "count": count, "alpha": alpha, "beta": beta, "min_gap": min_gap, "max_gap": max_gap,
        "force_last": force_last or None,
    }  # fmt: skip
    rules = {name: value for name, value in given.items() if value is not None}
    check_options(method, rules, keys is not None, vae is not None)
    rules |= {"cuts": not no_cuts, "indices": None if keys is None else read_keys(keys), "mask": mask}
    found = _run(input, method, device, vae, quiet or json, rules)
    if plot is not None:
        write_plot(found, input, plot)
    if json:
        emit(_report(found))
    _tell(found, plot, quiet or json)


def check_options(method: str, rules: dict[str, Any], by_hand: bool, vae: bool) -> None:
    """Refuse options that would change nothing beside others.

    Args:
        method: how keys are chosen. rules: the rule's options that are given.
        by_hand: the keys are named. vae: an autoencoder is.

    Raises:
        ConfigError: there is one.
    """
    if vae and method != "latent":
        raise ConfigError(f"--vae is for --method latent, not for {method}")
    useless, beside = set(), ""
    if by_hand:
        useless, beside = set(rules), "--keys, which names the key frames"
    elif "count" in rules:
        useless, beside = {"interval", "alpha", "beta"}, "--count"
    elif method in ("uniform", "optimal") or rules.get("interval") == 1:
        beside = f"--method {method}" if method in ("uniform", "optimal") else "--interval 1"
        useless = {"alpha", "beta"}
    for name in rules:
        if name in useless:
            raise ConfigError(
                f"--{name.replace('_', '-')} has no effect with {beside}; leave one of them out"
            )


def read_keys(text: str) -> list[int]:
    """Return the frame numbers in "0,10,20".

    Raises:
        ConfigError: none, or something else.
    """
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise ConfigError(f"--keys is {text!r}; it must be frame numbers such as 0,10,20") from None


def _run(
    given: Path, method: str, device: str, vae: str | None, quiet: bool, rules: dict[str, Any]
) -> KeyFrames:
    from moviola.core.devices import pick_device
    from moviola.core.notes import note
    from moviola.core.progress import progress
    from moviola.data import codec
    from moviola.pipelines.keyframes import keyframes

    options = {"device": str(pick_device(device))} if method in ("deep", "latent") else {}
    options |= {} if vae is None else {"vae": vae}
    # "optimal" looks for cuts in a pass of its own
    passes = 2 if method == "optimal" and rules["indices"] is None and rules["cuts"] else 1
    info = codec.probe(given)
    if info.variable_rate:
        note(f"{given} has a variable rate; keys are apart by numbers of frames, whatever time lies between")
    with progress("looking", passes * info.frames, quiet) as tick:
        return keyframes(given, method, options=options, tick=tick, **rules)


def _report(found: KeyFrames) -> dict[str, Any]:
    report = {"indices": found.indices, "change": found.change, "method": found.method}
    return report if found.predicted is None else {**report, "predicted": found.predicted}


def _tell(found: KeyFrames, plot: Path | None, quiet: bool) -> None:
    """Print the keys, for people."""
    say(f"keys   {', '.join(map(str, found.indices))}", quiet=quiet)
    say(f"method {found.method}, {len(found.indices)} of {len(found.change)} frames", quiet=quiet)
    if found.cuts:
        say(f"cuts   {', '.join(map(str, found.cuts))}", quiet=quiet)
    for name, error in (found.predicted or {}).items():
        gain = "" if name == "optimal" else f"; optimal has {100 * found.gain[name]:.0f}% less"
        say(f"error  {error:.4g} predicted from keys by {name}{gain}", quiet=quiet)
    if plot is not None:
        say(f"plot   {plot}", quiet=quiet)
