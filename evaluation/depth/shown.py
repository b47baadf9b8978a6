"""Ranking among what each customer was shown: whether liking, not showing, was foretold.

A redemption needs a showing, so ranking all candidates rewards whoever guesses what the old policy
shows next: plain counts of redemptions do that well without knowing anybody's taste (the exposure
bias of logged feedback; Schnabel et al. 2016, "Recommendations as treatments"). Among the offers
that were shown to a customer after the moment, that advantage is gone; so it is among showings held
out at random.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OFFER_ID, REDEMPTION
from evaluation.harness import HEADLINE
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import Comparison, Estimate, compare_paired, estimate_means
from evaluation.splitting import Split, already_redeemed
from recommender.base import HYBRID, POLICIES
from recommender.batch import stream_batch
from recommender.service import Service
from recommender.serving.lists import Wish

K = 10
MOST_CELLS = 20_000_000  # customers times candidates that are ranked whole
CELLS = 1_000_000  # of which so many at once are rows of a table, which hold text
COUNTED = "most redeemed"
PAIR = [CUSTOMER_ID, OFFER_ID]


@dataclass(frozen=True)
class AmongShown:
    """How policies rank what customers were shown.

    Attributes
    ----------
    customers, pairs : int
        Customers who took some of what they were shown and not all of it, and what they were shown.
    policies : dict of str to Estimate
        NDCG@10 by policy; `COUNTED` ranks by plain counts of redemptions.
    against : dict of str to Comparison
        The paired difference hybrid - policy.
    """

    customers: int
    pairs: int
    policies: dict[str, Estimate]
    against: dict[str, Comparison]


def rank_shown(service: Service, split: Split, dataset: Dataset, seed: int = 0) -> AmongShown | str:
    """Rank for each customer the candidates that were shown after the moment, or held out.

    Returns
    -------
    AmongShown or str
        Why it is not measured.
    """
    if not dataset.has_impressions():
        return "not measured: no impressions are logged"
    if not split.by_time and split.held is None:
        return "not measured: only what was taken was held out at random, nothing shown in vain"
    log = split.later(dataset)
    log = log[(log[EVENT_TYPE] == IMPRESSION) & log[OFFER_ID].isin(split.candidates)]
    shown = pd.MultiIndex.from_frame(log[PAIR].drop_duplicates())
    truth = split.truth[pd.MultiIndex.from_frame(split.truth[PAIR]).isin(shown)]
    taken = truth[CUSTOMER_ID].value_counts()
    if taken.empty:
        return "not measured: nothing that was shown was taken"
    # Whoever took all of it has a list that nobody can get wrong.
    offered = shown.get_level_values(0).value_counts()
    customers = sorted(taken.index[taken < offered.reindex(taken.index)])
    if not customers:
        return "not measured: nobody was shown more than they took"
    truth = truth[truth[CUSTOMER_ID].isin(customers)]
    if len(customers) * len(split.candidates) > MOST_CELLS:
        return "not measured: too many customers and offers to rank whole"
    given = Dataset.of({"customers": pd.DataFrame({CUSTOMER_ID: customers}, dtype="str")})
    values = {}
    for policy in POLICIES:
        wish = Wish(
            split.at, n=len(split.candidates), policy=policy, offers=split.candidates, seed=seed
        )
        values[policy] = _ndcg(_listed(service, given, wish), shown, truth)
    step = max(1, CELLS // len(split.candidates))
    blocks = (customers[start : start + step] for start in range(0, len(customers), step))
    values[COUNTED] = _ndcg((most_redeemed(split, block) for block in blocks), shown, truth)
    estimates = estimate_means(np.column_stack(list(values.values())), seed)
    return AmongShown(
        customers=len(customers),
        pairs=int(shown.get_level_values(0).isin(customers).sum()),
        policies=dict(zip(values, estimates, strict=True)),
        against={
            policy: compare_paired(values[HYBRID], theirs, seed)
            for policy, theirs in values.items()
            if policy != HYBRID
        },
    )


def _listed(service: Service, given: Dataset, wish: Wish) -> Iterator[pd.DataFrame]:
    """Rank customers as `recommend_batch` does; yields some rows of their lists at a time."""
    for part in stream_batch(service, given, wish):
        for start in range(0, max(1, part.num_rows), CELLS):
            rows: pd.DataFrame = part.select([*PAIR, "rank"]).slice(start, CELLS).to_pandas()
            yield rows.astype(dict.fromkeys(PAIR, "str"))


def _ndcg(lists: Iterable[pd.DataFrame], shown: pd.MultiIndex, truth: pd.DataFrame) -> np.ndarray:
    """Judge what was shown of lists that come in parts; the rest of a part is not kept."""
    left = [part[pd.MultiIndex.from_frame(part[PAIR]).isin(shown)] for part in lists]
    return per_customer(find_hits(pd.concat(left, ignore_index=True), truth), (K,))[HEADLINE]


def most_redeemed(split: Split, customers: list[str]) -> pd.DataFrame:
    """Rank for each customer by how often an offer was taken before, by anybody.

    What the customer took before and cannot take once more is left out.

    Returns
    -------
    DataFrame
        customer_id, offer_id, rank: every candidate that is open to the customer.
    """
    counts = split.train.events(split.relevant)[OFFER_ID].value_counts()
    offers = pd.Series(sorted(split.candidates), dtype="str")
    order = np.argsort(-counts.reindex(offers).fillna(0).to_numpy(), kind="stable")
    ranked = pd.DataFrame(
        {OFFER_ID: offers.iloc[order].to_numpy(), "rank": np.arange(len(order)) + 1}
    )
    lists = pd.DataFrame({CUSTOMER_ID: customers}, dtype="str").merge(ranked, how="cross")
    lists = lists.astype({OFFER_ID: "str"})
    return lists[~already_redeemed(split.train, lists, REDEMPTION)]
