"""Which frames of which videos a protocol takes, held against what the published code does."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.data import corrupt
from moviola.metrics.protocol import Protocol, find_protocol
from moviola.pipelines.evaluate.inputs import Entry, VideoSet, check_apart, open_set, stem
from moviola.pipelines.evaluate.pairs import pair_clips
from moviola.pipelines.evaluate.samples import cut_clip, make_plan
from moviola.pipelines.evaluate.warnings import of_plans


def numbered(frames: int, height: int = 8, width: int = 8, fps: int = 10) -> Video:
    """A video whose every pixel tells the number of its frame."""
    values = np.arange(frames, dtype=np.uint8)[:, None, None, None]
    return Video(np.broadcast_to(values, (frames, height, width, 3)).copy(), fps)


def in_memory(lengths: dict[str, int], **how) -> VideoSet:
    """Videos in memory under names of their own."""
    return VideoSet(
        [Entry(n, None, None, video=numbered(k, **how)) for n, k in lengths.items()], "", "memory"
    )


def taken(plan) -> dict[str, list[int]]:
    """Clip name to the frames it shows."""
    return {cut.name: cut_clip(cut, plan.side).video.frames[:, 0, 0, 0].tolist() for cut in plan.cuts}


LENGTHS = {"b10": 150, "b2": 120, "a": 128, "c": 200, "d": 127, "e": 20}


def test_styleganv_16f():
    """REAL: a window anywhere, no video shorter than it; FAKE: from frame 0; first by plain order of characters."""
    preset = find_protocol("styleganv-fvd2048-16f")
    assert (preset.max_real, preset.max_fake, preset.ddof, preset.kernel, preset.antialias) == (
        2048, 2048, 0, "bilinear", False,
    )  # fmt: skip
    small = preset.model_copy(update={"max_real": 3, "max_fake": 3})
    real, fake = (make_plan(in_memory(LENGTHS), which, small) for which in ("real", "fake"))
    assert [cut.name for cut in real.cuts] == ["a", "b10", "b2"]
    assert all(np.diff(frames).tolist() == [1] * 15 for frames in taken(real).values())
    assert taken(fake) == {name: list(range(16)) for name in ("a", "b10", "b2")}
    assert len({frames[0] for frames in taken(make_plan(in_memory(LENGTHS), "real", preset)).values()}) > 3


def test_styleganv_128f():
    """Shorter real videos are left out; a shorter generated one stops the run."""
    preset = find_protocol("styleganv-fvd2048-128f")
    real = make_plan(in_memory(LENGTHS), "real", preset)
    assert [cut.name for cut in real.cuts] == ["a", "b10", "c"]
    assert taken(real)["a"] == list(range(128))
    assert [name for name, _ in real.skipped] == ["b2", "d", "e"]
    with pytest.raises(InputError, match="b2 holds 120 frames, protocol 'styleganv-fvd2048-128f' needs 128"):
        make_plan(in_memory(LENGTHS), "fake", preset)


def test_styleganv_subsample8f():
    """Every 8th of 128 frames. A window reaches over 121 frames, but a real video of less than 128 is left out."""
    preset = find_protocol("styleganv-fvd2048-128f-subsample8f")
    real = make_plan(in_memory({"x": 127, "y": 128, "z": 121}), "real", preset)
    assert [cut.name for cut in real.cuts] == ["y"]
    frames = taken(real)["y"]
    assert np.diff(frames).tolist() == [8] * 15
    assert cut_clip(real.cuts[0], real.side).video.fps == Fraction(10, 8)
    fake = make_plan(in_memory({"y": 128}), "fake", preset)
    assert taken(fake)["y"] == list(range(0, 128, 8))


def test_styleganv_windows_reach_every_place():
    """The starts drawn cover those that the published `random.randint(0, T - n s + s - 1)` can give, and no others."""
    preset = find_protocol("styleganv-fvd2048-128f-subsample8f")
    length = 131
    names = {f"v{i}": length for i in range(200)}
    starts = {frames[0] for frames in taken(make_plan(in_memory(names), "real", preset)).values()}
    published = {random.Random(i).randint(0, length - 16 * 8 + 8 - 1) for i in range(500)}
    assert starts == published == set(range(11))


def test_cdfvd_takes_all_real_and_leaves_out_short_ones():
    preset = find_protocol("cdfvd-16f").model_copy(update={"max_fake": 2, "resize": 8})
    plan = make_plan(in_memory({**LENGTHS, "f": 15}), "real", preset)
    assert len(plan.cuts) == 6 and plan.skipped[0][0] == "f"
    assert len(make_plan(in_memory(LENGTHS), "fake", preset).cuts) == 2


@pytest.mark.parametrize(("height", "width"), [(24, 40), (40, 24), (16, 16), (11, 30)])
def test_cdfvd_resizes_as_published(height, width):
    """Shorter side to the size, in float, bilinear with antialiasing, middle cut out, values cut down to bytes."""
    import math

    import torch

    rng = np.random.default_rng(0)
    video = Video(rng.integers(0, 256, (16, height, width, 3), dtype=np.uint8), 10)
    protocol = find_protocol("cdfvd-16f").with_overrides(["resize=16"])
    plan = make_plan(open_set([video], "REAL"), "real", protocol)
    scale = 16 / min(height, width)
    size = (16, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), 16)
    values = torch.from_numpy(video.frames).permute(0, 3, 1, 2).float() / 255.0
    values = torch.nn.functional.interpolate(
        values, size=size, mode="bilinear", align_corners=False, antialias=True
    )
    top, left = (size[0] - 16) // 2, (size[1] - 16) // 2
    expected = (values[:, :, top : top + 16, left : left + 16] * 255).byte().permute(0, 2, 3, 1).numpy()
    assert np.array_equal(cut_clip(plan.cuts[0], plan.side).video.frames, expected)


def test_sizes():
    """Crop, squeeze and JPEG as asked for."""
    rng = np.random.default_rng(0)
    video = Video(rng.integers(0, 256, (8, 20, 30, 3), dtype=np.uint8), 10)

    def frames(**fields) -> np.ndarray:
        plan = make_plan(open_set([video], "REAL"), "real", Protocol(frames=8, **fields))
        cut = plan.cuts[0]
        sample = cut_clip(cut, plan.side)
        assert (sample.video.height, sample.video.width) == cut.size(plan.side)
        return sample.video.frames

    assert np.array_equal(frames(), video.frames)
    assert np.array_equal(frames(crop="center"), video.frames[:, :, 5:25])
    assert np.array_equal(frames(resize=10), video.resize(10, 10).frames)
    assert np.array_equal(frames(resize=10, crop="center"), video.resize(10, 15).frames[:, :, 2:12])
    nearest = frames(resize=40, resize_kernel="nearest", crop="center")
    assert np.array_equal(nearest, video.scale(2).frames[:, :, 10:50])
    assert np.array_equal(frames(jpeg_real=75), corrupt.jpeg(video, 75).frames)


def test_rates():
    """Clips brought to a rate take the nearest frames and have that rate; uniform ones span the whole video."""
    videos = in_memory({"v": 41}, fps=20)
    plan = make_plan(videos, "real", Protocol(frames=5, fps=4, policy="first"))
    assert taken(plan)["v"] == [0, 5, 10, 15, 20]
    assert cut_clip(plan.cuts[0], plan.side).video.fps == 4
    plan = make_plan(videos, "real", Protocol(frames=5, policy="uniform"))
    assert taken(plan)["v"] == [0, 10, 20, 30, 40]
    assert cut_clip(plan.cuts[0], plan.side).video.fps == 2


def test_short_videos_are_repeated_where_asked():
    looped = make_plan(in_memory({"v": 3}), "real", Protocol(frames=8, short="loop"))
    held = make_plan(in_memory({"v": 3}), "real", Protocol(frames=8, short="hold"))
    assert taken(looped)["v"] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert taken(held)["v"] == [0, 1, 2, 2, 2, 2, 2, 2]
    assert looped.cuts[0].padded and held.cuts[0].padded


def test_several_clips_of_a_video():
    """Each has its own name and its own draw, and the limit counts videos."""
    protocol = Protocol(frames=4, policy="random", clips_per_video=3, max_real=2)
    plan = make_plan(in_memory({"a": 100, "b": 100, "c": 100}), "real", protocol)
    assert [cut.name for cut in plan.cuts] == ["a#0", "a#1", "a#2", "b#0", "b#1", "b#2"]
    assert len({tuple(frames) for frames in taken(plan).values()}) > 3


@given(order=st.permutations([f"v{i}.mp4" for i in range(6)]), which=st.sampled_from(["sorted", "random"]))
def test_no_order_of_files_matters(order, which):
    """The same videos and the same frames of each, however the set is listed."""
    protocol = Protocol(frames=4, policy="random", order=which, max_real=4, seed=5)
    lengths = {f"v{i}.mp4": 20 + i for i in range(6)}
    plans = [
        make_plan(in_memory({n: lengths[n] for n in names}), "real", protocol) for names in (lengths, order)
    ]
    assert taken(plans[0]) == taken(plans[1])
    assert plans[0].fingerprint == plans[1].fingerprint


def test_pairs_of_clips():
    """By name without suffix, whatever the order and the suffix; several clips of a video keep their numbers."""
    protocol = Protocol(frames=4)
    real = make_plan(in_memory({"x/b.mp4": 9, "a.avi": 9, "c.mp4": 9}), "real", protocol)
    fake = make_plan(in_memory({"a.png": 9, "x/b.webm": 9}), "fake", protocol)
    pairs, warnings = pair_clips(real, fake)
    assert [(real.cuts[i].name, fake.cuts[j].name) for i, j in pairs] == [
        ("a.avi", "a.png"),
        ("x/b.mp4", "x/b.webm"),
    ]
    assert warnings == []
    random_windows = Protocol(frames=4, policy="random", clips_per_video=2)
    plans = [
        make_plan(in_memory({"a.mp4": 50, "b.mp4": 50}), which, random_windows) for which in ("real", "fake")
    ]
    assert pair_clips(*plans)[0] == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_stems():
    assert [stem(name) for name in ("a/b.mp4", "v1.2", "x.PNG", "clip.000")] == [
        "a/b",
        "v1.2",
        "x",
        "clip.000",
    ]


def test_parts_of_one_folder_are_two_sets(tmp_path, make_set):
    """Halves of a source share its path and are not the same set."""
    from moviola.data.sources import open_source, split

    source = open_source(make_set(tmp_path / "all", 8, 1))
    one, two = (
        open_set(half, which) for half, which in zip(split(source, 0.5), ("REAL", "FAKE"), strict=True)
    )
    assert check_apart(one, two) == []
    with pytest.raises(InputError, match="are the same"):
        check_apart(one, open_set(source, "FAKE"))


def test_facts_of_files(tmp_path, save_clips, clip):
    """Codec, size and rate are told of files, frame folders and videos in memory."""
    save_clips(tmp_path / "v", {"a.mp4": clip(1, height=32, width=48)})
    save_clips(tmp_path / "f", {"a/": clip(1), "b/": clip(2)})
    found = [
        open_set(given, "REAL").entries[0].facts() for given in (tmp_path / "v", tmp_path / "f", clip(1))
    ]
    assert [(f.codec, f.frames, f.height, f.width) for f in found] == [
        ("h264", 20, 32, 48), ("png", 20, 16, 20), ("uncompressed", 20, 16, 20),
    ]  # fmt: skip
    assert {f.fps for f in found} == {Fraction(10)}


def test_variable_rate_is_sampled_by_its_times(tmp_path):
    """A clip at 25 fps and the same without the frames that repeat: at another rate they show the same."""
    step = Fraction(1, 25)
    new = [0, 1, 2, 12, 13, 14, 15, 40, 41, 49]
    times = [i * step for i in new]
    shown = [max(k for k in new if k <= i) for i in range(50)]
    whole = Video(numbered(50).frames[shown], 25)
    short = Video(numbered(50).frames[new], Fraction(10, 2), None, times)
    for folder, video in (("whole", whole), ("short", short)):
        (tmp_path / folder).mkdir()
        video.save(tmp_path / folder / "a.mkv", lossless=True)
    protocol = Protocol(frames=16, fps=10.0, policy="first")
    plans = [
        make_plan(open_set(given, which), which, protocol)
        for given, which in ((tmp_path / "whole", "real"), (tmp_path / "short", "fake"))
    ]
    one, two = (cut_clip(plan.cuts[0], plan.side).video for plan in plans)
    assert (one.frames == two.frames).all()
    assert one.fps == two.fps == 10
    assert pair_clips(*plans)[0] == [(0, 0)]
    in_memory_too = make_plan(open_set([short], "FAKE"), "fake", protocol)
    assert in_memory_too.cuts[0].indices.tolist() == plans[1].cuts[0].indices.tolist()


def test_variable_rate_and_too_little_time():
    video = Video(numbered(5).frames, Fraction(5, 3), None, [0, 1, 2, Fraction(21, 10), Fraction(22, 10)])
    protocol = Protocol(frames=16, fps=5.0, policy="first")
    with pytest.raises(InputError, match=r"lasts 3 s, protocol .* needs 3 s"):
        make_plan(open_set([video], "REAL"), "real", protocol)
    fits = make_plan(open_set([video], "REAL"), "real", protocol.with_overrides(["frames=12"]))
    assert fits.cuts[0].indices.tolist() == [0] * 5 + [1] * 5 + [2, 4]


def test_variable_rate_without_a_rate_is_a_warning():
    video = Video(numbered(5).frames, Fraction(5, 3), None, [0, 1, 2, Fraction(21, 10), Fraction(22, 10)])
    plain = Protocol(frames=4, policy="first")
    real, fake = (make_plan(open_set([video], which.upper()), which, plain) for which in ("real", "fake"))
    assert real.cuts[0].indices.tolist() == [0, 1, 2, 3]
    assert [text for text in of_plans(real, fake) if "1 of 1 clips have a variable rate" in text]
