"""Restyling through a mask, measured on a clip with true masks.

    python benchmarks/restyle_mask.py CLIP [--sections outside,border,carried,speed,memory] [--painters oil,ink]

CLIP is a folder of frames (DAVIS's bmx-trees); its true masks are the folder CLIP_mask beside it. What is printed:

- `outside`  the PSNR between input and output outside the mask, of the whole chain, written as a folder of PNGs: dB.
- `border`   over all pairs of neighbours of which one is inside and one outside: the mean absolute difference, levels,
             between the picture's step from one to the other and (a) the mean of the step in the plain frame and the
             step in the paint, (b) the step in the plain frame; of a hard composite and of the gradient-domain one,
             by `reach`. And how far the inside is from the paint: the mean absolute difference over that of the frame.
- `carried`  the intersection over union (IoU) of masks that were carried by flow from every 10th true mask with the
             true masks of the frames between; beside it the mask of the nearest key as it is (no motion).
- `speed`    milliseconds (processor time of one core) that a frame's composite takes.
- `memory`   the most that a run holds, for a short clip and one ten times as long, with a mask for each frame and with
             masks of some: MB.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from moviola.core.video import Video
from moviola.data import codec
from moviola.data.pictures import write_png
from moviola.models.rerender.filters import paint
from moviola.pipelines.restyle import RestyleConfig, restyle_file
from moviola.propagation.carry_mask import carry_mask
from moviola.propagation.composite import composite
from moviola.propagation.flow import estimator

REACHES = (0.0, 1.0, None, 4.0, 8.0)
EVERY = 10


def read(clip: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames and where their true masks are, bool."""
    frames = codec.read(clip, 0, count).frames
    return frames, codec.read(clip.with_name(clip.name + "_mask"), 0, count).frames[..., 0] > 127


def outside(clip: Path, args: argparse.Namespace) -> Iterator[str]:
    frames, masks = read(clip, args.frames)
    for painter in args.painters:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            Video(frames, 25).save(folder / "clip.mkv", lossless=True)
            Video(np.repeat(masks[..., None] * np.uint8(255), 3, -1), 25).save(
                folder / "mask.mkv", lossless=True
            )
            config = RestyleConfig.make({"painter": painter, "mask": {"file": str(folder / "mask.mkv")}})
            restyle_file(folder / "clip.mkv", f"{folder}/out/", config)
            out = codec.read(folder / "out").frames
        gap = (out[~masks].astype(np.float32) - frames[~masks]) ** 2
        psnr = np.inf if not gap.any() else 10 * np.log10(255**2 / gap.mean())
        within = np.abs(out[masks].astype(np.float32) - frames[masks]).mean()
        yield f"{painter:10s} PSNR outside {psnr} dB, mean difference inside {within:.1f} levels"


def steps(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The steps over the border from outside to inside, float32 (n, 3)."""
    gaps = []
    for axis in (0, 1):
        first, second = range(mask.shape[axis] - 1), range(1, mask.shape[axis])
        one, two = mask.take(first, axis), mask.take(second, axis)
        gap = picture.take(second, axis).astype(np.float32) - picture.take(first, axis)
        gaps += [gap[two & ~one], -gap[one & ~two]]
    return np.concatenate(gaps)


def border(clip: Path, args: argparse.Namespace) -> Iterator[str]:
    frames, masks = read(clip, args.frames)
    for painter in args.painters:
        rows: dict[float | None, list[tuple[float, float, float]]] = {reach: [] for reach in REACHES}
        for frame, mask in list(zip(frames, masks, strict=True))[:: args.stride]:
            if not mask.any():
                continue
            painted = paint(frame, painter)
            plain, inner = steps(frame, mask), steps(painted, mask)
            whole = np.abs(painted[mask].astype(np.float32) - frame[mask]).mean()
            for reach in REACHES:
                out = composite(frame, painted, mask.astype(np.float32), reach)
                step = steps(out, mask)
                kept = np.abs(out[mask].astype(np.float32) - painted[mask]).mean() / whole
                errors = [float(np.abs(step - truth).mean()) for truth in ((plain + inner) / 2, plain)]
                rows[reach].append((errors[0], errors[1], float(kept)))
        for reach, errors in rows.items():
            mean, own, kept = np.mean(errors, 0)
            what = (
                "hard composite"
                if reach == 0
                else "reach as usual"
                if reach is None
                else f"reach {reach:g} px"
            )
            yield (
                f"{painter:10s} {what:14s} border's gradient error {mean:5.2f}, to the frame's {own:5.2f} levels, "
                f"off the paint inside {100 * kept:4.1f} %"
            )


def iou(one: np.ndarray, two: np.ndarray) -> float:
    union = (one | two).sum()
    return float((one & two).sum() / union) if union else 1.0


def carried(clip: Path, args: argparse.Namespace) -> Iterator[str]:
    frames, masks = read(clip, args.frames)
    flow = estimator(args.flow, args.raft)
    ours, nearest = [], []
    for a in range(0, len(frames), EVERY):
        b = min(a + EVERY, len(frames) - 1)
        last = masks[b] if b == a + EVERY else None
        ends = [None if m is None else m.astype(np.uint8) * 255 for m in (masks[a], last)]
        between = list(carry_mask(frames[a : b + 1], ends[0], ends[1], flow))
        for t in range(a + 1, b + (last is None)):
            ours.append(iou(between[t - a] > 127, masks[t]))
            near = a if last is None or t - a <= b - t else b
            nearest.append(iou(masks[near], masks[t]))
    for name, ious in (("carried by flow", ours), ("the nearest mask as it is", nearest)):
        yield (
            f"{name:26s} IoU mean {np.mean(ious):.3f}, median {np.median(ious):.3f}, least {np.min(ious):.3f} "
            f"({len(ious)} frames)"
        )


def speed(clip: Path, args: argparse.Namespace) -> Iterator[str]:
    frames, masks = read(clip, args.frames)
    for side in (None, 512):
        index = int(masks.reshape(len(masks), -1).mean(1).argmax())
        frame, mask = Video(frames[index : index + 1], 25), masks[index]
        if side is not None:
            picture = Video(np.repeat(mask[None, ..., None] * np.uint8(255), 3, -1), 25)
            frame, mask = frame.resize(side, side), picture.resize(side, side).frames[0, ..., 0] > 127
        plain, painted = frame.frames[0], paint(frame.frames[0], "oil")
        for name, share in (("figure", mask), ("inverted", ~mask)):
            took = []
            for _ in range(7):
                start = time.process_time()
                composite(plain, painted, share.astype(np.float32))
                took.append(time.process_time() - start)
            size = f"{plain.shape[1]}x{plain.shape[0]}"
            yield f"{size:8s} {name:9s} {100 * share.mean():4.1f} % of the frame: {1e3 * np.median(took):.0f} ms"


def memory(clip: Path, args: argparse.Namespace) -> Iterator[str]:
    for kind in ("every", "some"):
        for seconds in (args.seconds, 10 * args.seconds):
            words = [sys.executable, __file__, str(clip), "--child", kind, "--seconds", str(seconds)]
            peak = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1]
            yield f"masks of {kind} frames, {seconds:4d} s: {int(peak) / 1024:.0f} MB"


def child(clip: Path, args: argparse.Namespace) -> None:
    """Restyle the clip, to and fro for so many seconds at 12 frames a second, and print the most that was held."""
    frames, masks = read(clip, 24)
    frames, masks = frames[:, ::2, ::2], masks[:, ::2, ::2]
    count = 12 * args.seconds
    order = [t if (t := i % 46) < 24 else 46 - t for i in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "few").mkdir()
        with (
            codec.Writer(folder / "clip.mkv", 12, lossless=True) as clips,
            codec.Writer(folder / "mask.mkv", 12, lossless=True) as many,
        ):
            for i, t in enumerate(order):
                grey = np.repeat(masks[t, ..., None] * np.uint8(255), 3, -1)
                clips.write(Video(frames[t][None], 12))
                many.write(Video(grey[None], 12))
                if i % 40 == 0:
                    write_png(folder / f"few/{i:06d}.png", grey)
        file = folder / ("mask.mkv" if args.child == "every" else "few")
        config = RestyleConfig.make(
            {"painter": "cartoon", "mask": {"file": str(file)}, "keys": {"method": "uniform", "interval": 40}}
        )
        restyle_file(folder / "clip.mkv", folder / "out.mkv", config)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


SECTIONS: dict[str, Callable[[Path, argparse.Namespace], Iterator[str]]] = {
    "outside": outside,
    "border": border,
    "carried": carried,
    "speed": speed,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--painters", default="watercolor,oil,cartoon,sketch,ink")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--flow", default="dis")
    parser.add_argument("--raft", type=Path)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--child")
    args = parser.parse_args()
    args.painters = args.painters.split(",")
    if args.child:
        child(args.clip, args)
        return
    for section in args.sections.split(","):
        print(f"-- {section}", flush=True)
        for line in SECTIONS[section](args.clip, args):
            print(line, flush=True)


if __name__ == "__main__":
    main()
