"""Flow as a picture, for people: the hue is the direction, the strength of the colour is the speed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError


def flow_picture(flow: Tensor, largest: float | None = None) -> np.ndarray:
    """Colour a flow: white stands still, red goes right, yellow-green down, cyan left, violet up.

    Args:
        flow: (2, H, W), px.
        largest: speed of full colour, px; None for the 99th percentile of this flow, at least 1.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ConfigError: a flow of another shape.
    """
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ConfigError(f"a flow to be drawn is (2, H, W), got {tuple(flow.shape)}")
    x, y = flow.detach().double().cpu()
    speed = torch.hypot(x, y)
    full = largest if largest is not None else max(1.0, float(np.percentile(speed.numpy(), 99)))
    strength = (speed / full).clamp(0, 1)
    turn = torch.atan2(y, x) / (2 * torch.pi) % 1.0
    # each primary is a tent over the turn of the hue, its top 1/3 apart from the next
    hue_distance = torch.stack([(turn - third / 3 + 0.5) % 1.0 - 0.5 for third in range(3)]).abs()
    pure = (2 - 6 * hue_distance).clamp(0, 1)
    colour = 1 - strength * (1 - pure)
    return (colour * 255).round().byte().permute(1, 2, 0).numpy()
