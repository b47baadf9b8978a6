"""Past lists as sums of parts, the long ones cut to what is likely to come first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.base import Query
from recommender.past.layout import MOST_CANDIDATES, Layout, Score, evenly, in_chunks, score_listed
from recommender.serving.ranking import top

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
    whole : bool
        Whether they hold all their candidates.
    """

    parts: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    weight: float = 1.0
    whole: bool = True

    def few(self, most: int) -> Sums:
        """Keep so many of the lists."""
        kept = evenly(len(self.taken), most)
        return replace(
            self,
            parts=self.parts[:, kept],
            taken=self.taken[kept],
            candidate=self.candidate[kept],
        )


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
        np.concatenate(parts, axis=1),
        np.concatenate(taken),
        np.concatenate(candidate),
        share,
        whole=part.columns.shape[1] <= width,
    )
