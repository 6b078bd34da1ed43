"""The whole way: two sets in, a report out; the same whatever the order, the batches and the shards."""

from __future__ import annotations

import json
import zipfile
from fractions import Fraction

import numpy as np
import pytest

import moviola as mv
from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data import corrupt
from moviola.data.sources import open_source
from moviola.metrics.base import Sample
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol, find_protocol
from moviola.pipelines.evaluate import evaluate
from moviola.pipelines.evaluate.features import extract, set_column
from moviola.pipelines.evaluate.inputs import open_set
from moviola.pipelines.evaluate.samples import make_plan

FRAMES_8 = Protocol(frames=8, policy="center")


def plain(report) -> dict:
    """The report without the time it took."""
    return {**report.to_dict(per_clip=True), "seconds": 0}


def sqrtm_frechet(x, y):
    """The textbook formula, by SciPy."""
    linalg = pytest.importorskip("scipy.linalg")
    s1, s2 = np.cov(x.T), np.cov(y.T)
    root = linalg.sqrtm(s1 @ s2).real
    return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s1 + s2 - 2 * root))


def test_scores_are_those_of_the_textbook(sets, metrics, tiny):
    """FVD and a per-video figure agree with SciPy and NumPy on clips cut by hand."""
    report = evaluate(*sets, metrics(), FRAMES_8)
    features, moved = [], []
    for folder in sets:
        source = open_source(folder)
        made = [tiny(Sample(source.read(i)[6:14], "x")) for i in range(len(source))]
        features.append(np.stack([m["features"] for m in made]).astype(float))
        moved.append(float(np.mean([m["moved"] for m in made])))
    assert report["fvd"].value == pytest.approx(sqrtm_frechet(*features), rel=1e-6)
    assert (report["motion"].reference, report["motion"].value) == pytest.approx(tuple(moved), rel=1e-6)
    assert (report["fvd"].n_real, report["fvd"].n_fake) == (12, 9)


def test_a_report_holds_what_is_needed_to_judge_it(sets, metrics):
    """Intervals, floors, figures of clips, network and protocol are there, and it is JSON."""
    report = evaluate(*sets, metrics(), FRAMES_8)
    fvd, motion = report["fvd"], report["motion"]
    assert fvd.low <= fvd.value <= fvd.high
    assert fvd.floor > 0 and fvd.floor_how == "scaled from N=6"
    assert motion.low < motion.value < motion.high and motion.floor is None
    assert fvd.network == "tiny" and fvd.network_sha256 == "0" * 64
    assert set(motion.per_clip) == set(fvd.per_clip) == {f"{i:02d}.npz" for i in range(9)}
    said = report.protocol
    assert (said["frames"], said["real"]["clips"], said["fake"]["videos"]) == (8, 12, 9)
    assert said["networks"]["tiny"]["sha256"] == "0" * 64
    assert said["real"]["fingerprint"] != said["fake"]["fingerprint"]
    assert "PyAV" in said["decoder"]
    assert json.loads(json.dumps(report.to_dict()))["scores"]["fvd"]["value"] == fvd.value


def test_one_decode_feeds_every_metric(sets, metrics, tiny, monkeypatch):
    """Each clip is read once and shown once to an extractor that three metrics share."""
    from moviola.data.sources import Source

    read: list[str] = []
    original = Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, i, indices=None: read.append(self[i].name) or original(self, i, indices)
    )
    evaluate(*sets, metrics("fvd", "kvd", "motion"), FRAMES_8)
    assert len(read) == len(tiny.seen) == 12 + 9


def test_the_second_time_nothing_is_decoded(sets, metrics, tiny):
    """The cache gives the same report without a single call; a touched file is seen."""
    first = plain(evaluate(*sets, metrics(), FRAMES_8))
    tiny.seen.clear()
    assert plain(evaluate(*sets, metrics(), FRAMES_8)) == first
    assert tiny.seen == []
    fake = next(sets[1].iterdir())
    Video(open_source(fake).read(0).frames[::-1], 10).save(fake)
    assert plain(evaluate(*sets, metrics(), FRAMES_8)) != first
    assert tiny.seen == [fake.name]


def test_no_cache_leaves_nothing(sets, metrics, own_cache):
    """The same figures, and no folder."""
    without = plain(evaluate(*sets, metrics(), FRAMES_8, cache=False))
    assert not own_cache.exists()
    assert plain(evaluate(*sets, metrics(), FRAMES_8)) == without


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_shards_change_nothing(sets, metrics, shards):
    """Blocks worked on by 1, 2 or 7 workers, arriving in any order, give the same report to the last bit."""

    def scattered(job, blocks):
        single = [unit for units in blocks for unit in units]
        for shard in reversed(range(shards)):
            yield job.run(single[shard::shards])

    expected = plain(evaluate(*sets, metrics(), FRAMES_8, cache=False))
    assert plain(evaluate(*sets, metrics(), FRAMES_8, cache=False, mapper=scattered)) == expected


@pytest.mark.parametrize("block", [1, 5, 64])
def test_batches_change_nothing(sets, tiny, tmp_path, block):
    """Features are the same, row by row, however many clips are worked on at a time."""
    plan = make_plan(open_set(sets[0], "REAL"), "real", FRAMES_8)
    plans = {"real": plan, "fake": plan}
    column = set_column(plan, tiny)
    made = extract(plans, [], [column], tmp_path / "out", block=block)[0]
    (tmp_path / "out").mkdir(exist_ok=True)
    expected = np.stack([tiny_of(tiny, plan, i) for i in range(len(plan.cuts))])
    assert np.array_equal(made.outputs["features"], expected)


def tiny_of(tiny, plan, row):
    from moviola.pipelines.evaluate.samples import cut_clip

    return tiny(cut_clip(plan.cuts[row], plan.side))["features"]


def test_the_order_of_files_changes_nothing(sets, metrics, tmp_path):
    """A list file read backwards gives the scores of the list read forwards, to the last bit."""
    reports = []
    for name, step in (("forwards", 1), ("backwards", -1)):
        lists = []
        for which, folder in zip(("real", "fake"), sets, strict=True):
            path = tmp_path / f"{which}-{name}.txt"
            files = sorted(folder.iterdir())[::step]
            path.write_text("".join(f"{which}/{file.name}\n" for file in files))
            lists.append(path)
        protocol = Protocol(frames=8, policy="random", order="random", max_real=10, seed=3)
        reports.append(evaluate(*lists, metrics(), protocol))
    assert reports[0].scores == reports[1].scores
    assert reports[0]["fvd"].n_real == 10


def test_seeds(sets, metrics):
    """The same seed, the same report; another seed draws other windows."""
    protocol = Protocol(frames=8, policy="random")
    first, again, other = (plain(evaluate(*sets, metrics(), protocol, seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first["scores"]["fvd"]["value"] != other["scores"]["fvd"]["value"]
    assert (first["protocol"]["seed"], other["protocol"]["seed"]) == (1, 2)


@pytest.mark.parametrize("kind", ["zip", "frames", "list", "memory"])
def test_sources_of_every_kind(sets, metrics, tmp_path, save_clips, kind):
    """A zip, frame folders, a list file and videos in memory give the scores of the folder."""
    expected = evaluate(*sets, metrics(), FRAMES_8)
    source = open_source(sets[1])
    videos = [source.read(i) for i in range(len(source))]
    if kind == "zip":
        fake = tmp_path / "fake.zip"
        with zipfile.ZipFile(fake, "w") as archive:
            for file in sets[1].iterdir():
                archive.write(file, file.name)
    elif kind == "frames":
        fake = save_clips(tmp_path / "frames", {f"{i:02d}/": v for i, v in enumerate(videos)})
    elif kind == "list":
        fake = tmp_path / "fake.txt"
        fake.write_text("".join(f"fake/{file.name}\n" for file in sets[1].iterdir()))
    else:
        fake = videos
    report = evaluate(sets[0], fake, metrics(), FRAMES_8)
    for key in ("fvd", "kvd", "motion"):
        assert report[key].value == pytest.approx(expected[key].value, rel=1e-9)


def test_public_name(sets, metrics):
    """`moviola.evaluate` with a folder and videos in memory."""
    videos = [Video(np.full((8, 16, 20, 3), 40 * i, np.uint8), Fraction(10)) for i in range(3)]
    report = mv.evaluate(real=sets[0], fake=videos, metrics=metrics(), protocol=FRAMES_8)
    assert report["fvd"].n_fake == 3
    assert report["motion"].value == 0
    assert any("moves 0 % as much" in text for text in report["motion"].warnings)


def test_classes(tmp_path, metrics, clip, save_clips):
    """Set metrics where both sides have two clips of a class, other figures where FAKE has one; few clips are told."""
    real = {f"{c}/{i}.npz": clip(i, speed=s) for c, s in (("slow", 1), ("fast", 3)) for i in range(4)}
    fake = {f"{c}/{i}.npz": clip(50 + i, speed=s) for c, s in (("slow", 1), ("fast", 3)) for i in range(3)}
    fake |= {"slow/3.npz": clip(60), "other/0.npz": clip(61)}
    folders = [save_clips(tmp_path / n, c) for n, c in (("real", real), ("fake", fake))]
    report = evaluate(*folders, metrics("fvd", "motion"), FRAMES_8)
    assert set(report.classes) == {"slow", "fast"}
    halves = [save_clips(tmp_path / n / "fast", {k[5:]: v for k, v in c.items() if k[:4] == "fast"})
              for n, c in (("one", real), ("two", fake))]  # fmt: skip
    alone = evaluate(*halves, metrics("fvd", "motion"), FRAMES_8)
    assert report.classes["fast"]["fvd"] == pytest.approx(alone["fvd"].value, rel=1e-9)
    assert report.classes["fast"]["motion"] == pytest.approx(alone["motion"].value, rel=1e-9)
    assert report.classes["fast"]["motion"] > report.classes["slow"]["motion"]
    assert any("2 of 2 classes have fewer than 50 clips" in text for text in report.warnings)


def test_paired_metrics_beside_set_metrics(sets, metrics, tiny):
    """Pairs go by name, both clips of a pair are decoded once, and the figure is that of NumPy."""
    report = evaluate(*sets, metrics("fvd", "mse"), FRAMES_8)
    real, fake = (open_source(folder) for folder in sets)
    errors = [
        np.square(real.read(i).frames[6:14].astype(float) - fake.read(i).frames[6:14]).mean()
        for i in range(9)
    ]
    assert report["mse"].value == pytest.approx(np.mean(errors), rel=1e-6)
    assert (report["mse"].n_real, report["mse"].n_fake, report["mse"].reference) == (9, 9, None)
    assert len(tiny.seen) == 21


def test_a_single_video(sets, metrics, clip):
    """Against a set: a figure of single clips without an interval; a paired one with its namesake alone."""
    one = sorted(sets[1].iterdir())[3]
    report = evaluate(sets[0], one, metrics("motion", "mse"), FRAMES_8)
    assert report["motion"].low is None and report["motion"].high is None
    assert "a single clip has no interval" in report["motion"].warnings
    assert report["mse"].n_fake == 1
    assert evaluate(clip(1), clip(2), metrics("mse"), FRAMES_8)["mse"].value > 0
    with pytest.raises(
        InputError, match=r"fvd compares sets of clips and needs 2 at least: FAKE \(.*\) gives 1"
    ):
        evaluate(sets[0], one, metrics("fvd"), FRAMES_8)


def test_sanity(sets, metrics, tiny):
    """Damaged copies are scored beside the floor; what a metric cannot see shows, and one decode feeds them too."""
    report = evaluate(*sets, metrics("fvd", "motion", "mse"), FRAMES_8, sanity=True)
    assert len(tiny.seen) == 12 + 9 + 7 * 12
    table = report.sanity
    assert table["undamaged"]["motion"] == report["motion"].reference
    assert table["undamaged"]["fvd"] > 0
    assert table["frozen at the first frame"]["motion"] == 0
    assert table["played backwards"]["motion"] == pytest.approx(table["undamaged"]["motion"], rel=1e-5)
    assert table["played backwards"]["fvd"] == pytest.approx(0, abs=1e-6)
    features: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for i, item in enumerate(source := open_source(sets[0])):
        video = source.read(i)[6:14]
        noisy = corrupt.add_noise(video, 25, numpy_generator(0, "damage", "noise", item.name))
        for damaged, shown in ((False, video), (True, noisy)):
            features[damaged].append(tiny(Sample(shown, item.name))["features"].astype(float))
    expected = sqrtm_frechet(np.stack(features[False]), np.stack(features[True]))
    assert table["noise, sd 25 of 255"]["fvd"] == pytest.approx(expected, rel=1e-6)
    assert table["noise, sd 25 of 255"]["mse"] > table["JPEG, quality 10"]["mse"] > 0


def test_skip_bad_names_and_counts(sets, metrics):
    """A broken and a short clip are left out, named and counted; the others are scored as if they had never been."""
    expected = evaluate(*sets, metrics(), FRAMES_8)
    (sets[1] / "90.npz").write_bytes(b"not a video")
    Video(np.zeros((3, 16, 20, 3), np.uint8), 10).save(sets[1] / "91.npz")
    report = evaluate(*sets, metrics(), FRAMES_8, skip_bad=True)
    assert {key: score.value for key, score in report.scores.items()} == {
        key: score.value for key, score in expected.scores.items()
    }
    assert [(which, name) for which, name, _ in report.skipped] == [("fake", "90.npz"), ("fake", "91.npz")]
    assert any("FAKE: 2 of 11 videos were left out" in text for text in report.warnings)


def test_arguments(sets, metrics):
    """Unknown names and numbers outside their range are refused before anything is decoded."""
    with pytest.raises(UnknownNameError, match="unknown metric 'fwd'; did you mean"):
        evaluate(*sets, ["fwd"], FRAMES_8)
    with pytest.raises(UnknownNameError, match="unknown protocol 'quik'; did you mean quick"):
        evaluate(*sets, metrics(), "quik")
    with pytest.raises(InputError, match="no metric asked for"):
        evaluate(*sets, [], FRAMES_8)
    with pytest.raises(ConfigError, match="a level lies between 0 and 1"):
        evaluate(*sets, metrics(), FRAMES_8, level=1)
    with pytest.raises(UnknownNameError, match="pairing 'neme'; did you mean name"):
        evaluate(*sets, metrics(), FRAMES_8, pair="neme")


def test_idle_options_are_noted(sets, metrics):
    """An option that no figure asked for depends on is said; one that a figure depends on is not."""
    options = MetricOptions(lpips_net="vgg", flow="dis", candidates=("a",))
    said = evaluate(*sets, ["flicker"], FRAMES_8, options=options, pair="order", draws=9).warnings
    idle = [text for text in said if "changes nothing" in text]
    assert [text.split()[0] for text in idle] == ["--candidate", "--lpips-net", "--flow", "pair"]
    said = evaluate(*sets, ["flicker", "psnr"], FRAMES_8, pair="name", draws=9).warnings
    assert not any("changes nothing" in text for text in said)
    asked = ("fram-acc", "lpips", "motion")
    assert options.idle(asked) == []
    assert MetricOptions(raft="r.pth").idle(asked) == ["--raft is for --flow raft, not for lk"]
    assert MetricOptions(raft="r.pth", flow="raft").idle(asked) == []


def test_presets_run(tmp_path, metrics, make_set):
    """The published 16-frame protocols and the quick one give figures, each of its own clips."""
    folders = [make_set(tmp_path / name, 5, seed, height=24, width=24) for name, seed in (("a", 1), ("b", 2))]
    values = {
        name: evaluate(*folders, metrics("fvd"), find_protocol(name))["fvd"].value
        for name in ("quick", "styleganv-fvd2048-16f", "cdfvd-16f")
    }
    assert len(set(values.values())) == 3
