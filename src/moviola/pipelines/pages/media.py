"""Clips and pictures that stand inside a page, as data URIs."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moviola.core.video import Video

KINDS = {".mp4": "video/mp4", ".webm": "video/webm"}
"""Containers that browsers play, by suffix."""


def fit(video: Video, least: int, most: int) -> Video:
    """Return `video` with even sides, enlarged by whole factors and made smaller as far as it takes.

    Args:
        video: any.
        least: px of the longer side; a smaller clip is enlarged, so that colour at half resolution does not blur it.
        most: px of the longer side, at least `least`.
    """
    longer = max(video.height, video.width)
    if longer < least:
        video = video.scale(-(-least // longer))
        longer = max(video.height, video.width)
    ratio = min(1.0, most / longer)
    height, width = (max(2, round(side * ratio / 2) * 2) for side in (video.height, video.width))
    return video if (height, width) == (video.height, video.width) else video.resize(height, width)


def encode(video: Video, suffix: str = ".mp4", crf: float = 23) -> bytes:
    """Return `video` as a file that every browser plays (yuv420p), without sound.

    Args:
        video: of even sides.
        suffix: one of `KINDS`.
        crf: constant rate factor of the encoder, 0 best.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = video.save(Path(folder) / f"clip{suffix}", crf=crf, pix_fmt="yuv420p", audio=False)
        return path.read_bytes()


def poster(video: Video) -> str:
    """Return the first frame of `video` as a jpeg in a data URI."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(video.frames[0])).save(buffer, "JPEG", quality=80)
    return data_uri("image/jpeg", buffer.getvalue())


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes of a media type ("video/mp4") as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
