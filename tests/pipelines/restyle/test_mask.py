"""Restyling through a mask: what stays, what is repainted, and what is made again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moviola as mv
from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.pictures import write_png
from moviola.models.rerender.filters import paint
from moviola.pipelines.restyle import Plan, RestyleConfig, paint_first, restyle_file

pytest.importorskip("cv2")
pytest.importorskip("scipy")
HEIGHT, WIDTH, COUNT = 46, 70, 9


def moving(frames: int = COUNT, height: int = HEIGHT, width: int = WIDTH) -> Video:
    """A soft texture that moves to the left by 2 px a frame."""
    rng = np.random.default_rng(0)
    coarse = Video(rng.integers(0, 256, (1, 12, 24, 3), dtype=np.uint8), 10).resize(
        height, 2 * width + 2 * frames
    )
    views = np.stack([coarse.frames[0][:, 2 * t : 2 * t + width] for t in range(frames)])
    return Video(views, Fraction(10))


def squares(frames: int = COUNT, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A white square that moves with the texture, bool (T, H, W)."""
    masks = np.zeros((frames, height, width), bool)
    for t in range(frames):
        masks[t, 12:34, 30 - 2 * t : 52 - 2 * t] = True
    return masks


def grey(masks: np.ndarray) -> np.ndarray:
    """Masks as pictures, uint8 (..., H, W, 3)."""
    return np.repeat((255 * masks).astype(np.uint8)[..., None], 3, -1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mkv"
    moving().save(path, lossless=True)
    return path


def config(file: Path | None = None, **changes: object) -> RestyleConfig:
    options = {"painter": "cartoon", "keys": {"interval": 4}, "propagation": {"method": "warp"}, **changes}
    more = options.pop("mask", {})
    return RestyleConfig.make({**options, "mask": {"file": None if file is None else str(file), **more}})


def made(clip: Path, folder: Path, settings: RestyleConfig, plan: Plan | None = None) -> np.ndarray:
    restyle_file(clip, folder / "out.mkv", settings, plan, lossless=True)
    return mv.read(folder / "out.mkv").frames


@pytest.mark.parametrize("feather", [0, 5])
def test_all_white_is_restyle_without_a_mask(clip: Path, tmp_path: Path, feather: float) -> None:
    """Bit for bit, keys and all."""
    plain = made(clip, tmp_path, config())
    write_png(tmp_path / "white.png", np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    masked = made(clip, tmp_path, config(tmp_path / "white.png", mask={"feather": feather}))
    np.testing.assert_array_equal(masked, plain)


def test_all_black_is_the_input(clip: Path, tmp_path: Path) -> None:
    """And the other way round, inverted."""
    write_png(tmp_path / "black.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    black = made(clip, tmp_path, config(tmp_path / "black.png"))
    np.testing.assert_array_equal(black, mv.read(clip).frames)
    inverted = made(clip, tmp_path, config(tmp_path / "black.png", mask={"invert": True}))
    np.testing.assert_array_equal(inverted, made(clip, tmp_path, config()))


@settings(max_examples=12)
@given(
    st.integers(1, 7),
    st.integers(16, 40),
    st.integers(16, 40),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([0.0, 3.0]),
)
def test_outside_stays_bit_for_bit(
    count: int, height: int, width: int, seed: int, feather: float, reach: float
) -> None:
    """Whatever the length, the size and the mask, also one of several greys; inside something is repainted."""
    video = moving(count, height, width)
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (count, 3, 4)) * 127
    mask = np.kron(coarse, np.ones((1, -(-height // 3), -(-width // 4)), int))[:, :height, :width].astype(
        np.uint8
    )
    options = {
        "painter": "ink",
        "propagation": {"method": "warp"},
        "keys": {"method": "uniform", "interval": 3},
    }
    result = mv.restyle(video, mask={"file": mask, "feather": feather, "reach": reach}, **options)
    assert result.frames.shape == video.frames.shape
    np.testing.assert_array_equal(result.frames[mask == 0], video.frames[mask == 0])
    if (mask == 254).mean() > 0.3:
        assert (result.frames != video.frames).any()


def test_a_folder_of_frames_is_written_without_loss_outside(clip: Path, tmp_path: Path) -> None:
    """The infinite PSNR of the issue: PNGs outside the mask are the decoded input."""
    Video(grey(squares()), 10).save(tmp_path / "mask.mkv", lossless=True)
    restyle_file(clip, f"{tmp_path}/frames/", config(tmp_path / "mask.mkv"))
    found, before = mv.read(tmp_path / "frames").frames, mv.read(clip).frames
    np.testing.assert_array_equal(found[~squares()], before[~squares()])
    assert np.abs(found[squares()].astype(int) - before[squares()]).mean() > 3


def test_far_inside_is_the_paint_and_the_border_has_no_step(clip: Path, tmp_path: Path) -> None:
    """A key's middle is as the filter paints it; at the border the step of a hard composite is gone."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, 35:] = True
    write_png(tmp_path / "half.png", grey(mask))
    flat = config(painter="ink", keys={"interval": 1})
    frames = mv.read(clip).frames
    hard = made(
        clip,
        tmp_path,
        flat.model_copy(update={"mask": config(tmp_path / "half.png", mask={"reach": 0}).mask}),
    )
    soft = made(
        clip,
        tmp_path,
        flat.model_copy(update={"mask": config(tmp_path / "half.png", mask={"reach": 2}).mask}),
    )
    painted = np.stack([paint(frame, "ink") for frame in frames])
    np.testing.assert_array_equal(hard, np.where(mask[..., None], painted, frames))
    np.testing.assert_array_equal(soft[:, :, 60:], painted[:, :, 60:])
    steps = [np.abs(x[:, :, 35].astype(int) - x[:, :, 34]).mean() for x in (hard, soft, frames, painted)]
    assert steps[1] < 0.7 * steps[0]


@pytest.mark.parametrize("kind", ["video", "folder", "picture"])
def test_kinds_of_masks_mean_the_same(clip: Path, tmp_path: Path, kind: str) -> None:
    """A video, a folder and, where it does not move, one picture; in Python an array, too."""
    mask = np.repeat(squares()[:1], COUNT, 0)
    if kind == "video":
        path = tmp_path / "mask.mkv"
        Video(grey(mask), 10).save(path, lossless=True)
    elif kind == "folder":
        path = tmp_path / "mask"
        Video(grey(mask), 10).save(f"{path}/")
    else:
        path = tmp_path / "mask.png"
        write_png(path, grey(mask[0]))
    options = {"painter": "cartoon", "keys": {"interval": 4}, "propagation": {"method": "warp"}}
    expected = mv.restyle(mv.read(clip), mask=mask[0], **options).frames
    np.testing.assert_array_equal(made(clip, tmp_path, config(path)), expected)


def test_colours_count_by_their_luma(clip: Path, tmp_path: Path) -> None:
    """A mask in colour is that of its BT.601 brightness; blue is dark grey, and far from white."""
    coloured, levels = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, (colour, level) in enumerate([((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29)]):
        coloured[:, 10 + 20 * place :], levels[:, 10 + 20 * place :] = colour, level
    write_png(tmp_path / "colour.png", coloured)
    write_png(tmp_path / "grey.png", np.repeat(levels[..., None], 3, -1))
    one, two = (made(clip, tmp_path, config(tmp_path / f"{name}.png")) for name in ("colour", "grey"))
    np.testing.assert_array_equal(one, two)


def test_a_mask_of_another_length_or_size(clip: Path, tmp_path: Path) -> None:
    """The line says both, and nothing is left behind."""
    Video(grey(squares()[:7]), 10).save(tmp_path / "short.mkv", lossless=True)
    with pytest.raises(InputError, match=r"short\.mkv has 7 frames and clip\.mkv has 9"):
        made(clip, tmp_path, config(tmp_path / "short.mkv"))
    write_png(tmp_path / "small.png", grey(squares()[0, :-2]))
    with pytest.raises(InputError, match=r"small\.png is 70x44 and the frames of clip\.mkv are 70x46"):
        made(clip, tmp_path, config(tmp_path / "small.png"))
    few = tmp_path / "few"
    few.mkdir()
    write_png(few / "000009.png", grey(squares()[0]))
    with pytest.raises(InputError, match=r"mask of frame 9, but clip\.mkv has 9 frames, 0 to 8"):
        made(clip, tmp_path, config(few))
    (few / "000009.png").unlink()
    write_png(few / "000003.png", grey(squares()[0, :-2]))
    with pytest.raises(InputError, match=r"000003\.png is 70x44 and the frames of clip\.mkv are 70x46"):
        made(clip, tmp_path, config(few))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv", "few", "short.mkv", "small.png"]


def test_masks_of_a_few_frames_are_carried(clip: Path, tmp_path: Path) -> None:
    """The square is followed to frames before, between and after its masks; given masks count as they are."""
    few, masks = tmp_path / "few", squares()
    few.mkdir()
    for key in (2, 6):
        write_png(few / f"{key:06d}.png", grey(masks[key]))
    settings = config(few, mask={"reach": 0}, painter="ink")
    done = restyle_file(clip, tmp_path / "out.mkv", settings, Plan(work=tmp_path / "work"), lossless=True)
    assert any("2 of 9 frames have a mask" in note for note in done.notes)
    found = np.concatenate([mv.read(path).frames for path in sorted((tmp_path / "work/masks").glob("*.mkv"))])
    carried = found[..., 0] > 127
    for t in range(COUNT):
        assert (carried[t] & masks[t]).sum() / (carried[t] | masks[t]).sum() > 0.9, t
    np.testing.assert_array_equal(carried[[2, 6]], masks[[2, 6]])
    frames, before = mv.read(tmp_path / "out.mkv").frames, mv.read(clip).frames
    np.testing.assert_array_equal(frames[found[..., 0] == 0], before[found[..., 0] == 0])


def test_each_shot_needs_a_mask(tmp_path: Path) -> None:
    """As it needs a key frame: no mask goes over a cut."""
    one = moving().frames
    video = Video(np.concatenate([one, 255 - one[::-1, :, ::-1] // 3]), 10)
    video.save(tmp_path / "clip.mkv", lossless=True)
    (tmp_path / "few").mkdir()
    write_png(tmp_path / "few/3.png", grey(squares()[3]))
    with pytest.raises(InputError, match="no mask for the shot of frames 9 to 17"):
        made(tmp_path / "clip.mkv", tmp_path, config(tmp_path / "few"))


def test_resumed_with_another_mask(clip: Path, tmp_path: Path) -> None:
    """Other contents under the same name are another mask; filters' paint is not made again for it."""
    plan, masks = Plan(work=tmp_path / "work"), squares()
    write_png(tmp_path / "mask.png", grey(masks[0]))
    settings = config(tmp_path / "mask.png", keys={"indices": [0, 4]})
    restyle_file(clip, tmp_path / "out.mkv", settings, plan, lossless=True)
    write_png(tmp_path / "mask.png", grey(masks[4]))
    done = restyle_file(clip, tmp_path / "out.mkv", settings, replace(plan, resume=True), lossless=True)
    assert (done.painted, done.carried) == (0, 0)
    fresh = made(clip, tmp_path / "work", settings)
    np.testing.assert_array_equal(mv.read(tmp_path / "out.mkv").frames, fresh)


def test_carried_masks_are_kept_until_theirs_changes(clip: Path, tmp_path: Path) -> None:
    """A replaced mask is carried again to the parts on both its sides, and to no other."""
    few, work = tmp_path / "few", tmp_path / "work"
    few.mkdir()
    for key in (0, 3, 6):
        write_png(few / f"{key}.png", grey(squares()[key]))
    restyle_file(clip, tmp_path / "out.mkv", config(few), Plan(work=work))
    before = {path.name: path.stat().st_mtime_ns for path in (work / "masks").iterdir()}
    write_png(few / "6.png", grey(np.roll(squares()[6], 4, 0)))
    restyle_file(clip, tmp_path / "out.mkv", config(few), Plan(work=work, resume=True))
    after = {path.name: path.stat().st_mtime_ns for path in (work / "masks").iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"000003.mkv", "000006.mkv"}


def test_stamps_of_diffusion_know_the_mask(clip: Path, tmp_path: Path) -> None:
    """The mask acts in latents, so other masks are painted anew; without one the stamp is as it was."""
    from moviola.pipelines.restyle.run import Restyling
    from moviola.pipelines.restyle.work import Work

    marks = []
    for shift in (None, 0, 3, 0):
        if shift is not None:
            write_png(tmp_path / "mask.png", grey(np.roll(squares()[0], shift, 0)))
        settings = config(
            None if shift is None else tmp_path / "mask.png", painter="diffusion", prompt="a castle"
        )
        task = Restyling(clip, settings, Work.open(tmp_path / "w", clip, {}, True), Plan())
        task.mask()
        marks.append(task._paint_mark([0, 4], [0]))
        task.work.close()
    assert marks[1] == marks[3] and len(set(marks)) == 3


def test_crop_the_first_frame_and_own_keys(clip: Path, tmp_path: Path) -> None:
    """The mask is cropped as the frames are; it counts for `--first-only` and for paint by hand."""
    Video(grey(squares()), 10).save(tmp_path / "mask.mkv", lossless=True)
    settings = config(tmp_path / "mask.mkv", crop=[10, 4, 20, 2])
    frames, outside = mv.read(clip).frames[:, 4:44, 10:50], ~squares()[:, 4:44, 10:50]
    np.testing.assert_array_equal(made(clip, tmp_path, settings)[outside], frames[outside])
    paint_first(clip, tmp_path / "look.png", settings)
    look = codec.read(tmp_path / "look.png").frames[0]
    np.testing.assert_array_equal(look[outside[0]], frames[0][outside[0]])
    assert (look[~outside[0]] != frames[0][~outside[0]]).any()
    keys = tmp_path / "keys"
    keys.mkdir()
    write_png(keys / "4.png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    own = made(clip, tmp_path, config(tmp_path / "mask.mkv", mask={"reach": 0.5}), Plan(keys=keys))
    np.testing.assert_array_equal(own[~squares()], mv.read(clip).frames[~squares()])
    assert (own[squares()] == 90).mean() > 0.2
