"""Arrays in reverse order: the same from memory and from the file."""

import numpy as np
import pytest

from moviola.propagation import spill as module
from moviola.propagation.propagate import PropagationConfig, propagate
from moviola.propagation.spill import Spill


def group(k):
    rng = np.random.default_rng(k)
    return (
        rng.random((3, 4 + k, 2), dtype=np.float32),
        rng.random((2, k + 1)) > 0.5,
        rng.integers(0, 9, (k, 2)),
    )


@pytest.mark.parametrize("held", [0, 300, 10**9])
def test_last_in_first_out(held, tmp_path):
    """Whatever fits into memory; also where groups are put in again after some were taken."""
    order = [0, 1, 2, "pop", "pop", 3, 4, "pop", 5, "pop", "pop", "pop"]
    expected = []
    with Spill(tmp_path, held) as spill:
        for what in order:
            if what == "pop":
                found, wanted = spill.pop(), group(expected.pop())
                assert all(
                    a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(found, wanted, strict=True)
                )
            else:
                spill.push(group(what))
                expected.append(what)
            assert len(spill) == len(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ends", ["first", "last", "both"])
def test_paint_is_the_same_from_a_file(ends, tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    y, x = np.mgrid[:32, :40]
    frames = [
        np.stack([128 + 60 * np.sin((x + 2 * t) / 5 + c) + 40 * np.cos(y / 4) for c in range(3)], -1).astype(
            np.uint8
        )
        for t in range(6)
    ]
    first, last = (
        255 - frames[k] if ends in (end, "both") else None for k, end in ((0, "first"), (-1, "last"))
    )
    config = PropagationConfig(method="warp")

    def painted():
        return list(propagate(frames, first, last, config, folder=tmp_path))

    held = painted()
    monkeypatch.setattr(module, "HELD", 0)
    monkeypatch.setattr(Spill.__init__, "__defaults__", (None, 0))
    assert np.array_equal(held, painted())
