"""Dense optical flow by an iterative pyramidal Lucas-Kanade method.

In a small copy of the pictures every pixel's best match is searched for, so that fast small things are not lost. From
there to the full size each iteration warps the second picture by the flow so far, solves Lucas and Kanade's least
squares in a small window around every pixel for what is missing, and spreads the result:

* windows are robust: each pixel's residual is weighted as Charbonnier's loss weights it, so that what is occluded or
  belongs to another motion does not pull;
* besides the brightness (less its local mean) its gradient is held constant too, so that a change of light does not
  look like motion (Brox et al. 2004);
* the flow passes a median (Sun, Roth and Black 2010, section 4) and a mean over a neighbourhood that follows the
  picture's colours and trusts pixels by the smaller eigenvalue of their window's structure tensor (Shi and Tomasi
  1994) and their residual: flat areas are filled from their textured surroundings, and edges of objects stay edges.

Sources: Lucas and Kanade 1981; Bouguet 2001, "Pyramidal implementation of the Lucas Kanade feature tracker".
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.nn.filters import blur, gradient, luma, median5, pyramid
from moviola.nn.warp import inside, pixel_grid, sample

REACH, STEP = 2, 2  # the neighbourhood of the mean: 5 x 5 pixels, every second one


class LucasKanadeConfig(Config):
    """Settings of `lucas_kanade`; brightness is counted from 0 to 1.

    Attributes:
        window: standard deviation of the Gaussian window, px.
        iterations: warps and solves in each level.
        smallest: shorter side of the coarsest level, px, at least; it is less than twice that.
        reach: how far matches are searched for in the coarsest level, px; 8 of 24 to 47 is motion of up to 17 to 33
            percent of the shorter side of the picture.
        finest: level to stop at: 0 the full size; 1 half of it (four times faster, the result is enlarged).
        residual: residual above which a pixel loses weight.
        gradient: weight of the gradient against the brightness, px.
        damping: added to the structure tensor; more gives smoother flow and less detail.
        step: most that one iteration changes the flow by, px of its level.
        colours: colour difference (0 to 1 a channel) above which pixels do not speak for each other.
    """

    window: float = 1.0
    iterations: int = 5
    smallest: int = 24
    reach: int = 8
    finest: int = 0
    residual: float = 0.005
    gradient: float = 4.0
    damping: float = 0.01
    step: float = 1.0
    colours: float = 0.1


@torch.no_grad()
def lucas_kanade(first: Tensor, second: Tensor, config: LucasKanadeConfig | None = None) -> Tensor:
    """Estimate where every pixel of `first` is found in `second`.

    Args:
        first: pictures (B, C, H, W) in [-1, 1], C of 3 or 1.
        second: pictures of the same shape.
        config: settings; None for the defaults.

    Returns:
        flow (B, 2, H, W), float32, px, x (right) before y (down):
        first[y, x] = second[y + flow[1], x + flow[0]].

    Raises:
        ConfigError: pictures of another or of different shape.
    """
    config = config or LucasKanadeConfig()
    if first.shape != second.shape or first.ndim != 4 or first.shape[1] not in (1, 3):
        raise ConfigError(
            "flow needs two batches of pictures (B, 3 or 1, H, W) of one shape, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    guides = pyramid((first.float() + 1) / 2, config.smallest)
    others = pyramid((second.float() + 1) / 2, config.smallest)
    coarsest = len(guides) - 1
    flow = median5(_search(guides[coarsest], others[coarsest], config))
    for level in range(coarsest, min(config.finest, coarsest) - 1, -1):
        height, width = guides[level].shape[-2:]
        flow = resize_flow(flow, height, width)
        flow = _refine(flow, guides[level], others[level], config)
    return resize_flow(flow, first.shape[-2], first.shape[-1])


def resize_flow(flow: Tensor, height: int, width: int) -> Tensor:
    """Return a flow (B, 2, H, W) for pictures resized to `height` x `width`: resampled, its vectors scaled."""
    old_height, old_width = flow.shape[-2:]
    if (old_height, old_width) == (height, width):
        return flow
    scale = torch.tensor([width / old_width, height / old_height], dtype=flow.dtype, device=flow.device)
    resized = F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False)
    return resized * scale.view(1, 2, 1, 1)


def end_point_error(flow: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean length of the difference of two flows, px, (B,).

    Args:
        flow: (B, 2, H, W).
        truth: (B, 2, H, W).
        mask: pixels that count, bool (B, 1, H, W); None for all.
    """
    error = (flow - truth).norm(dim=1, keepdim=True)
    if mask is None:
        return error.mean((1, 2, 3))
    return (error * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1)


def _refine(flow: Tensor, first: Tensor, second: Tensor, config: LucasKanadeConfig) -> Tensor:
    """Return the flow (B, 2, H, W) after one level's iterations; pictures (B, C, H, W) in [0, 1]."""
    first_features = constancy(blur(first, 0.6), config.gradient)
    second_features = constancy(blur(second, 0.6), config.gradient)
    moving = torch.cat([second_features, *gradient(second_features)], dim=1)
    slopes = gradient(first_features)
    kinship = _kinship(first, config.colours)
    height, width = first.shape[-2:]
    grid = pixel_grid(height, width, flow)
    for _ in range(config.iterations):
        places = grid + flow
        warped, warped_x, warped_y = sample(moving, places).chunk(3, dim=1)
        change = warped - first_features
        across, down = (slopes[0] + warped_x) / 2, (slopes[1] + warped_y) / 2
        weight = inside(places, height, width) / (change**2 + config.residual**2).sqrt()
        tensor = structure(weight, across, down, change)
        step, certainty = solve(blur(tensor, config.window), config.damping)
        flow = median5(flow + step.clamp(-config.step, config.step))
        fitting = F.avg_pool2d(weight.mean(1, keepdim=True), 3, stride=1, padding=1, count_include_pad=False)
        trust = (certainty**0.25 + 1e-4) * fitting**2 + 1e-6
        flow = _spread(flow, trust, kinship)
    return _spread(flow, trust, kinship)


def _search(first: Tensor, second: Tensor, config: LucasKanadeConfig) -> Tensor:
    """Return the whole-pixel flow (B, 2, H, W) of least difference, among all moves of up to `config.reach`.

    Differences are averaged over 13 x 13 pixels by two box filters; of equally good moves the smaller one wins.
    """
    reach, side = config.reach, 2 * config.reach + 1
    first_features, second_features = (constancy(picture, config.gradient) for picture in (first, second))
    around = F.pad(second_features, (reach,) * 4, mode="replicate").unfold(2, side, 1).unfold(3, side, 1)
    cost = (around - first_features[..., None, None]).abs().mean(1).flatten(3).permute(0, 3, 1, 2)
    for size in ((1, 7), (7, 1)) * 2:
        pads = (size[0] // 2, size[1] // 2)
        cost = F.avg_pool2d(cost, size, stride=1, padding=pads, count_include_pad=False)
    moves = pixel_grid(side, side, cost).flatten(2)[0] - reach
    nearest = (cost + 5e-4 * moves.norm(dim=0).view(1, -1, 1, 1)).argmin(1)
    return moves[:, nearest].movedim(0, 1)


def constancy(images: Tensor, weight: float) -> Tensor:
    """Return what is held constant along the motion: brightness less its local mean, and its weighted gradient.

    Args:
        images: (B, C, H, W) in [0, 1].
        weight: of the gradient, px.

    Returns:
        (B, 3, H, W).
    """
    grey = luma(images)
    across, down = gradient(grey)
    return torch.cat([grey - blur(grey, 3.0), weight * across, weight * down], dim=1)


def structure(weight: Tensor, across: Tensor, down: Tensor, change: Tensor) -> Tensor:
    """Return the products whose window sums make the normal equations, summed over channels: (B, 5, ...).

    Args:
        weight: (B, C, ...).
        across, down: derivatives.
        change: residual; all of one shape.
    """
    heavy_x, heavy_y = weight * across, weight * down
    products = (heavy_x * across, heavy_x * down, heavy_y * down, heavy_x * change, heavy_y * change)
    return torch.stack([product.sum(1) for product in products], dim=1)


def solve(sums: Tensor, damping: float) -> tuple[Tensor, Tensor]:
    """Solve the 2x2 normal equations of Lucas and Kanade.

    Args:
        sums: windowed `structure`, (B, 5, ...).
        damping: added to the diagonal.

    Returns:
        the step (B, 2, ...), px, and the smaller eigenvalue of the structure tensor (B, 1, ...), at least 0.
    """
    xx, xy, yy, xt, yt = sums.unbind(1)
    smaller = (xx + yy) / 2 - ((xx - yy) ** 2 / 4 + xy**2).sqrt()
    xx, yy = xx + damping, yy + damping
    determinant = xx * yy - xy * xy
    step = torch.stack([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant.unsqueeze(1)
    return step, smaller.clamp_min(0).unsqueeze(1)


def _offsets() -> list[tuple[int, int]]:
    """Offsets (dy, dx) of the neighbourhood, px."""
    line = range(-REACH * STEP, REACH * STEP + 1, STEP)
    return [(dy, dx) for dy in line for dx in line]


def _neighbours(x: Tensor) -> list[Tensor]:
    """Views of `x` padded by REACH * STEP, one for each offset."""
    margin = REACH * STEP
    height, width = x.shape[-2] - 2 * margin, x.shape[-1] - 2 * margin
    return [
        x[..., margin + dy : margin + dy + height, margin + dx : margin + dx + width] for dy, dx in _offsets()
    ]


def _kinship(guide: Tensor, colours: float) -> list[Tensor]:
    """How much each neighbour speaks for a pixel, by colour and distance: (B, 1, H, W) for each offset."""
    margin = REACH * STEP
    spread = 0.75 * margin
    near = [math.exp(-(dy * dy + dx * dx) / (2 * spread * spread)) for dy, dx in _offsets()]
    shifted = _neighbours(F.pad(guide, (margin,) * 4, mode="replicate"))
    scale = -1 / (2 * colours * colours)
    return [
        torch.exp(((other - guide) ** 2).sum(1, keepdim=True) * scale) * factor
        for other, factor in zip(shifted, near, strict=True)
    ]


def _spread(flow: Tensor, trust: Tensor, kinship: list[Tensor]) -> Tensor:
    """Return the mean flow over the neighbourhood, weighted by trust (B, 1, H, W) and kinship."""
    margin = REACH * STEP
    weighted = torch.cat([flow * trust, trust], dim=1)
    total = torch.zeros_like(weighted)
    for kin, other in zip(kinship, _neighbours(F.pad(weighted, (margin,) * 4)), strict=True):
        total.addcmul_(kin, other)
    return total[:, :2] / total[:, 2:]
