"""Values to files and back without pickle: dataclasses of arrays and plain values."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

Arrays = dict[str, np.ndarray]
Plain = dict[str, Any]
Value = TypeVar("Value")


def encode(value: Any) -> tuple[Arrays, Plain]:
    """Take a dataclass apart.

    Returns
    -------
    arrays : dict of str to ndarray
        Every array by its path (``encoders/keys/names``); a sparse matrix is three of them.
    plain : dict
        Everything else, ready for JSON, with the same nesting as the dataclass.
    """
    arrays: Arrays = {}
    return arrays, _encode(value, "", arrays)


def decode(kind: type[Value], arrays: Arrays, plain: Plain) -> Value:
    """Put a dataclass together again; the type's own hints say what each part is.

    Raises
    ------
    KeyError, TypeError, ValueError
        Parts are missing or do not fit.
    """
    return typing.cast(Value, _decode(kind, "", arrays, plain))


def _encode(value: Any, path: str, arrays: Arrays) -> Plain:
    plain: Plain = {}
    for field in dataclasses.fields(value):
        part, here = getattr(value, field.name), f"{path}{field.name}"
        if isinstance(part, np.ndarray):
            arrays[here] = part
        elif sp.issparse(part):
            arrays[f"{here}.data"], arrays[f"{here}.indices"] = part.data, part.indices
            arrays[f"{here}.indptr"] = part.indptr
            plain[field.name] = list(part.shape)
        elif dataclasses.is_dataclass(part):
            plain[field.name] = _encode(part, f"{here}/", arrays)
        elif isinstance(part, tuple):
            plain[field.name] = list(part)
        else:
            plain[field.name] = part
    return plain


def _decode(kind: Any, path: str, arrays: Arrays, plain: Plain) -> Any:
    hints = typing.get_type_hints(kind)
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        here, hint = f"{path}{field.name}", _without_none(hints[field.name])
        if hint is np.ndarray:
            parts[field.name] = arrays[here]
        elif plain[field.name] is None:
            parts[field.name] = None
        elif hint is sp.csr_matrix:
            csr = tuple(arrays[f"{here}.{part}"] for part in ("data", "indices", "indptr"))
            parts[field.name] = sp.csr_matrix(csr, shape=tuple(plain[field.name]))
        elif dataclasses.is_dataclass(hint):
            parts[field.name] = _decode(hint, f"{here}/", arrays, plain[field.name])
        elif typing.get_origin(hint) is tuple:
            parts[field.name] = tuple(plain[field.name])
        else:
            parts[field.name] = plain[field.name]
    return kind(**parts)


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint
