"""What captions of a closed vocabulary are made of: slots, their values, and rules between them."""

from __future__ import annotations

from pydantic import Field

from moviola.core.config import Config


class Value(Config):
    """One value of a slot.

    Attributes:
        name: how captions say it ("green hair").
        heads: words that open the slot and allow this value ("hair", "haired").
        words: words before a head that single it out ("green", "messy").
        phrases: word sequences that mean this value wherever they stand ("walks", "to the left").
    """

    name: str
    heads: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


class Slot(Config):
    """A question a caption may answer.

    Attributes:
        name: of the slot.
        values: the possible answers.
        visible: a single frame shows the answer, so it need not be said when an image is given.
    """

    name: str
    values: tuple[Value, ...] = Field(min_length=1)
    visible: bool = False


class Rule(Config):
    """Where `slot` has value `value`, slot `then` can only have one of the values `only` (all by name)."""

    slot: str
    value: str
    then: str
    only: tuple[str, ...]
