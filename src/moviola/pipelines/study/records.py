"""The two files of a study: the key, which stays with whoever made it, and the answers, which each rater saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from moviola.core.config import Config
from moviola.core.errors import ConfigError, InputError

Side = Literal["left", "right"]
Choice = Literal["left", "right", "tie"]
STUDY_FORMAT, ANSWERS_FORMAT = "moviola-study", "moviola-study-answers"
T = TypeVar("T", "Study", "Answers")
_MOST_BYTES = 16_000_000  # of an answer file; a million choices take less


class Criterion(Config):
    """What raters judge by.

    Args:
        key: its name in files: "visual-quality".
        title: its name for people.
        question: what they are asked.
        captioned: whether it is asked of pairs with a caption only.
    """

    key: str
    title: str
    question: str
    captioned: bool = False


class Method(Config):
    """Whose clips are compared.

    Args:
        name: how results call it.
        path: where its clips were.
    """

    name: str
    path: str


class Pair(Config):
    """Two clips that are shown side by side.

    Args:
        clip: the name that both have, without suffix.
        left: number of the method on the left, from 0. right: of the one on the right.
        caption: what is shown above them, or None.
        damaged: of a catch pair, the side of the damaged copy; both sides are then of one method.
    """

    clip: str
    left: int = Field(ge=0)
    right: int = Field(ge=0)
    caption: str | None = None
    damaged: Side | None = None


class Study(Config):
    """The key of a study: which methods are behind the pairs of its page.

    Args:
        id: a checksum of plan and clips, which stands in the page and in every answer file.
        seed: that the plan was drawn with.
        title: of the page.
        methods: two or more.
        criteria: one or more.
        pairs: in the order in which they are shown.
        made_with: version of moviola.
    """

    format: Literal["moviola-study"] = STUDY_FORMAT
    version: Literal[1] = 1
    id: str
    seed: int
    title: str
    methods: Annotated[tuple[Method, ...], Field(min_length=2)]
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    made_with: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for number, pair in enumerate(self.pairs):
            if max(pair.left, pair.right) >= len(self.methods):
                raise ValueError(f"pair {number} names a method that is not there")
            if (pair.damaged is not None) != (pair.left == pair.right):
                raise ValueError(f"pair {number} holds one method against itself")
        return self

    def criteria_of(self, pair: Pair) -> list[Criterion]:
        """Return what is asked of a pair."""
        return [c for c in self.criteria if pair.caption is not None or not c.captioned]


class Answer(Config):
    """One choice.

    Args:
        pair: number of the pair, from 0. criterion: its key.
        choice: the side that is better, or "tie".
        seconds: from when the question was asked.
        time: when it was made, as ISO 8601.
    """

    pair: int = Field(ge=0)
    criterion: str
    choice: Choice
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    time: str = ""


class Answers(Config):
    """What a rater saved.

    Args:
        study: id of the study.
        rater: the name that the rater gave.
        session: drawn by the page; two files of one session are of one rater.
        saved: when, as ISO 8601.
        answers: one for each pair and criterion at most.
    """

    format: Literal["moviola-study-answers"] = ANSWERS_FORMAT
    version: Literal[1] = 1
    study: str
    rater: str
    session: str
    saved: str = ""
    answers: tuple[Answer, ...]


def load_study(path: str | Path) -> Study:
    """Read the key of a study.

    Raises:
        InputError: it is missing, damaged or another kind of file; the message is one line and names it.
    """
    return _load(Study, path, "the key of a study, which moviola study make writes beside the page")


def load_answers(path: str | Path) -> Answers:
    """Read what a rater saved.

    Raises:
        InputError: it is missing, damaged or another kind of file; the message is one line and names it.
    """
    return _load(Answers, path, "an answer file, which the page of a study saves")


def _load(kind: type[T], path: str | Path, what: str) -> T:
    values = _read(Path(path), what)
    wanted = kind.model_fields["format"].default
    if not isinstance(values, dict) or values.get("format") != wanted:
        raise InputError(f"{path} is not {what}")
    try:
        return kind.make(values)
    except ConfigError as error:
        raise InputError(f"{path} is damaged: {error}") from None


def _read(path: Path, what: str) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is not {what}: it has {path.stat().st_size / 1e6:.0f} MB")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not {what}: it is no text") from None
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path} is not {what}: its JSON breaks off or is damaged{where}") from None
