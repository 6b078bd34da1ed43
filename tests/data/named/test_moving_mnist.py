"""Moving MNIST: the motion, the digits of either side, the captions, and the published test set."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import FormatError, InputError
from moviola.data.named import moving_mnist
from moviola.data.named.moving_mnist import compose, trajectories, velocities
from moviola.data.sources import open_source


def greys(video) -> list[int]:
    """The greys of a sequence but black, darkest first."""
    return [int(v) for v in np.unique(video.frames) if v]


def corners(video, grey: int) -> np.ndarray:
    """Upper left corners (T, 2), x and y, of the square of one grey that nothing covers."""
    places = []
    for frame in video.frames[..., 0]:
        y, x = np.nonzero(frame == grey)
        assert (x.max() - x.min(), y.max() - y.min()) == (27, 27)
        places.append((x.min(), y.min()))
    return np.array(places)


def test_a_digit_turns_back_at_the_edges():
    """Steps of an eighth are exact, and end at the edges: the way is a triangle wave."""
    places = trajectories(np.array([[0.5, 0.25]]), np.array([[0.125, -0.125]]), 40)
    t = np.arange(1, 41)
    for axis, phase in ((0, 4 + t), (1, 14 + t)):  # eighths of the free side, unfolded
        wave = 8 - np.abs(phase % 16 - 8)
        np.testing.assert_array_equal(places[:, 0, axis], (wave * 36 / 8).astype(int))


def test_digits_lie_over_each_other():
    digits = np.stack([np.full((28, 28), v, np.uint8) for v in (9, 200)])
    frame = compose(digits, np.array([[[0, 0], [14, 36]], [[10, 0], [0, 10]]]))
    expected = np.zeros((2, 64, 64), np.uint8)
    expected[0, :28, :28], expected[0, 36:, 14:42] = 9, 200
    expected[1, :28, 10:38] = 9
    expected[1, 10:38, :28] = 200
    np.testing.assert_array_equal(frame, expected)


def test_directions():
    angles = np.array([0.3, 1.2, 3.0, 5.0])
    np.testing.assert_allclose(np.hypot(*velocities(angles, False).T), 0.1)
    np.testing.assert_allclose(
        velocities(angles, True), [[0.1, 0], [0, 0.1], [-0.1, 0], [0, -0.1]], atol=1e-12
    )


def test_the_captions_say_what_moves_and_how(build):
    source = open_source(build("moving-mnist-captions"))
    seen = set()
    for index, item in enumerate(source):
        video = source.read(index)
        assert video.frames.shape == (20, 64, 64, 3)
        values = greys(video)
        digits = [
            (value - 1) % 10 for value in values
        ]  # a pixel is its row and 1, a label the last digit of a row
        assert item.caption is not None
        said = [part.removeprefix("the digit ") for part in item.caption.split(" and the digit ")]
        named = [int(part[0]) for part in said]
        assert sorted(named) == sorted(digits if len(digits) == 2 else digits * 2)
        if len(set(named)) == 2:
            motion = said[named.index(digits[-1])].partition(" is moving ")[2]
            still = {"left and right": 1, "up and down": 0}[motion]
            places = corners(video, values[-1])
            assert np.ptp(places[:, still]) == 0 < np.ptp(places[:, 1 - still])
            seen.add(motion)
    assert seen == {"left and right", "up and down"}


def test_digits_move_in_any_direction(build):
    source = open_source(build("moving-mnist") + "#train")
    assert all(item.caption and item.caption.count("is moving") == 2 for item in source)
    places = [corners(v := source.read(k), greys(v)[-1]) for k in range(len(source))]
    assert sum(np.ptp(p, axis=0).min() > 0 for p in places) > len(places) / 2
    steps = np.concatenate([np.linalg.norm(np.diff(p, axis=0), axis=1) for p in places])
    assert steps.max() < 3.6 + 2**0.5  # a tenth of the free 36 px, and rounding


def test_the_same_sequences_every_time(build):
    spec = build("moving-mnist")
    one, other = open_source(spec), open_source(spec)
    for k in (0, 31, 59):
        np.testing.assert_array_equal(one.read(k).frames, other.read(k).frames)
    assert one.fingerprint() == other.fingerprint()
    assert any((one.read(0).frames != one.read(k).frames).any() for k in (1, 2))
    np.testing.assert_array_equal(one.read(3, [7, 2]).frames, one.read(3).frames[[7, 2]])


def test_no_digit_is_on_both_sides(writer):
    writer.mnist(train=0, test=40)
    source = open_source(f"moving-mnist:{writer.root}")
    rows = {part: set() for part in ("train", "test")}
    for index, item in enumerate(source):
        rows[item.split or ""] |= {value - 1 for value in greys(source.read(index))}
    assert max(rows["train"]) < 36 <= min(rows["test"]) and len(rows["test"]) > 1


def test_of_both_files_each_has_its_side(writer):
    writer.mnist(train=40, test=20)
    source = open_source(f"moving-mnist:{writer.root}")
    files = {item.split: set(item.clip.files()) for item in source}
    assert all(name.startswith("train-") for name in files["train"])
    assert all(name.startswith("t10k-") for name in files["test"])


def test_the_published_test_set(writer):
    array = np.random.default_rng(0).integers(0, 256, (20, 3, 64, 64), dtype=np.uint8)
    np.save(writer.root / "mnist_test_seq.npy", array)
    assert isinstance(moving_mnist.open_published(writer.root / "mnist_test_seq.npy"), np.memmap)
    for path in (writer.root, writer.root / "mnist_test_seq.npy"):
        source = open_source(f"moving-mnist:{path}")
        assert source.splits == {"test": 3}
        for k in range(3):
            video = source.read(k, [0, 19, 4])
            for channel in range(3):
                np.testing.assert_array_equal(video.frames[..., channel], array[[0, 19, 4], k])
    writer.mnist()
    assert open_source(f"moving-mnist:{writer.root}").splits == {"train": 30, "test": 3}


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((20, 3, 64, 64), np.float32),
        np.zeros((3, 20, 64, 64), np.uint8),
        np.array([{"a": 1}], dtype=object),
        None,
    ],
)
def test_arrays_that_are_not_it(writer, array):
    path = writer.root / "mnist_test_seq.npy"
    if array is None:
        path.write_bytes(b"no array")
    else:
        np.save(path, array)
    with pytest.raises(FormatError, match=r"mnist_test_seq\.npy"):
        open_source(f"moving-mnist:{path}")


def test_files_that_do_not_fit(writer):
    writer.mnist(train=0)
    labels = writer.root / "t10k-labels-idx1-ubyte"
    kept = labels.read_bytes()
    labels.unlink()
    with pytest.raises(InputError, match="its labels t10k-labels-idx1-ubyte are not"):
        open_source(f"moving-mnist:{writer.root}")
    writer.idx(labels, np.arange(200) % 10)
    source = open_source(f"moving-mnist:{writer.root}#test")
    with pytest.raises(InputError, match="not an image for every label"):
        source.read(0)
    labels.write_bytes(kept[:12])
    with pytest.raises(InputError, match="ends early"):
        open_source(f"moving-mnist:{writer.root}")


def test_real_digits(shared, monkeypatch):
    monkeypatch.setattr(moving_mnist, "COUNT", 4)
    folder = shared / "media/datasets/mnist"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    source = open_source(f"moving-mnist-captions:{folder}")
    assert source.splits == {"train": 4, "test": 4}
    lit = [(source.read(k).frames > 127).mean() for k in range(8)]
    assert min(lit) > 0.02 and max(lit) < 0.2  # of 64x64: strokes, not squares
