"""Adam by rows: the moments and the step count of a row are its own."""

from __future__ import annotations

import copy

import pytest
import torch

from moviola.training.row_adam import RowAdam

SETTINGS = {"lr": 0.05, "betas": (0.9, 0.999)}


def table(rows: int, **settings) -> tuple[torch.nn.Parameter, RowAdam]:
    """A table of random rows and its optimizer."""
    parameter = torch.nn.Parameter(torch.randn(rows, 3, generator=torch.Generator().manual_seed(0)))
    return parameter, RowAdam([{"params": [parameter], "rows": True}], **{**SETTINGS, **settings})


def gradients(count: int, rows: int) -> torch.Tensor:
    """Of some steps."""
    return torch.randn(count, rows, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.99)])
def test_one_row_is_plain_adam(betas):
    """Beside a group without rows, which is plain as well."""
    row, _ = table(1)
    other = torch.nn.Parameter(torch.randn(4))
    groups = [{"params": [other]}, {"params": [row], "rows": True, "lr": 0.2}]
    ours = RowAdam(groups, lr=0.05, betas=betas)
    copies = [other.detach().clone().requires_grad_(), row.detach().clone().requires_grad_()]
    plain = torch.optim.Adam(
        [{"params": copies[:1]}, {"params": copies[1:], "lr": 0.2}], lr=0.05, betas=betas
    )
    for step, grad in enumerate(gradients(20, 1)):
        for a, b in ((row, copies[1]), (other, copies[0])):
            a.grad = grad.clone() if a is row else torch.full((4,), float(step - 3))
            b.grad = a.grad.clone()
        ours.step()
        plain.step()
        assert row.grad is not None  # whoever reads it after the step finds it
        assert torch.allclose(row, copies[1], atol=2e-5) and torch.allclose(other, copies[0], atol=2e-5)


def test_rows_without_a_gradient_do_not_move():
    """Nor do their moments; a table without a gradient, or with zeros alone, is left alone."""
    parameter, optimizer = table(4)
    for grad in gradients(5, 4):
        parameter.grad = grad.clone()
        optimizer.step()
    before, state = parameter.detach().clone(), copy.deepcopy(optimizer.state[parameter])
    for rows in ([0, 2], [], None):
        parameter.grad = None if rows is None else torch.zeros(4, 3)
        if rows:
            parameter.grad[rows] = gradients(1, 4)[0, rows]
        optimizer.step()
    moved = (parameter.detach() != before).any(dim=1)
    assert moved.tolist() == [True, False, True, False]
    for key, value in optimizer.state[parameter].items():
        assert torch.equal(value[[1, 3]], state[key][[1, 3]])
    assert optimizer.state[parameter]["step"].flatten().tolist() == [6, 5, 6, 5]


def test_a_row_that_is_late_begins_as_a_fresh_adam():
    """Whatever the others have done before; plain Adam's first step would be three times as long."""
    parameter, optimizer = table(2)
    grads = gradients(40, 2)
    for grad in grads[:30]:
        parameter.grad = grad * torch.tensor([[1.0], [0.0]])
        optimizer.step()
    fresh = parameter.detach()[1:].clone().requires_grad_()
    plain = torch.optim.Adam([fresh], **SETTINGS)
    for grad in grads[30:]:
        parameter.grad, fresh.grad = grad.clone(), grad[1:].clone()
        optimizer.step()
        plain.step()
        assert torch.allclose(parameter[1:], fresh, atol=1e-6)


def test_rows_do_not_know_of_each_other():
    """Each is the plain Adam of the steps that gave it a gradient."""
    parameter, optimizer = table(5)
    rows = [parameter.detach()[k].clone().requires_grad_() for k in range(5)]
    plain = [torch.optim.Adam([row], **SETTINGS) for row in rows]
    used = torch.rand(30, 5, generator=torch.Generator().manual_seed(2)) < 0.4
    for grad, mask in zip(gradients(30, 5), used, strict=True):
        parameter.grad = grad * mask[:, None]
        optimizer.step()
        for k in mask.nonzero()[:, 0].tolist():
            rows[k].grad = grad[k].clone()
            plain[k].step()
    assert torch.allclose(parameter, torch.stack(list(rows)), atol=1e-5)


def test_its_state_goes_on():
    """Through a state_dict: the steps of one that was not interrupted."""
    (a, first), (b, second) = table(3), table(3)
    grads = gradients(6, 3)
    for grad in grads[:3]:
        for parameter, optimizer in ((a, first), (b, second)):
            parameter.grad = grad.clone()
            optimizer.step()
    third = RowAdam([{"params": [b], "rows": True}], **SETTINGS)
    third.load_state_dict(copy.deepcopy(second.state_dict()))
    for grad in grads[3:]:
        for parameter, optimizer in ((a, first), (b, third)):
            parameter.grad = grad.clone()
            optimizer.step()
    assert torch.equal(a, b)


def test_a_closure_gives_the_loss():
    """And the gradients of this step."""
    parameter, optimizer = table(2)
    before = parameter.detach().clone()

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert float(optimizer.step(closure).detach()) == pytest.approx(float(before.square().sum()), rel=1e-5)
    assert torch.allclose(parameter, before - 0.05 * before.sign(), atol=1e-5)
