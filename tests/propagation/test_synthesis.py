"""Guided patch synthesis: what must come out exactly, what must be filled in, and every awkward size."""

from __future__ import annotations

import itertools
from importlib.util import find_spec

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.propagation.guides import Guides, grid, source_guides, target_guides
from moviola.propagation.synthesis import Synthesis, SynthesisConfig, synthesize

NUMBA = pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="no Numba"))
BACKENDS = [NUMBA, "torch"]
SHIFT = (-7, 5)  # from the target to the source, px


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with structure at a few pixels, uint8 (height, width, 3)."""
    picture = np.random.default_rng(seed).random((height + 6, width + 6, 3))
    for _ in range(2):
        picture = sum(
            picture[i : len(picture) - 3 + i, j : picture.shape[1] - 3 + j]
            for i in range(4)
            for j in range(4)
        )
    low, high = picture.min(), picture.max()
    return ((picture - low) / (high - low) * 255).astype(np.uint8)


def painted(frame: np.ndarray) -> np.ndarray:
    """Some paint over a frame, another colour for each of its colours."""
    return np.ascontiguousarray(255 - frame[..., ::-1] // 2)


def shifted(height: int = 70, width: int = 83) -> tuple[np.ndarray, np.ndarray]:
    """A frame, and the same SHIFT on: the second at (x, y) is the first at (x, y) + SHIFT."""
    large = texture(height + 5, width + 7)
    return large[:height, 7:].copy(), large[5:, :width].copy()


def flow_of(frame: np.ndarray, shift: tuple[float, float] = SHIFT) -> np.ndarray:
    """A flow that is the same everywhere, float32 (H, W, 2)."""
    return np.broadcast_to(np.float32(shift), (*frame.shape[:2], 2)).copy()


def inner(array: np.ndarray) -> np.ndarray:
    """The part of a target whose patches lie in the source after SHIFT."""
    return array[2:-8, 10:-2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_frame_gives_the_paint_back(backend):
    """With the key itself as target and no motion, the paint comes back bit by bit, with error 0."""
    frame, style = texture(60, 71), texture(60, 71, 1)
    target = target_guides(frame, flow=np.zeros((60, 71, 2)), temporal=style)
    result = synthesize(source_guides(frame), style, target, SynthesisConfig(backend=backend))
    assert (result.frame == style).all()
    assert (result.field == grid(60, 71)).all()
    assert (result.error == 0).all() and result.error.dtype == np.float32


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_frame_is_found_without_flow(backend):
    """From random matches too, the guides alone lead back to the paint."""
    frame = texture(60, 71)
    style = painted(frame)
    result = synthesize(source_guides(frame), style, source_guides(frame), SynthesisConfig(backend=backend))
    close = np.abs(result.frame.astype(int) - style).max(-1) <= 1
    assert close.mean() > 0.99


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("known", [False, True])
def test_a_translation_is_recovered(backend, known):
    """The field is the motion, told or not; the paint moves with it and the error is zero there."""
    key, frame = shifted()
    target = target_guides(frame, flow=flow_of(frame) if known else None)
    result = synthesize(source_guides(key), painted(key), target, SynthesisConfig(backend=backend))
    right = (inner(result.field) == inner(grid(70, 83)) + SHIFT).all(-1)
    assert right.mean() > 0.98
    assert (np.abs(inner(result.frame).astype(int) - inner(painted(frame))).max(-1) <= 1).mean() > 0.98
    away = inner(result.error)[
        4:-4, 4:-4
    ]  # from what has no match, which shares patches and paint with its neighbours
    assert (away < 1e-2).mean() > 0.99


def test_a_wrong_flow_is_mended():
    """Where the flow is wrong and known to be, the colours find the right place; paint is not warped nonsense."""
    key, frame = shifted()
    flow, visible = flow_of(frame), np.ones((70, 83), bool)
    flow[25:41, 30:50], visible[25:41, 30:50] = (19, -14), False
    result = synthesize(source_guides(key), painted(key), target_guides(frame, flow=flow, visible=visible))
    difference = np.abs(result.frame.astype(int) - painted(frame))[25:41, 30:50]
    warped = np.abs(painted(key)[11:27, 49:69].astype(int) - painted(frame)[25:41, 30:50])
    assert difference.mean() < 0.1 * warped.mean()
    assert (result.field[25:41, 30:50] == (grid(70, 83) + SHIFT)[25:41, 30:50]).all(-1).mean() > 0.9


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_where_it_is_wanted(backend):
    """There a wrong flow is mended as if all were sought; elsewhere the first start field stays."""
    source, target = shifted()
    where = np.zeros(target.shape[:2], bool)
    where[20:40, 25:50] = True
    style, flow = painted(source), flow_of(target, (0, 0))
    seen = np.zeros(target.shape[:2], bool)  # the flow is known to be wrong
    guides = source_guides(source), style, target_guides(target, flow=flow, visible=seen)
    config = SynthesisConfig(backend=backend)
    whole, part = (synthesize(*guides, config, where=mask) for mask in (None, where))
    truth = painted(target).astype(int)
    wrong = [np.abs(result.frame[where].astype(int) - truth[where]).mean() for result in (whole, part)]
    assert wrong[0] < 2 and wrong[1] < 2
    assert (part.field[where] - grid(*target.shape[:2])[where] == SHIFT).all(-1).mean() > 0.95
    far = np.ones_like(where)
    far[:60, 5:70] = False  # what is sought on coarser levels reaches farther
    assert (part.field[far] == grid(*target.shape[:2])[far]).all()
    assert (part.frame[far] == style[far]).all()


def test_what_was_hidden_is_filled_in():
    """A square that moved uncovers striped ground the key never showed there: it is filled with striped paint."""
    ground = np.full((64, 80, 3), 60, np.uint8)
    ground[(np.arange(64) // 4) % 2 == 0] = 120
    key, frame = ground.copy(), ground.copy()
    key[20:44, 10:34], frame[20:44, 34:58] = (200, 40, 40), (200, 40, 40)
    paint = np.where(key == 60, 0, np.where(key == 120, 255, key)).astype(np.uint8)
    flow, visible = np.zeros((64, 80, 2), np.float32), np.ones((64, 80), bool)
    flow[20:44, 34:58], visible[20:44, 10:34] = (-24, 0), False
    result = synthesize(source_guides(key), paint, target_guides(frame, flow=flow, visible=visible))
    wanted = np.where(frame == 60, 0, np.where(frame == 120, 255, frame)).astype(int)
    assert (np.abs(result.frame.astype(int) - wanted).max(-1) <= 8).mean() > 0.97
    hole = np.abs(result.frame.astype(int) - wanted)[22:42, 12:32]
    assert (hole.max(-1) <= 8).mean() > 0.9


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 7), (9, 1), (2, 3), (4, 4), (5, 33), (41, 19), (37, 22), (67, 40)]
)
def test_any_size(size):
    """Tiny, odd and portrait frames give the paint back where nothing moves."""
    frame, style = texture(*size), texture(*size, seed=1)
    result = synthesize(source_guides(frame), style, target_guides(frame, flow=np.zeros((*size, 2))))
    assert (result.frame == style).all()
    assert result.field.shape == (*size, 2) and result.field.dtype == np.int32
    assert result.error.shape == size


def test_key_and_target_of_two_sizes():
    """The key may be of another size than the target."""
    key = texture(50, 61)
    frame = key[10:43, 20:57].copy()
    result = synthesize(source_guides(key), painted(key), source_guides(frame))
    assert result.frame.shape == frame.shape
    assert (np.abs(result.frame.astype(int) - painted(frame)).max(-1) <= 1).mean() > 0.95


def test_a_start_field_is_used():
    """Without any search the start decides; of two starts each pixel takes the better."""
    key, frame = shifted()
    truth, wrong = grid(70, 83) + SHIFT, np.full((70, 83, 2), 30, np.int32)
    halves = [np.where(np.arange(83)[:, None] < 40, *pair) for pair in ((truth, wrong), (wrong, truth))]
    halves = [half.astype(np.int32) for half in halves]
    config = SynthesisConfig(levels=1, radius=0, votes=1, searches=1)
    for start in (truth, halves, [truth.astype(np.float64)]):
        result = synthesize(source_guides(key), painted(key), source_guides(frame), config, start=start)
        assert (inner(result.field) == inner(truth)).all(-1).mean() > 0.98
    assert (halves[0][:, 50:] == 30).all()  # what was given is not written to


def test_between_pixels():
    """Half a pixel of motion is read between the key's pixels: nearer to the formula than whole pixels can be."""

    def wave(offset: float) -> np.ndarray:
        y, x = np.mgrid[:60, :72] + 0.0
        x = x + offset
        planes = [np.sin(x / 4 + y / 9), np.sin(x / 5 - y / 6), np.cos(x / 3)]
        return np.round(127.5 + 120 * np.stack(planes, -1)).astype(np.uint8)

    key, frame = wave(0), wave(0.5)
    target = target_guides(frame, flow=flow_of(frame, (0.5, 0)))
    errors = []
    for subpixel in (True, False):
        config = SynthesisConfig(subpixel=subpixel)
        result = synthesize(source_guides(key), painted(key), target, config)
        errors.append(np.abs(result.frame.astype(int) - painted(frame))[4:-4, 4:-4].mean())
    assert errors[0] < 0.6 and errors[0] < 0.5 * errors[1]


def test_the_temporal_guide_decides_where_colours_do_not():
    """On a frame of one colour the paint follows the previous frame's."""
    plain, style = np.full((48, 60, 3), 90, np.uint8), texture(48, 60)
    before = np.roll(style, (4, -6), axis=(0, 1))
    result = synthesize(
        source_guides(plain), style, target_guides(plain, temporal=before), SynthesisConfig(temporal=8.0)
    )
    gap = np.abs(result.frame.astype(int) - before)[8:-4, 4:-10]
    free = synthesize(source_guides(plain), style, source_guides(plain))
    assert gap.mean() < 2
    assert np.abs(free.frame.astype(int) - before)[8:-4, 4:-10].mean() > 5 * gap.mean()


def test_error_of_the_position():
    """With the positional guide alone the error is the mean squared way, in levels, by loops over each patch."""
    frame, rng = texture(21, 26), np.random.default_rng(0)
    flow = (rng.random((21, 26, 2)) * 4 - 2).astype(np.float32)
    config = SynthesisConfig(colour=0, edge=0, style=0, position=2.0, levels=1)
    result = synthesize(source_guides(frame), frame, target_guides(frame, flow=flow), config)
    position = grid(21, 26) + flow
    for y, x in [(0, 0), (5, 9), (20, 25), (10, 1)]:
        total = count = 0.0
        for dy, dx in itertools.product(range(-2, 3), repeat=2):
            if 0 <= y + dy < 21 and 0 <= x + dx < 26:
                away = result.field[y, x] + [dx, dy] - position[y + dy, x + dx]
                total, count = total + (away**2).sum() * (255 / 26) ** 2 / 2, count + 1
        assert result.error[y, x] == pytest.approx(total / count, rel=1e-3)


def test_error_is_a_weighted_mean():
    """Colours that are off by 10 levels everywhere make an error of 100 times the share of their weight."""
    plain = np.full((30, 40, 3), 90, np.uint8)
    target = target_guides(plain + np.uint8(10), flow=np.zeros((30, 40, 2)), temporal=plain + np.uint8(4))
    result = synthesize(source_guides(plain), plain, target)
    # the paint is 90 everywhere, so that the temporal guide is off by 4
    wanted = (6 * 100 + 0.5 * 16) / (1 + 6 + 0.5 + 2 + 0.5)
    np.testing.assert_allclose(result.error, wanted, rtol=1e-4)


def test_the_seed_and_nothing_else_decides():
    """Equal seeds give equal bytes with any number of threads; another seed searches elsewhere."""

    def run(seed: int, threads: int | None) -> Synthesis:
        key, frame = texture(50, 61), texture(50, 61, 9)
        return synthesize(source_guides(key), painted(key), source_guides(frame), seed=seed, threads=threads)

    first, again, other = run(0, 1), run(0, 3), run(1, None)
    for name in ("frame", "field", "error"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert (first.field != other.field).any()


def test_positions_that_are_not_finite_do_not_count():
    """Where the position is NaN it is left to the other guides."""
    key, frame = shifted()
    flow = flow_of(frame)
    flow[20:30, 30:40] = np.nan
    result = synthesize(source_guides(key), painted(key), target_guides(frame, flow=flow))
    assert np.isfinite(result.error).all()
    assert (np.abs(inner(result.frame).astype(int) - inner(painted(frame))).max(-1) <= 1).mean() > 0.97


@pytest.mark.parametrize(
    ("key", "value"),
    [("patch", 4), ("patch", 0), ("votes", 0), ("colour", -1), ("backend", "c"), ("color", 1)],
)
def test_settings_out_of_range(key, value):
    """A setting out of its range, or that does not exist, is named in one line."""
    with pytest.raises(ConfigError, match=key):
        SynthesisConfig.make({key: value})


def test_where_needs_a_start():
    """And fits the target."""
    frame = texture(40, 50)
    guides = source_guides(frame)
    with pytest.raises(ConfigError, match="with a start field or a position"):
        synthesize(guides, frame, guides, where=np.ones((40, 50), bool))
    with pytest.raises(ConfigError, match=r"where is \(40, 49\); it must be \(40, 50\)"):
        synthesize(guides, frame, guides, start=grid(40, 50), where=np.ones((40, 49), bool))


def test_arrays_that_do_not_fit():
    """A painted key or a start of another size, or edges on one side only, are refused in one line."""
    frame = texture(20, 24)
    guides = source_guides(frame)
    with pytest.raises(ConfigError, match="24x20"):
        synthesize(guides, texture(24, 20), guides)
    with pytest.raises(ConfigError, match="uint8"):
        synthesize(guides, frame.astype(np.float32), guides)
    with pytest.raises(ConfigError, match="start"):
        synthesize(guides, frame, guides, start=np.zeros((24, 20, 2), np.int32))
    with pytest.raises(ConfigError, match="edge"):
        synthesize(guides, frame, Guides(colour=frame))
