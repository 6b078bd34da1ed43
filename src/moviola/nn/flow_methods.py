"""The ways to estimate optical flow, by name, behind one signature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import UnknownNameError, WeightsError
from moviola.core.optional import require
from moviola.nn.filters import luma
from moviola.nn.flow import LucasKanadeConfig, lucas_kanade
from moviola.nn.tracks import FlowMethod

FlowName = Literal["lk", "dis", "raft"]
FLOW_NAMES: tuple[str, ...] = get_args(FlowName)
_SMALLEST = (
    16  # px; dense inverse search needs a patch of 8 px at half size; smaller pictures are mirrored out to it
)


@dataclass(frozen=True)
class NamedFlow:
    """A flow method and what it is.

    Attributes:
        name: "lk", "dis" or "raft".
        says: a line for people: "Lucas-Kanade (built in)".
        identity: everything that changes its results, for cache keys.
        estimate: two picture batches (B, 3, H, W) in [-1, 1] in, flow (B, 2, H, W) in px out.
    """

    name: str
    says: str
    identity: dict[str, str]
    estimate: FlowMethod


def flow_method(name: str = "lk", raft: str | Path | None = None, device: str = "cpu") -> NamedFlow:
    """Return the flow method `name`.

    Args:
        name: "lk" (`moviola.nn.flow`, built in), "dis" (OpenCV's dense inverse search, on the CPU) or "raft"
            (RAFT-small, `moviola.nn.pretrained.raft`).
        raft: file with RAFT-small's weights, for "raft".
        device: where "raft" shall run; "lk" runs where the pictures are.

    Raises:
        UnknownNameError: another name. InputError: "dis" without OpenCV. WeightsError: "raft" without its weights.
    """
    if name == "lk":
        settings = LucasKanadeConfig().model_dump_json()
        return NamedFlow("lk", "Lucas-Kanade (built in)", {"flow": "lk", "settings": settings}, lucas_kanade)
    if name == "dis":
        return _dis()
    if name == "raft":
        return _raft(raft, device)
    raise UnknownNameError.of("flow method", name, FLOW_NAMES)


def _dis() -> NamedFlow:
    cv2 = require("cv2", 'flow "dis"', 'or use flow "lk"')
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        height, width = first.shape[-2:]
        pads = ((0, max(0, _SMALLEST - height)), (0, max(0, _SMALLEST - width)))
        pairs = zip(_bytes(first), _bytes(second), strict=True)
        padded = ([np.pad(grey, pads, mode="symmetric") for grey in pair] for pair in pairs)
        flows = np.stack([engine.calc(a, b, None)[:height, :width] for a, b in padded])
        return torch.from_numpy(flows).permute(0, 3, 1, 2).to(first.device)

    identity = {"flow": "dis", "opencv": cv2.__version__, "preset": "medium"}
    return NamedFlow("dis", f"DIS (OpenCV {cv2.__version__})", identity, estimate)


def _bytes(pictures: Tensor) -> np.ndarray:
    """Brightness of pictures (B, C, H, W) in [-1, 1] as uint8 (B, H, W)."""
    grey = ((luma(pictures.float()) + 1) * 127.5).round().clamp(0, 255)
    return grey.byte()[:, 0].cpu().numpy()


def _raft(weights: str | Path | None, device: str) -> NamedFlow:
    from moviola.nn.pretrained.raft import load_raft, raft_sha256

    if weights is None:
        raise WeightsError('flow "raft" needs the file raft-small.pth; give its path, or use flow "lk"')
    network = load_raft(weights, device)

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        return network(first.to(device), second.to(device)).to(first.device)

    identity = {"flow": "raft", "network": "raft-small", "sha256": raft_sha256(weights)}
    return NamedFlow("raft", "RAFT-small", identity, estimate)
