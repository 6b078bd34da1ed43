"""Every metric by its key: one explicit table, and how a key becomes extractors and a measure."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moviola.core.errors import InputError, UnknownNameError
from moviola.metrics.base import OLD_KEYS, Better, MetricSpec

if TYPE_CHECKING:
    from moviola.metrics.base import SetMeasure
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

_CLIP = "a CLIP model, captions"
_UNTERTHINER = "Unterthiner et al., Towards accurate generative models of video (2018)"
_FVMD = "Liu et al., Frechet video motion distance (2024)"


def _spec(
    key: str,
    kind: Any,
    better: Better,
    factory: str,
    title: str,
    unit: str = "",
    needs: str = "",
    source: str = "",
) -> MetricSpec:
    return MetricSpec(key, title, kind, better, f"moviola.metrics.{factory}", unit, needs, source)


METRICS: dict[str, MetricSpec] = {
    spec.key: spec
    for spec in (
        _spec(
            "fvd", "set", "lower", "video_distance:make_fvd",
            "Fréchet video distance, I3D logits", needs="i3d weights", source=_UNTERTHINER,
        ),
        _spec(
            "fvd-pooled", "set", "lower", "video_distance:make_fvd_pooled",
            "Fréchet video distance, I3D pooled features", needs="i3d weights", source=_UNTERTHINER,
        ),
        _spec(
            "kvd", "set", "lower", "video_distance:make_kvd",
            "kernel video distance, I3D logits", needs="i3d weights", source=_UNTERTHINER,
        ),
        _spec(
            "frame-fd", "set", "lower", "frames:make_frame_fd",
            "Fréchet distance of single frames", needs="an image network",
            source="Heusel et al., GANs trained by a two time-scale update rule (2017)",
        ),
        _spec(
            "frame-is", "set", "higher", "frames:make_frame_is",
            "Inception-Score-style figure of single frames", needs="an image network",
            source="Salimans et al., Improved techniques for training GANs (2016)",
        ),
        _spec(
            "fvmd-lk", "set", "lower", "fvmd:make_fvmd",
            "Fréchet distance of motion histograms by Lucas-Kanade tracks; not the published FVMD, which is by PIPs++",
            source=_FVMD,
        ),
        _spec(
            "cd-fvd", "set", "lower", "video_networks:make_cd_fvd",
            "Fréchet video distance, VideoMAE features", needs="a VideoMAE model",
            source="Ge et al., On the content bias in Frechet video distance (2024)",
        ),
        _spec(
            "jepa-fd", "set", "lower", "video_networks:make_jepa_fd",
            "Fréchet video distance, V-JEPA features", needs="a V-JEPA model",
            source="Luo et al., Beyond FVD: enhanced evaluation metrics for video generation quality (2024)",
        ),
        _spec("psnr", "paired", "higher", "paired:make_psnr", "peak signal-to-noise ratio", unit="dB"),
        _spec(
            "ssim", "paired", "higher", "paired:make_ssim", "structural similarity",
            source="Wang et al., Image quality assessment (2004)",
        ),
        _spec(
            "ms-ssim", "paired", "higher", "paired:make_ms_ssim", "structural similarity at five scales",
            source="Wang, Simoncelli and Bovik, Multiscale structural similarity (2003)",
        ),
        _spec("mse", "paired", "lower", "paired:make_mse", "mean squared error, values 0 to 255"),
        _spec(
            "lpips", "paired", "lower", "lpips:make_lpips", "learned perceptual distance",
            needs="a backbone's weights",
            source="Zhang et al., The unreasonable effectiveness of deep features (2018)",
        ),
        _spec(
            "clip-score", "video", "higher", "text:make_clip_score", "CLIP score, caption against frames",
            needs=_CLIP, source="Hessel et al., CLIPScore (2021)",
        ),
        _spec(
            "fram-acc", "video", "higher", "text:make_fram_acc", "frames that CLIP gives to their own caption",
            needs=_CLIP,
        ),
        _spec(
            "tmp-con", "video", "higher", "text:make_tmp_con", "cosine of CLIP embeddings, frame to frame",
            needs="a CLIP model",
        ),
        _spec(
            "conse", "video", "higher", "text:make_conse", "ConSE text alignment (not CLIP score)",
            needs="efficientnet-lite0 and minilm, captions",
            source="Norouzi et al., Zero-shot learning by convex combination of semantic embeddings (2014)",
        ),
        _spec(
            "pixel-mse", "video", "lower", "temporal:make_pixel_mse",
            "squared error of frames aligned by optical flow, values 0 to 255",
        ),
        _spec(
            "warp-error", "video", "lower", "temporal:make_warp_error",
            "squared error of frames aligned by optical flow where nothing is hidden, values 0 to 1",
            source="Lai et al., Learning blind video temporal consistency (2018)",
        ),
        _spec(
            "flicker", "video", "lower", "temporal:make_flicker",
            "swing of brightness from frame to frame, levels of 255",
        ),
        _spec(
            "motion", "video", "neither", "temporal:make_motion", "mean length of optical flow per frame",
            unit="% of height",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A metric ready to run. Make one by hand to measure with features of your own.

    Attributes:
        spec: what the catalog says of it.
        extractors: the map step: `Extractor`s, or `PairExtractor`s for a paired metric.
        measure: a `SetMeasure`, or for the other kinds the name of the output that is the figure.
    """

    spec: MetricSpec
    extractors: tuple[Any, ...]
    measure: SetMeasure | str

    @property
    def key(self) -> str:
        """Its name."""
        return self.spec.key


def find_metric(key: str) -> MetricSpec:
    """Return what the catalog says of metric `key`; a key that it had before will do.

    Raises:
        UnknownNameError: there is no such metric; the message names the nearest.
    """
    key = OLD_KEYS.get(key, key)
    if key not in METRICS:
        raise UnknownNameError.of("metric", key, METRICS)
    return METRICS[key]


def renamed(keys: Iterable[object]) -> list[str]:
    """Return a sentence on each of the keys asked for that a metric had before."""
    old = dict.fromkeys(key for key in keys if isinstance(key, str) and key in OLD_KEYS)
    return [f"{key} is called {OLD_KEYS[key]}: {METRICS[OLD_KEYS[key]].title}" for key in old]


def list_metrics() -> list[MetricSpec]:
    """Return every metric, set metrics first, then paired ones, then those of single videos."""
    return list(METRICS.values())


def build(
    metrics: Iterable[str | Metric], protocol: Protocol, device: str, options: MetricOptions
) -> list[Metric]:
    """Make metrics ready to run; those that share an extractor share the one object.

    Args:
        metrics: keys, or metrics made by hand; repeated ones are taken once.
        protocol, device, options: handed to the factories.

    Returns:
        The metrics in the order asked for.

    Raises:
        InputError: none is asked for. UnknownNameError: no such key. WeightsError: weights are missing, one line
            that says how to get them.
    """
    built: dict[str, Metric] = {}
    shared: dict[tuple[str, str], Any] = {}
    for metric in list(metrics):
        if isinstance(metric, Metric):
            entry = metric
        elif (spec := find_metric(metric)).key in built:
            continue
        else:
            extractors, measure = _factory(spec)(protocol, device, options)
            entry = Metric(spec, tuple(extractors), measure)
        unique = tuple(shared.setdefault(_identity(one), one) for one in entry.extractors)
        built[entry.key] = replace(entry, extractors=unique)
    if not built:
        raise InputError(f"no metric asked for; known: {', '.join(METRICS)}")
    return list(built.values())


def _factory(spec: MetricSpec) -> Any:
    module, _, function = spec.factory.partition(":")
    return getattr(importlib.import_module(module), function)


def _identity(extractor: Any) -> tuple[str, str]:
    return extractor.name, repr(sorted(extractor.identity().items()))
