"""Forward differences of a picture as matrices, against which the solvers of gradients are tested."""

from __future__ import annotations

import numpy as np
import pytest


def differences(height, width):
    """Forward differences along x and y of a picture read row by row, as sparse matrices."""
    sparse = pytest.importorskip("scipy.sparse")

    def along(n):
        return sparse.diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n))

    return (
        sparse.kron(sparse.eye_array(height), along(width)).tocsr(),
        sparse.kron(along(height), sparse.eye_array(width)).tocsr(),
    )
