"""What the objective of INR-V sees, what it minimises, which rows it moves, and what it leaves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.errors import WeightsError
from moviola.core.notes import Note
from moviola.data.loader import collate
from moviola.data.toys import sinusoid
from moviola.data.whole_clips import ClipTable, RandomNumbers, SinusoidTable
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.i3d import I3DExtractor
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.nn.pretrained.lpips import LPIPS
from moviola.training.fvd import read_best
from moviola.training.loop import Context
from moviola.training.objectives.inrv import InrvObjective, InrvObjectiveConfig, Stage

FRAMES, SIZE, COUNT = 12, 16, 6


class Numbered(ClipTable):
    """Frame k of clip i is the value 20 i + k everywhere but in its first row, which is white."""

    def __init__(self, stride: int = 1, loop: bool = False) -> None:
        super().__init__(4, stride, loop, [str(k) for k in range(COUNT)], 10.0)

    def source(self, index: int) -> np.ndarray:
        frames = 20 * index + np.arange(3 * self.stride + 1, dtype=np.uint8)[:, None, None, None]
        frames = np.broadcast_to(frames, (len(frames), SIZE, SIZE, 3)).copy()
        frames[:, 0] = 255
        return frames


def objective(
    clips: ClipTable | None = None, model=(), lpips=None, embeddings=None, **settings
) -> InrvObjective:
    """A small network over the toy's clips, or over others."""
    clips = clips or SinusoidTable(COUNT, sinusoid.Config(size=SIZE, frames=FRAMES))
    torch.manual_seed(0)
    values = {
        "frames": clips.frames,
        "height": SIZE,
        "width": SIZE,
        "captions": clips.captions,
        "latent": 6,
        "init_std": 0.5,
        "decoder": "low-rank",
        "hidden": 16,
        "layers": 2,
        "rank": 2,
        "head_hidden": 12,
        "head_layers": 2,
        **dict(model),
    }
    config = InrvObjectiveConfig(**{"learning_rate": 2e-3, "latent_rate": 1e-2, **settings})
    return InrvObjective(InrvModel(InrvConfig(**values)), clips, config, lpips, embeddings)


def trainer(toys, folder, made, **settings):
    """One that trains it."""
    return toys.trainer(
        made, folder, samples=RandomNumbers(), **{"batch": 4, "sample_every": 0, "ema": 0.9, **settings}
    )


def context(toys, folder, made, step: int = 0) -> Context:
    """Of a step."""
    result = Context(trainer(toys, folder, made))
    result.step = step
    return result


def draws(count: int = 8, seed: int = 0) -> dict[str, torch.Tensor]:
    """A batch."""
    return collate([RandomNumbers().sample(np.random.default_rng([seed, k])) for k in range(count)])


def lines(folder) -> list[dict]:
    """The log."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


# -- stages -------------------------------------------------------------------------------------------


def test_stages():
    """More and more clips, after the last stage all; never more than there are."""
    config = InrvObjectiveConfig(stages=(Stage(videos=2, steps=3), Stage(videos=5, steps=2)))
    assert [config.active(step, 100) for step in range(7)] == [2, 2, 2, 5, 5, 100, 100]
    assert [config.active(step, 4) for step in range(7)] == [2, 2, 2, 4, 4, 4, 4]
    assert InrvObjectiveConfig().active(0, 9) == 9


def test_rows_wait_for_their_stage(toys, tmp_path):
    """They do not move and have no moments; after it they begin, also in a run that was stopped between."""
    before = objective().model.codebook.detach().clone()
    first = objective(stages=(Stage(videos=2, steps=6),), points=64)
    half = trainer(toys, tmp_path, first, steps=6)
    half.run()
    assert lines(tmp_path)[-1]["videos"] == 2
    state = half.optimizers["model"].state[first.model.codebook]
    assert torch.equal(first.model.codebook[2:], before[2:])
    assert not torch.equal(first.model.codebook[:2], before[:2])
    assert int(state["step"][2:].sum()) == 0 < int(state["step"][:2].min())
    assert not bool(state["exp_avg"][2:].any()) and not bool(state["exp_avg_sq"][2:].any())
    whole = trainer(toys, tmp_path, objective(stages=first.config.stages, points=64), steps=14)
    assert whole.resume()
    whole.run()
    table = whole.objective.model.codebook
    assert not torch.equal(table[2:], before[2:]) and lines(tmp_path)[-1]["videos"] == COUNT
    assert int(whole.optimizers["model"].state[table]["step"][2:].sum()) > 0


def test_old_rows_are_untouched_when_new_ones_arrive(toys, tmp_path):
    """A step on new clips alone leaves old rows and their moments as they were, bit for bit."""
    made = objective(stages=(Stage(videos=2, steps=4),))
    run = trainer(toys, tmp_path, made, steps=4)
    run.run()
    table = made.model.codebook
    before = table.detach().clone()
    state = {key: value.clone() for key, value in run.optimizers["model"].state[table].items()}
    late = Context(run)
    late.step = 4
    made.step([{"draw": torch.tensor([int(0.6 * 2**53), int(0.9 * 2**53)])}], late)  # of 6 clips: 3 and 5
    assert (table.detach() != before).any(dim=1).tolist() == [False, False, False, True, False, True]
    for key, value in run.optimizers["model"].state[table].items():
        assert torch.equal(value[[0, 1, 2, 4]], state[key][[0, 1, 2, 4]])


# -- what is seen -------------------------------------------------------------------------------------


def test_what_is_drawn_depends_on_the_sample_alone(toys, tmp_path):
    """Halves of a batch see the rows, frames and random numbers of the whole one."""
    made = objective(model={"encoder": (4, 8)}, clip_frames=3, encoder_share=0.5)
    c = context(toys, tmp_path, made)
    batch = draws()
    whole = made._view(batch, COUNT, c)
    assert 0 < len(whole.encoded) < 8
    for first in (0, 4):
        part = made._view({"draw": batch["draw"][first : first + 4]}, COUNT, c)
        assert part.rows == whole.rows[first : first + 4]
        assert torch.equal(part.frames, whole.frames[first : first + 4])
        assert [k + first for k in part.encoded] == [k for k in whole.encoded if first <= k < first + 4]
        assert [r.random() for r in part.random] == pytest.approx(
            [r.bit_generator.random_raw() / 2**64 for r in whole.random[first : first + 4]], abs=1e-15
        )


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("moments", ["grid", "all"])
def test_which_frames(toys, tmp_path, moments, loop):
    """Frames of the clip, or of the file between them; only a loop has any after the last one."""
    made = objective(Numbered(stride=2, loop=loop), moments=moments, clip_frames=3)
    view = made._view(draws(64), COUNT, context(toys, tmp_path, made))
    shown = view.numbers.unique().tolist()
    expected = [0, 0.5, 1, 1.5, 2, 2.5, 3] + ([3.5] if loop else []) if moments == "all" else [0, 1, 2, 3]
    assert shown == expected
    assert bool((view.numbers.diff(dim=1) > 0).all()) and sorted(set(view.rows)) == list(range(COUNT))
    values = (view.frames[:, :, 0, -1, -1] + 1) * 127.5
    wanted = 20 * torch.tensor(view.rows)[:, None] + (2 * view.numbers) % 7
    assert torch.allclose(values, wanted, atol=1e-3)


def test_colours_belong_to_their_coordinates(toys, tmp_path):
    """Each is the pixel of its frame that stands there."""
    made = objective(clip_frames=3, points=200, importance=0.5)
    view = made._view(draws(), COUNT, context(toys, tmp_path, made))
    coordinates, colours, weights = made._points(view)
    assert coordinates.shape == colours.shape == (8, 200, 3) and weights.shape == (8, 200, 1)
    numbers = ((coordinates + 1) * torch.tensor([FRAMES, SIZE, SIZE]) / 2 - 0.5).round().long()
    for k in range(8):
        clip = torch.from_numpy(made.clips.read(view.rows[k])).float() / 127.5 - 1
        t, y, x = numbers[k].unbind(-1)
        assert torch.allclose(colours[k], clip[t, y, x], atol=1e-6)
        assert set(t.tolist()) <= set(view.numbers[k].long().tolist())


def test_importance_keeps_the_mean(toys, tmp_path):
    """The weighted mean over points of any picture is its mean, and points gather where clips move."""
    made = objective(clip_frames=2, points=40_000, importance=0.7)
    view = made._view(draws(2), COUNT, context(toys, tmp_path, made))
    _, colours, weights = made._points(view)
    assert float(weights.mean()) == pytest.approx(1, abs=0.03)
    assert torch.allclose((colours * weights).mean(dim=1), view.frames.mean(dim=(1, 3, 4)), atol=0.03)
    share = made._map(view.rows[0])
    assert share.sum() == pytest.approx(1)
    assert float(weights.amin()) < 0.9 < 1 < float(weights.amax()) <= 1 / 0.3 + 1e-6


# -- losses -------------------------------------------------------------------------------------------


def test_the_loss_of_whole_frames(toys, tmp_path):
    """L1 over all pixels, computed clip by clip, plus the weighted mean square of the codes."""
    made = objective(clip_frames=3, latent_weight=0.5)
    c = context(toys, tmp_path, made)
    terms = made._loss(draws(), COUNT, c)
    view = made._view(draws(), COUNT, c)
    errors, sizes = [], []
    for k, row in enumerate(view.rows):
        code = made.model.codebook[row : row + 1]
        drawn = torch.cat(list(made.model.render(code.detach(), view.numbers[k])))
        raw = made.model.decode(code, view.numbers[k])[0].detach()
        assert torch.allclose(drawn, raw.clamp(-1, 1), atol=1e-4)
        errors.append(float((raw - view.frames[k]).abs().mean()))
        sizes.append(float(code.detach().square().mean()))
    assert float(terms["l1"].detach()) == pytest.approx(np.mean(errors), rel=1e-4)
    assert float(terms["size"].detach()) == pytest.approx(np.mean(sizes), rel=1e-4)
    expected = np.mean(errors) + 0.5 * np.mean(sizes)
    assert float(terms["loss"].detach()) == pytest.approx(expected, rel=1e-4)


def test_points_estimate_the_loss_of_whole_frames(toys, tmp_path):
    """With and without importance."""
    c = context(toys, tmp_path, objective())
    whole = float(objective()._loss(draws(), COUNT, c)["l1"].detach())
    for importance in (0.0, 0.6):
        estimate = objective(points=4000, importance=importance)._loss(draws(), COUNT, c)["l1"]
        assert float(estimate.detach()) == pytest.approx(whole, rel=0.05)


def test_the_perceptual_loss(toys, tmp_path):
    """The frozen network's mean over frames, weighted; it does not move, the codes get its gradient."""
    torch.manual_seed(1)
    lpips = LPIPS("vgg").eval()
    with torch.no_grad():
        for head in lpips.heads:
            head.fill_(1.0)
    lpips.requires_grad_(False)
    made = objective(lpips=lpips, clip_frames=2)
    made.config = made.config.model_copy(update={"lpips": 0.7})
    c = context(toys, tmp_path, made)
    terms = made._loss(draws(3), COUNT, c)
    view = made._view(draws(3), COUNT, c)
    drawn = made.model.decode(made.codes_of(made.model, view.rows), view.numbers)
    expected = [lpips(drawn[k], view.frames[k]).mean().detach() for k in range(3)]
    assert float(terms["lpips"].detach()) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-3)
    total = terms["l1"] + 0.7 * terms["lpips"]
    assert torch.allclose(terms["loss"], total)
    (gradient,) = torch.autograd.grad(terms["lpips"], made.model.codebook)
    assert bool((gradient[view.rows] != 0).any())
    before = [p.clone() for p in lpips.parameters()]
    made.step([draws(3)], c)
    assert all(torch.equal(a, b) for a, b in zip(before, lpips.parameters(), strict=True))
    assert "lpips" not in made.modules


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_who_goes_through_the_encoder(toys, tmp_path, share):
    """None, some or all of the samples: the codebook or the encoder stand still where nobody uses them."""
    made = objective(model={"encoder": (4, 8)}, encoder_share=share, clip_frames=3)
    table = made.model.codebook.detach().clone()
    weight = made.model.encoder.mean.weight.detach().clone()
    run = trainer(toys, tmp_path, made, steps=3, log_every=1)
    run.run()
    assert torch.equal(made.model.codebook, table) == (share == 1)
    assert torch.equal(made.model.encoder.mean.weight, weight) == (share == 0)
    assert all(("model/kl" in line) == (share > 0) for line in lines(tmp_path))


def test_divergence_is_the_closed_form(toys, tmp_path):
    """0.5 (m^2 + v - 1 - log v) a dimension, against torch.distributions, over the share that is expected."""
    made = objective(model={"encoder": (4, 8)}, encoder_share=0.5, clip_frames=3, augment=False)
    c = context(toys, tmp_path, made)
    view = made._view(draws(), COUNT, c)
    code = made.codes_of(made.model, view.rows)
    taken = []
    made.model.encoder.register_forward_hook(lambda module, args, output: taken.append(output))
    posterior, changed, divergence = made._encode(code, view)
    (mean, log_variance) = taken[0]
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    unit = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(normal, unit).mean(dim=1).sum() / 4
    assert torch.allclose(divergence, expected, rtol=1e-4)
    stored = [k for k in range(8) if k not in view.encoded]
    assert torch.equal(posterior[stored], code[stored]) and torch.equal(changed.frames, view.frames)
    assert bool(((posterior[view.encoded] - mean).abs() < 5 * (0.5 * log_variance).exp()).all())


@pytest.mark.parametrize("decoder", ["hyper", "low-rank", "film-siren", "factorised", "conv"])
def test_half_precision_learns(toys, tmp_path, decoder):
    """bf16 with everything on: the loss falls."""
    made = objective(
        model={"decoder": decoder, "encoder": (4, 8), "widths": (12, 8, 6), "local_cells": 2, "local": 2},
        encoder_share=0.25,
        clip_frames=3,
        points=0 if decoder == "conv" else 128,
        learning_rate=5e-3,
    )
    trainer(toys, tmp_path, made, steps=25, batch=8, precision="bf16", log_every=1).run()
    losses = [line["model/l1"] for line in lines(tmp_path)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])


# -- what comes of it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("embedding", [0, 5])
def test_finished_codes(toys, tmp_path, embedding):
    """Those that the decoder was trained with: rows, or rows joined with the embeddings of their frames."""
    told = torch.randn(COUNT, FRAMES, embedding).half() if embedding else None
    made = objective(model={"condition": embedding, "prior": 8}, embeddings=told, points=64)
    run = trainer(toys, tmp_path, made, steps=3, precision="bf16")
    run.run()
    model = run.best_modules()["model"]
    made.finish(model, 5, 0)
    if told is None:
        assert torch.equal(model.codes, model.codebook)
    else:
        for k in range(COUNT):
            expected = model.condition(model.codebook[k : k + 1], told[k : k + 1].float())[0]
            assert torch.allclose(model.codes[k], expected, atol=1e-5)
        moved = objective(model={"condition": embedding, "prior": 8}).model.condition.gru.weight_ih_l0
        assert not torch.equal(made.model.condition.gru.weight_ih_l0, moved)
    assert bool(torch.isfinite(model.draw(0, [0, 1])).all())
    fresh = objective(model={"condition": embedding, "prior": 8}).model.prior.first.weight
    assert not torch.equal(model.prior.first.weight, fresh)
    assert torch.equal(made.model.prior.first.weight, fresh)  # the training did not touch it


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resumed_is_bit_exact(toys, tmp_path, precision):
    """Across the end of a stage, with encoder, points and averages."""

    def made():
        return objective(
            model={"encoder": (4, 8)}, encoder_share=0.3, points=64, stages=(Stage(videos=2, steps=4),)
        )

    settings = {"save_every": 3, "precision": precision}
    whole = trainer(toys, tmp_path / "a", made(), steps=7, **settings)
    whole.run()
    trainer(toys, tmp_path / "b", made(), steps=3, **settings).run()
    resumed = trainer(toys, tmp_path / "b", made(), steps=7, **settings)
    assert resumed.resume() and resumed.step == 3
    resumed.run()
    for a, b in (
        (whole.objective.model, resumed.objective.model),
        (whole.best_modules()["model"], resumed.best_modules()["model"]),
    ):
        assert all(torch.equal(x, b.state_dict()[key]) for key, x in a.state_dict().items())
    states = [list(one.optimizers["model"].state_dict()["state"].values()) for one in (whole, resumed)]
    for x, y in zip(*states, strict=True):
        assert all(torch.equal(torch.as_tensor(x[key]), torch.as_tensor(y[key])) for key in x)


def test_previews(toys, tmp_path):
    """Real clips above decoded ones, eight frames of each; stages show what is trained on."""
    made = objective(stages=(Stage(videos=2, steps=1),), points=64)
    trainer(toys, tmp_path, made, steps=2, sample_every=1).run()
    for step, clips in ((1, COUNT), (2, COUNT)):
        picture = Image.open(tmp_path / "samples" / f"clips-{step:06d}.png")
        assert picture.size == (8 * SIZE, 2 * clips * SIZE)


class Means:
    """Stands in for I3D: the mean colour of a clip, and of its last half."""

    alive = 0
    clips = 0

    def __init__(self) -> None:
        Means.alive += 1

    def __del__(self) -> None:
        Means.alive -= 1

    def __call__(self, sample):
        Means.clips += 1
        frames = sample.video.frames.astype(np.float32) / 255
        return {"logits": np.concatenate([frames.mean((0, 1, 2)), frames[6:].mean((0, 1, 2))])}


def test_distances_while_training(toys, tmp_path, monkeypatch):
    """Of drawn videos against the clips, every second step; the best weights are kept, and nothing else changes."""
    monkeypatch.setattr(I3DExtractor, "load", classmethod(lambda cls, *rest: Means()))
    Means.clips = 0
    settings = {"points": 64, "fvd_samples": 5}
    plain = trainer(toys, tmp_path / "plain", objective(**settings), steps=6)
    plain.run()
    made = objective(fvd_every=2, **settings)
    run = trainer(toys, tmp_path / "judged", made, steps=6)
    run.run()
    assert Means.alive == 0 and Means.clips == 5 + 3 * 5  # the clips once, then three times what was drawn
    log = [line for line in lines(tmp_path / "judged") if "fvd" in line]
    assert [line["step"] for line in log] == [2, 4, 6]
    best = min(log, key=lambda line: line["fvd"])
    record = read_best(tmp_path / "judged")
    assert record["step"] == best["step"] and record["fvd"] == pytest.approx(best["fvd"], rel=1e-5)
    for key, value in plain.objective.model.state_dict().items():
        assert torch.equal(value, made.model.state_dict()[key]), key
    # the distance is that of the best folder's own draws
    model = InrvModel.from_pretrained(tmp_path / "judged" / "best")
    rows = np.linspace(0, COUNT - 1, 5).round().astype(int)
    features = []
    for clips in (
        [made.clips.read(int(k)) for k in rows],
        [
            ((torch.cat(list(model.render(model.draw(0, [k], "slerp"), torch.arange(12.0)))) + 1) * 127.5)
            .round()
            .byte()
            .movedim(1, -1)
            .numpy()
            for k in range(5)
        ],
    ):
        frames = [clip.astype(np.float32) / 255 for clip in clips]
        features.append(
            np.stack([np.concatenate([f.mean((0, 1, 2)), f[6:].mean((0, 1, 2))]) for f in frames])
        )
    assert record["fvd"] == pytest.approx(frechet_from_features(*features), rel=1e-3)


def test_no_distance_without_its_network(toys, tmp_path, monkeypatch):
    """One note, and the training goes on; so it does for clips that are too short."""

    def missing(cls, *rest):
        raise WeightsError('fvd needs the i3d weights: run "moviola models fetch i3d"')

    monkeypatch.setattr(I3DExtractor, "load", classmethod(missing))
    with pytest.warns(Note, match="no FVD while training: fvd needs the i3d weights") as notes:
        trainer(toys, tmp_path / "a", objective(fvd_every=1, points=64), steps=3).run()
    assert sum(issubclass(one.category, Note) for one in notes) == 1
    with pytest.warns(Note, match="clips have 4 frames and I3D needs 10"):
        trainer(toys, tmp_path / "b", objective(Numbered(), fvd_every=1, points=64), steps=2).run()
    assert not (tmp_path / "a" / "best").exists() and read_best(tmp_path / "b") is None
