"""Adam for tables whose rows are used now and then: each row has moments and a step count of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class RowAdam(torch.optim.Adam):
    """Adam; in groups with `rows=True`, a row of a parameter (V, D) moves only in steps that give it a gradient.

    Plain Adam goes on moving rows that a batch did not hold, by their momentum, and corrects the bias of a row that is
    new late in a run as if it had been there from the start: its first step would be sqrt(1 - beta2) / (1 - beta1)
    times off. Here a row that is used for the first time is where a fresh Adam would be.

    Source: Kingma and Ba 2015, "Adam", algorithm 1, row by row.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Do one step; see `torch.optim.Adam.step`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        aside: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            if not group.get("rows"):
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_rows(parameter, parameter.grad, group)
                    aside.append((parameter, parameter.grad))
                    parameter.grad = None  # the plain step passes it over
        super().step()
        for parameter, grad in aside:
            parameter.grad = grad
        return loss

    def _step_rows(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(len(parameter), 1)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        rows = grad.abs().sum(dim=1).nonzero()[:, 0]
        if not len(rows):
            return
        g, (beta1, beta2) = grad[rows], group["betas"]
        state["step"] = state["step"].to(parameter.device)  # loading leaves it where the file was read
        count = state["step"][rows] + 1
        mean = state["exp_avg"][rows].lerp(g, 1 - beta1)
        square = state["exp_avg_sq"][rows].lerp(g.square(), 1 - beta2)
        size = (square / (1 - beta2**count)).sqrt() + group["eps"]
        parameter[rows] -= group["lr"] * mean / (1 - beta1**count) / size
        state["step"][rows], state["exp_avg"][rows], state["exp_avg_sq"][rows] = count, mean, square
