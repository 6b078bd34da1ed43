"""How much two frames differ: the measures that key frames are chosen by.

Each measure describes a frame once (a small copy, keypoints, features) and compares neighbouring descriptions, so a
sequence of any length streams through `curve` in flat memory. A bigger number is more change, whatever the measure.

Source: "Photorealistic Video Generation", section 3.2.2 (ORB, optical flow, deep features). There the orb score is a
*similarity*, which turns the selection round; here it is a difference.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from moviola.core.errors import ConfigError, InputError, look_up, nearest
from moviola.core.luma import luma_levels
from moviola.core.optional import require
from moviola.core.resample import resize_frames
from moviola.selection.weights import Weight, small_weight, veiled, weighted, weighted_mean

Encode = Callable[[np.ndarray], Any]
"""Latents (B, ...) of frames uint8 (B, H, W, 3): an array, or a tensor on any device."""


@runtime_checkable
class ChangeMeasure(Protocol):
    """A measure of change between frames uint8 (H, W, 3).

    Attributes:
        name: what it is called.
    """

    name: str

    def between(self, previous: np.ndarray, current: np.ndarray) -> float:
        """Return how much `current` differs from `previous`, at least 0."""
        ...

    def curve(self, frames: Iterable[np.ndarray], weights: Iterable[np.ndarray] | None = None) -> np.ndarray:
        """Return float64 (T,): [0] is 0, [t] the change from frame t-1 to frame t, by how much each pixel counts."""
        ...


class Measure(ABC):
    """A measure that describes frames in batches and compares descriptions; `ChangeMeasure` follows from the two.

    Attributes:
        name: what it is called.
        unit: what its numbers are.
        batch: frames described at a time.
    """

    name = ""
    unit = ""
    batch = 1

    @abstractmethod
    def describe(self, frames: Sequence[np.ndarray], weights: Sequence[Weight]) -> Sequence[Any]:
        """Return what is compared, one for each of some frames uint8 (H, W, 3) and how much their pixels count."""

    @abstractmethod
    def compare(self, previous: Any, current: Any) -> float:
        """Return the change between two descriptions, at least 0."""

    def between(self, previous: np.ndarray, current: np.ndarray) -> float:
        """Return how much `current` differs from `previous`; frames uint8 (H, W, 3) of one size.

        Raises:
            InputError: no such frames, or two sizes.
        """
        return float(self.curve([previous, current])[1])

    def curve(self, frames: Iterable[np.ndarray], weights: Iterable[np.ndarray] | None = None) -> np.ndarray:
        """Return the change at each frame of a sequence, float64 (T,); the first is 0.

        Args:
            frames: uint8 (H, W, 3) of one size; taken as they come, `batch` at a time.
            weights: how much each pixel counts, as many, float32 (H, W), 0 to 1; None where all count alike.

        Raises:
            InputError: no such frames, or the size changes.
        """
        changes: list[float] = []
        previous: Any = None
        for part in _batches(weighted(checked(frames), weights), self.batch):
            for current in self.describe(*zip(*part, strict=True)):
                changes.append(max(float(self.compare(previous, current)), 0.0) if changes else 0.0)
                previous = current
        return np.array(changes, np.float64)


class Uniform(Measure):
    """Every frame changes by 1: keys at even distances."""

    name, unit = "uniform", "1 a frame"

    def describe(self, frames: Sequence[np.ndarray], weights: Sequence[Weight]) -> Sequence[None]:
        """Describe nothing."""
        return [None] * len(frames)

    def compare(self, previous: None, current: None) -> float:
        """Return 1."""
        return 1.0


class Histogram(Measure):
    """How far brightness must be moved to turn one frame's histogram into the other's.

    The 1-D earth mover's distance between the histograms of each colour, averaged: 0 to 1, 1 is black to white. Motion
    within a frame hardly shows; light and cuts do.

    Args:
        size: shorter side of the small copy, px.
    """

    name, unit = "histogram", "0 to 1"

    def __init__(self, size: int = 64) -> None:
        self.size = _at_least("size", size, 1)

    def describe(self, frames: Sequence[np.ndarray], weights: Sequence[Weight]) -> Sequence[np.ndarray]:
        """Return the cumulative histogram of each colour, float64 (3, 256)."""
        return [self._cumulative(reduce(f, self.size), w) for f, w in zip(frames, weights, strict=True)]

    @staticmethod
    def _cumulative(frame: np.ndarray, weight: Weight) -> np.ndarray:
        pixels, small = frame.reshape(-1, 3), small_weight(weight, *frame.shape[:2])
        each = None if small is None else small.ravel()
        counts = np.stack([np.bincount(pixels[:, c], each, minlength=256) for c in range(3)])
        return counts.cumsum(axis=1) / (len(pixels) if each is None else max(float(each.sum()), 1e-9))

    def compare(self, previous: np.ndarray, current: np.ndarray) -> float:
        """Return the mean distance over the colours."""
        return float(np.abs(previous - current).sum(axis=1).mean() / 255)


class Orb(Measure):
    """The share of ORB keypoints that find no partner: a difference, 0 to 1.

    Keypoints of both frames are matched by brute force, each the other's best (Rublee et al. 2011, "ORB"); a partner's
    descriptor differs in at most `distance` of 256 bits. Frames without keypoints do not differ from each other.

    Args:
        size: shorter side of the small copy, px.
        features: keypoints in a frame at most.
        distance: bits.

    Raises:
        InputError: OpenCV is missing.
    """

    name, unit = "orb", "share of keypoints lost"

    def __init__(self, size: int = 256, features: int = 500, distance: int = 64) -> None:
        self.size, self.distance = _at_least("size", size, 32), distance
        cv2 = opencv('measure "orb"')
        self._orb = cv2.ORB.create(_at_least("features", features, 1))
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)

    def describe(
        self, frames: Sequence[np.ndarray], weights: Sequence[Weight]
    ) -> Sequence[np.ndarray | None]:
        """Return the descriptors of the keypoints, uint8 (N, 32), or None where there are none."""
        descriptors = []
        for frame, weight in zip(frames, weights, strict=True):
            grey = luma_levels(reduce(frame, self.size))
            small = small_weight(weight, *grey.shape)
            counted = None if small is None else (small > 0.5).astype(np.uint8)
            descriptors.append(self._orb.detectAndCompute(grey, counted)[1])
        return descriptors

    def compare(self, previous: np.ndarray | None, current: np.ndarray | None) -> float:
        """Return 1 minus the share of keypoints with a partner."""
        if previous is None or current is None:
            return float(previous is not current)
        pairs = self._matcher.match(previous, current)
        match_count = sum(pair.distance <= self.distance for pair in pairs)
        return 1 - 2 * match_count / (len(previous) + len(current))


class Flow(Measure):
    """The mean length of the optical flow, px of the full frame.

    Args:
        size: shorter side of the small copy that the flow is found in, px.
        flow: "dis", "lk" or "raft" (`moviola.nn.flow_methods`).
        raft: file with RAFT-small's weights, for "raft".
        device: where "raft" runs.

    Raises:
        UnknownNameError, InputError, WeightsError: as `moviola.nn.flow_methods.flow_method`.
    """

    name, unit = "flow", "px"

    def __init__(
        self, size: int = 160, flow: str = "dis", raft: str | Path | None = None, device: str = "cpu"
    ) -> None:
        from moviola.nn.flow_methods import flow_method

        self.size = _at_least("size", size, 16)
        if flow == "dis":
            opencv('measure "flow"')
        self._flow = flow_method(flow, raft, device)

    def describe(self, frames: Sequence[np.ndarray], weights: Sequence[Weight]) -> Sequence[tuple[Any, ...]]:
        """Return the small copy float32 (1, 3, h, w) in [-1, 1], the full height and width, and the small weight."""
        import torch

        from moviola.core.ranges import to_network

        inputs = []
        for frame, weight in zip(frames, weights, strict=True):
            copy = reduce(frame, self.size)
            small = small_weight(weight, *copy.shape[:2])
            inputs.append((to_network(torch.from_numpy(copy))[None], frame.shape[:2], small))
        return inputs

    def compare(self, previous: tuple[Any, ...], current: tuple[Any, ...]) -> float:
        """Return the mean length of the flow, by the weight of the first frame."""
        (first, (height, width), weight), (second, *_) = previous, current
        flow = self._flow.estimate(first, second)[0].double().numpy(force=True)
        x, y = flow[0] * (width / flow.shape[2]), flow[1] * (height / flow.shape[1])
        return weighted_mean(np.hypot(x, y), weight)


class Deep(Measure):
    """The cosine distance between features of an image network, 0 (the same) to 1.

    EfficientNet-lite0's features before its classifier, of the whole frame at a reduced size; RGB, in batches, the
    network built once.

    Args:
        size: side of the square that the network sees, px.
        batch: frames at a time.
        device: where it runs.
        network: another `moviola.nn.pretrained.efficientnet_lite.EfficientNetLite`; None for the published one.

    Raises:
        WeightsError: the weights are not here; one line says how to get them.
    """

    name, unit = "deep", "cosine distance"

    def __init__(self, size: int = 128, batch: int = 4, device: str = "cpu", network: Any = None) -> None:
        self.size, self.batch, self.device = _at_least("size", size, 32), _at_least("batch", batch, 1), device
        self._network = _image_network(device) if network is None else network

    def describe(self, frames: Sequence[np.ndarray], weights: Sequence[Weight]) -> Sequence[np.ndarray]:
        """Return features of length 1, float64 (D,) each."""
        import torch

        frames = [veiled(f, w) for f, w in zip(frames, weights, strict=True)]
        small = np.concatenate([resize_frames(f[None], self.size, self.size, "box") for f in frames])
        net = self._network
        with torch.inference_mode():
            x = torch.from_numpy(small).to(self.device).movedim(-1, 1)
            x = ((x.float() - 127) / 128).contiguous(memory_format=torch.channels_last)
            pooled = net.head(net.blocks(net.stem(x))).mean(dim=(2, 3)).double().numpy(force=True)
        return list(pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12))

    def compare(self, previous: np.ndarray, current: np.ndarray) -> float:
        """Return 1 minus the cosine, by the distance of the points on the sphere: exact where they are close."""
        return float(((previous - current) ** 2).sum() / 2)


class Latent(Measure):
    """The root mean square distance between latents, in the encoder's own unit.

    Args:
        encode: frames uint8 (B, H, W, 3) in, latents (B, ...) out: a VAE's encoder, wrapped.
        batch: frames at a time.

    Raises:
        ConfigError: no encoder.
    """

    name, unit = "latent", "RMS of latents"

    def __init__(self, encode: Encode | None = None, batch: int = 4) -> None:
        if not callable(encode):
            raise ConfigError(
                'measure "latent" needs encode=..., a function from frames (B, H, W, 3) to latents (B, ...)'
            )
        self.batch, self._encode = _at_least("batch", batch, 1), encode

    def describe(self, frames: Sequence[np.ndarray], weights: Sequence[Weight]) -> Sequence[np.ndarray]:
        """Return latents, float64."""
        latents = self._encode(np.stack([veiled(f, w) for f, w in zip(frames, weights, strict=True)]))
        if hasattr(latents, "detach"):
            latents = latents.detach().float().cpu().numpy()
        latents = np.asarray(latents, np.float64)
        if len(latents) != len(frames):
            raise ConfigError(f"encode gave {len(latents)} latents for {len(frames)} frames")
        return list(latents)

    def compare(self, previous: np.ndarray, current: np.ndarray) -> float:
        """Return the root of the mean squared difference."""
        return float(np.sqrt(np.mean((previous - current) ** 2)))


MEASURES: dict[str, type[Measure]] = {
    measure.name: measure for measure in (Uniform, Histogram, Orb, Flow, Deep, Latent)
}


def change_measure(name: str, **options: Any) -> ChangeMeasure:
    """Return the measure `name`.

    Args:
        name: a key of `MEASURES`: uniform, histogram, orb, flow, deep or latent.
        options: arguments of its class.

    Raises:
        UnknownNameError: another name. ConfigError: an option that it does not have, or out of range.
        InputError, WeightsError: what it needs is not here.
    """
    measure = look_up("measure of change", str(name), MEASURES)
    parameters = list(inspect.signature(measure).parameters) if "__init__" in vars(measure) else []
    for key in options:
        if key not in parameters:
            near = nearest(key, parameters) or parameters or ["no options"]
            raise ConfigError(f'measure "{name}" has no option {key!r}; it has {", ".join(near)}')
    return measure(**options)


def reduce(frame: np.ndarray, size: int) -> np.ndarray:
    """Return a frame uint8 (H, W, 3) whose shorter side is at most `size` px, each pixel the mean of what it covers."""
    height, width = frame.shape[:2]
    factor = min(height, width) / size
    if factor <= 1:
        return np.ascontiguousarray(frame)
    rows, columns = max(round(height / factor), 1), max(round(width / factor), 1)
    return resize_frames(frame[None], rows, columns, "box")[0]


def checked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Give the frames on, as long as they are uint8 (H, W, 3) of one size.

    Raises:
        InputError: at the first that is not.
    """
    shape: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape[2:] != (3,):
            description = (
                f"{getattr(frame, 'dtype', type(frame).__name__)} {getattr(frame, 'shape', '')}".strip()
            )
            raise InputError(f"frames are uint8 (H, W, 3); frame {number} is {description}")
        if shape is not None and frame.shape != shape:
            raise InputError(
                f"frames have one size; frame {number} is {frame.shape[1]}x{frame.shape[0]}, "
                f"those before {shape[1]}x{shape[0]}"
            )
        shape = frame.shape
        yield frame


def opencv(what: str) -> Any:
    """Return the module cv2.

    Args:
        what: what needs it, for the error line.

    Raises:
        InputError: it is not installed.
    """
    return require("cv2", what, 'or choose keys by "histogram", which needs nothing')


def _image_network(device: str) -> Any:
    from moviola.nn.pretrained.efficientnet_lite import NAME, load_efficientnet_lite0
    from moviola.nn.pretrained.store import find_weights

    return load_efficientnet_lite0(find_weights(NAME, 'measure "deep"'), device)


def _batches(
    frames: Iterator[tuple[np.ndarray, Weight]], size: int
) -> Iterator[list[tuple[np.ndarray, Weight]]]:
    while part := list(islice(frames, size)):
        yield part


def _at_least(name: str, value: int, low: int) -> int:
    if value < low:
        raise ConfigError(f"{name} is {value}; it must be at least {low}")
    return int(value)
