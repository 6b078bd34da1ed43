"""Walks through a latent space, its map, and novel videos at another size."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.video import Video
from moviola.pipelines.edit.latent.render import render
from moviola.pipelines.edit.latent.sampling import SpaceGenerator
from moviola.pipelines.edit.latent.space_map import build_map, map_space
from moviola.pipelines.edit.latent.walk import between, is_loop, play_numbers, walk, walk_grid


def test_between_two_codes():
    """Ends are the codes; slerp of orthogonal codes of length 1 stays at length 1, lerp does not."""
    codes = torch.eye(3)
    for kind in ("slerp", "lerp"):
        for row in range(3):
            assert torch.equal(between(codes, float(row), kind), codes[row])
    middle = torch.full((2,), 0.5).sqrt()
    torch.testing.assert_close(between(codes, 0.5)[:2], middle)
    torch.testing.assert_close(between(codes, 1.5, "lerp"), torch.tensor([0.0, 0.5, 0.5]))
    with pytest.raises(ConfigError, match="slerp and lerp"):
        between(codes, 0.5, "cubic")


def test_a_walk(space):
    """It begins and ends at the clips."""
    count, rate, pieces = walk(space, space.codes[:3], seconds=5, fps=16, size=(8, 12), play="bounce")
    film = Video.concat(list(pieces))
    assert (count, rate, film.frames.shape) == (80, 16, (80, 8, 12, 3))
    numbers = play_numbers(space, 80, 16, "bounce")
    for place, row in ((0, 0), (-1, 2)):
        own = next(render(space, space.codes[row][None], numbers[place][None], (8, 12)))
        assert np.abs(film.frames[place].astype(int) - Video.from_tensor(own, 8).frames[0]).max() <= 1


def test_a_way_without_jumps():
    """A hundred steps between codes are each a small part of the way."""
    codes = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    way = torch.stack([between(codes, place) for place in np.linspace(0, 2, 101)])
    steps = way.diff(dim=0).norm(dim=1)
    assert float(steps.max()) < 0.05 * float(steps.sum())


def test_time_in_a_walk(space):
    """Loops begin again, bounces go to and fro; neither leaves the clip."""
    loop, bounce = (play_numbers(space, 20, 8, play) for play in ("loop", "bounce"))
    assert loop[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]
    assert bounce[:16].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1, 0, 1]
    assert float(play_numbers(space, 99, 60, "loop").max()) <= 7.5
    assert isinstance(is_loop(space, space.codes[:2]), bool)


def test_a_grid(space):
    """Steps stand side by side, the clips themselves at its ends."""
    count, _, pieces = walk_grid(space, space.codes[:2], 4)
    film = Video.concat(list(pieces))
    assert count == 8 and film.frames.shape == (8, 16, 4 * 16 + 3 * 2, 3)
    for row, part in ((0, np.s_[:, :, :16]), (1, np.s_[:, :, -16:])):
        own = torch.cat(list(render(space, space.codes[row][None], torch.arange(8.0))))
        assert np.abs(film.frames[part].astype(int) - Video.from_tensor(own, 8).frames).max() <= 1


@pytest.mark.parametrize(
    ("rows", "options"), [(1, {}), (2, {"seconds": 0}), (2, {"seconds": float("nan")}), (2, {"play": "back"})]
)
def test_walks_that_are_none(space, rows, options):
    """One code, no length, no such way to play."""
    with pytest.raises(ConfigError):
        walk(space, space.codes[:rows], **options)


def test_a_map(space):
    """Places are the principal components; the page holds every clip, loads nothing, and its films move."""
    wide = torch.zeros(5, 4)
    wide[:, 2], wide[:, 0] = torch.tensor([-4.0, -2, 0, 2, 4]), torch.tensor([1.0, -1, 0, -1, 1])
    plane = map_space(wide)
    along = plane.places[:, 0] - 0.5
    assert np.abs(np.abs(along) - [0.5, 0.25, 0, 0.25, 0.5]).max() < 1e-6
    assert plane.shares[0] == pytest.approx(40 / 44) and sum(plane.shares) == pytest.approx(1)
    page = build_map(space, map_space(space.codes), "a <space>")
    assert "a &lt;space&gt;" in page and not re.search(r'(?:src|href)="(?!data:)', page)
    clips = json.loads(re.search(r'<script id="clips"[^>]*>(.*?)</script>', page, re.S)[1])
    assert [c["caption"] for c in clips] == list(space.config.captions)
    assert all(len(set(c["near"])) == 5 and c["number"] not in c["near"] for c in clips)
    film = Image.open(io.BytesIO(base64.b64decode(clips[0]["film"].partition(",")[2])))
    assert film.size == (16, 16) and film.n_frames > 1
    with pytest.raises(ConfigError):
        map_space(space.codes[:1])


def test_novel_videos_at_another_size(space):
    """The size and rate asked for; the model's own by default; by method."""
    generator = SpaceGenerator(space, "mixture", (12, 20), 16)
    frames = torch.cat(list(generator.stream(0, 3, generator.num_frames)))
    assert frames.shape == (16, 3, 12, 20) and generator.fps == 16
    plain = torch.cat(list(SpaceGenerator(space).stream(0, 3, 8)))
    torch.testing.assert_close(plain, torch.cat(list(space.stream(0, 3, 8))), atol=1e-5, rtol=1e-4)
    with pytest.raises(UnknownNameError, match="mixture"):
        SpaceGenerator(space, "mixtur")
    with pytest.raises(ConfigError):
        SpaceGenerator(space, size=(0, 4))
