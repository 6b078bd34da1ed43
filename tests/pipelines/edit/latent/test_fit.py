"""Fitting, rendering in pieces, completion and scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.core.video import Video
from moviola.metrics.functional.paired import clip_psnr, ssim
from moviola.pipelines.edit.latent.complete import fill, fill_volume, project_back
from moviola.pipelines.edit.latent.fit import FitConfig, first_layers, fit
from moviola.pipelines.edit.latent.observe import area, invert, predict, upsample
from moviola.pipelines.edit.latent.render import frame_numbers, render
from moviola.pipelines.edit.latent.score import score_part
from moviola.pipelines.edit.latent.starts import choose_starts, nearest_rows, observed_errors
from moviola.pipelines.edit.latent.tasks import TASKS, Task, diversity, run_task

DECODERS = ("hyper", "low-rank", "mixture", "film-siren", "factorised", "conv")


def drawn(model, code, numbers=None, size=None) -> np.ndarray:
    """The model's frames of a code, uint8."""
    numbers = torch.arange(float(model.num_frames)) if numbers is None else numbers
    return Video.from_tensor(torch.cat(list(render(model, code, numbers, size))), 8).frames


def clip_of(model, row: int = 2) -> Video:
    """A clip of the codebook."""
    return Video(drawn(model, model.codes[row][None]), model.fps)


@pytest.mark.parametrize("decoder", DECODERS)
def test_pieces_are_the_whole(make, decoder):
    """Whatever the number of pixels at once: the same as `decode` gives in one piece, one code or one a frame."""
    model = make(decoder)
    numbers, size = torch.tensor([0.0, 0.5, 3.0, 6.75]), (20, 12)
    with torch.no_grad():
        whole = model.decode(model.codes[1:2], numbers, *size)[0].clamp(-1, 1)
        each = torch.cat([model.decode(model.codes[k][None], numbers[k : k + 1], *size)[0] for k in range(4)])
    for pixels in (12, 50, 500, 1 << 16):
        torch.testing.assert_close(
            torch.cat(list(render(model, model.codes[1:2], numbers, size, pixels))),
            whole,
            atol=1e-5,
            rtol=1e-4,
        )
        torch.testing.assert_close(
            torch.cat(list(render(model, model.codes[:4], numbers, size, pixels))), each.clamp(-1, 1),
            atol=1e-5, rtol=1e-4,
        )  # fmt: skip


def test_too_little_memory_makes_smaller_pieces(make, monkeypatch):
    """Where a piece does not fit, it is halved until it does; below one row the error stands."""
    model = make()
    grid, most = model.decoder.grid, 40

    def limited(state, t, y, x):
        if t.numel() * len(y) * len(x) > most:
            raise torch.OutOfMemoryError("can't allocate memory")
        return grid(state, t, y, x)

    whole = drawn(model, model.codes[:1])
    monkeypatch.setattr(model.decoder, "grid", limited)
    assert np.abs(drawn(model, model.codes[:1]).astype(int) - whole).max() <= 1
    most = 10
    with pytest.raises(torch.OutOfMemoryError):
        drawn(model, model.codes[:1])


def test_instants(space):
    """A rate above the model's adds instants between; none lies outside the coordinates."""
    numbers, rate = frame_numbers(space, 32)
    assert rate == 32 and len(numbers) == 32 and numbers[:5].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert float(space.times(numbers).max()) <= 1
    with pytest.raises(ConfigError):
        frame_numbers(space, 0)
    for size in ((0, 4), (4, 0), (4, 20_000)):
        with pytest.raises(ConfigError, match="px"):
            next(render(space, space.codes[:1], numbers, size))


@pytest.mark.parametrize("decoder", ["low-rank", "conv"])
def test_a_clip_of_the_codebook_is_recovered(make, decoder):
    """Its row comes first; from other starts the fit is nearer than any other clip of the codebook."""
    model = make(decoder)
    clip = clip_of(model)
    observation = invert(clip.frames)
    assert nearest_rows(model, observation)[0] == 2
    exact = fit(model, observation, FitConfig(steps=0, starts=2))
    assert exact.starts[0] == "clip 2" and clip_psnr(drawn(model, exact.code), clip.frames) > 45
    others = make(decoder)
    with torch.no_grad():
        others.codes[2] = others.codes[3]
    best = max(clip_psnr(drawn(others, code[None]), clip.frames) for code in others.codes)
    fitted = fit(others, observation, FitConfig(steps=150, starts=3))
    assert clip_psnr(drawn(others, fitted.code), clip.frames) > best + 2
    assert fitted.errors.tolist() == sorted(fitted.errors.tolist())


def test_the_same_seed_the_same_code(space):
    """And the model is as it was."""
    before = {k: v.clone() for k, v in space.state_dict().items()}
    observation = invert(clip_of(space).frames)
    one, two = (fit(space, observation, FitConfig(steps=5, starts=3)).codes for _ in range(2))
    assert torch.equal(one, two)
    assert all(torch.equal(before[k], v) for k, v in space.state_dict().items())


def test_starts(space, frame_space):
    """The encoder's code first where there is one; more than there are clips are drawn beside them."""
    observation = invert(clip_of(space).frames)
    codes, names = choose_starts(space, observation, 4, torch.Generator())
    assert names[:3] == ["encoder", "clip 2", "mean"] and codes.shape == (4, 8)
    torch.testing.assert_close(codes[2], space.codes.mean(dim=0))
    codes, names = choose_starts(frame_space, invert(clip_of(frame_space).frames), 9, torch.Generator())
    assert len(names) == 9 and names[:2] == ["clip 2", "mean"] and len(codes.unique(dim=0)) == 9


def test_samples_differ_where_nothing_is_observed(make):
    """Each agrees with the observed frame, and further apart from the others than starts that go to one mean."""
    model = make(latent=32, rows=12)
    frames = clip_of(model).frames
    observation = predict((0.7 * frames + 30).astype(np.uint8))
    config = FitConfig(steps=60, prior=0.3, points=256)
    alike = fit(model, observation, replace(config, starts=4))
    many = fit(model, observation, replace(config, starts=4, samples=4))
    assert len(many.codes) == 4 and many.starts[0] == alike.starts[0]
    torch.testing.assert_close(many.code, alike.code, atol=1e-3, rtol=1e-3)
    rows = [row for row in nearest_rows(model, observation) if f"clip {row}" != many.starts[0]][:3]
    assert many.starts[1:] == [f"clip {row}" for row in rows]
    assert bool((many.errors[1:] < observed_errors(model, model.codes[rows], observation)).all())
    apart = [
        diversity([drawn(model, code[None]) for code in codes], observation)
        for codes in (alike.codes, many.codes)
    ]
    assert apart[1] > 1.2 * apart[0]
    assert len(fit(model, observation, FitConfig(steps=0, samples=15)).codes.unique(dim=0)) == 15
    with pytest.raises(ConfigError, match="one result"):
        FitConfig(samples=2, free_steps=1)


@pytest.mark.parametrize("decoder", DECODERS)
def test_freed_layers(make, decoder):
    """The last stage never makes the error larger, and leaves the model itself alone."""
    model = make(decoder)
    weights = [w.clone() for w in first_layers(model)]
    frames = (255 - clip_of(model).frames).astype(np.uint8)
    fitted = fit(model, invert(frames), FitConfig(steps=10, starts=2))
    freed = fit(model, invert(frames), FitConfig(steps=10, starts=2, free_steps=10, free_rate=1e-2))
    assert float(freed.errors[0]) <= float(fitted.errors[0])
    assert all(torch.equal(a, b) for a, b in zip(weights, first_layers(model), strict=True))
    assert freed.model is not model


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("invert", "upsample")])
def test_what_was_observed_is_kept(space, frame_space, name):
    """Every observed value, whatever the model draws; a plain result is the model's own."""
    frames = np.random.default_rng(1).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    for model in (space, frame_space):
        result = run_task(model, Video(frames, 8), Task(name), config=FitConfig(steps=2, starts=2))
        mask = result.observation.mask
        assert np.array_equal(result.frames()[mask], frames[mask])
        assert result.scores(result.frames()).observed.psnr == 100
        plain = run_task(
            model, Video(frames, 8), Task(name), config=FitConfig(steps=2, starts=2), is_plain=True
        )
        assert np.array_equal(plain.frames(), drawn(model, plain.fit.code))


def test_a_larger_clip_keeps_its_detail(space):
    """At the clip's own size, larger than the model's, its observed half is what it was."""
    frames = np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    result = run_task(space, Video(frames, 8), Task("inpaint"), config=FitConfig(steps=2, starts=2))
    large = Video.concat(list(result.pieces(size=(32, 32)))).frames
    assert np.array_equal(large[:, :16], frames[:, :16])


def test_without_a_model_it_is_the_usual_baseline(make):
    """A model that explains nothing: the first frame held; both ends blended; the mean colour of areas kept."""
    model = make()
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.zero_()
    frames = np.random.default_rng(2).integers(20, 236, (8, 16, 16, 3), dtype=np.uint8)
    config = FitConfig(steps=0, starts=1)
    held = run_task(model, Video(frames, 8), Task("predict"), config=config).frames()
    assert np.array_equal(held, np.broadcast_to(frames[:1], frames.shape))
    blended = run_task(model, Video(frames, 8), Task("frame-interpolate"), config=config).frames()
    share = np.linspace(0, 1, 8)[:, None, None, None]
    expected = (1 - share) * frames[0] + share * frames[-1]
    assert np.abs(blended - expected).max() <= 0.51
    low = run_task(model, Video(frames, 8), Task("upsample"), config=config)
    small = low.observation.frames.astype(float)
    blocks = low.frames().reshape(8, 8, 2, 8, 2, 3).mean(axis=(2, 4))
    assert np.abs(blocks - small).max() <= 2


def test_what_has_moved_away_leaves_no_ghost(space):
    """Predicted: where the model's picture has changed much, it stands alone; where not, the difference is held."""
    frames = (255 - clip_of(space).frames).astype(np.uint8)
    result = run_task(space, Video(frames, 8), Task("predict"), config=FitConfig(steps=0, starts=1))
    plain = drawn(space, result.fit.code).astype(int)
    added = result.frames().astype(int) - plain
    change = np.abs(plain - plain[0]).mean(axis=-1)
    assert np.array_equal(added[0] + plain[0], frames[0])
    far, near = change > 110, change < 8
    assert far.sum() > 10 and np.abs(added[far]).max() <= 1
    held = np.clip(plain + added[0], 0, 255) - plain
    assert near[1:].sum() > 10 and np.abs((added - held)[near]).max() <= 0.05 * 255


def test_filled_pixels():
    """A plane whose border is given is found; constants stay; nothing leaves the range of what is observed."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 17), torch.linspace(-1, 1, 21), indexing="ij")
    plane = (0.4 * x - 0.3 * y)[None, None]
    mask = torch.zeros(1, 1, 17, 21)
    mask[..., [0, -1], :] = 1
    mask[..., [0, -1]] = 1
    filled = fill(plane * mask, mask)
    torch.testing.assert_close(filled, plane, atol=0.02, rtol=0)
    assert torch.equal(filled[mask > 0], plane[mask > 0])
    torch.testing.assert_close(fill(0.3 * mask, mask), torch.full((1, 1, 17, 21), 0.3))
    noise = torch.rand(1, 3, 17, 21)
    sparse = (torch.rand(1, 1, 17, 21) < 0.1).float()
    # with a reach, values fall off by e in so many px from a straight border: the solution of u'' = u / reach^2
    half = torch.zeros(1, 1, 64, 16)
    half[:, :, :32] = 1
    column = fill(half, half, reach=4.0)[0, 0, 31:52, 8]
    expected = torch.exp(-torch.arange(21) / 4.0)
    assert float((column - expected).abs().amax()) < 0.02
    spread = fill(noise * sparse, sparse)
    assert float(spread.min()) >= 0 and float(spread.max()) <= float((noise * sparse).max()) + 1e-6


def test_filled_over_time():
    """What one frame hides its neighbours show: a hole in one frame of a still picture is nearer to it than alone."""
    picture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0)).expand(7, -1, -1, -1)
    mask = torch.ones(7, 1, 24, 24)
    mask[3, :, 8:16, 8:16] = 0
    alone, together = fill(picture * mask, mask), fill_volume(picture * mask, mask)
    assert float((together - picture).abs()[3].mean()) < 0.7 * float((alone - picture).abs()[3].mean())
    assert torch.equal(together[mask.expand_as(together) > 0], picture[mask.expand_as(together) > 0])
    constant = fill_volume(0.2 * mask, mask)
    torch.testing.assert_close(constant, torch.full_like(constant, 0.2))


def test_back_projection():
    """Means over areas become those that were observed."""
    low = torch.rand(1, 3, 6, 6) - 0.5
    high = project_back(torch.zeros(1, 3, 20, 20), low)
    assert float((area(high, 6, 6) - low).abs().max()) < 0.02


def test_scores_by_part():
    """PSNR of a known error; SSIM over everything is the usual one; a part without pixels has none."""
    truth = np.random.default_rng(3).integers(0, 250, (2, 20, 24, 3), dtype=np.uint8)
    result = truth.copy()
    result[:, 10:] += 5
    mask = np.zeros((2, 20, 24), bool)
    mask[:, :10] = True
    whole, upper, lower = (score_part(result, truth, m) for m in (np.ones_like(mask), mask, ~mask))
    assert upper.psnr == 100 and lower.psnr == pytest.approx(20 * np.log10(255 / 5))
    assert whole.psnr == pytest.approx(clip_psnr(result, truth))
    assert whole.ssim == pytest.approx(float(ssim(result, truth).mean()))
    assert score_part(result, truth, np.zeros_like(mask)) is None
    assert score_part(result[:, :8], truth[:, :8], mask[:, :8]).ssim is None


def test_truth_and_results_that_differ(space):
    """Hidden pixels of one colour are no truth; several results differ; a low-resolution clip has none."""
    clip = clip_of(space)
    result = run_task(space, clip, Task("predict"), config=FitConfig(steps=2, starts=3))
    many = [result.frames(k) for k in range(3)]
    assert result.truth is not None and diversity(many, result.observation) > 0
    assert diversity(many[:1], result.observation) == 0
    half = clip.frames.copy()
    half[:, 8:] = 0
    assert run_task(space, Video(half, 8), Task("inpaint"), config=FitConfig(steps=1, starts=1)).truth is None
    small = clip.resize(8, 8)
    low = run_task(space, small, Task("upsample"), config=FitConfig(steps=1, starts=1))
    assert low.truth is None and np.array_equal(low.observation.frames, small.frames)


def test_observations_of_another_size(space):
    """One line that names both."""
    with pytest.raises(ConfigError, match=r"8 frames of 20x20; the model's are 8 of 16x16"):
        fit(space, upsample(np.zeros((8, 4, 4, 3), np.uint8), 20, 20))
