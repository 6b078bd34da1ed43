"""Optical flow between key frames, for the constraints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from moviola.nn.flow_methods import flow_method
from moviola.nn.warp import occlusion


class DirectFlows:
    """Flow straight from one key frame to another, with a forward-backward check for what is hidden.

    It is what `DiffusionPainter.paint` uses when it is given no flows of its own, for then it has no frames between.
    With them, `moviola.pipelines.restyle.motion.ChainedFlows` finds more.

    Args:
        frames: uint8 (H, W, 3), in order.
        method: "dis", "lk" or "raft".
        raft: file with RAFT-small's weights, for "raft".
    """

    def __init__(self, frames: Sequence[np.ndarray], method: str = "dis", raft: str | None = None) -> None:
        self.frames, self.method = frames, flow_method(method, raft)

    def __call__(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the flow from frame `i` to frame `j`, float32 (2, H, W) in px, and what is hidden, bool (H, W)."""
        first, second = (_batch(self.frames[k]) for k in (i, j))
        forward = self.method.estimate(first, second)
        hidden = occlusion(forward, self.method.estimate(second, first))
        return forward[0].numpy(), hidden[0, 0].numpy()


def _batch(frame: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float() / 127.5 - 1
