"""The gallery and the player in a real browser."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest

from .conftest import STEP

# the grey level in the middle of each canvas, as a frame number
READ = f"""[...document.querySelectorAll('.stage canvas')].map((canvas) => {{
    const level = canvas.getContext('2d').getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data[0];
    return Math.round((level - 10) / {STEP});
}})"""
# read in every turn of the browser, until all frames of the first clip were seen
WATCH = f"""async () => {{
    const seen = [], numbers = new Set();
    while (numbers.size < 24) {{
        await new Promise(requestAnimationFrame);
        const frames = {READ};
        seen.push(frames);
        numbers.add(frames[0]);
    }}
    return seen;
}}"""


@pytest.fixture
def tab(served, new_tab):
    """A tab at the studio."""
    return new_tab(served)


def test_only_what_is_in_view_is_loaded(tab, folder):
    """Of 120 clips few are asked for; scrolling to the end asks for the last."""
    for number in range(120):
        shutil.copy(folder / "a.mp4", folder / f"many-{number:03}.mp4")
    tab.open("#/look")
    tab.until(
        "document.querySelectorAll('.card').length === 123 && document.querySelectorAll('.card video').length > 0"
    )
    shown = tab.run("[...document.querySelectorAll('.card video')].length")
    assert 0 < shown < 60
    last = tab.run("[...document.querySelectorAll('.card')].at(-1).dataset.name")
    assert not any(f"/media/{last}" in url for url in tab.requests)
    tab.run("scrollTo(0, document.body.scrollHeight)")
    tab.until("[...document.querySelectorAll('.card')].at(-1).querySelector('video')")
    tab.until("!document.querySelector('.card').querySelector('video')")
    assert tab.faults == []


def test_nothing_loads_from_outside(tab):
    """Every request of every page goes to the studio."""
    for place in ("#/look", "#/compare?clips=a.mp4&clips=b.mp4"):
        tab.open(place)
        tab.until("document.querySelector('main').children.length > 0")
    hosts = {
        urlsplit(url).netloc for url in tab.requests if urlsplit(url).scheme not in ("blob", "data", "about")
    }
    assert hosts == {urlsplit(tab.url).netloc} and tab.faults == []


def test_two_clips_stay_in_step(tab):
    """Read from the page in every turn while it plays: both show the same frame, and every frame is shown."""
    tab.open("#/compare?clips=a.mp4&clips=b.mp4")
    tab.until("window.studio?.player.shown.length === 2")
    tab.run("studio.player.speed = 0.5")
    seen = tab.run(WATCH)
    assert {tuple(pair) for pair in seen} == {(n, n) for n in range(24)}


def test_clips_of_two_rates_stay_in_step(tab):
    """A frame of the slower one lasts for two of the faster."""
    tab.open("#/compare?clips=fast.mp4&clips=a.mp4")
    tab.until("window.studio?.player.shown.length === 2")
    tab.run("studio.player.speed = 0.5")
    seen = {tuple(pair) for pair in tab.run(WATCH)}
    assert {(n, n // 2) for n in range(24)} <= seen
    assert all(
        slow == fast // 2 or fast == 23 for fast, slow in seen
    )  # the shorter one waits with its last frame


def test_frame_by_frame(tab):
    """Arrows go one frame, with its number; shift ten; home and end; space plays."""
    tab.open("#/compare?clips=a.mp4&clips=b.mp4&frame=5")
    tab.until("window.studio?.player.shown[0] === 5")
    for key, frame in [
        ("ArrowRight", 6),
        ("ArrowRight", 7),
        ("ArrowLeft", 6),
        ("Shift+ArrowRight", 16),
        ("End", 23),
        ("Home", 0),
    ]:
        tab.page.keyboard.press(key)
        tab.until(f"studio.player.shown[0] === {frame}")
        assert tab.run(READ) == [frame, frame]
        assert (
            tab.run("[...document.querySelectorAll('.stage output')].map((o) => o.textContent)")
            == [f"frame {frame}"] * 2
        )
    tab.page.keyboard.press("Space")
    assert tab.until("studio.player.playing")


def test_ways_to_compare(tab):
    """Keys choose: a number shows one clip alone, d the difference, w the wipe, x the slices; four fit."""
    tab.open("#/compare?clips=a.mp4&clips=b.mp4&clips=fast.mp4&clips=a.mp4&frame=4")
    tab.until("window.studio?.player.shown.length === 4")
    assert len(tab.run(READ)) == 4
    tab.page.keyboard.press("3")
    tab.until("document.querySelectorAll('.stage canvas').length === 1 && !studio.player.wanted")
    assert tab.run(READ) == tab.run("[studio.player.shown[2]]")
    tab.page.keyboard.press("d")
    means = tab.until("studio.mode === 'difference' && studio.means?.length === 3 && studio.means")
    shown = tab.run("studio.player.shown")
    assert means[0] == means[2] == 0  # the same clip twice, and its twin
    assert abs(means[1] - STEP * abs(shown[0] - shown[2])) <= 2
    tab.page.keyboard.press("w")
    tab.until("studio.stage.dataset.mode === 'wipe' && !studio.player.wanted")
    tab.page.keyboard.press("x")
    tab.until(
        "[...document.querySelectorAll('.slice img')].filter((i) => i.naturalHeight === 24).length === 4"
    )
    tab.page.keyboard.press("Escape")
    tab.until("document.querySelector('.grid')")
    assert tab.faults == []


def test_the_gallery_by_key(tab):
    """Arrows go from clip to clip, space chooses, c compares."""
    tab.open("#/look")
    tab.until("document.querySelectorAll('.card').length === 3")
    names = tab.run("[...document.querySelectorAll('.card')].map((c) => c.dataset.name)")
    for key in ("ArrowRight", "Space", "ArrowRight", "Space", "c"):
        tab.page.keyboard.press(key)
    tab.until("window.studio?.player.shown.length === 2")
    assert tab.run("studio.clips.map((c) => c.name)") == names[:2]


def test_a_clip_is_handed_in(tab, folder, tmp_path):
    """It appears in the gallery; one that is no video is refused in a line that stays."""
    new = tmp_path / "new.mp4"
    shutil.copy(folder / "a.mp4", new)
    tab.open("#/look")
    tab.until("document.querySelectorAll('.card').length === 3")
    tab.page.set_input_files("input[type=file]", new)
    tab.until("document.querySelector('[data-name=\"new.mp4\"]')")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    tab.page.set_input_files("input[type=file]", tmp_path / "bad.mp4")
    assert "bad.mp4" in tab.until("document.querySelector('#notice .bad')?.textContent")


def test_a_second_tab_does_not_disturb_the_first(served, new_tab):
    """Each has a state of its own."""
    first, second = new_tab(served), new_tab(served)
    first.open("#/compare?clips=a.mp4&clips=b.mp4&frame=7")
    first.until("window.studio?.player.shown[0] === 7")
    second.open("#/compare?clips=b.mp4&frame=2")
    second.until("window.studio?.player.shown[0] === 2")
    second.page.keyboard.press("ArrowRight")
    second.until("studio.player.shown[0] === 3")
    assert first.run("studio.player.shown") == [7, 7]
