"""Write set_distances.json: Fréchet, kernel and inception figures of the package torch-fidelity 0.4.0.

Run in an environment of its own (`pip install torch-fidelity==0.4.0`):

    python make_set_distances.py set_distances.json

The features are made by a formula in whole numbers, so nothing but the figures is kept. The package's functions that
turn features into figures are called directly; no network is involved.
"""

import json
import sys
from importlib.metadata import version

import numpy as np
import torch

CASES = {"plenty": (150, 120, 12), "real-few": (9, 60, 24), "fake-few": (60, 9, 24), "both-few": (10, 8, 40)}


def features(rows: int, d: int, seed: int) -> np.ndarray:
    """Return float64 (rows, d) in [-0.5, 0.5), column j shrunk by 1 + j / 8; the test has the same formula."""
    i, j = np.ogrid[:rows, :d]
    mixed = ((i + 1) * 7919 + (j + 1) * 104729 + seed * 15485863) % 1000003
    drawn = (mixed * mixed) % 10007 / 10007 - 0.5
    return (drawn + 0.01 * seed) / (1 + j / 8)


def main() -> None:
    """Compute every figure and write them."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    poly = {
        "kid_kernel": "poly",
        "kid_kernel_poly_degree": 3,
        "kid_kernel_poly_gamma": None,
        "verbose": False,
    }
    out = {"package": f"torch-fidelity {version('torch-fidelity')}", "cases": {}}
    for name, (n, m, d) in CASES.items():
        x, y = (torch.from_numpy(features(rows, d, seed)) for rows, seed in ((n, 1), (m, 2)))
        size = min(n, m)
        stats = [fid_features_to_statistics(s) for s in (x, y)]
        fid = fid_statistics_to_metric(stats[0], stats[1], verbose=False)
        kid = kid_features_to_metric(
            x[:size],
            y[:size],
            kid_kernel_poly_coef0=1,
            kid_subsets=1,
            kid_subset_size=size,
            rng_seed=0,
            **poly,
        )
        isc = {s: isc_features_to_metric(8 * x, splits=s, shuffle=False) for s in (1, 3)}
        out["cases"][name] = {
            "n": n,
            "m": m,
            "d": d,
            "frechet": fid["frechet_inception_distance"],
            "kernel_of_equal_numbers": kid["kernel_inception_distance_mean"],
            "inception_of_softmax_8x": {s: v["inception_score_mean"] for s, v in isc.items()},
        }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(out, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
