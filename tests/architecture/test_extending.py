"""docs/extending.md: each diff of the page applies to the sources as they are, and what it adds works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = ("A new metric", "A new source of clips", "A new refiner")


def blocks(title: str) -> tuple[str, str]:
    """The diff of a section, and the program below it."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S)
    assert section is not None
    (diff,), (program,) = (
        re.findall(rf"^```{kind}\n(.*?)^```", section[1], flags=re.M | re.S) for kind in ("diff", "python")
    )
    return diff, program


def apply(diff: str, root: Path) -> None:
    """Apply a diff below `root`; what stands around a change is found once in its file, or the test fails."""
    for part in re.split(r"^--- .*\n", diff, flags=re.M)[1:]:
        head, *hunks = re.split(r"^@@.*\n", part, flags=re.M)
        path = root / head.removeprefix("+++ b/").strip()
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            before, after = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
            assert not before or text.count(before) == 1, f"{path}: {before}"
            text = text.replace(before, after) if before else after
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def sources(tmp_path) -> Path:
    """A copy of the package; the embedded weights are those of the checkout."""
    package = tmp_path / "src" / "moviola"
    skipped = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "src" / "moviola", package, ignore=skipped)
    (package / "weights").symlink_to(ROOT / "src" / "moviola" / "weights", target_is_directory=True)
    return tmp_path


@pytest.mark.parametrize("title", SECTIONS)
def test_a_diff_of_the_page(title, sources):
    """It is short, applies, and the program below it runs in a folder of its own."""
    diff, program = blocks(title)
    assert len(diff.splitlines()) < 40
    apply(diff, sources)
    environment = {**os.environ, "PYTHONPATH": str(sources / "src"), "MOVIOLA_CACHE": str(sources / "cache")}
    (sources / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=sources / "work", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
