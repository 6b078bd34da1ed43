"""Moving MNIST: two handwritten digits that bounce in 64x64 pixels, drawn from MNIST's own files.

Source: Srivastava, Mansimov and Salakhutdinov 2015, "Unsupervised Learning of Video Representations using LSTMs",
section 4.2; with captions, Mittal, Marwah and Balasubramanian 2017, "Sync-DRAW", section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import pi
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.errors import FormatError, InputError
from moviola.core.seeds import numpy_generator
from moviola.data.layouts import ClipInfo, StoredClip
from moviola.data.named.base import TRAIN, Check, Member, NamedDataset, Reading, Spec, part_checks, unlike
from moviola.data.stores import FolderStore

if TYPE_CHECKING:
    import numpy as np

    from moviola.core.video import Video

PUBLISHED = "mnist_test_seq.npy"
LAYOUT = f"MNIST's train-images-idx3-ubyte and t10k-images-idx3-ubyte (.gz or not) with their labels, or {PUBLISHED}"
SIDE, DIGIT, FRAMES = 64, 28, 20
STEP = 0.1
"""Way of a digit in one frame, as a part of the free side of 36 px."""
COUNT = 10_000
"""Sequences of each split, as in the published test set."""
_FILES = {TRAIN: "train", "test": "t10k"}
_SEEDS = {TRAIN: 0, "test": 1}
_TRAIN_SHARE = 0.9


@dataclass(frozen=True)
class DigitsClip(StoredClip):
    """A sequence of two bouncing digits, drawn when it is read.

    Args:
        images, labels: MNIST's files, by name in the store.
        rows: the digits it may be drawn from: the first, and the one after the last, as parts of the file, 0 to 1.
        seed: of the split.
        number: of the sequence; it alone, with the seed, says what is drawn.
        axes: every digit moves along one axis, as its caption says; otherwise in any direction.
    """

    images: str
    labels: str
    rows: tuple[float, float]
    seed: int
    number: int
    axes: bool

    def info(self) -> ClipInfo:
        """See `StoredClip`."""
        return ClipInfo(FRAMES, SIDE, SIDE, self.fps)

    def read(self, indices: Sequence[int] | None = None) -> Video:
        """See `StoredClip`."""
        import numpy as np

        from moviola.core.video import Video

        numbers = self._checked(indices, FRAMES)
        draw = self.draw_motion()
        images = _bank(self.store.root, self.images, self.store.stamp(self.images))
        if images.ndim != 3 or draw.rows.max() >= len(images):
            raise InputError(
                f"{self.store.where(self.images)} has not an image for every label of {self.labels}"
            )
        frames = compose(images[draw.rows], trajectories(draw.start, draw.velocity, FRAMES))
        return Video(np.repeat(frames[numbers][..., None], 3, axis=-1), fps=self.fps)

    def files(self) -> Sequence[str]:
        """See `StoredClip`."""
        return (self.images, self.labels)

    @property
    def extent(self) -> str:
        """See `StoredClip`."""
        return f"{self.rows} {self.seed} {self.number} {self.axes}"

    @property
    def where(self) -> str:
        """See `StoredClip`."""
        return f"{self.store.where(self.images)} sequence {self.number}"

    def draw_motion(self) -> DigitMotion:
        """Draw the digits and their motion."""
        count = len(_bank(self.store.root, self.labels, self.store.stamp(self.labels)))
        rng = numpy_generator(self.seed, "moving-mnist", self.number)
        rows = rng.integers(int(self.rows[0] * count), int(self.rows[1] * count), size=2)
        start, angle = rng.random((2, 2)), 2 * pi * rng.random(2)
        return DigitMotion(rows, start, velocities(angle, self.axes))

    def caption(self) -> str:
        """Return "the digit 7 is moving left and right and the digit 9 is moving up and down"."""
        labels = _bank(self.store.root, self.labels, self.store.stamp(self.labels))
        draw = self.draw_motion()
        return " and ".join(
            f"the digit {labels[row]} is moving{_motion(v) if self.axes else ''}"
            for row, v in zip(draw.rows, draw.velocity, strict=True)
        )


@dataclass(frozen=True)
class DigitMotion:
    """What was drawn for a sequence.

    Args:
        rows: of the images, (2,).
        start: x and y of the digits before the first frame, in free sides, (2, 2).
        velocity: their way in one frame, in free sides, (2, 2).
    """

    rows: np.ndarray
    start: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True)
class PublishedClip(StoredClip):
    """A sequence of the published test set, an array (20, N, 64, 64) that is mapped into memory.

    Args:
        file: the array.
        number: of the sequence.
    """

    file: str
    number: int

    def info(self) -> ClipInfo:
        """See `StoredClip`."""
        return ClipInfo(FRAMES, SIDE, SIDE, self.fps)

    def read(self, indices: Sequence[int] | None = None) -> Video:
        """See `StoredClip`."""
        import numpy as np

        from moviola.core.video import Video

        numbers = self._checked(indices, FRAMES)
        grey = open_published(self.store.root / self.file)[numbers, self.number]
        return Video(np.repeat(np.asarray(grey)[..., None], 3, axis=-1), fps=self.fps)

    def files(self) -> Sequence[str]:
        """See `StoredClip`."""
        return (self.file,)

    @property
    def extent(self) -> str:
        """See `StoredClip`."""
        return str(self.number)

    @property
    def where(self) -> str:
        """See `StoredClip`."""
        return f"{self.store.where(self.file)} sequence {self.number}"


def velocities(angles: np.ndarray, axes: bool) -> np.ndarray:
    """Return x and y of the way in one frame, in free sides.

    Args:
        angles: directions, radians (N,).
        axes: turn each to the nearest axis.
    """
    import numpy as np

    directions = np.round(angles / (pi / 2)) * (pi / 2) if axes else angles
    velocity = STEP * np.stack([np.cos(directions), np.sin(directions)], axis=-1)
    return np.where(np.abs(velocity) < 1e-9, 0.0, velocity)


def trajectories(start: np.ndarray, velocity: np.ndarray, frames: int) -> np.ndarray:
    """Return where the upper left corners of the digits are, px, int (frames, N, 2): a digit at an edge turns back.

    Args:
        start: x and y at the beginning, 0 to 1 of the free side, (N, 2).
        velocity: in free sides a frame, (N, 2).
    """
    import numpy as np

    position, step = start.copy(), velocity.copy()
    positions = np.empty((frames, *start.shape))
    for t in range(frames):
        position += step
        step = np.where((position <= 0) | (position >= 1), -step, step)
        position = position.clip(0, 1)
        positions[t] = position
    return (positions * (SIDE - DIGIT)).astype(int)


def compose(digits: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Draw digits over each other, the brighter pixel counting.

    Args:
        digits: uint8 (N, 28, 28).
        corners: x and y, px, int (T, N, 2).

    Returns:
        uint8 (T, 64, 64).
    """
    import numpy as np

    frames = np.zeros((len(corners), SIDE, SIDE), np.uint8)
    for frame, places in zip(frames, corners, strict=True):
        for digit, (x, y) in zip(digits, places, strict=True):
            part = frame[y : y + DIGIT, x : x + DIGIT]
            np.maximum(part, digit, out=part)
    return frames


def open_published(path: Path) -> np.ndarray:
    """Map the published test set into memory.

    Returns:
        uint8 (20, N, 64, 64).

    Raises:
        FormatError: it is no such array.
    """
    import numpy as np

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"{path} is not a readable array: {error}") from None
    if (
        array.dtype != np.uint8
        or array.ndim != 4
        or array.shape[::2] != (FRAMES, SIDE)
        or array.shape[3] != SIDE
    ):
        raise FormatError(f"{path} holds {array.dtype} {array.shape}; expected uint8 (20, N, 64, 64)")
    return array


def read(spec: Spec) -> Reading:
    """See `NamedDataset`: digits in any direction; the published test set where it is there."""
    return _read(spec, axes=False)


def read_captioned(spec: Spec) -> Reading:
    """See `NamedDataset`: every digit along one axis, so that its caption says how it moves."""
    return _read(spec, axes=True)


def _read(spec: Spec, axes: bool) -> Reading:
    folder = spec.path if spec.path.is_dir() else spec.path.parent
    store = FolderStore(folder)
    files = [path for path in folder.iterdir() if path.is_file()] if folder == spec.path else [spec.path]
    names = {path.name for path in files}
    pairs = {split: pair for split, file in _FILES.items() if (pair := _pair(names, file)) is not None}
    members: list[Member] = []
    if TRAIN in pairs and "test" in pairs:
        parts = {split: (*pairs[split], (0.0, 1.0)) for split in _FILES}
    elif pairs:
        only = next(iter(pairs.values()))  # of one file, the last tenth of the digits is never trained on
        parts = {TRAIN: (*only, (0.0, _TRAIN_SHARE)), "test": (*only, (_TRAIN_SHARE, 1.0))}
    else:
        parts = {}
    file = spec.path.name if spec.path.suffix == ".npy" and spec.path.is_file() else PUBLISHED
    has_published = file in names and not axes
    for split, (images, labels, rows) in parts.items():
        if split == "test" and has_published:
            continue
        for n in range(COUNT):
            clip = DigitsClip(
                store, f"{split}/{n:05d}", None, spec.fps, images, labels, rows, _SEEDS[split], n, axes
            )
            members.append(Member(clip, split, clip.name))
    if has_published:
        for n in range(open_published(folder / file).shape[1]):
            clip = PublishedClip(store, f"test/{n:05d}", None, spec.fps, file, n)
            members.append(Member(clip, "test", clip.name))
    if not members:
        raise unlike(spec, LAYOUT, sorted(names))
    file_count = sum(len(pair) for pair in pairs.values())
    checks = [Check("MNIST files", 4, file_count), *part_checks(members, {TRAIN: COUNT, "test": COUNT})]
    return Reading(members, checks, say=_say)


def _pair(names: set[str], part: str) -> tuple[str, str] | None:
    """Return the images' and the labels' file of one half of MNIST, under any of their names."""
    for dot in ("-", "."):
        for end in ("", ".gz"):
            images, labels = f"{part}-images{dot}idx3-ubyte{end}", f"{part}-labels{dot}idx1-ubyte{end}"
            if images in names and labels not in names:
                raise InputError(f"{images} is there, and its labels {labels} are not; fetch both")
            if images in names:
                return images, labels
    return None


def _say(members: list[Member]) -> list[Member]:
    return [
        replace(m, captions=(m.clip.caption(),)) if isinstance(m.clip, DigitsClip) else m for m in members
    ]


@lru_cache(maxsize=4)
def _bank(folder: Path, name: str, stamp: str) -> np.ndarray:
    """Return an IDX file; it is read anew when its `stamp` changes."""
    from moviola.data.toys.digits import read_idx

    array = read_idx(folder / name)
    if array.ndim not in (1, 3) or (array.ndim == 3 and array.shape[1:] != (DIGIT, DIGIT)) or len(array) < 20:
        raise FormatError(
            f"{folder / name} holds {array.shape}; expected MNIST's images (N, 28, 28) or labels (N,)"
        )
    return array


def _motion(velocity: np.ndarray) -> str:
    return " left and right" if abs(velocity[0]) > abs(velocity[1]) else " up and down"


_RULE = (
    "by handwritten digit: train from MNIST's train files, test from t10k (of one file alone, the last tenth)"
)
_URL = "https://yann.lecun.com/exdb/mnist/ (MNIST), https://www.cs.toronto.edu/~nitish/unsupervised_video/ (test set)"
DATASET = NamedDataset(
    name="moving-mnist",
    title="Moving MNIST (Srivastava et al. 2015)",
    splits=(TRAIN, "test"),
    split_rule=_RULE,
    url=_URL,
    licence="CC BY-SA 3.0 (MNIST); the published test set states none",
    layout=LAYOUT,
    read=read,
)
CAPTIONED = NamedDataset(
    name="moving-mnist-captions",
    title="Moving MNIST with captions (Mittal et al. 2017)",
    splits=(TRAIN, "test"),
    split_rule=_RULE,
    url=_URL.partition(" (")[0],
    licence="CC BY-SA 3.0 (MNIST)",
    layout=LAYOUT.partition(", or ")[0],
    read=read_captioned,
)
