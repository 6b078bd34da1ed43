"""Tiny diffusion pipelines with random weights, made once."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the diffusion painter needs the extra restyle")


@pytest.fixture(scope="session")
def tiny():
    """Return a maker of tiny pipelines that makes each only once: tiny(kind, controls, prediction)."""
    from moviola.models.rerender.diffusion.tiny import tiny_pipeline

    made = {}

    def get(kind="sd", controls=1, prediction="epsilon"):
        key = kind, controls, prediction
        if key not in made:
            made[key] = tiny_pipeline(kind, controls, prediction=prediction)
        return made[key]

    return get


@pytest.fixture(scope="session")
def clip():
    """Return four frames of 24x32 on which a bright square moves 2 px to the right each time."""
    y, x = np.mgrid[:24, :32]
    ground = np.stack([110 + 50 * np.sin(x / 3 + c) + 40 * np.cos(y / 4 - c) for c in range(3)], axis=-1)
    frames = []
    for t in range(4):
        frame = ground.clip(0, 255).astype(np.uint8)
        frame[6:16, 4 + 2 * t : 14 + 2 * t] = (230, 60, 30)
        frames.append(frame)
    return frames
