"""Learning the weights of the hybrid, and of the levels of content, from past moments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from data.dataset import valid_at
from data.schema import CUSTOMER_ID, OFFER_ID
from recommender.base import Query
from recommender.calibration import Trials, fit_calibration
from recommender.hybrid import Hybrid, corner_shares, prior_hybrid
from recommender.listwise import Lists, fit_listwise
from recommender.model import Recommender
from recommender.sources import Fitted, find_segments, fit_sources, sample_of
from recommender.survey import information
from recommender.validation import Fold
from segmentation.features import customer_features

CONTENT_STRENGTH, HYBRID_STRENGTH = 10.0, 10.0
MOST_LISTS = 1500
MOST_CELLS = 1_500_000  # customers times offers of one past moment: 50 bytes each, several times
MASKED_WEIGHT = 0.3  # a list with knowledge masked counts less than the real one
ASKED, ANSWERED = 12, 6  # a masked customer answered 6 of the 12 most informative questions


@dataclass(frozen=True)
class Judged:
    """Sources fitted at a past moment with what was redeemed after it.

    Attributes
    ----------
    fitted : Fitted
        The sources as of that moment.
    rows : ndarray of int, shape (n,)
        Customers with something taken, as rows of the fitted arrays.
    columns : ndarray of int, shape (c,)
        Offers that were on offer to at least one of them.
    taken : ndarray of float, shape (n, c)
        One where the customer took the offer.
    candidate : ndarray of bool, shape (n, c)
        Where the offer was on offer.
    trials : tuple of ndarrays
        Customer rows, offer columns, number of showings, taken or not: for calibration.
    logged : bool
        Whether the trials say what showing leads to.
    """

    fitted: Fitted
    rows: np.ndarray
    columns: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    trials: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    logged: bool


def judge(fold: Fold, k: int | None, seed: int = 0) -> Judged:
    """Fit the sources to the past of a fold and lay out what happened after it.

    Parameters
    ----------
    fold : Fold
        The moment.
    k : int or None
        Number of segments; None for no segments.
    """
    features = customer_features(fold.past, fold.at).values
    found, _ = find_segments(features, k, seed) if k else (None, "")
    segments = None if found is None else found.model
    fitted = fit_sources(fold.past, fold.at, features, segments, seed)
    ids, offers = fitted.ids, fold.past.offer_ids
    taken = fold.taken[ids.known(fold.taken[CUSTOMER_ID])]
    owner, offer = ids.rows(taken[CUSTOMER_ID]), offers.rows(taken[OFFER_ID])
    rows = np.unique(owner)
    most = min(MOST_LISTS, max(1, MOST_CELLS // max(1, len(offers))))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    marks = sp.csr_matrix((np.ones(len(owner)), (owner, offer)), shape=(len(ids), len(offers)))
    table = fold.past.offers.set_index(OFFER_ID).reindex(offers.ids)
    valid = valid_at(table, fold.at) if fold.by_time else np.ones(len(offers), dtype=bool)
    repeatable = table["repeatable"].fillna(False).to_numpy(dtype=bool)
    gone = np.asarray(fitted.query.redeemed[rows].todense() > 0) & ~repeatable
    positive = np.asarray(marks[rows].todense()) > 0
    candidate = (valid & ~gone) | positive
    columns = np.flatnonzero(candidate.any(axis=0))
    return Judged(
        fitted=fitted,
        rows=rows,
        columns=columns,
        taken=positive[:, columns].astype(np.float64),
        candidate=candidate[:, columns],
        trials=_trials(fold, fitted, marks, valid, ~repeatable, most, seed),
        logged=fold.logged,
    )


def learn(fitted: Fitted, judged: list[Judged], seed: int = 0) -> Recommender:
    """Give fitted sources the weights that past moments speak for.

    Parameters
    ----------
    fitted : Fitted
        The sources at the model's moment.
    judged : list of Judged
        Past moments; with none, the prior stands.
    """
    weight = _content_weight(fitted, judged)
    recommender = _with_content(fitted, weight, seed)
    past = [_with_content(part.fitted, weight, seed) for part in judged]
    variants = [_variants(part, seed) for part in judged]
    lists = []
    for part, model, queries in zip(judged, past, variants, strict=True):
        for share, query in queries:
            features = model.hybrid.standardise(model.scores(query)[:, part.columns])
            corners = corner_shares(query)
            lists.append(Lists(features, corners, part.taken, part.candidate, share))
    prior = recommender.hybrid
    learnt = fit_listwise(lists, prior.weight, HYBRID_STRENGTH)
    trials = [
        _scored(part, replace(model, hybrid=replace(model.hybrid, weight=learnt)))
        for part, model in zip(judged, past, strict=True)
        if part.logged
    ]
    slope, intercept, calibrated = fit_calibration(trials)
    hybrid = replace(prior, weight=learnt, slope=slope, intercept=intercept, calibrated=calibrated)
    return replace(recommender, hybrid=hybrid)


def _content_weight(fitted: Fitted, judged: list[Judged]) -> np.ndarray:
    """Learn what each level of content is worth."""
    lists = []
    for part in judged:
        query = part.fitted.query.take(part.rows)
        content = part.fitted.recommender.content
        speaks = content.can_say(query).any(axis=1)
        features = content.features(query.take(np.flatnonzero(speaks)))[:, part.columns]
        everywhere = np.ones((len(features), 1))
        lists.append(Lists(features, everywhere, part.taken[speaks], part.candidate[speaks]))
    prior = fitted.recommender.content.weight[:, None]
    return fit_listwise(lists, prior, CONTENT_STRENGTH)[:, 0]


def _with_content(fitted: Fitted, weight: np.ndarray, seed: int) -> Recommender:
    """Replace the weights of content and take the hybrid's scales anew."""
    model = replace(fitted.recommender, content=replace(fitted.recommender.content, weight=weight))
    sample = sample_of(fitted, seed)
    hybrid: Hybrid = prior_hybrid(
        model.popularity.base, model.collaborative.score(sample), model.content.score(sample)
    )
    return replace(model, hybrid=hybrid)


def _variants(part: Judged, seed: int) -> list[tuple[float, Query]]:
    """Return the customers as they were, and as if less had been known of them."""
    fitted = part.fitted
    query = fitted.query.take(part.rows)
    nothing = sp.csr_matrix(query.history.shape)
    no_history = replace(query, history=nothing, redeemed=nothing)
    no_purchases = replace(
        query,
        purchases=sp.csr_matrix(query.purchases.shape),
        segment=fitted.profile_segment[part.rows],
    )
    stranger = replace(
        no_purchases,
        history=nothing,
        redeemed=nothing,
        answers=_some_answers(fitted, part.rows, seed),
    )
    masked = [(MASKED_WEIGHT, variant) for variant in (no_history, no_purchases, stranger)]
    silent = replace(stranger, answers=sp.csr_matrix(query.answers.shape))
    return [(1.0, query), *masked, (MASKED_WEIGHT, silent)]


def _some_answers(fitted: Fitted, rows: np.ndarray, seed: int) -> sp.csr_matrix:
    """Keep a few answers of each customer, drawn at random from what a survey would ask."""
    survey = fitted.recommender.survey
    answers = np.asarray(fitted.behaved[rows].todense())
    if not answers.shape[1]:
        return fitted.behaved[rows]
    asked = np.argsort(-information(survey.lift, survey.base), kind="stable")[:ASKED]
    order = np.random.default_rng(seed).random((len(answers), len(asked))).argsort(axis=1)
    kept = np.zeros((len(answers), answers.shape[1] // 2), dtype=bool)
    kept[:, asked] = order < ANSWERED
    return sp.csr_matrix(answers * np.repeat(kept, 2, axis=1))


def _trials(
    fold: Fold,
    fitted: Fitted,
    marks: sp.csr_matrix,
    valid: np.ndarray,
    once: np.ndarray,
    most: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lay out what was shown to a sample of customers after a moment, and whether it was taken."""
    shown = fold.shown[fitted.ids.known(fold.shown[CUSTOMER_ID])]
    rows = fitted.ids.rows(shown[CUSTOMER_ID])
    columns = fold.past.offer_ids.rows(shown[OFFER_ID])
    people = np.unique(rows)
    if len(people) > most:
        people = np.random.default_rng(seed).choice(people, most, replace=False)
    kept = np.isin(rows, people) & valid[columns]
    if len(rows):
        redeemed = np.asarray(fitted.query.redeemed[rows, columns]).ravel() > 0
        kept &= ~(redeemed & once[columns])
    rows, columns = rows[kept], columns[kept]
    taken = np.asarray(marks[rows, columns]).ravel() if len(rows) else np.empty(0)
    return rows, columns, shown["n"].to_numpy(dtype=np.float64)[kept], taken > 0


def _scored(part: Judged, model: Recommender) -> Trials:
    """Score what was shown."""
    rows, columns, shown, taken = part.trials
    people, place = np.unique(rows, return_inverse=True)
    score = model.blend(part.fitted.query.take(people)).score
    return Trials(score[place, columns], shown, taken)
