"""FiLM and group norm against PyTorch's functional form."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from moviola.nn.norm import FiLM, group_norm


@pytest.mark.parametrize(("channels", "groups"), [(8, 1), (16, 2), (24, 3), (12, 1), (4, 1)])
def test_group_norm_groups(channels, groups):
    """Groups of eight channels, or one group where eight does not divide."""
    x = torch.randn(2, channels, 5, 5)
    assert group_norm(channels).num_groups == groups
    assert torch.allclose(group_norm(channels)(x), F.group_norm(x, groups), atol=1e-6)


def test_film_starts_as_group_norm():
    """The projection is zero at first, so the condition changes nothing."""
    x, condition = torch.randn(3, 16, 4, 4), torch.randn(3, 5)
    assert torch.allclose(FiLM(16, 5)(x, condition), F.group_norm(x, 2), atol=1e-6)


def test_film_is_scale_and_shift():
    """(1 + scale) * norm + shift, by hand."""
    film = FiLM(16, 5)
    torch.nn.init.normal_(film.project.weight)
    torch.nn.init.normal_(film.project.bias)
    torch.nn.init.normal_(film.norm.weight)
    x, condition = torch.randn(3, 16, 4, 4), torch.randn(3, 5)
    both = condition @ film.project.weight.T + film.project.bias
    normed = F.group_norm(x, 2, film.norm.weight, film.norm.bias)
    expected = normed * (1 + both[:, :16, None, None]) + both[:, 16:, None, None]
    assert torch.allclose(film(x, condition), expected, atol=1e-5)
