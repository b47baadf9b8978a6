"""Fire drills: mistakes planted on purpose, to see that the report refuses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.errors import UsageError
from data.schema import OCCURRED_AT, OFFER_ID
from evaluation.splitting import Split

SAMPLED = 20  # candidates beside what is relevant

# Given all rows and an honest split: what is learnt from and judged by, and what is ranked.
Drill = Callable[[Dataset, Split], tuple[Split, Split]]


def learn_the_future(dataset: Dataset, split: Split) -> tuple[Split, Split]:
    """Learn from the rows of the test window as well, dated just before the moment."""
    last = split.at - pd.Timedelta(microseconds=1)

    def before(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{OCCURRED_AT: rows[OCCURRED_AT].where(rows[OCCURRED_AT] < last, last)})

    train = replace(
        split.train,
        interactions=before(dataset.interactions),
        transactions=before(dataset.transactions),
    )
    planted = replace(split, train=train)
    return planted, planted


def sample_the_negatives(_: Dataset, split: Split) -> tuple[Split, Split]:
    """Rank what is relevant to anybody among a few sampled offers instead of all candidates.

    Where all are relevant to somebody, or all but one, a half stands for all: what is relevant
    to the most.

    Raises
    ------
    UsageError
        There is one candidate, which no sample is without.
    """
    if len(split.candidates) < 2:
        raise UsageError("Of one candidate nothing can be sampled.", "Leave --drill out.")
    count = split.truth[OFFER_ID].value_counts().sort_index()
    relevant = count.sort_values(ascending=False, kind="stable").index.tolist()
    others = np.array(sorted(split.candidates - set(relevant)))
    if len(others) < 2:
        half = relevant[: len(split.candidates) // 2]
        return split, replace(split, candidates=frozenset(half))
    random = np.random.default_rng(0)
    sampled = random.permutation(others)[: min(SAMPLED, len(others) // 2)]
    return split, replace(split, candidates=frozenset([*relevant, *sampled.tolist()]))


DRILLS: Mapping[str, Drill] = {"future": learn_the_future, "sampled": sample_the_negatives}
