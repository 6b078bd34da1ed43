"""RAFT-small: optical flow by all-pairs correlation and a recurrent update, with the authors' weights.

Source: Teed and Deng 2020, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow" (sections 3.1 to 3.3; the
small model of the appendix: bottleneck encoders, one 3x3 ConvGRU, correlation radius 3, bilinear upsampling). The
weights are not shipped: `load_raft` reads the file `raft-small.pth` that the authors publish.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.weights import sha256
from moviola.nn.pretrained.state_dict import fit, read_state_dict
from moviola.nn.warp import pixel_grid


class RaftConfig(Config):
    """Sizes of RAFT; the defaults are the authors' small model.

    Attributes:
        widths: channels of the encoder's three stages.
        features: channels that are correlated.
        hidden: channels of the recurrent state.
        context: channels of the context.
        levels: correlation levels, each half the size of the last.
        radius: of the window that is looked up in each level, in its own pixels.
        updates: recurrent updates made for a flow field.
    """

    widths: tuple[int, int, int] = (32, 64, 96)
    features: int = 128
    hidden: int = 96
    context: int = 64
    levels: int = 4
    radius: int = 3
    updates: int = 20


class RaftSmall(nn.Module):
    """Estimates the flow from one image to another.

    Memory grows with the square of the number of pixels: about 0.35 GB for 540 x 960, 5.6 GB for 1080 x 1920.

    Args:
        config: sizes.
    """

    def __init__(self, config: RaftConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RaftConfig()
        self.fnet = FeatureEncoder(config.widths, config.features, "instance")
        self.cnet = FeatureEncoder(config.widths, config.hidden + config.context, "none")
        self.update_block = Update(config)

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return where every pixel of `first` goes.

        Args:
            first: images (B, 3, H, W) in [-1, 1], H and W at least 128 after padding to a multiple of 8 (smaller ones
                are padded by their edge).
            second: images of the same shape.

        Returns:
            flow (B, 2, H, W) in pixels, x (right) then y (down): `first[y, x]` is seen at
            `second[y + flow[1], x + flow[0]]`.

        Raises:
            ConfigError: images that are not (B, 3, H, W) or differ in shape.
        """
        if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
            raise ConfigError(
                "raft needs two image batches (B, 3, H, W) of one shape, "
                f"got {tuple(first.shape)} and {tuple(second.shape)}"
            )
        left, right, top, bottom = pads = self._padding(*first.shape[-2:])
        first, second = (F.pad(image, pads, mode="replicate") for image in (first, second))
        state, context = self.cnet(first).split([self.config.hidden, self.config.context], dim=1)
        state, context = torch.tanh(state), torch.relu(context)
        pyramid = correlation_pyramid(self.fnet(first), self.fnet(second), self.config.levels)
        start = pixel_grid(state.shape[-2], state.shape[-1], state)
        position = start.expand(len(state), -1, -1, -1)
        for _ in range(self.config.updates):
            correlation = look_up(pyramid, position, self.config.radius)
            state, step = self.update_block(state, context, correlation, position - start)
            position = position + step
        flow = 8 * F.interpolate(position - start, scale_factor=8, mode="bilinear", align_corners=True)
        return flow[..., top : flow.shape[-2] - bottom, left : flow.shape[-1] - right].contiguous()

    def _padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return left, right, top and bottom padding to sizes of which the coarsest level still has two pixels."""
        least = 8 * 2**self.config.levels
        across, down = (max(-(-side // 8) * 8, least) - side for side in (width, height))
        return across // 2, across - across // 2, down // 2, down - down // 2


class FeatureEncoder(nn.Module):
    """Images to features at an eighth of the size.

    Args:
        widths: channels of the three stages.
        out: channels of the result.
        norm: "instance" or "none".
    """

    def __init__(self, widths: tuple[int, int, int], out: int, norm: Literal["instance", "none"]) -> None:
        super().__init__()
        first, second, third = widths
        self.conv1 = nn.Conv2d(3, first, 7, stride=2, padding=3)
        self.norm1 = _norm(norm, first)
        self.layer1 = nn.Sequential(Bottleneck(first, first, 1, norm), Bottleneck(first, first, 1, norm))
        self.layer2 = nn.Sequential(Bottleneck(first, second, 2, norm), Bottleneck(second, second, 1, norm))
        self.layer3 = nn.Sequential(Bottleneck(second, third, 2, norm), Bottleneck(third, third, 1, norm))
        self.conv2 = nn.Conv2d(third, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W) in [-1, 1] to (B, out, H/8, W/8)."""
        x = torch.relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class Bottleneck(nn.Module):
    """Residual block: 1x1 to a quarter of the channels, 3x3 with the stride, 1x1 back.

    Args:
        channels_in, channels_out: before and after.
        stride: 1 or 2.
        norm: "instance" or "none".
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: str) -> None:
        super().__init__()
        narrow = channels_out // 4
        self.conv1, self.norm1 = nn.Conv2d(channels_in, narrow, 1), _norm(norm, narrow)
        self.conv2, self.norm2 = nn.Conv2d(narrow, narrow, 3, stride=stride, padding=1), _norm(norm, narrow)
        self.conv3, self.norm3 = nn.Conv2d(narrow, channels_out, 1), _norm(norm, channels_out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride=stride), _norm(norm, channels_out))
            if stride > 1
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, H, W) to (B, channels_out, H/stride, W/stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        y = torch.relu(self.norm3(self.conv3(y)))
        return torch.relu(self.downsample(x) + y)


def _norm(kind: str, channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels) if kind == "instance" else nn.Identity()


class Update(nn.Module):
    """One step of the recurrent part: motion features, ConvGRU, flow head (section 3.3).

    Args:
        config: sizes.
    """

    def __init__(self, config: RaftConfig) -> None:
        super().__init__()
        self.encoder = MotionEncoder(config.levels * (2 * config.radius + 1) ** 2)
        self.gru = ConvGru(config.hidden, config.context + 82)
        self.flow_head = FlowHead(config.hidden)

    def forward(
        self, state: Tensor, context: Tensor, correlation: Tensor, flow: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the new state (B, hidden, h, w) and the change of the flow (B, 2, h, w)."""
        motion = self.encoder(correlation, flow)
        state = self.gru(state, torch.cat([context, motion], dim=1))
        return state, self.flow_head(state)


class MotionEncoder(nn.Module):
    """Looked-up correlations and the flow so far to 82 channels, the flow itself the last two.

    Args:
        correlations: channels of the look-up.
    """

    def __init__(self, correlations: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlations, 96, 1)
        self.convf1 = nn.Conv2d(2, 64, 7, padding=3)
        self.convf2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv = nn.Conv2d(128, 80, 3, padding=1)

    def forward(self, correlation: Tensor, flow: Tensor) -> Tensor:
        """Map (B, correlations, h, w) and (B, 2, h, w) to (B, 82, h, w)."""
        correlation = torch.relu(self.convc1(correlation))
        flow_features = torch.relu(self.convf2(torch.relu(self.convf1(flow))))
        return torch.cat([torch.relu(self.conv(torch.cat([correlation, flow_features], dim=1))), flow], dim=1)


class ConvGru(nn.Module):
    """Gated recurrent unit of 3x3 convolutions (equations 3 to 6).

    Args:
        hidden: channels of the state. given: channels of what comes in.
    """

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        self.convz = nn.Conv2d(hidden + inputs, hidden, 3, padding=1)
        self.convr = nn.Conv2d(hidden + inputs, hidden, 3, padding=1)
        self.convq = nn.Conv2d(hidden + inputs, hidden, 3, padding=1)

    def forward(self, state: Tensor, x: Tensor) -> Tensor:
        """Return the new state, shaped as `state` (B, hidden, h, w)."""
        both = torch.cat([state, x], dim=1)
        update, reset = torch.sigmoid(self.convz(both)), torch.sigmoid(self.convr(both))
        candidate = torch.tanh(self.convq(torch.cat([reset * state, x], dim=1)))
        return (1 - update) * state + update * candidate


class FlowHead(nn.Module):
    """The state to a change of the flow.

    Args:
        hidden: channels of the state.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, 128, 3, padding=1)
        self.conv2 = nn.Conv2d(128, 2, 3, padding=1)

    def forward(self, state: Tensor) -> Tensor:
        """Map (B, hidden, h, w) to (B, 2, h, w)."""
        return self.conv2(torch.relu(self.conv1(state)))


def correlation_pyramid(first: Tensor, second: Tensor, levels: int) -> list[Tensor]:
    """Correlate every pixel of `first` with every pixel of `second` (equation 1), then pool over `second`.

    Args:
        first: features (B, D, h, w).
        second: features of the same shape.
        levels: levels wanted.

    Returns:
        a level each: (B * h * w, 1, h / 2^level, w / 2^level).
    """
    batch, channels, h, w = first.shape
    volume = torch.einsum("bdn,bdm->bnm", first.flatten(2), second.flatten(2)) / channels**0.5
    pyramid = [volume.reshape(batch * h * w, 1, h, w)]
    for _ in range(levels - 1):
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    return pyramid


def look_up(pyramid: list[Tensor], position: Tensor, radius: int) -> Tensor:
    """Read the correlations around where every pixel is thought to be (section 3.2), bilinearly, zero outside.

    Args:
        pyramid: as `correlation_pyramid` gives it.
        position: (x, y) of each pixel in the second image, (B, 2, h, w), in pixels of level 0.
        radius: of the window.

    Returns:
        (B, levels * (2 radius + 1)^2, h, w); within a level the horizontal offset changes slowest.
    """
    batch, _, h, w = position.shape
    side = 2 * radius + 1
    offsets = torch.arange(-radius, radius + 1).to(position)
    dx, dy = torch.meshgrid(offsets, offsets, indexing="ij")
    window = torch.stack([dx, dy], dim=-1)
    centre = position.permute(0, 2, 3, 1).reshape(batch * h * w, 1, 1, 2)
    read = []
    for level, volume in enumerate(pyramid):
        size = torch.tensor([volume.shape[-1] - 1, volume.shape[-2] - 1]).to(position)
        grid = 2 * (centre / 2**level + window) / size - 1
        values = F.grid_sample(volume, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        read.append(values.reshape(batch, h, w, side * side))
    return torch.cat(read, dim=-1).permute(0, 3, 1, 2).contiguous()


def load_raft(path: str | Path, device: str = "cpu") -> RaftSmall:
    """Return RAFT-small with the authors' weights, in eval mode.

    Args:
        path: the file `raft-small.pth`: a state dict whose keys start with "module." or do not.
        device: where it shall run.

    Raises:
        WeightsError: no such file, a file that holds anything but tensors, or another network's tensors.
    """
    tensors = {
        key.removeprefix("module."): value for key, value in read_state_dict(path, "RAFT-small").items()
    }
    network = RaftSmall()
    fit(network, tensors, path, "RAFT-small")
    return network.eval().requires_grad_(False).to(device)


def raft_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a weights file in hex digits."""
    return sha256(path)
