"""The moving average against its closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from moviola.training.ema import EMA


class Net(nn.Module):
    """One weight and one whole-number buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(()))
        self.register_buffer("count", torch.tensor(0))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_closed_form(decay):
    """average_n = sum_k (1 - d_k) w_k prod_{j>k} d_j (+ what is left of the start), d_k = min(decay, (1+k)/(10+k))."""
    net, values = Net(), np.random.default_rng(0).standard_normal(40)
    net.w.data.fill_(2.0)
    ema = EMA(net, decay)
    for step, value in enumerate(values):
        net.w.data.fill_(value)
        ema.update(net, step)
    d = np.array([min(decay, (1 + k) / (10 + k)) for k in range(40)])
    after = np.array([d[k + 1 :].prod() for k in range(40)])
    assert float(ema.module.w) == pytest.approx(((1 - d) * values * after).sum() + 2.0 * d.prod(), abs=1e-6)


def test_buffers_are_copied():
    """They are counts and statistics, not to be averaged."""
    net = Net()
    ema = EMA(net, 0.9)
    net.count.fill_(7)
    ema.update(net, 0)
    assert int(ema.module.count) == 7


def test_a_copy_that_does_not_train():
    """Its own tensors, in eval mode, without gradients; the module is left as it was."""
    net = Net().train()
    ema = EMA(net, 0.9)
    assert ema.module.w is not net.w and not ema.module.w.requires_grad and not ema.module.training
    assert net.w.requires_grad and net.training
