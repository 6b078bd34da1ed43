"""Finite scalar and residual quantisation against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from moviola.core.seeds import torch_generator
from moviola.nn.quantize import EmaCodebook
from moviola.nn.quantize_finite import FiniteScalarQuantizer
from moviola.nn.quantize_residual import ResidualCodebook


@pytest.mark.parametrize(
    ("levels", "latent", "value"),
    [
        (5, 0.5, 0.5),  # 2.002 tanh 0.5 = 0.93, rounded to 1 of 2
        (5, -9.0, -1.0),
        (5, 9.0, 1.0),
        (4, 0.0, 0.0),  # an even number has no middle: levels -2, -1, 0 and 1 of 2
        (4, -9.0, -1.0),
        (4, 9.0, 0.5),
        (3, 0.3, 0.0),  # 1.001 tanh 0.3 = 0.29
        (3, -0.7, -1.0),
    ],
)
def test_one_channel_by_hand(levels: int, latent: float, value: float):
    """The bound and the rounding of section 3.1."""
    quantizer = FiniteScalarQuantizer((levels,))
    assert quantizer(torch.tensor([[latent]])).values.tolist() == [[pytest.approx(value)]]


def test_every_code_is_reached_and_looked_up():
    """Numbers and vectors are one to one: far latents of all signs and sizes reach all 60 codes, and come back."""
    quantizer = FiniteScalarQuantizer((5, 4, 3))
    latents = torch.randn(20000, 3, generator=torch_generator(0)) * 2
    codes = quantizer.nearest(latents)
    assert sorted(codes.unique().tolist()) == list(range(60))
    assert torch.equal(quantizer.lookup(codes), quantizer(latents).values)
    assert len(quantizer.lookup(torch.arange(60)).unique(dim=0)) == 60


def test_finite_gradients_go_through_the_rounding():
    """Of latents near zero the gradient is that of the bound, a tanh, over the half of the levels."""
    latents = torch.tensor([[0.2, -0.1]], requires_grad=True)
    FiniteScalarQuantizer((5, 5))(latents).values.sum().backward()
    expected = 2.002 * (1 - torch.tanh(latents.detach()) ** 2) / 2
    assert torch.allclose(latents.grad, expected, rtol=1e-4)  # type: ignore[arg-type]


def test_finite_has_nothing_to_learn():
    """No weights, nothing in the state, nothing to commit to."""
    quantizer = FiniteScalarQuantizer((5, 4))
    assert not quantizer.state_dict() and not list(quantizer.parameters())
    assert float(quantizer(torch.randn(9, 2)).commitment) == 0


def residual(*books: list[list[float]]) -> ResidualCodebook:
    """Return codebooks of these vectors."""
    made = ResidualCodebook(len(books), len(books[0]), len(books[0][0]))
    for book, vectors in zip(made.books, books, strict=True):
        assert isinstance(book, EmaCodebook)
        book.vectors.copy_(torch.tensor(vectors))
        book.initialised.fill_(1)
    return made


def test_residual_by_hand():
    """9 is 10 and -1; 0.75 is 0 and 1; what is said is the sum."""
    quantizer = residual([[0.0], [10.0]], [[-1.0], [1.0]])
    result = quantizer(torch.tensor([[9.0], [0.75]]))
    assert result.codes.tolist() == [[1, 0], [0, 1]]
    assert result.values.flatten().tolist() == [9.0, 1.0]
    assert quantizer.lookup(result.codes).flatten().tolist() == [9.0, 1.0]
    assert torch.equal(quantizer.nearest(torch.tensor([[9.0], [0.75]])), result.codes)
    # squares left by the first book, 1 and 0.5625, and by the second, 0 and 0.0625, each a mean
    assert float(result.commitment) == pytest.approx((0.78125 + 0.03125) / 2)


def test_more_books_leave_less():
    """Begun from the data, each further book lowers the error; one book is the plain one."""
    latents = torch.randn(512, 4, generator=torch_generator(0))
    errors = []
    for depth in (1, 2, 4):
        quantizer = ResidualCodebook(depth, 16, 4)
        assert not quantizer.initialised
        quantizer.initialise(latents, torch_generator(1))
        assert quantizer.initialised
        errors.append(float((quantizer(latents).values - latents).square().mean()))
    plain = EmaCodebook(16, 4)
    plain.initialise(latents, torch_generator(1))
    assert errors[0] == pytest.approx(float((plain(latents).values - latents).square().mean()), rel=1e-5)
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_an_update_moves_each_book_towards_its_own_rest():
    """With decay 0 a book's vectors become the means of what chose them: here of latents, then of what is left."""
    quantizer = ResidualCodebook(2, 2, 1, decay=0.0, restart_below=0)
    for book, vectors in zip(quantizer.books, ([[0.0], [10.0]], [[-1.0], [1.0]]), strict=True):
        book.vectors.copy_(torch.tensor(vectors))  # type: ignore[operator]
    latents = torch.tensor([[9.0], [12.0], [-2.0], [3.0]])
    quantizer.update(latents, quantizer.nearest(latents), torch_generator(0))
    first, second = (book.vectors.flatten().tolist() for book in quantizer.books)  # type: ignore[operator]
    assert first == pytest.approx([0.5, 10.5], rel=1e-4)  # of -2 and 3, of 9 and 12
    assert second == pytest.approx([-1.5, 2.5], rel=1e-4)  # of -1 and -2, of 2 and 3
