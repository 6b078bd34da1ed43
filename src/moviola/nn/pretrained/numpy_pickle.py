"""Numpy arrays out of a pickle file, without the power of pickle.

A pickle may call any function of any module. This reader resolves three names, and gives each a harmless stand-in:
the one that makes an empty array, the array class itself (which only the first may use) and plain number types.
Everything else is refused before it runs.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.errors import WeightsError

_FAULTS = (
    pickle.UnpicklingError, EOFError, ImportError, AttributeError, LookupError,
    TypeError, ValueError, MemoryError, OverflowError, RecursionError,
)  # fmt: skip


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a pickle that holds nested dicts of numpy arrays and nothing else.

    Args:
        path: a pickle file of protocol 3 or 4, written with numpy 1 or 2.

    Returns:
        The keys on the way to each array, joined by "/", and the array (numbers or booleans).

    Raises:
        WeightsError: the file is missing or damaged, or wants anything but dicts of number arrays.
    """
    try:
        with open(path, "rb") as file:
            tree = _ArrayUnpickler(file).load()
        return dict(_leaves(tree, ""))
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None
    except _FAULTS as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise WeightsError(f"{path} is damaged or no file of plain numpy arrays: {reason}") from None


class _ArrayClass:
    """Stands for `numpy.ndarray`, so that a file cannot call it."""


def _empty_array(kind: Any, shape: Any, _typecode: Any) -> np.ndarray:
    """Stand for `numpy...multiarray._reconstruct`: the array that the file's state then fills."""
    if kind is not _ArrayClass or shape != (0,):
        raise pickle.UnpicklingError("an array of an unusual make")
    return np.empty(0, np.uint8)


def _number_type(code: Any, _align: Any = False, _copy: Any = True) -> np.dtype[Any]:
    """Stand for `numpy.dtype`: number types by their short names."""
    dtype = np.dtype(code) if isinstance(code, str) else None
    if dtype is None or dtype.kind not in "biufc":
        raise pickle.UnpicklingError(f"an array of type {code!r}, which is no number type")
    return np.dtype(code, copy=True)  # type: ignore[call-overload]


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,  # numpy 1
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,  # numpy 2
    ("numpy", "ndarray"): _ArrayClass,
    ("numpy", "dtype"): _number_type,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        admitted = _ADMITTED.get((module_name, global_name))
        if admitted is None:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return admitted


def _leaves(tree: Any, prefix: str) -> list[tuple[str, np.ndarray]]:
    if isinstance(tree, np.ndarray) and tree.dtype.kind in "biufc":
        return [(prefix, tree)]
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise pickle.UnpicklingError(f"it holds a {type(tree).__name__} at {prefix or 'the top'}")
    return [
        leaf for key, value in tree.items() for leaf in _leaves(value, f"{prefix}/{key}" if prefix else key)
    ]
