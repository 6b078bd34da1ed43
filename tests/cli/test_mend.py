"""`moviola mend`: what it prints and writes, and what it refuses in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import moviola as mv
from moviola.cli.main import run
from moviola.core.video import Audio, Video
from moviola.data import codec

pytest.importorskip("cv2")
pytest.importorskip("scipy")


def noise(count: int = 12, seed: int = 0) -> np.ndarray:
    """A still picture of blocks, (T, 32, 48, 3)."""
    blocks = np.random.default_rng(seed).integers(40, 200, (8, 12, 3), np.uint8)
    return np.repeat(blocks.repeat(4, 0).repeat(4, 1)[None], count, 0)


@pytest.fixture
def clean(tmp_path):
    return Video(noise(), 25).save(tmp_path / "clean.mkv", lossless=True)


@pytest.fixture
def flickering(tmp_path):
    gain = 1 + 0.15 * (-1.0) ** np.arange(12)[:, None, None, None]
    frames = np.rint(noise() * gain).clip(0, 255).astype(np.uint8)
    return Video(frames, 25).save(tmp_path / "flicker.mkv", lossless=True)


def refused(capsys, *words) -> str:
    """The one line on stderr of a command line that is refused."""
    assert run(["mend", *map(str, words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_it_mends_and_says_what(flickering, tmp_path, capsys):
    """The video is steadier, and the object tells shape, fault and how."""
    out = tmp_path / "out.mkv"
    assert run(["mend", str(flickering), "-o", str(out), "--lossless", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["width"], told["height"], told["fps"]) == (12, 48, 32, 25.0)
    assert told["how"] == "mended" and told["flicker"]["found"] and not told["clean"]
    swing = [codec.read(p).frames.mean((1, 2, 3)).std() for p in (flickering, out)]
    assert swing[1] < swing[0] / 4


def test_a_clean_clip_is_called_so(clean, tmp_path, capsys):
    """The word is said and the file is the same."""
    out = tmp_path / "out.mkv"
    assert run(["mend", str(clean), "-o", str(out)]) == 0
    assert "clean" in capsys.readouterr().out
    assert out.read_bytes() == clean.read_bytes()


def test_a_dry_run_writes_nothing(flickering, tmp_path, capsys):
    """It only finds."""
    before = sorted(p.name for p in tmp_path.iterdir())
    assert run(["mend", str(flickering), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["flicker"]["found"]
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_what_it_refuses(clean, tmp_path, capsys):
    """One line each, exit 2, and no output."""
    out = tmp_path / "out.mkv"
    short = Video(noise(7), 25).save(tmp_path / "short.mkv")
    single = Video(noise(1), 25).save(tmp_path / "single.mkv")
    assert "7 frames" in (line := refused(capsys, clean, "-o", out, "--guide", short)) and "12" in line
    assert "12 frames" in refused(capsys, clean, "-o", out, "--seams", "5,40")
    assert "ascending" in refused(capsys, clean, "-o", out, "--seams", "9,5")
    assert "auto" in refused(capsys, clean, "-o", out, "--seams", "here")
    assert "nothing to mend" in refused(capsys, single, "-o", out)
    assert "-o OUT" in refused(capsys, clean)
    assert "--dry-run" in refused(capsys, clean, "-o", out, "--dry-run")
    assert "out.xyz" in refused(capsys, clean, "-o", tmp_path / "out.xyz")
    assert not out.exists() and not list(tmp_path.glob(".*"))


def test_sound_without_pictures(tmp_path, capsys):
    """A file with no video in it."""
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "sound.mkv" in refused(capsys, path, "-o", tmp_path / "out.mkv")
    assert not (tmp_path / "out.mkv").exists()


def test_sound_is_kept(tmp_path):
    """The sound of the input is in the output."""
    gain = 1 + 0.15 * (-1.0) ** np.arange(12)[:, None, None, None]
    sound = Audio(np.sin(np.arange(3840) / 5).astype(np.float32)[:, None], 8000)
    frames = np.rint(noise() * gain).clip(0, 255).astype(np.uint8)
    path = Video(frames, 25, sound).save(tmp_path / "in.mkv", lossless=True)
    assert run(["mend", str(path), "-o", str(tmp_path / "out.mkv"), "-q"]) == 0
    assert codec.probe(tmp_path / "out.mkv").has_audio


def test_generate_and_mend(tmp_path):
    """What `generate --mend` writes is what `mend` makes of what `generate` writes."""
    words = ["generate", "a person waves both hands", "--model", "actions", "--frames", "24", "-q"]
    assert run([*words, "-o", str(tmp_path / "plain.npz")]) == 0
    assert run([*words, "--mend", "-o", str(tmp_path / "mended.npz")]) == 0
    plain, mended = (codec.read(tmp_path / f"{name}.npz") for name in ("plain", "mended"))
    assert np.array_equal(mended.frames, mv.mend(plain).frames) and mended.fps == plain.fps


def test_restyle_and_mend(tmp_path):
    """What `restyle --mend` writes is what `mend --guide INPUT` makes of what `restyle` writes."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (40, 56, 3)).repeat(2, axis=0).repeat(2, axis=1).astype(np.uint8)
    Video(np.stack([texture[t : t + 64, t : t + 96] for t in range(10)]), 10).save(
        tmp_path / "in.mkv", lossless=True
    )
    words = [
        "restyle",
        str(tmp_path / "in.mkv"),
        "--painter",
        "cartoon",
        "--interval",
        "4",
        "--lossless",
        "-q",
    ]
    assert run([*words, "-o", str(tmp_path / "plain.mkv")]) == 0
    assert run([*words, "--mend", "-o", str(tmp_path / "mended.mkv")]) == 0
    by_hand = ["mend", str(tmp_path / "plain.mkv"), "--guide", str(tmp_path / "in.mkv"), "--lossless", "-q"]
    assert run([*by_hand, "-o", str(tmp_path / "by-hand.mkv")]) == 0
    mended, expected = (codec.read(tmp_path / f"{name}.mkv").frames for name in ("mended", "by-hand"))
    assert np.array_equal(mended, expected)
