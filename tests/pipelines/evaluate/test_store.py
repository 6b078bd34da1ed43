"""The feature cache: whole or not there; what is damaged is made anew, what was stopped goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError, VideoReadError
from moviola.metrics.protocol import Protocol
from moviola.pipelines.evaluate import evaluate
from moviola.pipelines.evaluate.features import serial
from moviola.pipelines.evaluate.store import FeatureStore

FRAMES_8 = Protocol(frames=8)
NAMES = [f"clip{i}" for i in range(5)]


def rows(*numbers: int) -> dict[int, dict[str, np.ndarray]]:
    return {n: {"a": np.full((2, 3), n, np.float32), "b": np.float32(n / 2)} for n in numbers}


def test_parts_join_in_the_order_of_the_names(tmp_path):
    """Parts written in any order give one array, a row a clip; the failed clip is named and has no row."""
    store = FeatureStore(tmp_path, "key", NAMES, "x")
    assert store.read() is None
    store.add(rows(4, 1))
    store.add({}, [("clip2", "broken")])
    store.add(rows(3, 0))
    assert store.done() == ({0, 1, 3, 4}, [("clip2", "broken")])
    assert store.read() is None
    made = store.finish()
    for found in (made, store.read()):
        assert found.rows == (0, 1, 3, 4)
        assert found.failed == (("clip2", "broken"),)
        assert np.array_equal(found.outputs["a"][:, 1, 2], [0, 1, 3, 4])
        assert np.array_equal(found.outputs["b"], [0, 0.5, 1.5, 2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key"]


@pytest.mark.parametrize("harm", ["cut", "flip", "index", "names", "gone", "format"])
def test_damage_is_never_read(tmp_path, harm):
    """A file cut short, a flipped bit, an index of garbage or of other clips: not read, and replaced."""
    store = FeatureStore(tmp_path, "key", NAMES[:2], "x")
    store.add(rows(0, 1))
    store.finish()
    data, index = tmp_path / "key" / "0.f32", tmp_path / "key" / "index.json"
    if harm == "cut":
        data.write_bytes(data.read_bytes()[:-4])
    elif harm == "flip":
        data.write_bytes(bytes([data.read_bytes()[0] ^ 1]) + data.read_bytes()[1:])
    elif harm == "gone":
        data.unlink()
    elif harm == "index":
        index.write_text(index.read_text()[:30])
    else:
        said = json.loads(index.read_text())
        said.update({"names": ["other", "clips"]} if harm == "names" else {"format": 0})
        index.write_text(json.dumps(said))
    assert store.read() is None
    store.add(rows(0, 1))
    assert np.array_equal(store.finish().outputs["b"], [0, 0.5])


def test_a_damaged_part_is_made_again(tmp_path):
    """A part that was cut short, or is of another set, counts for nothing."""
    store = FeatureStore(tmp_path, "key", NAMES, "x")
    store.add(rows(0, 1))
    path = next((tmp_path / "key.parts").iterdir())
    path.write_bytes(path.read_bytes()[:-60])
    FeatureStore(tmp_path, "key", [*NAMES, "more"], "x").add(rows(5))
    assert store.done() == (set(), [])
    assert list((tmp_path / "key.parts").iterdir()) == []


def test_shapes_must_agree(tmp_path):
    """Clips whose features differ in shape are refused, within a part and between parts."""
    store = FeatureStore(tmp_path, "key", NAMES, "net")
    with pytest.raises(
        ConfigError, match=r"net gives a of shape \(4,\) for clip1 and \(3,\) for other clips"
    ):
        store.add({0: {"a": np.zeros(3)}, 1: {"a": np.zeros(4)}})
    store.add({0: {"a": np.zeros(3)}})
    store.add({1: {"a": np.zeros(4)}})
    with pytest.raises(ConfigError, match="net gives a of shape"):
        store.finish()
    assert store.read() is None


def test_nothing_but_failures(tmp_path):
    store = FeatureStore(tmp_path, "key", NAMES, "x")
    store.add({}, [(name, f"{name} is broken") for name in NAMES])
    with pytest.raises(InputError, match="none of 5 clips could be decoded; the first: clip0 is broken"):
        store.finish()
    assert store.read() is None


def test_a_killed_run_goes_on_and_is_never_taken_for_whole(sets, metrics, tiny, own_cache):
    """Stopped in the middle: no entry is there; the next run makes only what is missing, with the same scores."""
    expected = evaluate(*sets, metrics(), FRAMES_8, cache=False).scores
    tiny.seen.clear()

    def stopped(job, blocks):
        single = [[unit] for units in blocks for unit in units]
        yield from serial(job, single[:10])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(*sets, metrics(), FRAMES_8, mapper=stopped)
    assert not list(own_cache.glob("*/index.json"))
    assert len(tiny.seen) == 10
    assert evaluate(*sets, metrics(), FRAMES_8).scores == expected
    assert len(tiny.seen) == 12 + 9
    assert {path.suffix for path in own_cache.iterdir()} == {""}


def test_an_entry_with_failures_is_not_read_by_a_strict_run(sets, metrics, monkeypatch):
    """What a run with skip_bad left out stops a run without it, from the cache as from the files."""
    from moviola.data.sources import Source

    original = Source.read

    def sometimes(self, index, indices=None):
        if self[index].name == "03.npz" and self.path.name == "fake":
            raise VideoReadError("03.npz is damaged within")
        return original(self, index, indices)

    monkeypatch.setattr(Source, "read", sometimes)
    report = evaluate(*sets, metrics("fvd", "mse"), FRAMES_8, skip_bad=True)
    assert (report["fvd"].n_fake, report["mse"].n_fake) == (8, 8)
    assert report.skipped == (("fake", "03.npz", "03.npz is damaged within"),)
    for _ in range(2):
        with pytest.raises(InputError, match=r"03\.npz is damaged within"):
            evaluate(*sets, metrics("fvd", "mse"), FRAMES_8)


def test_ticks(sets, metrics):
    """The total is told once, then clips are counted up to it."""
    totals: list[int] = []
    ticks: list[int] = []
    how = {"expect": totals.append, "tick": lambda advance=1, text="": ticks.append(advance)}
    evaluate(*sets, metrics("fvd", "mse"), FRAMES_8, **how)
    assert totals == [21] and sum(ticks) == 21
    evaluate(*sets, metrics("fvd"), FRAMES_8, **how)
    assert totals == [21, 0]
