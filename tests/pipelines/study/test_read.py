"""Reading a study: known preferences are found again, raters who do not look are left out, damaged files are named."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.metrics.functional.bradley_terry import bradley_terry
from moviola.pipelines.study import read_study
from moviola.pipelines.study.answers import Rater, fails_catch
from moviola.pipelines.study.page import build_page
from moviola.pipelines.study.records import Answers
from moviola.pipelines.study.tally import count_wins, list_ratings, resample


def rater(answers: Answers) -> Rater:
    """The answers, as they are counted."""
    return Rater(answers.rater, "", {(a.pair, a.criterion): a.choice for a in answers.answers})


def written(folder, study, *answers: Answers) -> tuple:
    """Write a key and answer files; return their paths."""
    key = folder / "key.json"
    key.write_text(study.to_json())
    paths = []
    for number, one in enumerate(answers):
        paths.append(folder / f"answers-{number}.json")
        paths[-1].write_text(one.to_json())
    return key, paths


@pytest.mark.parametrize("raters", [1, 3, 8])
def test_known_preferences_are_found(plain_study, simulated, raters):
    """In 120 studies of three methods about 95 % of the intervals hold the true score, whatever is resampled."""
    study = plain_study(methods=3, clips=8)
    truth = np.array([0.8, 0.0, -0.8])
    generator = np.random.default_rng(raters)
    held, means = [], []
    for _ in range(120):
        made = [rater(simulated(study, truth, generator, str(n))) for n in range(raters)]
        draws = resample(study, made, "quality", 200, generator)
        low, high = draws.interval(draws.scores, 0.95)
        held.append((low <= truth) & (truth <= high))
        means.append(draws.scores[0])
    assert np.mean(held) > 0.88
    if raters == 8:
        np.testing.assert_allclose(np.mean(means, axis=0), truth, atol=0.06)


def test_what_is_resampled(plain_study, simulated):
    """Raters from five on, raters and pairs for a few, pairs for one; no interval where one pair is all."""
    study, scores, generator = plain_study(), np.array([0.5, -0.5]), np.random.default_rng(0)
    everyone = [rater(simulated(study, scores, generator, str(n))) for n in range(5)]
    for count, over in ((1, "pairs"), (2, "raters and pairs"), (5, "raters")):
        assert resample(study, everyone[:count], "quality", 100, generator).over == over
    one = resample(
        plain_study(clips=1),
        [rater(simulated(plain_study(clips=1), scores, generator))],
        "quality",
        9,
        generator,
    )
    assert all(math.isnan(end) for ends in one.interval(one.scores, 0.95) for end in ends)


def test_figures_are_those_of_the_counts(plain_study, simulated, tmp_path):
    """Score, share and duel follow from wins counted by hand; for two methods the score is half the log odds."""
    study = plain_study(clips=7, keys=("quality", "motion"))
    generator = np.random.default_rng(2)
    answers = [simulated(study, np.array([0.6, -0.6]), generator, str(n), ties=0.3) for n in range(6)]
    results = read_study(*written(tmp_path, study, *answers), draws=200)
    for verdict in results.verdicts:
        won = tied = lost = 0
        for one in answers:
            for answer in one.answers:
                if answer.criterion == verdict.criterion:
                    left = study.pairs[answer.pair].left
                    tied += answer.choice == "tie"
                    won += answer.choice == ("left" if left == 0 else "right")
                    lost += answer.choice == ("right" if left == 0 else "left")
        (duel,) = verdict.duels
        assert (duel.one, duel.won, duel.tied, duel.lost) == ("m0", won, tied, lost) and tied > 0
        first = next(s for s in verdict.standings if s.method == "m0")
        odds = (won + tied / 2 + 0.5) / (lost + tied / 2 + 0.5)
        assert first.score == pytest.approx(math.log(odds) / 2, abs=1e-8)
        assert first.rate == pytest.approx((won + tied / 2) / 42) and first.comparisons == 42
        assert first.low < first.score < first.high and duel.low <= duel.rate <= duel.high
        assert verdict.answers == 42 and -1 < verdict.alpha < 1


def test_sides_are_undone(plain_study):
    """Whoever always prefers one method wins all its meetings, on whichever side it stands; ratings keep sides."""
    study = plain_study(methods=3, clips=5)
    choices = {
        (n, "quality"): "left" if pair.left == 2 else "right" if pair.right == 2 else "tie"
        for n, pair in enumerate(study.pairs)
    }
    wins = count_wins(study, Rater("x", "", choices), "quality").sum(axis=0)
    np.testing.assert_array_equal(wins, [[0, 2.5, 0], [2.5, 0, 0], [5, 5, 0]])
    ratings = list_ratings(study, [Rater("x", "", choices)], "quality")
    assert ratings.shape == (1, 15) and {-1.0, 0.0, 1.0} == set(ratings[0])
    assert bradley_terry(wins, 0.5).argmax() == 2


def test_who_does_not_look_is_left_out(plain_study, simulated, tmp_path):
    """A rater of one key is named and does not count, unless that is allowed; where all fail, it says so."""
    study, generator = plain_study(catch=2), np.random.default_rng(3)
    good = [simulated(study, np.array([1.0, -1.0]), generator, f"good {n}") for n in range(5)]
    bad = simulated(study, np.zeros(2), generator, "Bob", blind=True)
    key, paths = written(tmp_path, study, *good, bad)
    results = read_study(key, paths, draws=100)
    assert [r.name for r in results.raters if not r.counted] == ["Bob"]
    assert any("Bob" in note and "failed 1 of 2 catch pairs; left out" in note for note in results.notes)
    alone = read_study(key, paths[:5], draws=100)
    assert results.verdicts == alone.verdicts
    assert all(r.counted for r in read_study(key, paths, draws=100, allowed=1).raters)
    with pytest.raises(InputError, match="no answers count: Bob failed"):
        read_study(key, paths[5:])


def test_what_fails_a_catch_pair(plain_study):
    """More choices for the whole copy than for the damaged one pass; none, or only ties, do not."""
    study = plain_study(catch=1, keys=("a", "b", "c"))
    number = next(n for n, pair in enumerate(study.pairs) if pair.damaged)
    bad = study.pairs[number].damaged
    good = "right" if bad == "left" else "left"
    said = {
        ("tie", "tie", "tie"): True,
        (good, "tie", "tie"): False,
        (good, bad, "tie"): True,
        (good, good, bad): False,
    }
    for choices, fails in said.items():
        assert (
            fails_catch(study, number, {(number, k): c for k, c in zip("abc", choices, strict=True)}) is fails
        )
    assert fails_catch(study, number, {}) is None


def test_two_files_of_one_rater(plain_study, simulated, tmp_path):
    """The fuller one counts and both are named; one name in two sessions is two raters, and that is said."""
    study, generator = plain_study(), np.random.default_rng(4)
    whole = simulated(study, np.array([1.0, -1.0]), generator, "Anna", session="s1")
    part = whole.model_copy(update={"answers": whole.answers[:4]})
    other = simulated(study, np.array([1.0, -1.0]), generator, "Anna", session="s2")
    key, paths = written(tmp_path, study, part, whole, other)
    results = read_study(key, paths, draws=100)
    assert results.duplicates == ((str(paths[0]), str(paths[1])),)
    assert any("are of one rater" in note and "answers-0.json" in note for note in results.notes)
    assert [r.name for r in results.raters] == ["Anna", "Anna (2)"]
    assert results.verdicts[0].answers == 20
    only = read_study(key, paths[:1], draws=100)
    assert any("answered 4 of 10 questions" in note for note in only.notes)


def damaged(text: str) -> dict[str, str]:
    """Ways in which an answer file goes wrong, and what is said of each."""
    plain = json.loads(text)

    def change(**values) -> str:
        return json.dumps({**plain, **values})

    first = plain["answers"][0]
    return {
        text[:200]: "breaks off",
        "": "breaks off",
        "[" * 100_000: "not an answer file",
        "\udcff": "no text",
        "[]": "not an answer file",
        change(format="other"): "not an answer file",
        change(version=2): "damaged: Answers: version",
        change(study="ffff"): "answers another study, 'ffff'",
        change(answers=[{**first, "pair": 99}]): "answers pair 99, of 10",
        change(answers=[{**first, "pair": -1}]): "damaged",
        change(answers=[{**first, "criterion": "taste"}]): "not asked for 'taste'",
        change(answers=[{**first, "choice": "both"}]): "choice",
        change(answers=[{**first, "extra": 1}]): "extra",
        change(answers=[first, first]): "twice",
        change(answers=[]): "holds no answer",
    }


def test_damaged_files_are_named(plain_study, simulated, tmp_path):
    """One line that names the file and what is wrong; the key in place of answers, and answers in place of the key."""
    study = plain_study()
    good = simulated(study, np.zeros(2), np.random.default_rng(0))
    key, (path,) = written(tmp_path, study, good)
    bad = tmp_path / "bad.json"
    for text, said in damaged(good.to_json()).items():
        bad.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(InputError) as caught:
            read_study(key, [path, bad])
        assert "bad.json" in str(caught.value) and said in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"key\.json is not an answer file"):
        read_study(key, [key])
    with pytest.raises(InputError, match=r"answers-0\.json is not the key of a study"):
        read_study(path, [path])
    for missing in (tmp_path / "gone.json", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=missing.name):
            read_study(key, [missing])
    with pytest.raises(ConfigError, match="--draws"):
        read_study(key, [path], draws=5)


def report(path: str, **values: tuple[float, str]) -> str:
    """What `moviola evaluate --json` prints of one method."""
    scores = {key: {"value": value, "better": better} for key, (value, better) in values.items()}
    return json.dumps({"scores": scores, "protocol": {"fake": {"path": path}}})


def test_metrics_against_people(plain_study, simulated, tmp_path):
    """The tau of a metric that orders as people do is 1, of its opposite -1; without direction there is none."""
    study, generator = plain_study(methods=3, clips=20), np.random.default_rng(6)
    truth = np.array([1.5, 0.0, -1.5])
    key, paths = written(tmp_path, study, *(simulated(study, truth, generator, str(n)) for n in range(6)))
    words = []
    for number, (fvd, ssim) in enumerate([(100.0, 0.2), (200.0, 0.5), (300.0, 0.9)]):
        file = tmp_path / f"r{number}.json"
        values = dict(fvd=(fvd, "lower"), ssim=(ssim, "higher"), motion=(fvd, "neither"))
        file.write_text(report(f"some/m{number}", **values))
        words.append(str(file))
    results = read_study(key, paths, scores=words, draws=100)
    assert {entry.metric: entry.tau for entry in results.agreement} == {"fvd": 1, "ssim": -1}
    assert all(entry.methods == 3 and entry.low <= entry.tau <= entry.high for entry in results.agreement)
    named = read_study(key, paths, scores=[f"m1={words[1]}", words[0]], draws=100)
    assert named.metrics[0].values == (100.0, 200.0, None) and named.agreement[0].methods == 2
    for wrong, error, said in (
        ([words[0], f"m0={words[1]}"], InputError, "both judge m0"),
        ([f"m7={words[0]}"], UnknownNameError, "unknown method 'm7'"),
        ([words[0]], InputError, "for two methods or more"),
        ([str(key)], InputError, "not the JSON of an evaluation"),
    ):
        with pytest.raises(error, match=said):
            read_study(key, paths, scores=wrong)
    (tmp_path / "r9.json").write_text(report("elsewhere", fvd=(1.0, "lower")))
    with pytest.raises(InputError, match="elsewhere, which is no method of the study"):
        read_study(key, paths, scores=[str(tmp_path / "r9.json")])


def test_methods_that_are_not_joined(plain_study, simulated, tmp_path):
    """Where the answers name two methods of three alone, there is no score, and that is said."""
    study = plain_study(methods=3)
    answers = simulated(study, np.zeros(3), np.random.default_rng(0))
    kept = [a for a in answers.answers if 2 not in (study.pairs[a.pair].left, study.pairs[a.pair].right)]
    results = read_study(
        *written(tmp_path, study, answers.model_copy(update={"answers": tuple(kept)})), draws=100
    )
    assert results["quality"].standings == () and results["quality"].answers == 10
    assert any("do not join all methods" in note for note in results.notes)
    assert "so there are no scores" in build_page(results)


def test_the_page_says_what_the_results_say(plain_study, simulated, tmp_path):
    """Scores, raters and notes stand in it as text, it loads nothing, and names from outside are no markup."""
    study, generator = plain_study(methods=3, catch=1), np.random.default_rng(8)
    evil = "<script>alert(1)</script>"
    raters = [simulated(study, np.array([1.0, 0, -1]), generator, f"{evil}{n}") for n in range(5)]
    results = read_study(*written(tmp_path, study, *raters), draws=100)
    page = build_page(results)
    assert "<script" not in page and page.count("&lt;script&gt;") == 5
    for standing in results["quality"].standings:
        assert f"{standing.score:+.2f}" in page and f"{standing.low:+.2f} to {standing.high:+.2f}" in page
    assert f"alpha {results['quality'].alpha:+.2f}" in page
    assert "http:" not in page and "https:" not in page and "url(" not in page
    plain = json.loads(json.dumps(results.to_dict(), allow_nan=False))
    assert plain["criteria"]["quality"]["standings"][0]["method"] == results["quality"].standings[0].method
