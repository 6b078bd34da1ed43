"""Small studies, raters whose preferences are known, and a real browser where there is one."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moviola.core.video import Video
from moviola.pipelines.study.plan import draw_pairs
from moviola.pipelines.study.records import Answer, Answers, Criterion, Method, Study

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
KEY_CODES = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Backspace": 8,
    "Enter": 13,
    " ": 32,
}


@pytest.fixture
def clips(tmp_path) -> Callable[..., list[Path]]:
    """Writes folders of clips of 6 frames: `clips("a", "b", count=4)`; each method has a grey of its own."""

    def write(
        *methods: str, count: int = 4, size: tuple[int, int] = (32, 48), captions: bool = False
    ) -> list[Path]:
        folders = []
        for number, method in enumerate(methods):
            folder = tmp_path / method
            folder.mkdir()
            for clip in range(count):
                frames = np.full((6, *size, 3), 40 + 60 * number, np.uint8)
                frames[:, : 4 + clip, :8] = np.arange(6, dtype=np.uint8)[:, None, None, None] * 40
                Video(frames, 8).save(folder / f"{clip:03}.npz")
            if captions:
                lines = [f"{clip:03}.npz,square number {clip}\n" for clip in range(count)]
                (folder / "captions.csv").write_text("file,caption\n" + "".join(lines))
            folders.append(folder)
        return folders

    return write


@pytest.fixture(scope="session")
def plain_study() -> Callable[..., Study]:
    """Makes the key of a study without clips: `plain_study(methods=3, clips=10, catch=2)`."""

    def make(
        methods: int = 2, clips: int = 10, catch: int = 0, keys: tuple[str, ...] = ("quality",)
    ) -> Study:
        names = [f"{n:03}" for n in range(clips)]
        shared = {(i, j): names for i in range(methods) for j in range(i + 1, methods)}
        return Study(
            id="0123456789abcdef", seed=0, title="t",
            methods=tuple(Method(name=f"m{n}", path=f"m{n}") for n in range(methods)),
            criteria=tuple(Criterion(key=key, title=key, question="?") for key in keys),
            pairs=tuple(draw_pairs(shared, lambda meeting: None, catch=catch, seed=1)),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Answers]:
    """Answers by the model of Bradley and Terry: `simulated(study, scores, generator, rater="Anna")`.

    A catch pair is answered right, unless `blind`: then every answer is "left".
    """

    def answer(
        study: Study, scores: np.ndarray, generator: np.random.Generator, rater: str = "Anna", *,
        session: str = "", blind: bool = False, ties: float = 0.0,
    ) -> Answers:  # fmt: skip
        made = []
        for number, pair in enumerate(study.pairs):
            for criterion in study.criteria_of(pair):
                ahead = scores[pair.left] - scores[pair.right]
                choice = "left" if generator.random() < 1 / (1 + np.exp(-ahead)) else "right"
                choice = "tie" if generator.random() < ties else choice
                if pair.damaged is not None:
                    choice = "right" if pair.damaged == "left" else "left"
                choice = "left" if blind else choice
                made.append(Answer(pair=number, criterion=criterion.key, choice=choice))
        return Answers(study=study.id, rater=rater, session=session or rater, answers=tuple(made))

    return answer


class Browser:
    """A page in headless Chromium, driven through its debugging pipe (file descriptors 3 and 4)."""

    def __init__(self, program: str, folder: Path) -> None:
        words = [
            "--headless",
            "--no-sandbox",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder / 'profile'}",
        ]
        ours, theirs = os.pipe(), os.pipe()  # we write to the first and read from the second
        child = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ours[0], theirs[1])]

        def connect() -> None:
            for place, end in zip((3, 4), child, strict=True):
                os.dup2(end, place)

        self._process = subprocess.Popen(
            [program, *words, "about:blank"], close_fds=False, preexec_fn=connect,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (ours[0], theirs[1], *child):
            os.close(end)
        self._write, self._read = ours[1], theirs[0]
        self._rest, self._count, self._session = b"", 0, ""
        self.requests: list[str] = []
        self.faults: list[str] = []
        self.downloads: list[dict[str, Any]] = []
        self._open(folder)

    def _open(self, folder: Path) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self._session, session = "", self._session
        self.call(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True
        )
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (reply := self.receive()).get("id") != self._count:
            pass
        assert "error" not in reply, reply
        return reply["result"]

    def receive(self) -> dict[str, Any]:
        """Return the next message; events are noted."""
        while b"\0" not in self._rest:
            assert select.select([self._read], [], [], 120)[0], "the browser says nothing"
            piece = os.read(self._read, 1 << 16)
            assert piece, "the browser went away"
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.faults.append(str(params["exceptionDetails"]))
        elif message.get("method") == "Browser.downloadProgress":
            self.downloads.append(params)
        return message

    def open(self, path: Path) -> None:
        """Load a file, and wait until it has loaded."""
        self.call("Page.navigate", url=path.as_uri())
        self.run(
            "new Promise(d => document.readyState === 'complete' ? d() : addEventListener('load', () => d()))"
        )

    def run(self, script: str) -> Any:
        """Return what a script gives in the page; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys one after another, as a person does."""
        for key in keys:
            code = {"key": key, "windowsVirtualKeyCode": KEY_CODES.get(key, ord(key[0].upper()))}
            text = {"text": {"Enter": "\r"}.get(key, key)} if key == "Enter" or len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where there is none. $MOVIOLA_CHROMIUM names one."""
    named = os.environ.get("MOVIOLA_CHROMIUM")
    program = named or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium; set MOVIOLA_CHROMIUM to one")
    folder = tmp_path / "browser"
    folder.mkdir()
    opened = Browser(program, folder)
    try:
        yield opened
    finally:
        opened.close()
