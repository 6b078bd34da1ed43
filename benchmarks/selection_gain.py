"""Which key frames are worth most: rebuild real clips from as many key frames, chosen in different ways.

    python benchmarks/selection_gain.py boxer.mp4 runner.mp4 --json gain.json
    python benchmarks/selection_gain.py clip.mp4 --intervals 10 5 --method patch --height 256 --plot gain.png

The key frames are left as they are, and the frames between are made from them by `moviola.propagation`: what comes out
is compared with the real frames. Every way of choosing has the same number of keys and the same cuts.

Claims: flow and deep beat uniform where motion is uneven; "optimal", which never sees the full frames or the method
of propagation, beats them all. Figures over the frames that are not keys: PSNR of their mean squared error, mean PSNR,
mean SSIM. "predicted" is the error that "optimal" minimises. "uniform" is every N-th frame; "even" leaves half a gap
behind the last key, as the measures do, and shows what that alone is worth.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moviola.core.errors import InputError
from moviola.core.resample import resize_frames
from moviola.data import codec
from moviola.metrics.functional.paired import mse, psnr_of, ssim
from moviola.propagation.propagate import PropagationConfig, propagate
from moviola.selection.change import change_measure
from moviola.selection.optimal import optimal, predict, predicted_error
from moviola.selection.select import default_max_gap, uniform, with_budget
from moviola.selection.shots import cuts, shots

MEASURES = ("orb", "flow", "deep", "histogram")
FIGURES = ("psnr", "mean_psnr", "ssim", "predicted")


def read(path: Path, frames: int, height: int) -> np.ndarray:
    """The first frames, at most `height` px high."""
    clip = codec.read(path, stop=frames).frames
    if clip.shape[1] <= height:
        return clip
    return resize_frames(clip, height, round(clip.shape[2] * height / clip.shape[1]), "box")


def rebuild(clip: np.ndarray, keys: Sequence[int], joints: Sequence[int], method: str) -> np.ndarray:
    """Make every frame from the key frames; nothing is carried over a cut."""
    made = np.empty_like(clip)
    config = PropagationConfig.make({"method": method})
    for first, stop in shots(len(clip), joints):
        inside = [key for key in keys if first <= key < stop]
        for a, b in zip(inside, [*inside[1:], None], strict=True):
            end = stop - 1 if b is None else b
            painted = propagate(clip[a : end + 1], clip[a], None if b is None else clip[b], config)
            for i, frame in enumerate(painted):
                made[a + i] = frame
    return made


def choose(clip: np.ndarray, count: int, joints: list[int]) -> tuple[dict[str, list[int]], dict[str, float]]:
    """Keys by every way, and the errors predicted of them."""
    longest = default_max_gap(len(clip), count)
    costs = predict(clip, longest)
    curves = {"uniform": np.ones(len(clip))}
    for name in MEASURES:
        try:
            curves[name] = change_measure(name).curve(clip)
        except InputError as error:
            print(f"  without {name}: {error}")
    keys = {name: with_budget(curve, count, max_gap=longest, cuts=joints) for name, curve in curves.items()}
    keys["even"] = keys["uniform"]  # half a gap is left behind the last key
    if not joints:
        keys["uniform"] = uniform(len(clip), count=count)  # 0, N, 2N ...
    keys["optimal"] = optimal(costs, count, cuts=joints)
    return keys, {name: predicted_error(costs, chosen, joints) for name, chosen in keys.items()}


def judge(clip: np.ndarray, made: np.ndarray, keys: Sequence[int]) -> dict[str, float]:
    """Figures over the frames that are not keys."""
    between = np.setdiff1d(np.arange(len(clip)), keys)
    errors = mse(clip[between], made[between])
    return {
        "psnr": psnr_of(float(errors.mean())),
        "mean_psnr": float(np.mean([psnr_of(float(error)) for error in errors])),
        "ssim": float(ssim(clip[between], made[between]).mean()),
    }


def measure(path: Path, interval: int, given: argparse.Namespace) -> dict[str, dict[str, float | list[int]]]:
    """One clip, every way of choosing."""
    clip = read(path, given.frames, given.height)
    joints = cuts(clip)
    count = math.ceil(len(clip) / interval)
    keys, predicted = choose(clip, count, joints)
    print(f"{path.stem}: {len(clip)} frames {clip.shape[2]}x{clip.shape[1]}, {count} keys, cuts {joints}")
    rows: dict[str, dict[str, float | list[int]]] = {}
    for name, chosen in keys.items():
        figures = judge(clip, rebuild(clip, chosen, joints, given.method), chosen)
        rows[name] = {**figures, "predicted": predicted[name], "keys": chosen}
        print(
            f"  {name:<10}" + "".join(f"{f} {rows[name][f]:8.3f}  " for f in FIGURES) + f"keys {chosen}",
            flush=True,
        )
    return rows


COLOURS = {
    "even": "#b0b0b0",
    "orb": "#8060b0",
    "flow": "#2060a0",
    "deep": "#208040",
    "histogram": "#c09020",
    "optimal": "#d04020",
}
ACROSS, WIDTH, HEIGHT, BAR = 4, 250, 190, 32  # panels in a row; a panel and a bar, px


def plot(found: dict[str, dict[str, dict[str, float | list[int]]]], path: Path) -> None:
    """Bars of the PSNR above uniform, a panel for each clip and number of keys, all to one scale."""
    from PIL import Image, ImageDraw, ImageFont

    font, small = ImageFont.load_default(15), ImageFont.load_default(11)
    gains = {
        clip: {name: rows[name]["psnr"] - rows["uniform"]["psnr"] for name in COLOURS if name in rows}  # type: ignore[operator]
        for clip, rows in found.items()
    }
    every = [gain for row in gains.values() for gain in row.values()]
    high, low = max(0.1, *every), min(-0.1, *every)
    unit = (HEIGHT - 70) / (high - low)
    image = Image.new("RGB", (ACROSS * WIDTH, 40 + -(-len(gains) // ACROSS) * HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    pen.text((12, 10), "PSNR above uniform keys, dB:", fill="black", font=font)
    for i, (name, colour) in enumerate(COLOURS.items()):
        pen.text((250 + 100 * i, 10), name, fill=colour, font=font)
    for number, (clip, row) in enumerate(gains.items()):
        left, top = number % ACROSS * WIDTH + 12, 40 + number // ACROSS * HEIGHT
        zero = top + 40 + unit * high
        pen.text(
            (left, top),
            f"{clip.split(' / ')[0][:24]}, {len(found[clip]['optimal']['keys'])} keys",
            "black",
            font,
        )  # type: ignore[arg-type]
        for i, (name, gain) in enumerate(row.items()):
            x, y = left + i * (BAR + 6), zero - unit * gain
            pen.rectangle([x, min(y, zero), x + BAR, max(y, zero)], fill=COLOURS[name])
            pen.text((x + BAR / 2, min(y, zero) - 2), f"{gain:+.2f}", "black", small, "mb")
        pen.line([(left - 4, zero), (left + len(row) * (BAR + 6), zero)], fill="black")
    image.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--intervals", type=int, nargs="+", default=[10], help="frames a key")
    parser.add_argument("--frames", type=int, default=120, help="of each clip at most")
    parser.add_argument("--height", type=int, default=256, help="px, at most")
    parser.add_argument("--method", default="warp", help="of propagation: warp, patch or linear")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    found = {f"{path.stem} / {i}": measure(path, i, given) for path in given.clips for i in given.intervals}
    others = [name for name in next(iter(found.values())) if name != "optimal"]
    for figure in ("psnr", "ssim"):
        best = sum(rows["optimal"][figure] > max(rows[n][figure] for n in others) for rows in found.values())  # type: ignore[operator, type-var]
        print(f"optimal has the best {figure} on {best} of {len(found)} clips")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if given.plot:
        plot(found, given.plot)


if __name__ == "__main__":
    main()
