"""Which result was made from which: by the contents of the files, whatever became of their names."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from moviola.core.contents import contents
from moviola.core.errors import InputError
from moviola.core.provenance import Ingredient, Provenance, recording
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.descent import Result, descent, read_provenance


class FromFiles:
    """Records that every file was made from the same ones."""

    def __init__(self, *paths):
        self._paths = paths

    def record(self, path):
        inputs = tuple(
            Ingredient("input", os.path.relpath(one, path.parent), contents(one)) for one in self._paths
        )
        return Provenance(verb="refine", version="0.1.0", inputs=inputs)


def make(path, number: int, *parents):
    """Write a clip whose record names its parents."""
    with recording(FromFiles(*parents) if parents else None):
        return codec.write(Video(np.full((2, 16, 16, 3), number, np.uint8), 5), path)


@pytest.fixture
def results(tmp_path):
    """source -> first -> second, a folder of frames from both, and one that says nothing."""
    folder = tmp_path / "results"
    (folder / "sub").mkdir(parents=True)
    source = make(folder / "source.npz", 1)
    first = make(folder / "sub" / "first.npz", 2, source)
    second = make(folder / "second.npz", 3, first)
    make(f"{folder / 'frames'}/", 4, second, source)
    make(folder / "alone.npz", 5)
    return folder


def parents(folder) -> dict[str, list[str]]:
    """Result to its parents, by the paths below the folder."""
    return {
        str(one.path.relative_to(folder)): [str(parent.relative_to(folder)) for parent in one.parents]
        for one in descent(folder)
    }


TREE = {
    "frames": ["second.npz", "source.npz"],
    "second.npz": ["sub/first.npz"],
    "source.npz": [],
    "sub/first.npz": ["source.npz"],
}


def test_every_result_and_its_parents(results):
    """In the order of paths; a source without a record is there where something came from it."""
    assert parents(results) == TREE
    assert list(parents(results)) == sorted(TREE)
    assert descent(results)[2] == Result(results / "source.npz", None)


def test_a_moved_and_renamed_parent_is_found(results):
    """The contents count; a name only where contents are the same."""
    os.rename(results / "sub" / "first.npz", results / "other.npz")
    assert parents(results)["second.npz"] == ["other.npz"]
    shutil.copyfile(results / "other.npz", results / "first.npz")
    assert parents(results)["second.npz"] == ["first.npz"]


def test_the_whole_folder_may_move(results, tmp_path):
    """Nothing in a record is a place of the machine."""
    moved = tmp_path / "elsewhere"
    results.rename(moved)
    assert parents(moved) == TREE


def test_what_was_written_over_is_no_parent(results):
    """Then the input is missing, and named."""
    make(results / "source.npz", 9)
    first = next(one for one in descent(results) if one.path.name == "first.npz")
    assert first.parents == ()
    assert [one.name for one in first.missing] == ["../source.npz"]


def test_a_folder_of_frames_is_a_parent(results):
    """A folder that a record names is compared with all that is in it, also one without a record of its own."""
    make(results / "again.npz", 6, results / "frames")
    make(f"{results / 'painted'}/", 7)
    make(results / "last.npz", 8, results / "painted")
    assert parents(results)["again.npz"] == ["frames"]
    assert parents(results)["last.npz"] == ["painted"]


def test_nothing_above_the_folder_is_looked_at(tmp_path):
    """An input outside the folder is missing there, though the file exists."""
    (tmp_path / "in").mkdir()
    outside = make(tmp_path / "source.npz", 1)
    make(tmp_path / "in" / "made.npz", 2, outside)
    (only,) = descent(tmp_path / "in")
    assert (only.parents, len(only.missing)) == ((), 1)


def test_a_changed_record_is_read_again(results):
    """What is kept in memory goes by what the file system says of the file."""
    assert read_provenance(results / "second.npz") is not None
    descent(results)
    make(results / "second.npz", 3)
    assert "second.npz" not in parents(results) or parents(results)["second.npz"] == []


def test_what_is_no_folder(tmp_path):
    """One line says so; an empty folder has no results."""
    with pytest.raises(InputError, match="no folder of results"):
        descent(tmp_path / "none")
    assert descent(tmp_path) == []
