"""From styles to frames: the synthesis network of StyleGAN2, frame by frame."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from moviola.models.freqmotion.config import FreqMotionConfig
from moviola.nn.modulated import StyledConv2d, ToRGB


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
        maps = iter(noise)
        x = self.constant.expand(len(styles), -1, -1, -1)
        x = self.first(x, styles, next(maps))
        picture = self.first_rgb(x, styles)
        for up, conv, rgb in zip(self.up, self.conv, self.rgb, strict=True):
            x = up(x, styles, next(maps))
            x = conv(x, styles, next(maps))
            picture = rgb(x, styles, picture)
        return picture
