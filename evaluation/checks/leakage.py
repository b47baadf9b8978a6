"""Checks that what was learnt from holds nothing of the test: rows, pairs, features, segments.

Kaufman et al. 2012, "Leakage in data mining": what is predicted from must have been known at the
moment of the prediction. Each check reads the rows themselves and what the model truly holds, not
what was asked for. Attributes of customers and survey answers carry no time: that they were known
at the moment is believed, not checked.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import BOUGHT, CUSTOMER_ID, OCCURRED_AT, OFFER_ID
from data.words import counted, form
from evaluation.splitting import Split, uses_up, with_purchases
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.features.bought import known_before
from recommender.fitting.sources import find_segments
from recommender.past.fold import Fold
from recommender.release.gate_checks import ORDER, check_order
from recommender.release.verdict import Check
from segmentation.features import FEATURES, customer_features

ROWS, PAIRS, COLD, KNOWN, SEGMENTS = (
    "learnt from rows of the past only",
    "no tested pair is learnt from",
    "nothing is known of cold customers",
    "what is known of customers is of the past",
    "segments are learnt from the past",
)
PAIR = [CUSTOMER_ID, OFFER_ID]
CLOSE = 1e-9  # relative: sums over the same rows in another order


def fold_of(split: Split) -> Fold:
    """Lay a split out as the release gate reads it; its offers are the candidates."""
    offers = split.train.offers
    past = replace(split.train, offers=offers[offers[OFFER_ID].isin(split.candidates)])
    taken = split.truth[PAIR]
    return Fold(past, split.at, taken, taken.iloc[:0].assign(n=0), by_time=split.by_time)


def check_time(dataset: Dataset, split: Split) -> Check:
    """See that the last row to learn from < the moment ≤ the first row to be judged by."""
    if not split.by_time:
        return Check(ORDER, None, "pairs were held out at random: time gives no cut", {})
    counted = replace(dataset, interactions=dataset.events(split.relevant))
    return check_order(counted, fold_of(split), split.until)


def check_rows(dataset: Dataset, split: Split) -> Check:
    """See that every row to learn from is one that the dataset has before the moment, once each."""
    past = known_before(dataset, split.at) if split.by_time else dataset
    figures: dict[str, float | int | str] = {}
    strange = []
    for name in ("transactions", "interactions"):
        ours: pd.DataFrame = getattr(split.train, name)
        theirs: pd.DataFrame = getattr(past, name)
        number, counts = np.unique(_hashes(theirs), return_counts=True)
        mine, times = np.unique(_hashes(ours), return_counts=True)
        place = np.minimum(np.searchsorted(number, mine), max(len(number) - 1, 0))
        there = np.where(number[place] == mine, counts[place], 0) if len(number) else 0 * times
        figures[name] = len(ours)
        if extra := int(np.maximum(times - there, 0).sum()):
            figures[f"{name} not of the past"] = extra
            strange.append(f"{extra} of {len(ours)} rows of {name}")
    told = (
        f"{' and '.join(strange)} are none that the dataset has before the moment"
        if strange
        else f"{figures['transactions']} transactions, {figures['interactions']} interactions"
    )
    return Check(ROWS, not strange, told, figures)


def check_pairs(dataset: Dataset, split: Split) -> Check:
    """See that nothing tells of a tested pair what it is tested for.

    An offer that can be redeemed once is no test where it had been before; no event may stand on
    both sides of the moment; a pair held out at random leaves no row of any kind, unless single
    showings were held out of what can be redeemed again.
    """
    log = split.train.interactions
    truth = pd.MultiIndex.from_frame(split.truth[PAIR])
    problems = []
    if split.by_time:
        offers = split.train.offers
        once = offers.loc[~offers["repeatable"].fillna(False).astype(bool), OFFER_ID]
        before = split.train.events(uses_up(split.relevant))
        before = before[before[OFFER_ID].isin(once)]
        if again := int(truth.isin(pd.MultiIndex.from_frame(before[PAIR])).sum()):
            stand = form(again, "stands", "stand")
            problems.append(f"{again} of {len(truth)} tested pairs {stand} in the training rows")
        window = dataset.interactions
        later = window.loc[window[OCCURRED_AT] >= split.at, "event_id"].dropna()
        if twice := int(log["event_id"].dropna().isin(later).sum()):
            told = counted(twice, "event stands", "events stand")
            problems.append(f"{told} on both sides of the moment")
    else:
        once = ~dataset.repeatable[dataset.offer_ids.rows(log[OFFER_ID])]
        once |= split.relevant == BOUGHT
        if left := int((once & pd.MultiIndex.from_frame(log[PAIR]).isin(truth)).sum()):
            told = counted(left, "training row is of a pair", "training rows are of pairs")
            problems.append(f"{told} held out")
        if split.relevant == BOUGHT:
            past = with_purchases(replace(split.train, interactions=log.iloc[:0])).interactions
            if left := int(pd.MultiIndex.from_frame(past[PAIR]).isin(truth).sum()):
                problems.append(f"{counted(left, 'purchase')} of pairs that were held out")
    told = (
        "; ".join(problems)
        or f"{counted(len(truth), 'tested pair')}, nothing in training tells of them"
    )
    return Check(PAIRS, not problems, told, {"pairs": len(truth)})


def check_cold(split: Split, bundle: Bundle) -> Check:
    """See that cold customers have no row to learn from, the others one, and the model none."""
    train = split.train
    active = pd.concat([train.transactions[CUSTOMER_ID], train.interactions[CUSTOMER_ID]])
    tested = pd.Series(split.customers, dtype="str")
    cold, known = tested.isin(split.cold), tested.isin(active.unique())
    problems = []
    if wrong := int((cold & known).sum()):
        have = form(wrong, "has", "have")
        problems.append(f"{wrong} of {int(cold.sum())} cold customers {have} training rows")
    if wrong := int((~cold & ~known).sum()):
        problems.append(
            f"{wrong} of {int((~cold).sum())} warm customers {form(wrong, 'has', 'have')} none"
        )
    query, people = bundle.customers.query, tested[cold]
    people = people[bundle.customer_ids.known(people)]
    if query is not None and len(people):
        row = query.take(bundle.customer_ids.rows(people))
        past = (row.history, row.redeemed, row.purchases, row.baskets, row.spent)
        did = sum(np.diff(part.indptr) for part in past)
        if wrong := int((did > 0).sum()):
            problems.append(f"the model knows what {counted(wrong, 'cold customer')} did")
    told = (
        "; ".join(problems)
        or f"{int(cold.sum())} cold, {counted(int((~cold).sum()), 'warm customer')}"
    )
    return Check(COLD, not problems, told, {"cold": int(cold.sum()), "warm": int((~cold).sum())})


def check_known(split: Split, bundle: Bundle) -> Check:
    """Compute what the model knows of its customers once more, from the training rows alone."""
    if bundle.moment != split.at:
        told = f"the model is of {bundle.at}, the split of {split.at.isoformat()}"
        return Check(KNOWN, False, told, {})
    past = split.train.before(split.at)
    ids = past.customer_ids
    if list(bundle.customers.ids) != list(ids.ids):
        told = (
            f"the model knows {counted(len(bundle.customers.ids), 'customer')}, the past {len(ids)}"
        )
        return Check(KNOWN, False, f"{told}, or not the same ones", {})
    features = customer_features(past, split.at).values
    ours, theirs = features.to_numpy(dtype=np.float64), bundle.customers.features
    unlike = ~np.isclose(ours, theirs, rtol=CLOSE, atol=0.0, equal_nan=True)
    wrong = {name: int(n) for name, n in zip(FEATURES, unlike.sum(axis=0), strict=True) if n}
    if bundle.recommender is not None and bundle.customers.query is not None:
        again = bundle.recommender.encoders.query_dataset(past, features, ids)
        wrong |= _unlike(again, bundle.customers.query)
    told = ", ".join(f"{name} of {n}" for name, n in wrong.items())
    told = (
        f"of {counted(len(ids), 'customer')} not what the past says: {told}"
        if wrong
        else f"computed once more for {counted(len(ids), 'customer')}: the same"
    )
    return Check(KNOWN, not wrong, told, dict(wrong))


def check_segments(split: Split, bundle: Bundle) -> Check:
    """Fit as many segments once more to the training rows alone: the centroids must be the same."""
    model = bundle.segments
    if model is None:
        return Check(SEGMENTS, None, "there are no segments", {})
    features = customer_features(split.train, split.at).values
    found, problem = find_segments(features, model.n_segments, bundle.seed)
    if found is None:
        return Check(SEGMENTS, False, f"the past gives no segments: {problem}", {})
    again = found.model
    if again.features != model.features or again.centroids.shape != model.centroids.shape:
        told = f"learnt of {', '.join(model.features)}; the past gives {', '.join(again.features)}"
        return Check(SEGMENTS, False, told, {})
    # The order of segments may follow earlier names: raw centroids are compared in their own order.
    ours, theirs = (one.raw(one.centroids) for one in (again, model))
    ours, theirs = (raw[np.lexsort(raw.T[::-1])] for raw in (ours, theirs))
    gap = float(np.abs(ours - theirs).max(initial=0.0) / max(1.0, np.abs(ours).max(initial=0.0)))
    alike = bool(np.allclose(ours, theirs, rtol=1e-6, atol=1e-9))
    told = (
        f"{model.n_segments} centroids, fitted once more: the same"
        if alike
        else "fitted once more to the past, the centroids lie elsewhere: "
        f"{', '.join(_moved(again.features, ours, theirs))}"
    )
    figures: dict[str, float | int | str] = {"segments": model.n_segments, "largest_gap": gap}
    return Check(SEGMENTS, alike, told, figures)


def _hashes(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(pd.util.hash_pandas_object(frame, index=False).to_numpy())


def _unlike(ours: Query, theirs: Query) -> dict[str, int]:
    """Count customers by what differs; what they are flagged as comes from the anomalies."""
    found = {}
    for name in (field for field in ours.__dataclass_fields__ if field != "flagged"):
        one, other = getattr(ours, name), getattr(theirs, name)
        if one.shape != other.shape:
            found[name] = int(one.shape[0])
            continue
        gap = abs(one - other)
        gap.data[gap.data <= CLOSE * max(1.0, abs(one).max() if one.nnz else 0.0)] = 0.0
        if n := len(np.unique(gap.nonzero()[0])):
            found[name] = n
    return found


def _moved(names: tuple[str, ...], ours: np.ndarray, theirs: np.ndarray) -> list[str]:
    """Name the features in which centroids moved, the most moved first."""
    gap = np.abs(ours - theirs).max(axis=0) / np.maximum(np.abs(ours).max(axis=0), 1e-12)
    order = np.argsort(-gap, kind="stable")
    return [f"{names[place]} by {gap[place]:.1%}" for place in order if gap[place] > 1e-6]
