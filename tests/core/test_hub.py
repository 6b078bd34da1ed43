"""The hub in one place: names, what is here, and one line for whatever it says."""

from __future__ import annotations

from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")

from moviola.core import hub  # noqa: E402
from moviola.core.errors import WeightsError  # noqa: E402


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("owner/some-model_1.5", True), ("gpt2", True), ("a/b/c", False), ("./a", False), ("../a/b", False),
        ("~/a", False), ("/a/b", False), ("", False), ("  ", False), ("a//b", False),
        ("owner/", False), ("model.safetensors", False),
    ],
)  # fmt: skip
def test_names(text, right):
    """One name, or owner/name; nothing that looks like a path or a file."""
    assert hub.is_name(text) == right
    if not right:
        with pytest.raises(
            WeightsError, match=r"^the model: no file or folder .*\(owner/name\); or paint by hand$"
        ):
            hub.check_name(text, "the model", "or paint by hand")


def test_what_lies_here_is_no_name(tmp_path, monkeypatch):
    """A file or folder of that name is meant."""
    monkeypatch.chdir(tmp_path)
    Path("gpt2").mkdir()
    assert not hub.is_name("gpt2")


def test_revision(tmp_path, monkeypatch):
    """The commit in the cache's own layout, where the library finds the files of it; None for what is not here."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--owner--name"
    (place / "snapshots" / "abc").mkdir(parents=True)
    (place / "snapshots" / "abc" / "config.json").write_text("{}")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    found = huggingface_hub.try_to_load_from_cache("owner/name", "config.json", cache_dir=tmp_path)
    assert Path(found).parent.name == hub.revision("owner/name") == "abc"
    assert hub.revision("owner/other") is None and hub.revision(str(tmp_path)) is None


def test_the_cache_and_the_network(tmp_path, monkeypatch):
    """A file that was downloaded needs no network; another is one line, and the hub is asked once."""
    from huggingface_hub import constants

    asked = []

    def refuse(name, **_):
        asked.append(name)
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "model_info", refuse)
    shot = tmp_path / "models--a--b" / "snapshots" / ("0" * 40)
    shot.mkdir(parents=True)
    (shot / "config.json").write_text("{}")
    (tmp_path / "models--a--b" / "refs").mkdir()
    (tmp_path / "models--a--b" / "refs" / "main").write_text("0" * 40)
    assert hub.fetch("a/b", "config.json", "b") == shot / "config.json" and asked == []
    line = r"^b is no folder and cannot be had from the hub \(no route\); download it .* give its folder; or not$"
    with pytest.raises(WeightsError, match=line):
        hub.fetch("a/b", "other.json", "b", "or not")
    assert asked == ["a/b"] and hub.cached("a/b", "other.json", "b") is None


def test_what_is_here_is_not_asked_for(monkeypatch):
    """And a library that a model needs is no matter of the hub."""
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *_, **__: pytest.fail("asked"))
    assert hub.local_first(lambda local_files_only: local_files_only, "a/b", "b") is True

    def needs(**_):
        raise ImportError("sentencepiece")

    with pytest.raises(ImportError, match="sentencepiece"):
        hub.local_first(needs, "a/b", "b")


def test_first_line():
    """One line, and the type where there is none."""
    assert hub.first_line(OSError("\n  a   b \nc")) == "a b"
    assert hub.first_line(ValueError()) == "ValueError"
