"""`moviola evaluate`: judge generated video."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, emit, example, say
from moviola.cli.evaluate_checkpoints import compare_checkpoints
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError
from moviola.core.progress import progress

if TYPE_CHECKING:
    from moviola.data.sources import Source
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol
    from moviola.metrics.results import Report
    from moviola.pipelines.evaluate.report.baseline import Comparison

DEFAULT_METRICS = "fvd,kvd,fvmd-lk,motion,flicker"

_Real = Annotated[
    Path | None, typer.Argument(metavar="REAL", help="Real clips: a folder, a .zip, a list file, a video.")
]
_Fake = Annotated[Path | None, typer.Argument(metavar="FAKE", help="Generated clips, the same.")]
_Metrics = Annotated[
    list[str] | None,
    typer.Option("--metrics", "-m", metavar="A,B", help=f"Which; repeatable. Default: {DEFAULT_METRICS}."),
]
_Protocol = Annotated[
    str, typer.Option("--protocol", metavar="NAME", help="How clips are cut; --list names them.")
]
_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the protocol, as frames=32."),
]
_Folder = Annotated[
    Path | None, typer.Option("--report", metavar="DIR", help="Write a page with figures and clips to DIR.")
]
_Baseline = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", help="An earlier --json or --report; show gain and loss."),
]
_Sanity = Annotated[bool, typer.Option("--sanity", help="Also score REAL against damaged copies of itself.")]
_SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out clips that cannot be read or are too short; name them.")
]
_Pair = Annotated[
    str, typer.Option("--pair", metavar="HOW", help="Paired metrics: by name, by order, or auto.")
]
_Layout = Annotated[
    str, typer.Option("--layout", metavar="NAME", help="Of both: auto, videos, frames or strips.")
]
_Captions = Annotated[
    Path | None,
    typer.Option("--captions", metavar="FILE", help="Captions of FAKE, if not found by themselves."),
]
_Draws = Annotated[
    int | None, typer.Option("--draws", min=2, metavar="N", help="Resamplings behind an interval.")
]
_NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no features for the next time.")]
_Ray = Annotated[bool, typer.Option("--ray", help="Measure on a Ray cluster, or on Ray in this machine.")]
_List = Annotated[bool, typer.Option("--list", help="Name the metrics, what they need, and the protocols.")]
_Clip = Annotated[
    str | None, typer.Option("--clip", metavar="NAME|DIR", help="CLIP model of the text metrics.")
]
_Candidate = Annotated[
    list[str] | None,
    typer.Option("--candidate", metavar="TEXT", help="A text fram-acc may choose; repeatable."),
]
_Backbone = Annotated[
    Path | None, typer.Option("--lpips-backbone", metavar="FILE", help="Weights of the network behind lpips.")
]
_LpipsNet = Annotated[str, typer.Option("--lpips-net", metavar="NAME", help="Which network: alex or vgg.")]
_Videomae = Annotated[Path | None, typer.Option("--videomae", metavar="DIR", help="VideoMAE for cd-fvd.")]
_Vjepa = Annotated[Path | None, typer.Option("--vjepa", metavar="DIR", help="V-JEPA for jepa-fd.")]
_Flow = Annotated[str, typer.Option("--flow", metavar="HOW", help="Optical flow: lk, dis or raft.")]
_Raft = Annotated[Path | None, typer.Option("--raft", metavar="FILE", help="Weights of RAFT-small.")]
_Image = Annotated[
    str, typer.Option("--image-network", metavar="NAME", help="efficientnet-lite0 or inception.")
]
_Inception = Annotated[
    Path | None, typer.Option("--inception", metavar="FILE", help="Weights of Inception-v3.")
]
_Torchscript = Annotated[
    Path | None, typer.Option("--i3d-torchscript", metavar="FILE", help="StyleGAN-V's I3D for fvd and kvd.")
]

_Checkpoints = Annotated[
    Path | None,
    typer.Option("--checkpoints", metavar="RUN", help="FVD of every checkpoint of a training run."),
]
_Num = Annotated[
    int | None, typer.Option("--num", min=2, metavar="N", help="Videos drawn of each checkpoint (256).")
]

_Seed = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Same as --set seed=N.")]


@example(
    "moviola evaluate real generated --metrics fvmd-lk,motion,flicker",
    "moviola evaluate real generated --protocol styleganv-fvd2048-16f --report report",
    "moviola evaluate real generated --metrics fvd --set frames=32 --sanity --json",
    "moviola evaluate --checkpoints trained --num 64",
    "moviola evaluate --list",
)
def command(
    real: _Real = None,
    fake: _Fake = None,
    metrics: _Metrics = None,
    protocol: _Protocol = "quick",
    settings: _Set = None,
    report: _Folder = None,
    baseline: _Baseline = None,
    sanity: _Sanity = False,
    skip_bad: _SkipBad = False,
    pair: _Pair = "auto",
    layout: _Layout = "auto",
    captions: _Captions = None,
    draws: _Draws = None,
    no_cache: _NoCache = False,
    ray: _Ray = False,
    listing: _List = False,
    clip: _Clip = None,
    candidate: _Candidate = None,
    lpips_backbone: _Backbone = None,
    lpips_net: _LpipsNet = "alex",
    videomae: _Videomae = None,
    vjepa: _Vjepa = None,
    flow: _Flow = "lk",
    raft: _Raft = None,
    image_network: _Image = "efficientnet-lite0",
    inception: _Inception = None,
    i3d_torchscript: _Torchscript = None,
    checkpoints: _Checkpoints = None,
    num: _Num = None,
    seed: _Seed = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge generated video against real video: every figure with its interval, its floor and its protocol.

    A distance between sets depends on how many clips there are, how they are cut and which network looks at them;
    all of this is printed beside it. docs/evaluate.md tells how to read it.
    """
    if listing:
        _tell_list(json, quiet)
        return
    if checkpoints is not None or num is not None:
        others = dict(REAL=real, metrics=metrics, report=report, baseline=baseline, sanity=sanity, ray=ray)
        compare_checkpoints(checkpoints, num, others, settings, seed, str(pick_device(device)), json, quiet)
        return
    options = _options(
        clip=clip, candidates=candidate or (), lpips_backbone=lpips_backbone, lpips_net=lpips_net, videomae=videomae,
        vjepa=vjepa, flow=flow, raft=raft, image_network=image_network, inception=inception,
        i3d_torchscript=i3d_torchscript,
    )  # fmt: skip
    job = prepare(real, fake, metrics, protocol, settings, layout, captions)
    earlier = _earlier(baseline, report)
    how = dict(sanity=sanity, skip_bad=skip_bad, pair=pair, draws=draws, cache=not no_cache, seed=seed)
    found = measure(job, options, str(pick_device(device)), ray, quiet or json, how)
    change = _change(found, earlier)
    page = _write(found, job, report, earlier, quiet or json)
    _tell(found, job, change, page, json, quiet)


@dataclass(frozen=True)
class Job:
    """What is to be judged, checked.

    Attributes:
        real: the real clips. fake: the generated ones.
        metrics: their keys, as they were asked for. protocol: with every setting changed that was asked for.
    """

    real: Source
    fake: Source
    metrics: tuple[str, ...]
    protocol: Protocol


def prepare(
    real: Path | None,
    fake: Path | None,
    metrics: list[str] | None,
    protocol: str,
    settings: list[str] | None,
    layout: str = "auto",
    captions: Path | None = None,
) -> Job:
    """Return the job that the command line asks for; nothing is decoded yet.

    Raises:
        InputError: one of the arguments is missing or wrong, in one line.
    """
    from moviola.data.sources import open_source
    from moviola.metrics.protocol import find_protocol

    if real is None or fake is None:
        what = "FAKE" if real is not None else "REAL and FAKE"
        raise ConfigError(
            f"evaluate needs {what}: moviola evaluate REAL FAKE (or --list); see moviola evaluate --help"
        )
    keys = metric_keys(metrics)
    chosen = find_protocol(protocol).with_overrides(settings or [])
    return Job(open_source(real, layout), open_source(fake, layout, captions=captions), keys, chosen)


def metric_keys(given: list[str] | None) -> tuple[str, ...]:
    """Return the keys in `given` ("a,b" and "c" alike), each metric once; the default ones for None.

    Raises:
        UnknownNameError: no such metric. ConfigError: none is named.
    """
    from moviola.metrics.catalog import find_metric

    words = [word.strip() for text in given or [DEFAULT_METRICS] for word in text.split(",")]
    keys: dict[str, str] = {}
    for word in filter(None, words):
        keys.setdefault(find_metric(word).key, word)
    if not keys:
        raise ConfigError("--metrics names no metric; moviola evaluate --list names them")
    return tuple(keys.values())


def _options(**given: Any) -> MetricOptions:
    from moviola.metrics.options import MetricOptions

    options = MetricOptions.make(given)
    for text in options.contradictions():
        raise ConfigError(text)
    return options


def _earlier(baseline: Path | None, report: Path | None) -> tuple[str, dict[str, Any]] | None:
    """Check where the page goes, and read the earlier evaluation: both before anything long begins."""
    from moviola.pipelines.evaluate.report.baseline import read_baseline
    from moviola.pipelines.evaluate.report.write import check_folder

    if report is not None:
        check_folder(report)
    return None if baseline is None else (str(baseline), read_baseline(baseline))


def measure(
    job: Job, options: MetricOptions, device: str, ray: bool, quiet: bool, how: dict[str, Any]
) -> Report:
    """Run the evaluation, with a bar on a terminal.

    Args:
        job: what to judge. options: of the metrics. device: "cpu" ...
        ray: map over a Ray cluster.
        quiet: show no progress.
        how: further arguments of `moviola.evaluate`.
    """
    if ray:
        from moviola.scale import evaluate
    else:
        from moviola.pipelines.evaluate import evaluate
    with ExitStack() as stack:
        bar: dict[str, Any] = {"left": 0}

        def expect(clips: int) -> None:
            bar.update(left=clips, tick=stack.enter_context(progress("clips", clips, quiet)))

        def tick(advance: int = 1, text: str = "") -> None:
            bar["left"] -= advance
            bar["tick"](advance, text if bar["left"] > 0 else "scoring")

        how = {**how, "options": options, "device": device, "tick": tick, "expect": expect}
        return evaluate(job.real, job.fake, job.metrics, job.protocol, **how)


def _change(found: Report, earlier: tuple[str, dict[str, Any]] | None) -> Comparison | None:
    from moviola.pipelines.evaluate.report.baseline import compare

    return None if earlier is None else compare(found, earlier[1], earlier[0])


def _write(
    found: Report, job: Job, folder: Path | None, earlier: tuple[str, dict[str, Any]] | None, quiet: bool
) -> Path | None:
    if folder is None:
        return None
    from moviola.pipelines.evaluate.report import write_report

    with progress("writing the page", None, quiet) as tick:
        return write_report(found, folder, job.real, job.fake, baseline=earlier, tick=tick)


def _tell(
    found: Report, job: Job, change: Comparison | None, page: Path | None, json: bool, quiet: bool
) -> None:
    """Print the evaluation: JSON, or text for people."""
    if json:
        values = found.to_dict()
        if change is not None:
            values["baseline"] = change
        emit({**values, "report": page})
        return
    from moviola.cli import tables
    from moviola.cli.evaluate_text import report_lines

    for line in report_lines(found, job.protocol, change, tables.width()):
        say(line, quiet=quiet)
    if page is not None:
        say(f"report    {page}", quiet=quiet)


def _tell_list(json: bool, quiet: bool) -> None:
    from moviola.cli import tables
    from moviola.cli.evaluate_text import listing
    from moviola.metrics.catalog import list_metrics
    from moviola.metrics.protocol import PRESETS

    if json:
        emit({"metrics": [spec.record() for spec in list_metrics()], "protocols": PRESETS})
        return
    for line in listing(list_metrics(), list(PRESETS.values()), tables.width()):
        say(line, quiet=quiet)
