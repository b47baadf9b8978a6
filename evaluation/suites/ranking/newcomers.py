"""Part of suite `ranking`: films nobody has met, for people who are known and for newcomers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.benchmark import Row
from evaluation.suites.ranking.beside import measured, ndcg, paired, plain_lists
from evaluation.suites.ranking.ridge import PENALTIES, expect_linearly, mean_ndcg
from recommender.base import HYBRID, RANDOM, Source
from recommender.batch import recommend_batch
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

FOLDS, K, KNOTS = 5, 20, 9
STEPS = FOLDS
KNOWN, NEW = "people with a history", "people nobody has met"
RIDGE = "ridge on attributes, beside"
POLICIES = (HYBRID, str(Source.POPULARITY), RANDOM)


def rows_of_new_films(dataset: Dataset, name: str, on_step: Callable[[str], None]) -> list[Row]:
    """Hide each fifth of the films, and a fifth of the people with it; rank the hidden films.

    Hidden films keep their row in the offers table and lose all interactions. The lists hold them
    alone. Beside: one ridge for each person from what films are like to what the person took.
    """
    log = dataset.interactions
    films = np.array(sorted(log[OFFER_ID].unique(), key=int), dtype=object)
    people = np.array(sorted(dataset.customers[CUSTOMER_ID], key=int), dtype=object)
    marks = np.zeros((len(people), len(films)))
    person = pd.Index(people).get_indexer(log[CUSTOMER_ID])
    marks[person, pd.Index(films).get_indexer(log[OFFER_ID])] = 1.0
    described = describe(dataset.offers.set_index(OFFER_ID).reindex(films))
    random = KFold(FOLDS, shuffle=True, random_state=0)
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    folds = zip(random.split(films), random.split(people), strict=True)
    for number, ((known, hidden), (_, away)) in enumerate(folds):
        on_step(f"new films, fold {number + 1}")
        kept = ~(log[OFFER_ID].isin(films[hidden]) | log[CUSTOMER_ID].isin(people[away]))
        service = Service(train(replace(dataset, interactions=log[kept])))
        truth = log.loc[log[OFFER_ID].isin(films[hidden]), [CUSTOMER_ID, OFFER_ID]]
        rest = np.setdiff1d(np.arange(len(people)), away)
        lists = {}
        for policy in POLICIES:
            wish = Wish(service.bundle.moment, K, policy, offers=frozenset(films[hidden]))
            lists[policy] = recommend_batch(service, None, wish)
        score = np.full(marks.shape, -np.inf)
        score[np.ix_(rest, hidden)] = expect_by_attributes(
            described[known], marks[np.ix_(rest, known)], described[hidden]
        )
        lists[RIDGE] = plain_lists(score, people, films, np.zeros(len(films)), K)
        for group, rows in ((KNOWN, rest), (NEW, away)):
            own = truth[truth[CUSTOMER_ID].isin(people[rows])]
            for policy, made in lists.items():
                theirs = made[made[CUSTOMER_ID].isin(people[rows])]
                found.setdefault((group, policy), []).append(ndcg(theirs, own, K))
    return [row for group in (KNOWN, NEW) for row in _rows(name, group, found)]


def describe(films: pd.DataFrame) -> np.ndarray:
    """Lay films out: genres and first genre, a column each; a linear spline of the year."""
    genres = films["tags"].str.get_dummies("|").to_numpy(dtype=np.float64)
    first = pd.get_dummies(films["category"]).to_numpy(dtype=np.float64)
    stated = pd.to_numeric(films["release_year"], errors="coerce")
    year = stated.fillna(stated.median()).to_numpy(dtype=np.float64)
    knots = np.unique(np.quantile(year, np.linspace(0, 1, KNOTS)))
    spline = np.column_stack([np.interp(year, knots, peak) for peak in np.eye(len(knots))])
    return np.hstack([genres, first, spline])


def expect_by_attributes(known: np.ndarray, marks: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Fit a ridge for each person on some films and say what is expected of others.

    Parameters
    ----------
    known : ndarray of float, shape (films, columns)
    marks : ndarray of float, shape (people, films)
    wanted : ndarray of float, shape (others, columns)

    Returns
    -------
    ndarray of float, shape (people, others)
    """
    best = np.zeros(len(PENALTIES))
    for learnt, held in KFold(FOLDS, shuffle=True, random_state=0).split(known):
        every = np.ones(len(held), dtype=bool)
        for row, penalty in enumerate(PENALTIES):
            score = expect_linearly(known[learnt], marks[:, learnt].T, known[held], penalty).T
            best[row] += mean_ndcg(score, marks[:, held], every, K)
    return expect_linearly(known, marks.T, wanted, PENALTIES[best.argmax()]).T


def _rows(name: str, group: str, found: dict[tuple[str, str], list[np.ndarray]]) -> list[Row]:
    values = {policy: np.concatenate(found[group, policy]) for policy in POLICIES}
    ours, ridge = values[HYBRID], np.concatenate(found[group, RIDGE])
    data, metric = f"{name}, films nobody has met: {len(ours)} {group}", f"ndcg@{K}"
    rows = [measured(data, f"{policy}, {metric}", value) for policy, value in values.items()]
    if group == KNOWN:
        rows.append(measured(data, f"{RIDGE}, {metric}", ridge))
        rows.append(paired(data, "hybrid - ridge on attributes", ours, ridge))
    return rows
