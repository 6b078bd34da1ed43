"""The feature cache: a row for every extractor and clip; what is damaged is made anew, what was stopped goes on."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError, OutputError, VideoReadError
from moviola.core.notes import Note
from moviola.data.sources import Source
from moviola.data.stores import FolderStore
from moviola.metrics.protocol import Protocol
from moviola.pipelines.evaluate import evaluate
from moviola.pipelines.evaluate.assemble import StoredColumn
from moviola.pipelines.evaluate.features import serial
from moviola.pipelines.evaluate.store import FeatureStore, Row

FRAMES_8 = Protocol(frames=8)
NAMES = [f"clip{i}" for i in range(5)]


def row_of(number: int, extractor: bytes = b"x") -> Row:
    return Row(extractor, b"clip%d" % number, b"{}", bytes([number]) * 9)


def column_of(store: FeatureStore, what: str = "x", count: int = 5) -> StoredColumn:
    clips = {i: b"clip%d" % i for i in range(count)}
    return StoredColumn(store, b"x", what, clips, NAMES, NAMES)


def outputs_of(number: int) -> dict[str, np.ndarray]:
    return {"a": np.full((2, 3), number, np.float32), "b": np.float32(number / 2)}


@pytest.fixture
def store(tmp_path):
    opened = FeatureStore(tmp_path)
    yield opened
    opened.close()


# -- rows -----------------------------------------------------------------------------------------------------------


def test_rows_are_read_as_they_were_written(store, tmp_path):
    """By extractor and clip; another process (here: another connection) sees them; the last one written counts."""
    assert store.read(b"x", [b"clip1"]) == {}
    store.write([row_of(1), row_of(2), row_of(1, b"y")])
    store.write([])
    other = FeatureStore(tmp_path)
    assert other.read(b"x", [b"clip1", b"clip2", b"clip3"]) == {
        b"clip1": row_of(1)[2:],
        b"clip2": row_of(2)[2:],
    }
    assert other.read(b"y", [b"clip1", b"clip2"]) == {b"clip1": row_of(1, b"y")[2:]}
    other.write([row_of(1)._replace(value=b"other")])
    assert store.read(b"x", [b"clip1"])[b"clip1"][1] == b"other"
    other.close()


@pytest.mark.parametrize("column", ["extractor", "clip", "outputs", "value", "checksum"])
def test_a_damaged_row_is_never_read(store, column):
    """Whatever part of it was changed: the row counts as missing, those beside it do not."""
    store.write([row_of(1), row_of(2)])
    database = sqlite3.connect(store.path)
    harm = {"extractor": b"y", "clip": b"clip3", "checksum": 1}.get(column, b"\xff")
    database.execute(f"UPDATE features SET {column} = ? WHERE clip = ?", (harm, b"clip1"))
    database.commit()
    database.close()
    if column in ("extractor", "clip"):
        assert store.read(b"y", [b"clip1"]) == store.read(b"x", [b"clip3"]) == {}
    assert store.read(b"x", [b"clip1", b"clip2"]) == {b"clip2": row_of(2)[2:]}
    assert store.damaged == 1
    store.write([row_of(1)])
    assert store.read(b"x", [b"clip1"]) == {b"clip1": row_of(1)[2:]}


@pytest.mark.parametrize("harm", ["garbage", "cut", "pages", "schema"])
def test_a_damaged_file_is_begun_anew(store, harm):
    """Garbage, a file cut short, overwritten pages, another table: a note, then an empty cache that works."""
    store.write([row_of(i)._replace(value=bytes([i]) * 5000) for i in range(20)])
    store.close()
    whole = store.path.read_bytes()
    if harm == "garbage":
        store.path.write_bytes(b"no database at all" * 300)
    elif harm == "cut":
        store.path.write_bytes(whole[: len(whole) // 2 + 100])
    elif harm == "pages":
        store.path.write_bytes(whole[:4096] + b"\x5a" * (len(whole) - 4096))
    else:
        store.path.unlink()
        database = sqlite3.connect(store.path)
        database.execute("CREATE TABLE features (other)")
        database.close()
    clips = [b"clip%d" % i for i in range(20)]
    with pytest.warns(Note, match=r"features\.sqlite is damaged; the features in it are made anew"):
        assert store.read(b"x", clips) == {}
    store.write([row_of(3)])
    assert store.read(b"x", clips) == {b"clip3": row_of(3)[2:]}


def test_a_file_that_another_process_has_replaced_is_left(tmp_path):
    """Of two that find the damage, the second does not remove what the first has written since."""
    first, second = FeatureStore(tmp_path), FeatureStore(tmp_path)
    for one in (first, second):
        one.write([row_of(1)])
    first.path.write_bytes(b"no database at all" * 300)
    with pytest.warns(Note):
        first.read(b"x", [b"clip1"])
    first.write([row_of(2)])
    with pytest.warns(Note):
        second.read(b"x", [b"clip1"])
    assert second.read(b"x", [b"clip2"]) == {b"clip2": row_of(2)[2:]}
    first.close()
    second.close()


@pytest.mark.parametrize("begun", [False, True])
def test_a_cache_that_is_deleted_meanwhile(tmp_path, begun):
    """The folder may be deleted at any time: the next write begins it anew, or goes to what another has begun."""
    store, other = FeatureStore(tmp_path / "c"), FeatureStore(tmp_path / "c")
    store.write([row_of(1)])
    shutil.rmtree(tmp_path / "c")
    if begun:
        other.write([row_of(3)])
    with pytest.warns(
        Note, match=r"features\.sqlite was removed meanwhile; the features in it are made anew"
    ):
        store.write([row_of(2)])
    clips = [b"clip1", b"clip2", b"clip3"]
    expected = {b"clip2": row_of(2)[2:]} | ({b"clip3": row_of(3)[2:]} if begun else {})
    assert store.read(b"x", clips) == other.read(b"x", clips) == expected
    store.close()
    other.close()


def run_together(*processes: tuple[str, ...]) -> list[int]:
    """Run Python code with arguments, each in a process of its own, from one moment on; return the exit codes."""
    code = "import sys; print('ready', flush=True); sys.stdin.readline()\n"
    opened = [
        subprocess.Popen(
            [sys.executable, "-c", text.replace("# go\n", code), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for text, *words in processes
    ]
    for process in opened:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    for process in opened:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in opened:
        process.communicate()
    return [process.returncode for process in opened]


def test_two_processes_lose_no_row(store):
    """Both begin on no file at all and write at once: every row of both is there."""
    code = """
import pathlib, sys
from moviola.pipelines.evaluate.store import FeatureStore, Row
store, name = FeatureStore(pathlib.Path(sys.argv[1])), sys.argv[2].encode()
# go
for i in range(40):
    rows = [Row(key, b"clip%d" % i, b"{}", bytes([i]) * 9) for key in (name, b"both")]
    store.write(rows)
    assert store.read(name, [b"clip%d" % i]) == {b"clip%d" % i: rows[0][2:]}
"""
    assert run_together((code, str(store.root), "x"), (code, str(store.root), "y")) == [0, 0]
    clips = [b"clip%d" % i for i in range(40)]
    for name in (b"x", b"y", b"both"):
        assert store.read(name, clips) == {clip: row_of(i, name)[2:] for i, clip in enumerate(clips)}


def test_a_transaction_that_is_killed_leaves_nothing(store):
    """A process killed between two rows of one transaction: the rows before it are there, its own are not."""
    store.write([row_of(1)])
    code = """
import os, pathlib, signal, sys
from moviola.pipelines.evaluate.store import FeatureStore
store = FeatureStore(pathlib.Path(sys.argv[1]))
# go
database = store._open()
database.execute("PRAGMA cache_size = 1")  # so that pages reach the disk before the end
database.execute("BEGIN IMMEDIATE")
for i in range(200):
    row = (b"x", b"more%d" % i, b"", bytes(4000), 0)
    database.execute("INSERT INTO features VALUES (?, ?, ?, ?, ?)", row)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_together((code, str(store.root))) == [-signal.SIGKILL]
    assert store.path.stat().st_size > 100 * 4096
    assert store.read(b"x", [b"clip1", b"more0", b"more199"]) == {b"clip1": row_of(1)[2:]}
    assert store.damaged == 0


def test_nothing_can_be_written(store, tmp_path):
    """A folder that is a file, a database that may only be read, a full disk: one line."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"the feature cache .*file cannot be written: "):
        FeatureStore(tmp_path / "file").read(b"x", [b"clip1"])
    store.write([row_of(1)])
    store._open().execute("PRAGMA query_only = 1")
    with pytest.raises(
        OutputError, match=r"cannot be written: attempt to write a readonly database"
    ) as caught:
        store.write([row_of(2)])
    assert "\n" not in str(caught.value)
    assert store.read(b"x", [b"clip1", b"clip2"]) == {b"clip1": row_of(1)[2:]}
    store.close()
    (pages,) = store._open().execute("PRAGMA page_count").fetchone()
    store._open().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutputError, match=r"the disk is full; clear it, or name another with MOVIOLA_CACHE"):
        store.write([row_of(2)._replace(value=bytes(99_999))])
    assert store.read(b"x", [b"clip1", b"clip2"]) == {b"clip1": row_of(1)[2:]}


# -- columns --------------------------------------------------------------------------------------------------------


def test_rows_join_in_the_order_of_the_names(store):
    """Rows written in any order give one array, a row a clip; the failed clip is named and has no row."""
    column = column_of(store)
    features, missing = column.read()
    assert (features.rows, features.outputs, missing) == ((), {}, [0, 1, 2, 3, 4])
    store.write([column.row(4, outputs_of(4)), column.row(1, outputs_of(1)), column.failure(2, "broken")])
    features, missing = column.read()
    assert (features.rows, features.failed, missing) == ((1, 4), (("clip2", "broken"),), [0, 3])
    store.write([column.row(3, outputs_of(3)), column.row(0, outputs_of(0))])
    for again in (column, column_of(store)):
        features, missing = again.read()
        assert (features.rows, missing) == ((0, 1, 3, 4), [])
        assert features.failed == (("clip2", "broken"),)
        assert np.array_equal(features.outputs["a"][:, 1, 2], [0, 1, 3, 4])
        assert np.array_equal(features.outputs["b"], [0, 0.5, 1.5, 2])
    assert [path.name for path in store.root.iterdir()] == ["features.sqlite"]


@pytest.mark.parametrize("small", [1, 1 << 20])
def test_more_rows_than_are_read_at_once(store, small, monkeypatch):
    """The bits of 150 rows, NaN and -0 among them; what is not small is mapped from disk and leaves no file behind."""
    monkeypatch.setattr("moviola.pipelines.evaluate.assemble._SMALL", small)
    values = np.random.default_rng(0).standard_normal((150, 7)).astype(np.float32)
    values[3, 1], values[140, 2] = np.nan, -0.0
    clips = {i: b"clip%d" % i for i in range(150)}
    names = [f"{i}" for i in range(150)]
    column = StoredColumn(store, b"x", "x", clips, names, names)
    store.write(column.row(i, {"a": values[i]}) for i in reversed(range(150)))
    features, missing = column.read()
    assert missing == [] and features.outputs["a"].tobytes() == values.tobytes()
    assert isinstance(features.outputs["a"], np.memmap) == (small == 1)
    assert [path.name for path in store.root.iterdir()] == ["features.sqlite"]


def test_a_failure_is_kept_by_where_its_file_lies(store):
    """The reason names the file, so it does not serve for a copy elsewhere."""
    column = column_of(store, count=1)
    store.write([column.failure(0, "clip0 is broken")])
    elsewhere = StoredColumn(store, b"x", "x", {0: b"clip0"}, NAMES, ["moved"])
    assert column.read()[0].failed == (("clip0", "clip0 is broken"),)
    assert (elsewhere.read()[0].failed, elsewhere.read()[1]) == ((), [0])


def test_shapes_must_agree(store):
    """Clips whose features differ in shape are refused, while they are made and when they are joined."""
    message = r"net gives a of shape \(4,\) for clip1 and \(3,\) for other clips"
    column = column_of(store, "net", 2)
    store.write([column.row(0, {"a": np.zeros(3)})])
    with pytest.raises(ConfigError, match=message):
        column.row(1, {"a": np.zeros(4)})
    store.write([column_of(store).row(1, {"a": np.zeros(4)})])
    with pytest.raises(ConfigError, match=message):
        column_of(store, "net", 2).read()


# -- evaluations ----------------------------------------------------------------------------------------------------


def test_one_clip_more_costs_one_clip(sets, metrics, tiny, clip):
    """Of a set, alone and in pairs; a metric more costs nothing where its extractor has seen the clips."""
    evaluate(*sets, metrics("fvd", "mse"), FRAMES_8)
    tiny.seen.clear()
    clip(77).save(sets[1] / "11.npz")
    ticks: list[int] = []
    evaluate(*sets, metrics("fvd", "mse"), FRAMES_8, tick=lambda advance=1, text="": ticks.append(advance))
    assert tiny.seen == ["11.npz"]
    assert sum(ticks) == 2  # and its real partner, which the pair's figure is made of
    evaluate(*sets, metrics("kvd", "motion"), FRAMES_8, expect=ticks.append)
    assert ticks[-1] == 0


def test_contents_count_and_not_places(sets, metrics, tiny, tmp_path):
    """A renamed folder and a zip of it cost nothing; a renamed clip only what reads names."""
    expected = evaluate(*sets, metrics(), FRAMES_8).scores
    tiny.seen.clear()
    moved = sets[1].rename(tmp_path / "moved")
    archive = tmp_path / "fake.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in moved.iterdir():
            file.write(path, path.name)
    for fake in (moved, archive):
        assert evaluate(sets[0], fake, metrics(), FRAMES_8).scores == expected
    assert tiny.seen == []
    (moved / "03.npz").rename(moved / "other.npz")
    evaluate(sets[0], moved, metrics(), FRAMES_8)
    assert tiny.seen == ["other.npz"]


def test_an_extractor_is_asked_again_for_what_it_reads(sets, metrics, tiny, monkeypatch):
    """By another name or caption only where it reads them; damaged copies, which names seed, are made anew."""
    monkeypatch.setattr(tiny, "reads", ("caption",), raising=False)
    evaluate(*sets, metrics("fvd"), FRAMES_8, sanity=True)
    tiny.seen.clear()
    (sets[0] / "03.npz").rename(sets[0] / "other.npz")
    evaluate(*sets, metrics("fvd"), FRAMES_8, sanity=True)
    assert tiny.seen == ["other.npz"] * 7
    (sets[0] / "captions.csv").write_text("file,caption\n07.npz,a square\n")
    tiny.seen.clear()
    evaluate(*sets, metrics("fvd"), FRAMES_8)
    assert tiny.seen == ["07.npz"]
    monkeypatch.setattr(tiny, "reads", ())
    evaluate(*sets, metrics("fvd"), FRAMES_8)
    tiny.seen.clear()
    (sets[0] / "captions.csv").write_text("file,caption\n07.npz,another\n08.npz,a square\n")
    evaluate(*sets, metrics("fvd"), FRAMES_8)
    assert tiny.seen == []


def test_files_are_hashed_once(sets, metrics, monkeypatch):
    """As long as their sizes and times are the same; what was written a moment ago is not trusted to say so."""
    hashed: list[str] = []
    digest = FolderStore.digest
    monkeypatch.setattr(FolderStore, "digest", lambda self, name: hashed.append(name) or digest(self, name))
    monkeypatch.setattr("moviola.core.contents._SETTLED", 10**18)
    for _ in range(2):
        evaluate(*sets, metrics("fvd"), FRAMES_8)
    assert len(hashed) == 2 * (12 + 9)
    monkeypatch.setattr("moviola.core.contents._SETTLED", -1)
    evaluate(*sets, metrics("fvd"), FRAMES_8)
    hashed.clear()
    evaluate(*sets, metrics("fvd"), FRAMES_8)
    assert hashed == []
    path = sets[0] / "03.npz"
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(1, 1))
    evaluate(*sets, metrics("fvd"), FRAMES_8)
    assert hashed == ["03.npz"]


def test_a_file_that_changes_meanwhile(sets, metrics, tiny, clip):
    """What is decoded is not what the key says: one line, and nothing is kept that could be taken for the clip."""
    path = sets[1] / "03.npz"
    before = path.read_bytes()

    def late(job, blocks):
        clip(99).save(path)
        yield from serial(job, blocks)

    with pytest.raises(InputError, match=r"03\.npz was changed while it was evaluated; evaluate again"):
        evaluate(*sets, metrics(), FRAMES_8, mapper=late)
    path.write_bytes(before)
    assert (
        evaluate(*sets, metrics(), FRAMES_8).scores
        == evaluate(*sets, metrics(), FRAMES_8, cache=False).scores
    )
    path.touch()  # another time, the same contents
    evaluate(*sets, metrics(), FRAMES_8, mapper=lambda job, blocks: path.touch() or serial(job, blocks))


@pytest.mark.parametrize("harm", ["row", "file"])
def test_damage_is_made_anew(sets, metrics, tiny, own_cache, harm):
    """A flipped bit costs the clip it is in, a broken file all; a note says so, and the scores are the same."""
    expected = evaluate(*sets, metrics(), FRAMES_8).scores
    tiny.seen.clear()
    path = own_cache / "features.sqlite"
    if harm == "file":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        database = sqlite3.connect(path)
        (value,) = database.execute("SELECT max(value) FROM features WHERE length(value) = 40").fetchone()
        flipped = bytes([value[0] ^ 1]) + value[1:]
        database.execute("UPDATE features SET value = ? WHERE value = ?", (flipped, value))
        database.commit()
        database.close()
    with pytest.warns(Note, match="made anew"):
        assert evaluate(*sets, metrics(), FRAMES_8).scores == expected
    assert len(tiny.seen) == {"row": 1, "file": 12 + 9}[harm]
    with warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        assert evaluate(*sets, metrics(), FRAMES_8).scores == expected


def test_rows_that_vanish_are_made_again(sets, metrics, tiny, own_cache):
    """Another process that begins the file anew takes rows away: they are made again, or one line says why not."""
    expected = evaluate(*sets, metrics(), FRAMES_8, cache=False).scores

    def losing(times):
        def work(job, blocks):
            yield from serial(job, blocks)
            if len(turns) < times:
                with sqlite3.connect(own_cache / "features.sqlite") as database:
                    database.execute("DELETE FROM features")
            turns.append(1)

        turns: list[int] = []
        return work

    assert evaluate(*sets, metrics(), FRAMES_8, mapper=losing(1)).scores == expected
    (own_cache / "features.sqlite").unlink()
    with pytest.raises(OutputError, match=r"features does not keep what is written to it"):
        evaluate(*sets, metrics(), FRAMES_8, mapper=losing(9))


def test_a_stopped_run_goes_on_and_is_never_taken_for_whole(sets, metrics, tiny):
    """Stopped in the middle: the next run makes only what is missing, with the same scores."""
    expected = evaluate(*sets, metrics(), FRAMES_8, cache=False).scores
    tiny.seen.clear()

    def stopped(job, blocks):
        single = [[unit] for units in blocks for unit in units]
        yield from serial(job, single[:10])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(*sets, metrics(), FRAMES_8, mapper=stopped)
    assert len(tiny.seen) == 10
    assert evaluate(*sets, metrics(), FRAMES_8).scores == expected
    assert len(tiny.seen) == 12 + 9


MORTAL = """
import os, runpy, signal, sys
from moviola.metrics.kinds import SetMetric
from moviola.metrics.protocol import Protocol
from moviola.pipelines.evaluate import evaluate
support, real, fake, last = sys.argv[1:]
class Mortal(runpy.run_path(support)["Tiny"]):
    def __call__(self, sample):
        if len(self.seen) == int(last):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(sample)
metric = SetMetric("fvd", extractor=Mortal(), output="features")
# go
evaluate(real, fake, [metric], Protocol(frames=8))
"""
SUPPORT = str(Path(__file__).with_name("conftest.py"))


def test_what_a_killed_process_kept_is_known(sets, metrics, tiny):
    """It dies at its 19th clip, in the second block: the 16 of the first are not looked at again."""
    assert run_together((MORTAL, SUPPORT, *map(str, sets), "18")) == [-signal.SIGKILL]
    scores = evaluate(*sets, metrics("fvd"), FRAMES_8).scores
    assert len(tiny.seen) == 12 + 9 - 16
    assert scores == evaluate(*sets, metrics("fvd"), FRAMES_8, cache=False).scores


def test_processes_share_the_cache(sets, metrics, tiny, tmp_path, make_set):
    """Two that evaluate at once against one REAL: what either made is known afterwards, with the right scores."""
    other = make_set(tmp_path / "other", 5, 3)
    runs = [(MORTAL, SUPPORT, str(sets[0]), str(fake), "99") for fake in (sets[1], other)]
    assert run_together(*runs) == [0, 0]
    for fake in (sets[1], other):
        scores = evaluate(sets[0], fake, metrics("fvd"), FRAMES_8).scores
        assert tiny.seen == []
        assert scores == evaluate(sets[0], fake, metrics("fvd"), FRAMES_8, cache=False).scores
        tiny.seen.clear()


def test_nothing_but_failures(sets, metrics, monkeypatch):
    """Kept like features: the second time nothing is decoded."""
    monkeypatch.setattr(Source, "read", lambda self, index, indices=None: _broken(self[index].name))
    for total in (12 + 9, 0):
        totals: list[int] = []
        with pytest.raises(
            InputError, match=r"none of 12 clips could be decoded; the first: 00\.npz is damaged within"
        ):
            evaluate(*sets, metrics(), FRAMES_8, skip_bad=True, expect=totals.append)
        assert totals == [total]


def _broken(name: str):
    raise VideoReadError(f"{name} is damaged within")


def test_failures_are_not_skipped_by_a_strict_run(sets, metrics, monkeypatch):
    """What a run with skip_bad left out stops a run without it, from the cache as from the files."""
    original = Source.read

    def sometimes(self, index, indices=None):
        if self[index].name == "03.npz" and self.path.name == "fake":
            _broken("03.npz")
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
