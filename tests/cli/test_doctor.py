"""`moviola doctor`: what it finds agrees with the machine, and gaps come with a remedy."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
import types

import av
import pytest

from moviola.cli import doctor
from moviola.cli.main import run
from moviola.core.checksums import write_sums
from moviola.core.optional import OPTIONAL, Library, install_line
from moviola.nn.pretrained import packages


@pytest.fixture
def catalog(monkeypatch, tmp_path):
    """A catalog of one model whose files are whole; returns its folder."""
    folder = tmp_path / "stars"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"12345")
    write_sums(folder)
    card = types.SimpleNamespace(name="stars", path=folder, size_bytes=5)
    module = types.ModuleType("moviola.models.catalog")
    module.list_models = lambda: [card]
    monkeypatch.setitem(sys.modules, "moviola.models.catalog", module)
    return folder


def examined(capsys) -> tuple[int, dict]:
    """Run `doctor --json`; return exit code and object."""
    code = run(["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_healthy(catalog, capsys, monkeypatch, tmp_path):
    """On a machine that runs these tests the core works; versions and codecs are those of the libraries."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    code, report = examined(capsys)
    assert (code, report["ok"], report["problems"]) == (0, True, [])
    for name, about in report["packages"].items():
        if about["version"]:
            assert about["version"] == importlib.metadata.version(name)
    assert report["codecs"]["mp4 (H.264)"]["write"] == ("libx264" in av.codecs_available)
    assert report["devices"][0]["name"] == "cpu"
    assert report["weights"][0]["state"] == "ok"
    assert report["cache"]["path"] == str(tmp_path / "cache")
    assert not report["cache"]["exists"]
    assert 0 < report["cache"]["free_bytes"] <= shutil.disk_usage(tmp_path).total


def test_text_and_json_tell_the_same(catalog, capsys):
    """A person reads the same facts."""
    _, report = examined(capsys)
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    for text in [
        report["python"],
        *report["codecs"],
        *(d["description"] for d in report["devices"]),
        "stars",
        "ok",
    ]:
        assert text in out
    assert out.rstrip().endswith("moviola works here.")


@pytest.mark.parametrize(("content", "word"), [(b"12x45", "damaged"), (None, "missing")])
def test_damaged_weights(catalog, capsys, content, word):
    """A changed or missing file of a model is named, and the exit code says so."""
    path = catalog / "model.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    code, report = examined(capsys)
    assert (code, report["ok"]) == (1, False)
    assert report["weights"][0]["state"] == "damaged"
    assert f"model.safetensors is {word}" in report["problems"][0]
    assert run(["doctor"]) == 1
    assert "BROKEN: the model stars" in capsys.readouterr().out


def test_unchecked_weights(catalog, capsys):
    """Without checksums the model is not called whole, and not broken either."""
    (catalog / "SHA256SUMS").unlink()
    code, report = examined(capsys)
    assert code == 0
    assert report["weights"][0]["state"] == "unchecked"
    assert any("no checksums" in line for line in report["advice"])


def test_networks_of_the_metrics(catalog, capsys, monkeypatch, tmp_path):
    """What is missing is advice, not a fault: the metrics it is for, and the command."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "installed_file", lambda *_: None)
    code, report = examined(capsys)
    assert code == 0
    assert {about["state"] for about in report["pretrained"]} == {"missing"}
    line = "i3d is not here (for fvd, fvd-pooled, kvd); run: moviola models fetch i3d"
    assert line in report["advice"]
    file = tmp_path / "weights.ckpt"
    monkeypatch.setattr(packages, "installed_file", lambda *_: file)
    _, report = examined(capsys)
    assert {(about["state"], about["path"]) for about in report["pretrained"]} == {("installed", str(file))}
    assert line not in report["advice"]


def test_missing_package(catalog, capsys, monkeypatch):
    """A core package that is not there is a problem with a remedy; an optional one is advice."""
    monkeypatch.setitem(doctor.CORE_PACKAGES, "nowhere", "moviola_nowhere")
    library = Library("moviola_elsewhere", "elsewhere", "Elsewhere", ("train",), "fun")
    monkeypatch.setitem(doctor.OPTIONAL, "moviola_elsewhere", library)
    code, report = examined(capsys)
    assert code == 1
    assert report["problems"] == ["nowhere is missing; run: pip install --force-reinstall nowhere"]
    assert f"elsewhere is missing (fun); {install_line('train')}" in report["advice"]
    assert report["packages"]["elsewhere"] == {
        "version": None,
        "required": False,
        "use": "fun",
        "extras": ["train"],
    }


def test_every_optional_library_is_named(catalog, capsys, monkeypatch):
    """Those that are missing are advice: what needs them, and the command; the core works all the same."""
    for module in OPTIONAL:
        monkeypatch.setitem(sys.modules, module, None)
    code, report = examined(capsys)
    assert code == 0
    for library in OPTIONAL.values():
        assert report["packages"][library.distribution]["version"] is None
        line = f"{library.distribution} is missing ({library.uses}); {install_line(library.extras[0])}"
        assert line in report["advice"]


def test_missing_codec(catalog, capsys, monkeypatch):
    """A codec that FFmpeg lacks is named by what it is for."""
    monkeypatch.setitem(doctor.CODECS, "a film", ("nosuchdecoder", "nosuchencoder", True))
    code, report = examined(capsys)
    assert code == 1
    assert report["codecs"]["a film"] == {"read": False, "write": False, "required": True}
    assert "a film cannot be read (no nosuchdecoder) or written (no nosuchencoder)" in report["problems"][0]


def test_catalog_that_does_not_load(catalog, capsys, monkeypatch):
    """Even a broken installation gets a report instead of a traceback."""
    monkeypatch.setitem(sys.modules, "moviola.models.catalog", types.ModuleType("moviola.models.catalog"))
    code, report = examined(capsys)
    assert code == 1
    assert report["problems"][0].startswith("the model catalog does not load (ImportError")


def test_shipped_weights_are_whole(capsys):
    """Every model in the real catalog has checksums, and they match."""
    _, report = examined(capsys)
    assert {model["name"]: model["state"] for model in report["weights"]} == {
        model["name"]: "ok" for model in report["weights"]
    }
    assert report["weights"]
