"""`moviola edit invert`, `inpaint`, `predict`, `frame-interpolate`, `sparse`, `upsample`: a clip, partly observed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import emit, example, say
from moviola.cli.latent_options import TaskOptions, read_space_size, shares_options
from moviola.cli.recorded import recorded
from moviola.cli.written import check_output
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from moviola.core.video import Video
    from moviola.pipelines.edit.latent.score import Scores
    from moviola.pipelines.edit.latent.tasks import Result, Task

Input = Annotated[Path, typer.Argument(metavar="IN", help="A clip: any format that moviola reads.")]
_Mask = Annotated[
    Path | None,
    typer.Option("--mask", metavar="FILE", help="A picture or a video of the clip's size; white is hidden."),
]
_Known = Annotated[int, typer.Option("--known", metavar="K", help="So many first frames are observed.")]
_Samples = Annotated[
    int,
    typer.Option(
        "--samples", metavar="K", help="Write K results, OUT, OUT-2 ..., each pulled towards another clip."
    ),
]
_Share = Annotated[float, typer.Option("--share", metavar="X", help="Share of the pixels that is observed.")]
_Low = Annotated[
    str | None,
    typer.Option("--from", metavar="WxH", help="Shrink IN to this first; 32x32, or half the model's size."),
]


@example(
    "moviola edit invert face.webp --loop -o again.mp4",
    "moviola edit invert face.webp --loop --size 256x256 --fps 60 -o large.mp4",
)
@recorded("edit invert")
@shares_options
def invert(input: Input, *, options: TaskOptions) -> None:
    """Fit a code to a whole clip and draw it, at any size and rate."""
    _run("invert", input, options)


@example(
    "moviola edit inpaint half.mp4 -o whole.mp4",
    "moviola edit inpaint face.mp4 --mask hidden.png --film film.mp4 -o whole.mp4",
)
@recorded("edit inpaint")
@shares_options
def inpaint(input: Input, mask: _Mask = None, *, options: TaskOptions) -> None:
    """Fill the lower half of a clip, or what a mask hides."""
    _run("inpaint", input, options, mask=mask)


@example(
    "moviola edit predict face.png -o moves.mp4",
    "moviola edit predict face.mp4 --known 4 --samples 3 -o next.mp4",
)
@recorded("edit predict")
@shares_options
def predict(input: Input, known: _Known = 1, samples: _Samples = 1, *, options: TaskOptions) -> None:
    """Observe the first frames of a clip, and fill those after them."""
    _run("predict", input, options, samples=samples, known=known)


@example("moviola edit frame-interpolate face.mp4 --fps 60 -o smooth.mp4")
@recorded("edit frame-interpolate")
@shares_options
def frame_interpolate(input: Input, *, options: TaskOptions) -> None:
    """Observe the first and the last frame of a clip, and fill those between."""
    _run("frame-interpolate", input, options)


@example("moviola edit sparse face.mp4 --share 0.1 --film film.mp4 -o whole.mp4")
@recorded("edit sparse")
@shares_options
def sparse(input: Input, share: _Share = 0.25, *, options: TaskOptions) -> None:
    """Observe some pixels of each frame, drawn by the seed, and fill the others."""
    _run("sparse", input, options, share=share)


@example(
    "moviola edit upsample small.mp4 --size 256x256 -o large.mp4",
    "moviola edit upsample face.mp4 --from 16x16 --film film.mp4 -o again.mp4",
)
@recorded("edit upsample")
@shares_options
def upsample(input: Input, low: _Low = None, *, options: TaskOptions) -> None:
    """Enlarge a clip of few pixels; a larger one is shrunk first, and judged against."""
    _run("upsample", input, options, low=low)


def _run(name: str, path: Path, options: TaskOptions, samples: int = 1, **settings: Any) -> None:
    """Do a task, write what it gives, and say so."""
    started = time.perf_counter()
    size, outputs = _check(options, samples)
    from moviola.core.devices import pick_device
    from moviola.core.progress import progress
    from moviola.data import codec
    from moviola.models.catalog import load_space
    from moviola.pipelines.edit.latent.tasks import run_task

    config = replace(options.fit_config(), samples=samples)
    network = load_space(options.model, str(pick_device(options.device)))
    video = codec.read(path)
    task = _task(name, video, path, options.seed, settings)
    truth = None if options.truth is None else codec.read(options.truth)
    with progress("fitting", config.steps + config.free_steps, options.quiet or options.json) as tick:
        result = run_task(
            network, video, task, config=config, truth=truth, name=str(path), loop=options.loop,
            is_plain=options.plain, tick=tick,
        )  # fmt: skip
    frames = [result.frames(k) for k in range(samples)]  # at the model's size, to judge and for the film
    head = _write(result, outputs, size, options, frames)
    report = _report(result, outputs, head, options, frames)
    report["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        emit(report)
    _tell(report, options.quiet or options.json)


def _check(options: TaskOptions, samples: int) -> tuple[tuple[int, int] | None, list[str]]:
    """Return the size and where each result goes; what is wrong is raised before anything heavy is loaded."""
    check_output(options.output, None)
    if options.film is not None:
        check_output(options.film, None)
    if samples < 1:
        raise ConfigError(f"--samples is {samples}; it must be at least 1")
    if samples > 1 and options.free:
        raise ConfigError("--free fits one result; leave --samples or --free away")
    if options.fps is not None:
        from moviola.core.rates import as_rate

        as_rate(options.fps)
    output = options.output.rstrip("/")
    stem, suffix = (output, "/") if output != options.output else _split(output)
    return read_space_size(options.size), [
        options.output,
        *(f"{stem}-{k}{suffix}" for k in range(2, samples + 1)),
    ]


def _split(output: str) -> tuple[str, str]:
    path = Path(output)
    return str(path.with_suffix("")), path.suffix


def _task(name: str, video: Video, path: Path, seed: int, settings: dict[str, Any]) -> Task:
    from moviola.pipelines.edit.latent.clip import read_mask
    from moviola.pipelines.edit.latent.tasks import Task

    mask, low = settings.pop("mask", None), settings.pop("low", None)
    hidden = None if mask is None else read_mask(mask, video, str(path))
    return Task(name, hidden=hidden, low=read_space_size(low, "--from"), seed=seed, **settings)


def _write(
    result: Result,
    outputs: list[str],
    size: tuple[int, int] | None,
    options: TaskOptions,
    frames: list[np.ndarray],
) -> Video:
    """Write all results and the film; return the first frames of the first."""
    from moviola.cli.written import write_pieces
    from moviola.core.video import Video
    from moviola.data import codec
    from moviola.pipelines.edit.latent.render import frame_numbers

    numbers, rate = frame_numbers(result.fit.model, options.fps)
    quiet = options.quiet or options.json
    own = size is None and options.fps is None
    heads = [
        write_pieces(
            iter([Video(frames[k], rate)]) if own else result.pieces(k, size, options.fps),
            output, rate, len(numbers), 1, quiet,
        )
        for k, output in enumerate(outputs)
    ]  # fmt: skip
    if options.film is not None:
        codec.write(result.film(frames[0]), options.film)
    return heads[0]


def _report(
    result: Result, outputs: list[str], head: Video, options: TaskOptions, frames: list[np.ndarray]
) -> dict[str, Any]:
    from moviola.pipelines.edit.latent.render import frame_numbers
    from moviola.pipelines.edit.latent.tasks import diversity

    numbers, rate = frame_numbers(result.fit.model, options.fps)
    scores = [result.scores(one) for one in frames]
    report: dict[str, Any] = {
        "output": options.output, "frames": len(numbers), "fps": float(rate), "width": head.width,
        "height": head.height, "seconds": 0.0, "task": result.task.name, "observed": result.observation.count,
        **_figures(scores[0]), "model": _figures(result.plain_scores()), "start": result.fit.starts[0],
        "description": result.describe(),
    }  # fmt: skip
    amortised = result.amortised_scores()
    if amortised is not None:
        report["amortised"] = _figures(amortised)
    if len(frames) > 1:
        known = [s.unobserved.psnr for s in scores if s.unobserved is not None]
        report |= {"outputs": outputs, "diversity": diversity(frames, result.observation)}
        report["best_psnr"] = max(known, default=None)
    return report if options.film is None else {**report, "film": options.film}


def _figures(scores: Scores) -> dict[str, Any]:
    """Return PSNR and SSIM by part; None where a part is empty or the truth is not known."""
    parts = {"observed": scores.observed, "unobserved": scores.unobserved}
    return {
        key: {part: None if score is None else getattr(score, key) for part, score in parts.items()}
        for key in ("psnr", "ssim")
    }


def _tell(report: dict[str, Any], quiet: bool) -> None:
    """Print what was drawn, for people."""
    say(report["description"], quiet=quiet)
    rows = [("result", report), ("model", report["model"])]
    rows += [("encoder", report["amortised"])] if "amortised" in report else []
    for name, figures in rows:
        words = [
            f"{part} {figures['psnr'][part]:.2f} dB" + _ssim(figures["ssim"][part])
            for part in ("observed", "unobserved")
            if figures["psnr"][part] is not None
        ]
        say(f"{name:<8} {', '.join(words)}", quiet=quiet)
    if "diversity" in report:
        best = (
            "" if report["best_psnr"] is None else f"; best of them {report['best_psnr']:.2f} dB unobserved"
        )
        say(f"results  {len(report['outputs'])}, {report['diversity']:.1f} of 255 apart{best}", quiet=quiet)
    size = f"{report['frames']} frames of {report['width']}x{report['height']}"
    say(f"video    {report['output']} ({size}, {report['seconds']:.1f} s)", quiet=quiet)


def _ssim(value: float | None) -> str:
    return "" if value is None else f" (SSIM {value:.3f})"
