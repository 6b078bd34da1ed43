"""Training samples of refiners: keys, frames, labels, words, pairs, and where bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.corrupt import Mixture
from moviola.data.flawed import CaptionedTrainingClips, Flawed, Pairs, SourceTrainingClips
from moviola.data.grammar import Grammar
from moviola.data.loader import Clip, Loader
from moviola.data.sources import open_source


class Counted:
    """Captioned clips whose frame t has level t (modulo the cycle)."""

    def __init__(self, length=40, cyclic=False):
        self.grammar = Grammar.from_captions(["red runs", "blue jumps"])
        self.length, self.cyclic = length, cyclic

    def draw(self, rng):
        slots = np.array([[3, 4], [1, 2], [3, 0]][int(rng.integers(3))])  # blue < jumps < red < runs, from 1

        def read(index):
            level = (index % self.length).astype(np.uint8)
            return np.broadcast_to(level[:, None, None, None], (len(index), 16, 16, 3)).copy()

        return Clip(slots, self.length, self.cyclic, read)


def times(sample):
    return sample["clean"][:, 0, 0, 0].astype(int)


def samples(flawed, n=40):
    return [flawed.sample(numpy_generator(0, k)) for k in range(n)]


def test_what_a_sample_holds():
    """Shapes and types of the contract; flawed equals clean outside the mask, which is 0 or 1."""
    made = Flawed(Counted(), Mixture.of("blocks", "noise"), 8).sample(numpy_generator(0, 1))
    kinds = {key: (value.dtype.name, value.shape) for key, value in made.items()}
    assert kinds == {
        "clean": ("uint8", (8, 16, 16, 3)),
        "flawed": ("uint8", (8, 16, 16, 3)),
        "mask": ("uint8", (8, 16, 16)),
        "label": ("int64", ()),
        "tokens": ("int64", (32,)),
    }
    for sample in samples(Flawed(Counted(), Mixture(), 8)):
        outside = sample["mask"] == 0
        assert set(np.unique(sample["mask"])) <= {0, 1}
        assert np.array_equal(sample["flawed"][outside], sample["clean"][outside])
        assert sample["label"] == -1
        assert not sample["tokens"].any()


def test_batches_of_the_loader():
    """They stack, and a step's batch is the same whenever it is made."""
    flawed = Flawed(Counted(), Mixture(), 4)
    loader, other = Loader(flawed, 3, seed=5), Loader(flawed, 3, seed=5)
    first = [loader(k) for k in range(3)]
    again = other.make(2)
    loader.close()
    other.close()
    assert first[2]["flawed"].shape == (3, 4, 16, 16, 3)
    assert all(torch.equal(first[2][key], again[key]) for key in again)
    assert not torch.equal(first[1]["flawed"], first[2]["flawed"])


@pytest.mark.parametrize("stride", [1, 3])
def test_windows(stride):
    """Frames are `stride` apart, begin anywhere, and reach both ends."""
    starts = set()
    for sample in samples(Flawed(Counted(20), Mixture(), 5, stride=stride), 200):
        assert (np.diff(times(sample)) == stride).all()
        starts.add(times(sample)[0])
    assert starts == set(range(20 - 4 * stride))


def test_short_and_cyclic_clips():
    """Too short: the stride gives way, then the last frame holds. Cyclic: round it goes."""
    for sample in samples(Flawed(Counted(6), Mixture(), 5, stride=4), 10):
        assert (np.diff(times(sample)) == 1).all()
    for sample in samples(Flawed(Counted(3), Mixture(), 5), 10):
        assert times(sample).tolist() == [0, 1, 2, 2, 2]
    for sample in samples(Flawed(Counted(3, cyclic=True), Mixture(), 5), 10):
        assert (np.diff(times(sample)) % 3 == 1).all()


def test_labels_and_words_of_captions():
    """The label is what the slot says, -1 where it says nothing; words are those of the caption."""

    def words(caption):
        return np.array([len(caption)], np.int64)

    flawed = Flawed(Counted(), Mixture(), 4, label="word2", words=words)
    assert flawed.classes == ("blue", "jumps", "red", "runs")
    found = {(int(s["label"]), int(s["tokens"][0])) for s in samples(flawed)}
    assert found == {(3, len("red runs")), (1, len("blue jumps")), (-1, len("red"))}


def test_unknown_slot():
    """The nearest slot is named."""
    with pytest.raises(UnknownNameError, match="did you mean word1"):
        CaptionedTrainingClips(Counted(), "wrd1")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Real and generated videos: level of frame t is 10 t (real) and 10 t + 5 (generated)."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))

    def write(side, name, frames, add):
        file = tmp_path / side / name
        file.parent.mkdir(parents=True, exist_ok=True)
        level = (10 * np.arange(frames) + add).astype(np.uint8)
        Video(np.broadcast_to(level[:, None, None, None], (frames, 24, 32, 3)).copy(), 10).save(file)

    for k in range(4):
        write("real", f"{'run' if k % 2 else 'walk'}/{k}.npz", 12, 0)
        write("generated", f"{'run' if k % 2 else 'walk'}/{k}.npz", 10, 5)
    write("real", "walk/alone.npz", 12, 0)
    return tmp_path


def test_videos_with_labels(folders):
    """Any source, cut to the middle square and resized; the label is the folder."""
    flawed = Flawed(open_source(folders / "real"), Mixture(), 6, size=16)
    assert flawed.classes == ("run", "walk")
    made = samples(flawed)
    assert {s["clean"].shape for s in made} == {(6, 16, 16, 3)}
    assert {int(s["label"]) for s in made} == {0, 1}
    assert all((np.diff(times(s)) == 10).all() for s in made)


def test_held_out_videos(folders):
    """The two sides of the split share no clip and make up the whole."""
    source = open_source(folders / "real")
    sides = []
    for held in (False, True):
        try:
            sides.append({source.names[i] for i in SourceTrainingClips(source, 16, held=held)._keys})
        except InputError as error:
            assert "too few" in str(error)
            sides.append(set())
    assert sides[0] | sides[1] == set(source.names)
    assert not sides[0] & sides[1]


def test_pairs(folders):
    """The same frames of both, masked everywhere; what has no counterpart is named, and longer ends are not used."""
    pairs = Pairs(folders / "generated", folders / "real", 16)
    assert len(pairs) == 4
    assert pairs.unpaired == ["walk/alone"]
    for sample in samples(
        Flawed(open_source(folders / "real"), Mixture(), 6, size=16, pairs=pairs, paired=1.0)
    ):
        assert np.array_equal(sample["flawed"], sample["clean"] + 5)
        assert sample["mask"].all()
        assert sample["label"] in (0, 1)
        assert times(sample).max() <= 90


def test_pairs_in_one_folder(folders):
    """As `moviola data pairs` lays them out."""
    assert Pairs.in_folder(folders, 16).names == Pairs(folders / "generated", folders / "real", 16).names


def test_share_of_pairs(folders):
    """About the share asked for."""
    pairs = Pairs(folders / "generated", folders / "real", 16)
    flawed = Flawed(Counted(), Mixture.of("blocks"), 4, pairs=pairs, paired=0.3)
    shares = [s["mask"].all() for s in samples(flawed, 300)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.08)
    assert flawed.classes == ("run", "walk")


def test_bad_input(folders):
    """One line each."""
    source = open_source(folders / "real")
    with pytest.raises(ConfigError, match="need a size"):
        Flawed(source, Mixture(), 4)
    with pytest.raises(ConfigError, match="at least 1"):
        Flawed(Counted(), Mixture(), 0)
    (folders / "other").mkdir()
    Video(np.zeros((4, 8, 8, 3), np.uint8), 10).save(folders / "other" / "zebra.npz")
    with pytest.raises(InputError, match="equal names"):
        Pairs(folders / "other", folders / "real", 16)
    pairs = Pairs(folders / "generated", folders / "real", 24)
    with pytest.raises(ConfigError, match="the clips are 16x16 and the pairs 24x24"):
        Flawed(Counted(), Mixture(), 4, pairs=pairs)
