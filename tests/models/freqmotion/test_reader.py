"""What the reader of motion tells: nothing where frames tell nothing, which bank is at work where one is."""

from __future__ import annotations

import math

import pytest
import torch

from moviola.models.freqmotion import DiscriminatorConfig, MotionReader

CONFIG = DiscriminatorConfig(size=8, widths=(8, 8))


def reader(banks: int = 2) -> MotionReader:
    """A small one."""
    torch.manual_seed(0)
    return MotionReader(CONFIG, style=4, banks=banks)


def test_frames_that_tell_nothing():
    """Where all frames are alike, no motion is likelier than another: the loss is log B or more."""
    torch.manual_seed(1)
    frames = torch.full((16, 3, 8, 8), 0.3)
    losses = reader()(frames, [torch.randn(16, 4) for _ in range(2)])
    assert losses.shape == (2,)
    assert (losses >= math.log(16) - 1e-4).all()


def test_one_motion_for_all():
    """Where frames and motions are alike, every score is the same: the loss is log B."""
    frames = torch.zeros(8, 3, 8, 8)
    losses = reader()(frames, [torch.ones(8, 4)] * 2)
    assert losses.tolist() == pytest.approx([math.log(8)] * 2, rel=1e-5)


def test_reads_the_bank_that_is_seen():
    """Trained on frames that show the motion of the second bank alone, it reads that one and not the first."""
    torch.manual_seed(2)
    net = reader()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        motions = [torch.randn(16, 4), torch.randn(16, 4)]
        frames = motions[1][:, :3, None, None].tanh().expand(-1, -1, 8, 8)
        losses = net(frames, motions)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
    hidden, seen = losses.tolist()
    assert seen < 0.6 * math.log(16)
    assert hidden > 0.8 * math.log(16)


def test_size_of_the_motion_does_not_count():
    """A motion ten times as wide reads the same: a generator gains nothing by swinging wider."""
    torch.manual_seed(3)
    frames, motions = torch.randn(8, 3, 8, 8), [torch.randn(8, 4) for _ in range(2)]
    net = reader()
    assert net(frames, [10 * m for m in motions]).tolist() == pytest.approx(
        net(frames, motions).tolist(), rel=1e-4
    )
