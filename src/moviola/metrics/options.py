"""What the user may choose about the networks and methods behind the metrics."""

from __future__ import annotations

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
