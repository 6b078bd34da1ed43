"""Editing in a real browser: sliders that replay at once, and the map of a space."""

from __future__ import annotations

import pytest

from moviola.data import codec


@pytest.mark.slow
def test_bands_replay_at_once_and_are_kept_as_a_clip(served, new_tab, folder):
    """A slider changes what plays; a kept edit is a job of `moviola edit motion` with the same gains."""
    tab = new_tab(served)
    tab.open("#/edit")
    tab.until("document.querySelectorAll('.band').length === 3")
    before = tab.run("edit.strip.strip")
    tab.page.locator("[aria-label='gain of high']").fill("0")
    tab.until(f"edit.strip.strip !== {before!r} && !edit.waiting")
    assert tab.run("edit.gains") == [1, 1, 0]
    tab.page.fill("[aria-label=frames]", "8")
    tab.until("edit.strip.frames === 8 && !edit.waiting")
    tab.page.click("text=keep it as a clip")
    tab.until("document.querySelector('#notice p')?.textContent.includes('edit-motion-1.mp4')")
    tab.open("#/make")
    tab.until("document.querySelector('.job.done, .job.failed')")
    assert codec.probe(folder / "edit-motion-1.mp4").frames == 8
    tab.page.click(".job >> text=log")
    assert "--gain=high=0" in tab.until("document.querySelector('.job pre').textContent")
    assert tab.faults == []


def test_the_map_is_ordered_once(folder, stub, new_tab):
    """It is a job like any other, and its page is shown in place when it is drawn."""
    from .conftest import serving

    with serving(folder, program=stub) as url:
        tab = new_tab(url)
        tab.open("#/edit?part=map")
        tab.page.click("text=draw the map")
        tab.until("document.querySelector('iframe')?.getAttribute('src') === '/media/edit-map-1.html'")
        assert (folder / "edit-map-1.html").read_text() == tab.run(
            "document.querySelector('[aria-label=model]').value"
        )
