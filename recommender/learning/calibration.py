"""From relative scores to the probability of a redemption if shown (Platt 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from recommender.learning.pointwise import SPREAD, first_guess, surprise

FEWEST_TAKEN = 20  # they tell a level within a quarter; priors hold the rest
# Log-odds by which a column of the profile may move people; by how well people left out are told.
SPREADS = (SPREAD, 0.25, 0.12, 0.06)
PARTS, MOST_LEFT_OUT = 4, 2000  # of the customers, and customers, for that
STEPS, PRECISE = 30, 1e-8  # of Newton's method, and of the loss by which it must still improve


@dataclass(frozen=True)
class Trials:
    """Pairs that were shown, their scores, how often they were shown, and how often taken.

    Attributes
    ----------
    score : ndarray of float, shape (pairs,)
    shown, taken : ndarray of float, shape (pairs,)
    about : ndarray of float, shape (pairs, columns)
        What is known of the customer beside the score.
    owner : ndarray of int, shape (pairs,)
        The customer, by a number.
    stranger : ndarray of float, shape (pairs,), or float
        How far the customer is a stranger (see `recommender.features.corners`).
    """

    score: np.ndarray
    shown: np.ndarray
    taken: np.ndarray
    about: np.ndarray
    owner: np.ndarray
    stranger: np.ndarray | float = 0.0


@dataclass(frozen=True)
class Calibration:
    """Log-odds of a redemption per showing: intercept + slope · score + about · what is known.

    For strangers the slope is `stranger` times as much, and `of_strangers` is added.

    Attributes
    ----------
    slope, intercept : float
    about : ndarray of float, shape (columns,)
    calibrated : bool
        Whether they were fitted.
    stranger, of_strangers : float
    """

    slope: float
    intercept: float
    about: np.ndarray
    calibrated: bool
    stranger: float = 1.0
    of_strangers: float = 0.0


def fit_calibration(
    trials: list[Trials],
    masked: Sequence[Trials] = (),
    of_corners: int = 0,
    of_profile: int = 0,
) -> Calibration:
    """Fit the log-odds of a redemption per showing.

    Scores are sums of weights that were learnt of such showings, among others: their slope is held
    to one by a normal prior of standard deviation `SPREAD`, so that trials which hardly tell it, of
    offers that all were new, leave it there. Weights of what is known of customers are held to zero
    by a normal prior of standard deviation `SPREAD`; those of a profile, whose columns may be many,
    by that of `SPREADS` which tells customers who were left out best. What one customer did with
    several offers is no evidence of its own each time.

    Of those who were shown something and took nothing as little is known as of strangers, and they
    share their weights, but they are not like everybody: who passed over what most people take is
    told by popularity more steeply. Strangers are everybody, so they have a slope of their own.

    Parameters
    ----------
    masked : sequence of Trials
        The same as if less had been known of the customers: they say where those start of whom
        little is known, what the scores of strangers count, and nothing else.
    of_corners, of_profile : int
        How many columns of `about`, the first and the last ones, say how much is known and what a
        profile states.

    Returns
    -------
    Calibration
        Slope 1 and all else 0 where too little was taken, or a higher score does not mean more
        redemptions.
    """
    nothing = Calibration(1.0, 0.0, np.zeros(trials[0].about.shape[1] if trials else 0), False)
    if sum(float(part.taken.sum()) for part in trials) < FEWEST_TAKEN:
        return nothing
    whole = _Regression.of_trials(trials)
    penalty = np.full(whole.x.shape[1], 1 / SPREAD**2)
    penalty[1] = 0.0
    start = np.zeros(len(penalty))
    start[1] = first_guess(whole.shown.sum(), whole.taken.sum())
    if of_profile:
        owner = np.concatenate([one.owner for one in trials])
        penalty[-of_profile:] = 1 / _choose_spread(whole, owner, penalty, start, of_profile) ** 2
    weight = whole.fit(penalty, start)
    if not 1.0 + weight[0] > 0:
        return nothing
    if masked:
        every = _Regression.of_trials([*trials, *masked])
        corners = slice(2, 2 + of_corners)
        told = replace(every, x=every.x[:, corners], offset=every.offset + every.x @ weight)
        weight[corners] += told.fit(penalty[corners], np.zeros(of_corners))
    steeper, intercept, *about = weight
    found = Calibration(float(1.0 + steeper), float(intercept), np.array(about), True)
    return _with_strangers(found, weight, [*trials, *masked]) if masked else found


def _with_strangers(
    found: Calibration, weight: np.ndarray, trials: Sequence[Trials]
) -> Calibration:
    """Fit what the scores of strangers count, and what is added for them.

    One slope for all of a score: the order of a stranger's offers is that of the weights.
    """
    who = [np.broadcast_to(one.stranger, one.score.shape) for one in trials]
    told = _Regression.of_trials(trials).take(np.concatenate(who) == 1.0)
    x = np.column_stack([found.slope * told.offset, np.ones(len(told.offset))])
    own = replace(told, x=x, offset=told.offset + told.x @ weight)
    steeper, added = own.fit(np.full(2, 1 / SPREAD**2), np.zeros(2))
    if not 1.0 + steeper > 0:
        return found
    return replace(found, stranger=float(1.0 + steeper), of_strangers=float(added))


def _choose_spread(
    whole: _Regression, owner: np.ndarray, penalty: np.ndarray, start: np.ndarray, of_profile: int
) -> float:
    """Find the spread of a profile's columns by leaving out customers, a part of them at a time."""
    people, of_whom = np.unique(owner, return_inverse=True)
    random = np.random.default_rng(0)
    parts = max(PARTS, -(-len(people) * PARTS // MOST_LEFT_OUT))
    part = (random.permutation(len(people)) % parts)[of_whom]
    lost = np.zeros(len(SPREADS))
    for number in range(PARTS):
        left_out = whole.take(part == number)
        rest = whole.take((part < PARTS) & (part != number))
        weight = start
        for place, spread in enumerate(SPREADS):
            tried = np.r_[penalty[:-of_profile], np.full(of_profile, 1 / spread**2)]
            weight = rest.fit(tried, weight)
            lost[place] += left_out.surprise(weight)[0]
    return SPREADS[int(np.argmin(lost))]


@dataclass(frozen=True)
class _Regression:
    """A binomial regression: columns, what is given, how often shown and how often taken.

    Of trials the scores are given, and columns too: they may count more or less than that.
    """

    x: np.ndarray
    shown: np.ndarray
    taken: np.ndarray
    offset: np.ndarray

    @classmethod
    def of_trials(cls, trials: Sequence[Trials]) -> _Regression:
        return cls(
            np.concatenate(
                [np.column_stack([one.score, np.ones(len(one.score)), one.about]) for one in trials]
            ),
            np.concatenate([one.shown for one in trials]),
            np.concatenate([one.taken for one in trials]),
            np.concatenate([one.score for one in trials]),
        )

    def take(self, rows: np.ndarray) -> _Regression:
        return _Regression(self.x[rows], self.shown[rows], self.taken[rows], self.offset[rows])

    def surprise(self, weight: np.ndarray) -> tuple[float, np.ndarray]:
        value, residual = surprise(self.offset + self.x @ weight, self.shown, self.taken)
        return value, self.x.T @ residual

    def fit(self, penalty: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Find the weights by Newton's method, halving steps that go too far."""
        weight = start.copy()
        value, slope = self._loss(weight, penalty)
        trials = np.maximum(self.shown, self.taken)
        for _ in range(STEPS):
            chance = expit(self.offset + self.x @ weight)
            curve = self.x.T @ ((trials * chance * (1 - chance))[:, None] * self.x)
            curve.flat[:: len(curve) + 1] += penalty + PRECISE
            step = np.linalg.solve(curve, slope)
            before = value
            for _ in range(STEPS):
                value, slope = self._loss(weight - step, penalty)
                if value <= before:
                    break
                step /= 2
            else:
                return weight
            weight -= step
            if before - value <= PRECISE * max(1.0, abs(value)):
                break
        return weight

    def _loss(self, weight: np.ndarray, penalty: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = self.surprise(weight)
        return value + float(penalty @ weight**2) / 2, slope + penalty * weight
