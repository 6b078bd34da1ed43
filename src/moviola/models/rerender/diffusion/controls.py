"""What ControlNets look at: edges and the like, drawn from a frame or given as pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.optional import require
from moviola.core.resample import resize_frames
from moviola.models.rerender.diffusion.annotators import depth, openpose
from moviola.models.rerender.diffusion.config import ControlConfig


def pair(
    kinds: Sequence[str], strengths: Sequence[float] = (), models: Sequence[str] = ()
) -> tuple[ControlConfig, ...]:
    """Return settings of ControlNets from what a command line gives.

    Args:
        kinds: one of each ControlNet.
        strengths: one of each, in the same order; none at all for 1 each.
        models: folder, file or hub name of each; none at all for the usual ones.

    Raises:
        ConfigError: the numbers differ, or a strength is outside 0 to 4.
    """
    lists: dict[str, Sequence[Any]] = {"strength": strengths, "model": models}
    for name, values in lists.items():
        if values and len(values) != len(kinds):
            given = f"{len(kinds)} ControlNet{'s' * (len(kinds) != 1)} ({', '.join(kinds)})"
            plural = f"{name}s" if len(values) != 1 else name
            raise ConfigError(
                f"{given} and {len(values)} {plural}; give one {name} for each, in the same order"
            )
    rows = [
        {"kind": kind, **{name: values[i] for name, values in lists.items() if values}}
        for i, kind in enumerate(kinds)
    ]
    return tuple(ControlConfig.make(row) for row in rows)


def canny(frame: np.ndarray, control: ControlConfig, device: str = "cpu") -> np.ndarray:
    """Return a frame's edges, white on black, uint8 (H, W, 3).

    Source: Canny 1986, "A Computational Approach to Edge Detection", by OpenCV.

    Args:
        frame: uint8 (H, W, 3).
        control: its `low` and `high` thresholds.
        device: not looked at.

    Raises:
        InputError: OpenCV is not installed.
    """
    cv2 = require("cv2", 'control "canny"')
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return np.repeat(cv2.Canny(grey, control.low, control.high)[..., None], 3, axis=2)


def tile(frame: np.ndarray, control: ControlConfig, device: str = "cpu") -> np.ndarray:
    """Return the frame itself, which is what the ControlNet "tile" looks at."""
    return frame


def hed(frame: np.ndarray, control: ControlConfig, device: str = "cpu") -> np.ndarray:
    """Return a frame's soft edges, white on black, uint8 (H, W, 3); see `moviola.nn.pretrained.hed`.

    Raises:
        WeightsError: the network's weights are not on this machine.
    """
    return np.repeat(_hed(device).edges(frame)[..., None], 3, axis=2)


@lru_cache(maxsize=1)
def _hed(device: str) -> Any:
    from moviola.nn.pretrained.hed import NAME, load_hed
    from moviola.nn.pretrained.store import find_weights

    return load_hed(find_weights(NAME, 'control "hed"')).to(device)


ANNOTATORS: dict[str, Callable[[np.ndarray, ControlConfig, str], np.ndarray]] = {
    "canny": canny,
    "depth": depth,
    "hed": hed,
    "openpose": openpose,
    "tile": tile,
}


def annotate(
    frame: np.ndarray, control: ControlConfig, given: np.ndarray | None = None, device: str = "cpu"
) -> np.ndarray:
    """Return what a ControlNet shall look at, uint8 (H, W, 3) of the frame's size.

    Args:
        frame: uint8 (H, W, 3), at the size that is painted.
        control: which.
        given: a picture that was made elsewhere, uint8 (h, w, 3); it is taken as it is, resized.
        device: where annotators that are networks run.

    Raises:
        ConfigError: nothing here makes such a picture, and none is given.
        InputError: OpenCV is not installed. WeightsError: the annotator's weights are not on this machine.
    """
    if given is not None:
        return resize_frames(given[None], *frame.shape[:2])[0]
    if control.kind not in ANNOTATORS:
        known = ", ".join(ANNOTATORS)
        raise ConfigError(
            f"nothing here makes {control.kind!r} pictures (it makes {known}); make them elsewhere, one for "
            "each key frame, and give them"
        )
    return ANNOTATORS[control.kind](frame, control, device)


def check(controls: Sequence[ControlConfig], given: Mapping[str, Sequence[np.ndarray]], frames: int) -> None:
    """See whether every ControlNet has its pictures.

    Args:
        controls: that are used.
        given: pictures made elsewhere, by kind, one for each frame.
        frames: number of frames that are painted.

    Raises:
        ConfigError: too few or too many pictures, pictures of a kind that is not used, or none where they are needed.
    """
    kinds = [control.kind for control in controls]
    for kind, pictures in given.items():
        if kind not in kinds:
            raise ConfigError(
                f"pictures for {kind!r} are given, but the ControlNets are {', '.join(kinds) or 'none'}"
            )
        if len(pictures) != frames:
            raise ConfigError(
                f"{len(pictures)} pictures for {kind!r} and {frames} key frames; give one for each"
            )
    missing = [kind for kind in kinds if kind not in ANNOTATORS and kind not in given]
    if missing:
        raise ConfigError(
            f"nothing here makes {missing[0]!r} pictures (it makes {', '.join(ANNOTATORS)}); make them elsewhere, "
            "one for each key frame, and give them"
        )


def condition(picture: np.ndarray) -> Tensor:
    """Return a control picture uint8 (H, W, 3) as float32 (1, 3, H, W) in [0, 1], as ControlNets take it."""
    unit = picture.astype(np.float32) / 255.0
    return torch.from_numpy(unit)[None].permute(0, 3, 1, 2)
