"""Polishing weights by what lists are judged by.

A likelihood asks how probable each offer is, a list only which come first: where the two disagree,
as they do when a few offers are bought again and again among thousands, likelihood alone loses. So
the learnt weights are scaled source by source where past lists become better by more than chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.base import Query
from recommender.layout import MOST_CANDIDATES, Layout, Score, in_chunks, score_listed
from recommender.ranking import top
from recommender.sharing import share_out
from recommender.yardstick import ndcg

STEPS = (0.25, 0.5, 0.7, 1.4, 2.0)
ROUNDS = 4
SURE = 2.0  # standard errors by which a step must gain; several are tried
SURE_OF_MANY = 2.5  # the same where there are many parts, and so many more steps
LEANINGS = (4.0, 16.0)
MANY, CERTAIN = 1000.0, 0.002  # very many lists, and standard error of a gain for a part to lead
PLENTY = 2000.0  # lists that tell small gains from chance: then one standard error will do
POOL = 300  # offers of a long list that may come first under other weights


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


def pool(
    score: Score,
    rough: Callable[[Query, np.ndarray], np.ndarray],
    unit: np.ndarray,
    starts: Sequence[np.ndarray],
    query: Query,
    part: Layout,
    share: float = 1.0,
) -> Sums:
    """Score long lists whole and keep of each what was taken and what is likely to come first.

    Parameters
    ----------
    score : callable
        Returns features of every offer, shape (f, n, offers), or of some.
    rough : callable
        Returns their sums by weights, shape (w, f, n), in single precision: (w, n, offers). Which
        of very many offers are likely needs no more.
    unit : ndarray of float, shape (f, n)
        What each feature of each list adds at scale one.
    starts : sequence of ndarray of float, shape (f,)
        Scales by which to tell what is likely to come first; by any of them.
    query : Query
        Of the n customers.
    part : Layout
        Their lists.
    share : float
        How much each list counts.
    """
    width = POOL + int(part.taken.sum(axis=1).max(initial=0))
    many = part.alike and part.columns.shape[1] > max(width, MOST_CANDIDATES)
    if part.columns.shape[1] <= width:
        starts = starts[:1]  # everything is kept anyway
    parts, taken, candidate = [], [], []
    for rows in in_chunks(query):
        asked, lists = query.take(rows), part.take(rows)
        if many:
            totals = rough(asked, np.stack(starts)[:, :, None] * unit[:, rows])
            totals = totals[:, :, part.columns[0]]
        else:
            features = score_listed(score, asked, lists) * unit[:, rows, None]
            totals = np.einsum("fno,wf->wno", features, np.stack(starts))
        leading = []
        for total in totals:
            total[lists.taken] = np.inf
            leading.append(top(total, lists.candidate, width))
        kept = np.concatenate(leading, axis=1)
        kept.sort(axis=1)  # else what was taken would stand first wherever scores are equal
        once = np.diff(kept, axis=1, prepend=-1) > 0
        if many:
            own = np.take_along_axis(lists.columns, kept, axis=1)
            parts.append(score(asked, own) * unit[:, rows, None])
        else:
            parts.append(np.take_along_axis(features, kept[None], axis=2))
        taken.append(np.take_along_axis(lists.taken, kept, axis=1) & once)
        candidate.append(np.take_along_axis(lists.candidate, kept, axis=1) & once)
    return Sums(
        np.concatenate(parts, axis=1), np.concatenate(taken), np.concatenate(candidate), share
    )


def polish(sums: list[Sums], start: np.ndarray, sure: float = SURE) -> np.ndarray:
    """Scale the parts of sums for the best NDCG@10.

    Parameters
    ----------
    sums : list of Sums
        Without any list the start is returned.
    start : ndarray of float, shape (f,)
        Scales to start from; a part at zero may come back at one half or one.
    sure : float
        Standard errors by which a step must gain.

    Returns
    -------
    ndarray of float, shape (f,)
    """
    share = _shares(sums)
    if not share.sum():
        return start.copy()
    scale, value = start.copy(), _judge(sums, start)
    telling = np.flatnonzero(np.any([one.parts.any(axis=(1, 2)) for one in sums], axis=0))
    for _ in range(ROUNDS):
        before = scale.copy()
        for row in telling:
            steps = [scale[row] * step for step in STEPS] if scale[row] else [0.5, 1.0]
            tried = []
            for step in steps:
                trial = scale.copy()
                trial[row] = step
                found = _judge(sums, trial) if trial.any() else np.zeros_like(value)
                gain, error = _gain(share, found - value)
                tried.append((gain - sure * error, trial, found))
            best = max(tried, key=lambda one: one[0])
            if best[0] > 0:
                scale, value = best[1], best[2]
        if np.array_equal(scale, before):
            break
    return scale


def polish_from(sums: list[Sums], starts: Sequence[np.ndarray]) -> np.ndarray:
    """Polish from several starts, since small steps may not lead from one to the other.

    Returns
    -------
    ndarray of float, shape (f,)
        The first start, polished, unless another is better by more than chance; of very many lists,
        by more than one standard error, as there are but a few starts; of plenty, at all.
    """
    share = _shares(sums)
    plenty = _are_many(share, PLENTY)
    sure = 0.0 if plenty else 1.0 if _are_many(share) else SURE
    best, *others = (polish(sums, start, 1.0 if plenty else SURE) for start in starts)
    if share.sum():
        for other in others:
            gain, error = _gain(share, _judge(sums, other) - _judge(sums, best))
            if gain > sure * error:
                best = other
    return best


def lean(sums: list[Sums], start: np.ndarray) -> np.ndarray:
    """Let a single part lead where very many past lists are no worse for it.

    Polishing asks for a gain beyond chance, so that a blend may stay a little below its best part.
    Of two that are as good the simpler one is the better, if it is sure how good they are.

    Parameters
    ----------
    sums : list of Sums
        Without any list the start is returned.
    start : ndarray of float, shape (f,)
        Scales to start from.

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
    for row in np.flatnonzero(start):
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
    """Return NDCG@10 of every list."""

    def judge(one: Sums) -> np.ndarray:
        return ndcg(_total(one.parts, scale), one.taken, one.candidate)

    return np.concatenate(share_out(judge, sums))


def _total(parts: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Sum up parts, shape (f, n, offers), by their scales; most of them count nothing."""
    total = np.zeros(parts.shape[1:])
    for row in np.flatnonzero(scale):
        total += scale[row] * parts[row]
    return total
