"""Pictures of segments: one definition each, drawn as PNG or as a page that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import altair as alt
import numpy as np
import pandas as pd

from data.schema import ANNUAL_INCOME, SPENDING_SCORE
from data.words import counted
from segmentation.profiles import label_of
from segmentation.segments import SegmentModel

MOST_POINTS = 4000
PALETTE: Final = "tableau10"


def segment_map(
    values: pd.DataFrame, labels: pd.Series[int], model: SegmentModel, seed: int = 0
) -> alt.LayerChart:
    """Draw customers by annual income and spending score, coloured by segment, with centroids.

    Where one of the two has no values the first two features of the segments stand instead.
    """
    horizontal, vertical = _axes(values.loc[labels.index], model)
    points = values.loc[labels.index, list(dict.fromkeys([horizontal, vertical]))]
    points = points.assign(segment=np.array(model.names, dtype=object)[labels.to_numpy()])
    points = points.dropna()
    centroids = points.groupby("segment", as_index=False).mean(numeric_only=True)
    if len(points) > MOST_POINTS:
        points = points.sample(MOST_POINTS, random_state=seed)
    colour = alt.Color(
        "segment:N",
        title="Segment",
        sort=list(model.names),
        scale=alt.Scale(scheme=PALETTE, domain=list(model.names)),
        legend=alt.Legend(labelLimit=320, symbolOpacity=1),
    )
    x = alt.X(f"{horizontal}:Q", title=label_of(horizontal).capitalize(), scale=_padded())
    y = alt.Y(f"{vertical}:Q", title=label_of(vertical).capitalize(), scale=_padded())
    tooltip = ["segment:N", f"{horizontal}:Q", f"{vertical}:Q"]
    dots = (
        alt.Chart(points)
        .mark_circle(size=45, opacity=0.65)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    halo = (
        alt.Chart(centroids)
        .mark_point(shape="cross", size=380, filled=True, color="white", opacity=1)
        .encode(x=x, y=y)
    )
    marks = (
        alt.Chart(centroids)
        .mark_point(shape="cross", size=240, filled=True, opacity=1, stroke="black")
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    chart: alt.LayerChart = (dots + halo + marks).properties(
        width=560,
        height=420,
        title=alt.Title(
            "Customer segments",
            subtitle=f"{counted(len(labels), 'customer')}, {counted(model.n_segments, 'segment')}; "
            "crosses mark the centroids",
        ),
    )
    return chart


def choice_chart(choice: pd.DataFrame, k: int) -> alt.ConcatChart:
    """Draw each index against k, the chosen k marked."""
    titles = {
        "silhouette": "Silhouette (higher is better)",
        "davies_bouldin": "Davies-Bouldin (lower is better)",
        "calinski_harabasz": "Calinski-Harabasz (higher is better)",
        "prediction_strength": "Prediction strength (higher is better)",
        "bootstrap_ari": "Agreement of bootstraps (higher is better)",
        "inertia": "Squared distances within (elbow)",
    }
    table = choice.reset_index()
    rule = alt.Chart(pd.DataFrame({"k": [k]})).mark_rule(strokeDash=[4, 3]).encode(x="k:O")
    charts = [
        (
            alt.Chart(table)
            .mark_line(point=True)
            .encode(
                x=alt.X("k:O", axis=alt.Axis(labelAngle=0)),
                y=alt.Y(f"{name}:Q", title=None, scale=alt.Scale(zero=False)),
                tooltip=["k:O", alt.Tooltip(f"{name}:Q", format=".3f")],
            )
            + rule
        ).properties(width=250, height=140, title=title)
        for name, title in titles.items()
    ]
    return alt.concat(*charts, columns=3)


def stability_chart(names: tuple[str, ...], jaccard: np.ndarray) -> alt.LayerChart:
    """Draw how well each segment comes back in bootstrap samples, with the usual thresholds."""
    table = pd.DataFrame({"segment": names, "jaccard": jaccard})
    x = alt.X("jaccard:Q", title="Jaccard index", scale=alt.Scale(domain=[0, 1]))
    bars = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("segment:N", sort=None, title=None, axis=alt.Axis(labelLimit=320)),
            tooltip=["segment:N", alt.Tooltip("jaccard:Q", format=".3f")],
        )
    )
    limits = (
        alt.Chart(pd.DataFrame({"jaccard": [0.6, 0.75, 0.85]}))
        .mark_rule(strokeDash=[4, 3])
        .encode(x=x)
    )
    chart: alt.LayerChart = (bars + limits).properties(
        width=420,
        title=alt.Title(
            "Do the segments come back?",
            subtitle="in bootstrap samples; below .60 not to be trusted, from .75 valid, from .85 "
            "highly stable",
        ),
    )
    return chart


def save_png(chart: alt.TopLevelMixin, path: Path) -> None:
    """Draw a chart as a PNG of twice its nominal size."""
    chart.save(str(path), format="png", scale_factor=2)


def _axes(values: pd.DataFrame, model: SegmentModel) -> tuple[str, str]:
    wanted = [ANNUAL_INCOME, SPENDING_SCORE, *model.features]
    known = [name for name in dict.fromkeys(wanted) if values[name].notna().any()]
    return known[0], known[1] if len(known) > 1 else known[0]


def _padded() -> alt.Scale:
    return alt.Scale(zero=False, nice=False, padding=14)
