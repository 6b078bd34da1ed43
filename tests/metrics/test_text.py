"""Captions against frames: CLIP's three figures and ConSE, with stand-ins for the networks."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError, WeightsError
from moviola.core.video import Video
from moviola.metrics import text
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.metrics.text import (
    ClipEmbedder,
    ClipScoreExtractor,
    ConSEExtractor,
    FrameAccuracyExtractor,
    TemporalConsistencyExtractor,
    make_clip_score,
    make_conse,
    make_fram_acc,
    make_tmp_con,
)
from moviola.nn.pretrained import store

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ColourClip:
    """Stands in for CLIP: a frame's embedding is its mean colour, a text's the colour it names."""

    def __init__(self):
        self.looks = 0

    def identity(self):
        return {"network": "CLIP colour", "sha256": "1" * 64}

    def frames(self, video):
        self.looks += 1
        mean = video.frames.reshape(len(video), -1, 3).mean(axis=1)
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)

    def texts(self, texts):
        return np.array(
            [next(c for name, c in COLOURS.items() if name in text) for text in texts], np.float32
        ) / np.float32(255)


@pytest.fixture
def embedder():
    """CLIP's stand-in as the metrics see it."""
    return ClipEmbedder(ColourClip())


def clip(*colours, caption=None, name="a.mp4"):
    """A clip of plain frames."""
    frames = np.stack([np.full((4, 4, 3), COLOURS.get(c, c), np.uint8) for c in colours])
    return Sample(Video(frames, 8), name, caption=caption)


def test_clip_score(embedder):
    """100 where frames are what the caption says, 0 where they are not, the mean over frames."""
    extractor = ClipScoreExtractor(embedder)
    assert isinstance(extractor, Extractor) and extractor.reads == ("caption",)
    score = extractor(clip("red", "red", "blue", (255, 255, 0), caption="a red square"))["clip-score"]
    assert score.shape == () and score.dtype == np.float32
    assert float(score) == pytest.approx(100 * (1 + 1 + 0 + 0.5**0.5) / 4)


def test_fram_acc(embedder):
    """The share of frames nearer to their own caption; a caption that is no candidate is added."""
    extractor = FrameAccuracyExtractor(embedder, ["a red  square", "a blue square"])
    frames = ("red", "red", "blue", "green")
    assert float(extractor(clip(*frames, caption="a red square"))["fram-acc"]) == 0.75  # green: a tie
    assert float(extractor(clip(*frames, caption="a blue square"))["fram-acc"]) == 0.5
    assert float(extractor(clip(*frames, caption="green"))["fram-acc"]) == 0.25
    lonely = FrameAccuracyExtractor(embedder, ["a red square"])
    with pytest.raises(InputError, match="'a red square' is the only one; give others with --candidate"):
        lonely(clip("red", caption="a red square"))


def test_candidates_are_part_of_the_identity(embedder):
    """Other texts are another figure; their order is not."""
    one, same, other = (
        FrameAccuracyExtractor(embedder, texts).identity()
        for texts in (["red", "blue"], ["blue", "red"], ["blue", "green"])
    )
    assert one == same != other


def test_tmp_con(embedder):
    """The mean cosine of consecutive frames, without a caption."""
    extractor = TemporalConsistencyExtractor(embedder)
    assert float(extractor(clip("red", "red", "blue", (255, 0, 255)))["tmp-con"]) == pytest.approx(
        (1 + 0 + 0.5**0.5) / 3
    )


def test_a_clip_is_looked_at_once(embedder):
    """Three figures of one clip take one run of the network."""
    sample = clip("red", "blue", caption="red")
    ClipScoreExtractor(embedder)(sample)
    TemporalConsistencyExtractor(embedder)(sample)
    FrameAccuracyExtractor(embedder, ["red", "blue"])(sample)
    assert embedder.clip.looks == 1


class FixedImages:
    """Stands in for the classifier: frames are red, green or blue things."""

    def identity(self):
        return {"network": "colours", "sha256": "2" * 64, "resize": "none"}

    def look(self, video):
        mean = video.frames.reshape(len(video), -1, 3).mean(axis=1)
        return mean, mean / mean.sum(axis=1, keepdims=True)


def test_conse():
    """The caption's cosine with the probable classes' names; never called CLIP score."""
    extractor = ConSEExtractor(FixedImages(), ColourClip().texts, ["red", "green", "blue"], "3" * 64, top=2)
    sample = clip("red", (192, 64, 0), "blue", caption="something red")
    # frame 2: three parts red and one part green
    assert float(extractor(sample)["conse"]) == pytest.approx((1 + 3 / 10**0.5 + 0) / 3, rel=1e-5)
    identity = extractor.identity()
    assert identity["network"] == "colours and all-MiniLM-L6-v2"
    assert identity["sha256"] == "2" * 64 + " and " + "3" * 64
    assert "clip" not in " ".join([extractor.name, *identity.values()]).lower()


@pytest.mark.parametrize("caption", [None, "", "  "])
def test_a_clip_without_caption(embedder, caption):
    """One line that names the clip, and where captions go."""
    conse = ConSEExtractor(FixedImages(), ColourClip().texts, ["red", "green", "blue"], "3" * 64, top=2)
    for extractor in (ClipScoreExtractor(embedder), FrameAccuracyExtractor(embedder, ["red", "blue"]), conse):
        with pytest.raises(InputError, match=r"and b\.mp4 has none; put captions\.csv") as caught:
            extractor(clip("red", caption=caption, name="b.mp4"))
        assert str(caught.value).startswith(extractor.name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [make_clip_score, make_tmp_con, make_fram_acc])
def test_without_a_clip_model(make):
    """Each metric asks for the model in its own name."""
    name = make.__name__.removeprefix("make_").replace("_", "-")
    with pytest.raises(InputError, match=f"^{name} needs a CLIP model: give a folder or a hub name"):
        make(Protocol(), "cpu", MetricOptions(candidates=("a", "b")))


def test_without_candidates():
    """fram-acc needs texts to choose from."""
    with pytest.raises(InputError, match="fram-acc chooses between texts and there are none"):
        make_fram_acc(Protocol(), "cpu", MetricOptions(clip="some/clip"))


def test_conse_without_weights(monkeypatch, tmp_path):
    """ConSE says which weights it lacks."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(store.packages, "installed_file", lambda *args: None)
    with pytest.raises(
        WeightsError, match='conse needs the efficientnet-lite0 weights: run "moviola models fetch'
    ):
        make_conse(Protocol(), "cpu", MetricOptions())


def test_clip_metrics_share_one_model(monkeypatch):
    """The model is loaded once for the three of them."""
    made = []

    def load(source, device, metric):
        made.append((source, device, metric))
        return ColourClip()

    monkeypatch.setattr("moviola.nn.pretrained.clip.load_clip", load)
    options = MetricOptions(clip="some/clip", candidates=("red", "blue"))
    found = [make(Protocol(), "cpu", options) for make in (make_clip_score, make_fram_acc, make_tmp_con)]
    assert [output for _, output in found] == ["clip-score", "fram-acc", "tmp-con"]
    assert len({id(extractor.embedder) for extractor, _ in found}) == 1
    assert made == [("some/clip", "cpu", "clip-score")]


def test_conse_on_real_clips(shared):
    """With the real networks, each of three clips goes better with its own caption than with the others."""
    from moviola.data.codec import read

    pytest.importorskip("transformers")
    try:
        extractor, output = make_conse(Protocol(), "cpu", MetricOptions())
    except WeightsError as error:
        pytest.skip(str(error))
    captions = {
        "dog.mp4": "a corgi dog runs on the grass",
        "boxer-fast-motion.mp4": "a man boxes with a punching bag",
        "ucf101-cricketshot.gif": "people play cricket, a batsman hits the ball",
    }
    for file, own in captions.items():
        video = read(shared / "media" / "video" / file, stop=24, stride=8)
        scores = {
            said: float(extractor(Sample(video, file, caption=said))[output]) for said in captions.values()
        }
        assert max(scores, key=scores.__getitem__) == own, (file, scores)
    assert text.TOP == 10
