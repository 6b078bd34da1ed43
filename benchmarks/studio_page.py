"""The studio's page, measured in a real Chromium: the first page, a gallery of many clips, clips in step.

    MOVIOLA_CHROMIUM=chromium python benchmarks/studio_page.py [--clips 500] [--runs 5]

What it prints, the median over runs and the slowest:

- answer: from the start of the process to its first answer, s; it is the time to load Python and the libraries.
- page: from the request for the page to its first contentful paint, s, by the browser's own clock.
- gallery: the same for a folder of `--clips` clips, to the first paint with cards in it; how many clips were asked for
  then, and after scrolling to the end.
- step: two clips that play together, read from the canvases in every turn of the browser: how many turns, frames, and
  the largest distance between the frames that the two show (frames say their number by their level).
  Beside it two plain <video> elements of the same files, started together, by the frame that each says it shows.

Every run starts a process and a browser context of its own, with nothing cached. The load of the machine is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from moviola.core.video import Video

STEP, FRAMES, FPS = 4, 48, 24

# the first paint that holds a condition, ms after the request for the page
PAINT = """async () => {
    while (!document.querySelector(%r)) await new Promise(requestAnimationFrame);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now();
}"""
# the frame of each canvas, in every turn, for two rounds of the clip
WATCH = """async ([step, turns]) => {
    const seen = [];
    while (seen.length < turns) {
        await new Promise(requestAnimationFrame);
        seen.push([...document.querySelectorAll('.stage canvas')].map((canvas) =>
            Math.round((canvas.getContext('2d').getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data[0] - 10) / step)));
    }
    return seen;
}"""  # noqa: E501
# what two plain players say they show, in every turn
PLAIN = """async ([urls, fps, turns]) => {
    const shown = [-1, -1];
    const videos = urls.map((url, i) => {
        const video = document.createElement('video');
        Object.assign(video, {src: url, muted: true, loop: true});
        document.body.append(video);
        const note = (now, frame) => {
            shown[i] = Math.round(frame.mediaTime * fps);
            video.requestVideoFrameCallback(note);
        };
        video.requestVideoFrameCallback(note);
        return video;
    });
    await Promise.all(videos.map((video) => new Promise((done) => video.addEventListener('canplaythrough', done))));
    videos.forEach((video) => video.play());
    const seen = [];
    while (seen.length < turns) {
        await new Promise(requestAnimationFrame);
        if (shown[0] >= 0 && shown[1] >= 0) seen.push([...shown]);
    }
    return seen;
}"""


def write_clips(folder: Path, count: int) -> None:
    """Write clips whose frame n is grey of level 10 + STEP * n, all of them copies of one."""
    levels = (10 + STEP * np.arange(FRAMES)).astype(np.uint8)
    Video(np.broadcast_to(levels[:, None, None, None], (FRAMES, 128, 128, 3)).copy(), FPS).save(
        folder / "000.mp4"
    )
    for number in range(1, count):
        shutil.copy(folder / "000.mp4", folder / f"{number:03}.mp4")


class Studio:
    """A studio in a process of its own: `with Studio(folder) as url`, and `answered`, s."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Studio:
        begun = time.perf_counter()
        command = [sys.executable, "-m", "moviola", "studio", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        with urllib.request.urlopen(self.url) as reply:
            reply.read()
        self.answered = time.perf_counter() - begun
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def measure(browser: Browser, folder: Path, count: int, scrolls: bool) -> dict[str, float]:
    """Open the gallery of a folder in a fresh context."""
    with Studio(folder) as studio:
        page: Any = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(studio.url, wait_until="commit")
        cards = page.evaluate(PAINT % ".card, .grid p") / 1000
        paints = page.evaluate(
            "performance.getEntriesByName('first-contentful-paint').map((e) => e.startTime)"
        )
        page.evaluate(PAINT % "video")
        at_first = sum("/media/" in url for url in asked)
        if scrolls:
            page.evaluate(PAINT % f".card:nth-child({count})")
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            page.evaluate(PAINT % ".card:last-child video")
        result = {
            "answer": studio.answered, "page": (paints or [0])[0] / 1000, "cards": cards, "asked for": at_first,
            "after scrolling": len({url for url in asked if "/media/" in url}),
        }  # fmt: skip
        page.context.close()
    return result


def in_step(browser: Browser, folder: Path, turns: int) -> None:
    """Print how far two clips that play together are apart, in the studio and in two plain players."""
    with Studio(folder) as studio:
        page: Any = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(f"{studio.url}#/compare?clips=000.mp4&clips=001.mp4")
        page.evaluate(PAINT % ".stage canvas")
        page.evaluate(
            "async () => { while (!studio.player.shown.length) await new Promise(requestAnimationFrame); }"
        )
        report("studio", page.evaluate(WATCH, [STEP, turns]))
        page.goto(f"{studio.url}media/none")
        urls = [f"{studio.url}media/{name}" for name in ("000.mp4", "001.mp4")]
        report("two <video>", page.evaluate(PLAIN, [urls, FPS, turns]))
        page.context.close()


def report(name: str, seen: list[list[int]]) -> None:
    apart = [min(abs(a - b), FRAMES - abs(a - b)) for a, b in seen]
    print(
        f"step     {name:12} {len(seen)} turns, {len({a for a, _ in seen})} frames seen; apart: "
        f"{sum(map(bool, apart))} turns, at most {max(apart)} frames"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--turns", type=int, default=400)
    options = parser.parse_args()
    print(f"load     {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        program = os.environ.get("MOVIOLA_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"])
        few, many = Path(name, "few"), Path(name, "many")
        for folder, count in ((few, 2), (many, options.clips)):
            folder.mkdir()
            write_clips(folder, count)
            runs = [measure(browser, folder, count, folder is many) for _ in range(options.runs)]
            for key in runs[0]:
                values = [run[key] for run in runs]
                print(
                    f"{count:<4} clips  {key:16} {statistics.median(values):8.3f}  slowest {max(values):8.3f}"
                )
        in_step(browser, few, options.turns)
        browser.close()
    print(f"load     {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
