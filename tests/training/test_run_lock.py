"""One training at a time in a folder."""

from __future__ import annotations

import threading

import pytest

from moviola.core.errors import OutputError
from moviola.core.locks import FolderLock
from moviola.training.run_lock import hold


def test_held_by_another_training(toys, tmp_path):
    """Nothing of it is touched; afterwards the folder is free, and no lock lies in it."""
    with FolderLock(tmp_path, "a training"), pytest.raises(OutputError, match="in use by a training"):
        toys.trainer(toys.Adversarial(), tmp_path).run()
    assert not list(tmp_path.iterdir())
    toys.trainer(toys.Adversarial(), tmp_path).run()
    assert not (tmp_path / ".lock").exists() and (tmp_path / "log.jsonl").exists()


def test_held_once(tmp_path):
    """Within a block of the same thread it does nothing, in another thread it refuses; other ranks hold nothing."""
    said = []

    def other() -> None:
        try:
            with hold(tmp_path):
                said.append("let in")
        except OutputError as error:
            said.append(str(error))

    with hold(tmp_path):
        with hold(tmp_path):
            pass
        assert (tmp_path / ".lock").exists()
        with hold(tmp_path, main=False):
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(said) == 1 and "in use by a training" in said[0]
    with hold(tmp_path, main=False):
        assert not (tmp_path / ".lock").exists()
