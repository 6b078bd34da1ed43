"""How well videos go with their captions and how steady they are, by embeddings of CLIP; and ConSE without CLIP."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.devices import pick_device
from moviola.core.errors import InputError
from moviola.core.names import name_bytes
from moviola.metrics.base import Sample
from moviola.metrics.cache import PerVideo, full_precision, load_shared
from moviola.metrics.functional.alignment import clip_score, conse, frame_accuracy, temporal_consistency

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moviola.core.video import Video
    from moviola.metrics.frames import ImageNetwork
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol
    from moviola.nn.pretrained.clip import CLIP

TOP = 10  # classes that ConSE combines


class ClipEmbedder:
    """A CLIP model whose embeddings of a clip's frames serve several metrics.

    Args:
        clip: the model.
        device: where it runs.
    """

    def __init__(self, clip: CLIP, device: str = "cpu") -> None:
        self.clip, self.device = clip, device
        self.frames = PerVideo(self._frames)

    def _frames(self, video: Video) -> np.ndarray:
        import torch

        with torch.inference_mode(), full_precision(self.device):
            return self.clip.frames(video)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings of `texts`, float32 (N, D)."""
        import torch

        with torch.inference_mode(), full_precision(self.device):
            return self.clip.texts(texts)


class ClipScoreExtractor:
    """100 times the cosine of frame and caption, not below 0, averaged over a clip's frames.

    Args:
        embedder: CLIP.
    """

    name = "clip-score"
    reads = ("caption",)

    def __init__(self, embedder: ClipEmbedder) -> None:
        self.embedder = embedder

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        return self.embedder.clip.identity()

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "clip-score", float32 ().

        Raises:
            InputError: the clip has no caption.
        """
        text = self.embedder.texts([caption_of(sample, self.name)])[0]
        return {self.name: np.asarray(clip_score(self.embedder.frames(sample.video), text), np.float32)}


class FrameAccuracyExtractor:
    """The share of a clip's frames that lie nearer to its own caption than to any other text.

    Args:
        embedder: CLIP.
        candidates: the texts; a clip's own caption is added where it is not among them.
    """

    name = "fram-acc"
    reads = ("caption",)

    def __init__(self, embedder: ClipEmbedder, candidates: Sequence[str]) -> None:
        self.embedder = embedder
        self.candidates = tuple(dict.fromkeys(" ".join(text.split()) for text in candidates))
        self._embedded = embedder.texts(self.candidates)

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        texts = hashlib.sha256(name_bytes("\n".join(sorted(self.candidates)))).hexdigest()
        return {**self.embedder.clip.identity(), "candidates": texts}

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "fram-acc", float32 (), 0 to 1.

        Raises:
            InputError: the clip has no caption, or there is no other text.
        """
        own = " ".join(caption_of(sample, self.name).split())
        others = [i for i, text in enumerate(self.candidates) if text != own]
        if not others:
            raise InputError(
                f"fram-acc chooses between texts and {own!r} is the only one; give others with --candidate"
            )
        text = self.embedder.texts([own])[0]
        share = frame_accuracy(self.embedder.frames(sample.video), text, self._embedded[others])
        return {self.name: np.asarray(share, np.float32)}


class TemporalConsistencyExtractor:
    """The mean cosine of consecutive frames; needs no caption. A frozen video has 1.

    Args:
        embedder: CLIP.
    """

    name = "tmp-con"
    reads = ()

    def __init__(self, embedder: ClipEmbedder) -> None:
        self.embedder = embedder

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        return self.embedder.clip.identity()

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "tmp-con", float32 (), -1 to 1.

        Raises:
            ConfigError: a clip of one frame.
        """
        value = temporal_consistency(self.embedder.frames(sample.video))
        return {self.name: np.asarray(value, np.float32)}


class ConSEExtractor:
    """Text alignment without CLIP: the caption against the names of what a classifier sees.

    A frame's most probable ImageNet classes, each standing for the sentence vector of its name, are averaged by
    probability; the figure is the cosine with the caption's sentence vector, averaged over frames. It knows what is in
    a picture only as far as ImageNet has a class for it, and nothing of colours, actions or numbers.

    Args:
        images: the classifier.
        encode: texts to unit vectors, float32 (N, D).
        classes: names of the classifier's classes, in order.
        text_sha256: of the sentence encoder's weights.
        top: classes that are combined.
    """

    name = "conse"
    reads = ("caption",)

    def __init__(
        self,
        images: ImageNetwork,
        encode: Callable[[Sequence[str]], np.ndarray],
        classes: Sequence[str],
        text_sha256: str,
        top: int = TOP,
    ) -> None:
        self.images, self.encode, self.top = images, encode, top
        self.text_sha256 = text_sha256
        self._classes = encode(classes)
        self._names = hashlib.sha256(name_bytes("\n".join(classes))).hexdigest()

    def identity(self) -> dict[str, str]:
        """Return what changes the output; "sha256" is that of both networks."""
        identity = self.images.identity()
        return {
            **identity,
            "network": f"{identity['network']} and all-MiniLM-L6-v2",
            "sha256": f"{identity['sha256']} and {self.text_sha256}",
            "classes": self._names,
            "top": str(self.top),
        }

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "conse", float32 (), -1 to 1.

        Raises:
            InputError: the clip has no caption.
        """
        text = self.encode([caption_of(sample, self.name)])[0]
        _, probabilities = self.images.look(sample.video)
        return {self.name: np.asarray(conse(probabilities, self._classes, text, self.top), np.float32)}


def caption_of(sample: Sample, metric: str) -> str:
    """Return the caption of a clip.

    Raises:
        InputError: it has none; one line that says where to write it.
    """
    if sample.caption and sample.caption.strip():
        return sample.caption
    raise InputError(
        f"{metric} compares clips with their captions and {sample.name} has none; "
        "put captions.csv or captions.jsonl (file, caption) beside the videos"
    )


def load_embedder(options: MetricOptions, device: str, metric: str) -> ClipEmbedder:
    """Return the CLIP model that `options.clip` names; metrics that ask for the same one share it.

    Raises:
        InputError: no model is named, or transformers is missing. WeightsError: the model cannot be loaded.
    """
    from moviola.nn.pretrained.clip import load_clip

    source = options.clip
    if source is None:
        raise InputError(
            f"{metric} needs a CLIP model: give a folder or a hub name, "
            "such as --clip openai/clip-vit-base-patch32; without CLIP, conse compares with captions"
        )
    device = str(pick_device(device))
    return load_shared(
        ("clip", source, device), lambda: ClipEmbedder(load_clip(source, device, metric), device)
    )


def make_clip_score(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[ClipScoreExtractor, str]:
    """Return extractor and output of clip-score; raises as `load_embedder`."""
    return ClipScoreExtractor(load_embedder(options, device, "clip-score")), "clip-score"


def make_fram_acc(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[FrameAccuracyExtractor, str]:
    """Return extractor and output of fram-acc; raises as `load_embedder`, and InputError without candidate texts."""
    if not options.candidates:
        raise InputError(
            "fram-acc chooses between texts and there are none: put captions beside the videos of FAKE, "
            "or give the texts with --candidate"
        )
    embedder = load_embedder(options, device, "fram-acc")
    return FrameAccuracyExtractor(embedder, options.candidates), "fram-acc"


def make_tmp_con(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[TemporalConsistencyExtractor, str]:
    """Return extractor and output of tmp-con; raises as `load_embedder`."""
    return TemporalConsistencyExtractor(load_embedder(options, device, "tmp-con")), "tmp-con"


def make_conse(protocol: Protocol, device: str, options: MetricOptions) -> tuple[ConSEExtractor, str]:
    """Return extractor and output of ConSE, on efficientnet-lite0 and all-MiniLM-L6-v2.

    Raises:
        WeightsError: a network's weights are not here. InputError: transformers is missing.
    """
    from moviola.metrics.frames import load_efficientnet
    from moviola.nn.pretrained.imagenet import class_names
    from moviola.nn.pretrained.sentence import NAME, load_sentence_encoder
    from moviola.nn.pretrained.store import find_weights, weights_sha256

    device = str(pick_device(device))
    images = load_efficientnet(device, "conse")
    encoder = load_sentence_encoder(find_weights(NAME, "conse").parent, device, "conse")
    return ConSEExtractor(images, encoder, class_names(), weights_sha256(NAME)), "conse"
