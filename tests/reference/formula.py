"""Weights and pictures made by a formula, so that two implementations can be given the same ones anywhere."""

from __future__ import annotations

import zlib

import numpy as np


def noise(shape, seed):
    """Even noise in [-0.5, 0.5): the fraction of a large multiple of a sine."""
    steps = np.arange(int(np.prod(shape)), dtype=np.float64) * 12.9898 + seed % 10007
    values = np.sin(steps) * 43758.5453
    return (values - np.floor(values) - 0.5).astype(np.float32).reshape(shape)


def weights(shapes):
    """Weights for {name: shape} that keep signals of size 1, whatever the network."""
    return {name: _weight(name, tuple(shape)) for name, shape in shapes.items()}


def _weight(name, shape):
    drawn = noise(shape, zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) > 1:
        return drawn * np.float32(np.sqrt(24 / np.prod(shape[1:])))
    if name.endswith(("weight", "running_var")):
        return 1 + drawn * np.float32(0.4)
    return drawn * np.float32(0.2)


def picture(size, seed):
    """A smooth coloured picture with some noise, uint8 (size, size, 3)."""
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(6 * x * (c + 1) + 5 * y * (seed + 1) + c) for c in range(3)]
    values = 127.5 + 90 * np.stack(waves, axis=-1) + 60 * noise((size, size, 3), seed)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
