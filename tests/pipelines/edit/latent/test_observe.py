"""What the tasks observe: exact counts, area means, and clips brought to a model's frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError, InputError
from moviola.core.notes import Note
from moviola.core.video import Video
from moviola.pipelines.edit.latent import observe
from moviola.pipelines.edit.latent.clip import fit_clip, read_mask
from moviola.pipelines.edit.latent.tasks import Task, run_task

PAPER = np.random.default_rng(0).integers(0, 256, (25, 100, 100, 3), dtype=np.uint8)


def ramp(frames: int, height: int = 16, width: int = 16, fps: float = 8) -> Video:
    """A clip whose frame k has the value k everywhere."""
    values = np.arange(frames, dtype=np.uint8)[:, None, None, None]
    return Video(np.broadcast_to(values, (frames, height, width, 3)).copy(), fps)


@pytest.mark.parametrize(
    ("observation", "count"),
    [
        (observe.invert(PAPER), 250_000),
        (observe.inpaint(PAPER), 125_000),
        (observe.predict(PAPER, 1), 10_000),
        (observe.predict(PAPER, 4), 40_000),
        (observe.frame_interpolate(PAPER), 20_000),
        (observe.sparse(PAPER), 62_500),
        (observe.upsample(observe.shrink(PAPER, *observe.default_low(100, 100)), 100, 100), 25_600),
    ],
    ids=["invert", "inpaint", "first", "first four", "ends", "sparse", "low"],
)
def test_observed_counts_of_the_paper(observation, count):
    """On its grid of 25 frames of 100x100."""
    assert observation.count == count
    assert int(observation.mask.sum()) == count


def test_where_they_are():
    """The upper half, frame 0 and 24; sparse pixels differ by frame and seed, and are the same for the same seed."""
    assert observe.inpaint(PAPER).mask[:, :50].all() and not observe.inpaint(PAPER).mask[:, 50:].any()
    assert observe.frame_interpolate(PAPER).observed_frames.tolist() == [0, 24]
    first, again, other = (observe.sparse(PAPER, seed=s).mask for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_hidden_pixels_do_not_matter():
    """Values are 0 there, whatever the frames hold."""
    changed = np.where(observe.inpaint(PAPER).mask[..., None], PAPER, 255 - PAPER)
    one, two = (observe.inpaint(frames).values()[0] for frames in (PAPER, changed))
    assert torch.equal(one, two)


def test_area_is_the_mean():
    """By whole factors it is average pooling; by others a constant stays and the mean is kept."""
    x = torch.rand(2, 3, 12, 20)
    torch.testing.assert_close(observe.area(x, 4, 5), F.avg_pool2d(x, (3, 4)))
    torch.testing.assert_close(observe.area(torch.ones(1, 1, 100, 100), 32, 32), torch.ones(1, 1, 32, 32))
    torch.testing.assert_close(observe.area(x, 5, 7).mean(dim=(2, 3)), x.mean(dim=(2, 3)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: observe.predict(PAPER, 0),
        lambda: observe.predict(PAPER, 25),
        lambda: observe.frame_interpolate(PAPER[:2]),
        lambda: observe.sparse(PAPER, 0.0),
        lambda: observe.sparse(PAPER, 1.0),
        lambda: observe.upsample(PAPER, 100, 100),
    ],
)
def test_observations_that_are_none(make):
    """Nothing observed, or nothing hidden."""
    with pytest.raises(ConfigError):
        make()


def test_frames_at_the_models_rate(space):
    """Long clips keep their speed, middling ones are spread, an exact one is taken without a note."""
    clip = fit_clip(space, ramp(8))
    assert clip.frames[:, 0, 0, 0].tolist() == list(range(8)) and clip.is_whole
    with pytest.warns(Note, match="first 1 s"):
        fast = fit_clip(space, ramp(40, fps=24))
    assert fast.frames[:, 0, 0, 0].tolist() == list(range(0, 24, 3))
    with pytest.warns(Note, match="spread over all"):
        spread = fit_clip(space, ramp(15, fps=24))
    assert spread.frames[:, 0, 0, 0].tolist() == list(range(0, 15, 2))


def test_short_clips(space):
    """An error that names how many frames are needed; repeated only when asked; the observed frames alone will do."""
    with pytest.raises(InputError, match=r"clip has 5 frames.*8 or more"):
        fit_clip(space, ramp(5))
    with pytest.warns(Note, match="repeated"):
        assert fit_clip(space, ramp(5), loop=True).frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    with pytest.warns(Note, match="2 observed frames of 8"):
        ends = fit_clip(space, ramp(2), known=(0, 7))
    assert ends.frames[[0, -1], 0, 0, 0].tolist() == [0, 1] and not ends.is_whole


def test_shape_and_size(space):
    """The centred square is taken and resized; masks go the same way, and half-hidden pixels are hidden."""
    frames = np.zeros((8, 32, 48, 3), np.uint8)
    frames[:, :, 8:40] = 200
    with pytest.warns(Note, match="cropped to 32x32, resized to 16x16"):
        clip = fit_clip(space, Video(frames, 8))
    assert (clip.frames == 200).all()
    mask = np.zeros((1, 32, 48), bool)
    mask[:, :, 40:] = True
    assert not clip.placement.hidden(mask, 16, 16).any()
    mask[:, 5, 8:40] = True
    hidden = clip.placement.hidden(mask, 16, 16)
    assert hidden.shape == (8, 16, 16) and hidden[:, 2].all() and hidden.sum() == 8 * 16


def test_masks(tmp_path, space):
    """White is hidden; another size, another length, all or nothing are refused."""
    picture = np.zeros((1, 16, 16, 3), np.uint8)
    picture[:, 4:8, 4:8] = 255
    Video(picture, 1).save(tmp_path / "mask.png")
    hidden = read_mask(tmp_path / "mask.png", ramp(8))
    assert hidden.sum() == 16
    result = run_task(space, ramp(8), Task("inpaint", hidden=hidden))
    assert result.observation.count == 8 * (256 - 16) and result.truth is None
    with pytest.raises(InputError, match=r"16x16; the clip is 20x16.*same size"):
        read_mask(tmp_path / "mask.png", ramp(8, width=20))
    for name, values in (("all", np.full_like(picture, 255)), ("none", np.zeros_like(picture))):
        Video(values, 1).save(tmp_path / f"{name}.png")
        with pytest.raises(InputError, match="white is hidden"):
            read_mask(tmp_path / f"{name}.png", ramp(8))
    Video(picture.repeat(3, axis=0), 8).save(tmp_path / "mask.npz")
    with pytest.raises(InputError, match="3 frames; it needs 1, or 8"):
        read_mask(tmp_path / "mask.npz", ramp(8))
