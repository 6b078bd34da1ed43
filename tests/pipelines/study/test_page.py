"""The page of a study in a real browser: answered by keys, interrupted, saved, and read back."""

from __future__ import annotations

import json

import pytest

from moviola.pipelines.study import make_study, read_study
from moviola.pipelines.study.clips import ClipSettings
from moviola.pipelines.study.records import load_answers, load_study

PLAYING = "new Promise(d => {const t = setInterval(() => {const v = [...document.querySelectorAll('video')];\
 if (v.every(c => !c.paused && c.currentTime > 0.05)) {clearInterval(t); d(v.map(c => c.currentTime))}}, 10)})"
WEBM = ClipSettings(format="webm")  # which every build of Chromium plays
KEYS = {"left": "ArrowLeft", "right": "ArrowRight", "tie": "ArrowDown"}


def wanted(study) -> list[str]:
    """What a rater says who likes the second method and sees the damage."""
    return [
        "left" if (pair.damaged or ("right" if pair.left else "left")) == "right" else "right"
        for pair in study.pairs
        for _ in study.criteria_of(pair)
    ]


def test_answered_by_keys(clips, browser, tmp_path):
    """Both clips play; answers outlive a reload; the saved file holds what was pressed, and reads back."""
    made = make_study(
        clips("a", "b", count=3, captions=True), tmp_path / "s.html", catch=2, settings=WEBM, seed=4
    )
    browser.open(made.page)
    for letter in "Anna":
        browser.run("document.getElementById('name').focus()")
        browser.press(letter)
    browser.press("Enter")
    assert len(browser.run(PLAYING)) == 2
    choices = wanted(made.study)
    browser.press(KEYS["tie"], "Backspace", *(KEYS[choice] for choice in choices[:7]))
    browser.open(made.page)
    assert "7 of 25" in browser.run("document.getElementById('earlier').innerText")
    browser.run("document.getElementById('resume').click()")
    assert browser.run("document.getElementById('place').textContent") == "Pair 2 of 5"
    browser.press(" ", *(KEYS[choice] for choice in choices[7:]))
    assert browser.run("document.getElementById('end').hidden") is False
    browser.press("Enter")  # on the button that saves
    while not any(progress["state"] == "completed" for progress in browser.downloads):
        browser.receive()
    (file,) = (tmp_path / "browser").glob("answers-Anna-*.json")
    answers = load_answers(file)
    assert answers.rater == "Anna" and [a.choice for a in answers.answers] == choices
    assert (
        all(url.startswith(("file:", "blob:", "data:", "about:")) for url in browser.requests)
        and browser.requests
    )
    assert browser.faults == []
    results = read_study(made.key, [file])
    assert [(v.standings[0].method, v.duels[0].lost) for v in results.verdicts] == [("b", 3)] * 5
    assert (results.raters[0].caught, results.raters[0].catches) == (0, 2)


def test_text_from_outside_is_text(clips, browser, tmp_path):
    """A caption that looks like markup, a title and a question are shown as they are, and run nothing."""
    folders = clips("a", "b", count=1)
    evil = "</script><img src=x onerror=alert(1)> {{ 7 * 7 }} & \"'"
    (folders[0] / "captions.csv").write_text('file,caption\n000.npz,"' + evil.replace('"', '""') + '"\n')
    made = make_study(
        folders, tmp_path / "s.html", catch=0, title=evil, criteria=[f"x={evil}"], settings=WEBM
    )
    browser.open(made.page)
    browser.run("document.getElementById('name').value = 'x'; document.querySelector('form button').click()")
    assert browser.run("document.getElementById('caption').textContent") == evil
    assert browser.run("document.querySelector('h1').textContent") == evil
    assert browser.run("document.querySelector('#questions span').textContent") == evil
    assert browser.run("document.images.length") == 0 and browser.faults == []


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_fits_the_screen(clips, browser, tmp_path, width, height):
    """Nothing is wider than the screen, and both clips are in sight; wide clips stand above each other on a phone."""
    made = make_study(clips("a", "b", count=1, size=(36, 64)), tmp_path / "s.html", catch=0, settings=WEBM)
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=width < 500,
    )
    browser.open(made.page)
    browser.run("document.getElementById('name').value = 'x'; document.querySelector('form button').click()")
    browser.run(PLAYING)
    boxes = browser.run(
        "[...document.querySelectorAll('video')].map(v => {const b = v.getBoundingClientRect(); return [b.left, b.top,"
        " b.right, b.bottom]})"
    )
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert all(
        0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in boxes
    )
    assert (boxes[1][1] >= boxes[0][3]) == (width == 390)


def test_the_key_is_not_in_the_page(clips, tmp_path):
    """Neither names nor places of methods, nor which pairs are catches; nothing is loaded from outside."""
    made = make_study(clips("secret-ours", "secret-theirs"), tmp_path / "s.html")
    text = made.page.read_text(encoding="utf-8")
    assert "secret" not in text and str(tmp_path) not in text and "damaged" not in text
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    assert " src=" not in text and " href=" not in text
    assert "default-src 'none'" in text
    assert load_study(made.key) == made.study
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert set(data) == {"study", "criteria", "pairs"} and set(data["pairs"][0]) == {
        "a",
        "b",
        "caption",
        "criteria",
    }
