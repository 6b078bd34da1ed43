"""The closed grammar of toy captions, in both directions.

::

    caption := element | element " and " element | element ", " element " and " element ...
    element := ("a" | "an") [colour] name phrase          a red star spins clockwise
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moviola.core.errors import PromptError, nearest
from moviola.data.toys.motion import PHRASES

_AN = frozenset({"8", "arrow"})
_MOTION_OF = {phrase: name for name, phrase in PHRASES.items()}


@dataclass(frozen=True)
class CaptionElement:
    """What a caption says of one element: its name ("3", "star"), its colour or None, its motion's name."""

    name: str
    colour: str | None
    motion: str


def format_caption(elements: Sequence[CaptionElement]) -> str:
    """Return the caption of `elements` (at least one), in their order."""
    parts = [_format_element(element) for element in elements]
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def parse_caption(caption: str, names: Iterable[str], colours: Iterable[str] = ()) -> list[CaptionElement]:
    """Read what `format_caption` wrote.

    Args:
        caption: one sentence; case and runs of blanks do not matter.
        names: the elements the toy can draw.
        colours: the colours it knows; empty when its elements have none.

    Returns:
        The elements in the order they are said.

    Raises:
        PromptError: the sentence is not of the grammar; the message says from where on, and the nearest words.
    """
    names, colours = list(names), list(colours)
    text = " ".join(caption.lower().split())
    paint = rf"(?:(?P<colour>{_any(colours)}) )?" if colours else "(?P<colour>(?!))?"
    element = re.compile(rf"an? {paint}(?P<name>{_any(names)}) (?P<phrase>{_any(_MOTION_OF)})(?= and |, |$)")
    joint = re.compile(r", and |, | and ")
    elements: list[CaptionElement] = []
    at = 0
    while True:
        match = element.match(text, at)
        if not match:
            raise PromptError(_complaint(text[at:], names, colours))
        elements.append(CaptionElement(match["name"], match["colour"], _MOTION_OF[match["phrase"]]))
        if match.end() == len(text):
            return elements
        link = joint.match(text, match.end())
        at = link.end() if link else match.end()


def _format_element(element: CaptionElement) -> str:
    words = [element.colour] if element.colour else []
    words += [element.name, PHRASES[element.motion]]
    return f"{'an' if words[0] in _AN else 'a'} {' '.join(words)}"


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _complaint(remainder: str, names: list[str], colours: list[str]) -> str:
    vocabulary = [
        *names,
        *colours,
        "a",
        "an",
        "and",
        *{word for phrase in _MOTION_OF for word in phrase.split()},
    ]
    for word in re.findall(r"[\w-]+", remainder):
        if word not in vocabulary:
            suggestions = nearest(word, vocabulary) or names[:6]
            return f"the caption's word {word!r} is not known; nearest: {', '.join(suggestions)}"
    return (
        f"cannot read the caption from {remainder!r} on; write e.g. 'a {names[0]} {next(iter(_MOTION_OF))}'"
    )
