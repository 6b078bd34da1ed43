"""Writing beside and renaming: whole or not at all, with the permissions of the umask, on a disk that is full too."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import moviola
from moviola.core import atomic
from moviola.core.errors import OutputError

SOURCE = Path(moviola.__file__).parent


@pytest.fixture(params=[0o022, 0o027, 0o077, 0o002])
def umask(request):
    """The umask, set for the time of the test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_permissions_are_those_of_the_umask(tmp_path, umask):
    """For a file written at once or in a block, a new folder, a checkpoint, and a folder moved into a cache."""
    atomic.write_atomic(tmp_path / "a.json", b"{}")
    with atomic.staged(tmp_path / "b.txt") as beside:
        beside.write_text("b")
    with atomic.new_folder(tmp_path / "c") as beside:
        (beside / "x").write_bytes(b"")
    with atomic.workplace(tmp_path, "d") as beside:
        (beside / "y").write_bytes(b"")
        atomic.into_place(beside, tmp_path / "d")
    for name in ("a.json", "b.txt", "c/x", "d/y"):
        assert mode(tmp_path / name) == 0o666 & ~umask
    for name in ("c", "d"):
        assert mode(tmp_path / name) == 0o777 & ~umask
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.txt", "c", "d"]


def test_outputs_of_every_kind_have_them(tmp_path, umask):
    """Videos, weights and captions, by what writes them."""
    import numpy as np

    from moviola.core.video import Video
    from moviola.data import codec
    from moviola.data.cache import open_cached
    from moviola.data.sources import open_source

    video = Video(np.zeros((2, 16, 16, 3), np.uint8), 25)
    (tmp_path / "clips").mkdir()
    paths = [
        codec.write(video, tmp_path / "clips" / f"a{suffix}")
        for suffix in (".mp4", ".gif", ".webp", ".npz", ".apng")
    ]
    cached = open_cached(open_source(tmp_path / "clips"), root=tmp_path / "cache")
    paths += list(cached.path.iterdir())
    assert len(paths) == 7
    for path in paths:
        assert mode(path) == 0o666 & ~umask, path
    assert mode(cached.path) == 0o777 & ~umask


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("x"), KeyboardInterrupt()])
@pytest.mark.parametrize("folder", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, folder, error):
    with atomic.staged(tmp_path / "a", folder=folder) as beside:
        (beside / "x" if folder else beside).write_text("old")
    with (
        pytest.raises(OutputError if isinstance(error, OSError) else type(error)),
        atomic.staged(tmp_path / "a", folder=folder) as beside,
    ):
        (beside / "x" if folder else beside).write_text("new")
        raise error
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a" / "x" if folder else tmp_path / "a").read_text() == "old"


def test_an_error_names_the_target_not_the_hidden_place(tmp_path):
    with pytest.raises(OutputError) as error, atomic.new_folder(tmp_path / "out") as beside:
        atomic.write_atomic(beside / "no" / "x", b"")
    assert (
        str(error.value)
        == f"cannot write {tmp_path}/out/no/x: {tmp_path}/out/no does not exist; make it first"
    )


def test_a_reader_that_went_away_is_no_fault_of_the_disk(tmp_path):
    with pytest.raises(BrokenPipeError), atomic.staged(tmp_path / "a"):
        raise BrokenPipeError
    assert not os.listdir(tmp_path)


def test_into_place_takes_what_another_process_made(tmp_path):
    """A whole one stays and is taken; a damaged one goes; a cache is never without one of them."""
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "theirs").touch()
    with atomic.workplace(tmp_path, "key") as beside:
        (beside / "ours").touch()
        assert atomic.into_place(beside, tmp_path / "key", lambda: "theirs") == "theirs"
    assert os.listdir(tmp_path / "key") == ["theirs"]
    with atomic.workplace(tmp_path, "key") as beside:
        (beside / "ours").touch()
        assert atomic.into_place(beside, tmp_path / "key") is None
    assert os.listdir(tmp_path / "key") == ["ours"]
    assert os.listdir(tmp_path) == ["key"]


FULL_DISK = """if True:
    import builtins, errno, io, os, sys
    from pathlib import Path
    import numpy as np
    from moviola.core.errors import OutputError
    from moviola.core.video import Video
    from moviola.data import codec
    noise = np.random.default_rng(0).integers(0, 256, (30, 96, 96, 3), dtype=np.uint8)
    target, left = sys.argv[1], int(sys.argv[2])
    codec.write(Video(noise[:1, :8, :8], 25), target)
    before = sorted(os.listdir(Path(target).parent))
    class Full(io.FileIO):  # a file on a disk with room for `left` bytes more
        def write(self, data):
            global left
            if len(memoryview(data).cast("B")) > left:
                raise OSError(errno.ENOSPC, "No space left on device")
            left -= len(memoryview(data).cast("B"))
            return super().write(data)
    plain = io.open
    def opened(file, mode="r", *rest, **more):
        binary = "b" in mode and any(sign in mode for sign in "wx+")
        if not binary:
            return plain(file, mode, *rest, **more)
        raw = Full(file, mode.replace("b", ""), opener=more.get("opener"))
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    builtins.open = io.open = opened
    import tempfile
    tempfile._io.open = opened
    try:
        codec.write(Video(noise, 25), target)
    except OutputError as error:
        print(error)
    builtins.open = io.open = plain
    assert sorted(os.listdir(Path(target).parent)) == before, os.listdir(Path(target).parent)
    assert codec.read(target).frames.shape == (1, 8, 8, 3)
"""


@pytest.mark.parametrize("left", [0, 5000, 60000])
@pytest.mark.parametrize("suffix", [".webp", ".npz", "/"])
def test_a_full_disk_is_one_line_and_nothing_is_left(tmp_path, suffix, left):
    """For what Python itself writes; FFmpeg's writers meet a limit of the system in `tests/data`."""
    command = [sys.executable, "-c", FULL_DISK, f"{tmp_path}/a{suffix}", str(left)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"cannot write {tmp_path}/a")
    assert done.stdout.endswith(": the disk is full\n")
    assert done.stdout.count("\n") == 1


RENAMES = {"rename", "replace", "renames", "mkstemp", "mkdtemp", "NamedTemporaryFile", "move"}


def test_nothing_else_renames():
    """`os.rename`, `os.replace`, `Path.rename`, `mkstemp` and the like stand in `core/atomic.py` alone."""
    outside = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            named = node.func.attr in RENAMES and owner in ("os", "shutil", "tempfile")
            if named or (node.func.attr == "rename" and len(node.args) == 1):
                outside.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert [line for line in outside if not line.startswith("core/atomic.py")] == []
