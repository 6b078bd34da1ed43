"""Forms and queue in a real browser: make a clip, cancel one, restart in the middle."""

from __future__ import annotations

from .conftest import serving


def fill(tab, **values) -> None:
    """Fill in a form that is open, and hand it in."""
    for name, value in values.items():
        tab.page.fill(f"form [name={name}]", str(value))
    tab.page.click("form button[type=submit]")


def test_a_clip_is_made(served, new_tab):
    """By a real verb: its form is filled by a preset, its progress shown, the result played frame by frame."""
    tab = new_tab(served)
    tab.open("#/make?verb=mend&IN=a.mp4")
    tab.until("document.querySelector('form[data-verb=mend]')")
    assert tab.run("document.querySelector('[name=input]').value") == "a.mp4"
    tab.page.click(".presets >> text=repeated frames")
    assert tab.run("document.querySelector('[name=stills]').checked")
    fill(tab)
    tab.until("document.querySelector('.job.done, .job.failed')")
    assert tab.run("[...document.querySelectorAll('.job .error')].map((e) => e.textContent)") == []
    tab.page.click(".job.done a[href*=compare]")
    tab.until("window.studio?.player.shown.length === 2")
    assert tab.run("studio.clips.map((c) => [c.name, c.frames])") == [["mend-1.mp4", 24], ["a.mp4", 24]]
    assert "moviola mend --stills" in tab.until(
        "document.querySelector('[data-name=\"mend-1.mp4\"] pre')?.textContent"
    )
    assert tab.faults == []


def test_jobs_are_cancelled_and_told_apart(folder, stub, new_tab):
    """One that runs shows how far it is, and is cancelled; wrong values stay in the form; an error has its line."""
    with serving(folder, program=stub) as url:
        tab, other = new_tab(url), new_tab(url)
        tab.open("#/make?verb=generate")
        tab.until("document.querySelector('form')")
        fill(tab, prompt="x", seed="-1")
        assert "greater than or equal to 0" in tab.until(
            "document.querySelector('form .error:not([hidden])')?.textContent"
        )
        assert tab.run("document.querySelector('[name=prompt]').value") == "x"
        fill(tab, prompt="wait", seed="1")
        tab.until("document.querySelector('.job.running progress')?.value === 0.25")
        fill(tab, prompt="fail")
        other.open("#/make?verb=generate")
        other.until("document.querySelectorAll('.job').length === 2")  # the queue is one
        assert other.run("document.querySelector('[name=prompt]').value") == ""  # the form is each tab's own
        tab.page.click(".job.running >> text=cancel")
        tab.until("document.querySelector('.job.cancelled') && document.querySelector('.job.failed')")
        assert tab.run("document.querySelector('.job.failed .error').textContent") == "there is no such thing"
        tab.page.click(".job.failed >> text=log")
        assert "a line for the log" in tab.until("document.querySelector('.job.failed pre').textContent")
        tab.page.click(".job.failed >> text=change")
        tab.until("document.querySelector('[name=prompt]')?.value === 'fail'")
        assert tab.run("document.querySelector('[name=seed]').value") == "1"
        assert tab.faults == other.faults == []


def test_a_restart_in_the_middle(folder, stub, new_tab):
    """What ran and what waited is there when the studio is started again."""
    with serving(folder, program=stub) as url:
        tab = new_tab(url)
        tab.open("#/make?verb=generate")
        tab.until("document.querySelector('form')")
        fill(tab, prompt="wait")
        tab.until("document.querySelector('.job.running progress')?.value === 0.25")
        fill(tab, prompt="text")
        tab.until("document.querySelector('.job.waiting')")
    with serving(folder, program=stub) as url:
        tab = new_tab(url)
        tab.open("#/make")
        tab.until("document.querySelector('.job.running progress')?.value === 0.25")
        (folder / "go").write_text("now")
        tab.until("document.querySelectorAll('.job.done').length === 2")
