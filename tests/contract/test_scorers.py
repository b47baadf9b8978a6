"""One behaviour suite for every scorer, on a checkerboard whose answer is known.

Even customers are women with high incomes, buy even items and take even offers; odd ones the odd.
Scorers are found in the fitted model, so a new one cannot dodge the suite.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from data.dataset import Dataset
from recommender.base import Query, Scorer, Source, stack
from recommender.fitting.fitted import Fitted
from recommender.fitting.sources import fit_sources
from segmentation.features import customer_features
from segmentation.kmeans import segment_customers

N = 40
AT = pd.Timestamp("2025-03-01", tz="UTC")
SOURCES = [str(source) for source in Source]
PERSONAL = [name for name in SOURCES if name != Source.POPULARITY]


def checkerboard() -> Dataset:
    rows = np.arange(N)
    even = rows % 2 == 0
    when = pd.Timestamp("2025-02-01", tz="UTC")
    pairs = [(c, o) for c in rows for o in rows if c % 2 == o % 2 and (c + 2 * o) % 3]
    customer, offer = np.array(pairs).T
    names = pd.DataFrame(
        {
            "customer_id": [f"c{row:02d}" for row in rows],
            "gender": np.where(even, "Female", "Male"),
            "annual_income": np.where(even, 90.0, 20.0) + rows / 10,
            "age": 40.0,
        }
    )
    return Dataset.of(
        {
            "customers": names,
            "offers": pd.DataFrame(
                {
                    "offer_id": [f"o{row:02d}" for row in rows],
                    "category": np.where(even, "even", "odd"),
                }
            ),
            "offer_items": pd.DataFrame(
                {
                    "offer_id": [f"o{row:02d}" for row in rows],
                    "item_id": np.where(even, "even item", "odd item"),
                }
            ),
            "transactions": pd.DataFrame(
                {
                    "customer_id": names["customer_id"],
                    "occurred_at": when,
                    "amount": 10.0,
                    "item_id": np.where(even, "even item", "odd item"),
                }
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": [f"c{row:02d}" for row in customer],
                    "offer_id": [f"o{row:02d}" for row in offer],
                    "event_type": "redemption",
                    "occurred_at": when,
                }
            ),
            "survey_answers": pd.DataFrame(
                {
                    "customer_id": names["customer_id"],
                    "question": "category:even",
                    "answer": np.where(even, "yes", "no"),
                }
            ),
        }
    )


def fit(dataset: Dataset) -> Fitted:
    features = customer_features(dataset, AT).values
    told = features["annual_income"].max() > features["annual_income"].min()
    found = segment_customers(features, features={"annual_income": 1.0}, k=2) if told else None
    return fit_sources(dataset, AT, features, found.model if found else None)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(checkerboard())


def without_items(board: Dataset) -> Dataset:
    return replace(board, offer_items=board.offer_items.iloc[10:])


def of_one_offer(board: Dataset) -> Dataset:
    only = {
        name: (frame := getattr(board, name))[frame["offer_id"] == "o00"]
        for name in ("offers", "offer_items", "interactions")
    }
    return replace(board, **only)


def alike(board: Dataset) -> Dataset:
    people = board.customers.assign(gender="Female", annual_income=50.0)
    return replace(board, customers=people)


def full_of_gaps(board: Dataset) -> Dataset:
    gap = np.arange(N) % 3 == 0
    people, offers = board.customers, board.offers
    people = people.assign(
        gender=people["gender"].mask(gap),
        age=np.nan,
        annual_income=people["annual_income"].mask(np.roll(gap, 1)),
    )
    offers = offers.assign(category=offers["category"].mask(gap), discount=np.nan)
    return replace(board, customers=people, offers=offers)


def without_histories(board: Dataset) -> Dataset:
    log, lines = board.interactions, board.transactions
    return replace(
        board,
        interactions=log[log["customer_id"] >= "c10"],
        transactions=lines[lines["customer_id"] >= "c20"],
    )


def doubled(board: Dataset) -> Dataset:
    twice = pd.concat([board.interactions] * 2, ignore_index=True)
    return replace(board, interactions=twice)


ODD = {
    "offers without items": without_items,
    "one offer": of_one_offer,
    "customers alike": alike,
    "gaps in attributes": full_of_gaps,
    "empty histories": without_histories,
    "interactions twice": doubled,
}


@cache
def fit_odd(name: str) -> Fitted:
    return fit(ODD[name](checkerboard()))


@pytest.fixture(scope="module", params=ODD)
def odd(request: pytest.FixtureRequest) -> Fitted:
    return fit_odd(request.param)


@pytest.mark.parametrize("name", SOURCES)
def test_odd_data_gives_scores_or_silence(odd: Fitted, name: str) -> None:
    scorer, query = scorer_of(odd, name), odd.query
    score = scorer.score(query)
    assert score.shape == (len(query), len(odd.recommender.encoders.offer_ids))
    assert not np.isinf(score).any()
    reading = scorer.read(query)
    np.testing.assert_array_equal(reading.speaking, np.isfinite(score).any(axis=1))
    rows, columns = np.indices(score.shape).reshape(2, -1)
    pairs = reading.at(rows, columns).reshape(score.shape)
    np.testing.assert_allclose(pairs, score, rtol=1e-12, atol=1e-12)
    half = np.arange(0, len(query), 2)
    np.testing.assert_allclose(scorer.score(query.take(half)), score[half], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SOURCES)
def test_interactions_twice_are_no_other_customers(fitted: Fitted, name: str) -> None:
    """What was taken can be taken once only, so that a second row of it tells nothing."""
    again = fit_odd("interactions twice")
    ours, theirs = (scorer_of(one, name).score(one.query) for one in (fitted, again))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SOURCES)
def test_what_was_never_seen_says_nothing(fitted: Fitted, name: str) -> None:
    board = checkerboard()
    unseen = replace(
        board,
        customers=board.customers.assign(
            gender="Other", city="Nowhere", age=np.nan, annual_income=np.nan
        ),
        transactions=board.transactions.assign(item_id="no item", category="nothing"),
        interactions=board.interactions.iloc[:0],
        survey_answers=board.survey_answers.assign(question="category:nothing"),
    )
    encoders = fitted.recommender.encoders
    features = customer_features(unseen, AT).values
    query = encoders.query_dataset(unseen, features, unseen.customer_ids)
    score = scorer_of(fitted, name).score(query)
    if name == Source.POPULARITY:
        assert np.isfinite(score).all()
    elif name == Source.SEGMENT:
        assert not np.isinf(score).any()  # who buys as much may belong to one all the same
    else:
        assert np.isnan(score).all()


def scorer_of(fitted: Fitted, name: str) -> Scorer:
    return next(part for part in fitted.recommender.scorers if part.source == name)


def test_every_source_has_exactly_one_scorer(fitted: Fitted) -> None:
    assert [str(part.source) for part in fitted.recommender.scorers] == SOURCES


@pytest.mark.parametrize("name", PERSONAL)
def test_own_colour_ranks_above_the_other(fitted: Fitted, name: str) -> None:
    score = scorer_of(fitted, name).score(fitted.query)
    same = (np.arange(N)[:, None] % 2) == (np.arange(N)[None, :] % 2)
    assert np.isfinite(score).all()
    for row in range(N):
        assert score[row, same[row]].min() > score[row, ~same[row]].max()


@pytest.mark.parametrize("name", SOURCES)
def test_score_has_a_row_per_customer_and_a_column_per_offer(fitted: Fitted, name: str) -> None:
    assert scorer_of(fitted, name).score(fitted.query.take(np.arange(7))).shape == (7, N)


@pytest.mark.parametrize("name", SOURCES)
def test_score_depends_on_nobody_else_in_the_batch(fitted: Fitted, name: str) -> None:
    scorer = scorer_of(fitted, name)
    whole = scorer.score(fitted.query)
    alone = np.vstack([scorer.score(fitted.query.take(np.array([row]))) for row in range(N)])
    np.testing.assert_allclose(alone, whole, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SOURCES)
def test_scoring_changes_nothing(fitted: Fitted, name: str) -> None:
    before = [part.copy() for part in fitted.query.parts()]
    scorer = scorer_of(fitted, name)
    first = scorer.score(fitted.query)
    np.testing.assert_array_equal(first, scorer.score(fitted.query))
    for old, now in zip(before, fitted.query.parts(), strict=True):
        assert (old != now).nnz == 0


def half_known(fitted: Fitted) -> Query:
    """Every third customer is a stranger, the others have lost one thing or another."""
    query = fitted.query
    lost = [query.without_history(), query.without_purchases(), query.without_answers(), query]
    nothing = Query(*(sp.csr_matrix((N, part.shape[1])) for part in query.parts()))
    known = [lost[row % 4].one(row) if row % 3 else nothing.one(row) for row in range(N)]
    return stack(known)


@pytest.mark.parametrize("name", SOURCES)
def test_scores_of_pairs_are_those_of_everything(fitted: Fitted, name: str) -> None:
    query, random = half_known(fitted), np.random.default_rng(0)
    rows, columns = random.integers(0, N, (2, 500))
    reading = scorer_of(fitted, name).read(query)
    whole = scorer_of(fitted, name).score(query)
    np.testing.assert_array_equal(reading.table(), whole)
    np.testing.assert_allclose(
        reading.at(rows, columns), whole[rows, columns], rtol=1e-12, atol=1e-12
    )
    np.testing.assert_array_equal(reading.speaking, np.isfinite(whole).any(axis=1))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("trained", [1.0, 0.5])
def test_rough_scores_are_off_by_no_more_than_they_say(
    fitted: Fitted, name: str, trained: float
) -> None:
    query, random = half_known(fitted), np.random.default_rng(0)
    scorer = scorer_of(fitted, name)
    if name == Source.COLLABORATIVE:
        known = random.random(N) < trained
        scorer = replace(fitted.recommender.collaborative, trained=known)
    elif name == Source.CONTENT:
        bare = sp.csr_matrix(sp.diags_array((random.random(N) < trained).astype(float)))
        content = fitted.recommender.content
        scorer = replace(content, attributes=sp.csr_matrix(bare @ content.attributes))
    share, centre = random.random(N) + 0.5, 0.37
    expected = np.nan_to_num((scorer.score(query) - centre) * share[:, None])
    reading = scorer.read(query)
    for rows in (slice(0, N), slice(7, 23)):
        size = rows.stop - rows.start
        room = np.full((2, size, N), np.nan, dtype=np.float32)
        before = random.random((size, N)).astype(np.float32)
        total = before.copy()
        reading.add_to(total, rows, share[rows], centre, room)
        off = np.abs(total.astype(np.float64) - before - expected[rows]).max(axis=1)
        slack = 4 * 2.0**-24 * (1.0 + np.abs(expected[rows]).max(axis=1))  # adding to the rest
        assert (off <= share[rows] * reading.slip(centre)[rows] + slack).all()


@pytest.mark.parametrize("name", PERSONAL)
def test_of_a_stranger_nothing_can_be_said(fitted: Fitted, name: str) -> None:
    stranger = Query(*(sp.csr_matrix((1, part.shape[1])) for part in fitted.query.parts()))
    assert np.isnan(scorer_of(fitted, name).score(stranger)).all()


def test_popularity_speaks_to_everybody(fitted: Fitted) -> None:
    stranger = Query(*(sp.csr_matrix((2, part.shape[1])) for part in fitted.query.parts()))
    assert np.isfinite(scorer_of(fitted, Source.POPULARITY).score(stranger)).all()


@pytest.mark.parametrize("name", SOURCES)
def test_no_customers_no_scores(fitted: Fitted, name: str) -> None:
    nobody = fitted.query.take(np.array([], dtype=np.int64))
    assert scorer_of(fitted, name).score(nobody).shape == (0, N)


def test_collaborative_says_nothing_of_an_offer_without_interactions(fitted: Fitted) -> None:
    scorer = fitted.recommender.collaborative
    trained = scorer.trained.copy()
    trained[3] = False
    score = replace(scorer, trained=trained).score(fitted.query)
    assert np.isnan(score[:, 3]).all()
    assert np.isfinite(np.delete(score, 3, axis=1)).all()


def test_stacked_queries_keep_their_rows(fitted: Fitted) -> None:
    parts = [fitted.query.take(np.array([5, 6])), fitted.query.take(np.array([0]))]
    joined = stack(parts)
    expected = fitted.query.take(np.array([5, 6, 0]))
    for ours, theirs in zip(joined.parts(), expected.parts(), strict=True):
        assert (ours != theirs).nnz == 0
