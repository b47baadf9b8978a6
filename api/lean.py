"""Taken in first by whatever serves: a worker does without Arrow.

pandas takes Arrow along wherever it is installed, for Parquet and for tables of millions of texts.
A service reads neither, and Arrow is a quarter of its memory. Python's own way to say so is an
entry of None: taking it in is then what it is where it is not installed.
"""

from __future__ import annotations

import sys

if "pandas" not in sys.modules:
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
