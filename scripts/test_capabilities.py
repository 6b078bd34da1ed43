"""Run the tests as on other CPUs: the instructions that the numeric libraries may use are limited.

Sums are made in another order on each, so an equality of floating-point numbers that holds by luck fails on one of
them. Arguments go to pytest: `python scripts/test_capabilities.py tests/nn -k conv`; `--only avx2` runs one level.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys

X86: dict[str, dict[str, str]] = {
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "NEHALEM",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_CPU_DISABLE": "AVX,FP16,AVX2,AVX512-SKX",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "HASWELL",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_CPU_DISABLE": "AVX512-SKX",
        "NUMBA_CPU_NAME": "haswell",
    },
    "native": {},
}
"""What is set for each level: PyTorch, oneDNN, MKL, OpenBLAS, NumPy, OpenCV, Numba."""
LEVELS = (
    X86
    if platform.machine() in ("x86_64", "AMD64")
    else {"default": {"ATEN_CPU_CAPABILITY": "default"}, "native": {}}
)


def main() -> int:
    """Run pytest once a level; return 0 where all pass, else the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=LEVELS, help="one level instead of all")
    chosen, words = parser.parse_known_args()
    codes: dict[str, int] = {}
    for level in [chosen.only] if chosen.only else LEVELS:
        print(
            f"== {level}: {', '.join(f'{k}={v}' for k, v in LEVELS[level].items()) or 'as this CPU is'}",
            flush=True,
        )
        variables = {"OMP_NUM_THREADS": "1", **os.environ, **LEVELS[level]}
        codes[level] = subprocess.run(
            [sys.executable, "-m", "pytest", *words], env=variables, check=False
        ).returncode
    print(
        "== " + ", ".join(f"{level}: {'passed' if code == 0 else 'FAILED'}" for level, code in codes.items())
    )
    return next((code for code in codes.values() if code), 0)


if __name__ == "__main__":
    sys.exit(main())
