"""What a model found out about customers, as a report tells it: segments, and who is odd."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.metrics import adjusted_rand_score

from data.schema import CUSTOMER_ID
from recommender.bundle import Bundle
from segmentation.features import FEATURES
from segmentation.profiles import summarise

EXAMPLES = 8


def segment_summary(bundle: Bundle) -> pd.DataFrame:
    """Return one row per segment; none where there are no segments."""
    if bundle.segments is None:
        return pd.DataFrame()
    return summarise(feature_table(bundle), labels_of(bundle), bundle.segments.names)


def feature_table(bundle: Bundle) -> pd.DataFrame:
    """Return the six features of the bundle's customers by id."""
    index = pd.Index(bundle.customers.ids, dtype="str", name=CUSTOMER_ID)
    return pd.DataFrame(bundle.customers.features, index=index, columns=list(FEATURES))


def labels_of(bundle: Bundle) -> pd.Series[int]:
    """Return the segment of every customer of whom something is known, by id."""
    table, model = feature_table(bundle), bundle.segments
    if model is None:
        return pd.Series(dtype="int64")
    placed = model.assign(table[list(model.features)].to_numpy()).segment
    labels = pd.Series(placed, index=table.index, name="segment")
    return labels[labels < model.n_segments]


def segment_findings(bundle: Bundle, truth: pd.DataFrame | None) -> dict[str, Any]:
    """Tell how many segments there are, how good they are and why there are as many."""
    if bundle.segments is None:
        return {"k": 0}
    found: dict[str, Any] = {
        "k": bundle.segments.n_segments,
        "silhouette": bundle.silhouette,
        "features": list(bundle.segments.features),
        "choice": bundle.choice.to_dict("records"),
    }
    if not bundle.choice.empty:
        chosen = bundle.choice[bundle.choice["k"] == bundle.segments.n_segments]
        for name in ("davies_bouldin", "calinski_harabasz", "bootstrap_ari"):
            found[name] = float(chosen[name].iloc[0])
    if truth is not None:
        labels = labels_of(bundle)
        known = truth[truth[CUSTOMER_ID].isin(labels.index)]
        ours = labels.loc[known[CUSTOMER_ID]]
        found["ari_to_truth"] = float(adjusted_rand_score(known["segment"], ours))
    return found


def anomaly_findings(bundle: Bundle, truth: pd.DataFrame | None) -> dict[str, Any]:
    """Tell who is flagged, and how often rightly where the truth is known."""
    table = bundle.anomalies
    flagged = table[table["flagged"].astype(bool)]
    found: dict[str, Any] = {
        "customers": len(table),
        "flagged": len(flagged),
        "kinds": {str(kind): int(n) for kind, n in flagged["kind"].value_counts().items()},
        "examples": flagged.head(EXAMPLES).to_dict("records"),
    }
    if truth is not None and len(table):
        both = table.merge(truth.rename(columns={"kind": "planted"}), on=CUSTOMER_ID)
        odd = both["planted"].fillna("") != ""
        hit = both["flagged"].astype(bool)
        found["truth"] = {
            "planted": int(odd.sum()),
            "precision": float(odd[hit].mean()),
            "recall": float(hit[odd].mean()),
            "false_alarm_rate": float(hit[~odd].mean()),
            "recall_by_kind": {
                str(kind): float(hit[both["planted"] == kind].mean())
                for kind in sorted(set(both.loc[odd, "planted"]))
            },
        }
    return found
