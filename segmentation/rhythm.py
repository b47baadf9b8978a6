"""Who is drifting away: silence against a customer's own rhythm, learnt from the past alone.

A penalised logistic regression says how likely a customer is to buy nothing in the days to come.
It is fitted on earlier moments of the same history, whose days to come are known by now. Its
coefficients keep to their signs, so that a longer silence never lowers the probability. An alarm
asks another question: did customers who came back ever keep such a silence, at their own pace (a
conformal p-value; Vovk, Gammerman & Shafer 2005)? The own pace is that of a gamma-Poisson stream,
as in the NBD model of buying (Ehrenberg 1959; Schmittlein, Morrison & Colombo 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from data.dataset import microseconds, transaction_numbers
from data.schema import AMOUNT, CUSTOMER_ID, OCCURRED_AT
from data.words import counted

LEAST_BASKETS = 5  # below which nobody has a rhythm
SEEN_WITHIN = 60.0  # days of silence beyond which the model cannot say how likely a return is
HORIZON = 56
STEP, MOST_CUTS = 28, 6  # days between the moments learnt from, and how many there are at most
LEAST_HISTORY = 42  # days before a moment that is learnt from
FEWEST, FEWEST_EACH = 200, 20  # rows learnt from, and rows with either outcome
STRENGTH = 0.03  # inverse of the penalty on squared coefficients, as C in scikit-learn
DAY = 86_400_000_000  # microseconds
SAME_VISIT = 0.5  # baskets less than so many days after the one before are of the same visit
WEEK = 7.0  # pseudo-days that keep short histories from extreme paces
HALF_LIVES = (14, 28, 56)
LIKELY = 0.5  # probability from which a reason speaks of staying away rather than of the silence
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


@dataclass(frozen=True)
class _Baskets:
    """Baskets by customer, then time: arrays of shape (baskets,), and all customers' `ids`."""

    ids: np.ndarray
    owner: np.ndarray
    day: np.ndarray
    value: np.ndarray

    def until(self, end: float) -> _Baskets:
        kept = self.day < end
        return _Baskets(self.ids, self.owner[kept], self.day[kept], self.value[kept])


def rhythm_features(transactions: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    """Describe each customer's rhythm as it was known just before a moment.

    Parameters
    ----------
    transactions : DataFrame
        The transactions table; rows at or after `at` are not read, refunds are no baskets.
    at : Timestamp
        The moment that recency and recent paces are counted from.

    Returns
    -------
    DataFrame
        One row per customer with a basket, indexed by customer id: counts, days, money and the
        log of recency to the own mean gap; gaps are missing where there was one visit only.
    """
    return _features(_baskets(transactions, at), _days(at))


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
    baskets, now = _baskets(transactions, at), _days(at)
    terms, gone, silences = [], [], []
    earliest = baskets.day.min(initial=np.inf) + LEAST_HISTORY
    for cut in now - horizon_days - STEP * np.arange(MOST_CUTS):
        if cut < earliest:
            break
        features = _features(baskets.until(cut), cut)
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


def leaving(
    features: pd.DataFrame,
    model: RhythmModel | None,
    alarm_rate: float,
    *,
    least_probability: float = 0.0,
) -> pd.DataFrame:
    """Raise an alarm for customers whose own rhythm is broken.

    An alarm means: of the customers who came back, at most `alarm_rate` had been silent as
    improbably long at their own pace. Without a model it is the chance of the silence at the own
    pace alone, exp(-recency / gap), that is so small.

    Parameters
    ----------
    features, model
        As `rhythm_features` and `fit_rhythm` return them.
    alarm_rate : float
        Share of customers who would come back that may be flagged.
    least_probability : float
        An alarm asks for this probability of staying away as well. It does not by itself: regular
        buyers who were merely away came back in the past, which keeps the probability of the same
        customers low when they leave. Silence past `SEEN_WITHIN` has no probability and needs none.

    Returns
    -------
    DataFrame
        customer_id, probability (NaN where it cannot be told), alarm, reason (empty without an
        alarm); in the order of features.
    """
    gap, silent = features["gap_days"].to_numpy(), features["recency_days"].to_numpy()
    settled = (features["baskets"].to_numpy() >= LEAST_BASKETS) & (gap > 0)
    if model is None:
        probability = np.full(len(features), np.nan)
        p_value = np.exp(-np.divide(silent, gap, out=np.zeros_like(silent), where=settled))
    else:
        probability, p_value = model.probability(features), model.p_value(features)
    likely = np.isnan(probability) | (probability >= least_probability)
    alarm = settled & (p_value <= alarm_rate) & likely
    reason = np.full(len(features), "", dtype=object)
    for row in np.flatnonzero(alarm):
        days = counted(round(silent[row]), "day")
        words = f"no transaction for {days}, usually one every {gap[row]:.1f}"
        if model is not None and probability[row] >= LIKELY:
            likely_in = f"{100 * probability[row]:.0f} % likely to buy nothing in the next"
            words += f"; {likely_in} {model.horizon_days} days"
        else:
            share = max(1, np.ceil(1000 * p_value[row])) / 10
            words += f"; such a silence, at this pace, has a chance of {share:.1f} % or less"
        reason[row] = words
    columns = {"customer_id": features.index.to_numpy(), "probability": probability, "alarm": alarm}
    frame = pd.DataFrame({**columns, "reason": reason})
    return frame.astype({"customer_id": "str", "reason": "str"})


def _days(at: pd.Timestamp) -> float:
    # Timestamp.value is in nanoseconds whatever its unit.
    return at.value / 1000 / DAY


def _baskets(transactions: pd.DataFrame, at: pd.Timestamp) -> _Baskets:
    """Turn lines before a moment into baskets; names are made numbers here and nowhere else."""
    bought = (transactions[OCCURRED_AT] < at) & (transactions[AMOUNT] >= 0)
    lines = transactions[bought]
    owner, ids = pd.factorize(lines[CUSTOMER_ID], sort=True)
    number = transaction_numbers(lines)
    key = owner.astype(np.int64) * (number.max(initial=0) + 1) + number
    basket = pd.factorize(key)[0]
    n = int(basket.max(initial=-1)) + 1
    of = np.empty(n, dtype=np.int64)
    of[basket] = owner
    day = np.full(n, np.inf)
    np.minimum.at(day, basket, microseconds(lines[OCCURRED_AT]).to_numpy(dtype=np.int64) / DAY)
    value = np.bincount(basket, weights=lines[AMOUNT].to_numpy(dtype=np.float64), minlength=n)
    order = np.lexsort((day, of))
    return _Baskets(np.asarray(ids), of[order], day[order], value[order])


def _features(baskets: _Baskets, now: float) -> pd.DataFrame:
    """Aggregate baskets, all before now, to customers; the columns are named as they are used."""
    owner, ago = baskets.owner, now - baskets.day
    n = int(owner.max(initial=-1)) + 1

    def total(of: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(of, weights=weights, minlength=n).astype(np.float64)

    first = np.diff(owner, prepend=-1) != 0
    last = np.diff(owner, append=n) != 0
    # Gaps are between visits: several baskets in one evening are no faster rhythm.
    visit = first | (-np.diff(ago, prepend=np.inf) >= SAME_VISIT)
    who, when = owner[visit], ago[visit]
    again = np.diff(who, prepend=-1) == 0
    gap, whose = -np.diff(when, prepend=np.inf)[again], who[again]
    recency, tenure = np.full(n, np.nan), np.full(n, np.nan)
    recency[owner[last]], tenure[owner[first]] = ago[last], ago[first]
    gaps = total(whose)
    log_gap = np.log(gap)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_gap = total(whose, gap) / gaps
        mean_log = total(whose, log_gap) / gaps
        spread = np.sqrt(np.maximum(total(whose, log_gap**2) / gaps - mean_log**2, 0.0))
        spread[gaps < 2] = np.nan
        table = {
            "baskets": total(owner),
            "visits": total(who),
            "recency_days": recency,
            "tenure_days": tenure,
            "history_days": np.full(n, ago.max(initial=0.0)),
            "gap_days": mean_gap,
            "log_ratio": np.log(np.maximum(recency, 1e-3) / mean_gap),
            "gap_log_mean": mean_log,
            "gap_log_sd": spread,
            "longer_gaps": total(whose[gap > recency[whose]]),
            **{f"recent_{days}": total(who, 0.5 ** (when / days)) for days in HALF_LIVES},
            "spend_28": total(owner[ago <= 28], baskets.value[ago <= 28]),
            "spend_56": total(owner[ago <= 56], baskets.value[ago <= 56]),
            "value_log_mean": total(owner, np.log1p(baskets.value)) / total(owner),
        }
    frame = pd.DataFrame(table, index=pd.Index(baskets.ids[:n], dtype="str", name=CUSTOMER_ID))
    return frame[frame["baskets"] > 0]


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
