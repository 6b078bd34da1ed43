"""One at a time: a second one is told who; a killed one leaves nothing that counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from moviola.core.errors import OutputError
from moviola.core.locks import NAME, FolderLock

HOLD = """
import sys
from pathlib import Path
from moviola.core.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]), "a restyling")
print("held", flush=True)
sys.stdin.read()
"""


def holder(folder) -> subprocess.Popen:
    """Start a process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_another_process_is_named(tmp_path):
    """Which, since when; once it has ended the folder is free, and empty."""
    process = holder(tmp_path)
    expected = (
        rf"in use by a restyling \(process {process.pid} on .+, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\)"
    )
    for _ in range(2):
        with pytest.raises(OutputError, match=expected):
            FolderLock(tmp_path, "a training")
    process.communicate("")
    assert not list(tmp_path.iterdir())
    with FolderLock(tmp_path, "a training"):
        assert "a training" in (tmp_path / NAME).read_text()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_killed_process_holds_nothing(tmp_path):
    """Its file may be left; the lock is not."""
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    assert (tmp_path / NAME).exists()
    with FolderLock(tmp_path, "a training"):
        assert str(os.getpid()) in (tmp_path / NAME).read_text()


def test_a_lock_that_is_let_go_is_no_longer_held(tmp_path):
    """In one process too, and when nobody refers to it any more."""
    lock = FolderLock(tmp_path, "one")
    with pytest.raises(OutputError, match=f"in use by one .process {os.getpid()} "):
        FolderLock(tmp_path, "two")
    lock.release()
    lock.release()
    with FolderLock(tmp_path, "two"):
        pass
