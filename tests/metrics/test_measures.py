"""The set measures: what they promise to whoever evaluates, on arrays in memory and on disk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg

from moviola.core.errors import InputError
from moviola.metrics import fvd, i3d
from moviola.metrics.functional import moments
from moviola.metrics.measures import FrechetMeasure, InceptionMeasure, KernelMeasure, SetMeasure
from moviola.metrics.options import MetricOptions

MEASURES = [FrechetMeasure(), KernelMeasure(subset_size=20), InceptionMeasure()]
KINDS = ["frechet", "kernel", "inception"]


def sets(n=30, m=24, rows=2, d=6, seed=0):
    """Features that are also probabilities, float32 (clips, rows, d)."""
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet(np.full(d, 0.4), size=(n, rows)), rng.dirichlet(np.full(d, 0.7), size=(m, rows))
    return [part.astype(np.float32) for part in parts]


@pytest.mark.parametrize("measure", MEASURES, ids=KINDS)
def test_a_measure(measure):
    """It is what evaluate takes; the draws have the number asked for and depend on the generator alone."""
    assert isinstance(measure, SetMeasure)
    real, fake = sets()
    draws = measure.resample(real, fake, 7, np.random.default_rng(1))
    assert draws.shape == (7,) and draws.std() > 0
    np.testing.assert_array_equal(draws, measure.resample(real, fake, 7, np.random.default_rng(1)))
    if measure.lowest is not None:
        assert min(measure.score(real, fake), draws.min()) >= measure.lowest
    assert measure.score(real, fake) == measure.score(real, fake)


@pytest.mark.parametrize("measure", MEASURES, ids=KINDS)
def test_arrays_on_disk(measure, tmp_path, monkeypatch):
    """Memory-mapped features, read in small blocks, give what arrays give."""
    real, fake = sets()
    expected = measure.score(real, fake), measure.resample(real, fake, 3, np.random.default_rng(2))
    mapped = []
    for name, array in (("real", real), ("fake", fake)):
        np.save(tmp_path / f"{name}.npy", array)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    monkeypatch.setattr(moments, "BLOCK_VALUES", 50)
    assert measure.score(*mapped) == pytest.approx(expected[0], rel=1e-9)
    np.testing.assert_allclose(measure.resample(*mapped, 3, np.random.default_rng(2)), expected[1], rtol=1e-6)


@pytest.mark.parametrize("measure", MEASURES, ids=KINDS)
def test_parts_by_counts(measure):
    """The scorer of ones and zeros is the score of the clips that are in."""
    real, fake = sets()
    into = np.arange(30) % 3 > 0, np.arange(24) % 2 > 0
    got = measure.scorer(real, fake)(*(i.astype(int) for i in into))
    assert got == pytest.approx(measure.score(real[into[0]], fake[into[1]]), rel=1e-9)
    assert 1 <= measure.fewest_clips(real, fake) <= 6


@pytest.mark.parametrize("measure", MEASURES, ids=KINDS)
def test_one_clip(measure):
    """One line that names the rule."""
    real, fake = sets()
    for call in (measure.score, lambda r, f: measure.resample(r, f, 2, np.random.default_rng(0))):
        with pytest.raises(
            InputError, match=r"^a distribution needs at least 2 clips; the generated set holds 1$"
        ):
            call(real, fake[:1])


@pytest.mark.parametrize("measure", MEASURES, ids=KINDS)
def test_not_finite(measure):
    """One line that names the clip."""
    real, fake = sets()
    fake[5, 1, 2] = np.nan
    with pytest.raises(InputError, match=r"^clip 5 of the generated set has features that are not finite"):
        measure.score(real, fake)


def test_the_covariance_of_the_protocol():
    """ddof 0 and 1 against SciPy's matrix root."""
    real, fake = (s.reshape(-1, 6).astype(np.float64) for s in sets(seed=3))
    real, fake = real[:, :5], fake[:, :5]  # what sums to 1 has a singular covariance
    for ddof in (0, 1):
        s1, s2 = np.cov(real.T, ddof=ddof), np.cov(fake.T, ddof=ddof)
        delta = real.mean(axis=0) - fake.mean(axis=0)
        expected = (
            delta @ delta + np.trace(s1) + np.trace(s2) - 2 * np.trace(scipy.linalg.sqrtm(s1 @ s2)).real
        )
        assert FrechetMeasure(ddof).score(real, fake) == pytest.approx(expected, rel=1e-9)


def test_subsets_come_from_the_seed():
    """The same seed the same subsets, another seed others."""
    real, fake = sets(60, 60, 1)
    scores = [KernelMeasure(10, 20, seed).score(real, fake) for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_the_inception_score_ignores_real():
    """Whatever stands there."""
    real, fake = sets()
    measure = InceptionMeasure()
    assert measure.score(real, fake) == measure.score(np.zeros((0, 1, 6)), fake)


def test_i3d_is_loaded_once(monkeypatch):
    """The factories of FVD and KVD share one extractor, take ddof and seed from the protocol, and ask by name."""
    asked = []

    class Extractor:
        name = "i3d"

    def load(device, metric):
        asked.append((device, metric))
        return Extractor()

    monkeypatch.setattr(i3d.I3DExtractor, "load", load)
    protocol = SimpleNamespace(ddof=0, seed=5)
    made = [
        make(protocol, "no-device", MetricOptions())
        for make in (fvd.make_fvd, fvd.make_fvd_pooled, fvd.make_kvd)
    ]
    assert len({id(extractor) for extractor, _, _ in made}) == 1
    assert asked == [("no-device", "fvd")]
    assert [parts for _, *parts in made] == [
        ["logits", FrechetMeasure(0)],
        ["pooled", FrechetMeasure(0)],
        ["logits", KernelMeasure(seed=5)],
    ]
