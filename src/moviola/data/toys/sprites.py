"""LPC Sprites: small captioned people, composed from part sheets, with known truth.

The benchmark known as "Sprites" (Li and Mandt 2018, "Disentangled Sequential Autoencoder", section 4.1) draws its
clips from the Liberated Pixel Cup parts. A sheet is 13 columns by 21 rows of 64x64 RGBA cells; parts are laid over
one another in the order body, eyes, shoes, bottomwear, topwear, hair. The part sheets are CC-BY-SA 3.0 / GPL 3.0
and are not part of moviola: give their folder as `parts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field

from moviola.core.config import Config as BaseConfig
from moviola.core.errors import FormatError
from moviola.core.seeds import derive, numpy_generator
from moviola.core.video import Video
from moviola.data.toys import ToyClip
from moviola.data.toys.sprites_grammar import ACTIONS, GRAMMAR

CELL = 64
BACKGROUND = (158, 190, 208)
# Slot order of the grammar is skin, bottom, top, hair, shoes, eyes; layer order is below.
_FOLDERS = ("body", "bottomwear", "topwear", "hair", "shoes", "eyes")
_LAYERS = (0, 5, 4, 1, 2, 3)
# First sheet row of each action, and the columns of one cycle. The standing cell that opens the walk is left
# out; the last cell of short actions is held, so that a cycle has 8 to 13 frames.
_ROWS = {"casts a spell": 0, "thrusts": 4, "walks": 8, "slashes": 12, "shoots": 16, "falls": 20}
_CYCLES: dict[str, tuple[int, ...]] = {
    "casts a spell": (0, 1, 2, 3, 4, 5, 5, 6),
    "thrusts": (0, 1, 2, 3, 4, 5, 6, 7),
    "walks": (1, 2, 3, 4, 5, 6, 7, 8),
    "slashes": (0, 1, 2, 3, 4, 5, 5, 5),
    "shoots": tuple(range(13)),
    "falls": (0, 1, 2, 3, 4, 5, 5, 5, 5, 5),
}


class Config(BaseConfig):
    """Settings of `make`.

    Attributes:
        parts: folder with body/, bottomwear/, topwear/, hair/, shoes/ and eyes/.
        size: H = W in pixels, a multiple of 64 (nearest neighbour).
        frames: T; None is one cycle (8 to 13).
        fps: frames a second.
    """

    parts: Path
    size: int = Field(default=64, ge=64, multiple_of=64)
    frames: int | None = Field(None, ge=1)
    fps: int = Field(default=8, ge=1)


def make(index: int, seed: int, config: Config) -> ToyClip:
    """Make clip `index` of the set `seed`: the same arguments give the same bytes.

    Returns:
        The video, its caption, and as truth the chosen `slots` by name and the cycle's `period` in frames.
    """
    slots = random_slots(numpy_generator(seed, "sprites", index))
    period = cycle_length(slots)
    frames = clip_frames(sheets(str(config.parts)), slots, range(config.frames or period))
    names = {s.name: s.values[k - 1].name for s, k in zip(GRAMMAR.slots, slots, strict=True)}
    video = Video(frames, config.fps).scale(config.size // CELL)
    return ToyClip(
        video, GRAMMAR.caption(slots), {"slots": names, "period": period, "held_out": held_out(slots)}
    )


class Sheets:
    """The part sheets, cut into cells.

    Args:
        folder: the parts folder.

    Raises:
        FormatError: when a part is missing or has another size.
    """

    def __init__(self, folder: str | Path) -> None:
        from PIL import Image

        self.color: list[np.ndarray] = []
        self.alpha: list[np.ndarray] = []
        for name, slot in zip(_FOLDERS, GRAMMAR.slots, strict=False):
            for k in range(len(slot.values)):
                path = Path(folder) / name / f"{k}.png"
                if not path.is_file():
                    raise FormatError(f"no sprite part {path}; a parts folder holds {', '.join(_FOLDERS)}")
                sheet = np.array(Image.open(path).convert("RGBA"))
                if sheet.shape != (21 * CELL, 13 * CELL, 4):
                    raise FormatError(
                        f"{path} is {sheet.shape[1]}x{sheet.shape[0]}, not {13 * CELL}x{21 * CELL}"
                    )
                cells = sheet.reshape(21, CELL, 13, CELL, 4).transpose(0, 2, 1, 3, 4)
                alpha = cells[..., 3:].astype(np.uint16)
                self.alpha.append(np.ascontiguousarray(255 - alpha))
                self.color.append(np.ascontiguousarray(cells[..., :3] * alpha))
        self._first = np.cumsum([0, *GRAMMAR.sizes[:5]])

    def draw(self, slots: Sequence[int] | np.ndarray, phase: int) -> np.ndarray:
        """Draw one frame.

        Args:
            slots: a full row of the grammar (values from 1).
            phase: frame of the cycle, 0 .. `cycle_length(slots)` - 1.

        Returns:
            uint8 (64, 64, 3).
        """
        action = ACTIONS[slots[6] - 1]
        row = _ROWS[action] + (0 if action == "falls" else int(slots[7]) - 1)
        column = _CYCLES[action][phase]
        out = np.full((CELL, CELL, 3), BACKGROUND, dtype=np.uint16)
        for layer in _LAYERS:
            part = self._first[layer] + int(slots[layer]) - 1
            out = (out * self.alpha[part][row, column] + self.color[part][row, column] + 127) // 255
        return out.astype(np.uint8)


@lru_cache(maxsize=2)
def sheets(folder: str) -> Sheets:
    """Return the cut sheets of `folder`, read once a process."""
    return Sheets(folder)


def cycle_length(slots: Sequence[int] | np.ndarray) -> int:
    """Frames in one cycle of the action of `slots`: 8, 10 or 13."""
    return len(_CYCLES[ACTIONS[slots[6] - 1]])


def held_out(slots: Sequence[int] | np.ndarray, fraction: float = 0.125) -> bool:
    """Whether the look (skin, bottom, top, hair, shoes, eyes) of `slots` is kept out of training.

    A stable hash decides, so about `fraction` of the 51,450 looks are never trained on, in any action.
    """
    return derive(20, *(int(k) for k in slots[:6])) % 1000 < fraction * 1000


def random_slots(
    rng: np.random.Generator, held: bool | None = None, *, by_action: bool = False
) -> np.ndarray:
    """Draw a full row of the grammar, int64 (8,): uniform over looks and over the 21 action-facing rows.

    Args:
        rng: source of randomness.
        held: True for held-out looks only, False for training looks only, None for both.
        by_action: uniform over the 6 actions instead, so that who falls, always towards the viewer, is drawn as often
            as who walks.
    """
    while True:
        look = [int(rng.integers(n)) + 1 for n in GRAMMAR.sizes[:6]]
        if held is None or held_out(look) == held:
            break
    row = int(rng.integers(6)) * 4 + int(rng.integers(4)) if by_action else int(rng.integers(21))
    action, facing = (ACTIONS.index("falls"), 2) if row >= 20 else (row // 4, row % 4)
    return np.array([*look, action + 1, facing + 1], dtype=np.int64)


def clip_frames(parts: Sheets, slots: np.ndarray, phases: Sequence[int] | range | np.ndarray) -> np.ndarray:
    """Draw frames `phases` (counted on, over the cycle's end) of the clip `slots`; uint8 (T, 64, 64, 3)."""
    length = cycle_length(slots)
    frame_phases = [int(p) % length for p in phases]
    frame_of = {p: parts.draw(slots, p) for p in set(frame_phases)}
    return np.stack([frame_of[p] for p in frame_phases])
