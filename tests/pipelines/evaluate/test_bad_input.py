"""Everything that can be wrong with REAL and FAKE: one line, the file and the rule in it, and nothing left behind."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics.protocol import Protocol
from moviola.pipelines.evaluate import evaluate

FRAMES_8 = Protocol(frames=8)


def refuse(real, fake, metrics, *words: str, protocol: Protocol = FRAMES_8, **how) -> None:
    """Fail unless evaluating says one line with all `words` in it."""
    with pytest.raises(InputError) as caught:
        evaluate(real, fake, metrics, protocol, **how)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.exit_code == 2
    for word in words:
        assert word in line, line


def broken_mp4(folder: Path, keep: float = 0.5) -> Path:
    """An mp4 cut off in the middle."""
    rng = np.random.default_rng(0)
    path = folder / "cut.mp4"
    Video(rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8), 10).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    return path


def test_missing(sets, metrics, tmp_path):
    refuse(sets[0], tmp_path / "nowhere", metrics(), "no such file or folder", "nowhere")
    refuse(tmp_path / "nowhere", sets[1], metrics(), "no such file or folder", "nowhere")


def test_empty(sets, metrics, tmp_path):
    (tmp_path / "empty").mkdir()
    refuse(sets[0], tmp_path / "empty", metrics(), "empty holds no videos and no images")
    refuse(sets[0], [], metrics(), "FAKE is an empty list")


def test_no_video_at_all(sets, metrics):
    refuse(sets[0], 7, metrics(), "FAKE is a path, a Source, a Video or a list", "not int")
    refuse(sets[0], [7], metrics(), "item 0 is no video and no path")
    refuse(sets[0], [sets[1] / "00.npz", sets[1] / "00.npz"], metrics(), "00.npz is listed twice")


@pytest.mark.parametrize("name", ["junk.mp4", "junk.npz", "junk.png"])
def test_undecodable(sets, metrics, tmp_path, name):
    """A file that is no video stops the run by name, or is left out by name."""
    if name.endswith(".png"):
        folder = tmp_path / "frames"
        folder.mkdir()
        for i in range(3):
            Video(np.full((8, 16, 20, 3), i, np.uint8), 10).save(f"{folder / str(i)}/")
        sets = (sets[0], folder)
        (folder / "1" / sorted((folder / "1").glob("*.png"))[4].name).write_bytes(b"junk")
        name = "1/"
    else:
        (sets[1] / name).write_bytes(b"junk")
    refuse(*sets, metrics(), name)
    report = evaluate(*sets, metrics(), FRAMES_8, skip_bad=True)
    assert [which for which, _, _ in report.skipped] == ["fake"]
    assert report.skipped[0][1].startswith(name.rstrip("/"))


def test_truncated_mp4(sets, metrics):
    broken_mp4(sets[1])
    refuse(*sets, metrics(), "cut.mp4")
    skipped = evaluate(*sets, metrics(), FRAMES_8, skip_bad=True).skipped
    assert [(which, name) for which, name, _ in skipped] == [("fake", "cut.mp4")]


def test_corrupt_zip(sets, metrics, tmp_path):
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for file in sorted(sets[1].iterdir()):
            archive.write(file, file.name)
    data = whole.read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(data[: len(data) // 2])
    refuse(sets[0], cut, metrics(), "cut.zip", "zip")
    flipped = bytearray(data)
    flipped[200] ^= 0xFF
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(bytes(flipped))
    refuse(sets[0], damaged, metrics(), "damaged.zip:00.npz", "cannot be unpacked")
    assert len(evaluate(sets[0], damaged, metrics(), FRAMES_8, skip_bad=True).skipped) == 1


def test_too_few_frames(sets, metrics):
    Video(np.zeros((5, 16, 20, 3), np.uint8), 10).save(sets[1] / "short.npz")
    refuse(*sets, metrics(), "short.npz holds 5 frames", "needs 8", "frames=")
    for short, text in (("loop", "looped"), ("hold", "held on their last frame")):
        report = evaluate(*sets, metrics(), Protocol(frames=8, short=short))
        assert any(
            f"FAKE: 1 of 10 clips are shorter than the protocol and were {text}" in w for w in report.warnings
        )
    assert evaluate(*sets, metrics(), Protocol(frames=8, short="skip"))["fvd"].n_fake == 9


def test_none_left(sets, metrics):
    refuse(
        *sets, metrics(), "FAKE", "none of its 9 videos can be used", "20 frames",
        protocol=Protocol(frames=40, short="loop", short_fake="skip"),
    )  # fmt: skip


def test_one_video_only(sets, metrics):
    refuse(sets[0], sets[1] / "00.npz", metrics(), "fvd compares sets of clips", "needs 2", "FAKE", "gives 1")
    refuse(sets[0] / "00.npz", sets[1], metrics("kvd"), "kvd compares sets", "REAL")


def test_mixed_sizes(sets, metrics):
    """In a set: an error that names both; a size in the protocol mends it, skip_bad keeps the commonest."""
    Video(np.zeros((20, 30, 20, 3), np.uint8), 10).save(sets[1] / "tall.npz")
    refuse(*sets, metrics(), "tall.npz is 20x30", "is 20x16", "resize=16")
    assert evaluate(*sets, metrics(), Protocol(frames=8, resize=16))["fvd"].n_fake == 10
    report = evaluate(*sets, metrics(), FRAMES_8, skip_bad=True)
    assert [name for _, name, _ in report.skipped] == ["tall.npz"]
    assert report["fvd"].n_fake == 9


def test_sets_of_different_sizes(sets, metrics, tmp_path, make_set):
    """Between the sets: a warning for set metrics, an error for paired ones."""
    large = make_set(tmp_path / "large", 3, 5, height=32, width=40)
    report = evaluate(sets[0], large, metrics("fvd"), FRAMES_8)
    assert any(
        "frame sizes of REAL and FAKE differ (20x16 against 40x32)" in text for text in report.warnings
    )
    refuse(sets[0], large, metrics("mse"), "00.npz is 20x16", "00.npz is 40x32", "resize=16")


def test_same_folder(sets, metrics, tmp_path):
    refuse(sets[0], sets[0], metrics(), "REAL and FAKE are the same", str(sets[0]), "--sanity")
    link = tmp_path / "link"
    link.symlink_to(sets[0])
    refuse(sets[0], link, metrics(), "REAL and FAKE are the same")


def test_copies_and_nested_folders_are_told(sets, metrics, tmp_path):
    """A copy under another name is not the same folder, but its clips are; one folder inside the other is told too."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in sets[0].iterdir():
        (copy / f"x{file.name}").write_bytes(file.read_bytes())
    report = evaluate(sets[0], copy, metrics("fvd"), FRAMES_8)
    assert any("in REAL and in FAKE, frame by frame: 12 " in text for text in report.warnings)
    assert report["fvd"].value == pytest.approx(0, abs=1e-9)
    inner = sets[0] / "inner"
    inner.mkdir()
    for file in sets[1].iterdir():
        (inner / file.name).write_bytes(file.read_bytes())
    report = evaluate(sets[0], inner, metrics("fvd"), FRAMES_8)
    assert any(text.startswith("FAKE lies in REAL") for text in report.warnings)


def test_repeated_samples_are_told(sets, metrics):
    data = (sets[1] / "00.npz").read_bytes()
    for i in range(3):
        (sets[1] / f"again{i}.npz").write_bytes(data)
    report = evaluate(*sets, metrics("fvd"), FRAMES_8)
    assert any(
        "FAKE: 3 of 12 clips repeat the frames of another (00.npz, again0.npz" in w for w in report.warnings
    )


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "P"])
def test_grey_alpha_and_deep_pictures_work(tmp_path, metrics, mode):
    """Frames of other kinds of pixels are brought to RGB: a grey clip has the figures of its RGB copy."""
    values = []
    for kind in (mode, "RGB"):
        folder = tmp_path / kind.replace(";", "")
        rng = np.random.default_rng(0)
        for i in range(6):
            (folder / f"{i}").mkdir(parents=True)
            for t in range(8):
                grey = rng.integers(0, 256, (16, 16), dtype=np.uint8)
                picture(grey, kind).save(folder / f"{i}" / f"{t}.png")
        halves = [folder.parent / f"{folder.name}-{half}.txt" for half in (0, 1)]
        for half, path in enumerate(halves):
            path.write_text("".join(f"{folder.name}/{i}\n" for i in range(half, 6, 2)))
        report = evaluate(*halves, metrics("fvd", "motion"), FRAMES_8)
        values.append([score.value for score in report.scores.values()])
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def picture(grey: np.ndarray, mode: str) -> Image.Image:
    """The picture of grey values in a mode."""
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    return Image.fromarray(grey).convert(mode)


def test_pairs_that_do_not_fit(sets, metrics, tmp_path, make_set):
    other = make_set(tmp_path / "other", 4, 3)
    for file in list(other.iterdir()):
        file.rename(other / f"x{file.name}")
    refuse(sets[0], other, metrics("mse"), "x00.npz", "12 real and 4 generated clips", "set pair to order")
    refuse(sets[0], other, metrics("mse"), "12 clips", "4", "equal counts", pair="order")
    refuse(sets[0], other, metrics("mse"), "x00.npz", "no clip of that name", pair="name")
    random = Protocol(frames=8, policy="random", policy_fake="first")
    refuse(*sets, metrics("mse"), "frame by frame", "policy=first", protocol=random)
    (sets[1] / "00.mp4").write_bytes(b"")
    refuse(sets[1] / "00.npz", sets[1], metrics("mse"), "00.mp4")


def test_pairs_by_order_are_told(sets, metrics, tmp_path, make_set):
    other = make_set(tmp_path / "other", 12, 3)
    for file in list(other.iterdir()):
        file.rename(other / f"x{file.name}")
    report = evaluate(sets[0], other, metrics("mse"), FRAMES_8)
    assert any("paired by their order" in text for text in report.warnings)
    assert report["mse"].n_fake == 12


def test_text_metrics_need_captions(sets, metrics):
    refuse(*sets, ["clip-score"], "clip-score compares clips with their captions", "00.npz", "captions.csv")


def test_an_unwritable_cache(sets, metrics, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "file"))
    refuse(*sets, metrics(), "the feature cache", "cannot be written")
