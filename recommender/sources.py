"""Fitting the six sources at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.errors import DataError
from data.idmap import IdMap
from data.schema import CLICK, CUSTOMER_ID, IMPRESSION, OCCURRED_AT, OFFER_ID
from recommender.base import Query, Source
from recommender.content import ContentScorer, default_weight, offer_attributes
from recommender.demographics import build_demographics
from recommender.factors import fit_factors
from recommender.facts import Encoders, interactions_of
from recommender.hybrid import prior_hybrid
from recommender.keys import KeySpace, build_keys
from recommender.model import Recommender
from recommender.popularity import Chances, RateScorer, estimate_rates
from recommender.survey import Survey, behave_as_answers, build_survey, relate_answers
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.segments import SegmentModel

SHOWN_FIRST = 0.9  # share of redeemed pairs with an impression from which showing counts as logged
SCALE_SAMPLE = 1000


@dataclass(frozen=True)
class Fitted:
    """The sources at one moment, blended by the prior, and everybody's queries there.

    Attributes
    ----------
    recommender : Recommender
        With the weights believed before validation.
    ids : IdMap
        The customers, in the rows of the arrays.
    query : Query
        What is known of each.
    behaved : csr_matrix, shape (customers, 2 · questions)
        The survey answers that behaviour stands for.
    profile_segment : csr_matrix, shape (customers, segments)
        Segments told from attributes alone, as for somebody who has not bought yet.
    """

    recommender: Recommender
    ids: IdMap
    query: Query
    behaved: sp.csr_matrix
    profile_segment: sp.csr_matrix


def fit_sources(
    dataset: Dataset,
    at: pd.Timestamp,
    features: pd.DataFrame,
    segments: SegmentModel | None,
    seed: int = 0,
) -> Fitted:
    """Fit every source to the rows before a moment.

    Parameters
    ----------
    dataset : Dataset
        Rows before `at`, with offers.
    features : DataFrame
        The six features by customer id at that moment.
    segments : SegmentModel or None
        Segments fitted to them.
    """
    ids, offers = dataset.customer_ids, dataset.offer_ids
    history, _ = interactions_of(dataset, ids, offers)
    keys = build_keys(dataset)
    survey = build_survey(dataset, np.asarray(history.sum(axis=0)).ravel())
    encoders = Encoders(
        offer_ids=offers.ids.astype(np.str_),
        keys=keys,
        demographics=build_demographics(dataset.customers),
        survey=survey,
        segments=segments,
    )
    query = encoders.query_dataset(dataset, features, ids)
    spend = _spend_behind(query.purchases, keys)
    rates = estimate_rates(_chances(dataset, at, spend, keys))
    behaved = behave_as_answers(survey, dataset, history, spend)
    answers = _prefer(query.answers, behaved, survey)
    table = dataset.offers.set_index(OFFER_ID).reindex(offers.ids)
    content = ContentScorer(keys, offer_attributes(table.reset_index()), default_weight(keys))

    def by_group(
        source: Source, member: sp.csr_matrix, relation: np.ndarray | None = None
    ) -> RateScorer:
        lift = rates.lift(member, relation)
        alone = np.zeros(lift.shape, dtype=bool) if relation is None else relation > 0
        return RateScorer(str(source), rates.log_rate, lift, alone)

    collaborative = fit_factors(history, seed)
    nobody = np.empty((0, len(offers)))
    popularity = RateScorer(str(Source.POPULARITY), rates.log_rate, nobody, nobody.astype(bool))
    sample = query.take(_sample(len(ids), seed))
    return Fitted(
        recommender=Recommender(
            encoders=encoders,
            collaborative=collaborative,
            content=content,
            segment=by_group(Source.SEGMENT, query.segment),
            demographic=by_group(Source.DEMOGRAPHIC, query.demographic),
            survey=by_group(Source.SURVEY, answers, relate_answers(survey, table["category"])),
            popularity=popularity,
            hybrid=prior_hybrid(rates.log_rate, collaborative.score(sample), content.score(sample)),
        ),
        ids=ids,
        query=query,
        behaved=behaved,
        profile_segment=_profile_segment(dataset, encoders, ids, features),
    )


def find_segments(
    features: pd.DataFrame, k: int | None, seed: int, previous: SegmentModel | None = None
) -> tuple[Segmentation | None, str]:
    """Segment customers if anything tells them apart; else say why not.

    Segments that continue some of the `previous` ones keep their names.
    """
    try:
        return segment_customers(features, k=k, seed=seed, previous=previous), ""
    except DataError as error:
        return None, error.problem


def sample_of(fitted: Fitted, seed: int) -> Query:
    """Return the queries of the customers that scales are taken from."""
    return fitted.query.take(_sample(len(fitted.ids), seed))


def _sample(n: int, seed: int) -> np.ndarray:
    if n <= SCALE_SAMPLE:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, SCALE_SAMPLE, replace=False))


def _spend_behind(purchases: sp.csr_matrix, keys: KeySpace) -> sp.csr_matrix:
    """Sum the spend on what each offer is for, in units: shape (customers, offers).

    That is its items; for an offer that names none, the first level that it does name.
    """
    total = sp.csr_matrix((purchases.shape[0], keys.offer_keys.shape[0]))
    open_offers = np.ones(keys.offer_keys.shape[0], dtype=bool)
    for rows, offers in keys.by_level:
        here = open_offers & (np.diff(offers.indptr) > 0)
        total = total + (purchases[:, rows] @ offers) @ sp.diags_array(here / keys.unit)
        open_offers &= ~here
    return sp.csr_matrix(total)


def _chances(dataset: Dataset, at: pd.Timestamp, spend: sp.csr_matrix, keys: KeySpace) -> Chances:
    """Collect redemptions and the chances there were for them."""
    ids, offers = dataset.customer_ids, dataset.offer_ids
    shape = (len(ids), len(offers))

    def count(frame: pd.DataFrame) -> sp.csr_matrix:
        rows, columns = ids.rows(frame[CUSTOMER_ID]), offers.rows(frame[OFFER_ID])
        return sp.csr_matrix((np.ones(len(frame)), (rows, columns)), shape=shape)

    events = count(dataset.events(dataset.positive_type() or CLICK))
    shown = count(dataset.events(IMPRESSION))
    pairs = events.astype(bool)
    first = pd.concat([dataset.interactions[OCCURRED_AT], dataset.transactions[OCCURRED_AT]]).min()
    table = dataset.offers.set_index(OFFER_ID).reindex(offers.ids)
    begin = table["valid_from"].fillna(first)
    end = table["valid_until"].fillna(at)
    span = max((at - first) / pd.Timedelta(days=1), 1.0) if pd.notna(first) else 1.0
    begin, end = begin.where(begin > first, first), end.where(end < at, at)
    days = (end - begin).dt.total_seconds().to_numpy(dtype=np.float64) / 86_400
    live = np.maximum(days, 1.0) / span
    logged = events.nnz > 0 and pairs.multiply(shown.astype(bool)).nnz >= SHOWN_FIRST * pairs.nnz
    return Chances(
        events=events,
        shown=shown if logged else None,
        live=np.nan_to_num(live, nan=1.0),
        spend=spend,
        placed=np.diff(keys.offer_keys.indptr) > 0,
    )


def _prefer(given: sp.csr_matrix, behaved: sp.csr_matrix, survey: Survey) -> sp.csr_matrix:
    """Take the answer given where there is one, else the one that behaviour stands for."""
    answered = sp.csr_matrix(given[:, 0::2] + given[:, 1::2])
    twice = sp.csr_matrix(sp.kron(answered, np.ones((1, 2)))) if survey.questions else given
    return sp.csr_matrix(given + behaved - behaved.multiply(twice))


def _profile_segment(
    dataset: Dataset, encoders: Encoders, ids: IdMap, features: pd.DataFrame
) -> sp.csr_matrix:
    """Place customers by what their profile says, leaving out all that purchases told."""
    table = features.reindex(pd.Index(ids.ids, dtype="str")).copy()
    table[:] = np.nan
    stated = dataset.customers.set_index(CUSTOMER_ID)
    for name in ("age", "annual_income", "spending_score"):
        table[name] = stated[name].reindex(table.index)
    return encoders.segment_membership(table.to_numpy(dtype=np.float64))
