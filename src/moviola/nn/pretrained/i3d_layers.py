"""The parts of I3D, each in two forms: as published, and folded for speed.

TensorFlow's SAME padding throughout: an input of n cells gives ceil(n / stride), and where the padding is odd the
extra cell is at the end. Folded, batch norm has gone into the convolution before it, tensors are channels-last, and
on a CPU oneDNN is called where torch would choose its own slower convolution. Both forms agree to about 1e-5.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.volume import Conv3d, conv3d

BN_EPS = 1e-3  # Sonnet's, as in the checkpoint
Size3 = tuple[int, int, int]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the cells that SAME padding adds before and after an axis of `size` cells."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _cube(side: int) -> Size3:
    return side, side, side


def pad_same(x: Tensor, kernel: Size3, stride: Size3, value: float = 0.0) -> Tensor:
    """Return `x` (B, C, T, H, W) padded with `value` for a window of size `kernel` moved by `stride`."""
    axes = zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True)
    return F.pad(x, [cells for axis in axes for cells in same_padding(*axis)], value=value)


def max_pool(x: Tensor, kernel: Size3, stride: Size3) -> Tensor:
    """Return the SAME max pooling of `x` (B, C, T, H, W), the plain way."""
    return F.max_pool3d(pad_same(x, kernel, stride, float("-inf")), kernel, stride)


def fast_max_pool(x: Tensor, kernel: Size3, stride: Size3) -> Tensor:
    """Return the same as `max_pool` without a padded copy; kernel <= 3, and stride <= kernel."""
    if kernel == (3, 3, 3) and stride == (1, 1, 1):
        for axis in (2, 3, 4):
            x = _max_of_three(x, axis)
        return x
    padding = [same_padding(*axis)[0] for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    return F.max_pool3d(x, kernel, stride, padding=padding, ceil_mode=True)


def _max_of_three(x: Tensor, axis: int) -> Tensor:
    """Return the maximum over each cell and its two neighbours along `axis`."""
    n = x.shape[axis]
    if n == 1:
        return x
    pairs = torch.maximum(x.narrow(axis, 0, n - 1), x.narrow(axis, 1, n - 1))
    out = torch.empty_like(x)
    out.narrow(axis, 0, 1).copy_(pairs.narrow(axis, 0, 1))
    out.narrow(axis, n - 1, 1).copy_(pairs.narrow(axis, n - 2, 1))
    out.narrow(axis, 1, n - 2).copy_(
        torch.maximum(pairs.narrow(axis, 0, n - 2), pairs.narrow(axis, 1, n - 2))
    )
    return out


class Unit3D(nn.Module):
    """Convolution, batch norm (without scale), ReLU.

    Args:
        channels_in, channels_out: C before and after.
        kernel, stride: the same in time, height and width.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = Conv3d(channels_in, channels_out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels_out, eps=BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, T', H', W'), T' = ceil(T / stride) and so on."""
        if self.kernel > 1:
            x = pad_same(x, _cube(self.kernel), _cube(self.stride))
        return F.relu(self.bn(self.conv(x)))

    def folded_weights(self) -> tuple[Tensor, Tensor]:
        """Return the kernel and the bias of the one convolution that equals convolution and norm."""
        norm = self.bn
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
        bias = norm.bias.double() - norm.running_mean.double() * scale
        kernel = self.conv.weight.double() * scale.view(-1, 1, 1, 1, 1)
        return kernel.to(self.conv.weight.dtype).detach(), bias.to(self.conv.weight.dtype).detach()

    def fold(self) -> FoldedUnit3D:
        """Return the fast form."""
        return FoldedUnit3D(*self.folded_weights(), self.stride)


class FoldedUnit3D(nn.Module):
    """Convolution with a bias, ReLU.

    Args:
        weight: (C_out, C_in, k, k, k).
        bias: (C_out,).
        stride: the same in time, height and width.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = weight.shape[-1], stride
        self.weight, self.bias = (nn.Parameter(t, requires_grad=False) for t in (weight, bias))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, T', H', W'), T' = ceil(T / stride) and so on."""
        padding = 0
        if self.stride == 1:  # an odd kernel: as many cells before as after
            padding = self.kernel // 2
        else:
            x = pad_same(x, _cube(self.kernel), _cube(self.stride))
        return _convolve(x, self.weight, self.bias, self.stride, padding).relu_()


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """Return `F.conv3d`; on a CPU by oneDNN, also for small inputs, where torch would not take it."""
    is_onednn = x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    if is_onednn and torch.backends.mkldnn.enabled:
        sizes = [padding] * 3, [stride] * 3, [1] * 3
        return torch.mkldnn_convolution(x, weight, bias, *sizes, 1)  # type: ignore[attr-defined]
    return conv3d(x, weight, bias, stride, padding)


class InceptionModule(nn.Module):
    """An Inception block: four branches side by side (Carreira and Zisserman 2017, figure 3).

    Args:
        channels_in: C before.
        widths: channels of branch 0; of branch 1 before and after its 3x3x3; of branch 2 likewise; of branch 3.
    """

    def __init__(self, channels_in: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        self.branch_0 = Unit3D(channels_in, widths[0])
        self.branch_1a = Unit3D(channels_in, widths[1])
        self.branch_1b = Unit3D(widths[1], widths[2], 3)
        self.branch_2a = Unit3D(channels_in, widths[3])
        self.branch_2b = Unit3D(widths[3], widths[4], 3)
        self.branch_3 = Unit3D(channels_in, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, T, H, W), C_out the sum of the branches."""
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        branches = (
            self.branch_0(x),
            self.branch_1b(self.branch_1a(x)),
            self.branch_2b(self.branch_2a(x)),
            self.branch_3(pooled),
        )
        return torch.cat(branches, 1)

    def fold(self) -> FoldedInceptionModule:
        """Return the fast form."""
        return FoldedInceptionModule(self)


class FoldedInceptionModule(nn.Module):
    """The same as `InceptionModule`; the three 1x1x1 convolutions that see the same input are one.

    Args:
        block: in eval mode, as trained.
    """

    def __init__(self, block: InceptionModule) -> None:
        super().__init__()
        heads = [unit.folded_weights() for unit in (block.branch_0, block.branch_1a, block.branch_2a)]
        self.widths = [len(bias) for _, bias in heads]
        self.head = FoldedUnit3D(torch.cat([w for w, _ in heads]), torch.cat([b for _, b in heads]))
        self.branch_1, self.branch_2 = block.branch_1b.fold(), block.branch_2b.fold()
        self.branch_3 = block.branch_3.fold()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, T, H, W), C_out the sum of the branches."""
        form = torch.channels_last_3d if x.is_contiguous(memory_format=torch.channels_last_3d) else None
        first, second, third = self.head(x).split(self.widths, 1)
        if form is not None:
            second, third = (t.contiguous(memory_format=form) for t in (second, third))
        pooled = fast_max_pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat((first, self.branch_1(second), self.branch_2(third), self.branch_3(pooled)), 1)
