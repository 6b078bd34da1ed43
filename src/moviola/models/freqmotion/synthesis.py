"""From styles to frames: the synthesis network of StyleGAN2, frame by frame."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from moviola.models.freqmotion.config import FreqMotionConfig
from moviola.nn.modulated import StyledConv2d, ToRGB

_CACHED = 1 << 20  # values of a layer that a CPU keeps near, 4 MiB in float32


class SynthesisNetwork(nn.Module):
    """A learned 4x4 constant, then two styled convolutions a resolution, pictures summed over resolutions.

    Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", figure 7b (skip
    generator). A frame's style w(t) goes to every layer; the noise maps belong to the video, not to the frame.

    Args:
        config: sizes.
    """

    def __init__(self, config: FreqMotionConfig) -> None:
        super().__init__()
        widths, style = config.widths, config.style
        self.widths = widths
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.first = StyledConv2d(widths[0], widths[0], 3, style)
        self.first_rgb = ToRGB(widths[0], style, config.channels, upsample=False)
        pairs = list(itertools.pairwise(widths))
        self.up = nn.ModuleList(StyledConv2d(a, b, 3, style, upsample=True) for a, b in pairs)
        self.conv = nn.ModuleList(StyledConv2d(b, b, 3, style) for _, b in pairs)
        self.rgb = nn.ModuleList(ToRGB(b, style, config.channels) for _, b in pairs)

    @property
    def noise_sides(self) -> list[int]:
        """H = W of each layer's noise map."""
        return [4, *(side for k in range(len(self.up)) for side in (8 << k, 8 << k))]

    def forward(self, styles: Tensor, noise: list[Tensor]) -> Tensor:
        """Draw frames.

        Args:
            styles: (N, D), one a frame.
            noise: for each layer (N, 1, side, side).

        Returns:
            (N, C, size, size), about [-1, 1].
        """
        x = self.first(self.constant.expand(len(styles), -1, -1, -1), styles, noise[0])
        return self._grow(0, x, self.first_rgb(x, styles), styles, noise[1:])

    def _grow(self, level: int, x: Tensor, picture: Tensor, styles: Tensor, noise: list[Tensor]) -> Tensor:
        """Draw the resolutions from `level` on, over features (N, C, side, side) and a picture of that size.

        A CPU spends as long on waiting for memory (and the system on handing it out) as on computing, unless layers are
        small enough to stay in its cache; so it draws large frames a few at a time.
        """
        if level == len(self.up):
            return picture
        count = self._at_once(x, self.widths[level + 1] * 4 * x[0, 0].numel())  # twice H and W
        if count < len(x):
            tensors = (x, picture, styles, *noise)
            parts = zip(*(t.split(count) for t in tensors), strict=True)
            return torch.cat([self._grow(level, a, b, c, noise_parts) for a, b, c, *noise_parts in parts])
        x = self.up[level](x, styles, noise[0])
        x = self.conv[level](x, styles, noise[1])
        picture = self.rgb[level](x, styles, picture)
        return self._grow(level + 1, x, picture, styles, noise[2:])

    def _at_once(self, x: Tensor, values: int) -> int:
        """Return how many frames of features `x` to draw at once where the next layer holds `values` of each."""
        return max(1, _CACHED // values) if x.device.type == "cpu" else len(x)
