"""Optical flow between frames as numpy arrays: estimating, warping, chaining, and where it cannot be trusted.

A flow is float32 (H, W, 2) in px, x (to the right) before y (down): the flow from a first frame to a second says where
each pixel of the first is found in the second, first[y, x] = second[y + flow[y, x, 1], x + flow[y, x, 0]]. It is
`moviola.nn.warp`'s flow with the last axis for x and y. `warp` brings the second frame back onto the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moviola.core.errors import ConfigError
from moviola.core.optional import require

FlowFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two frames uint8 (H, W, 3) in, the flow from the first to the second float32 (H, W, 2) in px out."""

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos"]


def opencv() -> Any:
    """Return the module `cv2`.

    Raises:
        InputError: it is not installed; one line says how to get it.
    """
    return require("cv2", "propagation")


@dataclass(frozen=True, eq=False)
class FlowField:
    """The flow between two frames, both ways, and what of the first is hidden in the second.

    Attributes:
        forward: from the first frame to the second, float32 (H, W, 2), px.
        backward: from the second frame to the first, float32 (H, W, 2), px.
        occluded: bool (H, W), on the first frame's pixels: not seen in the second.
    """

    forward: np.ndarray
    backward: np.ndarray
    occluded: np.ndarray


def estimator(name: str = "dis", raft: str | Path | None = None, device: str = "cpu") -> FlowFunction:
    """Return a function that estimates flow, by one of the methods of `moviola.nn.flow_methods`.

    Args:
        name: "dis", "lk" or "raft".
        raft: file with RAFT-small's weights, for "raft".
        device: where "raft" shall run.

    Raises:
        UnknownNameError: another name. InputError: "dis" without OpenCV. WeightsError: "raft" without its weights.
    """
    from moviola.nn.flow_methods import flow_method

    method = flow_method(name, raft, device)

    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        import torch

        check_frames(first, second)
        pair = [torch.from_numpy(_signed(frame)) for frame in (first, second)]
        with torch.inference_mode():
            displacement = method.estimate(*pair)[0].float().cpu().permute(1, 2, 0)
        return np.ascontiguousarray(displacement.numpy())

    return estimate


def _signed(frame: np.ndarray) -> np.ndarray:
    """Return a frame as float32 (1, 3, H, W) in [-1, 1]."""
    return np.ascontiguousarray(frame.transpose(2, 0, 1)[None], np.float32) / 127.5 - 1


def between(first: np.ndarray, second: np.ndarray, flow: FlowFunction) -> FlowField:
    """Estimate the flow between two frames, both ways, and the occlusion on the first one.

    Args:
        first: uint8 (H, W, 3).
        second: uint8 (H, W, 3).
        flow: see `estimator`.

    Raises:
        ConfigError: shapes that differ.
    """
    check_frames(first, second)
    forward, backward = flow(first, second), flow(second, first)
    return FlowField(forward, backward, occlusion(forward, backward))


def occlusion(forward: np.ndarray, backward: np.ndarray, boundaries: bool = False) -> np.ndarray:
    """Find what is seen in the first frame and not in the second, bool (H, W): `moviola.nn.warp.occlusion`.

    Source: Ruder, Dosovitskiy and Brox 2016, "Artistic Style Transfer for Videos", equations 5 and 6.

    Args:
        forward: flow from the first frame to the second, (H, W, 2).
        backward: flow from the second frame to the first, (H, W, 2).
        boundaries: count motion boundaries in.
    """
    import torch

    from moviola.nn import warp as networks

    forth, back = (
        torch.from_numpy(np.asarray(f, np.float32)).permute(2, 0, 1)[None] for f in (forward, backward)
    )
    return networks.occlusion(forth, back, boundaries)[0, 0].numpy()


def warp(second: np.ndarray, flow: np.ndarray, kernel: Kernel = "bilinear") -> np.ndarray:
    """Bring a second picture back onto the first; whole-pixel flows pick pixels exactly, outside the edge is held.

    Args:
        second: uint8 or float32, (H, W) or (H, W, C) with C up to 4.
        flow: from the first picture to the second, float32 (H, W, 2), px.
        kernel: interpolation; "bicubic" keeps detail, and overshoots in float32; "lanczos" (of four lobes) keeps more.

    Returns:
        an array like `second`.

    Raises:
        ConfigError: shapes that do not fit.
    """
    if second.shape[:2] != flow.shape[:2] or flow.shape[2:] != (2,):
        raise ConfigError(f"a flow for pictures {second.shape} is (H, W, 2) of their size, got {flow.shape}")
    cv2 = opencv()
    kernels = {
        "nearest": cv2.INTER_NEAREST,
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }
    places = grid(*flow.shape[:2]) + flow
    return cv2.remap(second, places, None, kernels[kernel], borderMode=cv2.BORDER_REPLICATE)


def grid(height: int, width: int) -> np.ndarray:
    """Return the (x, y) of every pixel, float32 (height, width, 2)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def inside(flow: np.ndarray) -> np.ndarray:
    """Tell where a flow (H, W, 2) leads to a place within the picture, bool (H, W)."""
    height, width = flow.shape[:2]
    places = grid(height, width) + flow
    x, y = places[..., 0], places[..., 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def compose(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Chain the flow from a to b and the flow from b to c into the flow from a to c.

    Flow of zero changes nothing and whole-pixel flows add up exactly; beyond the edge b's flow is held.

    Args:
        first: from a to b, float32 (H, W, 2), px.
        second: from b to c, float32 (H, W, 2), px.

    Raises:
        ConfigError: shapes that differ.
    """
    return first + warp(second, first)


def check_frames(first: np.ndarray, second: np.ndarray) -> None:
    """Refuse what is no pair of frames of one size.

    Raises:
        ConfigError: not (H, W, 3), or shapes that differ.
    """
    if first.shape != second.shape or first.ndim != 3 or first.shape[2] != 3 or 0 in first.shape:
        raise ConfigError(f"frames are (H, W, 3) of one size, got {first.shape} and {second.shape}")
