"""Names and descriptions that a person can read, from how a segment differs from everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
from data.words import counted
from segmentation.features import AVERAGE_VALUE, FREQUENCY, TRANSACTIONS

# In the order in which a name uses them; the words for far below, near and far above everybody.
WORDS = {
    ANNUAL_INCOME: ("low income", "average income", "high income"),
    SPENDING_SCORE: ("low spending", "average spending", "high spending"),
    AGE: ("younger", "middle-aged", "older"),
    FREQUENCY: ("rare purchases", "regular purchases", "frequent purchases"),
    AVERAGE_VALUE: ("small baskets", "medium baskets", "large baskets"),
    TRANSACTIONS: ("few transactions", "some transactions", "many transactions"),
}
FAR = 0.5  # standard deviations of all customers; beyond it "low" and "high" are said
LABELS = {
    AGE: "age",
    ANNUAL_INCOME: "annual income (k)",
    SPENDING_SCORE: "spending score",
    TRANSACTIONS: "transactions",
    AVERAGE_VALUE: "average transaction value",
    FREQUENCY: "transactions per month",
}


def words_of(feature: str) -> tuple[str, str, str]:
    """Return what to call a segment that is low, average or high in a feature."""
    if feature in WORDS:
        return WORDS[feature]
    plain = feature.removeprefix("share:").replace("_", " ")
    return f"low {plain}", f"average {plain}", f"high {plain}"


def label_of(feature: str) -> str:
    """Return how a feature is called in a sentence."""
    return LABELS.get(feature, feature.replace("share:", "share of ").replace("_", " "))


def describe(
    table: pd.DataFrame, labels: np.ndarray, k: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name and describe segments.

    Parameters
    ----------
    table : DataFrame
        The features that the segments were made from, NaN where not known.
    labels : ndarray of int, shape (n,)
        Segment of each row.
    k : int
        Number of segments.

    Returns
    -------
    names, descriptions : tuples of str
        One of each per segment; names are unique.
    """
    if k == 1:
        return ("all customers",), (f"All {len(table):,} customers.",)
    means = table.groupby(labels).mean().reindex(range(k))
    spread = table.std(ddof=0).replace(0.0, 1.0)
    effect = (means - table.mean()) / spread
    others = [name for name in table.columns if name not in WORDS]
    names = _names(effect, [name for name in WORDS if name in table.columns] + others)
    descriptions = []
    for row in range(k):
        strength = effect.iloc[row].abs()
        leading = strength.sort_values(ascending=False, kind="stable").index[:3]
        parts = [
            f"{label_of(name)} {means[name].iloc[row]:.4g} (all {table[name].mean():.4g})"
            for name in leading
            if pd.notna(means[name].iloc[row])
        ]
        size = counted(int((labels == row).sum()), "customer")
        descriptions.append(f"{size}: {', '.join(parts)}.")
    return names, tuple(descriptions)


def _names(effect: pd.DataFrame, features: list[str]) -> tuple[str, ...]:
    """Use the first two features, and one more at a time while names collide."""

    def name(row: int, depth: int) -> str:
        words = []
        for feature in features[:depth]:
            value = float(effect[feature].iloc[row])
            place = 2 if value >= FAR else 0 if value <= -FAR else 1
            words.append(words_of(feature)[place])
        text = ", ".join(words)
        return text[:1].upper() + text[1:]

    k = len(effect)
    depth = {row: min(2, len(features)) for row in range(k)}
    for _ in features:
        names = [name(row, depth[row]) for row in range(k)]
        for row in range(k):
            if names.count(names[row]) > 1 and depth[row] < len(features):
                depth[row] += 1
    names = [name(row, depth[row]) for row in range(k)]
    return tuple(
        text if names.count(text) == 1 else f"{text} ({names[: row + 1].count(text)})"
        for row, text in enumerate(names)
    )


def summarise(values: pd.DataFrame, labels: pd.Series[int], names: tuple[str, ...]) -> pd.DataFrame:
    """Summarise segments: size, share and the mean of each feature that has values."""
    known = values.loc[labels.index].dropna(axis=1, how="all")
    grouped = known.groupby(labels)
    summary = grouped.mean().reindex(range(len(names)))
    summary.insert(0, "segment_name", list(names))
    size = grouped.size().reindex(range(len(names)), fill_value=0)
    summary.insert(1, "size", size)
    summary.insert(2, "share", size / max(1, len(labels)))
    summary.index.name = "segment"
    return summary.reset_index()
