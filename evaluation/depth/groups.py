"""Groups of customers that figures are told apart by: history, age, gender."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import AGE, CUSTOMER_ID, GENDER

HISTORY = (0, 1, 5, 20)  # where bands of history begin
CROWDED = 0.5  # share of the customers from which the last band is cut in two
AGES = (0, 25, 35, 45, 55, 65)  # where bands of age begin
UNKNOWN = "not known"


def band(values: np.ndarray, edges: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Sort whole numbers into bands: masks by name, "not known" for NaN; empty bands are left out.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    edges : tuple of int
        Where bands begin; the last one is open.
    """
    found: dict[str, np.ndarray] = {}
    for low, high in zip(edges, (*edges[1:], None), strict=True):
        if high is None:
            found[f"{low}+"] = values >= low
        else:
            name = str(low) if high == low + 1 else f"{low}-{high - 1}"
            found[name] = (values >= low) & (values < high)
    found[UNKNOWN] = np.isnan(values)
    return {name: mask for name, mask in found.items() if mask.any()}


def history_edges(counts: np.ndarray) -> tuple[int, ...]:
    """Say where bands of history begin; a last band of most customers is cut at its median."""
    last = counts[counts >= HISTORY[-1]]
    if len(last) <= CROWDED * len(counts):
        return HISTORY
    middle = int(np.ceil(np.median(last)))
    return (*HISTORY, middle) if middle > HISTORY[-1] and (last >= middle).any() else HISTORY


def age_bands(table: pd.DataFrame) -> dict[str, np.ndarray] | str:
    """Sort rows of a customers table by age, or say why not."""
    age = table[AGE].to_numpy(dtype=np.float64)
    if np.isnan(age).all():
        return "not measured: no age is known"
    found = band(np.floor(age), AGES)
    young = f"{AGES[0]}-{AGES[1] - 1}"
    return {f"under {AGES[1]}" if name == young else name: mask for name, mask in found.items()}


def genders(table: pd.DataFrame) -> dict[str, np.ndarray] | str:
    """Sort rows of a customers table by gender, or say why not."""
    value = table[GENDER].astype("str").str.strip().str.lower()
    value = value.mask(value == "")
    if value.isna().all():
        return "not measured: no gender is known"
    named = value.fillna(UNKNOWN).to_numpy(dtype=object)
    return {str(name): named == name for name in sorted(set(named))}


def profiles(dataset: Dataset, customers: np.ndarray) -> pd.DataFrame:
    """Return a row of the customers table for each of some ids, empty where there is none."""
    table = dataset.customers.drop_duplicates(CUSTOMER_ID).set_index(CUSTOMER_ID)
    return table.reindex(pd.Index(customers, dtype="str"))
