"""What a customer starts from adds up, and what is not stated counts as it does on average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from recommender.base import Query
from recommender.features.habits import EVENTS
from recommender.scoring.starts import Start

PEOPLE = 300
ATTRIBUTE = np.array([0, 0, 1, 1, 1])  # a category of two values, and a number of three bands


def people() -> sp.csr_matrix:
    """Let a fifth not state the category, and another fifth not the number."""
    random = np.random.default_rng(0)
    category = np.eye(2)[(random.random(PEOPLE) < 0.8).astype(int)]
    number = np.exp(-((random.random(PEOPLE)[:, None] ** 2 - np.array([0.0, 0.5, 1.0])) ** 2))
    category[: PEOPLE // 5] = 0.0
    number[-PEOPLE // 5 :] = 0.0
    return sp.csr_matrix(np.hstack([category, number]))


def query_of(profile: sp.csr_matrix) -> Query:
    n = profile.shape[0]
    none, responses = sp.csr_matrix((n, 0)), sp.csr_matrix((n, len(EVENTS)))
    parts = dict.fromkeys(Query.__dataclass_fields__, none)
    return Query(**(parts | {"responses": responses, "demographic": profile}))


def fitted() -> tuple[Start, np.ndarray]:
    start = Start.believed(sp.csr_matrix((1, len(EVENTS))), people(), ATTRIBUTE)
    told = start.about(query_of(people())).shape[1]
    weight = np.random.default_rng(1).normal(size=told)
    return start.fitted(-3.0, weight, 0.0), weight


def test_where_somebody_starts_is_what_is_told_of_them_times_its_weights() -> None:
    start, weight = fitted()
    query = query_of(people())
    np.testing.assert_allclose(start.of(query), start.level + start.about(query) @ weight)


def test_what_is_not_stated_counts_as_it_does_on_average() -> None:
    start, _ = fitted()
    profile = people()
    middle = slice(PEOPLE // 5, -PEOPLE // 5)
    whole = Start.believed(sp.csr_matrix((1, len(EVENTS))), profile[middle], ATTRIBUTE)
    start = replace(start, usual_profile=whole.usual_profile)
    nobody = start.of(query_of(sp.csr_matrix((1, len(ATTRIBUTE)))))
    np.testing.assert_allclose(start.of(query_of(profile[middle])).mean(), nobody[0])


def test_without_columns_everybody_starts_alike() -> None:
    nobody = sp.csr_matrix((2, 0))
    start = Start.believed(sp.csr_matrix((1, len(EVENTS))), nobody, ATTRIBUTE[:0])
    assert (start.of(query_of(nobody)) == 0).all()
