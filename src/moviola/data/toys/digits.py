"""Moving digits with captions: "a 3 moves left and right and a 7 orbits clockwise".

The digits are drawn with strokes of our own, so that nothing needs to be fetched; `glyphs` takes handwritten
ones from MNIST's IDX files instead. After Moving MNIST (Srivastava et al., "Unsupervised Learning of Video
Representations using LSTMs", 2015) and the captioned digits of Sync-DRAW (Mittal et al., 2017).
"""

from __future__ import annotations

import gzip
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.errors import FormatError, InputError
from moviola.core.seeds import numpy_generator
from moviola.data.toys import ToyClip
from moviola.data.toys.draw import Glyph, arc, from_bitmap, from_distance, strokes
from moviola.data.toys.phrases import CaptionElement, parse_caption
from moviola.data.toys.scene import Element, SceneConfig, make_scene

if TYPE_CHECKING:
    import numpy as np

NAMES: tuple[str, ...] = tuple("0123456789")
WHITE = (255, 255, 255)
_PEN = 0.24

_STROKES = {
    "0": [arc(0, 0, 0.46, 0.74, 0, 360, 48)],
    "1": [[(-0.28, -0.46), (0.06, -0.74), (0.06, 0.74)]],
    "2": [[*arc(0, -0.33, 0.44, 0.41, 180, 390), (-0.44, 0.74), (0.46, 0.74)]],
    "3": [arc(-0.02, -0.37, 0.42, 0.37, 205, 450), arc(-0.02, 0.37, 0.46, 0.37, -90, 155)],
    "4": [[(0.2, 0.74), (0.2, -0.74), (-0.48, 0.28), (0.5, 0.28)]],
    "5": [[(0.4, -0.74), (-0.34, -0.74), (-0.38, -0.08), *arc(-0.02, 0.26, 0.46, 0.48, 222, 500)]],
    "6": [arc(0, 0.3, 0.44, 0.44, 0, 360, 36), arc(0.36, 0.3, 0.8, 1.04, 180, 275)],
    "7": [[(-0.44, -0.74), (0.46, -0.74), (-0.1, 0.74)]],
    "8": [arc(0, -0.38, 0.36, 0.36, 0, 360, 36), arc(0, 0.36, 0.44, 0.38, 0, 360, 36)],
    "9": [arc(0, -0.3, 0.44, 0.44, 0, 360, 36), [(0.44, -0.3), (0.38, 0.74)]],
}


class Config(SceneConfig):
    """Settings of the digits (see `SceneConfig`)."""

    glyphs: Path | None = None  # MNIST images (IDX, plain or gzip; the labels file beside it), None: our own


def make(
    index: int, seed: int, config: Config | None = None, looks: np.random.Generator | None = None
) -> ToyClip:
    """Make clip `index` of the set `seed`.

    Args:
        index: which clip, 0 or more; clip k is the same whatever the size of the set.
        seed: which set.
        config: the settings; None for the defaults.
        looks: draws what is to be seen, in place of the clip's own draws; places and motions stay.

    Returns:
        The video, its caption and its truth (`moviola.data.toys.scene`); each element also says, when `glyphs`
        is given, its `sample` (the row in the MNIST file).

    Raises:
        InputError: the IDX files are missing or damaged.
    """
    config = config or Config()
    rng = numpy_generator(seed, "digits", index)
    samples: list[int] = []

    def pick(radius: float) -> Element:
        digit = int(rng.integers(10))
        name = NAMES[digit if looks is None else int(looks.integers(10))]
        if config.glyphs is None:
            return Element(name, None, _glyph(name), WHITE)
        images, rows = _bank(config.glyphs)
        samples.append(int(rng.choice(rows[int(name)])))
        return Element(name, None, from_bitmap(images[samples[-1]], radius), WHITE)

    clip = make_scene(rng, config, pick)
    for element, sample in zip(clip.truth["elements"], samples, strict=False):
        element["sample"] = sample
    return clip


def parse(caption: str) -> list[CaptionElement]:
    """Return what a caption of this toy says, element by element (`PromptError` when it is none)."""
    return parse_caption(caption, NAMES)


def read_idx(path: str | Path) -> np.ndarray:
    """Read an IDX file of bytes, the format of MNIST, plain or gzip.

    Source: Y. LeCun, "The MNIST database", file formats: a big-endian magic 0x000008DD with DD dimensions, then
    the sizes as uint32, then the data.

    Returns:
        uint8 array of the sizes in the header.

    Raises:
        InputError: the file is missing, is no IDX file of unsigned bytes, or ends early.
    """
    import numpy as np

    path = Path(path)
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except FileNotFoundError:
        raise InputError(f"no IDX file at {path}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise FormatError(f"{path} is not an IDX file of bytes (MNIST's format)")
    head = 4 + 4 * data[3]
    sizes = np.frombuffer(data[4:head], dtype=">u4").astype(int).tolist()
    expected_size = int(np.prod(sizes))
    if len(sizes) != data[3] or len(data) - head < expected_size:
        raise InputError(
            f"{path} ends early: {len(data) - head} bytes of data, its header promises {expected_size}"
        )
    return np.frombuffer(data, dtype=np.uint8, count=expected_size, offset=head).reshape(sizes)


@lru_cache(maxsize=10)
def _glyph(name: str) -> Glyph:
    return from_distance(strokes(_STROKES[name], _PEN))


@lru_cache(maxsize=2)
def _bank(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the images (n, 28, 28) and, for each digit, the rows that show it."""
    import numpy as np

    images = read_idx(path)
    label_path = path.with_name(
        path.name.replace("images-idx3", "labels-idx1").replace("images.idx3", "labels.idx1")
    )
    labels = read_idx(label_path)
    if (
        label_path == path
        or images.ndim != 3
        or images.shape[1] != images.shape[2]
        or labels.shape != images.shape[:1]
    ):
        raise FormatError(f"{path} and {label_path.name} are not a set of square images and their labels")
    rows = [np.flatnonzero(labels == digit) for digit in range(10)]
    for digit, digit_rows in enumerate(rows):
        if not len(digit_rows):
            raise InputError(f"{path} shows no {digit}")
    return images, rows
