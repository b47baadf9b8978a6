"""Renderings of what is odd: tables, a page with a chart, JSON."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from data.console import write_json
from segmentation.features import AVERAGE_VALUE, TRANSACTIONS
from segmentation.page import render_template
from segmentation.profiles import label_of

FILES = ("anomalies.csv", "transactions.csv", "anomalies.html", "report.json")
SHOWN = 200  # rows of a table on the page
MOST_POINTS, MOST_ODD = 4000, 1000  # drawn of very many, by chance: ordinary ones, and others
ORDINARY = "ordinary"


def write_anomalies(
    found: pd.DataFrame, transactions: pd.DataFrame, values: pd.DataFrame, folder: Path, seed: int
) -> None:
    """Write `FILES` into a folder, making it if needed.

    Parameters
    ----------
    found : DataFrame
        From `find_anomalies`.
    transactions : DataFrame
        From `find_odd_transactions`.
    values : DataFrame
        The features of the customers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found.to_csv(folder / "anomalies.csv", index=False)
    transactions.to_csv(folder / "transactions.csv", index=False)
    flagged = found[found["flagged"]]
    kinds = {str(kind): int(n) for kind, n in flagged["kind"].value_counts().items()}
    write_json(
        {
            "customers": len(found),
            "flagged": len(flagged),
            "kinds": kinds,
            "transactions": len(transactions),
            "seed": seed,
        },
        folder / "report.json",
    )
    page = render_template(
        "segmentation",
        "anomalies.html",
        {"map": odd_map(found, values, seed)},
        {},
        customers=len(found),
        flagged=flagged.head(SHOWN),
        kinds=kinds,
        left_out=max(0, len(flagged) - SHOWN),
        transactions=transactions.head(SHOWN),
        more=max(0, len(transactions) - SHOWN),
    )
    (folder / "anomalies.html").write_text(page, encoding="utf-8")


def odd_map(found: pd.DataFrame, values: pd.DataFrame, seed: int = 0) -> alt.Chart:
    """Draw customers by two features, those who are odd by kind; of very many not all."""
    known = [name for name in (TRANSACTIONS, AVERAGE_VALUE) if values[name].notna().any()]
    if len(known) < 2:
        known = [name for name in values.columns if values[name].notna().any()][:2]
    x, y = known[0], known[-1]
    points = found.set_index("customer_id")[["kind", "reasons", "flagged"]].join(values[known])
    points["kind"] = points["kind"].where(points["flagged"], ORDINARY)
    points = points.drop(columns="flagged").dropna().reset_index(names="customer")
    ordinary = points[points["kind"] == ORDINARY]
    if len(ordinary) > MOST_POINTS:
        ordinary = ordinary.sample(MOST_POINTS, random_state=seed)
    odd = points[points["kind"] != ORDINARY]
    title = "Who stands out"
    if len(odd) > MOST_ODD:
        title += f": {MOST_ODD:,} of {len(odd):,}"
        odd = odd.sample(MOST_ODD, random_state=seed)
    points = pd.concat([ordinary, odd])
    kinds = sorted(set(points["kind"]) - {ORDINARY})
    colours = ["#c9d1da", *("#e45756", "#4c78a8", "#f58518", "#54a24b")[: len(kinds)]]
    scale = alt.Scale(domain=[ORDINARY, *kinds], range=colours)
    heavy = bool(len(points)) and bool((points[known] > 0).all(axis=None))

    def axis(name: str) -> alt.Scale:
        # Counts and money have long tails.
        spread = np.ptp(points[name]) if len(points) else 0.0
        return alt.Scale(type="log", nice=False) if heavy and spread else alt.Scale(zero=False)

    chart: alt.Chart = (
        alt.Chart(points)
        .mark_circle(opacity=0.8)
        .encode(
            x=alt.X(f"{x}:Q", title=label_of(x).capitalize(), scale=axis(x)),
            y=alt.Y(f"{y}:Q", title=label_of(y).capitalize(), scale=axis(y)),
            color=alt.Color("kind:N", title="Kind", scale=scale),
            size=alt.condition("datum.kind === 'ordinary'", alt.value(20), alt.value(80)),
            tooltip=["customer:N", "kind:N", "reasons:N", f"{x}:Q", f"{y}:Q"],
        )
        .properties(width=640, height=420, title=title)
    )
    return chart
