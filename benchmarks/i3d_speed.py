"""I3D features a second: ours against the plain network, in one process on the same clip.

    python benchmarks/i3d_speed.py                    # a clip of 16 frames, 224x224
    python benchmarks/i3d_speed.py --frames 128 --threads 2

Claim: at least 2x. The peer is the network in its published form, contiguous: every convolution after an explicit
SAME padding, then batch norm, then ReLU; padded max pooling; four branches with a convolution each. Ours is the same
network folded (`I3D.fold`): the same numbers to 1e-4.
Weights do not matter for the speed; where the published ones are not here, random ones are used.
Each figure is the best of several runs, taken in turns so that a busy moment hits all alike.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable

import torch

from moviola.core.errors import WeightsError
from moviola.nn.pretrained.i3d import I3D, I3DConfig, load_i3d


def plain_network() -> tuple[I3D, str]:
    try:
        return load_i3d(fast=False), "published weights"
    except WeightsError:
        return I3D(I3DConfig()).randomise(torch.Generator().manual_seed(0)), "random weights"


def best(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The shortest time of each, s."""
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    plain, weights = plain_network()
    ours = copy.deepcopy(plain).fold()
    clip = torch.rand(1, given.frames, 3, 224, 224, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        gap = (plain(clip) - ours(clip)).abs().max()
        times = best({"plain": lambda: plain(clip), "ours": lambda: ours(clip)}, given.repeats)
    print(
        f"{given.frames} frames, {given.threads} thread(s), {weights}; largest difference of logits {gap:.1e}"
    )
    for name, seconds in times.items():
        print(f"  {name:<20} {seconds:7.3f} s a clip  {1 / seconds:6.2f} features/s")
    print(f"  {times['plain'] / times['ours']:.2f}x the plain network")


if __name__ == "__main__":
    main()
