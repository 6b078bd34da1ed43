"""What raters saved, checked against the study, one entry a rater."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from moviola.core.errors import InputError
from moviola.core.names import natural_sorted
from moviola.pipelines.study.records import Answers, Choice, Study, load_answers


@dataclass(frozen=True)
class Rater:
    """One person's answers.

    Attributes:
        name: unique among the raters.
        file: where they were read.
        choices: (pair, criterion) to the side that was chosen, or "tie".
        caught: catch pairs in which the damaged copy was not seen. catches: catch pairs answered.
        counted: whether the answers count; False for who failed too many catch pairs.
    """

    name: str
    file: str
    choices: Mapping[tuple[int, str], Choice]
    caught: int = 0
    catches: int = 0
    counted: bool = True


@dataclass(frozen=True)
class Reading:
    """All raters of a study.

    Attributes:
        raters: those whose answers count, and those who were left out.
        duplicates: (file left out, file of the same rater that counts).
        notes: what there is to know, a line each.
    """

    raters: tuple[Rater, ...]
    duplicates: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def counted(self) -> list[Rater]:
        """Those whose answers count."""
        return [rater for rater in self.raters if rater.counted]


def read_answers(study: Study, paths: Sequence[str | Path], allowed: int = 0) -> Reading:
    """Read the answer files of a study.

    Args:
        study: its key.
        paths: files, and folders whose .json files are read.
        allowed: catch pairs that a rater may fail and still count.

    Raises:
        InputError: a file is damaged, is none, or answers another study; there is none; or every rater failed. The
        message is one line and names the file.
    """
    loaded = [(path, _checked(study, path)) for path in _expand(paths)]
    kept, duplicates = _one_each(loaded)
    raters = [_rater(study, path, answers, allowed) for path, answers in kept]
    raters, notes = _distinct(raters)
    notes = [f"{left} and {used} are of one rater; {used} counts" for left, used in duplicates] + notes
    notes += [note for rater in raters for note in _notes(study, rater)]
    if not any(rater.counted for rater in raters):
        names = ", ".join(rater.name for rater in raters)
        raise InputError(
            f"no answers count: {names} failed the catch pairs; --allow-failed N lets them count"
        )
    return Reading(tuple(raters), tuple(duplicates), tuple(notes))


def fails_catch(study: Study, number: int, choices: Mapping[tuple[int, str], Choice]) -> bool | None:
    """Return whether a rater failed a catch pair; None where it was not answered.

    It is passed where the whole copy was chosen by more criteria than the damaged one.
    """
    pair = study.pairs[number]
    made = [choice for (where, _), choice in choices.items() if where == number]
    if pair.damaged is None or not made:
        return None
    damaged = sum(choice == pair.damaged for choice in made)
    whole = sum(choice not in (pair.damaged, "tie") for choice in made)
    return whole <= damaged


def _expand(paths: Sequence[str | Path]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        inside = [path / name for name in natural_sorted(p.name for p in path.glob("*.json"))]
        if path.is_dir() and not inside:
            raise InputError(f"{path} holds no answer file (.json)")
        files += inside if path.is_dir() else [path]
    if not files:
        raise InputError("no answer files are given; each rater saves one from the page")
    return list({path.absolute(): path for path in files}.values())


def _checked(study: Study, path: Path) -> Answers:
    """Read one file; every answer is to a question that was asked, once."""
    answers = load_answers(path)
    if answers.study != study.id:
        raise InputError(f"{path} answers another study, {answers.study[:40]!r}, not {study.id}")
    seen: set[tuple[int, str]] = set()
    for answer in answers.answers:
        if answer.pair >= len(study.pairs):
            raise InputError(f"{path} is damaged: it answers pair {answer.pair}, of {len(study.pairs)}")
        if answer.criterion not in {c.key for c in study.criteria_of(study.pairs[answer.pair])}:
            raise InputError(
                f"{path} is damaged: pair {answer.pair} is not asked for {answer.criterion[:40]!r}"
            )
        if (answer.pair, answer.criterion) in seen:
            raise InputError(f"{path} is damaged: it answers pair {answer.pair}, {answer.criterion} twice")
        seen.add((answer.pair, answer.criterion))
    if not seen:
        raise InputError(f"{path} holds no answer")
    return answers


def _one_each(loaded: list[tuple[Path, Answers]]) -> tuple[list[tuple[Path, Answers]], list[tuple[str, str]]]:
    """Keep one file of each session: the one with most answers, of those the one that was saved last."""
    best: dict[str, tuple[Path, Answers]] = {}
    for path, answers in loaded:
        have = best.get(answers.session)
        if have is None or _rank(answers) > _rank(have[1]):
            best[answers.session] = (path, answers)
    twins = [(str(path), str(best[a.session][0])) for path, a in loaded if best[a.session][0] != path]
    return list(best.values()), twins


def _rank(answers: Answers) -> tuple[int, str]:
    return len(answers.answers), answers.saved


def _rater(study: Study, path: Path, answers: Answers, allowed: int) -> Rater:
    choices: dict[tuple[int, str], Choice] = {(a.pair, a.criterion): a.choice for a in answers.answers}
    verdicts = [fails_catch(study, number, choices) for number in range(len(study.pairs))]
    made = [verdict for verdict in verdicts if verdict is not None]
    name = " ".join(answers.rater.split())[:80] or path.name
    return Rater(name, str(path), choices, sum(made), len(made), sum(made) <= allowed)


def _distinct(raters: list[Rater]) -> tuple[list[Rater], list[str]]:
    """Give each rater a name of their own, and say where one name is that of several sessions."""
    counts: dict[str, int] = {}
    named, notes = [], []
    for rater in raters:
        counts[rater.name] = number = counts.get(rater.name, 0) + 1
        if number > 1:
            notes.append(
                f"{rater.file}: a second rater is called {rater.name}; counted as {rater.name} ({number})"
            )
            rater = replace(rater, name=f"{rater.name} ({number})")
        named.append(rater)
    return named, notes


def _notes(study: Study, rater: Rater) -> list[str]:
    """Say whose answers are left out or not whole."""
    asked = sum(len(study.criteria_of(pair)) for pair in study.pairs)
    catches = sum(pair.damaged is not None for pair in study.pairs)
    notes = []
    if not rater.counted:
        notes.append(
            f"{rater.name} ({rater.file}) failed {rater.caught} of {rater.catches} catch pairs; left out"
        )
    if len(rater.choices) < asked:
        notes.append(f"{rater.name} ({rater.file}) answered {len(rater.choices)} of {asked} questions")
    if catches and not rater.catches:
        notes.append(f"{rater.name} ({rater.file}) answered no catch pair")
    return notes
