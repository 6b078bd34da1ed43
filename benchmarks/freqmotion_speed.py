"""Drawing and training with convolutions modulated at their input and output, against grouped convolutions.

The peer is the formulation of public StyleGAN2 code: a weight tensor for each sample, one convolution with as many
groups as samples. Both run in this process, in turns, with the same weights, on the same input.

    python benchmarks/freqmotion_speed.py [--size 64] [--width 64] [--clips 4] [--frames 8] [--threads 2] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator
from moviola.nn.equalized import leaky_relu
from moviola.nn.modulated import ModulatedConv2d, StyledConv2d
from moviola.nn.upfirdn import Upsample2d, blur_filter, upfirdn2d


def grouped(self: ModulatedConv2d, x: Tensor, style: Tensor) -> Tensor:
    """`ModulatedConv2d.forward` with weights of each sample and groups."""
    batch, channels, height, width = x.shape
    out, side = self.weight.shape[0], self.weight.shape[2]
    scales = self.affine(style)
    weight = self.weight[None] * self.scale * scales[:, None, :, None, None]
    if self.demodulate:
        weight = weight * (weight.square().sum(dim=(2, 3, 4)) + 1e-8).rsqrt()[:, :, None, None, None]
    x = x.reshape(1, batch * channels, height, width)
    if self.blur is None:
        y = F.conv2d(x, weight.reshape(batch * out, channels, side, side), padding=self.padding, groups=batch)
        return y.reshape(batch, out, height, width)
    weight = weight.transpose(1, 2).reshape(batch * channels, out, side, side)
    y = F.conv_transpose2d(x, weight, stride=2, groups=batch)
    return self.blur(y.reshape(batch, out, *y.shape[2:]))


def grouped_styled(self: StyledConv2d, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
    """`StyledConv2d.forward`, step by step."""
    x = grouped(self.conv, x, style) + self.noise_strength * noise
    return leaky_relu(x + self.bias[:, None, None])


def depthwise(self: Upsample2d, x: Tensor) -> Tensor:
    """`Upsample2d.forward` by zeros and a depthwise convolution."""
    return upfirdn2d(x, blur_filter(gain=4.0), up=2, padding=(2, 1))


PEER = {ModulatedConv2d: grouped, StyledConv2d: grouped_styled, Upsample2d: depthwise}


@contextmanager
def formulation(forwards: dict[type, Callable]) -> Iterator[None]:
    """Let layers run by other functions inside the block."""
    before = {kind: kind.forward for kind in forwards}
    for kind, forward in forwards.items():
        kind.forward = forward
    try:
        yield
    finally:
        for kind, forward in before.items():
            kind.forward = forward


def main() -> None:
    """Print frames a second, steps a second and their ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (
        ("size", 64),
        ("width", 64),
        ("clips", 4),
        ("frames", 8),
        ("threads", 2),
        ("rounds", 5),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    levels = given.size.bit_length() - 2
    config = FreqMotionConfig(
        size=given.size, style=256, motion=256, content=256, widths=(given.width,) * levels
    )
    model = FreqMotionGenerator(config).to(given.device)
    codes = model.draw(0, range(given.clips))
    times = model.frame_times(given.frames).float().to(given.device).expand(given.clips, -1)

    def drawing() -> Tensor:
        with torch.no_grad():
            return model(times, codes)

    def training() -> Tensor:
        """A generator step without its discriminator: forward, backward to all weights."""
        frames = model(times, codes)
        model.zero_grad(set_to_none=True)
        frames.square().mean().backward()
        return frames

    forms: dict[str, dict[type, Callable]] = {"ours": {}, "grouped": PEER}
    for name, work in (("draw", drawing), ("train", training)):
        seconds: dict[str, list[float]] = {form: [] for form in forms}
        outputs = {}
        for turn in range(given.rounds + 1):
            for form, forwards in forms.items():
                with formulation(forwards):
                    begun = time.perf_counter()
                    outputs[form] = work().detach()
                    if given.device != "cpu":
                        torch.cuda.synchronize()
                    if turn:  # the first turn warms up
                        seconds[form].append(time.perf_counter() - begun)
        difference = float((outputs["ours"] - outputs["grouped"]).abs().max())
        ratios = [b / a for a, b in zip(seconds["ours"], seconds["grouped"], strict=True)]
        count = given.clips * given.frames
        rates = ", ".join(
            f"{form} {count / statistics.median(s):.1f} frames/s" for form, s in seconds.items()
        )
        print(
            f"{name:5s} {rates}; ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"largest difference {difference:.1e}"
        )


if __name__ == "__main__":
    main()
