"""What each of several workers takes in; one alone goes through `api.__main__`."""

from __future__ import annotations

import api.lean  # noqa: F401 - before pandas
from api.opening import worker

__all__ = ["worker"]
