"""Bars of progress: on a terminal alone, and none where silence is wanted."""

from __future__ import annotations

import os
import sys

import pytest

from moviola.core.progress import bars_are_shown, progress, silence


@pytest.fixture
def terminal(monkeypatch):
    """Standard error that says it is a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_silence_ends_with_its_block(terminal, capsys):
    with silence():
        assert not bars_are_shown()
        with silence(), progress("work", 3) as tick:
            tick()
        assert not bars_are_shown()
    assert capsys.readouterr() == ("", "")
    with silence(False):
        assert bars_are_shown() == sys.stderr.isatty()


def test_the_librarys_bars_are_as_they_were(monkeypatch):
    """Those of huggingface_hub, loaded before, are off inside the block; the switch for those to come is set."""
    library = pytest.importorskip("huggingface_hub.utils")
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    module = sys.modules[library.are_progress_bars_disabled.__module__]
    monkeypatch.setattr(module, "HF_HUB_DISABLE_PROGRESS_BARS", None)
    library.enable_progress_bars()
    with silence():
        assert library.are_progress_bars_disabled() and os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "1"
        with silence():
            pass
        assert library.are_progress_bars_disabled() and os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "1"
    assert not library.are_progress_bars_disabled() and "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ
