"""LPIPS between clips of equal shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.devices import pick_device
from moviola.metrics.base import Sample
from moviola.metrics.cache import check_one_shape, full_precision

if TYPE_CHECKING:
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol
    from moviola.nn.pretrained.lpips import LPIPS


class LpipsExtractor:
    """The distance of each frame from its counterpart, averaged over frames.

    Args:
        network: with its weights, on `device`.
        identity: its name and sha256 values.
        device: where it runs.
        batch: pairs of frames at a time.
    """

    name = "lpips"
    reads = ()

    def __init__(
        self, network: LPIPS, identity: Mapping[str, str], device: str = "cpu", batch: int = 8
    ) -> None:
        self.network, self.device, self.batch = network, device, batch
        self._identity = dict(identity)

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        return dict(self._identity)

    def __call__(self, real: Sample, fake: Sample) -> dict[str, np.ndarray]:
        """Return "lpips", float32 ().

        Raises:
            InputError: clips of different shapes. ConfigError: frames that are too small for the network.
        """
        import torch

        a, b = real.video, fake.video
        check_one_shape(self.name, real, fake)
        total = 0.0
        with torch.inference_mode(), full_precision(self.device):
            for start in range(0, len(a), self.batch):
                part = slice(start, start + self.batch)
                x, y = (video[part].to_tensor().to(self.device) for video in (a, b))
                total += float(self.network(x, y).double().sum())
        return {self.name: np.asarray(total / len(a), np.float32)}


def make_lpips(protocol: Protocol, device: str, options: MetricOptions) -> tuple[LpipsExtractor, str]:
    """Return extractor and output of LPIPS.

    Raises:
        WeightsError: the backbone's weights are not here, or are another network's. InputError: the heads are not
            here. Each is one line that says how to get them.
    """
    from moviola.nn.pretrained.lpips import load_lpips

    device = str(pick_device(device))
    network, identity = load_lpips(options.lpips_net, options.lpips_backbone, device=device)
    return LpipsExtractor(network, identity, device), "lpips"
