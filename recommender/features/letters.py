"""Text in small letters: in one way, wherever a table meets what somebody states."""

from __future__ import annotations

import pandas as pd


def lowered(values: pd.Series[str]) -> pd.Series[str]:
    """Write a column in small letters as `str.lower` writes one text; what is missing stays so.

    Arrow, which does it for columns, has another small İ and no final sigma: what one customer
    states would not be found among what the table says.
    """
    small = {text: text.lower() for text in values.dropna().unique()}
    return values.map(small).astype("str")
