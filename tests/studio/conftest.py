"""A folder of clips whose frames say their number, the app over it, and a real browser where there is one."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moviola.core.video import Video

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 300_000  # ms
STEP = 9
"""Grey levels from frame to frame of `numbered`; more than an encoder loses on an even picture."""


def numbered(frames: int, fps: float, size: tuple[int, int] = (48, 64)) -> Video:
    """A clip whose frame n is grey of level 10 + STEP * n all over."""
    levels = (10 + STEP * np.arange(frames)).astype(np.uint8)
    return Video(np.broadcast_to(levels[:, None, None, None], (frames, *size, 3)).copy(), fps)


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory) -> Path:
    """Three clips, written once: a.mp4 and b.mp4 of 24 frames at 12 fps, fast.mp4 of 24 at 24 fps."""
    folder = tmp_path_factory.mktemp("clips")
    numbered(24, 12).save(folder / "a.mp4")
    numbered(24, 12).save(folder / "b.mp4")
    numbered(24, 24).save(folder / "fast.mp4")
    return folder


@pytest.fixture
def folder(tmp_path, clip_files) -> Path:
    """A folder of results of the test's own."""
    return Path(shutil.copytree(clip_files, tmp_path / "results"))


@pytest.fixture
def client(folder) -> Iterator[Any]:
    """Asks the app over `folder` as the page does."""
    with make_client(folder) as opened:
        yield opened


def make_client(folder: Path, **settings: Any) -> Any:
    """Return starlette's test client of the app over a folder."""
    from starlette.testclient import TestClient

    from moviola.cli.studio_forms import make_forms
    from moviola.studio.app import StudioSettings, make_app

    app = make_app(folder, make_forms, StudioSettings(**settings))
    return TestClient(
        app, base_url="http://127.0.0.1:8421", headers={"X-Moviola-Studio": "1"}, follow_redirects=False
    )


STUB = """
import json, os, signal, sys
words = sys.argv[1:]
output = next(word.partition("=")[2] for word in words if word.startswith("--output="))
what = words[-1]
print("a line for the log", file=sys.stderr)
if what.startswith("wait"):
    for done in (0, 1):
        state = json.dumps({"title": "waiting", "done": done, "total": 4})
        print("moviola: progress " + state, file=sys.stderr, flush=True)
    open("go").read()
if what == "fail":
    sys.exit("moviola: error: there is no such thing")
if what == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
open(output, "w").write(what)
print(json.dumps({"output": output}))
"""


@pytest.fixture
def stub(tmp_path, folder) -> tuple[str, ...]:
    """Words that start a program in moviola's place: it waits for `go` to be opened, fails, crashes or writes."""
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    os.mkfifo(folder / "go")
    return sys.executable, str(script)


@pytest.fixture
def served(folder) -> Iterator[str]:
    """The address of a real server over `folder`."""
    with serving(folder) as url:
        yield url


class serving:
    """A server in a thread, as a context: `with serving(folder) as url`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        import uvicorn

        from moviola.cli.studio_forms import make_forms
        from moviola.studio.app import StudioSettings, make_app
        from moviola.studio.serve import open_socket

        self.listening = open_socket("127.0.0.1", None)
        app = make_app(folder, make_forms, StudioSettings(**settings))
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})

    def __enter__(self) -> str:
        self.thread.start()  # the socket listens already: who asks early waits
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()


class Tab:
    """A tab of a real browser, and what it asked for.

    Attributes:
        requests: every address that it asked for. faults: errors of its scripts.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def open(self, place: str) -> None:
        """Go to an address of the page, such as "#/look"."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/{place}")

    def until(self, condition: str) -> Any:
        """Wait until a script gives something true, and return it; what never becomes true is named."""
        script = f"""async () => {{
            const begun = performance.now();
            for (;;) {{
                const value = await (async () => ({condition}))();
                if (value) return value;
                if (performance.now() - begun > {PATIENCE}) throw new Error(document.body.innerText.slice(0, 2000));
                await new Promise((done) => setTimeout(done, 20));
            }}
        }}"""
        return self.page.evaluate(script)

    def run(self, script: str) -> Any:
        """Return what a script gives."""
        return self.page.evaluate(script)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none. $MOVIOLA_CHROMIUM names one."""
    playwright = pytest.importorskip("playwright.sync_api")
    named = os.environ.get("MOVIOLA_CHROMIUM")
    program = named or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium; set MOVIOLA_CHROMIUM to one")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def new_tab(chromium) -> Iterator[Callable[..., Tab]]:
    """Opens tabs: `new_tab(url)`, each with a memory of its own."""
    contexts = []

    def make(url: str, **options: Any) -> Tab:
        contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))
        contexts[-1].set_default_timeout(PATIENCE)
        return Tab(contexts[-1].new_page(), url)

    yield make
    for context in contexts:
        context.close()
