"""KTH: the frames of every sequence, people on one side of the split, and which way they go."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import FormatError, InputError, VideoReadError
from moviola.data.named import direction, kth
from moviola.data.sources import open_source


def test_sequences_are_the_frames_of_their_ranges(build):
    source = open_source(build("kth"))
    clips = {item.name: k for k, item in enumerate(source)}
    for number, frames in {1: range(0, 5), 2: range(5, 12), 3: range(13, 24)}.items():  # 1-5, 6-12, 14-24
        video = source.read(clips[f"boxing/person17_boxing_d1-{number}"])
        assert [int(np.median(frame)) for frame in video.frames] == list(frames) and video.fps == 25
        assert source.info(clips[f"boxing/person17_boxing_d1-{number}"]).frames == len(frames)
    with pytest.raises(InputError, match="it has 5"):
        source.read(clips["boxing/person17_boxing_d1-1"], [5])
    assert source.labels == {"boxing": 12, "walking": 8}


def test_people_are_split_as_the_source_says(build):
    source = open_source(build("kth"))
    for item in source:
        assert item.group is not None and item.group in item.name
        assert item.split == ("train" if int(item.group.removeprefix("person")) <= 16 else "test")


def test_captions_say_where_people_go(build):
    captions = {item.name: item.caption for item in open_source(build("kth"))}
    assert captions["boxing/person01_boxing_d1-1"] == "a person is boxing"
    assert captions["walking/person25_walking_d2-1"] == "a person is walking to the right"
    assert captions["walking/person25_walking_d2-2"] == "a person is walking to the left"


def test_sides_are_found_once(build, monkeypatch):
    spec = build("kth")
    decoded = []
    real = direction.sides
    monkeypatch.setattr(direction, "sides", lambda *given: decoded.append(given) or real(*given))
    told = [item.caption for item in open_source(spec + "#test")]
    assert len(decoded) == 2
    assert [item.caption for item in open_source(spec + "#test")] == told and len(decoded) == 2
    open_source(spec)
    assert len(decoded) == 4


@pytest.mark.parametrize("speed", [-4.0, -0.6, 0.6, 4.0])
@pytest.mark.parametrize("zoom", [0.0, 0.01])
def test_a_walker_goes_where_it_was_drawn(writer, speed, zoom):
    frames = writer.walker(30, speed, 40 - 15 * speed, zoom, noise=3)
    empty = np.full((5, *frames.shape[1:]), 150, np.uint8)
    x, mass = direction.figure_centroids(np.concatenate([empty, frames, empty]))
    assert not mass[:3].any() and not mass[-3:].any()
    assert direction.side_of(x, mass, frames.shape[2]) == ("right" if speed > 0 else "left")


def test_who_stays_goes_to_neither_side(writer):
    x, mass = direction.figure_centroids(writer.walker(30, 0.0, 40))
    assert mass.any() and direction.side_of(x, mass, 80) is None
    assert direction.side_of(np.zeros(5), np.zeros(5), 80) is None
    assert direction.side_of(np.zeros(0), np.zeros(0), 80) is None


def test_centroids_of_a_box_are_exact():
    frames = np.zeros((6, 20, 64, 3), np.uint8)
    for t in range(6):
        frames[t, 5:12, 4 + 8 * t : 12 + 8 * t] = (
            200  # 8 px wide, 8 px a frame: what it leaves and what it enters
        )
    x, mass = direction.figure_centroids(frames)
    np.testing.assert_allclose(x, 12 + 8 * np.arange(5), atol=1e-9)
    np.testing.assert_allclose(mass, 200 * 7 * 16, rtol=1e-6)


def test_videos_side_by_side_and_an_action_alone(writer):
    writer.avi(writer.root / "person02_running_d3_uncomp.avi", writer.walker(12, 5.0, 10))
    writer.put("00sequences.txt", "person02_running_d3\tframes\t1-12\nperson02_boxing_d1\tframes\t1-9\n")
    source = open_source(f"kth:{writer.root}")
    assert [item.caption for item in source] == ["a person is running to the right"]
    writer.avi(writer.root / "person03_running_d3_uncomp.avi", writer.numbered(3))
    assert open_source(f"kth:{writer.root}").skipped == (
        ("person03_running_d3_uncomp.avi", "not in 00sequences.txt"),
    )


def test_a_range_beyond_the_end(writer):
    writer.avi(writer.root / "person02_boxing_d3_uncomp.avi", writer.numbered(10))
    writer.put("00sequences.txt", "person02_boxing_d3 frames 1-4, 8-12, 11-20\n")
    source = open_source(f"kth:{writer.root}")
    assert [source.info(k).frames for k in (0, 1)] == [4, 3]
    with pytest.raises(VideoReadError, match="frames 11 to 20: the video has only 10 frames"):
        source.info(2)


def test_a_video_that_is_broken_does_not_stop_the_others(writer):
    writer.put("person02_walking_d3_uncomp.avi", b"no video")
    writer.put("00sequences.txt", "person02_walking_d3 frames 1-4\n")
    source = open_source(f"kth:{writer.root}")
    assert source[0].caption == "a person is walking"
    with pytest.raises(InputError):
        source.info(0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "person01_boxing_d1 frames 1-5\nperson01_boxing_d1 frames 6-9",
            "line 2: .* listed already, in line 1",
        ),
        ("person01_boxing_d1 frames 5-1", "line 1: frames 5-1 are none"),
        ("person01_boxing_d1 frames 0-4", "line 1: frames 0-4 are none"),
        ("\nperson01_boxing_d1 scenes 1-4", "line 2: not 'frames"),
        ("person01_dancing_d1 frames 1-4", "line 1: no action 'dancing'"),
    ],
)
def test_lists_that_are_wrong(text, words):
    with pytest.raises(InputError, match=words):
        kth.read_sequences(text, "00sequences.txt")


def test_what_is_missing_is_named(writer):
    spec = writer.build("kth")
    (writer.root / "walking/person16_walking_d2_uncomp.avi").unlink()
    with pytest.raises(InputError, match=r"line 7 lists person16_walking_d2.* fetch walking anew"):
        open_source(spec)
    (writer.root / "00sequences.txt").unlink()
    with pytest.raises(FormatError, match=r"no 00sequences.txt.*found boxing/, walking/"):
        open_source(spec)


def test_the_published_numbers():
    """2391 sequences: Schuldt et al. 2004, section 4; 599 of 600 videos: one is missing, as their list says."""
    assert sum(kth.SIZES.values()) == 2391
    lines = [
        "person11, 12",
        "person13_handclapping_d3\t*missing*",
        "person01_boxing_d1\t\tframes\t1-95, 96-185",
    ]
    (one,) = kth.read_sequences("\n".join(lines), "list")
    assert (one.stem, one.person, one.action, one.ranges) == (
        "person01_boxing_d1", 1, "boxing", [(0, 95), (95, 185)]
    )  # fmt: skip
