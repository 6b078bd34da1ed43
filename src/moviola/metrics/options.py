"""What the user may choose about the networks and methods behind the metrics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from moviola.core.config import Config


class MetricOptions(Config):
    """Options of the metrics; none of them changes how clips are cut (that is the protocol's).

    Attributes:
        clip: CLIP model for clip-score, fram-acc and tmp-con: a hub name or a folder; None: those metrics say how
            to get one.
        candidates: texts that fram-acc chooses from, the clip's own caption among them; empty: all captions of FAKE.
        lpips_backbone: file with the backbone's weights for lpips.
        lpips_net: which backbone that is.
        videomae: folder of a VideoMAE model for cd-fvd.
        vjepa: folder of a V-JEPA model for jepa-fd.
        flow: optical flow behind pixel-mse, warp-error and motion: "lk" (pyramidal Lucas-Kanade, built in), "dis"
            (OpenCV) or "raft" (weights by `raft`).
        raft: file with the weights of RAFT-small.
        image_network: network behind frame-fd and frame-is.
        i3d_torchscript: the file that StyleGAN-V names, for fvd and kvd in place of our own I3D; it has no pooled
            features. None: our own.
        inception: file with the weights of Inception-v3, for `image_network="inception"`.
    """

    clip: str | None = None
    candidates: tuple[str, ...] = ()
    lpips_backbone: Path | None = None
    lpips_net: Literal["alex", "vgg"] = "alex"
    videomae: Path | None = None
    vjepa: Path | None = None
    flow: Literal["lk", "dis", "raft"] = "lk"
    raft: Path | None = None
    image_network: Literal["efficientnet-lite0", "inception"] = "efficientnet-lite0"
    inception: Path | None = None
    i3d_torchscript: Path | None = None

    def idle(self, metrics: Iterable[str]) -> list[str]:
        """Return a sentence on each option that is not the usual one and changes no figure.

        Args:
            metrics: keys of the metrics asked for.
        """
        metric_names = set(metrics)
        unused = [
            f"{_option_name(name)} changes nothing: it is for {', '.join(users)}, and none of them is asked for"
            for name, users in _USERS.items()
            if self._is_set(name) and not metric_names & set(users)
        ]
        return [*self.contradictions(), *unused]

    def contradictions(self) -> list[str]:
        """Return a sentence on each option that another one, as it is, leaves without use."""
        return [
            f"{_option_name(name)} is for {_option_name(choice)} {value}, not for {getattr(self, choice)}"
            for name, (choice, value) in _CHOICES.items()
            if self._is_set(name) and getattr(self, choice) != value
        ]

    def _is_set(self, name: str) -> bool:
        return getattr(self, name) != type(self).model_fields[name].default


_FLOW_METRICS = ("pixel-mse", "warp-error", "motion")
_FRAME_METRICS = ("frame-fd", "frame-is")
_USERS: dict[str, tuple[str, ...]] = {
    "clip": ("clip-score", "fram-acc", "tmp-con"),
    "candidates": ("fram-acc",),
    "lpips_backbone": ("lpips",),
    "lpips_net": ("lpips",),
    "videomae": ("cd-fvd",),
    "vjepa": ("jepa-fd",),
    "flow": _FLOW_METRICS,
    "raft": _FLOW_METRICS,
    "image_network": _FRAME_METRICS,
    "inception": _FRAME_METRICS,
    "i3d_torchscript": ("fvd", "kvd", "fvd-pooled"),  # the last refuses it
}
"""Option to the metrics whose figures depend on it."""
_CHOICES = {"raft": ("flow", "raft"), "inception": ("image_network", "inception")}
"""Option to the one beside it, and the value of that, without which it changes nothing."""


def _option_name(name: str) -> str:
    """Return an option as the command line has it."""
    return "--candidate" if name == "candidates" else f"--{name.replace('_', '-')}"
