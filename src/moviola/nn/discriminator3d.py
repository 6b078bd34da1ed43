"""A discriminator that scores patches of space and time."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from moviola.nn.volume import Conv3d

_KERNEL, _STRIDE, _PADDING = (3, 5, 5), (1, 2, 2), (1, 2, 2)


class PatchDiscriminator3d(nn.Module):
    """Spectrally normalised 3-D convolutions down to one score a patch; no other normalisation.

    Every layer has a kernel of 3x5x5 and halves H and W (rounded up); time keeps its length, and a score sees
    2 `layers` + 1 frames. Widths are 1, 2, 4, 4, 4, ... times `width`.

    Source: Chang et al. 2019, "Free-form Video Inpainting with 3D Gated Convolution and Temporal PatchGAN", section
    3.3, the discriminator that FuseFormer trains against (64 wide, six layers); spectral normalisation: Miyato et al.
    2018. To be trained with the hinge loss (`moviola.training.losses`).

    Args:
        channels: C of a frame.
        width: channels of the first layer.
        layers: convolutions in all, the last of which scores; 2 or more.
    """

    def __init__(self, channels: int = 3, width: int = 64, layers: int = 6) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"a discriminator has 2 layers or more, not {layers}")
        widths = [channels, *(width * min(2**i, 4) for i in range(layers - 1))]
        self.layers = nn.ModuleList(
            spectral_norm(Conv3d(a, b, _KERNEL, _STRIDE, _PADDING)) for a, b in pairwise(widths)
        )
        self.score = Conv3d(widths[-1], 1, _KERNEL, _STRIDE, _PADDING)

    def forward(self, video: Tensor) -> Tensor:
        """Score patches of clips.

        Args:
            video: float (B, T, C, H, W) in [-1, 1].

        Returns:
            (B, T, h, w), h = H / 2^layers rounded up; larger is more real.
        """
        x = video.transpose(1, 2)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return self.score(x)[:, 0]
