"""Corruptions by compression: JPEG and H.264, in memory.

Both take frames uint8 (T, H, W, 3), a strength in (0, 1] and a generator, and return the corrupted frames and a mask,
bool (T, H, W), True everywhere.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

Corrupted = tuple[np.ndarray, np.ndarray]


def jpeg(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Save every frame as JPEG (4:2:0) of quality 50 - 45 * strength and read it again; nothing is random."""
    from PIL import Image

    quality = max(1, round(50 - 45 * strength))
    out = np.empty_like(frames)
    for i, frame in enumerate(frames):
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(frame)).save(file, "JPEG", quality=quality, subsampling=2)
        with Image.open(file) as image:
            out[i] = np.asarray(image)
    return out, np.ones(frames.shape[:3], bool)


def codec(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Write the clip as H.264 (4:2:0, constant rate factor 20 + 24 * strength) in memory and read it again.

    Nothing is random. Sides are filled up to even numbers with the edge and cut back.
    """
    count, height, width, _ = frames.shape
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    out = _decoded(_encoded(even, round(20 + 24 * strength)))
    if len(out) != count:
        raise RuntimeError(f"H.264 gave {len(out)} frames back of {count}")
    return np.ascontiguousarray(out[:, :height, :width]), np.ones(frames.shape[:3], bool)


def _encoded(frames: np.ndarray, crf: int) -> io.BytesIO:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "ultrafast", "bf": "0"}
        stream.thread_count = 1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def _decoded(file: io.BytesIO) -> np.ndarray:
    import av

    with av.open(file, "r") as container:
        container.streams.video[0].thread_count = 1
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
