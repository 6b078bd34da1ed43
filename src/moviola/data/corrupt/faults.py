"""Corruptions of whole frames, as generators of video make them.

All take frames uint8 (T, H, W, 3), a strength in (0, 1] and a generator, and return the corrupted frames and the
mask, bool (T, H, W): True everywhere, except where a function says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moviola.data.corrupt.filters import blurred, displaced, smooth_field, to_uint8

if TYPE_CHECKING:
    from numpy.random import Generator

Corrupted = tuple[np.ndarray, np.ndarray]

_ORDERS = (
    (0, 2, 1),
    (1, 0, 2),
    (1, 2, 0),
    (2, 0, 1),
    (2, 1, 0),
)  # of red, green and blue, but for the plain one


def noise(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Add Gaussian noise of standard deviation 50 * strength (of 255), anew for every frame and channel."""
    drawn = generator.standard_normal(frames.shape, dtype=np.float32)
    return to_uint8(frames + np.float32(50 * strength) * drawn), _everywhere(frames)


def jitter(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Show frames at wrong times and a little out of place.

    Frame t shows a frame up to round(3 * strength) away, moved whole by up to 3 * strength px each way (at 64 px;
    in proportion elsewhere), both drawn anew for every frame.
    """
    count, height, width = frames.shape[:3]
    reach = round(3 * strength)
    at = (np.arange(count) + generator.integers(-reach, reach + 1, count)).clip(0, count - 1)
    most = 3 * strength * np.array([width, height]) / 64
    moved = generator.uniform(-1, 1, (count, 2)) * most
    shift = np.broadcast_to(moved[:, :, None, None].astype(np.float32), (count, 2, height, width))
    return displaced(frames[at], shift), _everywhere(frames)


def flicker(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Scale and shift brightness and colour, anew for every frame.

    Per frame: contrast about mid grey times up to e^(+-0.35 strength), brightness up to +-40 * strength, and each
    channel up to +-15 * strength (of 255).
    """
    count = len(frames)

    def drawn(channels: int, most: float) -> np.ndarray:
        return generator.uniform(-most, most, (count, 1, 1, channels)).astype(np.float32)

    gain = np.exp(drawn(1, 0.35 * strength))
    offset = drawn(1, 40 * strength) + drawn(3, 15 * strength)
    return to_uint8((frames - np.float32(127.5)) * gain + (np.float32(127.5) + offset)), _everywhere(frames)


def ghost(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Let earlier frames shine through: (1 - a) now + a before, a up to 0.6 * strength, 1 to 3 frames before.

    Frames with none so far before them blend with the first; the first stays as it is.
    """
    before = (np.arange(len(frames)) - int(generator.integers(1, 4))).clip(0)
    share = np.float32(0.6 * strength * generator.uniform(0.6, 1.0))
    now = frames.astype(np.float32)
    return to_uint8(now + share * (now[before] - now)), _everywhere(frames)


def drift(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Let texture swim: a smooth field moves pixels by up to 8 * strength px (at 64 px), in a way that changes.

    The field turns from one random field into another over the clip, with a little of its own in every frame.
    """
    count, height, width = frames.shape[:3]
    nodes = int(generator.integers(3, 7))
    ends = smooth_field((2, 2, height, width), nodes, generator)
    own = smooth_field((count, 2, height, width), nodes, generator)
    time = np.linspace(0, 1, count, dtype=np.float32)[:, None, None, None]
    most = np.array([width, height], np.float32)[:, None, None] * np.float32(8 * strength / 64)
    return displaced(
        frames, most * (0.75 * ((1 - time) * ends[0] + time * ends[1]) + 0.25 * own)
    ), _everywhere(frames)


def checkerboard(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Add the chequered pattern of strided up-convolutions, 2 or 4 px a period, up to 40 * strength (of 255).

    How strong it is differs smoothly over the picture and does not change in time. Source of the look: Odena,
    Dumoulin and Olah 2016, "Deconvolution and Checkerboard Artifacts".
    """
    height, width = frames.shape[1:3]
    cell = int(generator.integers(1, 3))
    y, x = np.arange(height)[:, None] // cell, np.arange(width) // cell
    pattern = np.where((y + x) % 2, np.float32(1), np.float32(-1))
    where = 0.5 + 0.5 * smooth_field((height, width), 4, generator)
    tint = generator.uniform(0.5, 1.0, 3).astype(np.float32)
    added = np.float32(40 * strength) * (pattern * where)[..., None] * tint
    return to_uint8(frames + added), _everywhere(frames)


def low_bit(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Keep few levels a channel: 2 ** (5 - 3.4 * strength), so 32 down to 3; the steps begin at a random level."""
    levels = max(3, round(2 ** (5 - 3.4 * strength)))
    step = 255 / (levels - 1)
    phase = generator.uniform(0, step, 3)
    table = np.arange(256)[:, None]
    table = to_uint8(np.rint((table - phase) / step) * step + phase)
    out = np.stack([table[:, c][frames[..., c]] for c in range(3)], axis=-1)
    return out, _everywhere(frames)


def soft(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Lose detail after the first frame, as roll-outs do: a Gaussian of up to 3 * strength px (at 64 px).

    The loss comes in over up to half of the clip and stays. The first frame is left alone and not masked, but for
    a clip of one frame.
    """
    count = len(frames)
    sigma = 3.0 * strength * min(frames.shape[1:3]) / 64
    ramp = int(generator.integers(1, max(2, count // 2 + 1)))
    amount = np.minimum(1, np.arange(count) / ramp) if count > 1 else np.ones(1)
    now = frames.astype(np.float32)
    amount = amount.astype(np.float32)[:, None, None, None]
    out = to_uint8(now + amount * (blurred(frames, max(0.3, sigma)) - now))
    mask = _everywhere(frames)
    mask[0] = count == 1
    return out, mask


def colours(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Take colours away, the same ones in the whole clip: what they were, a caption alone can tell.

    `strength` of the way to one of: the luma of Rec. 601; the channels in one of the five other orders; one channel
    inverted.
    """
    now = frames.astype(np.float32)
    drawn = int(generator.integers(9))
    if drawn == 0:
        other = np.repeat(now @ np.array([0.299, 0.587, 0.114], np.float32)[:, None], 3, axis=-1)
    elif drawn < 6:
        other = now[..., _ORDERS[drawn - 1]]
    else:
        other = now.copy()
        other[..., drawn - 6] = 255 - other[..., drawn - 6]
    return to_uint8(now + np.float32(strength) * (other - now)), _everywhere(frames)


def _everywhere(frames: np.ndarray) -> np.ndarray:
    return np.ones(frames.shape[:3], bool)
