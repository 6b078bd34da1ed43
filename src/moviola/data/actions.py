"""Real people doing four actions: the Weizmann strips, with captions.

Source: Gorelick et al. 2007, "Actions as Space-Time Shapes", as laid out by the MoCoGAN authors: `ACTION/NNN.png`,
each a strip of square frames; numbers 2k and 2k + 1 are mirror images. What the people wear was read off by eye;
it tells them apart, and captions say it.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from moviola.core.errors import FormatError
from moviola.data.grammar import Grammar
from moviola.data.loader import Clip
from moviola.data.loops import find_loop
from moviola.data.slots import Rule, Slot, Value

FOLDERS = ("wave-one-hand", "wave-two-hands", "jumping-jack", "bend")
HELD_OUT_PERSON = "a grey jacket"
MOMENTS = 4
_MOMENT_STRIDE = 6
LEAST_LOOP = 16  # frames after taking every second one
STRIDE = 2  # every second frame: 25 to 12.5 frames a second

_CLOTHES = (
    Value(
        name="a brown jacket and light trousers",
        phrases=("brown jacket and light trousers", "light trousers"),
    ),
    Value(name="a brown jacket and jeans", phrases=("brown jacket and jeans", "jeans")),
    Value(name="a black suit", phrases=("black suit", "suit")),
    Value(name="blue denim", phrases=("blue denim", "denim", "denim jacket")),
    Value(name="a black coat", phrases=("black coat", "coat")),
    Value(name="a black jacket", phrases=("black jacket",)),
    Value(name="a black sweater", phrases=("black sweater", "sweater")),
    Value(name="a dark hood", phrases=("dark hood", "hood")),
    Value(name="a green sweater", phrases=("green sweater",)),
    Value(name="a blue shirt", phrases=("blue shirt",)),
)
# What the person at each place of a folder wears; None is the person kept out of training (in a grey jacket).
_WEARS: dict[str, tuple[int | None, ...]] = {
    "wave-one-hand": (0, 1, None, 2, 3, 4, 5),
    "wave-two-hands": (0, 1, None, 2, 3, 4, 5),
    "bend": (0, 1, None, 2, 3, 4, 5),
    "jumping-jack": (6, 7, None, 8, 3, 4, 9),
}
_ACTION = (
    Value(
        name="waves one hand",
        phrases=("waves one hand", "waves a hand", "waving one hand", "waves", "waving", "wave one hand"),
    ),
    Value(
        name="waves both hands",
        phrases=(
            "waves both hands",
            "waves two hands",
            "waving both hands",
            "waves hands",
            "wave both hands",
        ),
    ),
    Value(
        name="does jumping jacks",
        phrases=(
            "does jumping jacks",
            "jumping jacks",
            "jumping jack",
            "doing jumping jacks",
            "jumps",
            "jumping",
        ),
    ),
    Value(
        name="bends down", phrases=("bends down", "bends", "bending", "bending down", "bend", "bends over")
    ),
)
_SIDE = (
    Value(name="to the right", phrases=("to the right", "right")),
    Value(name="to the left", phrases=("to the left", "left")),
)
_MOMENT = tuple(Value(name="", phrases=(p,)) for p in ("at the start", "soon after", "later on", "at last"))

# Words that say nothing.
_SILENT = "a an the person man woman someone somebody in with and wearing wears who is of his her their"

GRAMMAR = Grammar(
    template="a person in {clothes} {action} {side} {moment}",
    slots=(
        Slot(name="clothes", values=_CLOTHES, visible=True),
        Slot(name="action", values=_ACTION),
        Slot(name="side", values=_SIDE, visible=True),
        Slot(name="moment", values=_MOMENT, visible=True),
    ),
    rules=tuple(
        Rule(
            slot="clothes",
            value=value.name,
            then="action",
            only=tuple(a.name for a, f in zip(_ACTION, FOLDERS, strict=True) if k in _WEARS[f]),
        )
        for k, value in enumerate(_CLOTHES)
    ),
    ignore=tuple(_SILENT.split()),
)


@lru_cache(maxsize=4)
def _strips(folder: str) -> dict[tuple[str, int], np.ndarray]:
    from moviola.data.codec import read_picture

    strips: dict[tuple[str, int], np.ndarray] = {}
    for name in FOLDERS:
        for number in range(14):
            path = Path(folder) / name / f"{number:03d}.png"
            if not path.is_file():
                raise FormatError(
                    f"no strip {path}; the data has the folders {', '.join(FOLDERS)} of 14 strips each"
                )
            picture = read_picture(path)
            side = picture.shape[0]
            strips[name, number] = picture.reshape(side, -1, side, 3).transpose(1, 0, 2, 3)
    return strips


class ActionClips:
    """The strips of every person but one, or of that one.

    Args:
        folder: the data, with one folder an action.
        held: False for the six people to train on, True for the one never trained on.
        moments: clips begin at one of the first moments (0, 6, 12 or 18 frames in), and the caption's slot "moment"
            says at which; otherwise they begin at frame 0 or 1 and do not say.
        unsaid: chance that a clip leaves its visible slots unsaid, as a given image does.
    """

    grammar: Grammar = GRAMMAR

    def __init__(
        self,
        folder: str | Path,
        *,
        held: bool = False,
        moments: bool = False,
        unsaid: float = 0.0,
    ) -> None:
        self.strips, self.moments, self.unsaid = _strips(str(folder)), moments, unsaid
        self._loops: dict[tuple[str, int, int], tuple[int, int]] = {}
        self.keys = [
            (name, number) for name, number in self.strips if (_WEARS[name][number // 2] is None) == held
        ]

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw a clip of any strip on this side of the split."""
        name, number = self.keys[int(rng.integers(len(self.keys)))]
        moment = int(rng.integers(MOMENTS)) if self.moments else 0
        start = moment * _MOMENT_STRIDE if self.moments else int(rng.integers(STRIDE))
        clip = self.of(name, number, start, moment + 1 if self.moments else int(rng.integers(MOMENTS + 1)))
        if rng.random() < self.unsaid:
            clip.slots[[k for k, s in enumerate(self.grammar.slots) if s.visible and rng.random() < 0.7]] = 0
        return clip

    def of(self, name: str, number: int, start: int = 0, moment: int = 0) -> Clip:
        """Return strip `number` of folder `name` from frame `start` on, every second frame.

        Args:
            moment: 0 (not said) to 4, what the slot "moment" says.
        """
        frames = self.strips[name, number][start::STRIDE]
        wears = _WEARS[name][number // 2]
        slots = [0 if wears is None else wears + 1, FOLDERS.index(name) + 1, number % 2 + 1, moment]
        row = np.array(slots, dtype=np.int64)
        key = (name, number, start)
        if key not in self._loops:
            self._loops[key] = find_loop(frames, LEAST_LOOP)
        read = partial(np.take, frames, axis=0)
        return Clip(row, len(frames), cyclic=False, read=read, loop=self._loops[key])
