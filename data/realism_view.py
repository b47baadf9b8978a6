"""The realism of a dataset as people read it: a table and a chart."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path

import altair as alt
import pandas as pd
from rich.table import Table

from data.realism import NEAR, Figure


def realism_table(figures: Sequence[Figure]) -> Table:
    """Lay the figures out for the terminal."""
    table = Table(title="Beside a real retailer (a year of 2,469 households)", box=None)
    table.add_column("figure")
    for name in ("real", "here", "deviation"):
        table.add_column(name, justify="right")
    for one in figures:
        if isnan(one.found):
            table.add_row(one.name, f"{one.reference:.3g}", "-", "no rows for it")
            continue
        mark = "" if one.is_near else " !"
        table.add_row(
            one.name, f"{one.reference:.3g}", f"{one.found:.3g}", f"{one.deviation:+.0%}{mark}"
        )
    return table


def realism_chart(figures: Sequence[Figure]) -> alt.LayerChart:
    """Draw each figure's deviation; the band is what counts as near."""
    rows = pd.DataFrame(
        {
            "figure": [one.name for one in figures],
            "deviation": [one.deviation for one in figures],
            "real": [one.reference for one in figures],
            "here": [one.found for one in figures],
        }
    ).dropna()
    most = max(0.5, float(rows["deviation"].abs().max())) if len(rows) else 0.5
    x = alt.X(
        "deviation:Q", title="Deviation from the real figure", axis=alt.Axis(format="+.0%"),
        scale=alt.Scale(domain=[-most, most]),
    )  # fmt: skip
    y = alt.Y("figure:N", sort=None, title=None, axis=alt.Axis(labelLimit=320))
    near = pd.DataFrame({"low": [-NEAR], "high": [NEAR]})
    band = alt.Chart(near).mark_rect(opacity=0.15, color="#4c78a8").encode(x="low:Q", x2="high:Q")
    colour = alt.condition(
        f"abs(datum.deviation) <= {NEAR}", alt.value("#4c78a8"), alt.value("#e45756")
    )
    tooltip = ["figure:N", "real:Q", "here:Q", alt.Tooltip("deviation:Q", format="+.1%")]
    dots = (
        alt.Chart(rows)
        .mark_circle(size=90, opacity=1)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    chart: alt.LayerChart = (band + dots).properties(
        width=420,
        title=alt.Title(
            "How real the data look",
            subtitle=f"beside a year of 2,469 households of a retailer; the band is ±{NEAR:.0%}",
        ),
    )
    return chart


def write_realism(figures: Sequence[Figure], folder: Path) -> None:
    """Write realism.csv, realism.png and realism.html into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        {
            "figure": [one.name for one in figures],
            "reference": [one.reference for one in figures],
            "found": [one.found for one in figures],
            "deviation": [one.deviation for one in figures],
        }
    )
    table.to_csv(folder / "realism.csv", index=False)
    chart = realism_chart(figures)
    chart.save(folder / "realism.png", scale_factor=2)
    chart.save(folder / "realism.html", inline=True)
