"""docs/zoo.md is what `make zoo` makes, and what is in it can be traced."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from moviola.models.catalog import list_models

ROOT = Path(__file__).resolve().parents[2]
RUNS = sorted((ROOT / "docs" / "zoo").glob("*.json"))
RUN = {
    "model": "sprites",
    "title": "speed",
    "command": "python benchmarks/zoo.py sprites",
    "date": "2026-01-02",
}
RUN |= {"hardware": "a chip", "figures": []}


@pytest.fixture(scope="module")
def zoo() -> ModuleType:
    """The script."""
    spec = importlib.util.spec_from_file_location("zoo", ROOT / "scripts" / "zoo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_makes(zoo):
    """After a change of a model, its card, a recipe or a run: make zoo."""
    made = zoo.page(zoo.read_runs(ROOT / "docs" / "zoo"))
    assert made == (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8"), "the page is old; say make zoo"


def test_every_model_and_recipe_has_its_row(zoo):
    """In the catalogs' names."""
    from moviola.recipes.catalog import CATALOG

    made = zoo.page([])
    assert re.findall(r"^\| \[([\w-]+)\]\(#\1\)", made, flags=re.M) == [card.name for card in list_models()]
    assert set(re.findall(r"^\| `(\w+)` \| \S", made, flags=re.M)) == set(CATALOG)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_runs_can_be_repeated(path):
    """A run names a benchmark that exists, a day, hardware, a model, and figures."""
    run = json.loads(path.read_text(encoding="utf-8"))
    program, script, *_ = shlex.split(run["command"])
    assert program == "python" and (ROOT / script).is_file() and "/work" not in run["command"]
    assert date.fromisoformat(run["date"]) and run["hardware"] and run["title"]
    assert run["model"] in {card.name for card in list_models()} and run["figures"]
    assert all(isinstance(figure["value"], int | float) and figure["name"] for figure in run["figures"])


def test_parameters_are_those_of_the_file(zoo, tmp_path):
    """Counted from the header as the library counts the tensors."""
    import torch
    from safetensors.torch import save_file

    tensors = {
        "a": torch.zeros(3, 4),
        "b": torch.zeros(()),
        "c": torch.zeros(2, 0),
        "d": torch.zeros(7).half(),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    assert zoo.parameters(tmp_path / "x.safetensors") == 12 + 1 + 0 + 7


def test_figures_are_rows(zoo):
    """Three digits, interval and floor where there are any; the first table has the distance and the seconds."""
    figures = [
        {"name": "16 frames", "value": 0.1234, "unit": "CPU s", "better": "lower"},
        {"name": "fvd", "value": 219.51, "low": 180.2, "high": 260.7, "floor": 98.24, "better": "lower"},
    ]
    made = zoo.page([RUN | {"figures": figures}])
    assert "| 16 frames | 0.123 CPU s |  |  |  | lower |" in made
    assert "| fvd | 220 | 180 to 261 | 98.2 |  | lower |" in made
    row = next(line for line in made.splitlines() if line.startswith("| [sprites]"))
    assert row.endswith("| 0.123 | fvd 220 (180 to 261; floor 98.2) |")
    assert "`python benchmarks/zoo.py sprites`, 2026-01-02, a chip." in made


def test_a_run_of_no_model_is_refused(zoo):
    """Rather than left out."""
    with pytest.raises(ValueError, match="spritez"):
        zoo.page([RUN | {"model": "spritez"}])


def test_sections_of_cards(zoo):
    """From its heading to the next of the same depth."""
    card = "# m: x\n\n## Measured\n\none\n\n### deeper\n\ntwo\n\n## Known faults\n\nthree\n"
    assert zoo.section(card, "Measured") == "one\n\n### deeper\n\ntwo" and zoo.section(card, "Recipe") == ""
