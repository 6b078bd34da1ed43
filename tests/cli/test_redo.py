"""`moviola redo`: the same file byte for byte from every verb, or a line that says which part differs."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from moviola.cli.main import TASKS, VERBS, run
from moviola.cli.recorded import load_recorded, option_name
from moviola.core.contents import contents
from moviola.core.provenance import Provenance
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.descent import descent, read_provenance

SPEC = importlib.util.spec_from_file_location("redo_place", Path(__file__).with_name("redo_place.py"))
PLACE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PLACE)

FIT = "--model space --steps 1 --starts 1 --seed 2"
# verb and its words -> the file that is made again; all in the folder of `place`
CASES = {
    'generate "a person with red hair walks left" --model text --frames 4 --seed 3 -o out/a.mp4': "a.mp4",
    'generate "a person jumps" --model text --num 3 --frames 3 --image first.png -o out/a.webp': "a-2.webp",
    'generate "a person walks" --then jumps --join carry --model text --frames 2 -o out/a.gif': "a.gif",
    'generate "a person walks" --model text --refine 1 --refiner refiner --sheet out/s.png -o out/a.webm': "s.png",
    'generate "a person walks" --model text --frames 3 --upscale 2 -o out/frames/': "frames",
    "sample text -n 3 --frames 3 --captions captions.txt -o out/d --format npz": "d/00002.npz",
    "sample bands -n 2 --first 4 --time 0:2 --fps 2 --loop --format png-folders -o out/d": "d/00005",
    "sample space -n 1 --size 24x24 --method gaussian -o out/d --format webp": "d/00000.webp",
    "refine in/a.mkv --model refiner --corruption noise --strength 0.4 --keep-known --seed 5 -o out/a.mp4": "a.mp4",
    "refine in --model refiner -n 1 -o out/d": "d/b.mkv",
    "refine in/a.mkv --model refiner -n auto --limit 2 --trace out/t -o out/a.mkv": "t/trace.mp4",
    "mend flicker.mkv --flicker --lossless -o out/a.mkv": "a.mkv",
    "mend in/a.mkv --drift --reference first.png --guide in/b.mkv -o out/a.mov": "a.mov",
    "restyle in/a.mkv --painter watercolor --interval 4 --propagation warp -o out/a.mp4": "a.mp4",
    "restyle in/a.mkv --painter sketch --strength 0.5 --first-only -o out/a.png": "a.png",
    "restyle in/a.mkv --keys keys --set propagation.method=linear --mend -o out/a.png": "a.png",
    "edit motion bands --seed 3 --frames 4 --gain low=0.5 --alter high=7 --sheet out/s.png -o out/a.mp4": "a.mp4",
    "edit project small.npz --model bands --steps 2 --starts 2 --save out/c.safetensors -o out/a.npz": "a.npz",
    f"edit invert small.npz {FIT} -o out/a.mp4": "a.mp4",
    f"edit inpaint small.npz --mask mask.png --truth other.npz --film out/f.webp {FIT} -o out/a.npz": "f.webp",
    f"edit predict small.npz --known 2 --samples 2 {FIT} -o out/a.npz": "a-2.npz",
    f"edit frame-interpolate small.npz --plain {FIT} -o out/a.npz": "a.npz",
    f"edit sparse small.npz --share 0.5 --size 20x20 {FIT} -o out/a.npz": "a.npz",
    f"edit upsample small.npz --from 8x8 --free heads {FIT} -o out/a.npz": "a.npz",
    f"edit interpolate --between 0 small.npz other.npz {FIT} --seconds 1 -o out/a.mp4": "a.mp4",
    "data make icons -n 3 --size 16 --frames 3 --seed 4 out/d": "d/000001.mp4",
    "data cut in/a.mkv --rows 2 --columns 1 out/d": "d/r01c00.mp4",
}  # fmt: skip
VERBS_WITH_RECORDS = {
    "generate", "sample", "refine", "restyle", "mend", "data make", "data cut", "data pairs",
    *(f"edit {task}" for task in TASKS["edit"] if task not in ("spectrum", "map")),
}  # fmt: skip
NOT_VIDEO = {"keyframes", "train", "evaluate", "study", "models", "doctor", "redo", "studio"}


@pytest.fixture(scope="module")
def made_place(tmp_path_factory):
    """The folder that every test has a copy of."""
    return PLACE.make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def place(made_place, tiny_folder, tmp_path, monkeypatch):
    """A folder of clips and models, which is the present one, with an empty `out` in it."""
    folder = tmp_path / "place"
    shutil.copytree(made_place, folder)
    shutil.copytree(tiny_folder, folder / "text")
    (folder / "out").mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def refine(place):
    """A refined clip, `out/a.npz`, of `in/a.mkv`."""
    make(["refine", "in/a.mkv", "--model", "refiner", "-n", "1", "--seed", "7", "-o", "out/a.npz"])
    return place


def make(words: list[str]) -> None:
    """Run a verb on a processor, where it takes a device: of others nobody promises the same bits twice."""
    device = [] if words[0] in ("mend", "data") else ["--device", "cpu"]
    assert run([*words, *device, "--quiet"]) == 0


def complaint(capsys, *words) -> str:
    """The one line on stderr of a call that ends with 2."""
    capsys.readouterr()
    assert run([*words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("line", CASES, ids=lambda line: " ".join(line.split()[:3]).replace('"', ""))
def test_every_verb_is_made_again_byte_for_byte(line, place, capsys):
    """Beside the file and in another folder, from another present folder; the record is the same too."""
    words = shlex.split(line)
    if words[0] in ("mend", "restyle"):
        pytest.importorskip("cv2")
        pytest.importorskip("scipy")
    make(words)
    file = place / "out" / CASES[line]
    record = read_provenance(file)
    assert words[: len(record.verb.split())] == record.verb.split()
    (place / "far").mkdir()
    os.chdir(place / "far")
    again = f"again{file.suffix}"
    assert run(["redo", str(file), "-o", again, "--inputs", str(place / "in"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] and told["differences"] == [] and told["verb"] == record.verb
    assert contents(again) == contents(file)
    assert read_provenance(again) == record
    assert os.listdir() == [again]


@pytest.mark.parametrize("line", CASES, ids=lambda line: " ".join(line.split()[:3]).replace('"', ""))
def test_a_record_calls_options_as_the_command_line_does(line):
    """The name in a record is the option without its dashes, whatever the function calls it."""
    words = shlex.split(line)
    verb = next(" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in VERBS_WITH_RECORDS)
    command = load_recorded(verb)
    names = {
        name: option_name(name, parameter.annotation)
        for name, parameter in inspect.signature(command.callback).parameters.items()
    }
    for param in command.params:
        if param.name != "help":
            typed = [f"--{names[param.name]}"] if param.param_type_name == "option" else [names[param.name]]
            assert set(typed) <= {*param.opts, param.name}


def test_every_verb_that_writes_video_has_a_case():
    """A new verb is put into `CASES`, or said to write no video; `data pairs` needs clips with captions."""
    groups = {**TASKS, "data": ("make", "cut", "pairs")}
    verbs = {
        f"{verb} {task}".strip() for verb in VERBS if verb not in NOT_VIDEO for task in groups.get(verb, [""])
    }
    assert verbs - {"edit spectrum", "edit map"} == VERBS_WITH_RECORDS
    words = {" ".join(shlex.split(line)[: 2 if line.split()[0] in groups else 1]) for line in CASES}
    assert words == VERBS_WITH_RECORDS - {"data pairs"}


@pytest.mark.parametrize("line", list(CASES)[5:13:3])
def test_no_recipe_leaves_it_out(line, place):
    """No file that a verb writes says how it was made, and none can be made again."""
    make([*shlex.split(line), "--no-recipe"])
    files = [path for path in (place / "out").rglob("*") if path.suffix in codec.WRITE_SUFFIXES]
    assert files and all(read_provenance(path) is None for path in files)
    assert descent(place / "out") == []


def test_what_was_not_recorded_cannot_be_made_again(place, capsys):
    """One line says so, for a file of another program as for one without a record."""
    line = complaint(capsys, "redo", "in/a.mkv", "-o", "out/a.mkv")
    assert "in/a.mkv does not say how it was made" in line
    assert "name one of the files in it" in complaint(capsys, "redo", "in", "-o", "out/in")
    assert "no such file" in complaint(capsys, "redo", "in/none.mkv", "-o", "out/a.mkv")


def test_a_changed_input_is_named(refine, capsys):
    """Nothing is written; with --force it is made from what is there now, and the new record says so."""
    before = read_provenance(refine / "out/a.npz")
    shutil.copyfile("in/b.mkv", "in/a.mkv")
    line = complaint(capsys, "redo", "out/a.npz", "-o", "again.npz")
    assert "input ../in/a.mkv holds something else now" in line and "--force" in line
    assert not Path("again.npz").exists()
    assert run(["redo", "out/a.npz", "-o", "again.npz", "--force", "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert not told["identical"] and "8 of 8 frames differ" in told["change"]
    assert [one["kind"] for one in told["differences"]] == ["input"]
    after = read_provenance("again.npz")
    assert after.inputs[0].name == "in/a.mkv" == after.settings["input"]
    assert after.inputs[0].sha256 == contents("in/a.mkv") != before.inputs[0].sha256
    assert run(["redo", "again.npz", "-o", "third.npz"]) == 0


def test_a_missing_input_is_named(refine, capsys):
    """It cannot be forced; where it lies under its name elsewhere, --inputs says so."""
    (refine / "kept").mkdir()
    shutil.move("in/a.mkv", "kept/a.mkv")
    for words in ([], ["--force"]):
        line = complaint(capsys, "redo", "out/a.npz", "-o", "again.npz", *words)
        assert "input ../in/a.mkv is missing" in line and "--inputs" in line
    assert run(["redo", "out/a.npz", "-o", "again.npz", "--inputs", "kept"]) == 0
    assert contents("again.npz") == contents("out/a.npz")


def test_an_input_under_another_name(refine):
    """--inputs finds it by what it holds, among others of its kind."""
    Path("kept").mkdir()
    shutil.copy("in/b.mkv", "kept/a0.mkv")
    shutil.move("in/a.mkv", "kept/renamed.mkv")
    assert run(["redo", "out/a.npz", "-o", "again.npz", "--inputs", "kept"]) == 0
    assert np.array_equal(codec.read("again.npz").frames, codec.read("out/a.npz").frames)


def test_another_version_is_named(refine, monkeypatch, capsys):
    """The two versions; what is made all the same has the present one in its record."""
    monkeypatch.setattr("moviola.__version__", "99.0")
    line = complaint(capsys, "redo", "out/a.npz", "-o", "again.npz")
    assert "version: moviola 0" in line and "this is 99.0" in line
    assert run(["redo", "out/a.npz", "-o", "again.npz", "--force"]) == 0
    assert "frames are the same" in capsys.readouterr().err
    assert read_provenance("again.npz").version == "99.0"


def test_other_weights_are_named(refine, capsys):
    """A model trained further, and one that is gone."""
    config = Path("refiner/config.json")
    config.write_text(config.read_text() + "\n")
    assert "model ../refiner: its weights are others" in complaint(capsys, "redo", "out/a.npz", "-o", "b.npz")
    shutil.rmtree("refiner")
    assert "model ../refiner: it is not on this machine" in complaint(
        capsys, "redo", "out/a.npz", "-o", "b.npz"
    )


def test_all_differences_stand_in_one_line(refine, monkeypatch, capsys):
    """Version, model and input at once."""
    monkeypatch.setattr("moviola.__version__", "99.0")
    config = Path("refiner/config.json")
    config.write_text(config.read_text() + "\n")
    shutil.copyfile("in/b.mkv", "in/a.mkv")
    line = complaint(capsys, "redo", "out/a.npz", "-o", "again.npz")
    assert all(part in line for part in ("version: ", "model ../refiner", "input ../in/a.mkv"))


def test_another_library_is_no_hindrance(refine, monkeypatch, capsys):
    """It is made and noted, since the same bytes may come out; the record has the present one."""
    monkeypatch.setattr(
        "moviola.pipelines.redo.library_versions", lambda: {"torch": "99.0", "unheard-of": "1"}
    )
    assert run(["redo", "out/a.npz", "-o", "again.npz"]) == 0
    printed = capsys.readouterr()
    assert "this is 99.0" in printed.out and "frames are the same" in printed.err
    assert np.array_equal(codec.read("again.npz").frames, codec.read("out/a.npz").frames)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("out/b.mp4", "made again as .npz"),
        ("out/b/", "made again as .npz"),
        ("none/b.npz", "no folder none"),
    ],
)
def test_an_output_of_another_form(output, line, refine, capsys):
    """What is made again has the file's format; the folder exists."""
    assert line in complaint(capsys, "redo", "out/a.npz", "-o", output)


def test_a_result_may_be_written_over(refine):
    """The file itself is the output: it is the same afterwards."""
    before = contents("out/a.npz")
    assert run(["redo", "out/a.npz", "-o", "out/a.npz", "--quiet"]) == 0
    assert contents("out/a.npz") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs": {"output": "/../../evil.npz"}},
        {"outputs": {"output": ".npz", "home": ".npz"}},
        {"part": "../../evil.npz"},
        {"part": str(Path("/").resolve() / "evil.npz")},
        {"output": "sheet"},
        {"verb": "train"},
        {"verb": "no such verb"},
        {"verb": ""},
        {"settings": {"work": "evil"}},
        {"settings": {"no-such-option": 1}},
        {"settings": {"no-recipe": True}},
    ],
)
def test_a_record_made_to_do_harm(changes, refine, capsys):
    """Only what a verb writes where it is told is made; one line, nothing else."""

    class Bad:
        def record(self, path):
            whole = json.loads(read_provenance(refine / "out/a.npz").to_json())
            return Provenance.parse(json.dumps({**whole, **changes}))

    from moviola.core.provenance import recording

    with recording(Bad()):
        codec.write(Video(np.zeros((2, 8, 8, 3), np.uint8), 5), refine / "bad.npz")
    before = sorted(path.name for path in refine.rglob("*"))
    assert complaint(capsys, "redo", "bad.npz", "-o", "again.npz")
    assert sorted(path.name for path in refine.rglob("*")) == before


def test_no_place_and_no_name_is_told(refine, tmp_path):
    """A record has no absolute path, and where a path would go over the root or a home, only the name is kept."""
    text = read_provenance("out/a.npz").to_json()
    assert str(tmp_path) not in text and Path.home().name not in json.loads(text)["inputs"][0]["name"]


def test_data_info_shows_it(refine, capsys):
    """For a person and for a program; nothing of a file without a record."""
    assert run(["data", "info", "out/a.npz"]) == 0
    printed = capsys.readouterr().out
    for part in ("made by   moviola ", "seed      7", "model     ../refiner", "from      ../in/a.mkv"):
        assert part in printed
    command = next(line for line in printed.splitlines() if line.startswith("  command   "))
    words = shlex.split(command.removeprefix("  command   moviola "))
    os.chdir("out")
    assert run([word.replace("OUTPUT", "again") for word in words]) == 0
    assert contents("again.npz") == contents("a.npz")
    os.chdir("..")
    capsys.readouterr()
    assert run(["data", "info", "out/a.npz", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provenance"]["verb"] == "refine" and told["provenance"]["settings"]["seed"] == 7
    assert run(["data", "info", "in/a.mkv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"] is None


def test_data_info_of_a_picture(place, capsys):
    """A sheet is no data set, but tells how it was made."""
    make(shlex.split("edit motion bands --frames 4 --sheet out/s.png -o out/a.npz"))
    assert run(["data", "info", "out/s.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["output"] == "sheet"


def test_a_set_gives_each_clip_its_own_parent(place):
    """A refined clip came from the one clip, not from the whole folder."""
    make(["refine", "in", "--model", "refiner", "-n", "1", "-o", "out/d"])
    parents = {one.path.name: one.parents for one in descent(place) if one.path.parent.name == "d"}
    assert parents == {"a.mkv": (place / "in/a.mkv",), "b.mkv": (place / "in/b.mkv",)}


@pytest.mark.slow
def test_a_painting_by_diffusion(place, capsys):
    """From a config whose file is gone, with weights in folders, from another folder; other weights are named."""
    pytest.importorskip("diffusers")
    from moviola.core.quiet import quiet_libraries
    from moviola.models.rerender.diffusion.tiny import tiny_pipeline

    with quiet_libraries():
        tiny_pipeline("sd", 1).controlnet.save_pretrained(place / "control")
        tiny_pipeline("sd", 0).save_pretrained(place / "model")
    controls = [{"kind": "canny", "model": "control", "strength": 0.7}]
    settings = {"diffusion": {"controls": controls, "size": 32}, "keys": {"interval": 4}, "seed": 6}
    Path("settings.json").write_text(json.dumps(settings))
    words = [
        "restyle",
        "in/a.mkv",
        "a castle",
        "--model",
        "model",
        "--config",
        "settings.json",
        "--steps",
        "4",
    ]
    make([*words, "--propagation", "warp", "-o", "out/a.mp4"])
    record = read_provenance("out/a.mp4")
    assert record.seed == 6 and record.resolved["painter"] == "diffusion"
    assert {one.name for one in record.models} == {"../model", "../control"}
    os.remove("settings.json")
    os.mkdir("far")
    os.chdir("far")
    assert run(["redo", "../out/a.mp4", "-o", "again.mp4"]) == 0
    assert contents("again.mp4") == contents("../out/a.mp4")
    config = place / "control" / "config.json"
    config.write_text(config.read_text() + "\n")
    assert "model ../control: its weights" in complaint(capsys, "redo", "../out/a.mp4", "-o", "b.mp4")
