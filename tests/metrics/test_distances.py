"""The classes fed piece by piece: any pieces, any order, any number of workers, the same figure."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics import i3d
from moviola.metrics.distances import FrechetDistance, InceptionScore, KernelDistance
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.functional.inception import inception_score
from moviola.metrics.functional.kernel import kernel_distance_exact
from moviola.metrics.fvd import FrechetVideoDistance, KernelVideoDistance

CLASSES = [FrechetDistance, lambda: KernelDistance(subsets=5, subset_size=20), InceptionScore]
KINDS = ["frechet", "kernel", "inception"]


def sets(n=40, m=35, d=6, seed=0):
    """Rows that are also probabilities."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(d, 0.4), size=n), rng.dirichlet(np.full(d, 0.7), size=m)


def fed(make, pieces, order):
    """A metric that has seen the pieces, each (real, fake), in an order."""
    metric = make()
    for index in order:
        for features, real in zip(pieces[index], (True, False), strict=True):
            metric.update(features, real=real)
    return metric


def cut(real, fake, parts):
    """Both sets in so many parts."""
    return list(zip(np.array_split(real, parts), np.array_split(fake, parts), strict=True))


@pytest.mark.parametrize("make", CLASSES, ids=KINDS)
@pytest.mark.parametrize("d", [6, 38, 90], ids=["many-rows", "as-many", "few-rows"])
def test_shards_batches_and_order(make, d):
    """1, 2 or 7 shards, batches of any size, any order, merged either way: equal to 1e-9 relative."""
    real, fake = sets(d=d)
    whole = fed(make, [(real, fake)], [0]).compute()
    rng = np.random.default_rng(1)
    for parts in (2, 7, 35):
        pieces = cut(real, fake, parts)
        assert fed(make, pieces, rng.permutation(parts)).compute() == pytest.approx(whole, rel=1e-9)
    for shards in (2, 7):
        workers = [fed(make, [piece], [0]) for piece in cut(real, fake, shards)]
        total = make()
        for index in rng.permutation(shards):
            total.merge(workers[index])
        assert total.compute() == pytest.approx(whole, rel=1e-9)


def test_they_compute_the_functions():
    """The Fréchet distance, all pairs of the kernel, the inception score."""
    real, fake = sets()
    assert fed(FrechetDistance, [(real, fake)], [0]).compute() == pytest.approx(
        frechet_from_features(real, fake), rel=1e-9
    )
    assert fed(lambda: FrechetDistance(ddof=0), [(real, fake)], [0]).compute() == pytest.approx(
        frechet_from_features(real, fake, 0), rel=1e-9
    )
    assert fed(KernelDistance, [(real, fake)], [0]).compute() == pytest.approx(
        kernel_distance_exact(real, fake), rel=1e-9
    )
    assert fed(InceptionScore, [(real, fake)], [0]).compute() == pytest.approx(
        inception_score(fake), rel=1e-9
    )


@pytest.mark.parametrize("make", CLASSES, ids=KINDS)
@pytest.mark.parametrize("d", [6, 90])
def test_state(make, d):
    """Plain arrays that go to a file and back; a loaded metric goes on where the other stood, on its own."""
    real, fake = sets(d=d)
    first = fed(make, cut(real, fake, 2), [0])
    state = first.state_dict()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    second = make()
    second.update(real, real=True)
    second.load_state(state)
    second.update(real[20:], real=True)
    second.update(fake[18:], real=False)
    assert second.compute() == pytest.approx(fed(make, [(real, fake)], [0]).compute(), rel=1e-9)
    assert first.compute() == fed(make, cut(real, fake, 2), [0]).compute()
    empty = make()
    empty.load_state(make().state_dict())
    empty.merge(first)
    assert empty.compute() == pytest.approx(first.compute(), rel=1e-12)
    with pytest.raises(InputError, match="not the state of this metric"):
        make().load_state({"other": np.zeros(1)})


@pytest.mark.parametrize("make", CLASSES, ids=KINDS)
def test_reset(make):
    """Nothing is left, and too few clips are refused."""
    metric = fed(make, [sets()], [0])
    metric.reset()
    for update in (0, 1):
        with pytest.raises(InputError, match=f"at least 2 clips; the .* set holds {update}"):
            metric.compute()
        metric.update(sets()[0][:1], real=True)
        metric.update(sets()[1][:1], real=False)


def test_memory_is_flat():
    """A Fréchet distance keeps moments, however many clips it saw; an inception score two sums."""
    rng = np.random.default_rng(2)
    for make, values in ((FrechetDistance, 2 * (36 + 6 + 2)), (InceptionScore, 6 + 3)):
        metric = make()
        for _ in range(30):
            for real in (True, False):
                metric.update(rng.dirichlet(np.ones(6), size=50), real=real)
        assert sum(array.size for array in metric.state_dict().values()) == values


@pytest.mark.parametrize("make", CLASSES, ids=KINDS)
def test_what_does_not_fit(make):
    """Other sizes and values that are no numbers are refused, and nothing was added."""
    real, fake = sets()
    metric = fed(make, [(real, fake)], [0])
    before = metric.compute()
    with pytest.raises(InputError, match="cannot join"):
        metric.update(fake[:, :3] / fake[:, :3].sum(axis=1, keepdims=True), real=False)
    with pytest.raises(InputError, match="not finite"):
        metric.update(fake * np.nan, real=False)
    with pytest.raises(InputError, match="cannot join"):
        metric.merge(fed(make, [sets(d=4)], [0]))
    assert metric.compute() == before


class Colours:
    """An extractor without a network: the mean colour, and how it changes."""

    name = "colours"

    def identity(self):
        return {"network": "none"}

    def __call__(self, sample):
        frames = sample.video.frames.astype(np.float32)
        return {"mean": frames.mean(axis=(0, 1, 2)), "rows": frames.mean(axis=(1, 2))}


def videos(n, seed, top=255):
    """Noise of different colours."""
    rng = np.random.default_rng(seed)
    return [Video(rng.integers(0, rng.integers(9, top), (4, 6, 6, 3), dtype=np.uint8), 8) for _ in range(n)]


@pytest.mark.parametrize("output", ["mean", "rows"])
def test_videos(output):
    """Videos one by one, all at once, or their features: the same figure; frames of a clip are rows."""
    real, fake = videos(9, 1), videos(8, 2, top=120)
    rows = [np.stack([Colours()(_Clip(v))[output] for v in s]) for s in (real, fake)]
    for make, expected in (
        (lambda: FrechetVideoDistance(Colours(), output), frechet_from_features(*rows)),
        (lambda: KernelVideoDistance(Colours(), output), kernel_distance_exact(*rows)),
    ):
        singly, at_once, features = make(), make(), make()
        for video, is_real in itertools.chain(((v, True) for v in real), ((v, False) for v in fake)):
            singly.update([video], real=is_real)
        for source, metric in (((real, fake), at_once), (rows, features)):
            metric.update(source[0], real=True)
            metric.update(source[1], real=False)
            metric.update([], real=False)
        assert at_once.compute() == pytest.approx(expected, rel=1e-6)
        assert singly.compute() == pytest.approx(at_once.compute(), rel=1e-9)
        assert features.compute() == pytest.approx(at_once.compute(), rel=1e-9)


class _Clip:
    def __init__(self, video):
        self.video = video


def test_i3d_by_default(monkeypatch):
    """Without an extractor I3D is loaded, at the first video and not before."""
    loaded = []
    monkeypatch.setattr(
        i3d.I3DExtractor, "load", lambda device, *rest: loaded.append(device) or _Logits(), raising=True
    )
    metric = FrechetVideoDistance(device="cpu")
    metric.update(np.random.default_rng(3).normal(size=(5, 3)), real=True)
    assert not loaded
    metric.update(videos(4, 4), real=False)
    metric.update(videos(4, 5), real=False)
    assert loaded == ["cpu"]
    assert metric.compute() > 0


class _Logits(Colours):
    def __call__(self, sample):
        return {"logits": super().__call__(sample)["mean"]}
