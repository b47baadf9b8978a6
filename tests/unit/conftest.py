"""A trial made by hand, for what reads trials: no model is trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from evaluation.harness import ALL, COLD, HEADLINE, KS, WARM, Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import compare_paired, estimate_means
from evaluation.splitting import Split

MakeTrial = Callable[..., tuple[Trial, Split]]
AT = pd.Timestamp("2025-03-01", tz="UTC")


def _make_trial(knowing: float = 0.3, customers: int = 40, seed: int = 0) -> tuple[Trial, Split]:
    random = np.random.default_rng(seed)
    people = np.array([f"c {i:02}" for i in range(customers)], dtype=object)
    offers = np.array([f"o{i:02}" for i in range(30)], dtype=object)
    relevant = random.random((customers, len(offers))) < 0.1
    relevant[np.arange(customers), random.integers(0, len(offers), customers)] = True
    person, offer = relevant.nonzero()
    ids = {"customer_id": "str", "offer_id": "str"}
    truth = pd.DataFrame({"customer_id": people[person], "offer_id": offers[offer]}).astype(ids)
    lists, values = {}, {}
    for policy, known in (("hybrid", knowing), ("popularity", 0.1), ("random", 0.0)):
        score = random.random(relevant.shape) + known * relevant
        order = np.argsort(-score, axis=1)[:, : max(KS)]
        lists[policy] = pd.DataFrame(
            {
                "customer_id": np.repeat(people, order.shape[1]),
                "rank": np.tile(np.arange(1, order.shape[1] + 1), customers),
                "offer_id": offers[order.ravel()],
            }
        ).astype(ids)
        values[policy] = per_customer(find_hits(lists[policy], truth), KS)
    cold = np.arange(customers) % 4 == 0
    slices = {ALL: np.ones(customers, dtype=bool), WARM: ~cold, COLD: cold}
    table = {p: np.column_stack(list(metrics.values())) for p, metrics in values.items()}
    trial = Trial(
        ranking={
            name: {
                policy: dict(zip(metrics, estimate_means(table[policy][mask]), strict=True))
                for policy, metrics in values.items()
            }
            for name, mask in slices.items()
        },
        against={
            name: {
                policy: compare_paired(values["hybrid"][HEADLINE][mask], one[HEADLINE][mask])
                for policy, one in values.items()
                if policy != "hybrid"
            }
            for name, mask in slices.items()
        },
        lists=lists,
        customers=people,
        values=values,
        slices=slices,
    )
    train = Dataset.of({"offers": pd.DataFrame({"offer_id": offers}, dtype="str")})
    candidates, late = frozenset(str(name) for name in offers), AT + pd.Timedelta(days=30)
    split = Split(train, AT, late, candidates, truth, "redemption", frozenset(people[cold]))
    return trial, split


@pytest.fixture(scope="session")
def make_trial() -> MakeTrial:
    """Make a trial and its split; the more `knowing` the hybrid is, the better its lists.

    Another `knowing` gives other lists for the same customers and truth; another seed others.
    """
    return _make_trial
