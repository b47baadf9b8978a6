"""Whether logged decisions can tell of another policy at all: overlap, and the verdict.

An interval is only as good as the weights it is made from. With few rows that count, or one that
counts for many, the standard error is itself a guess, and usually too small (Owen, 2013, "Monte
Carlo theory, methods and examples", chapter 9). So an estimate is refused, with the reason, before
anybody reads its interval. Refusing by the answers alone would choose by the outcome: they weigh
evenly just where no heavy row was answered, which makes the estimate too small as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.words import counted
from evaluation.off_policy.weights import clustered_error, effective_size, weights_of

ESTIMABLE, NOT_ESTIMABLE = "estimable", "not estimable"
# The error of a standard error from n rows is about 1 / sqrt(2 n): 7 % at a hundred.
LEAST_EFFECTIVE = 100.0
# Below one row in a thousand, a fault in a thousandth of the logged propensities can be all there
# is to see.
LEAST_SHARE = 0.001
# One row that is a twentieth of all decides the value by its own answer.
MOST_OF_ONE = 0.05
# The rule of ten for the normal interval of a rate, in answers as they weigh, and as they would at
# the logged rate whichever rows were answered.
LEAST_ANSWERS = 10.0
# Weights average one where all that the other policy shows could be logged; a twentieth of its
# offers unseen can move a rate by as much.
MOST_UNSUPPORTED = 0.05
# Standard errors by which the weights' average must miss before chance is no excuse.
SURE = 4.0


@dataclass(frozen=True)
class Overlap:
    """How much of another policy the log holds.

    Attributes
    ----------
    n : int
        Rows.
    effective_sample_size, effective_share : float
        Rows that the weighted ones are worth, and their share of all (Kish, 1965).
    largest_weight, largest_share : float
        The heaviest row, and its share of all weight.
    answers, expected_answers : float
        The answered rows likewise: how many equally weighted ones they are worth. And how many
        answers rows worth that many have at the logged rate.
    mean_weight : float
        One, but for chance, where propensities are right and hold all that the policy shows.
    unsupported : float
        Share of what the policy shows that the log never shows, or with an unknown chance.
    reasons : tuple of str
        Why nothing can be estimated; empty where it can.
    """

    n: int
    effective_sample_size: float
    effective_share: float
    largest_weight: float
    largest_share: float
    answers: float
    expected_answers: float
    mean_weight: float
    unsupported: float
    reasons: tuple[str, ...]

    @property
    def estimable(self) -> bool:
        """Whether estimates from these weights may be read."""
        return not self.reasons

    @property
    def verdict(self) -> str:
        """``estimable``, or ``not estimable: why``."""
        return f"{NOT_ESTIMABLE}: {'; '.join(self.reasons)}" if self.reasons else ESTIMABLE


def judge_overlap(
    reward: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    customer: np.ndarray | None = None,
    *,
    unsupported: float = 0.0,
    mass: np.ndarray | None = None,
) -> Overlap:
    """Judge whether another policy can be estimated from logged decisions.

    Parameters
    ----------
    reward, propensity, target, customer
        As of `evaluation.off_policy.estimators.inverse_propensity`.
    unsupported : float
        Share of the other policy's chances, summed over rows and offers, that falls on offers
        whose logging propensity is zero or unknown (see `unsupported_share`).
    mass : ndarray of float, shape (n,), optional
        Chance that the other policy shows anything at the row's place; one if not given. It is less
        where its list is shorter.
    """
    weight = weights_of(propensity, target)
    total, n = float(weight.sum()), len(weight)
    mass = np.ones(n) if mass is None else mass
    effective = effective_size(weight)
    largest = float(weight.max())
    largest_share = largest / total if total else 1.0
    answers = effective_size(weight * reward)
    expected = effective * float(reward.mean())
    gap = float((weight - mass).mean())
    error, _ = clustered_error(weight - mass - gap, customer)
    reasons = []
    if total == 0:
        reasons.append("nothing of what it would show was logged")
    elif effective < max(LEAST_EFFECTIVE, LEAST_SHARE * n):
        least = max(LEAST_EFFECTIVE, LEAST_SHARE * n)
        reasons.append(
            f"{counted(n, 'shown position is', 'shown positions are')} worth {effective:,.1f} of "
            f"it, {least:,.0f} are needed"
        )
    if total and largest_share > MOST_OF_ONE:
        reasons.append(f"one position is {largest_share:.0%} of all weight")
    if total and answers < LEAST_ANSWERS:
        reasons.append(f"the answers are worth {answers:.1f}, {LEAST_ANSWERS:.0f} are needed")
    elif total and expected < LEAST_ANSWERS:
        reasons.append(
            f"at the logged rate what it would show has {expected:.1f} answers, "
            f"{LEAST_ANSWERS:.0f} are needed"
        )
    if unsupported > MOST_UNSUPPORTED:
        reasons.append(f"{unsupported:.0%} of what it shows was never logged")
    if abs(gap) > max(MOST_UNSUPPORTED * float(mass.mean()), SURE * error):
        reasons.append(
            f"weights average {float(weight.mean()):.2f} where {float(mass.mean()):.2f} is due: "
            "the propensities do not fit what was shown"
        )
    if np.isnan(error):
        reasons.append("one customer tells nothing of others")
    return Overlap(
        n=n,
        effective_sample_size=effective,
        effective_share=effective / n,
        largest_weight=largest,
        largest_share=largest_share,
        answers=answers,
        expected_answers=expected,
        mean_weight=float(weight.mean()),
        unsupported=float(unsupported),
        reasons=tuple(reasons),
    )


def unsupported_share(target: np.ndarray, propensity: np.ndarray) -> float:
    """Compute the share of a policy's chances where the logging propensity is zero or unknown.

    Parameters
    ----------
    target, propensity : ndarray of float, same shape
        Both policies' chance of every offer, over rows or over contexts; an unknown propensity is
        NaN.
    """
    lacking = ~(propensity > 0)
    total = float(target.sum())
    return float(target[lacking].sum() / total) if total else 0.0
