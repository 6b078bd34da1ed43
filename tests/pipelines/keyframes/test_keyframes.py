"""Key frames of whole videos: every method, cuts, budgets, streaming; and the picture of the choice."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import (
    ConfigError,
    FormatError,
    InputError,
    OutputError,
    UnknownNameError,
    VideoReadError,
)
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.pictures import write_png
from moviola.pipelines.keyframes import METHODS, draw, keyframes, write_plot
from moviola.selection.change import change_measure
from moviola.selection.select import algorithm_1, uniform, with_budget


def blocks(seed: int, width: int = 192) -> np.ndarray:
    """A picture of coloured blocks, uint8 (48, width, 3)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (4, width // 12, 3), np.uint8).repeat(12, axis=0).repeat(12, axis=1)


@pytest.fixture(scope="module")
def video() -> Video:
    """30 frames 48x64 at 10 Hz: still to frame 9, a pan to frame 19, and from 20 on another scene, still."""
    first, second = blocks(1), blocks(2)
    places = [0] * 10 + [3 * i for i in range(1, 11)]
    frames = [first[:, x : x + 64] for x in places] + [second[:, :64]] * 10
    return Video(np.stack(frames), 10)


@pytest.mark.parametrize("method", ["uniform", "histogram", "orb", "flow"])
def test_a_method_is_its_measure_and_algorithm_1(video, method):
    """The curve, the cut, and the keys that Algorithm 1 makes of them."""
    found = keyframes(video, method, interval=4, alpha=1.5, beta=0.9)
    assert (found.method, found.measure, found.cuts, found.predicted) == (method, method, [20], None)
    # frames come in pieces of another length, and sums over several pictures may be made in another order
    np.testing.assert_allclose(found.change, change_measure(method).curve(video.frames), rtol=1e-5, atol=1e-7)
    expected = algorithm_1(found.change, 4, alpha=1.5, beta=0.9, cuts=[20])
    assert found.indices == (expected if method != "uniform" else [0, 4, 8, 12, 16, 20, 24, 28])


def test_keys_fall_into_the_motion(video):
    """Of six keys one starts each shot; the rest see the pan."""
    found = keyframes(video, "flow", count=6)
    assert len(found.indices) == 6 and {0, 20} <= set(found.indices)
    assert sum(9 <= key < 20 for key in found.indices) >= 3


def test_optimal_beats_the_others(video):
    """Same number of keys, less predicted error; it says by how much."""
    found = keyframes(video, "optimal", interval=6)
    assert (found.method, found.measure, len(found.indices), found.cuts) == ("optimal", "flow", 5, [20])
    assert set(found.predicted) == {"optimal", "uniform", "flow"}
    assert found.predicted["optimal"] < min(found.predicted["uniform"], found.predicted["flow"])
    assert found.gain["uniform"] == 1 - found.predicted["optimal"] / found.predicted["uniform"]
    assert sum(9 <= key < 20 for key in found.indices) == 3  # the still parts need one key each


def test_optimal_against_others_and_without_motion():
    """Any measure can be compared with; a clip where nothing changes has no gain and no fault."""
    still = Video(np.repeat(blocks(1)[None, :, :64], 6, axis=0), 10)
    found = keyframes(still, "optimal", count=2, against=("histogram",), force_last=True)
    assert found.indices == [0, 5] and set(found.predicted) == {"optimal", "histogram"}
    assert found.predicted["optimal"] < 1e-3


def test_more_shots_than_even_keys():
    """Each shot has its key, however long the interval; the longest gap follows."""
    frames = np.concatenate([np.repeat(blocks(seed)[None, :, :64], 5, axis=0) for seed in range(6)])
    for method in ("flow", "uniform", "optimal"):
        found = keyframes(Video(frames, 10), method, interval=30)
        assert found.cuts == [5, 10, 15, 20, 25] and found.indices == [0, 5, 10, 15, 20, 25]


def test_a_file_gives_what_its_frames_give(video, tmp_path):
    """Streamed from a file; progress counts every frame."""
    path = video.save(tmp_path / "clip.npz")
    ticks: list[int] = []
    for method, passes in (("flow", 1), ("optimal", 2)):
        ticks.clear()
        whole, streamed = (keyframes(v, method, count=5) for v in (video, path))
        assert whole.indices == streamed.indices
        np.testing.assert_allclose(whole.change, streamed.change, rtol=1e-5, atol=1e-7)
        keyframes(path, method, count=5, tick=lambda advance=1, text="": ticks.append(advance))
        assert sum(ticks) == passes * 30


def test_long_videos_stream(tmp_path, monkeypatch):
    """No more than a piece is read at a time."""
    path = Video(np.zeros((70, 16, 16, 3), np.uint8), 10).save(tmp_path / "long.npz")
    asked: list[int] = []
    stream = codec.stream

    def spy(path, batch, **how):
        for piece in stream(path, batch, **how):
            asked.append(len(piece))
            yield piece

    monkeypatch.setattr(codec, "stream", spy)
    monkeypatch.setattr(codec, "read", None)
    keyframes(path, "histogram")
    assert sum(asked) == 70 and max(asked) == 16


def test_cuts_by_hand_and_none(video):
    """Given ones are taken as they are."""
    assert keyframes(video, "uniform", interval=10, cuts=False).indices == [0, 10, 20]
    found = keyframes(video, "uniform", interval=10, cuts=[7, 7, 0])
    assert found.cuts == [7] and found.indices == [0, 7, 17, 27]


def test_keys_by_hand(video):
    """With 0 and the cuts; the curve is there all the same."""
    found = keyframes(video, "histogram", indices=[5, -1])
    assert (found.method, found.measure, found.indices) == ("explicit", "histogram", [0, 5, 20, 29])
    assert found.change.shape == (30,) and found.change.argmax() == 20


def test_budgets(video):
    """Exactly so many, evenly where the method is uniform and nothing is in the way."""
    assert keyframes(video, "uniform", count=7, cuts=False).indices == uniform(30, count=7)
    assert keyframes(video, "uniform", count=7, cuts=False, force_last=True).indices[-1] == 29
    found = keyframes(video, "histogram", count=5, max_gap=9)
    assert found.indices == with_budget(found.change, 5, max_gap=9, cuts=[20])


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("deep", "latent")])
def test_an_interval_of_one(video, method):
    """Every frame is a key, by every method."""
    assert keyframes(video, method, interval=1).indices == list(range(30))


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("deep", "latent")])
def test_a_clip_of_one_frame(method):
    """It is the key."""
    one = Video(np.zeros((1, 32, 48, 3), np.uint8), 25)
    assert keyframes(one, method).indices == [0]
    assert draw(keyframes(one, method), one).shape[1] == 1200


def test_the_plot(video, tmp_path):
    """Red lines at the keys, a green one at the cut, the curve, and a thumbnail of each key as it is."""
    found = keyframes(video, "histogram", indices=[10])
    picture = np.asarray(Image.open(write_plot(found, video, tmp_path / "keys.png")))
    np.testing.assert_array_equal(picture, draw(found, video))
    panel = picture[60:290].astype(int)
    columns = lambda colour: np.flatnonzero((np.abs(panel - colour).sum(2) < 40).mean(0) > 0.9)  # noqa: E731
    place = lambda frame: round(56 + 1088 * frame / 29)  # noqa: E731
    assert place(10) in columns((208, 64, 32))
    assert place(20) in columns((32, 128, 64))
    top = 240 + 2 * 56
    side = (1200 - 2 * 56 - 7 * 6) // 8
    thumbnail = picture[top : top + side * 48 // 64, 56 : 56 + side]
    centres = thumbnail[side // 16 :: side * 12 // 64, side // 16 :: side * 12 // 64][:4, :5]
    assert np.abs(centres.astype(int) - video.frames[0][3::12, 3::12][:, :5]).max() < 90
    assert len(np.unique(thumbnail.reshape(-1, 3), axis=0)) > 10


def test_many_keys_are_thinned_in_the_plot(video):
    """24 thumbnails at most: three rows of eight."""
    found = keyframes(video, "uniform", interval=1)
    assert len(found.indices) == 30
    assert draw(found, video).shape == (240 + 2 * 56 + 3 * (98 + 20) + 6, 1200, 3)


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        (
            {"method": "flwo"},
            UnknownNameError,
            "unknown method of choosing key frames 'flwo'; did you mean flow",
        ),
        ({"interval": 0}, ConfigError, "the interval is 0"),
        ({"alpha": 0.5}, ConfigError, "alpha is 0.5"),
        ({"count": 31}, ConfigError, "31 key frames are asked for; the video has 30 frames"),
        ({"count": 1}, ConfigError, "1 keys are asked for; cuts, gaps and the last frame allow 2"),
        ({"count": 1, "method": "optimal"}, ConfigError, "no 1 of 30 frames can be keys"),
        ({"method": "uniform", "interval": 4, "min_gap": 5}, ConfigError, "min_gap is 5; it must be 1 to 4"),
        ({"max_gap": 3}, ConfigError, "max_gap goes with a number of keys"),
        ({"indices": [30]}, ConfigError, "key frame 30 is not in the video; it has 30 frames, 0 to 29"),
        ({"cuts": [31]}, ConfigError, "a cut at frame 31 is not in the video"),
        ({"options": {"sizes": 3}}, ConfigError, "has no option 'sizes'; it has size"),
        ({"method": "optimal", "options": {"sizes": 3}}, ConfigError, "has no option 'sizes'"),
    ],
)
def test_bad_settings(video, how, error, says):
    """One line each."""
    with pytest.raises(error) as caught:
        keyframes(video, **how)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_bad_files(video, tmp_path):
    """No video, no PNG, no folder."""
    with pytest.raises(VideoReadError):
        keyframes(tmp_path / "none.mp4")
    found = keyframes(video, "uniform")
    with pytest.raises(FormatError, match=r"a plot is a PNG; .*keys\.jpg does not end in \.png"):
        write_plot(found, video, tmp_path / "keys.jpg")
    with pytest.raises(OutputError, match="cannot write"):
        write_plot(found, video, tmp_path / "none" / "keys.png")
    assert list(tmp_path.iterdir()) == []


def test_a_real_clip(shared):
    """The NASA clip is still, then dissolves, cuts at frame 202: keys where it changes, and far less error."""
    clip = codec.read(shared / "media/video/nasa-13013.mp4", start=80, stop=230, stride=2, size=(72, 128))
    found = keyframes(clip, "optimal", count=9, options={"size": 48})
    assert found.cuts == [61] and len(found.indices) == 9
    assert found.gain["uniform"] > 0.5


@pytest.mark.parametrize("method", ["flow", "histogram", "optimal"])
def test_a_mask_weighs_change_inside_it(video, method, tmp_path):
    """Beside a part that moves first, the other moves later: keys fall where the part that is meant moves."""
    early, late = video.frames[:20], video.frames[:20][::-1]
    both = Video(np.concatenate([early, late], axis=2), 10)  # the right half moves in frames 0 to 10
    half = np.zeros((48, 128, 3), np.uint8)
    half[:, :64] = 255
    write_png(tmp_path / "left.png", half)
    write_png(tmp_path / "right.png", 255 - half)
    found = {
        side: keyframes(both, method, count=5, cuts=False, mask=tmp_path / f"{side}.png")
        for side in ("left", "right")
    }
    late_keys = {side: sum(key >= 10 for key in keys.indices) for side, keys in found.items()}
    assert late_keys["left"] >= 3 > late_keys["right"]
    if method == "flow":
        np.testing.assert_allclose(found["left"].change[1:9], 0, atol=0.2)
        assert found["left"].change[11:].mean() == pytest.approx(3, rel=0.3)  # px, not half of it


def test_a_mask_of_everything_changes_nothing(video, tmp_path):
    """Bit for bit."""
    write_png(tmp_path / "white.png", np.full((48, 64, 3), 255, np.uint8))
    for method in ("flow", "optimal"):
        plain, masked = (keyframes(video, method, interval=6, mask=m) for m in (None, tmp_path / "white.png"))
        assert plain.indices == masked.indices
        np.testing.assert_array_equal(plain.change, masked.change)


def test_a_mask_that_does_not_fit(video, tmp_path):
    write_png(tmp_path / "small.png", np.zeros((40, 64, 3), np.uint8))
    with pytest.raises(InputError, match="is 64x40 and the frames of the video are 64x48"):
        keyframes(video, mask=tmp_path / "small.png")
