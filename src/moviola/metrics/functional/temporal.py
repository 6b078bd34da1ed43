"""How a video changes from frame to frame: flicker, motion, and what motion does not explain.

Flows are in px, (B, 2, H, W), x before y: `moviola.nn.flow`. Pictures are (B, 3, H, W) in [-1, 1].
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from moviola.core.errors import InputError
from moviola.nn.warp import Kernel, occlusion, warp


def flicker(frames: np.ndarray) -> float:
    """Return how much pixels swing back and forth from frame to frame, in levels of 0 to 255; 0 for a still.

    The mean over pixels, channels and time of |x(t-1) - 2 x(t) + x(t+1)| / 4. A video whose every other frame is
    brighter by 2a scores a; a steady fade scores 0, which a first difference would count. Motion of textures is seen
    too: compare with the figure of real video, or with `warp_error`.

    Source: the second difference as a measure of temporal fluctuation: "Video quality metric for temporal fluctuation
    measurement", Proc. SPIE 7744 (2010), without its scaling and motion estimation.

    Args:
        frames: uint8 (T, H, W, 3), T at least 3.

    Raises:
        InputError: fewer than 3 frames.
    """
    if len(frames) < 3:
        raise InputError(f"flicker needs at least 3 frames, got {len(frames)}")
    total = 0.0
    for previous, current, following in zip(frames, frames[1:], frames[2:], strict=False):
        total += second_difference(previous, current, following)
    return total / (len(frames) - 2)


def second_difference(previous: np.ndarray, current: np.ndarray, following: np.ndarray) -> float:
    """Return the mean of |previous - 2 current + following| / 4 of uint8 frames of one shape; a term of `flicker`."""
    difference = previous.astype(np.int16) - 2 * current.astype(np.int16) + following.astype(np.int16)
    return float(np.abs(difference).mean(dtype=np.float64)) / 4


def motion_magnitude(flow: Tensor) -> Tensor:
    """Return the mean length of a flow in percent of the picture's height, (B,).

    Args:
        flow: (B, 2, H, W), px: per frame, for the flow from each frame to the next.
    """
    return 100 * flow.norm(dim=1).mean((1, 2)) / flow.shape[-2]


def pixel_mse(first: Tensor, second: Tensor, forward: Tensor) -> Tensor:
    """Return the squared error between a frame and the next one brought back onto it, 0 to 255^2, (B,).

    No pixel is left out: where the flow leaves the picture its edge is held. What appears from behind something
    counts as error, so that motion costs a little: compare with the figure of real video.

    Source: Pixel-MSE of Ceylan, Huang and Mitra 2023, "Pix2Video", and Yang et al. 2023, "Rerender A Video": mean
    squared pixel error between aligned consecutive frames. They take the flow from the video that was edited; here it
    is the judged video's own.

    Args:
        first: (B, 3, H, W) in [-1, 1].
        second: the next frames, of the same shape.
        forward: flow from first to second, (B, 2, H, W), px.
    """
    return 127.5**2 * _squared_error(first, second, forward).mean((1, 2, 3))


def warp_error(
    first: Tensor, second: Tensor, forward: Tensor, backward: Tensor, kernel: Kernel = "bilinear"
) -> tuple[Tensor, Tensor]:
    """Return the squared error between a frame and the next one brought back onto it, where nothing is hidden.

    Source: Lai et al. 2018, "Learning Blind Video Temporal Consistency", section 4.2, "warping error": pixel values
    from 0 to 1, the mean over non-occluded pixels, the mask of `moviola.nn.warp.occlusion`. They take flow and mask
    from the video before it was processed; here they are the judged video's own. As in the authors' program, the mean
    is over all pixels where none is left.

    Args:
        first: (B, 3, H, W) in [-1, 1].
        second: the next frames, of the same shape.
        forward: flow from first to second, (B, 2, H, W), px.
        backward: flow from second to first, (B, 2, H, W), px.
        kernel: interpolation between pixels. The authors' is bilinear, which blurs: thin lines that are moved by part
            of a pixel, and nothing else, have an error by it. By "bicubic" it is several times less.

    Returns:
        the error, 0 to 1, (B,), and the part of pixels that were left out, 0 to 1, (B,).
    """
    error = _squared_error(first, second, forward, kernel).mean(1, keepdim=True) / 4
    hidden = occlusion(forward, backward)
    left_out = hidden.float().mean((1, 2, 3))
    weight = (~hidden | (left_out == 1).view(-1, 1, 1, 1)).to(error.dtype)
    return (error * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)), left_out


def _squared_error(first: Tensor, second: Tensor, forward: Tensor, kernel: Kernel = "bilinear") -> Tensor:
    return (warp(second, forward, kernel=kernel)[0] - first) ** 2
