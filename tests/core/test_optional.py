"""Optional libraries: one table, that of pyproject.toml; one way to import them; one line where one is missing."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from moviola.cli.doctor import CORE_PACKAGES
from moviola.core import optional
from moviola.core.errors import InputError
from moviola.core.optional import OPTIONAL, install_line, is_installed, require

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def names(requirements):
    """The distributions of a list of requirements."""
    return {re.match(r"[\w.-]+", text)[0] for text in requirements}


def test_the_table_is_that_of_the_extras():
    """Every extra of pyproject.toml but the developers', library by library; and the libraries it cannot do without."""
    extras = {name: names(texts) for name, texts in PROJECT["optional-dependencies"].items() if name != "dev"}
    table = {extra: set() for library in OPTIONAL.values() for extra in library.extras}
    for module, library in OPTIONAL.items():
        assert library.module == module and library.title and library.uses
        assert set(library.beside) <= set(OPTIONAL)
        for extra in library.extras:
            table[extra].add(library.distribution)
    assert table == extras
    assert set(CORE_PACKAGES) == names(PROJECT["dependencies"])


def imports(tree):
    """The top-level modules that a file imports by a statement, but for those of type checkers alone."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_optional_libraries_are_imported_in_one_way(path):
    """No `import cv2`, no `except ImportError`: `require` does both.

    What Numba compiles is decorated at import, and the studio is written in Starlette; its app requires that first.
    """
    text = path.read_text(encoding="utf-8")
    allowed = {"numba"} if path.name == "patchmatch_numba.py" else set()
    if path.parent.name == "studio" and path.parent.parent.name == "moviola":
        text = re.sub(r"^( *)from starlette[.\w]* import", r"\1from _ import", text, flags=re.M)
    assert set(imports(ast.parse(text))) & set(OPTIONAL) == allowed
    if path.name not in ("optional.py", "doctor.py", "packages.py", "numpy_pickle.py", "encoders.py"):
        assert not re.search(r"except \(?(ImportError|ModuleNotFoundError)|find_spec", text) or (
            path.name in ("loading.py", "hub.py")  # whose libraries raise it of yet another one
        )


def test_a_missing_library(monkeypatch):
    """What needs it, its name, how to get it, what would do instead."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert not is_installed("cv2")
    with pytest.raises(InputError) as error:
        require("cv2", "a painter", "or use another")
    assert str(error.value) == f"a painter needs OpenCV; {install_line('restyle')}; or use another"


def test_a_library_that_another_needs(monkeypatch):
    """The one that is missing is named."""
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(
        InputError, match=r"a painter needs diffusers \((accelerate|transformers) is missing\); run"
    ):
        require("diffusers", "a painter")


def test_a_library_that_does_not_start(monkeypatch, tmp_path):
    """A broken installation, with its own reason."""
    (tmp_path / "ray.py").write_text("raise OSError('libray.so: cannot open\\nmore')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with pytest.raises(
        InputError, match=r"--ray needs Ray, which does not start \(libray\.so: cannot open\); run"
    ):
        require("ray", "--ray")


def test_how_to_install(monkeypatch, tmp_path):
    """In the checkout by its pins; without one by the names of the libraries, which any index has."""
    assert install_line("restyle") == f"run in {ROOT}: pip install -c constraints.txt -e '.[restyle]'"
    assert (ROOT / "constraints.txt").is_file()
    monkeypatch.setattr(optional, "__file__", str(tmp_path / "lib/python/moviola/core/optional.py"))
    assert install_line("train") == "run: pip install peft tensorboard"


@pytest.mark.parametrize("folder", ["src", "docs", "examples", "benchmarks", "tests"])
def test_nothing_says_to_install_an_unpublished_package(folder):
    """`pip install moviola` finds nothing until the package is published."""
    pattern = re.compile(r"pip install[^`\n]*?['\" ]moviola\b")
    files = [path for kind in ("*.py", "*.md") for path in (ROOT / folder).rglob(kind)]
    assert files
    bad = [f"{p}:{n}" for p in files for n, line in enumerate(p.read_text("utf-8").split("\n"), 1)
           if pattern.search(line) and p.name != "test_optional.py"]  # fmt: skip
    assert bad == [] and not pattern.search((ROOT / "README.md").read_text("utf-8"))


CORE_ALONE = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

from moviola.core.optional import OPTIONAL
BLOCKED = set(OPTIONAL) | {"tokenizers", "skimage"}
sys.meta_path.insert(0, Nothing())
from moviola.cli.main import run

def call(line, code=0):
    print("$", line, flush=True)
    result = run(line.split())
    assert result == code, (line, result)

call("doctor")
call("models list")
call("data make digits toys -n 6 --size 32 --frames 8 --elements 1 -q")
call("data make digits others -n 6 --size 32 --frames 8 --elements 1 --seed 1 -q")
call("data info toys")
call("keyframes toys/000000.mp4 --method histogram --interval 3")
call("keyframes toys/000000.mp4 --method uniform --interval 3")
call("generate walks -o walk.mp4 --frames 6 --device cpu -q")
call("refine walk.mp4 -o refined.mp4 --iterations 1 --device cpu -q")
call("evaluate toys others --metrics motion,flicker,psnr,fvmd-lk --set frames=8 --no-cache --device cpu -q")
call("train regis_fuse_debug -o model --set trainer.steps=1 --set trainer.sample_every=0 --set data.count=2 -q")
call("keyframes toys/000000.mp4", 2)
call("keyframes toys/000000.mp4 --method latent --vae nowhere/model", 2)
call("restyle toys/000000.mp4 --painter ink -o ink.mp4", 2)
call("restyle toys/000000.mp4 castle --method uniform -o castle.mp4", 2)
call("generate walks --model hub:some/model -o hub.mp4", 2)
call("evaluate toys others --metrics motion --flow dis --set frames=8 --no-cache", 2)
call("evaluate toys others --metrics clip-score --clip some/model --set frames=8 --no-cache", 2)
call("evaluate toys others --metrics motion --ray --set frames=8 --no-cache", 2)
call("train regis_fuse_debug -o other --set lora=2 --set start=model", 2)
"""


@pytest.mark.slow
def test_the_core_alone(tmp_path):
    """Without any optional library the verbs that do not need one work, and the others say in a line what they need."""
    paths = {"PYTHONPATH": str(ROOT / "src"), "MOVIOLA_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CORE_ALONE], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, **paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for library in OPTIONAL.values():
        assert f"could be better: {library.distribution} is missing ({library.uses}); run in" in done.stdout
    errors = done.stderr.splitlines()
    assert all(line.startswith("moviola: error: ") and line.count("pip install") == 1 for line in errors), (
        errors
    )
    needed = [
        "OpenCV",
        "diffusers",
        "OpenCV",
        "diffusers",
        "diffusers",
        "OpenCV",
        "transformers",
        "Ray",
        "peft",
    ]
    assert [re.search(r" needs (\w+)", line)[1] for line in errors] == needed
