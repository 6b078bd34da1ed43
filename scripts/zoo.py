"""Make docs/zoo.md from the embedded models, their cards and the measured runs in docs/zoo: python scripts/zoo.py

    python scripts/zoo.py            write the page (make zoo)
    python scripts/zoo.py --clips    also draw docs/media/zoo-NAME.webp with each model

A run is what a benchmark wrote with `--json docs/zoo/NAME.json` (`benchmarks/record.py`). Nothing on the page is
written by hand: what it says of a model is in its card, its config and the catalog.
"""

from __future__ import annotations

import argparse
import ast
import json
import struct
from pathlib import Path
from typing import Any

from moviola.core.atomic import write_atomic
from moviola.models.catalog import ModelCard, list_models
from moviola.recipes.catalog import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
RUNS, MEDIA, PAGE = (ROOT / "docs" / name for name in ("zoo", "media", "zoo.md"))
RECIPES = ROOT / "src" / "moviola" / "recipes"
INTRO = """# Models and what they were measured at

Made by `make zoo` from the models in the installation, their cards and the runs in `docs/zoo`; not written by hand.
Seconds are processor time of one thread for 16 frames with the model loaded, on the hardware named with the run. In the
tables of runs the interval is that of 95 %; the floor is what real clips give against other real clips of the same
number, and real is the same figure of the real clips. Near the floor, or near real, is as good as so many clips can
tell.
"""
ORDER = """## A new row

A model appears when it is in the catalog and its folder has a card with the headings "Data and licence" and "Measured".
A run appears when a benchmark has written it:

```bash
python benchmarks/zoo.py sprites PARTS --json docs/zoo/sprites.json
python benchmarks/caption_change.py PARTS --json docs/zoo/sprites-change.json
make zoo
```
"""


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """Return the runs of a folder, by file name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def parameters(file: Path) -> int:
    """Return how many numbers a safetensors file holds, read from its header."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(_product(shape) for shape in shapes)


def _product(shape: list[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def section(card: str, heading: str) -> str:
    """Return the text under a heading of a model card, "" without it."""
    _, _, rest = card.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0].strip()


def settings(folder: Path) -> str:
    """Return the numbers and words of a model's configs in one line; what is long is left to `models show`."""
    lines = []
    for path in (folder / "config.json", *sorted(folder.glob("*/config.json"))):
        values = json.loads(path.read_text(encoding="utf-8"))
        said = [f"{key} {_value(value)}" for key, value in values.items() if _is_short(key, value)]
        part = "" if path.parent == folder else f"{path.parent.name}/: "
        lines.append(f"`{part}{', '.join(said)}`")
    return "; ".join(lines)


def _is_short(key: str, value: Any) -> bool:
    if key in ("class", "family") or value in ("", [], None):
        return False
    if isinstance(value, list):
        return len(value) <= 8 and all(isinstance(one, int | float) for one in value)
    return not isinstance(value, dict)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(f"{one:g}" for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def number(value: float | None) -> str:
    """Return a figure with three digits that count, "" for none."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure_row(figure: dict[str, Any]) -> str:
    """Return a figure as a row of a table."""
    low, high = figure.get("low"), figure.get("high")
    interval = f"{number(low)} to {number(high)}" if low is not None and high is not None else ""
    unit = f" {figure['unit']}" if figure.get("unit") else ""
    return (
        f"| {figure['name']} | {number(figure['value'])}{unit} | {interval} | {number(figure.get('floor'))} "
        f"| {number(figure.get('reference'))} | {figure.get('better', '')} |"
    )


def run_block(run: dict[str, Any]) -> str:
    """Return what was measured in a run: its command, date and hardware, and a table."""
    head = "| | value | interval | floor | real | better |\n|---|---|---|---|---|---|"
    rows = "\n".join(figure_row(figure) for figure in run["figures"])
    return (
        f"**{run['title'][:1].upper()}{run['title'][1:]}**: `{run['command']}`, {run['date']}, {run['hardware']}.\n\n"
        f"{head}\n{rows}\n"
    )


def overview_row(card: ModelCard, runs: list[dict[str, Any]]) -> str:
    """Return a model as a row of the first table."""
    files = sorted(card.path.rglob("*.safetensors"))
    count = sum(parameters(file) for file in files)
    size = sum(file.stat().st_size for file in files)
    own = [figure for run in runs if run["model"] == card.name for figure in run["figures"]]
    seconds = [figure for figure in own if figure.get("unit") == "CPU s"]
    timed = number(seconds[0]["value"]) if seconds else ""
    return (
        f"| [{card.name}](#{card.name}) | {card.family} | {card.summary} | {card.license} "
        f"| {count / 1e6:.1f} M | {size / 1e6:.1f} MB | {timed} | {_distance(own)} |"
    )


def _distance(figures: list[dict[str, Any]]) -> str:
    """Say the first figure that has a floor."""
    for one in (figure for figure in figures if "floor" in figure):
        ends = f"{number(one['low'])} to {number(one['high'])}; " if "low" in one and "high" in one else ""
        return f"{one['name']} {number(one['value'])} ({ends}floor {number(one['floor'])})"
    return ""


def model_section(card: ModelCard, runs: list[dict[str, Any]], media: Path) -> str:
    """Return the section of a model: a clip, data and licence, config, what its card and the runs measured."""
    text = card.card_path.read_text(encoding="utf-8")
    clip = media / f"zoo-{card.name}.webp"
    blocks = [f"## {card.name}", f"{card.summary[:1].upper()}{card.summary[1:]}."]
    if clip.is_file():
        blocks.append(f"![Clips of {card.name}](media/{clip.name})")
    blocks += [f"### Data and licence of {card.name}", section(text, "Data and licence")]
    blocks += [f"Config: {settings(card.path)}."]
    own = [run_block(run).strip() for run in runs if run["model"] == card.name]
    if own:
        blocks += [f"### Runs of {card.name}", *own]
    blocks += [f"### {card.name}, as its card says", section(text, "Measured")]
    return "\n\n".join(block for block in blocks if block) + "\n"


def recipes(folder: Path) -> str:
    """Return a table of the recipes and the first sentence of each."""
    rows = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name in FAMILIES.get(path.stem, ()):
                told = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                rows.append(f"| `{node.name}` | {told} |")
    return "\n".join(
        [
            "## Recipes",
            "",
            "`moviola train NAME --data PATH -o OUT`:",
            "",
            "| recipe | what |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def page(runs: list[dict[str, Any]], media: Path = MEDIA) -> str:
    """Return the whole page.

    Args:
        runs: what `read_runs` returned.
        media: the folder of the clips.

    Raises:
        ValueError: a run of a model that is not in the catalog.
    """
    cards = list_models()
    strange = {run["model"] for run in runs} - {card.name for card in cards}
    if strange:
        raise ValueError(f"runs of models that are not in the catalog: {', '.join(sorted(strange))}")
    head = (
        "| model | family | what | licence | parameters | weights | CPU s | distance to real |\n|"
        + 8 * "---|"
    )
    table = "\n".join([head, *(overview_row(card, runs) for card in cards)])
    sections = [model_section(card, runs, media) for card in cards]
    return "\n".join([INTRO, table + "\n", *sections, recipes(RECIPES), ORDER])


def draw_clips() -> None:
    """Draw a small clip with each model that generates, and before and after of one that refines."""
    import numpy as np

    import moviola as mv
    from moviola.models.catalog import FAMILIES, load
    from moviola.pipelines.generate import take

    def beside(videos: list[mv.Video]) -> mv.Video:
        return mv.Video(np.concatenate([video.frames for video in videos], axis=2), videos[0].fps)

    for card in list_models():
        model = load(card.name)
        if FAMILIES[card.family].kind == "refiner":
            plain = mv.generate("an orc casts a spell", seed=3)
            videos = [plain, mv.refine(plain, model, 2)]
        else:
            videos = [
                mv.Video.concat(list(take(model, None, seed=0, index=k, frames=16).pieces()))
                for k in range(4)
            ]
        beside([video.scale(2) for video in videos]).save(MEDIA / f"zoo-{card.name}.webp")


def main() -> None:
    """Write the page, and with --clips the clips before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", action="store_true", help="draw the clips anew")
    if parser.parse_args().clips:
        draw_clips()
    write_atomic(PAGE, page(read_runs(RUNS)).encode())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
