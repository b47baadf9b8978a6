"""LAPACK's inverse of a positive definite matrix, without the interpreter's lock.

SciPy's own wrappers hold the lock until LAPACK is done, for seconds where the matrix has thousands
of rows: whatever else Python does meanwhile would wait. The same routines, called through their
addresses (`scipy.linalg.cython_lapack`), let it go on.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from scipy.linalg import cython_lapack

LETTER = {np.dtype(np.float32): "s", np.dtype(np.float64): "d"}


def invert_lower(matrix: np.ndarray) -> bool:
    """Put the lower triangle of the inverse in the place of that of a matrix.

    Parameters
    ----------
    matrix : ndarray of float32 or float64, shape (n, n)
        Finite, in Fortran order; only its lower triangle is read and written.

    Returns
    -------
    bool
        Whether it is positive definite; if not, nothing of it can be used.
    """
    if not matrix.flags.f_contiguous:
        raise ValueError("Only a matrix in Fortran order can be inverted in its place.")
    if not len(matrix):
        return True
    size, failed = ctypes.c_int(len(matrix)), ctypes.c_int(0)
    for name in ("potrf", "potri"):
        routine = _routine(LETTER[matrix.dtype] + name)
        routine(b"L", ctypes.byref(size), matrix.ctypes.data, ctypes.byref(size),
                ctypes.byref(failed))  # fmt: skip
        if failed.value:
            return False
    return True


def _routine(name: str) -> Callable[..., None]:
    """Find a routine of the form (uplo, n, a, lda, info); ctypes calls it without the lock."""
    capsule = cython_lapack.__pyx_capi__[name]
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ("PyCapsule_GetName", ctypes.pythonapi)
    )
    address_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    address = address_of(capsule, name_of(capsule))
    kinds = (ctypes.c_char_p, *[ctypes.c_void_p] * 4)
    return ctypes.CFUNCTYPE(None, *kinds)(address)
