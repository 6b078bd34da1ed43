"""Mending, measured: real clips and clips of a video GAN are damaged in known ways, mended, and compared with before.

    python benchmarks/mend.py MEDIA flicker [--frames 32] [--side 128] [--clips N]
    python benchmarks/mend.py MEDIA seams|alarms|drift|stills|clean [--frames N] [--side 128] [--clips N]
    python benchmarks/mend.py MEDIA speed|memory

MEDIA is a folder of clips (`mend_clips.py` says how it lies). What the parts print:

- flicker: PSNR gained against the undamaged clip (dB), warp error (Lai et al. 2018; flow and occlusion of the undamaged
  clip) and sharpness (mean squared gradient) over those of the undamaged clip, medians over clips, for each kind of
  damage; blind, guided, and three peers: a per-frame histogram match to the first frame, FFmpeg's `deflicker` and its
  temporal denoiser `atadenoise`. The undamaged clip is a fixed look of the real one (`look_of`), which is the guide.
- seams: clips of pieces of 16 to 81 frames, each with an offset of every colour, a gamma, and 2 to 5 frames left out
  before it: how many are found, and the step over each after mending, over the clip's ordinary one.
- alarms: seams that are found in real clips, joined by cuts; each is one too many.
- drift: mean and contrast that change slowly: the largest difference from the undamaged clip's, before and after.
- stills: frames replaced by the one before: PSNR of these frames, before and after.
- clean: which real clips come back unchanged, and why others do not.
- speed: frames a second at 512 x 512, one thread and two. memory: the most that a run holds, short and long.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from mend_clips import FLICKER, Clip, gan_clips, look_of, real_clips, rounded

from moviola.core.video import Video
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import warp_error
from moviola.nn.flow_methods import flow_method
from moviola.pipelines.mend import find_faults, mend
from moviola.selection.shots import cuts

Frames = np.ndarray


def psnr(one: Frames, two: Frames) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(((one.astype(np.float32) - two) ** 2).mean()))))


def video(frames: Frames) -> Video:
    return Video(frames, 25)


# ---- peers ----


def histogram_match(frames: Frames) -> Frames:
    out, first = np.empty_like(frames), frames[0]
    for t, frame in enumerate(frames):
        for c in range(3):
            cdf, wanted = (np.bincount(x[..., c].ravel(), minlength=256).cumsum() for x in (frame, first))
            out[t, ..., c] = np.interp(cdf, wanted, np.arange(256)).round()[frame[..., c]]
    return out


def filtered(frames: Frames, name: str) -> Frames:
    """Frames through one of FFmpeg's filters."""
    graph = av.filter.Graph()
    height, width = frames.shape[1:3]
    nodes = [graph.add_buffer(width=width, height=height, format="rgb24", time_base="1/25")]
    nodes += [graph.add("format", "yuv444p"), graph.add(*name.split("=", 1)), graph.add("format", "rgb24")]
    nodes.append(graph.add("buffersink"))
    for a, b in pairwise(nodes):
        a.link_to(b)
    graph.configure()
    out = []

    def pull() -> None:
        while True:
            try:
                out.append(graph.vpull().to_ndarray(format="rgb24"))
            except (BlockingIOError, EOFError, av.error.FFmpegError):
                return

    for t, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = t
        graph.vpush(picture)
        pull()
    graph.vpush(None)
    pull()
    return np.stack(out[: len(frames)])


PEERS: dict[str, Callable[[Frames], Frames]] = {
    "histogram match": histogram_match,
    "deflicker": lambda f: filtered(f, "deflicker=mode=am:size=10"),
    "atadenoise": lambda f: filtered(f, "atadenoise=0a=0.2:0b=0.4:1a=0.2:1b=0.4:2a=0.2:2b=0.4:s=9"),
}


class Ruler:
    """Warp error of clips by the flow of an undamaged one."""

    def __init__(self, frames: Frames) -> None:
        estimate = flow_method("dis").estimate
        x = video(frames).to_tensor()
        self._flows = [(estimate(a[None], b[None]), estimate(b[None], a[None])) for a, b in pairwise(x)]

    def __call__(self, frames: Frames) -> float:
        x = video(frames).to_tensor()
        pairs = zip(pairwise(x), self._flows, strict=True)
        return float(np.mean([float(warp_error(a[None], b[None], *flows)[0]) for (a, b), flows in pairs]))


def every_clip(media: Path, args: argparse.Namespace, gan: int = 1) -> Iterator[Clip]:
    both = [*gan_clips(media, gan)] if gan else []
    chosen = real_clips(media, args.side, args.frames, args.cctv)
    for clip in islice((c for group in (chosen, both) for c in group), args.skip, args.skip + args.clips):
        yield Clip(clip.name, clip.frames[: args.frames], clip.fps)


def flicker(media: Path, args: argparse.Namespace) -> None:
    rows: dict[str, list[tuple[str, float, float, float]]] = {}
    for clip in every_clip(media, args):
        truth = look_of(clip.frames)
        ruler = Ruler(truth)
        steady, sharp = ruler(truth), gradient_energy(truth)
        for kind in args.kinds.split(",") if args.kinds else FLICKER:
            broken = FLICKER[kind](truth, np.random.default_rng(1))
            before = psnr(broken, truth)
            results = {name: peer(broken) for name, peer in PEERS.items()}
            results |= {
                "damaged": broken,
                "blind": mend(video(broken), flicker=True).frames,
                "guided": mend(video(broken), flicker=True, guide=video(clip.frames)).frames,
            }
            for name, out in results.items():
                figures = psnr(out, truth) - before, ruler(out) / steady, gradient_energy(out) / sharp
                rows.setdefault(name, []).append((kind, *figures))
        line = " ".join(f"{n}{np.median([r[1] for r in v[-len(FLICKER) :]]):+.1f}" for n, v in rows.items())
        print(f"{clip.name:32} {clip.frames.shape}  {line}", flush=True)
        _table(rows)


def _table(rows: dict[str, list[tuple[str, float, float, float]]]) -> None:
    kinds = dict.fromkeys(kind for kind, *_ in next(iter(rows.values())))
    print(f"{'median':16}" + "".join(f"{kind:>26}" for kind in [*kinds, "all"]))
    for name, found in rows.items():
        cells = []
        for kind in [*kinds, None]:
            chosen = np.array([row[1:] for row in found if kind in (row[0], None)])
            gain, warp, sharp = np.median(chosen, axis=0)
            cells.append(f"{gain:+.1f} dB w{warp:.2f} s{sharp:.2f}".rjust(26))
        print(f"{name:16}" + "".join(cells), flush=True)


def pieced(frames: Frames, rng: np.random.Generator) -> tuple[Frames, list[int]]:
    """Pieces of 16 to 81 frames, each with an offset and a gamma of its own and 2 to 5 frames left out before it."""
    parts, seams, at, length = [], [], 0, 0
    away = {t for cut in cuts(frames) for t in range(cut - 8, cut + 9)}  # a seam beside a cut is part of it
    while at < len(frames):
        size = int(rng.integers(16, 82))
        while at + size in away:
            size += 1
        part = frames[at : at + size]
        if parts:
            if len(part) < 8:
                break
            offset = rng.uniform(4, 12, 3) * rng.choice([-1, 1], 3)
            gamma = np.exp(rng.uniform(0.04, 0.15) * rng.choice([-1, 1]))
            part = rounded(255 * (part / 255.0) ** gamma + offset)
            seams.append(length)
        parts.append(part)
        length += len(part)
        at += size + int(rng.integers(2, 6))
    return np.concatenate(parts), seams


def steps_of(frames: Frames) -> np.ndarray:
    return np.array([np.abs(a.astype(np.int16) - b).mean() for a, b in pairwise(frames)])


def seams(media: Path, args: argparse.Namespace) -> None:
    hits = total = false = 0
    ratios = []
    for number, clip in enumerate(every_clip(media, args, 0)):
        broken, places = pieced(clip.frames, np.random.default_rng(number))
        if not places:
            continue
        faults = find_faults(video(broken))
        found = [s for s in places if s in faults.seams]
        hits, total = hits + len(found), total + len(places)
        false += len(set(faults.seams) - set(places))
        if args.mend:
            steps = steps_of(mend(video(broken), seams=places).frames)
            was = steps_of(broken)
            away = np.delete(was, [i for s in places for i in range(max(0, s - 8), min(len(was), s + 8))])
            ordinary = np.median(away) if len(away) else np.median(was)
            ratios += [(was[s - 1] / ordinary, steps[s - 1] / ordinary) for s in places]
        print(f"{clip.name:32} {len(broken)} at {places} found {faults.seams}", flush=True)
        if ratios:
            print(
                "   step over ordinary: before, after",
                np.median(ratios, axis=0).round(2),
                "worst after",
                round(max(r[1] for r in ratios), 2),
            )
        print(f"   found {hits} of {total}; others {false}", flush=True)


def alarms(media: Path, args: argparse.Namespace) -> None:
    seconds, false, joined, count = 0.0, 0, [], 0
    for clip in every_clip(media, args, 0):
        joined.append(cv2_all(clip.frames, (128, 128)))
        seconds += len(clip.frames) / clip.fps
        if sum(map(len, joined)) > 600:
            false += _alarm(joined)
            count += len(joined) - 1
            joined = joined[-1:]
            print(
                f"{seconds / 60:.1f} min of real video, {count} cuts made by joining: {false} false seams",
                flush=True,
            )
    if joined:
        false, count = false + _alarm(joined), count + len(joined) - 1
    print(
        f"{seconds / 60:.1f} min of real video, {count} cuts made by joining: {false} false seams", flush=True
    )


def cv2_all(frames: Frames, size: tuple[int, int]) -> Frames:
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])


def _alarm(joined: list[Frames]) -> int:
    faults = find_faults(video(np.concatenate(joined)))
    if faults.seams:
        print("  seams", faults.seams, "joins", np.cumsum([len(f) for f in joined])[:-1].tolist())
    return len(faults.seams)


def drift(media: Path, args: argparse.Namespace) -> None:
    rows = []
    for number, clip in enumerate(every_clip(media, args, 0)):
        truth, rng = clip.frames, np.random.default_rng(number)
        share = np.linspace(0, 1, len(truth)) ** rng.uniform(0.7, 1.5)
        mean, contrast = (
            rng.uniform(10, 20, 3) * rng.choice([-1, 1]),
            rng.uniform(0.1, 0.25) * rng.choice([-1, 1]),
        )
        broken = np.stack(
            [
                rounded((f - 128.0) * (1 + contrast * s) + 128 + mean * s)
                for f, s in zip(truth, share, strict=True)
            ]
        )
        cells = []
        for out in (broken, mend(video(broken), drift=True).frames):
            apart = np.abs(out.mean((1, 2), dtype=np.float64) - truth.mean((1, 2), dtype=np.float64))
            spread = np.abs(out.std((1, 2), dtype=np.float64) / truth.std((1, 2), dtype=np.float64) - 1)
            cells += [apart.mean(), apart.max(), 100 * spread.mean(), 100 * spread.max()]
        rows.append(cells)
        print(f"{clip.name:32} {len(truth)} mean, its largest, contrast %, its largest; before and after")
        print(f"   {np.round(cells, 2)}", flush=True)
        print("   median", np.median(rows, axis=0).round(2), flush=True)


def stills(media: Path, args: argparse.Namespace) -> None:
    rows = []
    for number, clip in enumerate(every_clip(media, args, 0)):
        rng = np.random.default_rng(number)
        places = sorted(int(t) for t in rng.choice(np.arange(6, len(clip.frames) - 6, 6), 4, replace=False))
        broken = clip.frames.copy()
        for t in places:
            broken[t] = broken[t - 1]
        faults = find_faults(video(broken))
        hit = [t for t in places if any(a <= t < b for a, b in faults.repeats)]
        out = mend(video(broken), stills=True).frames
        rows.append([psnr(x[hit], clip.frames[hit]) for x in (broken, out)] if hit else [np.nan, np.nan])
        others = sum(b - a for a, b in faults.repeats) - len(hit)
        print(f"{clip.name:32} repeats {places} found {len(hit)} others {others}", flush=True)
        print(f"   PSNR {np.round(rows[-1], 1)}; median {np.nanmedian(rows, axis=0).round(1)}", flush=True)


def clean(media: Path, args: argparse.Namespace) -> None:
    same = total = 0
    for clip in every_clip(media, args, 0):
        faults = find_faults(video(clip.frames))
        same, total = same + faults.clean, total + 1
        print(
            f"{clip.name:32} {len(clip.frames)} {'unchanged' if faults.clean else faults.lines()}", flush=True
        )
        print(f"   {same} of {total}", flush=True)


def speed(media: Path, args: argparse.Namespace) -> None:
    from moviola.data import codec
    from moviola.pipelines.mend import MendSettings, mend_file

    path = media / "datasets/faces/d0.mp4"
    source = codec.read(path, 0, args.frames).resize(512, 512)
    broken = Video(FLICKER["both noise"](source.frames, np.random.default_rng(0)), source.fps)
    with tempfile.TemporaryDirectory() as folder:
        guide, given = (v.save(Path(folder) / n) for v, n in ((source, "guide.mp4"), (broken, "in.mp4")))
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            torch.set_num_threads(threads)
            wall, busy = time.perf_counter(), time.process_time()
            done = mend_file(given, Path(folder) / "out.mp4", MendSettings(flicker=True), guide=guide)
            wall, busy = time.perf_counter() - wall, time.process_time() - busy
            rates = f"{args.frames / wall:.1f} a second, {args.frames / busy:.1f} a second of the processor"
            print(
                f"{threads} threads, {done.faults.flickers}: {rates}; load {os.getloadavg()[0]:.0f}",
                flush=True,
            )


_PROGRAM = """
import resource, sys, cv2
from moviola.pipelines.mend import MendSettings, mend_file
cv2.setNumThreads(1)
mend_file(sys.argv[1], sys.argv[2], MendSettings(flicker=True, stills=True, drift=True))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory(media: Path, args: argparse.Namespace) -> None:
    from moviola.data import codec

    source = codec.read(media / "datasets/faces/d0.mp4", 0, 50).resize(96, 96)
    broken = Video(FLICKER["both noise"](source.frames, np.random.default_rng(0)), 25)
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (10, args.seconds):
            path = Path(folder) / f"{seconds}.mp4"
            with codec.Writer(path, 25) as writer:
                for _ in range(seconds // 2):
                    writer.write(broken)
            words = [sys.executable, "-c", _PROGRAM, str(path), str(Path(folder) / "out.mp4")]
            said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            print(f"{seconds} s of 96x96 at 25 Hz: {float(said):.0f} MiB at most", flush=True)


PARTS = {f.__name__: f for f in (flicker, seams, alarms, drift, stills, clean, speed, memory)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("media", type=Path)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--cctv", type=int, default=8, help="clips of the street")
    parser.add_argument("--kinds", default="", help="of flicker, with commas")
    parser.add_argument("--mend", action="store_true", help="seams: mend them, too")
    parser.add_argument("--seconds", type=int, default=600, help="memory: of the long clip")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    PARTS[args.part](args.media, args)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
