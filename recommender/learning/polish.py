"""Polishing weights by what lists are judged by.

A likelihood asks how probable each offer is, a list only which come first: where the two disagree,
as they do when a few offers are bought again and again among thousands, likelihood alone loses. So
the learnt weights are scaled source by source where past lists become better by more than chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recommender.learning.pooling import Sums
from recommender.learning.sharing import share_out
from recommender.learning.yardstick import ndcg

STEPS = (0.25, 0.5, 0.7, 1.4, 2.0)
ROUNDS = 4
SURE = 2.0  # standard errors by which a step must gain; several are tried
SURE_OF_MANY = 2.5  # the same where there are many parts, and so many more steps
LEANINGS = (4.0, 16.0)
MANY, CERTAIN = 1000.0, 0.002  # very many lists, and standard error of a gain for a part to lead
PLENTY = 2000.0  # lists that tell small gains from chance: then one standard error will do
POOLS = 4  # times that lists are held anew
FEW, SLIGHT = 100, 0.001  # lists of a kind, and by how much they may speak too well of scales


def polish(sums: list[Sums], start: np.ndarray, sure: np.ndarray | float = SURE) -> np.ndarray:
    """Scale the parts of sums for the best NDCG@10.

    Parameters
    ----------
    sums : list of Sums
        Without any list the start is returned.
    start : ndarray of float, shape (f,)
        Scales to start from; a part at zero may come back at one half or one.
    sure : ndarray of float, shape (f,), or float
        Standard errors by which a step must gain.

    Returns
    -------
    ndarray of float, shape (f,)
    """
    share = _shares(sums)
    if not share.sum():
        return start.copy()
    needed = np.broadcast_to(sure, start.shape)
    scale, totals = start.copy(), _totals(sums, start)
    value = _judged(sums, totals)
    telling = np.flatnonzero(np.any([one.parts.any(axis=(1, 2)) for one in sums], axis=0))
    for _ in range(ROUNDS):
        before = scale.copy()
        for row in telling.tolist():
            steps = [scale[row] * step for step in STEPS] if scale[row] else [0.5, 1.0]
            tried = []
            for step in steps:
                trial = scale.copy()
                trial[row] = step
                found = np.zeros_like(value)
                if trial.any():
                    found = _judged(sums, _moved(sums, totals, row, step - scale[row]))
                gain, error = _gain(share, found - value)
                tried.append((gain - needed[row] * error, trial))
            best = max(tried, key=lambda one: one[0])
            if best[0] > 0:
                scale, totals = best[1], _totals(sums, best[1])
                value = _judged(sums, totals)
        if np.array_equal(scale, before):
            break
    return scale


def polish_from(sums: list[Sums], starts: Sequence[np.ndarray]) -> np.ndarray:
    """Polish from several starts, since small steps may not lead from one to the other.

    Returns
    -------
    ndarray of float, shape (f,)
        The first start, polished, unless another is better (see `best_of`).
    """
    sure = 1.0 if _are_many(_shares(sums), PLENTY) else SURE
    return best_of(sums, [polish(sums, start, sure) for start in starts])


def best_of(sums: list[Sums], scales: Sequence[np.ndarray]) -> np.ndarray:
    """Return the first of some scales unless another is better by more than chance.

    Of very many lists that is more than one standard error, as there are but a few scales; of
    plenty, at all.
    """
    share = _shares(sums)
    sure = 0.0 if _are_many(share, PLENTY) else 1.0 if _are_many(share) else SURE
    best, *others = scales
    if share.sum():
        for other in others:
            gain, error = _gain(share, _judge(sums, other) - _judge(sums, best))
            if gain > sure * error:
                best = other
    return best


def settle(
    sums_of: Callable[[Sequence[np.ndarray], int | None], list[Sums]],
    starts: Sequence[np.ndarray],
    improve: Callable[[list[Sums], Sequence[np.ndarray]], np.ndarray],
) -> np.ndarray:
    """Improve scales by lists that hold what may come first, until these hold what does.

    Of a long list only what comes first by some scales is held, beside all that was taken. By other
    scales something else might come first, and a list without it would speak too well of them: then
    lists are held anew.

    Parameters
    ----------
    sums_of : callable
        Returns lists with what is likely to come first by any of some scales; all of them, or so
        many of each kind.
    starts : sequence of ndarray of float, shape (f,)
        Scales to start from.
    improve : callable
        Returns better scales, from such lists and scales to start from.

    Returns
    -------
    ndarray of float, shape (f,)
    """
    held, begin = list(starts), list(starts)
    for _ in range(POOLS):
        sums = sums_of(held, None)
        if len(held) > len(starts):
            begin = [best_of(sums, held)]
        found = improve(sums, begin)
        if all(one.whole for one in sums) or any(np.array_equal(found, one) for one in held):
            return found
        if _overrated([one.few(FEW) for one in sums], sums_of([found], FEW), found) < SLIGHT:
            return found
        held.append(found)
    return best_of(sums_of(held, None), held)


def _overrated(sums: list[Sums], led: list[Sums], scale: np.ndarray) -> float:
    """Say by how much lists speak too well of scales, beside those that hold what these lead to."""
    return float(_shares(sums) @ (_judge(sums, scale) - _judge(led, scale)))


def lean(sums: list[Sums], start: np.ndarray, leaders: int) -> np.ndarray:
    """Let a single part lead where very many past lists are no worse for it.

    Polishing asks for a gain beyond chance, so that a blend may stay a little below its best part.
    Of two that are as good the simpler one is the better, if it is sure how good they are.

    Parameters
    ----------
    sums : list of Sums
        Without any list the start is returned.
    start : ndarray of float, shape (f,)
        Scales to start from.
    leaders : int
        So many of the parts, the first, may lead.

    Returns
    -------
    ndarray of float, shape (f,)
        The start, or one of its scales a few times larger.
    """
    share = _shares(sums)
    best, most = start, 0.0
    if not _are_many(share):
        return start.copy()
    value = _judge(sums, start)
    for row in np.flatnonzero(start[:leaders]):
        for times in LEANINGS:
            trial = start.copy()
            trial[row] *= times
            gain, error = _gain(share, _judge(sums, trial) - value)
            if gain > most and error < CERTAIN:
                best, most = trial, gain
    return best.copy()


def _are_many(share: np.ndarray, many: float = MANY) -> bool:
    """Tell whether lists of such shares tell as much as very many alike."""
    return bool(share.sum()) and float((share**2).sum()) * many <= 1.0


def _shares(sums: list[Sums]) -> np.ndarray:
    """Say how much each list counts; together one, unless there is none."""
    share = np.concatenate([np.full(len(one.taken), one.weight) for one in sums] or [np.empty(0)])
    return share / max(float(share.sum()), 1e-12)


def _gain(share: np.ndarray, gap: np.ndarray) -> tuple[float, float]:
    """Return the mean difference and its standard error."""
    gain = float(share @ gap)
    return gain, float(np.sqrt((share**2) @ (gap - gain) ** 2))


def _judge(sums: list[Sums], scale: np.ndarray) -> np.ndarray:
    """Return NDCG@10 of every list, by scales of the parts."""
    return _judged(sums, _totals(sums, scale))


def _judged(sums: list[Sums], totals: list[np.ndarray]) -> np.ndarray:
    """Return NDCG@10 of every list, by its scores."""

    def judge(told: tuple[Sums, np.ndarray]) -> np.ndarray:
        one, total = told
        return ndcg(total, one.taken, one.candidate)

    return np.concatenate(share_out(judge, zip(sums, totals, strict=True)))


def _totals(sums: list[Sums], scale: np.ndarray) -> list[np.ndarray]:
    """Sum up parts by their scales; most of them count nothing."""

    def total(one: Sums) -> np.ndarray:
        found = np.zeros(one.parts.shape[1:])
        for row in np.flatnonzero(scale):
            found += scale[row] * one.parts[row]
        return found

    return share_out(total, sums)


def _moved(sums: list[Sums], totals: list[np.ndarray], row: int, by: float) -> list[np.ndarray]:
    """Return the scores if one part counted more or less."""

    def move(told: tuple[Sums, np.ndarray]) -> np.ndarray:
        one, total = told
        return np.asarray(total + by * one.parts[row])

    return share_out(move, zip(sums, totals, strict=True))
