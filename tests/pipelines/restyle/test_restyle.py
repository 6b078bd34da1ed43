"""Restyling from file to file: what comes out, what is kept, and what is made again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import moviola as mv
from moviola.core.errors import ConfigError, InputError, OutputError, UnknownNameError
from moviola.core.video import Audio, Video
from moviola.data import codec
from moviola.data.pictures import write_png
from moviola.models.rerender.filters import paint
from moviola.pipelines.restyle import (
    KeyConfig,
    Plan,
    RestyleConfig,
    carrying,
    paint_first,
    restyle,
    restyle_file,
)
from moviola.pipelines.restyle.carrying import Part, parts_of, workers_for
from moviola.pipelines.restyle.run import Restyling
from moviola.pipelines.restyle.work import Work
from moviola.propagation import matching

pytest.importorskip("cv2")
FAST = {"propagation": {"method": "warp"}}


def moving(frames: int = 9, height: int = 46, width: int = 70) -> Video:
    """A soft texture that moves to the left by 2 px a frame, with sound."""
    rng = np.random.default_rng(0)
    coarse = Video(rng.integers(0, 256, (1, 12, 24, 3), dtype=np.uint8), 10).resize(
        height, 2 * width + 2 * frames
    )
    views = np.stack([coarse.frames[0][:, 2 * t : 2 * t + width] for t in range(frames)])
    tone = np.sin(np.arange(8000 * frames // 10) / 8).astype(np.float32)[:, None] * 0.3
    return Video(views, Fraction(10), Audio(tone, 8000))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mkv"
    moving().save(path, lossless=True)
    return path


def config(**changes: object) -> RestyleConfig:
    return RestyleConfig.make({"painter": "cartoon", "keys": {"interval": 4}, **FAST, **changes})


def test_parts_of_a_video() -> None:
    """Head, intervals and tail; nothing is carried over a cut."""
    assert parts_of([0, 5], 9) == [Part(0, 5, 0, 5), Part(5, 9, 5, None)]
    assert parts_of([3], 4) == [Part(0, 3, None, 3), Part(3, 4, 3, None)]
    assert parts_of([0, 4, 6], 8, cuts=[4]) == [Part(0, 4, 0, None), Part(4, 6, 4, 6), Part(6, 8, 6, None)]
    assert list(parts_of([0, 5], 9)[0].read) == [0, 1, 2, 3, 4, 5]
    assert list(parts_of([0, 4], 8, cuts=[4])[0].read) == [0, 1, 2, 3]


def test_as_many_frames_as_large_as_fast_and_as_loud(clip: Path, tmp_path: Path) -> None:
    """Frame count, size, rate and sound are the input's; keys come out as they were painted."""
    output = tmp_path / "out.mkv"
    done = restyle_file(clip, output, config(), Plan(work=tmp_path / "work"), lossless=True)
    before, after = mv.read(clip, audio=True), mv.read(output, audio=True)
    assert after.frames.shape == before.frames.shape == (9, 46, 70, 3) and after.fps == before.fps
    assert before.audio is not None and after.audio is not None
    assert after.audio.samples.shape == before.audio.samples.shape
    assert codec.read(tmp_path / "work/keys.png").width == 1200  # the plot of `moviola keyframes`
    assert done.keys[0] == 0 and done.painted == len(done.keys) == len(
        list((tmp_path / "work/painted").iterdir())
    )
    for key in done.keys:
        np.testing.assert_array_equal(after.frames[key], paint(before.frames[key], "cartoon"))


def test_every_frame_a_key_is_painting_every_frame(clip: Path, tmp_path: Path) -> None:
    """An interval of 1 leaves nothing to carry."""
    output = tmp_path / "out.mkv"
    done = restyle_file(clip, output, config(keys={"method": "uniform", "interval": 1}), lossless=True)
    expected = np.stack([paint(frame, "cartoon") for frame in mv.read(clip).frames])
    np.testing.assert_array_equal(mv.read(output).frames, expected)
    assert len(done.keys) == 9 and not (tmp_path / "out.work").exists()


class _Stopped(Exception):
    pass


def test_stopped_in_the_middle_and_resumed_gives_the_same_bytes(clip: Path, tmp_path: Path) -> None:
    """What was finished is not made again; the result does not tell."""
    settings = config(keys={"method": "uniform", "interval": 3})
    whole = restyle_file(clip, tmp_path / "whole.mp4", settings, Plan(work=tmp_path / "a"))
    seen = []

    def stop(frames: int) -> None:
        seen.append(frames)
        if len(seen) == 2:  # once for what is there, once for the first part
            raise _Stopped

    with pytest.raises(_Stopped):
        restyle_file(clip, tmp_path / "out.mp4", settings, Plan(work=tmp_path / "b", tick=stop))
    assert not (tmp_path / "out.mp4").exists()
    with pytest.raises(ConfigError, match="--resume"):
        restyle_file(clip, tmp_path / "out.mp4", settings, Plan(work=tmp_path / "b"))
    rest = restyle_file(clip, tmp_path / "out.mp4", settings, Plan(work=tmp_path / "b", resume=True))
    assert (whole.painted, whole.carried) == (3, 3) and (rest.painted, rest.carried) == (0, 2)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_two_runs_in_one_work_folder(clip: Path, tmp_path: Path) -> None:
    """The second is refused while the first works, with --resume or without, and the first keeps its paint."""
    settings, work = config(keys={"method": "uniform", "interval": 3}), tmp_path / "work"
    said: list[str] = []

    def second(frames: int) -> None:
        for resume in (True, False):
            with pytest.raises(
                OutputError, match=r"work is in use by a restyling \(process \d+ on .*since"
            ) as error:
                restyle_file(clip, tmp_path / "b.mkv", config(painter="ink"), Plan(work=work, resume=resume))
            said.append(str(error.value))

    restyle_file(clip, tmp_path / "a.mkv", settings, Plan(work=work, tick=second), lossless=True)
    assert said and not (tmp_path / "b.mkv").exists() and not (work / ".lock").exists()
    first = mv.read(tmp_path / "a.mkv").frames[0]
    np.testing.assert_array_equal(first, paint(mv.read(clip).frames[0], "cartoon"))
    restyle_file(clip, tmp_path / "b.mkv", config(painter="ink"), Plan(work=work, resume=True))


def test_paint_changed_by_hand_is_carried_again_and_only_that(clip: Path, tmp_path: Path) -> None:
    """A new picture for key 6 touches the parts on both its sides, not the first."""
    settings, work = config(keys={"method": "uniform", "interval": 3}), tmp_path / "work"
    restyle_file(clip, tmp_path / "one.mkv", settings, Plan(work=work), lossless=True)
    red = np.zeros((46, 70, 3), np.uint8)
    red[..., 0] = 200
    write_png(work / "painted/000006.png", red)
    done = restyle_file(clip, tmp_path / "two.mkv", settings, Plan(work=work, resume=True), lossless=True)
    assert (done.painted, done.carried) == (0, 2)
    one, two = mv.read(tmp_path / "one.mkv").frames, mv.read(tmp_path / "two.mkv").frames
    np.testing.assert_array_equal(one[:4], two[:4])
    np.testing.assert_array_equal(two[6], red)
    assert np.abs(two[8].astype(int) - red).max() <= 1


def test_what_no_key_shows_is_painted_from_its_frame(tmp_path: Path) -> None:
    """A square that is there in one frame between two keys is painted as the filter paints that frame."""
    frames = moving(7, 96, 120).frames // 2
    frames[2, 30:66, 40:80] = (250, 210, 40)
    Video(frames, 10).save(tmp_path / "clip.mkv", lossless=True)
    settings = config(keys={"indices": [0, 4]})
    restyle_file(tmp_path / "clip.mkv", tmp_path / "out.mkv", settings, lossless=True)
    found = mv.read(tmp_path / "out.mkv").frames[2, 40:56, 50:70].astype(int)
    assert (np.abs(found - paint(frames[2], "cartoon")[40:56, 50:70]).max(-1) <= 1).all()


def test_a_missing_picture_is_painted_and_the_others_are_left(clip: Path, tmp_path: Path) -> None:
    """A key that was painted over by hand outlives the repainting of an earlier one."""
    settings, work = config(keys={"method": "uniform", "interval": 3}), tmp_path / "work"
    restyle_file(clip, tmp_path / "out.mkv", settings, Plan(work=work))
    mine = np.full((46, 70, 3), 90, np.uint8)
    write_png(work / "painted/000006.png", mine)
    (work / "painted/000003.png").unlink()
    done = restyle_file(clip, tmp_path / "out.mkv", settings, Plan(work=work, resume=True), lossless=True)
    assert done.painted == 1
    frames = mv.read(tmp_path / "out.mkv").frames
    np.testing.assert_array_equal(frames[6], mine)
    np.testing.assert_array_equal(frames[3], paint(mv.read(clip).frames[3], "cartoon"))


def test_other_settings_make_only_what_they_change(clip: Path, tmp_path: Path) -> None:
    """Another painter repaints; another way to carry does not."""
    work = tmp_path / "work"
    first = restyle_file(clip, tmp_path / "out.mkv", config(), Plan(work=work))
    faded = config(propagation={"method": "linear"})
    carried = restyle_file(clip, tmp_path / "out.mkv", faded, Plan(work=work, resume=True))
    assert (carried.painted, carried.carried) == (0, first.carried)
    painted = restyle_file(clip, tmp_path / "out.mkv", config(painter="ink"), Plan(work=work, resume=True))
    assert painted.painted == first.painted


def test_own_keys_and_back_to_the_painter(clip: Path, tmp_path: Path) -> None:
    """The painter paints again what the user's pictures had replaced."""
    settings, plan = config(keys={"indices": [0, 4]}), Plan(work=tmp_path / "work", resume=True)
    restyle_file(clip, tmp_path / "one.mkv", settings, plan, lossless=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    for key in (0, 4):
        write_png(mine / f"{key}.png", np.full((46, 70, 3), 90, np.uint8))
    restyle_file(clip, tmp_path / "own.mkv", settings, replace(plan, keys=mine), lossless=True)
    done = restyle_file(clip, tmp_path / "two.mkv", settings, plan, lossless=True)
    assert done.painted == 2
    np.testing.assert_array_equal(mv.read(tmp_path / "two.mkv").frames, mv.read(tmp_path / "one.mkv").frames)
    assert (mv.read(tmp_path / "own.mkv").frames[0] == 90).all()


def test_stamps_know_the_weights_of_the_flow(clip: Path, tmp_path: Path) -> None:
    """Another file under the same name is carried and painted with anew; the seed is no filter's."""
    raft = tmp_path / "raft.pth"

    def marks(**changes: object) -> tuple[str, str]:
        settings = config(flow="raft", raft=str(raft), **changes)
        task = Restyling(clip, settings, Work.open(tmp_path / "w", clip, {}, True), Plan())
        write_png(task.work.picture("painted", 0), np.zeros((46, 70, 3), np.uint8))
        return task._mark(task._job(Part(0, 4, 0, None))), task._paint_mark([0, 4], [0])

    raft.write_bytes(b"one")
    one, diffusion = marks(), marks(painter="diffusion", prompt="a castle")
    assert marks() == one and marks(seed=3)[1] == one[1] and marks(seed=3)[0] != one[0]
    raft.write_bytes(b"other")
    assert marks()[0] != one[0] and marks(painter="diffusion", prompt="a castle")[1] != diffusion[1]


def _loaded(kind: str, folder: Path) -> tuple[Path, dict[str, object]]:
    """Return a file that the painter reads, and the settings that name it."""
    folder.mkdir()
    file = folder / ("000000.png" if kind == "pictures" else "w.safetensors")
    named = {
        "lora file": {"loras": [{"path": str(file)}]},
        "lora folder": {"loras": [{"path": str(folder)}]},
        "model": {"model": str(folder)},
        "one file": {"model": str(file)},
        "control": {"controls": [{"kind": "canny", "model": str(folder)}]},
        "annotator": {"controls": [{"kind": "depth", "annotator": str(folder)}]},
        "detector": {"controls": [{"kind": "openpose", "detector": str(folder)}]},
    }
    return file, {"pictures": {"canny": str(folder)}} if kind == "pictures" else {"diffusion": named[kind]}


@pytest.mark.parametrize(
    "kind",
    ["lora file", "lora folder", "model", "one file", "control", "annotator", "detector", "pictures"],
)
def test_stamps_know_what_is_replaced_in_place(clip: Path, tmp_path: Path, kind: str) -> None:
    """Other contents under the same name are painted with anew; the same contents are not, nor a model that is gone."""
    file, named = _loaded(kind, tmp_path / "named")
    settings = config(painter="diffusion", prompt="a castle", **named)
    work = Work.open(tmp_path / "w", clip, {}, True)
    task = Restyling(clip, settings, work, Plan())
    marks = []
    for data in (b"one", b"two", b"one"):
        file.write_bytes(data)
        marks.append(task._paint_mark([0], [0]))
    assert marks[0] == marks[2] != marks[1]
    if kind != "pictures":
        file.unlink()
        file.parent.rmdir()
        assert task._paint_mark([0], [0]) == marks[2]


def test_a_folder_of_frames_replaced_in_place(tmp_path: Path) -> None:
    """Other frames of the same names and sizes are another input; a hidden file is none."""
    source, work = tmp_path / "frames", tmp_path / "work"

    def fill(value: int) -> None:
        for i in range(3):  # bmp: every picture has as many bytes
            Image.fromarray(np.full((24, 32, 3), value + i, np.uint8)).save(source / f"{i}.bmp")

    source.mkdir()
    fill(50)
    restyle_file(source, tmp_path / "out.mkv", config(), Plan(work=work))
    (source / ".DS_Store").write_bytes(b"x")
    done = restyle_file(source, tmp_path / "out.mkv", config(), Plan(work=work, resume=True))
    assert (done.painted, done.carried) == (0, 0)
    fill(90)
    with pytest.raises(ConfigError, match="what frames held then is not what it holds now"):
        restyle_file(source, tmp_path / "out.mkv", config(), Plan(work=work, resume=True))


def test_the_memory_of_another_run_is_not_taken(clip: Path, tmp_path: Path) -> None:
    """Each stamp has its file; those of others are removed."""
    work = Work.open(tmp_path / "work", clip, {}, False)
    work.memory("a" * 64).write_bytes(b"x")
    assert work.memory("a" * 64).read_bytes() == b"x"
    assert not work.memory("b" * 64).exists() and not work.memory("a" * 64).exists()


def test_a_worker_that_is_ended_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what may help."""

    class Pool(ThreadPoolExecutor):
        def __init__(self, *given: object) -> None:
            super().__init__(1)

    def broken(job: object) -> int:
        raise BrokenProcessPool

    monkeypatch.setattr(carrying, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(carrying, "carry_part", broken)
    with pytest.raises(InputError, match="--workers 1 takes less, --resume goes on"):
        list(carrying.carry_parts([object(), object()], 2))  # type: ignore[list-item]


def test_how_many_workers(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two for long work, one for short work, for large frames and on one core."""
    task = Restyling(clip, config(), Work.open(tmp_path / "work", clip, {}, False), Plan())
    jobs = [task._job(part) for part in parts_of(range(0, 300, 10), 300)]
    monkeypatch.setattr(carrying, "usable_cores", lambda: 4)
    asked = [((506, 960), 300), ((506, 960), 10), ((1080, 1920), 300)]
    assert [workers_for(jobs[: n // 10], size) for size, n in asked] == [2, 1, 1]
    monkeypatch.setattr(carrying, "usable_cores", lambda: 1)
    assert workers_for(jobs, (506, 960)) == 1


def test_cores_can_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that shares the machine searches on its share."""
    monkeypatch.setattr(matching, "_limit", 1 << 16)
    every = matching.usable_cores()
    matching.limit_cores(1)
    assert every >= 1 and matching.usable_cores() == 1


@pytest.mark.slow
def test_two_workers_make_what_one_makes(clip: Path, tmp_path: Path) -> None:
    """Parts do not depend on the process that makes them."""
    settings = config(keys={"method": "uniform", "interval": 3}, propagation={"method": "patch"})
    for workers in (1, 2):
        restyle_file(clip, tmp_path / f"{workers}.mkv", settings, Plan(workers=workers), lossless=True)
    np.testing.assert_array_equal(mv.read(tmp_path / "1.mkv").frames, mv.read(tmp_path / "2.mkv").frames)


def test_own_key_frames(clip: Path, tmp_path: Path) -> None:
    """They need not begin with the first frame; they come out as they are; wrong ones are named."""
    keys = tmp_path / "keys"
    keys.mkdir()
    picture = paint(mv.read(clip).frames[2], "sketch")
    write_png(keys / "frame-0002.png", picture)
    done = restyle_file(clip, tmp_path / "out.mkv", config(), Plan(keys=keys), lossless=True)
    np.testing.assert_array_equal(mv.read(tmp_path / "out.mkv").frames[2], picture)
    assert done.keys == (2,) and done.painted == 0
    write_png(keys / "000009.png", picture)
    with pytest.raises(InputError, match=r"000009\.png is for frame 9, but the video has 9 frames"):
        restyle_file(clip, tmp_path / "no.mkv", config(), Plan(keys=keys))
    (keys / "000009.png").unlink()
    write_png(keys / "5.png", picture[:-2])
    with pytest.raises(InputError, match=r"5\.png is 70x44; the video's frames are 70x46"):
        restyle_file(clip, tmp_path / "no.mkv", config(), Plan(keys=keys))
    (keys / "5.png").rename(keys / "look.png")
    with pytest.raises(InputError, match="no frame number"):
        restyle_file(clip, tmp_path / "no.mkv", config(), Plan(keys=keys))
    assert not (tmp_path / "no.work").exists()


def test_own_keys_for_the_keys_of_earlier_work(clip: Path, tmp_path: Path) -> None:
    """With key frames said, each needs its picture."""
    keys = tmp_path / "keys"
    keys.mkdir()
    write_png(keys / "000000.png", mv.read(clip).frames[0])
    with pytest.raises(InputError, match="no painted picture for key frame 6"):
        restyle_file(clip, tmp_path / "out.mkv", config(keys={"indices": [0, 6]}), Plan(keys=keys))
    write_png(keys / "000003.png", mv.read(clip).frames[0])
    write_png(keys / "000006.png", mv.read(clip).frames[0])
    with pytest.raises(InputError, match=r"000003\.png is for frame 3, which is no key frame; keys: 0, 6"):
        restyle_file(clip, tmp_path / "out.mkv", config(keys={"indices": [0, 6]}), Plan(keys=keys))


def test_crop_and_a_clip_of_one_frame(clip: Path, tmp_path: Path) -> None:
    """Cropping comes before everything else; one frame is its own key."""
    done = restyle_file(clip, tmp_path / "out.mkv", config(crop=[10, 4, 20, 2]), lossless=True)
    assert (done.width, done.height) == (40, 40)
    inner = np.ascontiguousarray(mv.read(clip).frames[0][4:44, 10:50])
    np.testing.assert_array_equal(mv.read(tmp_path / "out.mkv").frames[0], paint(inner, "cartoon"))
    with pytest.raises(ConfigError, match="leaves nothing of 70x46"):
        restyle_file(clip, tmp_path / "no.mkv", config(crop=[40, 0, 30, 0]))
    one = restyle(Video(mv.read(clip).frames[:1], 10), painter="cartoon")
    np.testing.assert_array_equal(one.frames[0], paint(mv.read(clip).frames[0], "cartoon"))


def test_the_first_frame_alone(clip: Path, tmp_path: Path) -> None:
    """To judge the look."""
    done = paint_first(clip, tmp_path / "look.png", config())
    np.testing.assert_array_equal(
        codec.read(tmp_path / "look.png").frames[0], paint(mv.read(clip).frames[0], "cartoon")
    )
    assert done.frames == 1
    with pytest.raises(ConfigError, match=r"name a \.png"):
        paint_first(clip, tmp_path / "look.mp4", config())


def test_settings_that_do_not_go_together(clip: Path, tmp_path: Path) -> None:
    """A prompt for a filter is a note; none for diffusion an error; nothing is left behind."""
    done = restyle_file(clip, tmp_path / "out.mkv", config(prompt="a castle"))
    assert done.notes == ("the painter cartoon takes no prompt; it was not used",)
    with pytest.raises(ConfigError, match="needs a prompt"):
        restyle_file(clip, tmp_path / "no.mkv", config(painter="diffusion"))
    with pytest.raises(UnknownNameError, match="watercolor"):
        restyle_file(clip, tmp_path / "no.mkv", config(painter="watercolour"))
    with pytest.raises(ConfigError, match="alpha"):
        RestyleConfig.make({"keys": {"alpha": 0.5}})
    with pytest.raises(ConfigError, match="interval"):
        RestyleConfig.make({"keys": {"interval": 0}})
    assert not list(tmp_path.glob("no*"))


def test_a_work_folder_is_not_taken_from_others(clip: Path, tmp_path: Path) -> None:
    """Neither a folder of something else nor the work on another input."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not empty"):
        restyle_file(clip, tmp_path / "out.mkv", config(), Plan(work=other, resume=True))
    restyle_file(clip, tmp_path / "out.mkv", config(), Plan(work=tmp_path / "work"))
    moving(5).save(tmp_path / "second.mkv")
    with pytest.raises(ConfigError, match="another input"):
        restyle_file(
            tmp_path / "second.mkv", tmp_path / "out.mkv", config(), Plan(work=tmp_path / "work", resume=True)
        )
    assert (other / "letter.txt").read_text() == "keep me"
    assert KeyConfig().method == "flow"
