"""Loss terms that more than one family uses. Inputs are float; results are scalars."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def hinge_critic(real: Tensor, *fakes: Tensor) -> Tensor:
    """Hinge loss of a critic: E[max(0, 1 - real)] + mean over `fakes` of E[max(0, 1 + fake)].

    Source: Lim and Ye 2017, "Geometric GAN", eq. 4; with a mismatched-caption score among `fakes` it is the
    matching-aware loss of Reed et al. 2016, algorithm 1.
    """
    return F.relu(1 - real).mean() + torch.stack([F.relu(1 + f).mean() for f in fakes]).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """Hinge loss of a generator: -E[fake]."""
    return -fake.mean()


def logistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Logistic loss of a critic: E[softplus(-real)] + E[softplus(fake)].

    Source: Goodfellow et al. 2014, "Generative Adversarial Nets", eq. 1, on logits.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def logistic_generator(fake: Tensor) -> Tensor:
    """Non-saturating logistic loss of a generator: E[softplus(-fake)] (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def gan_cls_critic(real: Tensor, mismatched: Tensor, fake: Tensor) -> Tensor:
    """Matching-aware loss of a critic: BCE(real, 1) + (BCE(mismatched, 0) + BCE(fake, 0)) / 2, on logits (B,).

    Source: Reed et al. 2016, "Generative Adversarial Text to Image Synthesis", algorithm 1, line 10, in which they
    are s_r (right text), s_w (a real frame under a wrong text) and s_f.
    """
    return F.softplus(-real).mean() + 0.5 * (F.softplus(mismatched).mean() + F.softplus(fake).mean())


def ranking_loss(images: Tensor, texts: Tensor, same: Tensor, margin: float = 0.2) -> Tensor:
    """Ranking of matching pairs above the others of a batch, in both directions, by cosine similarity.

    The mean over all negatives (not the hardest alone) of max(0, margin - s(i, i) + s(i, k)) for an image among
    texts, and of max(0, margin - s(k, k) + s(i, k)) for a text among images.

    Source: Kiros et al. 2014, "Unifying Visual-Semantic Embeddings with Multimodal Neural Language Models",
    the pairwise ranking loss.

    Args:
        images, texts: (B, D), row i of both from one pair.
        same: bool (B, B), true where text k fits image i as well (the diagonal, equal captions): no negatives.
        margin: of the similarity, in [0, 2].
    """
    s = F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T
    right = s.diagonal()
    wrong = F.relu(margin - right[:, None] + s) + F.relu(margin - right[None, :] + s)
    return wrong.masked_fill(same, 0).sum() / (~same).sum().clamp(min=1)


def r1_penalty(score: Tensor, real: Tensor) -> Tensor:
    """R1: E[|grad_x score|^2] at real inputs (unweighted).

    Source: Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?", eq. 9.

    Args:
        score: (B,), computed from `real`.
        real: the input, requiring grad.
    """
    (grad,) = torch.autograd.grad(score.sum(), real, create_graph=True)
    return grad.square().flatten(1).sum(dim=1).mean()


def pyramid_l1(a: Tensor, b: Tensor, halvings: int) -> Tensor:
    """Return the mean over sizes of the mean absolute error, at the full size and after each of `halvings` halvings.

    Where small parts are apart, the full size alone does not say which way they should move.

    Args:
        a, b: (B, C, H, W); H and W multiples of 2^halvings.
        halvings: how often both are halved, by means over 2x2 pixels.
    """
    errors = [(a - b).abs().mean()]
    for _ in range(halvings):
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        errors.append((a - b).abs().mean())
    return torch.stack(errors).mean()


def flow_error(flows: Tensor, weights: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error of flows, by their weights, where the true one is known; 0 where none is.

    Args:
        flows: (B, K, 2, H, W), half the picture being 1.
        weights: (B, K, H, W), 0 or more, with the sum 1.
        target: (B, 2, H, W), px; nan where it is not known.
    """
    height, width = target.shape[-2:]
    target = target * torch.tensor([2 / width, 2 / height], device=target.device)[:, None, None]
    known = target.isfinite().all(dim=1)
    error = (flows - target.nan_to_num()[:, None]).abs().sum(dim=2) * weights
    return (error.sum(dim=1) * known).sum() / known.sum().clamp(min=1)


def pixel_cross_entropy(a: Tensor, b: Tensor, margin: float = 1e-3) -> Tensor:
    """Mean binary cross-entropy in nats of images `a` for images `b`, both in [-1, 1] and taken as shares in [0, 1].

    The shares of `a` are clamped to [margin, 1 - margin], so that an overshoot costs no more than the margin; where
    they are, no gradient flows.

    Args:
        a, b: of one shape; `a` may overshoot.
        margin: below half of 1/255, the smallest step of a stored frame.
    """
    share, target = (a.float() * 0.5 + 0.5).clamp(margin, 1 - margin), b.float() * 0.5 + 0.5
    return -(target * share.log() + (1 - target) * (1 - share).log()).mean()


def detail_l1(a: Tensor, b: Tensor, detail: Tensor) -> Tensor:
    """Mean absolute difference of (B, C, H, W) images inside the masks `detail`, bool (B, H, W).

    Every image counts the same, however few pixels its mask has; one with an empty mask counts as 0.
    """
    inside = detail.to(a)
    difference = (a - b).abs().mean(dim=1) * inside
    return (difference.sum(dim=(1, 2)) / inside.sum(dim=(1, 2)).clamp(min=1)).mean()


def edge_l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical pixel differences of (B, C, H, W) images."""
    d = a - b
    return d.diff(dim=-1).abs().mean() + d.diff(dim=-2).abs().mean()


def local_activity(clips: Tensor, window: int = 3) -> Tensor:
    """Return how much happens around every pixel: the mean absolute differences to the right, down and onwards.

    Two clips of the same sharpness and liveliness have the same activity, also where their details do not lie at the
    same places: an error of activity asks for contrast that a mean error, which is least for a blur, takes away.

    Args:
        clips: (B, T, C, H, W), H and W above `window`.
        window: side of the square that differences are averaged over, px; odd.

    Returns:
        (B, T, 3, H, W): across, down, and in time (zero for a single frame), averaged over channels.
    """
    batch, frames = clips.shape[:2]
    across = F.pad(clips.diff(dim=-1).abs().mean(dim=2), (0, 1))
    down = F.pad(clips.diff(dim=-2).abs().mean(dim=2), (0, 0, 0, 1))
    onwards = F.pad(clips.diff(dim=1).abs().mean(dim=2), (0, 0, 0, 0, 0, 1))
    stacked = torch.stack([across, down, onwards], dim=2).flatten(0, 1)
    averaged = F.avg_pool2d(stacked, window, stride=1, padding=window // 2, count_include_pad=False)
    return averaged.unflatten(0, (batch, frames))


def charbonnier(error: Tensor, soft: float) -> Tensor:
    """Return sqrt(e^2 + soft^2) - soft of each element: like |e| far above `soft`, like e^2 / (2 soft) below.

    Where most of a clip is right already, the plain absolute value holds a network that adds to its input at adding
    nothing: every place pulls with the same force. Here places that are right pull weakly.

    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for computed imaging".

    Args:
        error: any shape.
        soft: at least 0; 0 is the absolute value.
    """
    return (error.square() + soft**2).sqrt() - soft if soft else error.abs()
