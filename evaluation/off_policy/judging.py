"""One policy judged on one measure: every estimate, the gain over what was logged, the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from evaluation.off_policy.chances import Chances
from evaluation.off_policy.estimators import (
    Clipped,
    clipping_curve,
    direct_method,
    doubly_robust,
    gain_over_logged,
    inverse_propensity,
    self_normalised,
)
from evaluation.off_policy.logged import Log
from evaluation.off_policy.overlap import Overlap, judge_overlap
from evaluation.off_policy.position import position_model
from evaluation.off_policy.weights import PolicyEstimate

UNSEEN = "unseen"  # chance of what was never logged, as a measure of its own
HEADLINE = "dr"  # the estimator to read


@dataclass(frozen=True)
class Judged:
    """One policy on one measure.

    Attributes
    ----------
    estimates : dict of str to PolicyEstimate
        By estimator: dr (the one to read), snips, ips, dm, and position, whose interval is for
        these customers rather than for others like them.
    gain : PolicyEstimate
        Doubly robust estimate less what was logged, on the same rows.
    clipping : tuple of Clipped
        The doubly robust estimate with its weights clipped.
    overlap : Overlap
        With the verdict.
    """

    estimates: dict[str, PolicyEstimate]
    gain: PolicyEstimate
    clipping: tuple[Clipped, ...]
    overlap: Overlap


def judge(log: Log, chances: Chances, predicted: np.ndarray, name: str) -> Judged:
    """Estimate one measure under a policy whose chances are known.

    Parameters
    ----------
    chances : Chances
        Of the policy, with the means of the measure and of `UNSEEN`.
    predicted : ndarray of float, shape (impressions,)
        What the reward model expects of each logged row.
    name : str
        Of the measure, a key of `log.answered`.
    """
    reward, expected = log.answered[name], chances.means[name]
    logged = reward, log.propensity, chances.target
    robust = partial(doubly_robust, *logged, predicted, expected, log.customer)
    mass = float(chances.mass.sum())
    unsupported = float(chances.means[UNSEEN].sum()) / mass if mass else 1.0
    return Judged(
        estimates={
            HEADLINE: robust(),
            "snips": self_normalised(*logged, log.customer),
            "ips": inverse_propensity(*logged, log.customer),
            "dm": direct_method(expected, log.customer),
            "position": position_model(*logged, log.visit, log.customer),
        },
        gain=gain_over_logged(*logged, predicted, expected, log.customer),
        clipping=clipping_curve(lambda clip: robust(clip=clip)),
        overlap=judge_overlap(*logged, log.customer, unsupported=unsupported, mass=chances.mass),
    )
