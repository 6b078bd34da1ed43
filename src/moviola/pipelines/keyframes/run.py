"""From a video to its key frames, in one pass over the frames (three for "optimal")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.progress import Tick
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.masks import Masks, open_masks
from moviola.selection.change import MEASURES, change_measure
from moviola.selection.optimal import Costs, optimal, predict, predicted_error
from moviola.selection.select import algorithm_1, check_count, default_max_gap, explicit, uniform, with_budget
from moviola.selection.shots import CutFinder, shots

METHODS = (*MEASURES, "optimal")
"""The names that `keyframes` takes."""
_PIECE = 16
Cuts = bool | Iterable[int]


@dataclass(frozen=True, eq=False)
class KeyFrames:
    """The key frames of a video and why they were chosen.

    Attributes:
        indices: ascending frame numbers; 0 and every cut are among them.
        change: float64 (T,), [t] how much frame t differs from frame t-1; [0] is 0.
        method: how they were chosen: a measure of change, "optimal" or "explicit".
        cuts: first frames of the shots after the first.
        measure: what `change` holds: the method, or "flow" for "optimal".
        predicted: for "optimal": the mean squared error that propagation is predicted to make from these keys and from
            as many by other methods, by name; None otherwise.
    """

    indices: list[int]
    change: np.ndarray
    method: str
    cuts: list[int]
    measure: str
    predicted: dict[str, float] | None = None

    @property
    def gain(self) -> dict[str, float]:
        """Return by what part of their predicted error "optimal" is better than the others: 0.2 is a fifth less."""
        errors = dict(self.predicted or {})
        ours = errors.pop("optimal", 0.0)
        return {name: 1 - ours / error if error > 0 else 0.0 for name, error in errors.items()}


def keyframes(
    video: Video | str | Path,
    method: str = "flow",
    interval: int = 10,
    count: int | None = None,
    *,
    alpha: float = 1.2,
    beta: float = 1.0,
    min_gap: int = 1,
    max_gap: int | None = None,
    force_last: bool = False,
    cuts: Cuts = True,
    indices: Iterable[int] | None = None,
    against: Sequence[str] = ("uniform", "flow"),
    options: Mapping[str, Any] | None = None,
    mask: Masks | str | Path | None = None,
    tick: Tick | None = None,
) -> KeyFrames:
    """Choose the key frames of a video.

    Source: "Photorealistic Video Generation", section 3.2.2, algorithm 1; "optimal" is ours.

    Args:
        video: a Video, or the path of a file or folder of frames, which is streamed.
        method: a measure of change (uniform, histogram, orb, flow, deep, latent) or "optimal".
        interval: frames from key to key where the change is average, at least 1, which makes every frame a key.
            "optimal" takes as many keys as even distances would, and at least one a shot.
        count: exactly so many keys instead.
        alpha, beta: of Algorithm 1; not looked at where `count` is given or the method is uniform or optimal.
        min_gap: fewest frames from key to key; at most the interval where the method is uniform.
        max_gap: most, where a number of keys is given; None for three times the mean, more where cuts ask for it.
        force_last: make the last frame a key.
        cuts: True to look for cuts, False for none, or the first frames of new shots.
        indices: key frames by hand; `method` then only says what `change` holds.
        against: measures whose keys "optimal" is compared with.
        options: of the measure, such as {"device": "cuda"} (`moviola.selection.change`); "optimal": "size", "flow";
            "latent": "vae", a diffusion model or autoencoder by name or path, with "device"; or "encode".
        mask: change counts where it is white, a video, folder or picture; `moviola.data.masks.open_masks`.
        tick: called with the number of frames looked at.

    Returns:
        the keys.

    Raises:
        UnknownNameError: no such method. ConfigError: a setting out of range. VideoReadError, FormatError: a file that
        cannot be read. InputError, WeightsError: what the method needs is not here, or the mask does not fit.
    """
    source = _Source(video, tick, mask)
    rule = _Rule(interval, count, alpha, beta, min_gap, max_gap, force_last)
    rule.check(source.count, method)
    if indices is None and method == "optimal":
        return _optimal(source, rule, cuts, against, dict(options or {}))
    measure = "flow" if method == "optimal" else method
    chosen = None if indices is None else explicit(indices, source.count)
    found = CutFinder() if cuts is True else None
    measured = change_measure(measure, **_with_encoder(measure, options))
    change = measured.curve(source.frames(found), source.weights())
    starts = _given_cuts(cuts, found)
    keys = explicit({*chosen, *starts}, len(change)) if chosen else rule.keys(measure, change, starts)
    return KeyFrames(keys, change, "explicit" if chosen else method, starts, measure)


@dataclass(frozen=True)
class _Rule:
    """How many keys and how far apart; fields as the arguments of `keyframes`."""

    interval: int
    count: int | None
    alpha: float
    beta: float
    min_gap: int
    max_gap: int | None
    force_last: bool

    def check(self, n: int, method: str) -> None:
        """Refuse settings that no curve would make right, before frames are decoded."""
        if method not in METHODS:
            raise UnknownNameError.of("method of choosing key frames", str(method), METHODS)
        if self.count is None:
            # the checks of Algorithm 1, on a clip of one frame
            algorithm_1([0.0], self.interval, alpha=self.alpha, beta=self.beta, min_gap=self.min_gap)
            if method == "uniform":  # its gaps are all the interval
                algorithm_1([0.0], self.interval, alpha=1.0, min_gap=self.min_gap)
            if self.max_gap is not None:
                raise ConfigError(
                    "max_gap goes with a number of keys; alpha * interval is the longest gap otherwise"
                )
        else:
            check_count(self.count, n)

    def keys(self, measure: str, change: np.ndarray, cuts: list[int]) -> list[int]:
        """Return the keys by a curve of changes."""
        n = len(change)
        if self.count is not None:
            if measure == "uniform" and not cuts and self.min_gap == 1 and self.max_gap is None:
                return uniform(n, count=self.count, force_last=self.force_last)
            return with_budget(
                change, self.count, min_gap=self.min_gap, max_gap=self.max_gap,
                force_last=self.force_last, cuts=cuts,
            )  # fmt: skip
        if measure == "uniform":
            keys = [
                first + key for first, stop in shots(n, cuts) for key in uniform(stop - first, self.interval)
            ]
            return sorted({*keys, n - 1}) if self.force_last else keys
        return algorithm_1(
            change, self.interval, alpha=self.alpha, beta=self.beta, min_gap=self.min_gap,
            force_last=self.force_last, cuts=cuts,
        )  # fmt: skip

    def budget(self, n: int, cuts: list[int]) -> tuple[int, int]:
        """Return the number of keys, and the longest gap: three times the mean, more where shots leave no choice."""
        spans = [stop - first for first, stop in shots(n, cuts)]
        forced = len(spans) + (self.force_last and n - 1 not in {0, *cuts})
        count = self.count or min(n, max(-(-n // self.interval), forced))
        if self.max_gap is not None:
            return count, self.max_gap
        longest = max(default_max_gap(n, count), self.min_gap)
        while longest < n and sum(-(-span // longest) for span in spans) + self.force_last > count:
            longest *= 2
        return count, min(longest, n)


class _Source:
    """Frames that can be gone through several times.

    Args:
        video: as for `keyframes`. tick: told of every frame. mask: as for `keyframes`.
    """

    def __init__(self, video: Video | str | Path, tick: Tick | None, mask: Masks | str | Path | None) -> None:
        self._video, self._tick = video, tick
        known = video if isinstance(video, Video) else codec.probe(video)
        self.count = len(known) if isinstance(known, Video) else known.frames
        if mask is not None and not isinstance(mask, Masks):
            name = "the video" if isinstance(video, Video) else str(video)
            mask = open_masks(Path(mask), self.count, (known.height, known.width), name)
        self._masks = mask

    def weights(self) -> Iterator[np.ndarray] | None:
        """Give how much each pixel counts, float32 (H, W), for every frame; None where all count alike."""
        return None if self._masks is None else self._masks.frames()

    def frames(self, finder: CutFinder | None = None) -> Iterator[np.ndarray]:
        """Give every frame once; show it to the finder of cuts on the way."""
        for frame in self._plain():
            if finder is not None:
                finder.see(frame)
            yield frame
            if self._tick is not None:
                self._tick(1)

    def _plain(self) -> Iterator[np.ndarray]:
        if isinstance(self._video, Video):
            yield from self._video.frames
            return
        for piece in codec.stream(self._video, _PIECE):
            yield from piece.frames


def _with_encoder(measure: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a measure's options; for "latent" a model's name is replaced by its encoder."""
    given = dict(options or {})
    if measure == "latent" and "encode" not in given:
        if not given.get("vae"):
            raise ConfigError('measure "latent" needs an autoencoder: vae (--vae), a model\'s name or folder')
        from moviola.models.rerender.diffusion.encoder import load_encoder

        given["encode"] = load_encoder(given.pop("vae"), given.pop("device", "cpu"))
    return given


def _given_cuts(cuts: Cuts, found: CutFinder | None) -> list[int]:
    if found is not None:
        return found.cuts()
    return [] if isinstance(cuts, bool) else sorted({int(cut) for cut in cuts if cut})


def _optimal(
    source: _Source, rule: _Rule, cuts: Cuts, against: Sequence[str], options: dict[str, Any]
) -> KeyFrames:
    """Look for cuts, predict the errors, then choose; and choose as many by other measures for comparison."""
    measures = {name: None if name in ("uniform", "flow") else change_measure(name) for name in against}
    flow = options.pop("flow", None)
    if set(options) - {"size"}:
        raise ConfigError(
            f'method "optimal" has no option {min(set(options) - {"size"})!r}; it has size, flow'
        )
    found = CutFinder() if cuts is True else None
    n = sum(1 for _ in source.frames(found)) if found else source.count
    starts = _given_cuts(cuts, found)
    count, longest = rule.budget(n, starts)
    costs = predict(source.frames(), longest, flow=_flow(flow), weights=source.weights(), **options)
    keys = optimal(costs, count, force_last=rule.force_last, cuts=starts, min_gap=rule.min_gap)
    errors = {"optimal": predicted_error(costs, keys, starts)}
    for name, measure in measures.items():
        curve = measure.curve(source.frames(), source.weights()) if measure else _known(name, costs)
        try:
            others = with_budget(
                curve, count, min_gap=rule.min_gap, max_gap=longest, force_last=rule.force_last, cuts=starts
            )
        except ConfigError:
            continue
        errors[name] = predicted_error(costs, others, starts)
    return KeyFrames(keys, costs.change, "optimal", starts, "flow", errors)


def _known(name: str, costs: Costs) -> np.ndarray:
    return costs.change if name == "flow" else np.ones(len(costs))


def _flow(name: Any) -> Any:
    from moviola.nn.flow_methods import flow_method

    return flow_method(name) if isinstance(name, str) else name
