"""Between the samples: what an INR-V model draws at twice the size and at all frames of the files, against the truth.

    python benchmarks/inrv_offgrid.py MODEL --data FOLDER [--clips 16] [--no-loop]
    python benchmarks/inrv_offgrid.py --tiny --data FOLDER [--strides 4] [--seconds 60]

The model saw every `stride`-th frame of a file (its frame rate tells the stride) at its own size. Here its training
clips are drawn at that size and those times ("on the grid"), at all frames of the file, at those alone that the model
never saw ("frames between"), at twice the size, and at twice the size and all frames; the truth comes from the files.
The reference is what is known without a model: the true clip at the model's size and frames, enlarged by bicubic
interpolation, its frames blended linearly. Neither can know detail that only the larger truth has, so the reference's
PSNR says how much of the gap is lost detail; a model whose space between the samples is undetermined falls far below
it. PSNR in dB, the mean over clips.

With --tiny small hypernetworks are trained on 18 frames of 8 clips at 32 px, every 4th frame of the files (so that all
frames are 4 times the model's rate) or every one of --strides, for the same CPU time each: with `nyquist` (octaves of
an axis only up to what its samples determine), and with the paper's 10 octaves. A third one, with `nyquist`, is trained
on all frames of the same seconds: what such a network is worth at those frames where it has seen them.
"""

from __future__ import annotations

import argparse
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from inrv_decoders import cosine, make_model, rows_of, start, train

from moviola.core.ranges import from_network
from moviola.core.resample import resize_frames
from moviola.data.sources import open_source
from moviola.data.whole_clips import WholeClips
from moviola.models.catalog import load_space
from moviola.models.inrv import InrvModel

PLACES = ("on the grid", "all frames", "frames between", "2x size", "2x size, all frames")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Return the PSNR of two clips with values of 0 to 255, dB."""
    gap = a.astype(np.float32) - b.astype(np.float32)
    return 10 * math.log10(255**2 / max(float((gap**2).mean()), 1e-9))


@torch.no_grad()
def draw(model: InrvModel, row: int, numbers: np.ndarray, scale: int) -> np.ndarray:
    """Return a training clip drawn at frame numbers and `scale` times the size, uint8 (T, H, W, 3)."""
    size = scale * model.config.height, scale * model.config.width
    pieces = model.render(model.codes[row : row + 1], torch.from_numpy(numbers).float(), *size)
    return from_network(torch.cat(list(pieces))).numpy()


def blend(clip: np.ndarray, numbers: np.ndarray, scale: int) -> np.ndarray:
    """Return a clip enlarged by bicubic interpolation and blended linearly at frame numbers, float (T, H, W, 3)."""
    large = resize_frames(clip, scale * clip.shape[1], scale * clip.shape[2], "bicubic").astype(np.float32)
    low = np.floor(numbers).astype(int).clip(0, len(clip) - 1)
    share = (numbers - low)[:, None, None, None].astype(np.float32)
    return large[low] * (1 - share) + large[(low + 1).clip(max=len(clip) - 1)] * share


def measure(
    model: InrvModel, tables: dict[int, WholeClips], rows: list[tuple[int, int]], stride: int, dense: int = 1
) -> None:
    """Print the figures of clips.

    Args:
        model: whose training clips.
        tables: scale to all frames of the clips at that scale.
        rows: of each clip its row of the model and its number in the tables.
        stride: frames of the tables from one frame of the grid to the next.
        dense: frames of the model from one frame of the grid to the next; 1 for a model trained on the grid.
    """
    count = len(tables[1].read(0))
    numbers = np.arange(count)
    coarse = numbers % stride == 0
    everywhere = np.ones_like(coarse)
    spots = (coarse, 1), (everywhere, 1), (~coarse, 1), (coarse, 2), (everywhere, 2)
    choices: dict[str, tuple[np.ndarray, int]] = dict(zip(PLACES, spots, strict=True))
    found: dict[str, list[tuple[float, float]]] = {place: [] for place in PLACES if choices[place][0].any()}
    for row, number in rows:
        sources = {scale: table.read(number) for scale, table in tables.items()}
        known = sources[1][::stride]
        for place, pairs in found.items():
            chosen, scale = choices[place]
            true, instants = sources[scale][chosen], numbers[chosen] / stride
            pairs.append(
                (
                    psnr(draw(model, row, instants * dense, scale), true),
                    psnr(blend(known, instants, scale), true),
                )
            )
    on_grid = float(np.mean([pair[0] for pair in found[PLACES[0]]]))
    for place, pairs in found.items():
        ours, reference = np.mean(pairs, axis=0)
        told = "" if place == PLACES[0] else f"; bicubic and blending {reference:.2f}"
        print(f"  {place:20s} {ours:6.2f} dB ({ours - on_grid:+.2f}){told}", flush=True)


def open_tables(
    data: Path, height: int, width: int, frames: int, stride: int, loop: bool
) -> dict[int, WholeClips]:
    """Return all frames that clips of `frames` frames reach over, at the size and at twice the size."""
    needed = (frames - 1) * stride + 1
    return {scale: WholeClips(data, scale * height, scale * width, needed, loop=loop) for scale in (1, 2)}


def trained(given: argparse.Namespace) -> None:
    """Measure a model folder."""
    model = load_space(given.model)
    c = model.config
    rate = float(np.median([float(item.info.fps) for item in open_source(given.data)]))
    stride = given.stride or max(1, round(rate / c.fps))
    tables = open_tables(given.data, c.height, c.width, c.frames, stride, given.loop)
    rows = rows_of(model, tables[1].captions)
    picked = np.linspace(0, len(rows) - 1, min(given.clips, len(rows))).round().astype(int)
    print(
        f"{given.model}: {c.decoder}, {c.frames} frames of {c.width}x{c.height} at {float(Fraction(c.fps)):.3g} Hz; "
        f"{len(picked)} of {c.videos} clips; the files have {stride} times the frames"
    )
    measure(model, tables, [rows[i] for i in picked], stride)


def tiny(given: argparse.Namespace, stride: int) -> None:
    """Train small models on every `stride`-th frame, and one on all frames, and measure them."""
    size, frames, count = 32, 18, 8
    tables = open_tables(given.data, size, size, frames, stride, given.loop)
    everything = torch.stack([torch.from_numpy(tables[1].read(i)) for i in range(count)])
    for nyquist, step in ((True, stride), (False, stride), (True, 1)):
        clips = everything[:, ::step]
        model = make_model("hyper", clips, tables[1].fps / step, nyquist=nyquist)
        run = start(model, 1e-3)
        train(run, clips, given.seconds, cosine)
        model.codes.copy_(model.codebook.detach())
        octaves = model.decoder.encoding.octaves
        print(
            f"every {step}. frame, nyquist {nyquist}: octaves {octaves} of t, y, x; "
            f"{run.steps} steps in {run.seconds:.0f} s",
            flush=True,
        )
        measure(model, tables, [(i, i) for i in range(count)], stride, stride // step)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--stride", type=int, help="of MODEL; by the frame rates by default")
    parser.add_argument("--strides", type=int, nargs="+", default=[4], help="of --tiny")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--no-loop", dest="loop", action="store_false")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.tiny:
        for stride in given.strides:
            tiny(given, stride)
    elif given.model:
        trained(given)
    else:
        parser.error("give a model folder, or --tiny")


if __name__ == "__main__":
    main()
