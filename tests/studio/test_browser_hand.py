"""Restyling by hand in a real browser, with the real verb."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from moviola.data import codec


@pytest.mark.slow
def test_a_key_is_repainted_and_only_its_parts_are_carried(served, new_tab, folder, tmp_path):
    """Keys are added, moved and removed; painted; one is uploaded repainted: its two parts are made anew, no other."""
    tab = new_tab(served)
    tab.open("#/hand?clip=a.mp4")
    tab.until("window.hand && document.querySelector('.plot svg')")
    for frame in (7, 16, 20):
        tab.page.fill(".plot [aria-label=frame]", str(frame))
        tab.page.click(".plot >> text=add")
        tab.until(f"hand.keys.includes({frame})")
    tab.page.focus(".plot [data-key='7']")
    tab.page.keyboard.press("ArrowRight")
    tab.until("hand.keys.includes(8) && !hand.keys.includes(7)")
    tab.page.focus(".plot [data-key='20']")
    tab.page.keyboard.press("Delete")
    tab.until("hand.keys.join() === '0,8,16'")

    tab.page.select_option("[aria-label=painter]", "sketch")
    tab.page.click("[data-step=paint]")
    tab.until(
        "hand.session.keys.every((key) => key.by === 'painter') || document.querySelector('.job.failed')"
    )
    tab.page.click("[data-step=carry]")
    tab.until("hand.session.parts.length === 3 && document.querySelector('.hand video')")
    assert (folder / "by-hand-1.mp4").is_file()

    red = tmp_path / "mine.png"
    Image.fromarray(np.broadcast_to(np.array([200, 30, 30], np.uint8), (48, 64, 3)).copy()).save(red)
    tab.page.click(".keys-strip [data-frame='16']")
    tab.page.set_input_files(".key-panel input[type=file]", red)
    tab.until("hand.session.keys[2].by === 'hand'")
    tab.page.click("[data-step=carry]")
    tab.until(
        "document.querySelector('.hand video')?.src.endsWith('by-hand-2.mp4')"
        " && document.querySelectorAll('.parts .anew').length < 3"
    )
    assert tab.run("[...document.querySelectorAll('.parts .anew')].map((p) => p.dataset.start)") == [
        "8",
        "16",
    ]
    assert tab.run("document.querySelectorAll('.job.failed').length") == 0
    last = codec.read_frames_at(folder / "by-hand-2.mp4", [20])[0].astype(int)
    assert (last[..., 0] - last[..., 1]).mean() > 80  # the paint of key 16 is carried to the frames after it
    assert tab.faults == []


@pytest.mark.parametrize("page", ["look", "make", "judge", "hand", "edit"])
def test_pages_show_no_values_of_the_script(served, new_tab, page):
    """Something is shown, and nothing that is missing shows as a word of JavaScript."""
    tab = new_tab(served)
    tab.open(f"#/{page}")
    tab.until("document.querySelector('main').innerText.length > 8")
    words = set(tab.page.inner_text("main").split())
    assert words and not words & {"false", "true", "null", "undefined", "NaN", "[object"}
