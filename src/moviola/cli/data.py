"""`moviola data`: make toy data sets, see what a data set holds, decode one for speed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, Quiet, Seed, emit, example, group, say
from moviola.cli.data_match import match_command
from moviola.cli.data_pairs import pairs_command
from moviola.cli.data_provenance import is_picture, provenance_lines, provenance_values, tell_picture
from moviola.cli.recorded import recorded
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.core.config import Config
    from moviola.data.sources import Source
    from moviola.data.survey import Survey

app = group("Make toy data sets; see what a data set holds; decode one for speed.")

DataPath = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="A folder, a .zip, a list file (one path a line), one video, shards.tar, or NAME:PATH (data list).",
    ),
]
Layout = Annotated[
    str,
    typer.Option(
        "--layout", metavar="NAME", help="auto, videos, frames (a folder of images a clip) or strips."
    ),
]
Captions = Annotated[
    Path | None,
    typer.Option(
        "--captions", metavar="FILE", help="CSV or JSONL with file and caption, if it is not found itself."
    ),
]
Rate = Annotated[
    str, typer.Option("--fps", metavar="RATE", help="Rate of clips that state none (frame folders, strips).")
]
_NAMED = 20  # names shown of a long list

app.command("pairs")(pairs_command)
app.command("match")(match_command)


@app.command("make")
@example(
    "moviola data make digits -n 20 digits",
    "moviola data make icons -n 100 --size 32 --frames 32 --elements 1-3 icons --format npz",
    "moviola data make digits -n 20 moving-mnist --data t10k-images-idx3-ubyte.gz --set any_phase=true",
)
@recorded("data make")
def make_command(
    toy: Annotated[str, typer.Argument(metavar="TOY", help="digits, icons or sprites.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    number: Annotated[int, typer.Option("--number", "-n", metavar="N", min=1, help="How many clips.")] = 100,
    size: Annotated[
        str | None, typer.Option("--size", metavar="S", help="Pixels: one side, or WIDTHxHEIGHT.")
    ] = None,
    frames: Annotated[int | None, typer.Option("--frames", metavar="T", help="Frames of each clip.")] = None,
    fps: Annotated[float | None, typer.Option("--fps", metavar="F", help="Frames a second.")] = None,
    elements: Annotated[
        str | None, typer.Option("--elements", metavar="N", help="Elements of a clip: 2, or 1-3.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="What the toy is made from: the part sheets of sprites, MNIST images for digits.",
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="mp4, npz or frames.")] = "mp4",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of the toy; repeatable."),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a procedural, captioned data set with known truth.

    The folder holds the clips and `captions.jsonl` with `file`, `caption` and `truth` (where everything is at each
    frame). The same seed makes the same clips, and clip k does not depend on how many there are.
    """
    from moviola.core.progress import progress
    from moviola.data.toys.write import write_dataset

    config = toy_config(
        toy, size=size, frames=frames, fps=fps, elements=elements, data=data, settings=settings or []
    )
    with progress(f"making {toy}", number, quiet=quiet or json) as tick:
        write_dataset(toy, number, out, seed, config, format, lambda: tick(1))  # type: ignore[arg-type]
    say(f"{out}: {number} clip{'s' * (number != 1)} of {toy}, with captions.jsonl", quiet=quiet, as_json=json)
    if json:
        values = config.model_dump(mode="json")
        emit({"output": out, "toy": toy, "clips": number, "seed": seed, "format": format, "config": values})


@app.command("info")
@example(
    "moviola data info digits",
    "moviola data info digits --sheet digits.png",
    "moviola data info digits --json",
    "moviola data info refined.mp4",
    "moviola data info kth:data/kth#test",
)
def info_command(
    path: DataPath,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="PNG", help="Write a contact sheet: a clip a row.")
    ] = None,
    min_frames: Annotated[
        int, typer.Option("--min-frames", metavar="T", min=1, help="Name clips shorter than this.")
    ] = 16,
    fast: Annotated[
        bool, typer.Option("--fast", help="Believe what files say of themselves; decode nothing.")
    ] = False,
    layout: Layout = "auto",
    captions: Captions = None,
    fps: Rate = "25",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell what a data set holds: counts, sizes, rates, lengths, labels, captions, short and broken files.

    Of one file, or a folder of frames, also how it was made, where it says so (moviola redo makes it again).
    """
    from moviola.core.progress import progress
    from moviola.data.sources import open_source
    from moviola.data.survey import survey
    from moviola.pipelines.descent import read_provenance

    if sheet is not None:
        check_sheet(sheet)
    record = read_provenance(path)
    if record is not None and is_picture(path) and sheet is None:
        tell_picture(path, record, json, quiet)
        return
    source = open_source(path, layout=layout, captions=captions, fps=fps)
    with progress("looking", len(source), quiet=quiet or json) as tick:
        found = survey(source, min_frames=min_frames, decode=not fast, tick=lambda: tick(1))
    if sheet is not None:
        write_sheet(source, found, sheet)
    if json:
        emit({**to_json(found), "sheet": sheet, "provenance": provenance_values(record)})
        return
    for line in [*report(found, min_frames), *provenance_lines(record)]:
        say(line, quiet=quiet)
    if sheet is not None:
        say(f"contact sheet: {sheet}", quiet=quiet)


@app.command("list")
@example("moviola data list", "moviola data list --json")
def list_command(json: Json = False, quiet: Quiet = False) -> None:
    """Name the published data sets that are read in their authors' layout, as NAME:PATH or NAME:PATH#SPLIT."""
    from moviola.data.named.registry import DATASETS

    shown = ("name", "title", "splits", "split_rule", "url", "licence", "layout")
    if json:
        emit({"datasets": [{key: getattr(dataset, key) for key in shown} for dataset in DATASETS.values()]})
        return
    for dataset in DATASETS.values():
        say(f"{dataset.name}: {dataset.title}", quiet=quiet)
        say(f"  holds    {dataset.layout}", quiet=quiet)
        say(f"  splits   {', '.join(dataset.splits)}; {dataset.split_rule}", quiet=quiet)
        say(f"  from     {dataset.url}", quiet=quiet)
        say(f"  licence  {dataset.licence}", quiet=quiet)


@app.command("pack")
@example("moviola data pack digits --size 32", "moviola data pack digits --size 32 --json")
def pack_command(
    path: DataPath,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="S", help="Pixels: one side, or WIDTHxHEIGHT; as they are if not given."
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit", metavar="HOW", help="With --size: crop the middle to its shape, or stretch; crop."
        ),
    ] = None,
    max_frames: Annotated[
        int | None,
        typer.Option(
            "--max-frames", metavar="T", min=1, help="Keep so many frames of each clip, from its start."
        ),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out clips that cannot be decoded.")
    ] = False,
    layout: Layout = "auto",
    fps: Rate = "25",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Decode a data set once, to uint8 frames in the cache that training maps into memory.

    It is found again by content and settings; packing the same twice costs nothing. MOVIOLA_CACHE names the folder.
    """
    from moviola.core.progress import progress
    from moviola.data.cache import CacheConfig, open_cached
    from moviola.data.sources import open_source

    if fit is not None and size is None:
        raise ConfigError("--fit says how clips come to the shape of --size; give that, or leave it out")
    height, width = parse_size(size) if size else (None, None)
    config = CacheConfig.make(
        {
            "height": height,
            "width": width,
            "fit": fit or "crop",
            "max_frames": max_frames,
            "skip_broken": skip_broken,
        }
    )
    source = open_source(path, layout=layout, fps=fps)
    with progress("decoding", len(source), quiet=quiet or json) as tick:
        cache = open_cached(source, config, tick=lambda n: tick(n))
    say(f"{cache.path}: {len(cache)} clips, {cache.nbytes / 1e6:.1f} MB", quiet=quiet, as_json=json)
    for name, reason in cache.skipped:
        say(f"  left out {name}: {reason}", quiet=quiet, as_json=json)
    if json:
        skipped = [{"name": name, "reason": reason} for name, reason in cache.skipped]
        emit({"output": cache.path, "clips": len(cache), "bytes": cache.nbytes, "skipped": skipped})


@app.command("cut")
@example("moviola data cut grid.mp4 --rows 2 --columns 2 cells")
@recorded("data cut")
def cut_command(
    grid: Annotated[
        Path, typer.Argument(metavar="GRID", help="A video that shows clips in rows and columns.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, help="Clips down.")],
    columns: Annotated[int, typer.Option("--columns", metavar="N", min=1, help="Clips across.")],
    gap: Annotated[int, typer.Option("--gap", metavar="PX", min=0, help="Pixels between them.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Cut a grid, one video of many clips as papers show them, into its clips."""
    from moviola.core.progress import progress
    from moviola.data.grids import cut_grid

    with progress("cutting", rows, quiet=quiet or json) as tick:
        names = cut_grid(grid, out, rows, columns, gap, tick=tick)
    say(f"{out}: {len(names)} clips", quiet=quiet, as_json=json)
    if json:
        emit({"output": out, "clips": len(names)})


def toy_config(
    toy: str,
    *,
    size: str | None,
    frames: int | None,
    fps: float | None,
    elements: str | None,
    data: Path | None,
    settings: list[str],
) -> Config:
    """Return the config of `toy` with what was asked for; everything else keeps the toy's defaults.

    Raises:
        UnknownNameError: no such toy. ConfigError: a setting the toy does not have, or outside its range.
    """
    from moviola.data.toys import load_toy

    kind = load_toy(toy).Config
    values: dict[str, Any] = {"frames": frames, "fps": fps}
    if size is not None:
        height, width = parse_size(size)
        values["size"] = height if height == width else [height, width]
    if elements is not None:
        values["elements"] = parse_range(elements)
    if data is not None:
        values[data_field(toy, list(kind.model_fields))] = data
    elif "parts" in kind.model_fields:
        raise ConfigError(f"{toy} are composed of part sheets; give their folder with --data")
    config = kind.make({key: value for key, value in values.items() if value is not None})
    return config.with_overrides(settings) if settings else config


def data_field(toy: str, fields: list[str]) -> str:
    """Return the setting of a toy that `--data` means."""
    for field in ("parts", "glyphs"):
        if field in fields:
            return field
    raise ConfigError(f"{toy} are drawn from nothing; leave --data away")


def parse_size(text: str) -> tuple[int, int]:
    """Read "64" or "96x64" (width x height) as height, width in px."""
    parts = text.lower().split("x")
    if not 1 <= len(parts) <= 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"--size {text!r} is no size; write 64, or 96x64 for width x height")
    return int(parts[-1]), int(parts[0])


def parse_range(text: str) -> list[int]:
    """Read "2" as [2, 2] and "1-3" as [1, 3]."""
    parts = text.split("-")
    if not 1 <= len(parts) <= 2 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--elements {text!r} is no number; write 2, or 1-3")
    return [int(parts[0]), int(parts[-1])]


def check_sheet(path: Path) -> None:
    """Refuse a contact sheet that could not be written, before the work is done.

    Raises:
        FormatError: `path` does not end in .png. OutputError: it cannot be written there.
    """
    from moviola.data.pictures import check_png

    check_png(path, "a contact sheet")


def write_sheet(source: Source, found: Survey, path: Path) -> None:
    """Write the contact sheet of the clips that can be read as a PNG.

    Raises:
        InputError: no clip can be read. OutputError: it cannot be written.
    """
    from moviola.data.pictures import write_png
    from moviola.data.survey import contact_sheet

    broken = {name for name, _ in found.broken}
    write_png(path, contact_sheet(source, [name for name in source.names if name not in broken]))


def to_json(found: Survey) -> dict[str, Any]:
    """Return the JSON form of a survey."""
    named = {
        "sizes": [{"size": size, "clips": clips} for size, clips in found.sizes],
        "rates": [{"fps": rate, "clips": clips} for rate, clips in found.rates],
        "aspects": [{"pixel_aspect": aspect, "clips": clips} for aspect, clips in found.aspects],
        "short": [{"name": name, "frames": frames} for name, frames in found.short],
        "broken": [{"name": name, "reason": reason} for name, reason in found.broken],
        "damaged": [{"name": name, "frames": frames} for name, frames in found.damaged],
        "skipped": [{"name": name, "reason": reason} for name, reason in found.skipped],
        "checks": [vars(check) for check in found.checks],
    }
    return {**vars(found), **named}


def report(found: Survey, min_frames: int) -> list[str]:
    """Return a survey as lines for a person."""
    from moviola.data.codec import describe_concealed

    frames, seconds = found.frames, found.seconds
    varies = f"; it varies in {found.variable} of {found.clips} clips" if found.variable else ""
    lines = [
        f"{found.path}: {found.clips} clips ({found.layout}), {frames.total:g} frames, {seconds.total:.1f} s",
        f"  size      {_counts((size, n) for size, n in found.sizes)}",
        f"  rate      {_counts((f'{rate:g} fps', n) for rate, n in found.rates)}{varies}",
        f"  frames    {frames.min:g} to {frames.max:g}, median {frames.median:g}",
        f"  duration  {seconds.min:.2f} to {seconds.max:.2f} s, median {seconds.median:.2f} s",
        f"  labels    {_counts(found.labels.items()) if found.labels else 'none'}",
        f"  captions  {f'{found.captions} of {found.clips} clips' if found.captions else 'none'}",
    ]
    if found.splits:
        lines.append(f"  splits    {_counts(found.splits.items())}")
    lines += [
        f"  expected  {c.expected if c.expected is not None else 'any number of'} {c.what}, found {c.found}"
        for c in found.checks
    ]
    if found.aspects:
        lines.insert(2, f"  pixels    {_counts(found.aspects)} as wide as high")
    lines += _named(f"short (under {min_frames} frames)", [(name, f"{n} frames") for name, n in found.short])
    lines += _named("broken", found.broken)
    if found.damaged:
        lines += _named("damaged", [(name, describe_concealed(frames)) for name, frames in found.damaged])
    return lines + (_named("not clips", found.skipped) if found.skipped else [])


def _counts(pairs: Any) -> str:
    shown = [f"{what} ({n})" for what, n in pairs]
    more = f", and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more if shown else "none"


def _named(title: str, pairs: list[tuple[str, str]]) -> list[str]:
    lines = [f"  {title}: {len(pairs)}", *(f"    {name}: {reason}" for name, reason in pairs[:_NAMED])]
    if len(pairs) > _NAMED:
        lines.append(f"    and {len(pairs) - _NAMED} more; --json names them all")
    return lines
