"""What the parts of suite `ranking` share: plain lists, intervals, the hybrid beside its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.benchmark import Row, at_least
from evaluation.harness import COLD, HEADLINE, SOURCES, WARM, Trial, run_trial
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import estimate_means
from evaluation.splitting import Split
from recommender.base import HYBRID
from recommender.learning.yardstick import Difference, compare
from recommender.service import Service
from recommender.serving.ranking import top
from recommender.training import train

BELOW = 0.05  # a paired difference is significant under this p-value


def try_parts(split: Split, seed: int = 0) -> tuple[Service, Trial]:
    """Train on the past of a split; let the hybrid and each of its parts rank."""
    service = Service(train(split.train, at=split.at, seed=seed))
    return service, run_trial(service, split, policies=(HYBRID, *SOURCES), seed=seed)


def customers_of(names: Iterable[str]) -> Dataset:
    """Return a dataset that names customers and tells nothing of them."""
    return Dataset.of({"customers": pd.DataFrame({CUSTOMER_ID: list(names)}, dtype="str")})


def plain_lists(
    score: np.ndarray,
    customers: np.ndarray,
    offers: np.ndarray,
    popularity: np.ndarray,
    n: int,
) -> pd.DataFrame:
    """Turn the scores of a plain method into lists; ties go by popularity, then by id.

    Parameters
    ----------
    score : ndarray of float, shape (customers, offers)
        Minus infinity where an offer may not be listed.
    popularity : ndarray of float, shape (offers,)
    n : int
        Length of a list.

    Returns
    -------
    DataFrame
        customer_id, offer_id, rank (from 1).
    """
    allowed = np.isfinite(score)
    rows = top(score, allowed, n, np.lexsort((offers, -popularity)))
    length = np.minimum(allowed.sum(axis=1), n)
    person, place = (np.arange(rows.shape[1]) < length[:, None]).nonzero()
    return pd.DataFrame(
        {CUSTOMER_ID: customers[person], OFFER_ID: offers[rows[person, place]], "rank": place + 1}
    )


def ndcg(lists: pd.DataFrame, truth: pd.DataFrame, k: int) -> np.ndarray:
    """Score lists: one value for each customer of the truth, in their order by id."""
    return per_customer(find_hits(lists, truth), (k,))[f"ndcg@{k}"]


def measured(data: str, figure: str, values: np.ndarray, floor: float | None = None) -> Row:
    """Return a mean over customers, beside its floor if it has one, and its interval."""
    [found] = estimate_means(values[:, None])
    row = Row(data, figure, found.value)
    if floor is not None:
        row = at_least(data, figure, found.value, floor)
    return replace(row, low=found.low, high=found.high)


def paired(data: str, figure: str, ours: np.ndarray, theirs: np.ndarray) -> Row:
    """Return the mean difference over the same customers, its interval and its p-value."""
    return difference(data, figure, compare(ours, theirs))


def difference(data: str, figure: str, gap: Difference) -> Row:
    """Return a paired difference as a row."""
    return Row(data, figure, gap.value, low=gap.low, high=gap.high, p_value=gap.p_value)


def best_part(trial: Trial, part: str) -> str:
    """Name the source that alone ranks best for the customers of a slice."""
    return max(SOURCES, key=lambda source: trial.ranking[part][source][HEADLINE].value)


def against_parts(data: str, trial: Trial) -> list[Row]:
    """Hold the hybrid against the best of its own parts, on warm and on cold customers.

    The part is chosen by the very lists that are compared: a rival that nobody could have picked
    beforehand. The hybrid must not be significantly below it on either slice, and above it on at
    least one.
    """
    found, above = [], 0
    slices = [part for part in (WARM, COLD) if trial.ranking[part][HYBRID][HEADLINE].n]
    for part in slices:
        rival = best_part(trial, part)
        gap = trial.against[part][rival]
        differs = gap.p_value < BELOW
        above += int(differs and gap.value > 0)
        figure = f"hybrid - {rival} (best part), {part} ({gap.n} customers)"
        floor, holds = f"not below at p < {BELOW}", not (differs and gap.value < 0)
        found += [
            Row(data, f"{rival} (best part), {part}", trial.ranking[part][rival][HEADLINE].value),
            replace(difference(data, figure, gap), floor=floor, holds=holds),
        ]
    name = f"slices ({', '.join(slices)}) where the hybrid is above its best part, p < {BELOW}"
    return [*found, at_least(data, name, above, 1)]
