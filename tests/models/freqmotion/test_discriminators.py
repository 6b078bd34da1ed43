"""Discriminators: shapes for whatever they declare, what they look at, and the penalty on their gradients."""

from __future__ import annotations

import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.models.freqmotion import DiscriminatorConfig, make_discriminator
from moviola.training.losses import logistic_critic, logistic_generator, r1_penalty

WIDTHS = {
    "image": (4, 6, 8),
    "time-difference": (4, 6, 8),
    "patch-image": (4, 6),
    "video": (4, 6),
    "patch-video": (4, 6),
}


def config(kind: str, frames: int | None = None, **changes) -> DiscriminatorConfig:
    """A small one."""
    frames = frames or (1 if "image" in kind else 2 if kind == "time-difference" else 16)
    return DiscriminatorConfig(kind=kind, size=16, frames=frames, widths=WIDTHS[kind], **changes)


@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 16])
def test_shapes_for_any_number_of_frames(kind, frames):
    """One score for the kinds without patches; a clip of another length or size is refused."""
    if ("image" in kind) != (frames == 1):
        with pytest.raises(ConfigError, match="frame"):
            DiscriminatorConfig.make({"kind": kind, "size": 16, "frames": frames, "widths": WIDTHS[kind]})
        return
    torch.manual_seed(0)
    critic = make_discriminator(config(kind, frames))
    scores = critic(torch.randn(4, frames, 3, 16, 16), torch.full((4,), 0.125))
    assert scores.shape[0] == 4 and scores.ndim == 2
    assert (scores.shape[1] > 1) == kind.startswith("patch")
    with pytest.raises(ValueError, match="sees clips"):
        critic(torch.randn(4, frames + 1, 3, 16, 16), torch.full((4,), 0.125))


def test_the_time_between_frames_counts():
    """For the time-difference discriminator alone; also between whole steps."""
    torch.manual_seed(0)
    clips, near, far = torch.randn(4, 2, 3, 16, 16), torch.full((4,), 0.125), torch.full((4,), 1.3)
    critic = make_discriminator(config("time-difference"))
    assert not torch.allclose(critic(clips, near), critic(clips, far))
    video = make_discriminator(config("video", 2))
    assert torch.equal(video(clips, near), video(clips, far))


@pytest.mark.parametrize("kind", ["time-difference", "image", "patch-image"])
def test_packed_clips_are_judged_together(kind):
    """Neighbours in the batch share a score, which depends on both; an odd one out is refused."""
    torch.manual_seed(0)
    critic = make_discriminator(config(kind, pack=2, group=1))
    clips, delta = torch.randn(4, critic.config.frames, 3, 16, 16), torch.full((4,), 0.125)
    scores = critic(clips, delta)
    assert len(scores) == 2
    changed = clips.clone()
    changed[1] += 1
    again = critic(changed, delta)
    assert not torch.allclose(again[0], scores[0]) and torch.allclose(again[1], scores[1], atol=1e-5)
    with pytest.raises(ValueError, match="2 at a time"):
        critic(clips[:3], delta[:3])
    with pytest.raises(ConfigError, match="one clip at a time"):
        DiscriminatorConfig.make({"kind": "video", "size": 16, "frames": 8, "widths": [4, 6], "pack": 2})


def test_absolute_time():
    """Told when a clip begins, it scores one clip at two times differently; not told, alike."""
    torch.manual_seed(0)
    clips, delta = torch.randn(4, 3, 3, 16, 16), torch.full((4,), 0.125)
    early, late = torch.zeros(4), torch.full((4,), 0.7)
    absolute = make_discriminator(config("time-difference", 3, absolute=True))
    assert not torch.allclose(absolute(clips, delta, early), absolute(clips, delta, late), atol=1e-4)
    relative = make_discriminator(config("time-difference", 3))
    assert torch.equal(relative(clips, delta, early), relative(clips, delta, late))
    with pytest.raises(ConfigError, match="time-difference"):
        DiscriminatorConfig.make(
            {"kind": "image", "size": 16, "frames": 1, "widths": [4, 6, 8], "absolute": True}
        )


def test_patches_see_a_part_only():
    """Changing one corner leaves the score of the opposite corner alone."""
    torch.manual_seed(0)
    critic = make_discriminator(DiscriminatorConfig(kind="patch-image", size=32, frames=1, widths=(4, 6)))
    a = torch.randn(1, 1, 3, 32, 32)
    b = a.clone()
    b[..., :6, :6] += 1
    delta = torch.zeros(1)
    difference = (critic(a, delta) - critic(b, delta)).abs().reshape(16, 16)
    assert difference[0, 0] > 0 and difference[-1, -1] == 0


def test_spread_tells_copies_apart():
    """With minibatch statistics, four copies of a clip score otherwise than the clip among others."""
    torch.manual_seed(0)
    critic = make_discriminator(config("image"))
    clips, delta = torch.randn(4, 1, 3, 16, 16), torch.zeros(4)
    copies = clips[:1].expand(4, -1, -1, -1, -1)
    assert not torch.allclose(critic(copies, delta)[0], critic(clips, delta)[0], atol=1e-4)
    alone = make_discriminator(config("image", group=1))
    assert torch.allclose(alone(copies, delta)[0], alone(clips, delta)[0], atol=1e-4)


@pytest.mark.parametrize("kind", WIDTHS)
def test_gradient_of_the_penalty(kind):
    """R1 of every discriminator by finite differences of its parameters, in float64 (needs second derivatives)."""
    torch.manual_seed(1)
    frames = 1 if "image" in kind else 2
    small = {
        "image": (2, 2),
        "time-difference": (2, 2),
        "patch-image": (2, 2),
        "video": (2, 2),
        "patch-video": (2, 2),
    }
    critic = make_discriminator(
        DiscriminatorConfig(kind=kind, size=8, frames=frames, widths=small[kind], group=2)
    ).double()
    clips = torch.randn(2, frames, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    delta = torch.tensor([0.125, 0.5], dtype=torch.float64)
    parameter = next(p for name, p in critic.named_parameters() if "weight" in name)

    def penalty(weight):
        parameters = {name: weight if p is parameter else p for name, p in critic.named_parameters()}
        scores = torch.func.functional_call(critic, parameters, (clips, delta))
        return r1_penalty(scores, clips)

    weight = parameter.detach().clone().requires_grad_(True)
    assert torch.autograd.gradcheck(penalty, (weight,), eps=1e-6, atol=1e-4, rtol=1e-3, nondet_tol=1e-9)


def test_r1_of_a_linear_critic():
    """|grad|^2 of a score c.x is |c|^2 for every clip."""
    x = torch.randn(5, 2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    c = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    assert r1_penalty((x * c).sum(dim=(1, 2, 3, 4)), x).item() == pytest.approx(c.square().sum().item())


def test_logistic_losses_by_hand():
    """At 0 both halves are log 2; far on the right side both vanish, far on the wrong side they grow linearly."""
    zero, far = torch.zeros(3), torch.full((3,), 50.0)
    assert logistic_critic(zero, zero).item() == pytest.approx(2 * 0.6931472, abs=1e-6)
    assert logistic_critic(far, -far).item() == pytest.approx(0.0, abs=1e-6)
    assert logistic_critic(-far, far).item() == pytest.approx(100.0)
    assert logistic_generator(-far).item() == pytest.approx(50.0)
