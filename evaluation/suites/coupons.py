"""Part of suite `segmentation`: segments that act, on the campaigns of the Complete Journey."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from data.dataset import Dataset
from data.sources.complete_journey import (
    is_installed,
    read_complete_journey,
    read_mailings,
)
from evaluation.benchmark import Row
from segmentation.habits import (
    COUPON_SHARE,
    COUPON_TRANSACTIONS,
    REDEMPTIONS,
    habit_features,
)
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.outcome import segment_rates

LEARNT, TESTED = ("8", "13"), "18"
FEATURES = {COUPON_SHARE: 1.0, COUPON_TRANSACTIONS: 1.0, REDEMPTIONS: 1.0}
KS = range(4, 9)
FEWEST = 30  # customers of a segment whose lift counts
RESAMPLES = 1000
STEPS = 1


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Learn segments and their rates on two campaigns, predict who redeems in the third."""
    on_step("coupon campaigns")
    if not is_installed():
        return []
    dataset, mailings = read_complete_journey().dataset, read_mailings()
    tables = {name: _table(dataset, mailings, name) for name in (*LEARNT, TESTED)}
    # The number of segments that a refit confirmed best before the campaign in question.
    confirmed = {k: _refit(tables[LEARNT[0]][0], tables[LEARNT[1]][0], k)[1] for k in KS}
    k = max(confirmed, key=lambda number: confirmed[number])
    result, same = _refit(tables[LEARNT[1]][0], tables[TESTED][0], k)
    past = [_placed(result, *tables[name]) for name in LEARNT]
    labels, acted = (np.concatenate([one[part] for one in past]) for part in (0, 1))
    rates = segment_rates(labels, acted, k)
    labels, acted = _placed(result, *tables[TESTED])
    low, high = _interval(acted, rates[labels])
    overall = acted.mean()
    counts = np.bincount(labels, minlength=k)
    lift = max(acted[labels == row].mean() / overall for row in range(k) if counts[row] >= FEWEST)
    auc = float(roc_auc_score(acted, rates[labels]))
    data = f"complete-journey, campaign {TESTED} from {' and '.join(LEARNT)}, k = {k}"
    return [
        Row(data, "AUC of the segments' rates", auc, ">= 0.8", auc >= 0.8, low, high),
        Row(data, "lift of the best segment", float(lift), ">= 3", bool(lift >= 3)),
        Row(data, "ARI of a refit with the frozen segments", same, ">= 0.85", same >= 0.85),
    ]


def _refit(before: pd.DataFrame, now: pd.DataFrame, k: int) -> tuple[Segmentation, float]:
    """Fit segments before; return them, and how a refit to now agrees with them (ARI)."""
    names = list(FEATURES)
    frozen = segment_customers(before[names], features=FEATURES, k=k)
    refit = segment_customers(now[names], features=FEATURES, k=k).labels
    placed = frozen.model.assign(now.loc[refit.index, names].to_numpy()).segment
    return frozen, float(adjusted_rand_score(placed, refit))


def _table(
    dataset: Dataset, mailings: pd.DataFrame, campaign: str
) -> tuple[pd.DataFrame, pd.Index[str], pd.Index[str]]:
    """Return features at a campaign's start, who was mailed, and who redeemed."""
    offers = dataset.offers[dataset.offers["campaign"] == campaign]
    features = habit_features(dataset, offers["valid_from"].min())[list(FEATURES)]
    log = dataset.events("redemption")
    redeemed = log.loc[log["offer_id"].isin(offers["offer_id"]), "customer_id"]
    mailed = mailings.loc[mailings["campaign"] == campaign, "customer_id"]
    return features, pd.Index(mailed), pd.Index(redeemed.unique())


def _placed(
    result: Segmentation, features: pd.DataFrame, mailed: pd.Index[str], redeemed: pd.Index[str]
) -> tuple[np.ndarray, np.ndarray]:
    labels = result.model.assign(features.reindex(mailed)[list(FEATURES)].to_numpy()).segment
    known = labels < result.model.n_segments
    return labels[known], mailed.isin(redeemed)[known].astype(np.float64)


def _interval(acted: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(acted), len(acted))
        found.append(roc_auc_score(acted[drawn], score[drawn]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
