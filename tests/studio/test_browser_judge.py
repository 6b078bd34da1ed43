"""Judging in a real browser, with the real verb."""

from __future__ import annotations

import shutil

import pytest


@pytest.mark.slow
def test_two_folders_are_judged_and_the_report_read_in_place(served, new_tab, folder):
    """The report of `moviola evaluate` stands in the page, and its scripts have no part in the studio's origin."""
    for name in ("real", "made"):
        (folder / name).mkdir()
        for number, clip in enumerate(("a.mp4", "fast.mp4")):
            shutil.copy(folder / clip, folder / name / f"{number}.mp4")
    tab = new_tab(served)
    tab.open("#/judge?real=real&fake=made")
    tab.until("document.querySelector('form[data-verb=evaluate]')")
    tab.page.click(".presets >> text=motion and flicker")
    tab.page.click("form button[type=submit]")
    tab.until("document.querySelector('iframe, .job.failed')")
    assert tab.run("[...document.querySelectorAll('.job .error')].map((e) => e.textContent)") == []
    inside = tab.page.frame_locator("iframe")
    assert "made against real" in inside.locator("h1").inner_text()
    assert inside.locator("text=flicker").count() > 0
    origin = tab.page.frames[-1].evaluate("window.origin")
    assert origin == "null"
    assert tab.faults == []
