"""Fitting corruptions to a generator: known flaws are found again, and the distance is the generator's."""

from __future__ import annotations

import json

import numpy as np
import pytest

from moviola.cli.main import run
from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.core.video import Video
from moviola.data.corrupt import CORRUPTIONS, Mixture
from moviola.data.sources import open_source
from moviola.metrics.functional.clip_statistics import clip_statistics
from moviola.metrics.functional.frechet import Gaussian
from moviola.pipelines.match import (
    feature_function,
    match,
    match_clips,
    nonnegative_least_squares,
    read_clips,
)

NAMES = ("noise", "soft", "flicker", "frozen")


def clip(seed, frames=8, side=32):
    """Moving waves of random directions, periods and colours."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    made = np.zeros((frames, side, side, 3))
    for _ in range(3):
        u, v, w = rng.uniform(-0.9, 0.9, 3)
        wave = np.sin(u * x + v * y + w * np.arange(frames)[:, None, None] + rng.uniform(0, 6))
        made += wave[..., None] * rng.uniform(10, 40, 3)
    return np.rint(made + rng.uniform(100, 150, 3)).clip(0, 255).astype(np.uint8)


def clips(first, count=10):
    return np.stack([clip(first + k) for k in range(count)])


def flawed(plain, name, strength):
    return np.stack(
        [CORRUPTIONS[name].apply(c, strength, np.random.default_rng(k))[0] for k, c in enumerate(plain)]
    )


@pytest.mark.parametrize(("name", "strength"), [("noise", 0.3), ("soft", 0.6), ("flicker", 0.4)])
def test_finds_a_known_flaw(name, strength):
    """Clips with one flaw of known strength: it has most weight, and nearly its strength."""
    found = match_clips(clips(0), clips(100), flawed(clips(200), name, strength), NAMES)
    assert found.fits[0].name == name
    assert found.fits[0].weight > 0.6
    assert found.fits[0].strength == pytest.approx(strength, rel=0.35)
    assert found.explained > 0.8
    assert found.floor < found.target
    assert found.notes == ()


def test_the_mixture_is_as_far_as_the_generator():
    """Measured anew: real clips drawn through the mixture are at the distance of the generated ones."""
    first, second = clips(0), clips(100)
    found = match_clips(first, second, flawed(clips(200), "noise", 0.3), NAMES)
    assert found.reached == pytest.approx(found.target, rel=0.15)
    raw = [np.stack([clip_statistics(c) for c in s]) for s in (first, second)]
    both = np.concatenate(raw)
    spread = both.std(0)

    def gaussian(made):
        values = np.stack([clip_statistics(c) for c in made])
        return Gaussian.of(np.arcsinh((values - both.mean(0)) / np.maximum(spread, 0.1 * np.median(spread))))

    drawn = [
        [found.mixture.draw(c, np.random.default_rng(k + 50 * n))[0] for k, c in enumerate(second)]
        for n in range(4)
    ]
    distances = [gaussian(first).distance(gaussian(made)) for made in drawn]
    assert np.mean(distances) == pytest.approx(found.target, rel=0.4)
    assert np.mean(distances) > 1.5 * gaussian(first).distance(gaussian(second))


def test_flawless_clips_give_a_faint_mixture():
    """Real clips in place of generated ones: said, and next to nothing is done to clips."""
    found = match_clips(clips(0, 16), clips(100, 16), clips(200, 16), ("noise", "flicker"))
    assert any("little to fit" in note for note in found.notes)
    assert max(high for _, high in found.mixture.strengths.values()) < 0.4


def test_same_seed_same_match():
    """Nothing depends on anything but the clips and the seed."""
    sets = clips(0, 5), clips(100, 5), flawed(clips(200, 5), "noise", 0.3)
    one, two = (match_clips(*sets, NAMES[:2], seed=3) for _ in range(2))
    assert one == two


def test_nonnegative_least_squares_is_that_of_scipy():
    """Against another solver."""
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    for _ in range(10):
        columns, wanted = rng.normal(size=(20, 7)), rng.normal(size=20)
        expected = optimize.nnls(columns, wanted)[0]
        assert nonnegative_least_squares(columns, wanted) == pytest.approx(expected, abs=1e-7)
    assert nonnegative_least_squares(np.zeros((3, 2)), np.ones(3)).tolist() == [0, 0]


@pytest.fixture
def folders(tmp_path):
    """Six real videos and five noisy ones, 24 x 20, 10 frames."""
    for side, first, count in (("real", 0, 6), ("fake", 100, 5)):
        (tmp_path / side).mkdir()
        for k in range(count):
            frames = clip(first + k, 10, 24)[:, :, :20]
            if side == "fake":
                frames = CORRUPTIONS["noise"].apply(frames, 0.5, np.random.default_rng(k))[0]
            Video(frames, 8).save(tmp_path / side / f"{k}.npz")
    return tmp_path


def test_reading_clips(folders):
    """Square windows of the size asked for, from the videos named, each at its own place, the same every time."""
    source = open_source(folders / "real")
    made = read_clips(source, np.array([2, 4]), 5, 8, 16, seed=0)
    assert made.shape == (5, 8, 16, 16, 3)
    assert np.array_equal(made, read_clips(source, np.array([2, 4]), 5, 8, 16, seed=0))
    whole = read_clips(source, np.array([2]), 1, 10, 20, seed=0)[0]
    assert np.array_equal(whole, source.read(2).frames[:, 2:22])


def test_from_sources(folders):
    """Sources in, a mixture out; shorter clips than asked for are said; the bar moves once a corruption and at last."""
    ticks = []
    found = match(
        open_source(folders / "real"),
        open_source(folders / "fake"),
        ("noise", "soft"),
        size=20,
        clips=5,
        tick=lambda advance=1, text="": ticks.append(advance),
    )
    assert found.fits[0].name == "noise"
    assert found.notes[0] == "clips are 10 frames long, as the shortest is"
    assert sum(ticks) == 3


def test_motion_features():
    """Motion histograms are there without weights and say what the extractor says."""
    values = feature_function("fvmd-lk")(clip(0, 4, 16))
    assert values.ndim == 1
    assert np.isfinite(values).all()


def test_an_old_name_of_features_is_noted(folders):
    """And gives what the new one gives."""
    sets = [open_source(folders / side) for side in ("real", "fake")]
    old, new = (
        match(*sets, ("noise",), frames=6, size=20, clips=4, features=name) for name in ("fvmd", "fvmd-lk")
    )
    assert old.notes[0].startswith("fvmd is called fvmd-lk: ") and old.notes[1:] == new.notes
    assert old.fits == new.fits


def test_command(folders, capsys):
    """The file loads as a mixture, and the JSON says the same."""
    out = folders / "mixture.json"
    words = [
        "data",
        "match",
        str(folders / "real"),
        str(folders / "fake"),
        "-o",
        str(out),
        "--only",
        "noise,soft",
    ]
    assert run([*words, "--clips", "5", "--size", "20", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    mixture = Mixture.load(out)
    assert said["mixture"] == mixture.model_dump(mode="json")
    assert {"output", "target", "floor", "reached", "explained", "fits", "notes"} <= said.keys()
    assert max(mixture.weights, key=lambda name: mixture.weights[name]) == "noise"
    assert run([*words, "--clips", "5", "--size", "20"]) == 0
    assert "noise" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "niose"], "did you mean noise"),
        (["--features", "i3"], "did you mean i3d"),
        (["-o", "nowhere/mixture.json"], "nowhere does not exist; make it first"),
        (["-o", "."], "it is a folder; name a file"),
        (["--clips", "1"], "4"),
    ],
)
def test_bad_input(folders, capsys, words, said):
    """One line, exit 2, no file."""
    out = folders / "mixture.json"
    assert run(["data", "match", str(folders / "real"), str(folders / "fake"), "-o", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_bad_sources(folders):
    """Too short, nothing to choose from, sizes."""
    real = open_source(folders / "real")
    Video(clip(0, 3), 8).save(folders / "short.npz")
    with pytest.raises(InputError, match="shortest clip has 3 frames"):
        match(real, open_source(folders / "short.npz"))
    with pytest.raises(ConfigError, match="at least one corruption"):
        match(real, real, ())
    with pytest.raises(ConfigError, match="size must be at least 16"):
        match(real, real, size=8)
    with pytest.raises(UnknownNameError, match="did you mean soft"):
        match(real, real, ("sot",))
