"""Reading against OpenCV, in one process on the same files.

    python benchmarks/read_speed.py CLIP.mp4 [MORE.mp4 ...]      # whole files and frames from the middle
    python benchmarks/read_speed.py                              # only the clip made here

Claims: a whole file into one RGB array within 1.3x of OpenCV's time; 16 frames from the middle of a long group of
pictures at least 5x faster than OpenCV's frame seek (`CAP_PROP_POS_FRAMES` before each frame, which is how it fetches
frames by number). Beside that stands what flatters OpenCV most: one seek, then 16 plain reads in a row.
Each figure is the best of several runs, ours and OpenCV's taken in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from moviola.core.video import Video
from moviola.data import codec

FRAMES = 16


def make_long_gop(folder: Path, frames: int = 300) -> Path:
    """Write 640x360 of moving texture; x264's default is one key frame in 250."""
    rng = np.random.default_rng(0)
    texture = (
        Video(rng.integers(0, 256, (1, 60, 160, 3), dtype=np.uint8), 25)
        .resize(540, 1440, "bicubic")
        .frames[0]
    )
    with codec.Writer(folder / "long-gop.mp4", 25) as out:
        for i in range(frames):
            view = texture[i % 180 : i % 180 + 360, 2 * i % 800 : 2 * i % 800 + 640]
            out.write(Video(view[None], 25))
    return out.path


def opencv_whole(path: Path) -> np.ndarray:
    """Every frame, as RGB in one array: what `read` returns."""
    capture = cv2.VideoCapture(str(path))
    out = np.empty((int(capture.get(7)), int(capture.get(4)), int(capture.get(3)), 3), np.uint8)
    for frame in out:
        cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB, dst=frame)
    return out


def opencv_bare(path: Path) -> int:
    """Every frame read and thrown away: the least OpenCV can do."""
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


def opencv_seek_each(path: Path, indices: list[int]) -> np.ndarray:
    capture, frames = cv2.VideoCapture(str(path)), []
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        frames.append(capture.read()[1][..., ::-1])
    return np.stack(frames)


def opencv_seek_once(path: Path, indices: list[int]) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, indices[0])
    return np.stack([capture.read()[1][..., ::-1] for _ in indices])


def ours(path: Path, indices: list[int]) -> np.ndarray:
    codec.index._build_index.cache_clear()  # as if the file were met for the first time
    return codec.read_frames_at(path, indices)


def ours_whole(path: Path) -> np.ndarray:
    codec.index._build_index.cache_clear()
    return codec.read(path).frames


def best(*calls: Callable[[], object], repeats: int) -> list[float]:
    """The shortest time of each, taken in turns so that a busy moment hits all alike."""
    times = [float("inf")] * len(calls)
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            times[i] = min(times[i], time.perf_counter() - start)
    return times


def report(path: Path, repeats: int) -> None:
    length = codec.probe(path).frames
    start = max(0, length // 2 - FRAMES // 2)
    indices = list(range(start, min(start + FRAMES, length)))
    agree = np.abs(opencv_whole(path).astype(np.int16) - ours_whole(path)).max()
    exact = (ours(path, indices) == codec.read(path).frames[indices]).all()
    whole = best(
        lambda: ours_whole(path), lambda: opencv_whole(path), lambda: opencv_bare(path), repeats=repeats
    )
    middle = best(
        lambda: ours(path, indices), lambda: opencv_seek_each(path, indices), lambda: opencv_seek_once(path, indices),
        repeats=repeats,
    )  # fmt: skip
    print(
        f"{path.name}: {length} frames; largest difference from OpenCV {agree}; random access exact: {exact}"
    )
    rows = [
        ("whole file", whole[0], f"{whole[0] / whole[1]:.2f}x OpenCV's time to one RGB array"),
        ("", None, f"{whole[0] / whole[2]:.2f}x OpenCV's time to read and discard"),
        (
            f"{len(indices)} in the middle",
            middle[0],
            f"{middle[1] / middle[0]:.1f}x faster than a seek a frame",
        ),
        ("", None, f"{middle[2] / middle[0]:.1f}x faster than one seek and plain reads"),
    ]
    for what, seconds, ratio in rows:
        print(f"  {what:<16} {'' if seconds is None else f'{seconds * 1e3:.1f} ms':>9}   {ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in [make_long_gop(Path(folder)), *given.clips]:
            report(path, given.repeats)


if __name__ == "__main__":
    main()
