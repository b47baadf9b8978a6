"""Charts of the report."""

from __future__ import annotations

import altair as alt
import pandas as pd

from evaluation.harness import HEADLINE, Trial
from evaluation.reliability import Reliability

LABELS = {"all": "All customers", "warm": "Warm customers", "cold": "Cold customers"}


def policy_chart(trial: Trial, metric: str = HEADLINE) -> alt.HConcatChart:
    """Draw what each policy achieved, with intervals, one panel per slice that has customers."""
    panels = []
    for name, policies in trial.ranking.items():
        rows = [
            {"policy": policy, "value": one.value, "low": one.low, "high": one.high, "n": one.n}
            for policy, metrics in policies.items()
            if (one := metrics[metric]).n
        ]
        if not rows:
            continue
        table = pd.DataFrame(rows)
        base = alt.Chart(table).encode(
            y=alt.Y("policy:N", sort=list(policies), title=None),
            tooltip=[
                "policy:N",
                alt.Tooltip("value:Q", format=".4f"),
                alt.Tooltip("low:Q", format=".4f"),
                alt.Tooltip("high:Q", format=".4f"),
                alt.Tooltip("n:Q", title="customers"),
            ],
        )
        bars = base.mark_bar(height={"band": 0.65}).encode(
            x=alt.X("value:Q", title=metric.upper().replace("@", " at ")),
            color=alt.condition(
                "datum.policy === 'hybrid'", alt.value("#2a6fb0"), alt.value("#a9c3dd")
            ),
        )
        doubt = base.mark_rule(strokeWidth=2, color="#333").encode(x="low:Q", x2="high:Q")
        title = f"{LABELS[name]} (n = {table['n'].iloc[0]:,})"
        panels.append((bars + doubt).properties(width=250, height=200, title=title))
    chart: alt.HConcatChart = alt.hconcat(*panels).resolve_scale(x="shared")
    return chart


def reliability_chart(found: Reliability) -> alt.LayerChart:
    """Draw predicted against observed rates of redemption, a point per tenth of the showings."""
    table = pd.DataFrame(
        {"shown": found.shown, "expected": found.expected, "observed": found.observed}
    )
    table = table[table["shown"] > 0]
    rates = pd.DataFrame(
        {
            "predicted": table["expected"] / table["shown"],
            "observed": table["observed"] / table["shown"],
            "redemptions": table["observed"],
        }
    )
    top = float(rates[["predicted", "observed"]].to_numpy().max())
    line = (
        alt.Chart(pd.DataFrame({"predicted": [0.0, top], "observed": [0.0, top]}))
        .mark_line(strokeDash=[4, 4], color="#888")
        .encode(x="predicted:Q", y="observed:Q")
    )
    points = (
        alt.Chart(rates)
        .mark_circle(size=70, color="#2a6fb0")
        .encode(
            x=alt.X("predicted:Q", title="predicted redemptions per showing"),
            y=alt.Y("observed:Q", title="observed"),
            tooltip=[
                alt.Tooltip("predicted:Q", format=".4f"),
                alt.Tooltip("observed:Q", format=".4f"),
                "redemptions:Q",
            ],
        )
    )
    chart: alt.LayerChart = (line + points).properties(width=320, height=280)
    return chart
