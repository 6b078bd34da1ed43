"""`moviola keyframes`: what it prints, and one line for every kind of bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest

from moviola.cli.main import VERBS, run
from moviola.core.video import Video
from moviola.data.pictures import write_png
from moviola.pipelines.keyframes import keyframes


@pytest.fixture
def say(monkeypatch, capsys, tmp_path):
    """Run the verb in a folder that holds clip.npz: 12 frames still, 12 that move."""
    monkeypatch.setitem(VERBS, "keyframes", ("keyframes", "command", "Choose key frames."))
    monkeypatch.chdir(tmp_path)
    wide = np.random.default_rng(0).integers(0, 256, (4, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    places = [0] * 12 + [2 * i for i in range(12)]
    Video(np.stack([wide[:, x : x + 40] for x in places]), 10).save("clip.npz")

    def call(line: str):
        code = run(["keyframes", "--device", "cpu", *line.split()])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_json(say):
    """The promised shape, and the numbers of the Python function."""
    code, out, err = say("clip.npz --interval 5 --json")
    expected = keyframes("clip.npz", interval=5)
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert set(said) == {"indices", "change", "method"}
    assert said["indices"] == expected.indices and said["method"] == "flow"
    np.testing.assert_allclose(said["change"], expected.change)


def test_options_reach_the_rule(say):
    """Every option, against the Python function."""
    code, out, _ = say(
        "clip.npz -m histogram --interval 4 --alpha 2 --beta 0.5 --min-gap 2 --force-last --no-cuts --json"
    )
    rules = dict(interval=4, alpha=2, beta=0.5, min_gap=2, force_last=True, cuts=False)
    assert code == 0 and json.loads(out)["indices"] == keyframes("clip.npz", "histogram", **rules).indices
    code, out, _ = say("clip.npz -m orb --count 6 --max-gap 8 --json")
    assert (
        code == 0 and json.loads(out)["indices"] == keyframes("clip.npz", "orb", count=6, max_gap=8).indices
    )


def test_for_people(say, tmp_path):
    """Keys, method, the gain of optimal, the plot."""
    code, out, err = say("clip.npz --method optimal --count 4 --plot keys.png")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("keys   0, ") and lines[1] == "method optimal, 4 of 24 frames"
    assert any(
        line.startswith("error") and "predicted from keys by uniform; optimal has" in line for line in lines
    )
    assert lines[-1] == "plot   keys.png" and (tmp_path / "keys.png").stat().st_size > 1000


def test_optimal_json_says_what_it_predicts(say):
    """One more key for this method alone."""
    code, out, _ = say("clip.npz --method optimal --count 4 --json")
    said = json.loads(out)
    assert code == 0 and said["method"] == "optimal" and len(said["indices"]) == 4
    assert said["predicted"]["optimal"] <= said["predicted"]["uniform"]


def test_quiet_and_keys_by_hand(say):
    """Nothing is printed; a list is taken."""
    assert say("clip.npz --quiet") == (0, "", "")
    _, out, _ = say("clip.npz -m uniform --keys 4,-1,9 --json")
    assert json.loads(out)["indices"] == [0, 4, 9, 23] and json.loads(out)["method"] == "explicit"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("none.mp4", "no such file or folder: none.mp4"),
        ("clip.npz --method flwo", "unknown method of choosing key frames 'flwo'; did you mean flow"),
        ("clip.npz --method latent", 'measure "latent" needs an autoencoder'),
        (
            "clip.npz --method latent --vae ./nowhere",
            "'./nowhere'; give a model's folder or a hub name (owner/name)\n",
        ),
        ("clip.npz --vae some/model", "--vae is for --method latent, not for flow"),
        ("clip.npz --seed 1", "No such option: --seed"),
        ("clip.npz --keys 0,5 --interval 4", "--interval has no effect with --keys"),
        ("clip.npz --keys 0,5 --force-last", "--force-last has no effect with --keys"),
        ("clip.npz --count 5 --interval 4", "--interval has no effect with --count"),
        ("clip.npz --count 5 --alpha 2", "--alpha has no effect with --count"),
        ("clip.npz --method uniform --beta 2", "--beta has no effect with --method uniform"),
        ("clip.npz --interval 1 --alpha 2", "--alpha has no effect with --interval 1"),
        ("clip.npz --interval 0", "the interval is 0; it must be at least 1 frame"),
        ("clip.npz --alpha 0.99", "alpha is 0.99; it must be at least 1"),
        ("clip.npz --count 25", "25 key frames are asked for; the video has 24 frames"),
        ("clip.npz --keys 3,x", "--keys is '3,x'; it must be frame numbers such as 0,10,20"),
        ("clip.npz --keys 24", "key frame 24 is not in the video; it has 24 frames, 0 to 23"),
        ("clip.npz --plot keys.jpg", "a plot is a PNG; keys.jpg does not end in .png"),
        ("clip.npz --plot none/keys.png", "cannot write none/keys.png"),
        ("clip.npz --count many", "many"),
    ],
)
def test_bad_input(say, line, says, tmp_path):
    """Exit 2, one line, nothing written."""
    code, out, err = say(line)
    assert (code, out) == (2, "")
    assert err.startswith("moviola: error: ") and says in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["clip.npz"]


def test_a_varying_rate_is_noted(say, tmp_path):
    """Keys are counted in frames."""
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    Video(frames, 4, None, [0, 0.1, 1, 1.5]).save(tmp_path / "varies.mp4")
    Video(frames, 4).save(tmp_path / "even.mp4")
    assert "variable rate" in say("varies.mp4 --json")[2]
    assert say("even.mp4 --json")[2] == ""


def test_a_mask(say, tmp_path):
    """As the Python function takes it; one of another size is named in one line."""
    picture = np.zeros((32, 40, 3), np.uint8)
    picture[:, 20:] = 255
    write_png(tmp_path / "mask.png", picture)
    code, out, err = say("clip.npz --interval 5 --mask mask.png --json")
    assert (code, err) == (0, "")
    expected = keyframes("clip.npz", interval=5, mask="mask.png")
    np.testing.assert_allclose(json.loads(out)["change"], expected.change)
    write_png(tmp_path / "mask.png", picture[:-2])
    code, out, err = say("clip.npz --mask mask.png")
    assert (code, out) == (2, "") and "mask.png is 40x30 and the frames of clip.npz are 40x32" in err
