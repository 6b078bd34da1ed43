"""Every metric by its key: one explicit table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moviola.core.errors import look_up
from moviola.metrics.base import OLD_KEYS, Better, Kind, MetricSpec

_CLIP = "a CLIP model, captions"
_PUBLISHED = 2048
"""Clips on each side of published video distances."""
_UNTERTHINER = "Unterthiner et al., Towards accurate generative models of video (2018)"
_FVMD = "Liu et al., Frechet video motion distance (2024)"


def _spec(key: str, kind: Kind, better: Better, factory: str, title: str, **more: Any) -> MetricSpec:
    return MetricSpec(key, title, kind, better, f"moviola.metrics.{factory}", **more)


METRICS: dict[str, MetricSpec] = {
    spec.key: spec
    for spec in (
        _spec(
            "fvd", "set", "lower", "fvd:make_fvd",
            "Fréchet video distance, I3D logits", needs="i3d weights", source=_UNTERTHINER,
            published_clips=_PUBLISHED,
        ),
        _spec(
            "fvd-pooled", "set", "lower", "fvd:make_fvd_pooled",
            "Fréchet video distance, I3D pooled features", needs="i3d weights", source=_UNTERTHINER,
            published_clips=_PUBLISHED,
        ),
        _spec(
            "kvd", "set", "lower", "fvd:make_kvd",
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
            published_clips=_PUBLISHED,
        ),
        _spec(
            "jepa-fd", "set", "lower", "video_networks:make_jepa_fd",
            "Fréchet video distance, V-JEPA features", needs="a V-JEPA model",
            source="Luo et al., Beyond FVD: enhanced evaluation metrics for video generation quality (2024)",
            published_clips=_PUBLISHED,
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
            needs=_CLIP, source="Hessel et al., CLIPScore (2021)", captions=True,
        ),
        _spec(
            "fram-acc", "video", "higher", "text:make_fram_acc", "frames that CLIP gives to their own caption",
            needs=_CLIP, captions=True, candidates=True,
        ),
        _spec(
            "tmp-con", "video", "higher", "text:make_tmp_con", "cosine of CLIP embeddings, frame to frame",
            needs="a CLIP model",
        ),
        _spec(
            "conse", "video", "higher", "text:make_conse", "ConSE text alignment (not CLIP score)",
            needs="efficientnet-lite0 and minilm, captions",
            source="Norouzi et al., Zero-shot learning by convex combination of semantic embeddings (2014)",
            captions=True,
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
            unit="% of height", moves=True,
        ),
    )
}  # fmt: skip


def find_metric(key: str | MetricSpec) -> MetricSpec:
    """Return what the catalog says of metric `key`; a key that it had before will do, and what is no key is returned.

    Raises:
        UnknownNameError: there is no such metric; the message names the nearest.
    """
    if isinstance(key, MetricSpec):
        return key
    key = OLD_KEYS.get(key, key)
    return look_up("metric", key, METRICS)


def renamed(keys: Iterable[object]) -> list[str]:
    """Return a sentence on each of the keys asked for that a metric had before."""
    old = dict.fromkeys(key for key in keys if isinstance(key, str) and key in OLD_KEYS)
    return [f"{key} is called {OLD_KEYS[key]}: {METRICS[OLD_KEYS[key]].title}" for key in old]


def list_metrics() -> list[MetricSpec]:
    """Return every metric, set metrics first, then paired ones, then those of single videos."""
    return list(METRICS.values())
