"""The Fréchet video distance while a network is trained, in the training process, and the best weights by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.atomic import staged
from moviola.core.errors import WeightsError
from moviola.core.notes import note
from moviola.core.ranges import from_network
from moviola.core.video import Video
from moviola.data.whole_clips import ClipTable
from moviola.metrics.base import Sample
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.i3d import I3DExtractor
from moviola.nn.pretrained.i3d import MIN_FRAMES

BEST, RECORD = "best", "best.json"


class RunFVD:
    """FVD of drawn videos against training clips, as often as asked.

    Memory stays bounded: I3D is loaded for one measurement and freed after it, sees one clip at a time, and of a clip
    only its 400 logits are held; those of the training clips are computed once.

    Source: Unterthiner et al. 2018, "Towards Accurate Generative Models of Video"; covariances over N - 1.

    Args:
        count: videos that are drawn, and training clips at most, spread evenly over the data set.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._real: np.ndarray | None = None
        self._off = False

    def measure(self, clips: ClipTable, draw: Callable[[int], Tensor], device: torch.device) -> float | None:
        """Return the distance; None, with a note the first time, where it cannot be measured.

        Args:
            clips: the training clips.
            draw: from 0, 1 ... to a video, (T, C, H, W) in [-1, 1].
            device: where I3D runs.
        """
        extractor = None if self._off else self._open(clips, device)
        if extractor is None:
            return None
        if self._real is None:
            rows = np.linspace(0, len(clips) - 1, min(self.count, len(clips))).round().astype(int)
            self._real = clip_features(extractor, (clips.read(int(row)) for row in rows))
        drawn = (from_network(draw(index)).cpu().numpy() for index in range(self.count))
        fake = clip_features(extractor, drawn)
        del extractor
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return frechet_from_features(self._real, fake)

    def _open(self, clips: ClipTable, device: torch.device) -> I3DExtractor | None:
        try:
            if clips.frames < MIN_FRAMES:
                raise WeightsError(f"clips have {clips.frames} frames and I3D needs {MIN_FRAMES}")
            if len(clips) < 2:
                raise WeightsError("a distribution needs at least 2 clips")
            return I3DExtractor.load(str(device))
        except WeightsError as error:
            self._off = True
            note(f"no FVD while training: {error}")
            return None


def clip_features(extractor: I3DExtractor, clips: Iterator[np.ndarray]) -> np.ndarray:
    """Return the logits of clips, one at a time.

    Args:
        extractor: I3D.
        clips: uint8 (T, H, W, 3) each, T at least 10.

    Returns:
        float32 (N, 400).

    Raises:
        ConfigError: a clip is too short.
    """
    rows = [extractor(Sample(Video(clip, 25), f"clip {k}"))["logits"] for k, clip in enumerate(clips)]
    return np.stack(rows)


def keep_best(model: Any, folder: Path, step: int, fvd: float) -> bool:
    """Write the model to `folder/best` if its distance is the lowest yet; return whether it was.

    An entry of a later step is of a run that was stopped and goes on from before: it does not count.

    Args:
        model: a network with `save_pretrained`.
        folder: the run's.
        step: finished steps.
        fvd: its distance.

    Raises:
        OutputError: it cannot be written.
    """
    record = read_best(folder)
    if record is not None and record["step"] < step and record["fvd"] <= fvd:
        return False
    with staged(folder / BEST, folder=True) as beside:
        model.save_pretrained(beside)
        (beside / RECORD).write_text(json.dumps({"step": step, "fvd": fvd}))
    return True


def read_best(folder: Path) -> dict[str, Any] | None:
    """Return the step and the distance of `folder/best`, {"step": ..., "fvd": ...}; None where there is none."""
    try:
        return json.loads((folder / BEST / RECORD).read_text())
    except (OSError, ValueError):
        return None
