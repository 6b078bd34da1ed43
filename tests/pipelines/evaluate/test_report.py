"""The page of an evaluation: one well-formed file that loads nothing, says what the scores say, and plays the clips."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from moviola.core.errors import InputError, OutputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.sources import open_source
from moviola.metrics.protocol import Protocol
from moviola.metrics.results import Report, Score
from moviola.pipelines.evaluate.inputs import open_set
from moviola.pipelines.evaluate.report import build_page, check_folder, write_report
from moviola.pipelines.evaluate.report import clips as clips_module
from moviola.pipelines.evaluate.report.baseline import compare, read_baseline
from moviola.pipelines.evaluate.report.clips import MAX_SIDE, MIN_SIDE, Budget, Embedder, ends
from moviola.pipelines.evaluate.report.strips import Scale, scale_of, score_strip
from moviola.pipelines.evaluate.report.text import extremes, figure, flat, interval, signed, unseen
from moviola.pipelines.pages.media import fit

VOID = {"meta", "link", "br", "img", "input", "hr"}
SHA = "0123456789abcdef" * 4


class Page(HTMLParser):
    """Tags with their attributes and text; fails where a tag is closed that is not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data + " "

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def score(metric="fvd", **fields) -> Score:
    plain = dict(
        value=300.0, low=250.0, high=350.0, n_real=6, n_fake=6, better="lower", floor=100.0, infinity=200.0
    )
    return Score(metric, **{**plain, **fields})


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Six real and six generated clips of 5 frames of 20x32 and their sources; the generated are one grey each."""
    root = tmp_path_factory.mktemp("sets")
    for name in ("real", "fake"):
        (root / name).mkdir()
        for i in range(6):
            frames = np.full((5, 20, 32, 3), 40 * i, np.uint8)
            Video(frames, 8).save(root / name / f"{i}.npz")
    return open_source(root / "real"), open_source(root / "fake")


@pytest.fixture
def report() -> Report:
    """Two metrics, two classes, two damages, warnings, one skipped clip."""
    clip = {f"{i}.npz": float(i) for i in range(6)}
    scores = {
        "fvd": score(
            per_clip=clip, network="i3d", network_sha256=SHA, warnings=("few clips",), floor_how="measured"
        ),
        "motion": Score(
            "motion", 2.0, 1.5, 2.5, 6, 6, "neither", reference=3.0, unit="px/frame", per_clip=clip
        ),
    }
    return Report(
        scores,
        {"name": "quick", "frames": 5, "fps": None, "real": {"path": "a/real", "clips": 6}},
        warnings=("samples repeat",),
        classes={"run": {"fvd": 400.0, "motion": 1.0}, "walk": {"fvd": 200.0, "motion": 3.0}},
        sanity={
            "undamaged": {"fvd": 100.0, "motion": 3.0},
            "noise": {"fvd": 500.0, "motion": 3.5},
            "frozen": {"fvd": 90.0, "motion": 0.0},
        },
        skipped=(("fake", "bad.mp4", "cannot be decoded"),),
        seconds=4.2,
    )


def test_written_whole(report, sets, tmp_path):
    """The page and the numbers, nothing else beside them; numbers are those of the report, each clip's too."""
    path = write_report(report, tmp_path / "out", *sets)
    assert path == tmp_path / "out" / "index.html"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["index.html", "out", "report.json"]
    numbers = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert numbers == json.loads(json.dumps(report.to_dict(per_clip=True)))


def test_loads_nothing(report, sets, tmp_path):
    """Well formed; whatever it names is inside: data URIs and its own anchors, each of which exists."""
    page = Page(write_report(report, tmp_path / "out", *sets).read_text(encoding="utf-8"))
    assert page.all("link") == [] and all("src" not in attrs for attrs in page.all("script"))
    named = [
        value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href", "poster")
    ]
    assert named and all(value.startswith(("data:", "#")) for value in named)
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {value[1:] for value in named if value.startswith("#")} <= ids
    style = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?:", style)


def test_says_what_the_scores_say(report):
    """Every figure, the unit, N, network, sha, protocol, warnings and the skipped clip stand in the text."""
    text = Page(build_page(report, "a against b")).text
    for said in (
        "300.0", "250.0 to 350.0", "100.0", "200.0", "6 + 6", "i3d", SHA[:12], SHA, "px/frame", "real.path", "a/real",
        "few clips", "samples repeat", "bad.mp4", "cannot be decoded", "quick", "95 % interval", "a against b",
    ):  # fmt: skip
        assert said in text, said


def test_tables_have_headers_and_captions(report, sets, tmp_path):
    """Each table has a caption and row headers, each svg and each video a name of its own."""
    text = write_report(report, tmp_path / "out", *sets).read_text(encoding="utf-8")
    tables = re.findall(r"<table.*?</table>", text, flags=re.S)
    assert len(tables) >= 4
    assert all("<caption>" in t and 'scope="row"' in t for t in tables)
    page = Page(text)
    assert all(attrs.get("aria-label") for attrs in page.all("video"))
    top = [a for a in page.all("svg") if "strip" in (a.get("class") or "")]
    assert len(top) == 2 + 4 and all(a["role"] == "img" and a["aria-label"] for a in top)


def test_nothing_from_outside_is_markup(report, sets, tmp_path):
    """Names of clips, classes, damages, settings and warnings are text, never tags."""
    evil = "<script>alert(1)</script>\"'&"
    bad = replace(
        report,
        warnings=(evil,),
        classes={evil: {"fvd": 1.0}, "x": {"fvd": 2.0}},
        sanity={evil: {"fvd": 1.0}},
        skipped=((evil, evil, evil),),
        protocol={evil: evil},
    )
    text = build_page(bad, evil)
    assert text.count("<script>") == 1 and Page(text).text.count("<script>alert(1)</script>") >= 7


def test_worst_and_best_play(report, sets, tmp_path):
    """The far clips are worst, the near ones best; each video decodes to the clip's frames and grey."""
    page = Page(write_report(report, tmp_path / "out", *sets, each=2).read_text(encoding="utf-8"))
    videos = page.all("video")
    assert [v["aria-label"] for v in videos] == [
        "worst clip 5.npz, 5.000", "worst clip 4.npz, 4.000", "best clip 0.npz, 0", "best clip 1.npz, 1.000",
        "real clip 0.npz", "real clip 3.npz",
    ]  # fmt: skip
    for video, grey in zip(videos, (200, 160, 0, 40, 0, 120), strict=True):
        (tmp_path / "v.mp4").write_bytes(
            base64.b64decode(video["src"].removeprefix("data:video/mp4;base64,"))
        )
        played = codec.read(tmp_path / "v.mp4")
        assert len(played) == 5 and played.fps == 8
        assert (str(played.width), str(played.height)) == (video["width"], video["height"]) == ("128", "80")
        assert abs(float(played.frames.mean()) - grey) < 3


def test_ends():
    """Direction counts, what is not finite does not, and no clip stands at both ends."""
    clip = {"a": 1.0, "b": 2.0, "c": 3.0, "d": float("nan")}
    assert ends(score(per_clip=clip), 4) == (["c"], ["a"])
    up = score("ssim", per_clip=clip, better="higher", floor=None, infinity=None)
    assert ends(up, 1) == (["a"], ["c"])
    assert ends(score(per_clip={"a": 1.0}), 4) == (["a"], [])
    assert ends(score(), 4) == ([], [])


@pytest.mark.parametrize(("height", "width"), [(3, 5), (64, 64), (127, 20), (480, 640), (2000, 31)])
def test_fit(height, width):
    """Even sides, the longer one 128 to 256 px, the shape kept as far as whole pixels allow."""
    small = fit(Video(np.zeros((1, height, width, 3), np.uint8), 8), MIN_SIDE, MAX_SIDE)
    assert small.height % 2 == small.width % 2 == 0
    assert 128 <= max(small.height, small.width) <= MAX_SIDE + 1
    ratio = max(small.height, small.width) / max(height, width)
    assert abs(small.height - ratio * height) <= 2 and abs(small.width - ratio * width) <= 2


def test_full_page(sets):
    """Past the budget nothing more goes in; a clip that is gone or broken is named with the reason."""
    fake = open_set(sets[1], "FAKE")
    shelf = Embedder(fake, "fake", Protocol(frames=5), Budget(10))
    assert shelf.show("0.npz", "x").data
    assert shelf.show("1.npz", "x") is None and shelf.show("0.npz", "x") is None
    shelf = Embedder(fake, "fake", Protocol(frames=5), Budget())
    assert "not among" in shelf.show("gone.npz", "x").why
    assert "needs 6" in Embedder(fake, "fake", Protocol(frames=6), Budget()).show("2.npz", "x").why


def test_shown_as_judged(tmp_path):
    """A clip in the page is the window that the protocol cut: its frames, at its size."""
    frames = np.repeat(np.arange(0, 240, 12, dtype=np.uint8), 32 * 32 * 3).reshape(20, 32, 32, 3)
    source = Video(frames, 10)
    protocol = Protocol(frames=4, stride=2, policy="center", resize=64)
    shown = embed_one(source, protocol, tmp_path)
    assert shown.shape == (4, 128, 128, 3)
    assert np.abs(shown.mean(axis=(1, 2, 3)) - [72 + 24 * k for k in range(4)]).max() < 16
    two = Protocol(frames=4, policy="random", clips_per_video=2)
    entry = open_set([source], "FAKE")
    shelf = Embedder(entry, "fake", two, Budget())
    assert shelf.show("000000#0", "").data != shelf.show("000000#1", "").data


def embed_one(video: Video, protocol: Protocol, folder) -> np.ndarray:
    """The frames of a clip as the page holds them."""
    shown = Embedder(open_set(video, "FAKE"), "fake", protocol, Budget()).show("000000", "")
    (folder / "one.mp4").write_bytes(base64.b64decode(shown.data.partition(",")[2]))
    return codec.read(folder / "one.mp4").frames


def test_page_says_that_it_is_full(report, sets, tmp_path, monkeypatch):
    """The note stands where clips were left out."""
    monkeypatch.setattr(clips_module.Budget.__init__, "__defaults__", (10,))
    text = write_report(report, tmp_path / "out", *sets).read_text(encoding="utf-8")
    assert text.count("<video") == 1 and "size limit" in text


def test_without_clips(report, tmp_path):
    """No sources, no players."""
    text = write_report(report, tmp_path / "out").read_text(encoding="utf-8")
    assert "<video" not in text and 'id="clips"' not in text


def test_not_finite(tmp_path):
    """NaN and infinities are words in the page and null in the numbers."""
    odd = Report({"fvd": score(value=float("nan"), low=None, high=None, floor=float("inf"))}, {})
    assert "not finite" in Page(build_page(odd, "x")).text
    write_report(odd, tmp_path / "out")
    numbers = json.loads((tmp_path / "out" / "report.json").read_text(), parse_constant=pytest.fail)
    assert numbers["scores"]["fvd"]["value"] is None and numbers["scores"]["fvd"]["floor"] is None


def test_replaces_an_earlier_page_only(report, tmp_path):
    """An earlier page is replaced; a folder with anything else, a file and a missing parent are refused."""
    folder = tmp_path / "out"
    write_report(report, folder)
    write_report(replace(report, warnings=("new",)), folder)
    assert "new" in (folder / "index.html").read_text(encoding="utf-8")
    (folder / "mine.txt").touch()
    with pytest.raises(OutputError, match=r"holds mine\.txt"):
        write_report(report, folder)
    with pytest.raises(OutputError, match="a file of that name"):
        check_folder(folder / "mine.txt")
    with pytest.raises(OutputError, match="does not exist"):
        check_folder(tmp_path / "no" / "where")
    assert sorted(p.name for p in folder.iterdir()) == ["index.html", "mine.txt", "report.json"]


def test_a_failed_write_leaves_the_old_page(report, tmp_path, monkeypatch):
    """The old page stands, no half of a new one beside it."""
    path = write_report(report, tmp_path / "out")
    before = path.read_bytes()

    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_report(replace(report, warnings=("new",)), tmp_path / "out")
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["out"]


def test_class_marks(report):
    """The higher distance is the worst class, the lower the best; a metric without direction marks none."""
    assert extremes(report.classes, "fvd", "lower").worst == "run"
    assert extremes(report.classes, "fvd", "higher").worst == "walk"
    assert extremes(report.classes, "motion", "neither").best == ""
    assert extremes({"only": {"fvd": 1.0}}, "fvd", "lower").best == ""
    text = build_page(report, "x")
    assert (
        re.search(r"400\.0 <span class=\"badge bad\">worst", text)
        and text.count("badge") - text.count(".badge") == 2
    )


def test_what_is_not_seen(report):
    """Frozen scores below the undamaged line: fvd does not see it; motion has no direction and claims nothing."""
    assert unseen(report, "fvd") == {"noise": False, "frozen": True}
    assert unseen(report, "motion") == {}
    sanity = {"undamaged": {"s": 10.0}, "a": {"s": 110.0}, "b": {"s": 14.9}, "c": {"s": 15.1}}
    small = Report({"s": score("s")}, {}, sanity=sanity)
    assert unseen(small, "s") == {"a": False, "b": True, "c": False}
    assert "fvd does not see: frozen" in Page(build_page(report, "x")).text


def test_gain_and_loss(report, tmp_path):
    """Against an earlier evaluation: sign by direction, percent of the earlier figure, the classes that moved most."""
    write_report(report, tmp_path / "before")
    earlier = read_baseline(tmp_path / "before")
    scores = {"fvd": replace(report.scores["fvd"], value=240.0), "motion": report.scores["motion"]}
    now = replace(
        report, scores=scores, classes={"run": {"fvd": 100.0}, "walk": {"fvd": 250.0}},
        protocol={**report.protocol, "frames": 8},
    )  # fmt: skip
    change = compare(now, earlier, "before")
    assert (change.scores["fvd"].gain, change.scores["fvd"].percent) == (60.0, 20.0)
    assert change.scores["motion"].gain is None
    assert change.largest("fvd") == ("run", "walk")
    assert change.differs == ("frames: 5, now 8",)
    text = Page(build_page(now, "x", change=change)).text
    assert all(
        said in text for said in ("largest gain", "largest loss", "+60.00", "+20.0 %", "frames: 5, now 8")
    )
    assert compare(report, earlier, "same").largest("fvd") == ("", "")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"scores": {"fvd": 3}}', '{"scores": {"fvd": {"value": "x"}}}', "\0"]
)
def test_no_baseline(tmp_path, text):
    """What is no evaluation is refused in one line that names the file."""
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(InputError, match=r"b\.json is not the JSON of an evaluation"):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(InputError, match="no earlier evaluation at"):
        read_baseline(tmp_path)


def test_a_baseline_with_an_old_key(tmp_path):
    """What an earlier version called fvmd is compared with fvmd-lk."""
    scores, classes = {"fvmd": {"value": 4.0}}, {"a": {"fvmd": 2.0}}
    (tmp_path / "old.json").write_text(json.dumps({"scores": scores, "classes": classes}))
    earlier = read_baseline(tmp_path / "old.json")
    assert earlier["scores"] == {"fvmd-lk": {"value": 4.0}} and earlier["classes"] == {"a": {"fvmd-lk": 2.0}}
    now = Report({"fvmd-lk": Score("fvmd-lk", 3.0, None, None, 2, 2, "lower")}, {})
    assert compare(now, earlier, "old").scores["fvmd-lk"].gain == 1.0


def test_strip_places():
    """Marks stand where linear interpolation puts them; zero is the left end of a scale near it."""
    scale = scale_of([100.0, 300.0])
    assert scale is not None and scale.low == 0.0
    assert scale_of([]) is None and scale_of([None, float("nan")]) is None
    same = scale_of([5.0])
    assert same is not None and same.low < 5.0 < same.high
    strip = score_strip(score(value=300.0, low=250.0, high=350.0, floor=100.0, infinity=None))
    assert strip is not None and strip.interval is not None
    at = {kind: place for kind, place, _ in strip.marks}
    low, high = strip.interval[0], sum(strip.interval)
    assert at["value"] == pytest.approx((low + high) / 2, abs=0.02)
    assert (at["value"] - at["floor"]) / (high - low) == pytest.approx(2.0, abs=0.01)
    assert "infinity" not in at


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1000, [0, 500, 1000]),
        (0.0, 0.4, [0, 0.1, 0.2, 0.3, 0.4]),
        (-1, 3, [-1, 0, 1, 2, 3]),
        (10, 11, [10, 10.5, 11]),
    ],
)
def test_ticks(low, high, ticks):
    """Round numbers, few enough to read."""
    assert Scale(low, high).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (0.0, "0"), (2816.44, "2816"), (302.14, "302.1"), (-12.345, "-12.35"), (0.012344, "0.01234"),
        (1234567.8, "1234568"), (1.2e-5, "1.2e-05"), (3e9, "3e+09"), (float("inf"), "not finite"),
    ],
)  # fmt: skip
def test_figure(value, text):
    """Four digits that count."""
    assert figure(value) == text


def test_words():
    """Signs, intervals, and nested settings by dotted keys."""
    assert (signed(1.5), signed(-1.5), signed(0.0)) == ("+1.500", "-1.500", "0")
    assert interval(score()) == "250.0 to 350.0" and interval(score(low=None)) == ""
    nested = {"a": {"b": True, "c": None}, "d": [1, "x"], "e": 0.5}
    sizes = {"real": {"sizes": {"64x64": 3, "8x8": 1}}}
    assert list(flat(sizes)) == [("real.sizes", "64x64 (3), 8x8 (1)")]
    assert list(flat(nested)) == [("a.b", "yes"), ("d", "1, x"), ("e", "0.5")]
