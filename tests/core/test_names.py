"""One order of names, and names that are not UTF-8."""

from __future__ import annotations

import json
import os
import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moviola.cli.main import run
from moviola.core.names import json_text, name_bytes, natural_key, natural_sorted, written
from moviola.core.seeds import derive
from moviola.data import codec
from moviola.data.captions import write_captions
from moviola.data.sources import open_source, split

NAME = os.fsdecode(b"caf\xe9")  # Latin-1


def test_numbers_capitals_and_folders():
    """2 before 10, a before B before c, folder by folder; what only differs in capitals or zeros has one order too."""
    wanted = ["a/z.png", "a1", "a2", "A10", "a010", "B2", "b3", "c3"]
    for seed in range(20):
        mixed = wanted.copy()
        random.Random(seed).shuffle(mixed)
        assert natural_sorted(mixed) == ["a/z.png", "a1", "a2", "A10", "a010", "B2", "b3", "c3"]
    assert natural_sorted(["x" + "9" * 5000, "x1" + "0" * 5000]) == ["x" + "9" * 5000, "x1" + "0" * 5000]


@given(st.lists(st.text(), unique=True, max_size=6))
def test_the_order_is_total(names):
    assert natural_sorted(names) == natural_sorted(reversed(names))
    assert len({natural_key(name) for name in names}) == len(names)


def test_frames_have_one_order_whoever_reads_them(tmp_path):
    """The reader of folders, a data set and the writer of key frames: a1, B2, c3, c10."""
    for i, name in enumerate(["a1", "B2", "c3", "c10"]):
        Image.fromarray(np.full((4, 4, 3), 50 * i, np.uint8)).save(tmp_path / f"{name}.png")
    wanted = [0, 50, 100, 150]
    assert codec.read(tmp_path).frames[:, 0, 0, 0].tolist() == wanted
    assert open_source(tmp_path, layout="frames").read(0).frames[:, 0, 0, 0].tolist() == wanted
    assert codec.read_frames_at(tmp_path, [3, 1])[:, 0, 0, 0].tolist() == [150, 50]


def test_a_linked_class_hides_none(tmp_path):
    """Links beside the folder they lead to, before and after it by name; a link to a folder around it is left."""
    frame = Image.new("RGB", (4, 4))
    for folder in ("m/deep", "other"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    frame.save(tmp_path / "set" / "m" / "0.webp")
    frame.save(tmp_path / "set" / "m" / "deep" / "1.webp")
    frame.save(tmp_path / "set" / "other" / "0.webp")
    for name in ("a", "z"):
        (tmp_path / "set" / name).symlink_to("m")
    (tmp_path / "set" / "m" / "deep" / "up").symlink_to("..")
    (tmp_path / "set" / "other" / "all").symlink_to(tmp_path / "set")
    source = open_source(tmp_path / "set", "strips")
    assert source.labels == {"a": 2, "m": 2, "other": 1, "z": 2}
    assert source.names == [
        "a/0.webp", "a/deep/1.webp", "m/0.webp", "m/deep/1.webp", "other/0.webp", "z/0.webp", "z/deep/1.webp"
    ]  # fmt: skip


def test_text_of_such_a_name():
    """JSON gives the name back; people read an escape; checksums and seeds take it, and other names keep theirs."""
    assert json.loads(json_text({"a": NAME})) == {"a": NAME}
    json_text({"a": NAME}).encode("utf-8")
    assert json_text(["grün"]) == '["grün"]'
    assert written(f"<b>{NAME} grün</b>").decode() == "<b>caf\\xe9 grün</b>"
    assert name_bytes("grün") == "grün".encode()
    assert name_bytes(NAME) != name_bytes("caf")
    assert derive(0, NAME) != derive(0, "caf")


def test_a_data_set_of_such_names(tmp_path, capsys):
    """Read, told about, split, fingerprinted, captioned; on the command line as text and as JSON."""
    folder = tmp_path / NAME
    folder.mkdir()
    for name in (NAME, "b", "c"):
        images = [Image.new("RGB", (8, 8), (40 * i, 0, 0)) for i in range(3)]
        images[0].save(folder / f"{name}.gif", save_all=True, append_images=images[1:], duration=40)
    write_captions(folder / "captions.jsonl", [{"file": f"{NAME}.gif", "caption": "red"}])
    source = open_source(folder)
    item = next(item for item in source if item.name == f"{NAME}.gif")
    assert item.caption == "red"
    assert len(item.clip.read()) == 3
    assert len(source.fingerprint()) == 64
    assert [len(part) for part in split(source, 0.3)] == [2, 1]
    codec.write(item.clip.read(), folder / f"{NAME}.mp4")
    assert codec.probe(folder / f"{NAME}.mp4").frames == 3
    assert run(["data", "info", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [f"{NAME}.gif", 3] in [[clip["name"], clip["frames"]] for clip in told["short"]]
    assert run(["data", "info", str(folder)]) == 0
    assert "caf\\xe9.gif: 3 frames" in capsys.readouterr().out
    assert run(["data", "info", str(folder / f"no{NAME}.mp4")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "nocaf\\xe9.mp4" in err
