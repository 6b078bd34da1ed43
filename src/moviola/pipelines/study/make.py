"""Making a study: its page, and the key beside it that says what is behind the pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviola.core.atomic import staged
from moviola.core.errors import ConfigError, FormatError, InputError, OutputError
from moviola.core.names import written
from moviola.core.progress import Tick
from moviola.data.folders import file_place
from moviola.pipelines.pages.render import render
from moviola.pipelines.study.clips import (
    ClipSettings,
    ClipStore,
    Shelf,
    find_shared,
    open_shelves,
    shared_caption,
)
from moviola.pipelines.study.criteria import find_criteria
from moviola.pipelines.study.plan import Shared, draw_pairs
from moviola.pipelines.study.records import Criterion, Method, Pair, Study, load_study

TITLE = "Which clip is better?"


@dataclass(frozen=True)
class Made:
    """A study that was written.

    Attributes:
        page: the file for raters. key: the file for `read_study`.
        study: what is in the key.
        clips: how many are in the page. size: of the page, bytes.
        notes: what was left out or changed, a line each.
    """

    page: Path
    key: Path
    study: Study
    clips: int
    size: int
    notes: tuple[str, ...]


def make_study(
    paths: Sequence[str | Path],
    output: str | Path,
    *,
    criteria: Sequence[str] | None = None,
    pairs: int | None = None,
    catch: int = 2,
    title: str = TITLE,
    settings: ClipSettings | None = None,
    seed: int = 0,
    tick: Tick | None = None,
) -> Made:
    """Write a page on which people compare the clips of two methods or more, and its key beside it.

    Args:
        paths: folders or files of results, a method each; clips are paired by their names without extension.
        output: the page, .html; the key has the same name with .json.
        criteria: as `find_criteria` takes them; None for the five.
        pairs: at most so many, catch pairs not counted; None for all.
        catch: catch pairs, a clip against a damaged copy of itself, at least 0.
        title: of the page.
        settings: of the clips; None for the usual ones.
        seed: of order, sides, catch pairs, and of the pairs where not all are taken.
        tick: called after each clip.

    Raises:
        InputError: nothing pairs, a clip cannot be read, or the page would be too large. OutputError: it cannot be
        written, or the key of another study is in its place. ConfigError: a number out of range.
    """
    page, key = check_places(output)
    if catch < 0 or (pairs is not None and pairs < 1):
        raise ConfigError(f"--pairs is at least 1 and --catch at least 0, not {pairs} and {catch}")
    asked = find_criteria(criteria)
    shelves = open_shelves(paths)
    shared, notes = find_shared(shelves)
    plan = draw_pairs(shared, lambda m: shared_caption(shelves, m), limit=pairs, catch=catch, seed=seed)
    asked, more = _askable(asked, plan, shelves, shared)
    store = ClipStore(shelves, settings or ClipSettings(), seed, tick or (lambda advance, text: None))
    sides = [_sides(store, pair) for pair in plan]
    files, digest = store.encode()
    study = _with_id(_study(title, seed, shelves, asked, plan), digest)
    _check_key(key, study)
    text = render("study.html", title=title, data=_page_data(study, sides), clips=files, catch=catch)
    with staged(page) as beside, staged(key) as key_beside:
        beside.write_bytes(written(text))
        key_beside.write_text(study.to_json(), encoding="utf-8")
    notes += [*more, *_cut_notes(store, settings or ClipSettings())]
    return Made(page, key, study, len(files), page.stat().st_size, tuple(notes))


def check_places(output: str | Path) -> tuple[Path, Path]:
    """Return where the page and its key go.

    Raises:
        FormatError: no .html. OutputError: no such folder, or a file that is no key is in the key's place.
    """
    page = file_place(output)
    if page.suffix.lower() not in (".html", ".htm"):
        raise FormatError(f"a study is a page; {output} does not end in .html")
    key = file_place(page.with_suffix(".json"))
    _check_key(key, None)
    return page, key


def _check_key(key: Path, study: Study | None) -> None:
    """Refuse to write over the key of another study: its answers could not be read without it."""
    if not key.exists():
        return
    try:
        there = load_study(key)
    except InputError:
        raise OutputError(
            f"cannot write {key}, the key of the study: another file of that name exists"
        ) from None
    if study is not None and there.id != study.id:
        raise OutputError(
            f"{key} is the key of another study, whose answers could not be read without it; name another page, or "
            "remove it"
        )


def _askable(
    asked: list[Criterion], plan: list[Pair], shelves: Sequence[Shelf], shared: Shared
) -> tuple[list[Criterion], list[str]]:
    """Return the criteria that some pair can be judged by, and notes on captions."""
    bare = [pair for pair in plan if pair.caption is None]
    told = [pair for pair in bare if any(shelves[n].caption(pair.clip) for n in (pair.left, pair.right))]
    notes = [f"{len(told)} pairs have two different captions; none is shown there"] if told else []
    captioned = [c for c in asked if c.captioned]
    if captioned and len(bare) == len(plan):
        asked = [c for c in asked if not c.captioned]
        notes.append(f"no pair has a caption, so {', '.join(c.key for c in captioned)} is not asked")
    elif captioned and bare:
        notes.append(f"{captioned[0].key} is not asked of {len(bare)} pairs without a caption")
    if not asked:
        raise ConfigError("--criteria asks about captions alone, and no pair has one")
    return asked, notes


def _sides(store: ClipStore, pair: Pair) -> tuple[int, int]:
    """Return the numbers in the page of the left and of the right clip."""
    left = store.add(pair.left, pair.clip, pair.damaged == "left")
    return left, store.add(pair.right, pair.clip, pair.damaged == "right")


def _study(
    title: str, seed: int, shelves: Sequence[Shelf], asked: list[Criterion], plan: list[Pair]
) -> Study:
    from moviola import __version__

    methods = tuple(Method(name=shelf.name, path=str(shelf.source.path)) for shelf in shelves)
    return Study(
        id="", seed=seed, title=title, methods=methods, criteria=tuple(asked), pairs=tuple(plan),
        made_with=__version__,
    )  # fmt: skip


def _with_id(study: Study, digest: str) -> Study:
    """Name a study by its plan and its clips; where the clips lay, and the version, are nothing to it."""
    bare = tuple(method.model_copy(update={"path": ""}) for method in study.methods)
    text = study.model_copy(update={"methods": bare, "made_with": ""}).to_json()
    return study.model_copy(update={"id": hashlib.sha256(f"{text}{digest}".encode()).hexdigest()[:16]})


def _page_data(study: Study, sides: list[tuple[int, int]]) -> dict[str, Any]:
    """Return what the page's script is told: nothing of methods, nothing of which pair is a catch."""
    return {
        "study": study.id,
        "criteria": {c.key: {"title": c.title, "question": c.question} for c in study.criteria},
        "pairs": [
            {"a": a, "b": b, "caption": pair.caption, "criteria": [c.key for c in study.criteria_of(pair)]}
            for pair, (a, b) in zip(study.pairs, sides, strict=True)
        ],
    }


def _cut_notes(store: ClipStore, settings: ClipSettings) -> list[str]:
    if not store.cut:
        return []
    return [
        f"{len(store.cut)} clips are longer than {settings.seconds:g} s; their beginning is shown (--seconds)"
    ]
