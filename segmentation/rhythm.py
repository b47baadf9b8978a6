"""How likely a customer is to stay away: silence and own rhythm, learnt from the past alone.

A penalised logistic regression says how likely a customer is to buy nothing in the days to come.
It is fitted on earlier moments of the same history, whose days to come are known by now. Its
coefficients keep to their signs, so that a longer silence never lowers the probability. Beside it
the model keeps how long, at their own pace, customers were silent who came back (a conformal
p-value; Vovk, Gammerman & Shafer 2005). The own pace is that of a gamma-Poisson stream, as in the
NBD model of buying (Ehrenberg 1959; Schmittlein, Morrison & Colombo 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from segmentation.visits import HALF_LIVES, LEAST_BASKETS, basket_features, baskets_before, in_days

SEEN_WITHIN = 60.0  # days of silence beyond which the model cannot say how likely a return is
HORIZON = 56
STEP, MOST_CUTS = 28, 6  # days between the moments learnt from, and how many there are at most
LEAST_HISTORY = 42  # days before a moment that is learnt from
FEWEST, FEWEST_EACH = 200, 20  # rows learnt from, and rows with either outcome
STRENGTH = 0.03  # inverse of the penalty on squared coefficients, as C in scikit-learn
WEEK = 7.0  # pseudo-days that keep short histories from extreme paces
GRID = 2000  # at most so many past silences are kept in a model

# What goes into the model, each with how it moves while a customer is silent: +1 it grows, -1 it
# falls, 0 it stands still. A coefficient never has the opposite sign.
TERMS = {
    "log_pace": -1,
    "improbable_silence": 1,
    "gaps_as_long": -1,
    **{f"recent_{days}": -1 for days in HALF_LIVES},
    **{f"chance_recent_{days}": 1 for days in HALF_LIVES},
    "log_spend_28": -1,
    "log_spend_56": -1,
    "gap_log_mean": 0,
    "gap_log_sd": 0,
    "value_log_mean": 0,
}


@dataclass(frozen=True, eq=False)
class RhythmModel:
    """Probability of no basket in the next `horizon_days`, as plain arrays.

    Attributes
    ----------
    names : tuple of str
        The terms, keys of `TERMS`.
    centre, scale, coefficients : ndarray of float, shape (terms,)
        How terms are standardised, and their weights.
    intercept : float
    horizon_days : int
    silences : ndarray of float
        Ascending: how improbable the silences were, at their own pace, of customers who came back.
    """

    names: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    intercept: float
    horizon_days: int
    silences: np.ndarray

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """Return P(no basket in the next days), shape (customers,); NaN where it cannot say."""
        terms = _terms(features, self.horizon_days, self.names)
        z = (terms - self.centre) / self.scale @ self.coefficients + self.intercept
        return np.where(eligible(features), _logistic(z), np.nan)

    def p_value(self, features: pd.DataFrame) -> np.ndarray:
        """Return the share of past silences of returning customers at least as improbable."""
        n, now = len(self.silences), _improbability(features)
        return np.asarray((n - np.searchsorted(self.silences, now) + 1) / (n + 1))


def fit_rhythm(
    transactions: pd.DataFrame, at: pd.Timestamp, horizon_days: int = HORIZON
) -> RhythmModel | None:
    """Learn from earlier moments who bought nothing in the days that followed.

    The moments are `at` less the horizon, and up to five more, four weeks apart, each with
    `LEAST_HISTORY` days before it: whatever is learnt from ends before `at`.

    Returns
    -------
    RhythmModel or None
        None where the moments give fewer than `FEWEST` rows of customers with a rhythm, or fewer
        than `FEWEST_EACH` of those who stayed away or of those who came.
    """
    baskets, now = baskets_before(transactions, at), in_days(at)
    terms, gone, silences = [], [], []
    earliest = baskets.day.min(initial=np.inf) + LEAST_HISTORY
    for cut in now - horizon_days - STEP * np.arange(MOST_CUTS):
        if cut < earliest:
            break
        features = basket_features(baskets.until(cut), cut)
        later = baskets.day >= cut
        owners, days = baskets.owner[later], baskets.day[later]
        known = pd.Index(baskets.ids).get_indexer(features.index)
        comes = np.bincount(owners[days < cut + horizon_days], minlength=len(baskets.ids)) > 0
        returns = np.bincount(owners, minlength=len(baskets.ids)) > 0
        able = eligible(features)
        terms.append(_terms(features[able], horizon_days, tuple(TERMS)))
        gone.append(~comes[known[able]])
        settled = (features["baskets"] >= LEAST_BASKETS).to_numpy() & returns[known]
        silences.append(_improbability(features[settled]))
    rows = sum(map(len, gone))
    if rows < FEWEST:
        return None
    x, y = np.concatenate(terms), np.concatenate(gone).astype(np.float64)
    if min(y.sum(), rows - y.sum()) < FEWEST_EACH:
        return None
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    coefficients, intercept = _regress((x - centre) / scale, y)
    past = np.sort(np.concatenate(silences))
    if len(past) > GRID:
        past = np.quantile(past, (np.arange(GRID) + 0.5) / GRID)
    return RhythmModel(tuple(TERMS), centre, scale, coefficients, intercept, horizon_days, past)


def eligible(features: pd.DataFrame) -> np.ndarray:
    """Tell for whom a probability can be given: enough baskets, and seen lately."""
    enough = features["baskets"] >= LEAST_BASKETS
    return np.asarray(enough & (features["recency_days"] <= SEEN_WITHIN))


def _improbability(features: pd.DataFrame) -> np.ndarray:
    """-log of the chance of a silence as long, for a pace that is itself only estimated."""
    silent = features["recency_days"].to_numpy()
    span = features["tenure_days"].to_numpy() - silent
    return np.asarray((features["visits"].to_numpy() + 0.5) * np.log1p(silent / (span + WEEK)))


def _terms(features: pd.DataFrame, horizon_days: int, names: tuple[str, ...]) -> np.ndarray:
    """Transform features to the model's terms, shape (customers, terms); nothing is missing."""
    of = {str(name): column.to_numpy(dtype=np.float64) for name, column in features.items()}
    silent, visits = of["recency_days"], of["visits"]
    span = of["tenure_days"] - silent + WEEK
    pace = (visits + 1) / (of["tenure_days"] + WEEK + 1)
    terms = {
        "log_pace": np.log(pace),
        "improbable_silence": _improbability(features),
        "gaps_as_long": np.log((of["longer_gaps"] + 0.5) / visits),
        "log_spend_28": np.log1p(of["spend_28"]),
        "log_spend_56": np.log1p(of["spend_56"]),
        "gap_log_mean": np.where(
            np.isnan(of["gap_log_mean"]), np.log(span / visits), of["gap_log_mean"]
        ),
        "gap_log_sd": np.where(np.isnan(of["gap_log_sd"]), 1.0, of["gap_log_sd"]),
        "value_log_mean": of["value_log_mean"],
    }
    for days in HALF_LIVES:
        # A short history has had no time to fill a long half-life.
        filled = 1 - 0.5 ** (of["history_days"] / days)
        recent = of[f"recent_{days}"]
        terms[f"recent_{days}"] = np.log((recent + 0.3) / filled)
        terms[f"chance_recent_{days}"] = np.exp(-horizon_days * np.log(2) / days * recent)
    return np.column_stack([terms[name] for name in names])


def _logistic(z: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))


def _regress(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit a ridge logistic regression whose coefficients keep to the signs of `TERMS`."""

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ w[:-1] + w[-1]
        value = (np.logaddexp(0.0, z) - y * z).sum() + (w[:-1] ** 2).sum() / (2 * STRENGTH)
        slip = _logistic(z) - y
        return float(value), np.append(x.T @ slip + w[:-1] / STRENGTH, slip.sum())

    bounds = [{1: (0.0, None), -1: (None, 0.0), 0: (None, None)}[sign] for sign in TERMS.values()]
    start = np.append(np.zeros(x.shape[1]), np.log(y.mean() / (1 - y.mean())))
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)],
        options={"maxiter": 500},
    ).x  # fmt: skip
    return found[:-1], float(found[-1])
