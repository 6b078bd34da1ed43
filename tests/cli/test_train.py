"""`moviola train`, end to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from moviola.cli.main import run
from moviola.core.locks import FolderLock
from moviola.data import codec
from moviola.recipes.catalog import CATALOG

SHORT = [w for s in ("trainer.steps=3", "trainer.batch=4", "trainer.tensorboard=false") for w in ("--set", s)]


def call(capsys, *words: object) -> tuple[int, str, str]:
    """Run train; return (exit code, stdout, stderr)."""
    code = run(["train", *map(str, words), "--device", "cpu"])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.slow
def test_debug_recipes_make_a_model_that_generates(capsys, tmp_path):
    """Text to first frame, frames to next frame, text to video: the whole way, as a newcomer would go it."""
    model = tmp_path / "model"
    for recipe, part in (("textgan_debug", "first"), ("nextframe_debug", "next")):
        code, out, err = call(capsys, recipe, "-o", model)
        assert (code, err) == (0, "") and out.startswith(f"trained {model / part}: 40 steps in ")
        log = [json.loads(x) for x in (model / "runs" / part / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in log] == list(range(5, 41, 5))
        assert log[-1][f"{part}/l1"] < log[0][f"{part}/l1"]
        assert (model / "runs" / part / "samples" / f"{part}-000040.png").is_file()
    assert out.splitlines()[1] == f'next    moviola generate "PROMPT" -o OUT.mp4 --model {model}'
    prompt = "a 3 moves left and right"
    assert (
        run(["generate", prompt, "--model", str(model), "-o", str(tmp_path / "x.mp4"), "--device", "cpu"])
        == 0
    )
    assert prompt in capsys.readouterr().out
    assert codec.read(tmp_path / "x.mp4").frames.shape == (16, 32, 32, 3)


def test_a_second_training_in_a_folder_is_refused(tmp_path):
    """The real command while this process holds the lock: one line, exit 2, nothing touched; afterwards it trains."""
    folder = tmp_path / "m"
    run_folder = folder / "runs" / "next"
    run_folder.mkdir(parents=True)
    words = [sys.executable, "-c", "import sys; from moviola.cli.main import run; sys.exit(run())", "train"]
    words += ["nextframe_debug", "-o", str(folder), "--device", "cpu", *SHORT]
    with FolderLock(run_folder, "a training"):
        for more in ([], ["--resume"]):
            second = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
            assert second.returncode == 2 and second.stdout == ""
            (line,) = second.stderr.splitlines()
            assert line.startswith(
                f"moviola: error: {run_folder} is in use by a training (process {os.getpid()} on "
            )
            assert line.endswith("; wait for it, or name another folder")
        assert [path.name for path in run_folder.iterdir()] == [".lock"]
    first = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stderr) == (0, "")
    assert (folder / "next").is_dir() and not (run_folder / ".lock").exists()


def test_json_and_resume(capsys, tmp_path):
    """One object a run; the second goes on where the first ended."""
    folder = tmp_path / "m"
    code, out, err = call(capsys, "nextframe_debug", "-o", folder, "--json", *SHORT)
    first = json.loads(out)
    assert (code, err) == (0, "") and first.pop("seconds") > 0
    assert first == {
        "output": str(folder),
        "part": "next",
        "steps": 3,
        "resumed_from": 0,
        "log": str(folder / "runs/next/log.jsonl"),
        "weights": str(folder / "next"),
        "next": f'moviola generate "PROMPT" --image FRAME.png -o OUT.mp4 --model {folder}',
    }
    code, out, err = call(
        capsys, "nextframe_debug", "-o", folder, *SHORT, "--set", "trainer.steps=5", "--resume"
    )
    assert (code, err) == (0, "") and "5 steps (went on from step 3)" in out
    assert call(capsys, "nextframe_debug", "-o", folder, *SHORT, "--quiet", "--resume") == (0, "", "")


def test_a_refiner_is_the_whole_folder(capsys, tmp_path):
    """The closing lines name the folder that is there and the command that takes it."""
    folder = tmp_path / "my refiner"
    code, out, err = call(capsys, "regis_fuse_debug", "-o", folder, *SHORT, "--set", "data.count=4")
    assert (code, err) == (0, "") and out.startswith(f"trained {folder}: 3 steps in ")
    assert (folder / "model.safetensors").is_file() and not (folder / "refiner").exists()
    assert out.splitlines()[1:] == [f"next    moviola refine VIDEO -o OUT.mp4 --model '{folder}'"]


def test_the_first_part_alone_names_the_other(capsys, tmp_path):
    """A model without its next-frame network generates nothing yet: the recipe of that network is named."""
    code, out, _ = call(capsys, "textgan_debug", "-o", tmp_path / "m", *SHORT)
    assert code == 0 and out.splitlines()[1] == f"next    moviola train nextframe_debug -o {tmp_path / 'm'}"


def test_help_lists_every_recipe(capsys):
    """Each by its whole name."""
    assert run(["train", "--help"]) == 0
    words = set(capsys.readouterr().out.replace(",", " ").replace(".", " ").split())
    assert set(CATALOG) <= words


def test_seed_is_the_setting(capsys, tmp_path):
    """--seed N is --set trainer.seed=N."""
    for name, words in (("a", ["--seed", 5]), ("b", ["--set", "trainer.seed=5"]), ("c", [])):
        assert call(capsys, "textgan_debug", "-o", tmp_path / name, "-q", *SHORT, *words)[0] == 0
    a, b, c = ((tmp_path / n / "first" / "model.safetensors").read_bytes() for n in "abc")
    assert a == b != c


BAD = {
    "unknown recipe": (["nextframe_debgu"], "did you mean nextframe_debug"),
    "unknown key": (["nextframe_debug", "--set", "trainer.stepps=3"], "steps"),
    "bad value": (["nextframe_debug", "--set", "trainer.steps=0"], "trainer.steps"),
    "no sign": (["nextframe_debug", "--set", "trainer.steps"], "no '='"),
    "no data": (["nextframe_sprites"], "--data"),
    "data not there": (["textgan_sprites", "--data", "nowhere"], "nowhere"),
    "data of another kind": (["textgan_sprites", "--data", "."], "sprite part"),
    "strips of another kind": (["nextframe_actions", "--data", "."], "strip"),
    "data for what is drawn": (["nextframe_debug", "--data", "."], "drawn and need no data"),
    "mirrored digits": (["nextframe_debug", "--set", "data.mirror=true"], "mirror is for videos"),
    "nothing but the history": (
        ["nextframe_debug", "--set", "objective.history_dropout=0.3"],
        "model.memory",
    ),
    "no look but the history's": (["nextframe_debug", "--set", "other_look=0.3"], "other_look needs"),
    "no device": (["nextframe_debug", "--device", "tpu"], "tpu"),
    "no parent": (["nextframe_debug", "-o", "no/such/model"], "no folder no/such"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(capsys, tmp_path, monkeypatch, case):
    """Exit 2, one line, nothing written."""
    monkeypatch.chdir(tmp_path)
    words, expected = BAD[case]
    code = run(["train", *words])
    said = capsys.readouterr()
    assert (code, said.out) == (2, "") and expected in said.err, said.err
    assert said.err.count("\n") == 1 and os.listdir(tmp_path) == []


def test_a_run_is_not_overwritten(capsys, tmp_path):
    """Without --resume; and a damaged checkpoint is named, with what to do."""
    call(capsys, "nextframe_debug", "-o", tmp_path / "m", "-q", *SHORT)
    code, _, err = call(capsys, "nextframe_debug", "-o", tmp_path / "m", *SHORT)
    assert code == 2 and "--resume" in err and err.count("\n") == 1
    newest = tmp_path / "m/runs/next/checkpoints/step-00000003/state.safetensors"
    newest.write_bytes(newest.read_bytes()[:100])
    code, _, err = call(capsys, "nextframe_debug", "-o", tmp_path / "m", *SHORT, "--resume")
    assert code == 2 and "step-00000003" in err and "remove it" in err and err.count("\n") == 1


def test_not_finite(capsys, tmp_path):
    """Exit 1 and one line that names step and term; no network is written."""
    code, out, err = call(
        capsys, "nextframe_debug", "-o", tmp_path / "m", *SHORT, "--set", "objective.learning_rate=1e30"
    )
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "training stopped at step 1: next:" in err and "not finite" in err
    assert not (tmp_path / "m" / "next").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(capsys, tmp_path, monkeypatch, number):
    """130 and one line after the step in hand and a checkpoint; --resume goes on from there."""
    from moviola.training.objectives.nextframe import NextFrameObjective

    step = NextFrameObjective.step

    def stopped_in_the_third(self, micros, context):
        if context.step == 2:
            os.kill(os.getpid(), number)
        return step(self, micros, context)

    monkeypatch.setattr(NextFrameObjective, "step", stopped_in_the_third)
    words = ["nextframe_debug", "-o", tmp_path / "m", *SHORT, "--set", "trainer.steps=5"]
    assert call(capsys, *words) == (130, "", "moviola: interrupted\n")
    assert not (tmp_path / "m" / "next").exists()
    monkeypatch.undo()
    code, out, _ = call(capsys, *words, "--resume")
    assert code == 0 and "went on from step 3" in out
