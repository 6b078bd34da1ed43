"""The floors of the house hold, and the contracts that say so would notice if they did not."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "pyproject.toml"
FLOORS = ["cli", "studio", "recipes", "scale", "training", "pipelines", "nn", "data", "core"]
PEERS = ["models", "metrics", "selection", "propagation"]
PACKAGES = [*FLOORS, *PEERS]
REFINERS = ["models/regis", "models/regis/fuse", "models/regis/unet", "models/regis/vq"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's contracts over the package `moviola` that stands in `folder`."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(sys.argv[1], no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code, str(CONFIG)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def make_house(folder: Path, extra: dict[str, str]) -> Path:
    """Write an empty package with every floor, and `extra` (path below moviola -> source) on top."""
    for name in [
        "",
        *PACKAGES,
        "models/freqmotion",
        "models/inrv",
        "models/nextframe",
        "models/rerender",
        "models/textgan",
        *REFINERS,
    ]:
        path = folder / "moviola" / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").write_text("")
    for name, source in extra.items():
        path = folder / "moviola" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder


def test_the_floors_hold():
    """Every contract in pyproject.toml is kept by src/."""
    result = lint(ROOT / "src")
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_empty_house_keeps_the_contracts(tmp_path):
    """The made-up house of the next test is fine before something is wrong with it."""
    result = lint(make_house(tmp_path, {}))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"core/video.py": "import moviola.data"}, "floors"),
        ({"nn/conv.py": "import moviola.data"}, "floors"),
        ({"pipelines/generate.py": "import moviola.training"}, "floors"),
        ({"studio/app.py": "import moviola.cli"}, "floors"),
        ({"shelf/__init__.py": ""}, "floors"),
        ({"models/nextframe/net.py": "import moviola.models.textgan"}, "families"),
        ({"data/a.py": "import moviola.data.b", "data/b.py": "import moviola.data.a"}, "cycles"),
    ],
    ids=[
        "upwards",
        "data-beside-nn",
        "training-beside-pipelines",
        "studio-above-cli",
        "unlisted-package",
        "families",
        "cycle",
    ],
)
def test_a_broken_house_is_noticed(tmp_path, files, named):
    """Each contract fails when its rule is broken."""
    result = lint(make_house(tmp_path, files))
    names = {
        c["id"]: c["name"] for c in tomllib.loads(CONFIG.read_text())["tool"]["importlinter"]["contracts"]
    }
    assert result.returncode != 0
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN") or "No match" in line]
    assert any(names[named] in line for line in broken), result.stdout


def test_every_family_is_held_apart():
    """A new folder in models/ must be added to the independence contract."""
    contracts = tomllib.loads(CONFIG.read_text())["tool"]["importlinter"]["contracts"]
    listed = {name.rsplit(".", 1)[1] for c in contracts if c["id"] == "families" for name in c["modules"]}
    folders = {path.parent.name for path in (ROOT / "src/moviola/models").glob("*/__init__.py")}
    assert folders == listed
