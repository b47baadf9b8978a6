"""Whether a probability is what it says: redemptions predicted and observed of later showings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION
from data.words import counted
from evaluation.protocol import FEWEST
from evaluation.splitting import Split
from recommender.fitting.chances import open_showings
from recommender.fitting.delays import fit_delays
from recommender.past.layout import in_chunks
from recommender.past.outcomes import outcomes_of
from recommender.service import Service

BINS = 10
PRECISE, STEPS = 1e-8, 1000  # of the fit of a slope, and of its search


@dataclass(frozen=True)
class Reliability:
    """Predicted and observed redemptions of what was shown after the moment, or held out.

    Attributes
    ----------
    slope : float
        Of the outcomes on the predicted log-odds; 1 is right, below it predictions are too bold,
        below 0 they are upside down. NaN where nothing tells it.
    shown, expected, observed : tuple of float
        By tenth of the showings, the least likely first: showings that could be redeemed, as far
        as their time has passed, redemptions predicted, and redemptions.
    """

    slope: float
    shown: tuple[float, ...]
    expected: tuple[float, ...]
    observed: tuple[float, ...]


def measure_reliability(service: Service, split: Split, dataset: Dataset) -> Reliability | str:
    """Hold probabilities against outcomes, of customers the model knows and offers open to them.

    Returns
    -------
    Reliability or str
        Why it is not measured.
    """
    if not service.calibrated:
        return "not measured: scores are relative, not probabilities"
    if not split.by_time and split.held is None:
        return "not measured: only what was taken was held out at random, nothing shown in vain"
    counts = what_came(split, dataset)
    counts = counts[service.bundle.customer_ids.known(counts[CUSTOMER_ID])]
    taken = int(counts["taken"].sum())
    if taken < FEWEST:
        told = counted(taken, "redemption")
        return f"not measured: {told} of what was shown, {FEWEST} tell a slope"
    found = hold(log_odds_of(service, counts), counts)
    return "not measured: all is foretold alike" if np.isnan(found.slope) else found


def what_came(split: Split, dataset: Dataset) -> pd.DataFrame:
    """Count what was shown after the moment and could be redeemed, as far as its time has passed.

    Of showings held out at random a redemption may be that of any.

    Returns
    -------
    DataFrame
        customer_id, offer_id, how often it was shown, `n`, and how often `taken`.
    """
    later = split.later(dataset)
    showings = open_showings(dataset, later[later[EVENT_TYPE] == IMPRESSION])
    passed = fit_delays(dataset, split.until).passed(showings, split.until)
    redeemed = later[later[EVENT_TYPE] == REDEMPTION]
    if not split.by_time:
        showings, redeemed = (
            rows.assign(**{OCCURRED_AT: split.until}) for rows in (showings, redeemed)
        )
    counts = outcomes_of(dataset, showings, passed, redeemed)
    return counts[counts[OFFER_ID].isin(split.candidates)]


def hold(log_odds: np.ndarray, counts: pd.DataFrame) -> Reliability:
    """Hold the log-odds of pairs, one for each row of `what_came`, against what came of them."""
    shown, taken = counts["n"].to_numpy(np.float64), counts["taken"].to_numpy(np.float64)
    order = np.argsort(log_odds, kind="stable")
    reached = np.cumsum(shown[order]) / shown.sum()
    part = np.minimum((reached * BINS).astype(np.int64), BINS - 1)

    def by_part(values: np.ndarray) -> tuple[float, ...]:
        return tuple(np.bincount(part, weights=values[order], minlength=BINS).tolist())

    return Reliability(
        slope=_slope(log_odds, shown, taken),
        shown=by_part(shown),
        expected=by_part(expit(log_odds) * shown),
        observed=by_part(taken),
    )


def _slope(log_odds: np.ndarray, shown: np.ndarray, taken: np.ndarray) -> float:
    """Fit slope and level of the outcomes on the log-odds; NaN where nothing tells them.

    Without the priors that a model is fitted with: these would hold the slope to what is asked.
    """
    if taken.sum() < FEWEST or np.ptp(log_odds) == 0:
        return np.nan
    weight = np.concatenate([taken, np.maximum(shown - taken, 0.0)])
    came, counts = np.repeat([1, 0], len(taken)), weight > 0
    if came[counts].all():
        return np.nan
    x = np.tile(log_odds - log_odds.mean(), 2)[:, None]
    fit = LogisticRegression(C=np.inf, tol=PRECISE, max_iter=STEPS)
    return float(fit.fit(x[counts], came[counts], weight[counts]).coef_[0, 0])


def log_odds_of(service: Service, counts: pd.DataFrame) -> np.ndarray:
    """Score pairs of a customer whom the model knows and an offer: shape (pairs,)."""
    bundle, model = service.bundle, service.recommender
    query = bundle.customers.query
    if query is None:
        return np.empty(0)
    people, place = np.unique(bundle.customer_ids.rows(counts[CUSTOMER_ID]), return_inverse=True)
    columns = counts[OFFER_ID].map(model.encoders.offer_rows).to_numpy(dtype=np.int64)
    asked, score = query.take(people), np.empty(len(counts))
    order = np.argsort(place, kind="stable")
    begin = np.searchsorted(place[order], np.arange(len(people) + 1))
    # Every offer is scored, whatever was shown: of a large catalogue few customers at once.
    for rows in in_chunks(asked):
        if len(rows):
            here = order[begin[rows[0]] : begin[rows[-1] + 1]]
            score[here] = model.blend(asked.take(rows)).score[place[here] - rows[0], columns[here]]
    return score
