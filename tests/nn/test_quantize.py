"""The codebook against closed forms and numpy loops."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from moviola.core.seeds import torch_generator
from moviola.nn.quantize import EmaCodebook, perplexity, straight_through

RANKS = """
import sys, torch, torch.distributed as dist
from moviola.nn.quantize import EmaCodebook

def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    draw = torch.Generator().manual_seed(rank)
    book = EmaCodebook(8, 2)
    book.initialise(torch.randn(32, 2, generator=draw), draw)
    for _ in range(3):
        latents = torch.randn(32, 2, generator=draw)
        book.update(latents, book(latents).codes % 3, draw)
    torch.save(book.state_dict(), f"{folder}/{rank}.pt")

if __name__ == "__main__":
    torch.multiprocessing.start_processes(work, (sys.argv[1],), 2, start_method="fork")
"""


@pytest.fixture
def draw():
    """Seeded draws."""
    return torch_generator(0, "quantize")


def filled(draw: torch.Generator, codes: int = 8, width: int = 4, **settings: float) -> EmaCodebook:
    """A codebook of random rows."""
    book = EmaCodebook(codes, width, **settings)
    book.initialise(torch.randn(4 * codes, width, generator=draw), draw)
    return book


def test_nearest_is_nearest(draw):
    """As a loop over all pairs says; shapes are kept; looking changes nothing."""
    book = filled(draw)
    before = {k: v.clone() for k, v in book.state_dict().items()}
    latents = torch.randn(2, 3, 5, 4, generator=draw)
    made = book.train()(latents)
    rows, vectors = latents.reshape(-1, 4).numpy(), book.vectors.numpy()
    expected = [int(np.argmin([((row - v) ** 2).sum() for v in vectors])) for row in rows]
    assert made.codes.flatten().tolist() == expected and made.codes.shape == (2, 3, 5)
    assert np.allclose(made.values.reshape(-1, 4).numpy(), vectors[expected], atol=1e-6)
    assert made.commitment.item() == pytest.approx(((rows - vectors[expected]) ** 2).mean(), rel=1e-5)
    assert made.usage.item() == pytest.approx(len(set(expected)) / 8)
    assert all(torch.equal(v, before[k]) for k, v in book.state_dict().items())


def test_perplexity():
    """K for equal shares, 1 for one code, exp(entropy) between."""
    assert perplexity(torch.full((6,), 3)).item() == pytest.approx(6)
    assert perplexity(torch.tensor([0, 9, 0])).item() == pytest.approx(1)
    share = np.array([0.5, 0.25, 0.25])
    expected = np.exp(-(share * np.log(share)).sum())
    assert perplexity(torch.tensor([2, 1, 1])).item() == pytest.approx(expected)


def test_gradient_goes_straight_through(draw):
    """d/dz sum((q - a)^2) = 2 (q - a), as if q were z; commitment adds 2 (z - q) / n."""
    book = filled(draw)
    latents = torch.randn(10, 4, generator=draw, requires_grad=True)
    aim = torch.randn(10, 4, generator=draw)
    made = book(latents)
    chosen = book.vectors[made.codes]
    loss = (made.values - aim).square().sum() + 0.25 * made.commitment
    (gradient,) = torch.autograd.grad(loss, latents)
    expected = 2 * (chosen - aim) + 0.25 * 2 * (latents.detach() - chosen) / latents.numel()
    assert torch.allclose(gradient, expected, atol=1e-5)
    z = torch.randn(3, requires_grad=True)
    assert torch.autograd.grad(straight_through(z, torch.zeros(3)).sum(), z)[0].tolist() == [1, 1, 1]


def test_moving_averages_by_loops(draw):
    """Three updates against numpy, code by code, row by row."""
    book = filled(draw, decay=0.9, epsilon=1e-3, restart_below=0)
    counts, sums = book.counts.numpy().astype(np.float64).copy(), book.sums.numpy().astype(np.float64).copy()
    for _ in range(3):
        latents = torch.randn(50, 4, generator=draw)
        codes = book(latents).codes
        assert book.update(latents, codes, draw) == 0
        for k in range(8):
            chosen = [row for row, code in zip(latents.numpy(), codes.tolist(), strict=True) if code == k]
            counts[k] = 0.9 * counts[k] + 0.1 * len(chosen)
            sums[k] = 0.9 * sums[k] + 0.1 * sum(chosen, np.zeros(4))
        total = counts.sum()
        vectors = [s / ((c + 1e-3) / (total + 8 * 1e-3) * total) for s, c in zip(sums, counts, strict=True)]
        assert np.allclose(book.counts.numpy(), counts, atol=1e-5)
        assert np.allclose(book.vectors.numpy(), vectors, atol=1e-5)


def test_first_batch_fills_it(draw):
    """Every vector is a row, none twice; with too few rows, the first are exact and the rest near them."""
    rows = torch.randn(40, 4, generator=draw)
    book = EmaCodebook(30, 4)
    assert not book.initialised
    book.initialise(rows, draw)
    picked = [int(torch.where((rows == v).all(dim=1))[0]) for v in book.vectors]
    assert len(set(picked)) == 30 and book.initialised
    book.initialise(rows[:7], draw)
    distance = (book.vectors[:, None] - rows[:7]).norm(dim=2).min(dim=1).values
    assert (distance[:7] == 0).all() and (distance[7:] > 0).all() and distance.max() < 0.1


def test_dead_codes_restart(draw):
    """A code that nothing chooses becomes a row of the data, and is chosen; the living keep their averages."""
    book = filled(draw, codes=4, decay=0.5)
    with torch.no_grad():
        book.vectors[3] = book.sums[3] = 100.0
    latents = torch.randn(64, 4, generator=draw)
    restarted = [book.update(latents, book(latents).codes, draw) for _ in range(2)]
    assert restarted == [1, 0]
    assert (latents == book.vectors[3]).all(dim=1).any() or book.counts[3] > 1
    assert book.counts.min() >= 1 and (book(latents).codes == 3).any()


def test_restarts_draw_from_the_generator_alone(draw):
    """The same generator gives the same codebook, whatever the global one does; few rows do not restart everything."""
    books = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        book = EmaCodebook(16, 4)
        generator = torch_generator(5)
        latents = torch.randn(64, 4, generator=torch_generator(6))
        book.initialise(latents, generator)
        book.update(latents, torch.zeros(64, dtype=torch.int64), generator)
        books.append(book)
    assert torch.equal(books[0].vectors, books[1].vectors)
    few = torch.randn(4, 4, generator=draw)
    assert books[0].update(few, books[0](few).codes, draw) == 0


def test_what_is_saved_trains_on(draw):
    """A codebook loaded into a fresh one is the same after further updates, and is initialised."""
    book = filled(draw)
    fresh = EmaCodebook(8, 4)
    for _ in range(3):
        latents = torch.randn(20, 4, generator=draw)
        book.update(latents, book(latents).codes, draw)
    fresh.load_state_dict(book.state_dict())
    assert fresh.initialised
    for b in (book, fresh):
        b.update(latents, b(latents).codes, torch_generator(3))
    assert all(torch.equal(v, fresh.state_dict()[k]) for k, v in book.state_dict().items())
    assert not EmaCodebook(8, 4).initialised


def test_bf16_autocast_compares_in_float32(draw):
    """Codes that only float32 tells apart are told apart under autocast."""
    book = EmaCodebook(2, 1)
    with torch.no_grad():
        book.vectors.copy_(torch.tensor([[1.0], [1.001]]))
    latents = torch.tensor([[1.0002], [1.0008]])
    with torch.autocast("cpu", torch.bfloat16):
        made = book(latents)
        assert book(latents.bfloat16()).values.dtype == torch.float32
    assert made.codes.tolist() == [0, 1] and made.values.dtype == torch.float32


def test_ranks_keep_one_codebook(tmp_path):
    """Two processes with other data and other draws end with the same buffers."""
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    one, two = (torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in (0, 1))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert one["counts"].sum() > 8
