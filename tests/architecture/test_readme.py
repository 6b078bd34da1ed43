"""Nothing stands in the README that does not exist: commands parse, make targets, files and names are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import moviola

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path, program: str) -> list[list[str]]:
    """The command lines of `program` in the page's ```bash blocks, as words, continued lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [w for w in words if w and w[0] == program]


MOVIOLA = [(page, words) for page in PAGES for words in commands(page, "moviola")]
MAKE = [(page, words) for page in PAGES for words in commands(page, "make")]


def label(value: object) -> str:
    """A readable test id."""
    return value.name if isinstance(value, Path) else " ".join(value)[:60]  # type: ignore[arg-type]


@pytest.mark.parametrize(("page", "words"), MOVIOLA, ids=label)
def test_moviola_command_parses(page, words, check_words):
    """The verb exists, its options exist, and no required argument is left out."""
    if words[1] not in ("--help", "--version"):
        check_words(words[1:])


@pytest.mark.parametrize(("page", "words"), MAKE, ids=label)
def test_make_target_exists(page, words):
    """Every `make X` in the pages is a target of the Makefile."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    assert [word for word in words[1:] if "=" not in word and word not in targets] == []


def test_readme_shows_the_front_door():
    """A newcomer finds the two commands and a prompt."""
    assert ["make", "demo"] in commands(ROOT / "README.md", "make")
    assert any(words[1] == "generate" for words in commands(ROOT / "README.md", "moviola"))


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_local_links_lead_somewhere(page):
    """Pictures and relative links in the pages exist."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text)
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_python_blocks_compile_and_use_public_names(page):
    """Python examples are Python, and `mv.name` is in `moviola.__all__`."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S):
        compile(block, str(page), "exec")
        assert set(re.findall(r"\bmv\.(\w+)", block)) <= set(moviola.__all__)
