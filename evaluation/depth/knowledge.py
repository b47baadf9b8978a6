"""How much lists gain from what is known: the same customers, told less and more; and failures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.harness import HEADLINE, Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import Estimate, estimate_means
from evaluation.splitting import Split
from recommender.base import HYBRID, Query
from recommender.fitting.sources import profile_segment
from recommender.service import Service
from recommender.serving.lists import Wish
from segmentation.features import FEATURES

K = 10
FAILURES = 5
NOT_MEASURED = "not measured: the model knows nobody who is tested"


@dataclass(frozen=True)
class Failure:
    """A customer whose list held nothing of what was taken.

    Attributes
    ----------
    customer_id : str
    taken, listed : tuple of str
        Offers taken in the window, and those listed, best first.
    known : int
        Offers the customer had clicked or redeemed before.
    """

    customer_id: str
    taken: tuple[str, ...]
    listed: tuple[str, ...]
    known: int


def measure_knowledge(service: Service, split: Split, seed: int = 0) -> dict[str, Estimate] | str:
    """Rank for customers the model knows, as if only a part were known of them.

    What they redeemed once and for all stays out of every list alike.

    Returns
    -------
    dict of str to Estimate, or str
        NDCG@10 of the hybrid by what is known, from nothing to everything.
    """
    bundle = service.bundle
    customers = [name for name in split.customers if name in bundle.customer_ids]
    query = bundle.customers.query
    if query is None or not customers:
        return NOT_MEASURED
    rows = bundle.customer_ids.rows(customers)
    truth = split.truth[split.truth[CUSTOMER_ID].isin(customers)]
    segment = profile_segment(
        split.train,
        service.recommender.encoders,
        bundle.customer_ids,
        pd.DataFrame(bundle.customers.features, bundle.customers.ids, columns=list(FEATURES)),
    )
    values = {
        name: _ndcg(service, told, split, customers, truth)
        for name, told in _stages(query.take(rows), sp.csr_matrix(segment[rows])).items()
    }
    estimates = estimate_means(np.column_stack(list(values.values())), seed)
    return dict(zip(values, estimates, strict=True))


def find_failures(split: Split, trial: Trial) -> tuple[Failure, ...]:
    """Find the customers who took most and were listed nothing of it by the hybrid."""
    lists, missed = trial.lists[HYBRID], trial.values[HYBRID][f"hit_rate@{K}"] == 0
    taken = split.truth.groupby(CUSTOMER_ID)[OFFER_ID].apply(lambda one: tuple(sorted(one)))
    failed = sorted(trial.customers[missed], key=lambda name: (-len(taken[name]), name))
    log = split.train.interactions.drop_duplicates([CUSTOMER_ID, OFFER_ID])
    return tuple(
        Failure(
            customer_id=str(name),
            taken=taken[name],
            listed=tuple(lists.loc[lists[CUSTOMER_ID] == name].sort_values("rank")[OFFER_ID][:K]),
            known=int((log[CUSTOMER_ID] == name).sum()),
        )
        for name in failed[:FAILURES]
    )


def _stages(query: Query, segment: sp.csr_matrix) -> dict[str, Query]:
    """Tell less and more of the same customers."""
    empty = sp.csr_matrix
    acted = replace(query.without_purchases(), segment=segment)
    answered = replace(acted, history=empty(query.history.shape))
    profile = answered.without_answers()
    nothing = replace(
        profile, demographic=empty(query.demographic.shape), segment=empty(segment.shape)
    )
    return {
        "nothing": nothing,
        "the profile": profile,
        "and survey answers": answered,
        "and clicks and redemptions": acted,
        "and purchases": query,
    }


def _ndcg(
    service: Service, query: Query, split: Split, customers: list[str], truth: pd.DataFrame
) -> np.ndarray:
    wish = Wish(split.at, n=K, offers=split.candidates, explain=False)
    ids = service.recommender.encoders.offer_ids
    parts, start = [], 0
    for ranked in service.rank(query, wish):
        person, place = (np.arange(ranked.rows.shape[1]) < ranked.length[:, None]).nonzero()
        names = np.array(customers, dtype=object)[start + person]
        offers = ids[ranked.rows[person, place]]
        parts.append(pd.DataFrame({CUSTOMER_ID: names, OFFER_ID: offers, "rank": place + 1}))
        start += len(ranked.rows)
    lists = pd.concat(parts).astype({CUSTOMER_ID: "str", OFFER_ID: "str"})
    return per_customer(find_hits(lists, truth), (K,))[HEADLINE]
