"""How well frames go with a text, from embeddings of both."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import ConfigError


def clip_score(frames: np.ndarray, text: np.ndarray) -> float:
    """Return the CLIP score of a video: 100 times the cosine of frame and text, not below 0, averaged over frames.

    Hessel et al. 2021, "CLIPScore", equation 1 with a weight of 100, as it is reported today (the paper has 2.5).

    Args:
        frames: embeddings (T, D).
        text: embedding of the caption (D,).

    Returns:
        0 to 100.
    """
    return float(np.maximum(100 * cosines(frames, text[None])[:, 0], 0).mean())


def frame_accuracy(frames: np.ndarray, own: np.ndarray, others: np.ndarray) -> float:
    """Return the share of frames that are at least as near to their own text as to any other.

    Fram-Acc of Qi et al. 2023, "FateZero", where the only other text is that of the video before it was edited.

    Args:
        frames: embeddings (T, D).
        own: embedding of the clip's text (D,).
        others: embeddings of the other texts (N, D), at least one.

    Returns:
        0 to 1.

    Raises:
        ConfigError: no other text.
    """
    if not len(others):
        raise ConfigError(
            "frame accuracy chooses between texts; it needs at least one other than the clip's own"
        )
    return float((cosines(frames, own[None])[:, 0] >= cosines(frames, others).max(axis=1)).mean())


def temporal_consistency(frames: np.ndarray) -> float:
    """Return the mean cosine of consecutive frames: Tmp-Con of Qi et al. 2023, "FateZero".

    Args:
        frames: embeddings (T, D), T at least 2.

    Returns:
        -1 to 1.

    Raises:
        ConfigError: a single frame.
    """
    if len(frames) < 2:
        raise ConfigError("temporal consistency compares consecutive frames; it needs at least 2 of them")
    frames = _unit(frames)
    return float((frames[1:] * frames[:-1]).sum(axis=1).mean())


def conse(probabilities: np.ndarray, classes: np.ndarray, text: np.ndarray, top: int = 10) -> float:
    """Return the cosine of a text with what a classifier sees, averaged over frames.

    A frame's embedding is the convex combination of the embeddings of its most probable classes: Norouzi et al. 2014,
    "Zero-shot learning by convex combination of semantic embeddings", equation 3.

    Args:
        probabilities: of the classes (T, C), rows summing to 1.
        classes: embeddings of the classes' names (C, D).
        text: embedding of the caption (D,).
        top: how many classes are combined, 1 to C.

    Returns:
        -1 to 1.

    Raises:
        ConfigError: `top` outside its range.
    """
    if not 1 <= top <= probabilities.shape[1]:
        raise ConfigError(f"top is 1 to {probabilities.shape[1]} classes, not {top}")
    top_classes = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    weights = np.take_along_axis(probabilities, top_classes, axis=1)
    weights = weights / weights.sum(axis=1, keepdims=True)
    frames = np.einsum("tk,tkd->td", weights, classes[top_classes])
    return float(cosines(frames, text[None])[:, 0].mean())


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of every row of `a` (N, D) with every row of `b` (M, D), float64 (N, M).

    Equal rows have equal cosines, to the last bit: each is added up in the same order, which a matrix product does not
    promise, so that a tie between texts is a tie on every machine.
    """
    return np.einsum("nd,md->nm", _unit(a), _unit(b))


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
