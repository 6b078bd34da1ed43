"""The caption languages of the drawn digits and icons, as slots."""

from __future__ import annotations

from functools import lru_cache

from moviola.data.grammar import Grammar
from moviola.data.slots import Slot, Value
from moviola.data.toys import digits, icons
from moviola.data.toys.motion import PHRASES

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_IGNORED = (
    "a",
    "an",
    "the",
    "and",
    "digit",
    "number",
    "icon",
    "is",
    "are",
    "it",
    "that",
)  # words that say nothing
_MOTION_SYNONYMS = {
    "left-right": ("moving left and right", "move left and right", "left and right", "right and left"),
    "up-down": ("moving up and down", "move up and down", "up and down", "down and up"),
    "orbit-clockwise": ("orbiting clockwise", "orbit clockwise", "circles clockwise", "circling clockwise"),
    "orbit-counter-clockwise": (
        "orbiting counter-clockwise",
        "orbit counter-clockwise",
        "circles counter-clockwise",
        "circling counter-clockwise",
    ),
    "spin-clockwise": ("spinning clockwise", "spin clockwise", "turns clockwise", "turning clockwise"),
    "spin-counter-clockwise": (
        "spinning counter-clockwise",
        "spin counter-clockwise",
        "turns counter-clockwise",
        "turning counter-clockwise",
    ),
}


def _value(name: str, *phrases: str) -> Value:
    every = [*phrases, *(phrase.replace("-", " ") for phrase in phrases if "-" in phrase)]
    return Value(name=name, phrases=tuple(dict.fromkeys(every)))


def _motions() -> Slot:
    values = tuple(_value(phrase, phrase, *_MOTION_SYNONYMS[name]) for name, phrase in PHRASES.items())
    return Slot(name="motion", values=values)


@lru_cache(maxsize=2)
def scene_grammar(toy: str) -> Grammar:
    """Return the grammar of a toy, "digits" or "icons", of up to two things a clip."""
    motion = _motions()
    if toy == "digits":
        numbers = zip(digits.NAMES, _NUMBERS, strict=True)
        values = tuple(_value(f"{'an' if n == '8' else 'a'} {n}", n, word) for n, word in numbers)
        slots, template = (Slot(name="digit", values=values, visible=True), motion), "{digit} {motion}"
    else:
        colours = Slot(name="colour", values=tuple(_value(f"a {c}", c) for c in icons.COLOURS), visible=True)
        names = Slot(name="icon", values=tuple(_value(n, n) for n in icons.NAMES), visible=True)
        slots, template = (colours, names, motion), "{colour} {icon} {motion}"
    return Grammar(template=template, slots=slots, ignore=_IGNORED, elements=2)
