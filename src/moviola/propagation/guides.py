"""Guides: what patch synthesis compares, in the key frame (source) and in the frame to paint (target).

A field or a position map (H, W, 2) holds, for every target pixel, a place in the source: x (to the right) before y
(down), absolute, in pixels, pixel centres on whole numbers. A flow (H, W, 2) is a displacement in pixels, in the same
order; the flow from the target to the source gives the field `grid + flow`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moviola.core.errors import ConfigError
from moviola.core.luma import luma
from moviola.propagation.flow import opencv


@dataclass(frozen=True, eq=False)
class Guides:
    """What is known of a picture besides its paint.

    Source: Jamriska et al. 2019, "Stylizing Video by Example", section 3.2 (colour, positional, edge and temporal
    guides).

    Attributes:
        colour: the plain frame, uint8 (H, W, 3) RGB.
        edge: edge strength, uint8 (H, W); None leaves the guide out.
        temporal: target only: the previous painted frame brought onto this one, uint8 (H, W, 3). It is compared
            with the key's paint. None leaves the guide out.
        position: target only: where in the source each pixel comes from, float32 (H, W, 2), px. It is compared with
            the place in the source itself. None leaves the guide out.
        trust: target only: how far `position` and `temporal` hold, float32 (H, W) in [0, 1]; 0 where the flow is
            known to be wrong (occluded). None is 1 everywhere.

    Raises:
        ConfigError: an array of another shape or type.
    """

    colour: np.ndarray
    edge: np.ndarray | None = None
    temporal: np.ndarray | None = None
    position: np.ndarray | None = None
    trust: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check every array against the colour guide."""
        picture("the colour guide", self.colour)
        height, width = self.size
        tails = {"edge": (), "temporal": (3,), "position": (2,), "trust": ()}
        for name, tail in tails.items():
            array = getattr(self, name)
            if array is not None and array.shape != (height, width, *tail):
                raise ConfigError(
                    f"the {name} guide of a {width}x{height} frame has shape {(height, width, *tail)}, "
                    f"not {tuple(array.shape)}"
                )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.colour.shape[0], self.colour.shape[1]


def picture(what: str, array: np.ndarray) -> np.ndarray:
    """Return `array` if it is a picture, uint8 (H, W, 3) with at least one pixel.

    Raises:
        ConfigError: it is not; the message begins with `what`.
    """
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ConfigError(f"{what} is uint8 (H, W, 3), not {array.dtype} {tuple(array.shape)}")
    return array


def edges(frame: np.ndarray) -> np.ndarray:
    """Return the edge strength of a frame: the length of the brightness gradient (Scharr's 3x3 filters).

    Args:
        frame: uint8 (H, W, 3).

    Returns:
        uint8 (H, W): change in levels over two pixels, cut at 255.
    """
    grey = np.pad(luma(frame), 1, mode="edge")
    across = grey[:, 2:] - grey[:, :-2]
    down = grey[2:] - grey[:-2]
    x = (3 * across[:-2] + 10 * across[1:-1] + 3 * across[2:]) / 16
    y = (3 * down[:, :-2] + 10 * down[:, 1:-1] + 3 * down[:, 2:]) / 16
    return np.minimum(np.hypot(x, y) + 0.5, 255).astype(np.uint8)


def source_guides(frame: np.ndarray) -> Guides:
    """Return the guides of a key frame, uint8 (H, W, 3): its colour and its edges."""
    return Guides(colour=picture("a frame", frame), edge=edges(frame))


def target_guides(
    frame: np.ndarray,
    *,
    flow: np.ndarray | None = None,
    visible: np.ndarray | None = None,
    temporal: np.ndarray | None = None,
) -> Guides:
    """Return the guides of a frame to paint.

    Args:
        frame: uint8 (H, W, 3).
        flow: from this frame to the key frame, float (H, W, 2), px.
        visible: where that flow holds, bool or float in [0, 1] (H, W).
        temporal: the previous painted frame, warped onto this one, uint8 (H, W, 3).

    Raises:
        ConfigError: shapes that do not fit.
    """
    return Guides(
        colour=picture("a frame", frame),
        edge=edges(frame),
        temporal=temporal,
        position=None if flow is None else positions(flow),
        trust=None if visible is None else visible.astype(np.float32),
    )


def grid(height: int, width: int) -> np.ndarray:
    """Return the (x, y) of every pixel, int32 (height, width, 2)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y], axis=-1).astype(np.int32)


def positions(flow: np.ndarray) -> np.ndarray:
    """Return where a flow (H, W, 2) leads, float32 (H, W, 2), px: `grid + flow`."""
    height, width = flow.shape[:2]
    return (grid(height, width) + flow).astype(np.float32)


def field_from_positions(position: np.ndarray, height: int, width: int) -> np.ndarray:
    """Round positions (H, W, 2) to the pixels of a source of `height` x `width`: int32 (H, W, 2), held inside.

    A position that is not finite becomes 0.
    """
    known = np.nan_to_num(position, nan=0.0, posinf=0.0, neginf=0.0)
    last = np.array([width - 1, height - 1])
    return np.clip(np.floor(known + 0.5), 0, last).astype(np.int32)


def move_field(field: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Carry the field of one frame to another along flow.

    Args:
        field: of the earlier frame, int32 (H, W, 2).
        flow: from the later frame to the earlier one, float (H, W, 2), px.

    Returns:
        int32 (H, W, 2): for each pixel of the later frame the place its earlier pixel had (nearest, held inside).
    """
    height, width = field.shape[:2]
    inverse = field_from_positions(positions(flow), height, width)
    return field[inverse[..., 1], inverse[..., 0]]


def box_mean(values: np.ndarray, patch: int) -> np.ndarray:
    """Return the mean over the `patch` x `patch` pixels around each, float64 like (H, W) or (H, W, C), C up to 4.

    What is outside is left out.
    """
    cv2 = opencv()

    def total(array: np.ndarray) -> np.ndarray:
        borders = {"normalize": False, "borderType": cv2.BORDER_CONSTANT}
        return cv2.boxFilter(array.astype(np.float64), -1, (patch, patch), **borders)

    sums, count = total(values), total(np.ones(values.shape[:2]))
    return sums / (count if values.ndim == 2 else count[..., None])


def halve(values: np.ndarray) -> np.ndarray:
    """Return float32 values (H, W) or (H, W, C) at half size, rounded up: means of 2 x 2, the last line repeated."""
    height, width = values.shape[:2]
    pads = [(0, height % 2), (0, width % 2)] + [(0, 0)] * (values.ndim - 2)
    whole = np.pad(values, pads, mode="edge") if height % 2 or width % 2 else values
    rows = whole[::2] + whole[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
