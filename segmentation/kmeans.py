"""K-Means over chosen, weighted features, with a k that is justified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from data.errors import DataError, UsageError
from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
from data.words import counted, form
from segmentation.choice import silhouette
from segmentation.features import AVERAGE_VALUE, FEATURES, FREQUENCY, LOGGED, TRANSACTIONS
from segmentation.habits import HABITS, LOGGED_HABITS
from segmentation.identity import keep_identity
from segmentation.profiles import describe
from segmentation.segmenter import CustomerSegmenter
from segmentation.segments import SegmentModel

# Income and score are what the segments are meant to tell apart; age and the three views of
# transactions, which repeat each other, refine them. An explicit choice, to be changed by name.
WEIGHTS: Mapping[str, float] = {
    AGE: 0.3,
    ANNUAL_INCOME: 1.0,
    SPENDING_SCORE: 1.0,
    TRANSACTIONS: 0.1,
    AVERAGE_VALUE: 0.2,
    FREQUENCY: 0.2,
}
MOST_MISSING = 0.5


@dataclass(frozen=True)
class Segmentation:
    """A fitted segmentation of the customers of a table.

    Attributes
    ----------
    model : SegmentModel
        What serving needs.
    labels : Series of int
        Segment by customer id; customers of whom nothing is known are not in it.
    choice : DataFrame
        One row per k tried: silhouette, davies_bouldin, calinski_harabasz, bootstrap_ari, rank.
    silhouette : float
        Of the chosen segmentation; NaN for a single segment.
    notes : tuple of str
        What was left out or imputed, for the reader.
    standardised : ndarray of float, shape (n, d)
        The customers of `labels` as the fit saw them.
    row_weight : ndarray of float, shape (n,), or None
        Density weights of the fit, if any.
    """

    model: SegmentModel
    labels: pd.Series[int]
    choice: pd.DataFrame
    silhouette: float
    notes: tuple[str, ...]
    standardised: np.ndarray
    row_weight: np.ndarray | None


def segment_customers(
    values: pd.DataFrame,
    *,
    features: Mapping[str, float] | None = None,
    k: int | None = None,
    seed: int = 0,
    density: bool | Literal["auto"] = False,
    previous: SegmentModel | None = None,
) -> Segmentation:
    """Fit segments to a table of features.

    Parameters
    ----------
    values : DataFrame
        Features by customer id, from `customer_features`.
    features : mapping of str to float, optional
        Features to use with their weights; by default those of `WEIGHTS` that are known for at
        least half of the customers.
    k : int, optional
        Number of segments; chosen by consensus if not given.
    seed : int
        Seed of starts, bootstraps and samples.
    density : bool or "auto"
        Weigh customers in sparse places more; see `CustomerSegmenter`.
    previous : SegmentModel, optional
        The segments before: those that are still there keep their names and come first.

    Raises
    ------
    DataError
        No feature can be used, or there are fewer customers than segments.
    UsageError
        A feature is not known.
    """
    weights, notes = _usable(values, features)
    names = list(weights)
    table = values[names].replace([np.inf, -np.inf], np.nan)
    infinite = int((table.isna() & values[names].notna()).to_numpy().sum())
    if infinite:
        told = counted(infinite, "infinite value counts", "infinite values count")
        notes.append(f"{told} as missing.")
    table = table[table.notna().any(axis=1)]
    if len(table) < len(values):
        have = counted(len(values) - len(table), "customer has", "customers have")
        notes.append(f"{have} none of the features.")
    different = len(table.drop_duplicates())
    who = f"{counted(len(table), 'customer')} with {counted(different, 'different profile')}"
    if k is not None and different < k:
        raise DataError(
            f"{who} cannot form {counted(k, 'segment')}.",
            "Ask for fewer segments.",
        )
    segmenter = CustomerSegmenter(
        "auto" if k is None else k,
        weights=weights,
        logged=tuple(name for name in names if name in LOGGED or name in LOGGED_HABITS),
        density=density,
        random_state=seed,
    ).fit(table)
    if segmenter.imputed_.any():
        counts = zip(names, segmenter.imputed_, strict=True)
        told = ", ".join(
            f"{name} of {counted(count, 'customer')}" for name, count in counts if count
        )
        notes.append(f"In the fit of segments the median stands for what is missing: {told}.")
    if segmenter.row_weight_ is not None:
        notes.append("Customers in sparse places weigh more, so that small segments are found.")
    k = segmenter.n_segments_
    if k == 1:
        notes.append(f"{who} {form(len(table), 'is', 'are')} one segment.")
    labels = segmenter.labels_
    segment_names, descriptions = describe(table, labels, k)
    model = replace(
        segmenter.model_,
        names=segment_names,
        descriptions=descriptions,
        shares=np.bincount(labels, minlength=k) / len(labels),
    )
    z = segmenter.standardised(table)
    if previous is not None:
        model, place = keep_identity(previous, model, table)
        labels = place[labels]
    return Segmentation(
        model=model,
        labels=pd.Series(labels, index=table.index, name="segment"),
        choice=segmenter.choice_,
        silhouette=silhouette(z, labels, seed),
        notes=tuple(notes),
        standardised=z,
        row_weight=segmenter.row_weight_,
    )


def _usable(
    values: pd.DataFrame, features: Mapping[str, float] | None
) -> tuple[dict[str, float], list[str]]:
    """Choose the features, saying in one line which of them cannot be used and why.

    Customers of whom nothing is known at all are left out, and do not count as values missing.
    """
    wanted = dict(WEIGHTS if features is None else features)
    unknown = [name for name in wanted if name not in values.columns]
    if unknown:
        raise UsageError(
            f"There is no feature {unknown[0]!r}.",
            f"Known: {', '.join((*FEATURES, *HABITS))}, share:CATEGORY.",
        )
    usable: dict[str, float] = {}
    alike: dict[str, float] = {}
    left_out: dict[str, list[str]] = {}  # by the reason
    values = values[values[list(wanted)].notna().any(axis=1)]
    for name, weight in wanted.items():
        missing = float(values[name].isna().mean()) if len(values) else 1.0
        if missing == 1.0:
            reason = "no values"
        elif missing > MOST_MISSING and features is None:
            reason = f"{missing:.0%} missing"
        elif values[name].nunique() < 2:
            reason = "the same for everybody"
            alike[name] = weight
        else:
            usable[name] = weight
            continue
        if features is not None and missing == 1.0:
            raise DataError(
                f"The feature {name!r} has no values in this dataset.",
                "Add its column to customers, or transactions, or leave it out of --features.",
            )
        left_out.setdefault(reason, []).append(name)
    told = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in left_out.items())
    notes = [f"Features left out of the segments: {told}."] if told else []
    if not usable and alike:
        return alike, [*notes, "Nothing tells the customers apart."]
    if not usable:
        raise DataError(
            f"Nothing is known that segments are made of: {', '.join(FEATURES[:3])} of customers, "
            "or transactions.",
            "Give customers some of these columns, or bring transactions.",
        )
    return usable, notes
