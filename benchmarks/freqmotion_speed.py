"""Drawing and training with convolutions modulated at their input and output, against grouped convolutions.

The peer is the formulation of public StyleGAN2 code in plain PyTorch operators: a weight tensor for each sample, one
convolution with as many groups as samples, over the whole batch at once; upfirdn as zeros, padding and a depthwise
convolution (NVlabs/stylegan2-ada-pytorch, `_upfirdn2d_ref`; the form with one channel a convolution, as in
rosinality/stylegan2-pytorch, takes twice as long on a CPU); noise, bias and leaky ReLU one after the other. Its weights
are stored in PyTorch's usual order, which is the faster one for it. A second row, "grouped, in pieces", gives the peer
our order of work, a few large frames at a time, so that what is left between it and ours is the formulation alone.

All run in this process, in turns, with the same weights, on the same input. On one CPU thread the clock is the
processor time of the process, so that other jobs on the machine count for less.

    python benchmarks/freqmotion_speed.py [--size 64] [--width 64] [--clips 4] [--frames 8] [--threads 1] [--rounds 5]
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
from moviola.models.freqmotion.synthesis import SynthesisNetwork
from moviola.nn.equalized import leaky_relu
from moviola.nn.modulated import ModulatedConv2d, StyledConv2d, ToRGB
from moviola.nn.upfirdn import Blur2d, Upsample2d, blur_filter


def grouped(self: ModulatedConv2d, x: Tensor, style: Tensor) -> Tensor:
    """`ModulatedConv2d.forward` with weights of each sample and groups."""
    batch, channels, height, width = x.shape
    out, side = self.weight.shape[0], self.weight.shape[2]
    scales = self.affine(style)
    weight = self.weight.contiguous()[None] * self.scale * scales[:, None, :, None, None]
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


def grouped_rgb(self: ToRGB, x: Tensor, style: Tensor, below: Tensor | None = None) -> Tensor:
    """`ToRGB.forward`, step by step."""
    picture = grouped(self.conv, x, style) + self.bias[:, None, None]
    return picture if below is None or self.upsample is None else picture + self.upsample(below)


def depthwise(x: Tensor, kernel: Tensor, padding: tuple[int, int]) -> Tensor:
    """Pad, then a depthwise convolution."""
    weight = kernel.flip(0, 1).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(x, (*padding, *padding)), weight, groups=x.shape[1])


def blurred(self: Blur2d, x: Tensor) -> Tensor:
    """`Blur2d.forward`."""
    return depthwise(x, self.kernel, self.padding)


def doubled(self: Upsample2d, x: Tensor) -> Tensor:
    """`Upsample2d.forward` by zeros and the filter."""
    batch, channels, height, width = x.shape
    x = F.pad(x[:, :, :, None, :, None], (0, 1, 0, 0, 0, 1)).reshape(batch, channels, 2 * height, 2 * width)
    return depthwise(x, blur_filter(gain=4.0), (2, 1))


def at_once(self: SynthesisNetwork, x: Tensor, values: int) -> int:
    """`SynthesisNetwork._at_once`: the whole batch."""
    return len(x)


IN_PIECES = {
    (ModulatedConv2d, "forward"): grouped,
    (StyledConv2d, "forward"): grouped_styled,
    (Blur2d, "forward"): blurred,
    (Upsample2d, "forward"): doubled,
    (ToRGB, "forward"): grouped_rgb,
}
FORMS: dict[str, dict[tuple[type, str], Callable]] = {
    "ours": {},
    "grouped": {**IN_PIECES, (SynthesisNetwork, "_at_once"): at_once},
    "grouped, in pieces": IN_PIECES,
}


@contextmanager
def formulation(methods: dict[tuple[type, str], Callable]) -> Iterator[None]:
    """Let layers run by other functions inside the block."""
    before = {(kind, name): getattr(kind, name) for kind, name in methods}
    for (kind, name), method in methods.items():
        setattr(kind, name, method)
    try:
        yield
    finally:
        for (kind, name), method in before.items():
            setattr(kind, name, method)


def measure(work: Callable[[], Tensor], rounds: int, clock: Callable[[], float]) -> tuple[dict, dict]:
    """Return the seconds of each round and the last output, by formulation."""
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    outputs = {}
    for turn in range(rounds + 1):
        for form, methods in FORMS.items():
            with formulation(methods):
                begun = clock()
                outputs[form] = work().detach()
                if outputs[form].is_cuda:
                    torch.cuda.synchronize()
                if turn:  # the first turn warms up
                    seconds[form].append(clock() - begun)
    return seconds, outputs


def show(name: str, count: int, seconds: dict[str, list[float]], outputs: dict[str, Tensor]) -> None:
    """Print frames a second of each formulation, and how many times as fast ours is."""
    ours = seconds["ours"]
    print(f"{name:5s} ours {count / statistics.median(ours):.1f} frames/s")
    for form in list(FORMS)[1:]:
        ratios = [b / a for a, b in zip(ours, seconds[form], strict=True)]
        difference = float((outputs["ours"] - outputs[form]).abs().max())
        print(
            f"      {form} {count / statistics.median(seconds[form]):.1f} frames/s; ratio "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"largest difference {difference:.1e}"
        )


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    numbers = {"size": 64, "width": 64, "clips": 4, "frames": 8, "threads": 1, "rounds": 5}
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def main() -> None:
    """Print frames a second and ratios of drawing and of training."""
    given = parse()
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

    clock = time.process_time if given.device == "cpu" and given.threads == 1 else time.perf_counter
    for name, work in (("draw", drawing), ("train", training)):
        show(name, given.clips * given.frames, *measure(work, given.rounds, clock))


if __name__ == "__main__":
    main()
