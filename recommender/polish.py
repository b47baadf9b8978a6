"""Polishing weights by what lists are judged by.

A likelihood asks how probable each offer is, a list only which come first: where the two disagree,
as they do when a few offers are bought again and again among thousands, likelihood alone loses. So
the learnt weights are scaled source by source where past lists become better by more than chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.yardstick import ndcg

STEPS = (0.25, 0.5, 2.0)
ROUNDS = 4
SURE = 2.0  # standard errors by which a step must gain; many steps are tried


@dataclass(frozen=True)
class Sums:
    """Lists whose scores are sums of parts.

    Attributes
    ----------
    parts : ndarray of float, shape (f, n, offers)
        What each feature adds at weight one.
    taken : ndarray of bool, shape (n, offers)
    candidate : ndarray of bool, shape (n, offers)
    weight : float
        How much each of these lists counts.
    """

    parts: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    weight: float = 1.0


def polish(sums: list[Sums], start: np.ndarray) -> np.ndarray:
    """Scale the parts of sums for the best NDCG@10.

    Parameters
    ----------
    sums : list of Sums
        Without any list the start is returned.
    start : ndarray of float, shape (f,)
        Scales to start from; a part at zero may come back at one half or one.

    Returns
    -------
    ndarray of float, shape (f,)
    """
    share = np.concatenate([np.full(len(one.taken), one.weight) for one in sums] or [np.empty(0)])
    if not share.sum():
        return start.copy()

    def judge(scale: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [
                ndcg(np.einsum("f,fno->no", scale, one.parts), one.taken, one.candidate)
                for one in sums
            ]
        )

    scale, value = start.copy(), judge(start)
    share = share / share.sum()
    for _ in range(ROUNDS):
        before = scale.copy()
        for row in range(len(scale)):
            steps = [scale[row] * step for step in STEPS] if scale[row] else [0.5, 1.0]
            tried = []
            for step in steps:
                trial = scale.copy()
                trial[row] = step
                found = judge(trial) if trial.any() else np.zeros_like(value)
                gap = found - value
                gain = float(share @ gap)
                error = float(np.sqrt((share**2) @ (gap - gain) ** 2))
                tried.append((gain - SURE * error, trial, found))
            best = max(tried, key=lambda one: one[0])
            if best[0] > 0:
                scale, value = best[1], best[2]
        if np.array_equal(scale, before):
            break
    return scale
