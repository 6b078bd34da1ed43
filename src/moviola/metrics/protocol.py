"""How clips are cut out of videos before anything is measured: a figure means nothing without it.

::

    protocol = find_protocol("styleganv-fvd2048-16f")
    protocol = protocol.with_overrides(["frames=32", "policy=center"])
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from moviola.core.config import Config
from moviola.core.errors import ConfigError, look_up
from moviola.core.resample import Kernel
from moviola.data.clips import Policy, frame_step, span

Short = Literal["error", "loop", "hold", "skip"]
Order = Literal["sorted", "random"]
_DONE = (
    "frames",
    "stride",
    "fps",
    "policy",
    "resize",
    "crop",
    "resize_kernel",
    "resize_antialias",
    "rounding",
)
"""Fields of a side that its clips depend on, beside `jpeg`, once their frames are chosen."""


class Protocol(Config):
    """Everything between a folder of videos and the clips that a network sees, and how their moments are taken.

    Attributes:
        name: of the preset it came from; "custom" where a field was changed.
        split: which part of a data set REAL is ("train", "test" ...); only printed.
        frames: frames of a clip.
        stride: every `stride`-th frame of the video.
        fps: rate that clips are brought to (Hz) by taking the nearest frames; None: frames as they are stored.
        policy: where in a video the clip lies: "first", "center", "random" (by seed and name) or "uniform" (spread
            over the whole video).
        policy_fake: the same for FAKE; None: as `policy`.
        clips_per_video: clips cut from one video; above 1 needs "random".
        min_frames: frames that a video must hold; None: those that the clip reaches over.
        short: a video that holds fewer: "error", "skip", "loop" (start again) or "hold" (repeat the last frame).
        short_fake: the same for FAKE; None: as `short`.
        order: which videos are taken where there are more than wanted: the first by name ("sorted", plain order of
            characters) or any by seed ("random").
        max_real, max_fake: videos taken at most, times `clips_per_video`; None: all.
        resize: side of the square that frames are brought to before anything else, px; None: as they are.
        crop: "center" keeps the shape: the shorter side is brought to `resize` and the middle is cut out (without
            `resize`: the largest centred square); "none" squeezes.
        resize_kernel, resize_antialias: of that resizing.
        rounding: of that resizing: "nearest", or "down" as a conversion to bytes without rounding gives.
        jpeg_real, jpeg_fake: quality (1 to 95) at which frames are saved as JPEG and read again; None: they are not.
        kernel, antialias: of the resizing to a network's own input size, where the network leaves that open.
        ddof: 0 for covariances over N, 1 for those over N - 1.
        seed: of every random draw.
    """

    name: str = "custom"
    split: str = ""
    frames: int = Field(default=16, ge=1, le=65536)
    stride: int = Field(default=1, ge=1)
    fps: float | None = Field(default=None, gt=0, le=1000)
    policy: Policy = "center"
    policy_fake: Policy | None = None
    clips_per_video: int = Field(default=1, ge=1)
    min_frames: int | None = Field(default=None, ge=1)
    short: Short = "error"
    short_fake: Short | None = None
    order: Order = "sorted"
    max_real: int | None = Field(default=None, ge=1)
    max_fake: int | None = Field(default=None, ge=1)
    resize: int | None = Field(default=None, ge=8, le=8192)
    crop: Literal["none", "center"] = "none"
    resize_kernel: Kernel = "lanczos"
    resize_antialias: bool = True
    rounding: Literal["nearest", "down"] = "nearest"
    jpeg_real: int | None = Field(default=None, ge=1, le=95)
    jpeg_fake: int | None = Field(default=None, ge=1, le=95)
    kernel: Kernel = "bilinear"
    antialias: bool = False
    ddof: Literal[0, 1] = 1
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.clips_per_video > 1 and {self.policy, self.policy_fake or self.policy} != {"random"}:
            raise ValueError("clips_per_video above 1 needs policy 'random'")
        if "uniform" in (self.policy, self.policy_fake) and (self.stride != 1 or self.fps is not None):
            raise ValueError("policy 'uniform' spreads over the whole video; it takes no stride and no fps")
        if self.rounding == "down" and (self.resize_kernel != "bilinear" or not self.resize_antialias):
            raise ValueError("rounding 'down' goes with resize_kernel 'bilinear' and resize_antialias true")
        return self

    def with_overrides(self, overrides: Any) -> Self:
        """Return a copy with `key=value` strings applied; its name tells that it is no longer the preset.

        Raises:
            ConfigError: as `moviola.core.config.Config.with_overrides`.
        """
        changed = super().with_overrides(overrides)
        free = {"name", "split"}
        if changed.model_dump(exclude=free) == self.model_dump(exclude=free) or changed.name != self.name:
            return changed
        return changed.model_copy(update={"name": f"{self.name} (changed)"})

    def side(self, which: Literal["real", "fake"]) -> Self:
        """Return the protocol of REAL or of FAKE: what differs between them is the same in all of its fields.

        Its `limit` and `jpeg` are those of that set.
        """
        is_fake = which == "fake"
        limit = self.max_fake if is_fake else self.max_real
        jpeg = self.jpeg_fake if is_fake else self.jpeg_real
        return self.model_copy(
            update={
                "policy": (self.policy_fake or self.policy) if is_fake else self.policy,
                "policy_fake": None,
                "short": (self.short_fake or self.short) if is_fake else self.short,
                "short_fake": None,
                "min_frames": self.min_frames or 1,
                **dict.fromkeys(("max_real", "max_fake"), limit),
                **dict.fromkeys(("jpeg_real", "jpeg_fake"), jpeg),
            }
        )

    @property
    def limit(self) -> int | None:
        """Videos taken at most from the set that `side` made this for, times `clips_per_video`; None: all."""
        return self.max_real

    @property
    def jpeg(self) -> int | None:
        """JPEG quality of the frames of the set that `side` made this for; None: they are as they are."""
        return self.jpeg_real

    def clip_key(self) -> str:
        """Return a sha256 (hex) over what is done to the frames of one side once they are chosen.

        It is a part of the feature cache's key. What only decides which videos and frames are chosen is left out: the
        key holds those themselves.
        """
        return _digest({**self.model_dump(mode="json", include=set(_DONE)), "jpeg": self.jpeg})

    def reach(self, fps: Any = None) -> int:
        """Return how many frames of a video of `fps` (Hz) a clip reaches over; at least `min_frames`."""
        if self.fps is not None and fps is None:
            raise ConfigError("the protocol brings clips to another rate; give the video's fps too")
        step = frame_step(self.stride, fps, self.fps)
        return max(span(self.frames, step), self.min_frames or 1)

    def key(self) -> str:
        """Return a sha256 (hex) over every field but the names."""
        return _digest(self.model_dump(mode="json", exclude={"name", "split"}))

    def record(
        self,
        real: Mapping[str, Any] | None = None,
        fake: Mapping[str, Any] | None = None,
        networks: Mapping[str, Mapping[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Return the settings and what they met, as plain values for a report.

        Args:
            real, fake: what is known of each set: path, layout, fingerprint, number of videos and clips, sizes ...
            networks: extractor name to its identity (network, sha256, kernel ...).
        """
        return {
            **self.model_dump(mode="json"),
            "key": self.key(),
            "real": dict(real or {}),
            "fake": dict(fake or {}),
            "networks": {name: dict(identity) for name, identity in (networks or {}).items()},
            **versions(),
        }

    def text(self) -> str:
        """Return the settings in a line, those that are as a plain reader expects left out."""
        parts = [f"{self.frames} frames", f"stride {self.stride}", f"policy {self.policy}"]
        plain = type(self)()
        shown_fields = {"name", "frames", "stride", "policy"}
        for field in type(self).model_fields:
            value = getattr(self, field)
            if field not in shown_fields and value != getattr(plain, field):
                parts.append(f"{field} {value}")
        return f"{self.name}: {', '.join(parts)}"


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return what decoded and measured: moviola, PyAV, FFmpeg's libavcodec, Pillow, torch, numpy."""
    import av
    import numpy
    import PIL
    import torch

    from moviola import __version__

    codec = ".".join(str(part) for part in av.library_versions.get("libavcodec", ()))
    return {
        "moviola": __version__,
        "decoder": f"PyAV {av.__version__}, libavcodec {codec}, Pillow {PIL.__version__}",
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
    }


def _styleganv(frames: int, stride: int = 1) -> Protocol:
    """The evaluation of StyleGAN-V (Skorokhodov, Tulyakov and Elhoseiny, CVPR 2022), set against set.

    REAL: the first 2048 videos by name among those of at least `frames * stride` frames, a window at a random place
    in each. FAKE: the first 2048 videos by name, from frame 0; one that is too short stops the run. Frames enter
    the network at the size they are stored, resized there to 224 by 224 bilinearly without antialiasing.
    Covariances are over N. Nothing is mirrored. docs/evaluate.md tells what is wrong with this.
    """
    name = f"styleganv-fvd2048-{frames * stride}f" + (f"-subsample{stride}f" if stride > 1 else "")
    return Protocol(
        name=name,
        frames=frames,
        stride=stride,
        policy="random",
        policy_fake="first",
        min_frames=frames * stride,
        short="skip",
        short_fake="error",
        max_real=2048,
        max_fake=2048,
        ddof=0,
    )


def _cdfvd() -> Protocol:
    """The defaults of cd-fvd 0.1 (Ge et al., CVPR 2024) for folders of video files.

    All of REAL, 2048 of FAKE in random order, a random window of 16 frames in each, shorter videos left out; shorter
    side brought to 256 bilinearly with antialiasing, middle cut out, values cut down to bytes; covariances over N.
    What it does and this does not: it draws FAKE again and again until it has 2048 clips.
    """
    return Protocol(
        name="cdfvd-16f",
        frames=16,
        policy="random",
        short="skip",
        order="random",
        max_fake=2048,
        resize=256,
        crop="center",
        resize_kernel="bilinear",
        rounding="down",
        ddof=0,
    )


def _quick() -> Protocol:
    """For a look while working: the middle 16 frames of at most 256 videos of each set."""
    return Protocol(name="quick", frames=16, policy="center", order="random", max_real=256, max_fake=256)


PRESETS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (_quick(), _styleganv(16), _styleganv(128), _styleganv(16, 8), _cdfvd())
}


def find_protocol(name: str | Protocol) -> Protocol:
    """Return the preset called `name`, or the protocol itself.

    Raises:
        UnknownNameError: there is no such preset; the message names the nearest.
    """
    if isinstance(name, Protocol):
        return name
    return look_up("protocol", name, PRESETS)
