"""Files and folders: sound, names, all or nothing."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest

from moviola.core.errors import ConfigError, FormatError, InputError, OutputError, VideoReadError
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.refine import make_plan, refine, refine_file, refine_set
from moviola.pipelines.refine.inputs import is_set, open_clips, output_names


def listing(folder):
    """Everything below a folder, hidden things too."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.fixture
def clips(noise_video, tmp_path):
    """Two clips of a class and one without, of different lengths."""
    (tmp_path / "in/run").mkdir(parents=True)
    for name, frames in (("run/a.mkv", 9), ("run/b.mkv", 20), ("c.mkv", 5)):
        noise_video(frames, seed=frames).save(tmp_path / "in" / name, lossless=True)
    return tmp_path / "in"


@pytest.mark.parametrize("how", ["chain", "trace", "auto"])
def test_sound_is_kept(smearing, noise_video, tmp_path, how):
    """Sample by sample, and the frames are those of memory."""
    video = noise_video(40, sound=True)
    video.save(tmp_path / "in.npz")
    plan = make_plan(smearing, iterations="auto" if how == "auto" else 2, limit=2, threshold=0)
    trace = tmp_path / "t" if how == "trace" else None
    done = refine_file(tmp_path / "in.npz", tmp_path / "out.npz", plan, trace=trace)
    out = codec.read(tmp_path / "out.npz", audio=True)
    assert np.array_equal(out.frames, refine(video, smearing, 2).frames)
    assert out.audio is not None and np.array_equal(out.audio.samples, video.audio.samples)
    assert (done.iterations, done.frames, done.fps) == (2, 40, 10) and out.fps == video.fps


def test_sound_of_a_film(formula, noise_video, tmp_path):
    """Through mp4: as long as before."""
    noise_video(40, 16, 16, sound=True).save(tmp_path / "in.mp4")
    refine_file(tmp_path / "in.mp4", tmp_path / "out.mp4", make_plan(formula(), iterations=1))
    before, after = (codec.read(tmp_path / name, audio=True).audio for name in ("in.mp4", "out.mp4"))
    assert after is not None and after.samples.shape == before.samples.shape


def test_no_passes_is_a_copy(formula, noise_video, tmp_path):
    """Byte for byte where the format is the same, frame for frame where it is not; said."""
    noise_video(5).save(tmp_path / "in.mp4")
    plan = make_plan(formula(), iterations=0)
    done = refine_file(tmp_path / "in.mp4", tmp_path / "out.mp4", plan)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "in.mp4").read_bytes()
    assert "copy" in done.notes[0] and done.iterations == 0
    refine_file(tmp_path / "in.mp4", tmp_path / "out.npz", plan)
    assert np.array_equal(codec.read(tmp_path / "out.npz").frames, codec.read(tmp_path / "in.mp4").frames)


def test_what_was_done_is_said(formula, noise_video, tmp_path):
    """Tiles, and a video shorter than a window."""
    noise_video(5, 20, 20).save(tmp_path / "in.npz")
    done = refine_file(tmp_path / "in.npz", tmp_path / "out.npz", make_plan(formula(), iterations=1))
    assert "4 overlapping tiles" in done.notes[0] and "5 frames are fewer than a window of 8" in done.notes[1]


def test_a_set(smearing, clips, tmp_path):
    """Every clip under its own name, each as it would be alone."""
    done = refine_set(clips, tmp_path / "out", make_plan(smearing, iterations=2), lossless=True)
    assert listing(tmp_path / "out") == ["c.mkv", "run", "run/a.mkv", "run/b.mkv"]
    for video in done.videos:
        name = video.output.removeprefix(f"{tmp_path}/out/")
        expected = refine(codec.read(clips / name), smearing, 2)
        assert np.array_equal(codec.read(video.output).frames, expected.frames)
    assert sorted(listing(tmp_path)) == sorted(["in", "out", *(f"in/{n}" for n in listing(clips)),
                                                *(f"out/{n}" for n in listing(tmp_path / "out"))])  # fmt: skip


def test_a_zip(formula, clips, tmp_path):
    """The same from an archive, with another suffix."""
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in clips.rglob("*.mkv"):
            archive.write(path, path.relative_to(clips))
    done = refine_set(
        tmp_path / "in.zip", tmp_path / "out", make_plan(formula(), iterations=1), suffix=".npz"
    )
    assert listing(tmp_path / "out") == ["c.npz", "run", "run/a.npz", "run/b.npz"] and len(done.videos) == 3
    expected = refine(codec.read(clips / "run/b.mkv"), formula(), 1)
    assert np.array_equal(codec.read(tmp_path / "out/run/b.npz").frames, expected.frames)


def test_frame_folders(formula, noise_video, tmp_path):
    """One folder of frames is a video; a folder of such folders is a set and stays one."""
    noise_video(4).save(f"{tmp_path}/one/")
    assert not is_set(tmp_path / "one")
    for name in ("x", "y"):
        (tmp_path / "many").mkdir(exist_ok=True)
        noise_video(4).save(f"{tmp_path}/many/{name}/")
    assert is_set(tmp_path / "many")
    refine_set(tmp_path / "many", tmp_path / "out", make_plan(formula(), iterations=1))
    assert codec.read(tmp_path / "out/x").frames.shape == (4, 16, 16, 3)


def test_traces_of_a_set(formula, clips, tmp_path):
    """A folder each."""
    refine_set(clips, tmp_path / "out", make_plan(formula(), iterations=1), trace=tmp_path / "t")
    assert (tmp_path / "t/run/a.mkv/trace.json").is_file() and (tmp_path / "t/c.mkv/trace.png").is_file()


@pytest.mark.parametrize("damage", ["empty", "text", "half"])
def test_one_unreadable(formula, clips, tmp_path, damage):
    """It is named before anything is done, and nothing is written; `skip_bad` names it and goes on."""
    data = (clips / "c.mkv").read_bytes()
    (clips / "bad.mkv").write_bytes(
        {"empty": b"", "text": b"no video", "half": data[: len(data) // 2]}[damage]
    )
    before, refiner = listing(tmp_path), formula()
    with pytest.raises((VideoReadError, FormatError), match=r"bad\.mkv.*--skip-bad"):
        refine_set(clips, tmp_path / "out", make_plan(refiner, iterations=1))
    assert listing(tmp_path) == before and refiner.calls == []
    done = refine_set(clips, tmp_path / "out", make_plan(refiner, iterations=1), skip_bad=True)
    assert len(done.videos) == 3 and [name for name, _ in done.skipped] == ["bad.mkv"]
    assert not (tmp_path / "out/bad.mkv").exists()


def test_a_failure_in_the_middle(formula, clips, tmp_path):
    """The second clip fails: no folder, no trace, nothing hidden left."""
    calls = []

    def fail(x):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return x

    before = listing(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        refine_set(clips, tmp_path / "out", make_plan(formula(fail), iterations=1), trace=tmp_path / "t")
    assert listing(tmp_path) == before


def test_an_existing_output_survives(formula, noise_video, tmp_path):
    """Of a single file as well."""
    noise_video(30).save(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").write_bytes(b"precious")
    with pytest.raises(InputError):
        refine_file(
            tmp_path / "in.mp4", tmp_path / "out.mp4", make_plan(formula(lambda x: x / 0), iterations=1)
        )
    assert (tmp_path / "out.mp4").read_bytes() == b"precious" and len(listing(tmp_path)) == 2


def test_bad_outputs(formula, clips, tmp_path):
    """A file in the place of the folder, a folder that holds things, a missing parent, two of one name."""
    plan = make_plan(formula(), iterations=1)
    (tmp_path / "file").write_text("")
    for where, said in (
        (tmp_path / "file", "goes to a folder"),
        (clips, "the folder holds"),
        (tmp_path / "no/x", "make it first"),
    ):
        with pytest.raises(OutputError, match=said):
            refine_set(clips, where, plan)
    shutil.copy(clips / "c.mkv", clips / "c.mov")
    with pytest.raises(FormatError, match="twice"):
        output_names(open_clips(clips, "auto", False)[0], ".mp4")
    with pytest.raises(FormatError, match=r"\.xyz"):
        output_names([], ".xyz")


def test_names_of_what_cannot_be_written(clips):
    """avi is read but not written."""
    inputs, _ = open_clips(clips, "auto", False)
    renamed = [type(one)(**{**one.__dict__, "name": f"clip{i}.avi"}) for i, one in enumerate(inputs)]
    assert output_names(renamed) == ["clip0.avi.mp4", "clip1.avi.mp4", "clip2.avi.mp4"]


def test_held_out_keeps_the_best_pass(formula, tmp_path):
    """Clips that move too little are made to move more until they move as the real ones do, and not beyond."""
    rng = np.random.default_rng(0)
    sign = (-1.0) ** np.arange(8)
    for name, swing in (
        ("real", 10),
        ("fake", 1),
    ):  # half the difference between neighbouring frames, in levels
        (tmp_path / name).mkdir()
        for i in range(4):
            still = rng.integers(60, 180, (1, 16, 16, 3))
            frames = still - (swing * sign).astype(int)[:, None, None, None]
            Video(frames.astype(np.uint8), 10).save(tmp_path / name / f"{i}.npz")

    def more_swing(x):
        return x - x.new_tensor(3 / 127.5 * sign).view(1, -1, 1, 1, 1)

    plan = make_plan(formula(more_swing), iterations="auto")
    done = refine_set(
        tmp_path / "fake", tmp_path / "out", plan, held_out=tmp_path / "real", metric="flicker", suffix=".npz"
    )
    # each pass adds 3: the swing is 1, 4, 7, 10, 13 after 0 to 4 passes
    assert {video.iterations for video in done.videos} == {3}
    assert "passes: 1, 4, 7, 10, 13; best after 3" in done.notes[0]
    expected = refine(codec.read(tmp_path / "fake/0.npz"), formula(more_swing), 3)
    assert np.array_equal(codec.read(tmp_path / "out/0.npz").frames, expected.frames)


def test_held_out_needs_auto(formula, clips, tmp_path):
    """And nothing is made."""
    with pytest.raises(ConfigError, match="auto"):
        refine_set(clips, tmp_path / "out", make_plan(formula(), iterations=2), held_out=clips)
    assert not (tmp_path / "out").exists()
