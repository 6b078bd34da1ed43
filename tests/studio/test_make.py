"""Forms: what they ask, what they refuse, and the jobs that come of them."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.cli.studio_forms import attribute_help, make_forms, settings_of
from moviola.core.provenance import Ingredient, Provenance
from moviola.core.video import Video
from moviola.data.codec.comments import put_comment

from .conftest import make_client


@pytest.fixture
def quick(folder, stub):
    """A client of a studio whose jobs are the stub's."""
    with make_client(folder, program=stub) as opened:
        yield opened


def order(client, verb, values, **more):
    """Hand in a form."""
    return client.post("/api/jobs", json={"verb": verb, "values": values, **more})


def finished(client, job) -> dict:
    """Wait for a job's end."""
    while not (state := client.get(f"/api/jobs/{job}").json())["ended"]:
        pass
    return state


def test_every_preset_is_accepted():
    """Its fields exist and its values are read by the verb."""
    for form in make_forms():
        required = {one.name: "a.mp4" for one in form.fields if one.required and not one.many}
        for _, values in form.presets:
            assert form.words({**required, **values}, f"out{form.suffix}")


def test_forms_have_the_words_of_the_command_line(client):
    """Fields, their help and their usual values are those of the options."""
    forms = {form["verb"]: form for form in client.get("/api/forms").json()}
    assert {"generate", "sample", "refine", "restyle", "mend", "edit motion"} <= set(forms)
    fields = {one["name"]: one for one in forms["generate"]["fields"]}
    assert fields["prompt"]["required"] and fields["model"]["default"] == "sprites"
    assert fields["join"]["kind"] == "choice" and fields["join"]["choices"] == ["cut", "carry"]
    assert "pixel-art people" in fields["model"]["about"]["sprites"]
    assert not {"output", "json", "quiet"} & set(fields)


def test_settings_have_the_help_of_their_config():
    """Every setting of restyling is there, by its dotted name, with the line of its class."""
    from moviola.pipelines.restyle import KeyConfig, RestyleConfig

    fields = {one.name: one for one in settings_of(RestyleConfig)}
    assert (
        fields["keys.min_gap"].help == "frames between keys at least."
        and fields["keys.min_gap"].default == "1"
    )
    assert [name for name, one in fields.items() if not one.help] == []
    assert set(KeyConfig.model_fields) <= set(attribute_help(KeyConfig))


def test_a_form_becomes_a_job(quick, folder):
    """Its words are those one would type; the output gets a free name."""
    given = {"prompt": "-a person", "frames": "16", "seed": 3}
    made = order(quick, "generate", given)
    assert made.status_code == 201, made.text
    job = finished(quick, made.json()["id"])
    assert (job["state"], job["output"], job["given"]) == ("done", "generate-1.mp4", given)
    assert (
        job["command"]
        == "moviola generate --frames=16 --seed=3 --output=generate-1.mp4 --json -- '-a person'"
    )
    assert (folder / "generate-1.mp4").read_text() == "-a person"
    assert quick.get("/api/made", params={"name": "generate-1.mp4"}).json()["id"] == job["id"]
    assert quick.get("/api/made", params={"name": "a.mp4"}).json() is None
    again = quick.post(f"/api/jobs/{job['id']}/again").json()
    assert (again["output"], again["given"]) == ("generate-2.mp4", given)


def test_what_a_file_says_of_how_it_was_made(quick, folder):
    """Its record, and which of its inputs the folder holds; a file that says nothing has none."""
    record = Provenance(
        verb="restyle",
        version="0.1.0",
        settings={"painter": "ink", "seed": 0, "crop": "", "index": 0},
        inputs=tuple(Ingredient("input", name, "0" * 64) for name in ("a.mp4", "../elsewhere.mp4")),
    )
    Video(np.zeros((4, 16, 16, 3), np.uint8), 8).save(folder / "painted.gif")
    assert put_comment(folder / "painted.gif", ".gif", record.to_json())
    told = quick.get("/api/record", params={"name": "painted.gif"}).json()
    assert (told["verb"], told["settings"]) == ("restyle", {"painter": "ink", "seed": "0"})
    assert told["inputs"] == ["a.mp4", "../elsewhere.mp4"] and told["sources"] == ["a.mp4"]
    assert quick.get("/api/record", params={"name": "a.mp4"}).json() is None
    assert quick.get("/api/record", params={"name": "../a.mp4"}).status_code == 403


@pytest.mark.parametrize(
    ("verb", "values", "said"),
    [
        ("generate", {}, "prompt is needed"),
        ("generate", {"prompt": "x", "frames": "many"}, "frames is 'many'; it must be a whole number"),
        ("generate", {"prompt": "x", "seed": "-1"}, "greater than or equal to 0"),
        ("generate", {"prompt": "x", "join": "glue"}, "join is 'glue'; it is cut or carry"),
        ("generate", {"prompt": "x", "colour": "red"}, "generate has no 'colour'"),
        ("generate", {"prompt": ["x", "y"]}, "takes one value"),
        ("mend", {"input": "a.mp4", "flicker": "perhaps"}, "it must be yes or no"),
        ("restyle", {"input": "a.mp4", "keys.nothing": "1"}, "restyle has no 'keys.nothing'"),
        ("generat", {"prompt": "x"}, "did you mean generate?"),
    ],
)
def test_wrong_values_are_refused(quick, folder, verb, values, said):
    """In one line, before anything is in the queue."""
    reply = order(quick, verb, values)
    assert reply.status_code == 400 and said in reply.json()["error"]
    assert quick.get("/api/jobs").json() == []


@pytest.mark.parametrize(
    ("verb", "values", "output"),
    [
        ("mend", {"input": "../outside.mp4"}, ""),
        ("mend", {"input": "/etc/passwd"}, ""),
        ("generate", {"prompt": "x", "model": "/somewhere/else"}, ""),
        ("generate", {"prompt": "x", "model": "../model"}, ""),
        ("restyle", {"input": "a.mp4", "raft": "/etc/passwd"}, ""),
        ("generate", {"prompt": "x"}, "../out.mp4"),
        ("generate", {"prompt": "x"}, "/out.mp4"),
        ("generate", {"prompt": "x"}, ".moviola-studio/queue.sqlite"),
    ],
)
def test_no_job_leaves_the_folder(quick, verb, values, output):
    """Neither what it reads nor what it writes."""
    reply = order(quick, verb, values, output=output)
    assert reply.status_code == 403, reply.text
    assert quick.get("/api/jobs").json() == []


def test_nothing_is_written_over(quick, folder):
    """An output that is there, or that a job is to write, is refused."""
    before = (folder / "a.mp4").read_bytes()
    assert order(quick, "generate", {"prompt": "x"}, output="a.mp4").status_code == 409
    assert (folder / "a.mp4").read_bytes() == before
    assert order(quick, "generate", {"prompt": "wait"}, output="new.mp4").status_code == 201
    assert order(quick, "generate", {"prompt": "x"}, output="new.mp4").status_code == 409
    assert order(quick, "generate", {"prompt": "x"}, output="none/new.mp4").status_code == 400
    quick.post("/api/jobs/1/cancel")
    assert finished(quick, 1)["state"] == "cancelled"


def test_two_studios_over_one_folder(client, folder):
    """The second is refused: they would share a queue."""
    from moviola.core.errors import OutputError

    with pytest.raises(OutputError, match="in use by a studio"):
        make_client(folder)


def test_requests_that_make_no_sense(quick):
    """Each has its line."""
    assert quick.post("/api/jobs", content=b"no json").status_code == 400
    assert quick.post("/api/jobs", json={"verb": 3}).status_code == 400
    assert quick.post("/api/jobs/99/cancel").status_code == 404
    assert quick.post("/api/jobs", content=b"[" * 2 * 10**6).status_code == 413
