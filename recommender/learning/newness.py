"""What past lists say of new offers, and what is believed where they say nothing."""

from __future__ import annotations

import numpy as np

from recommender.base import Source
from recommender.past.judging import Judged
from recommender.past.moments import FEWEST_EVENTS
from recommender.scoring.terms import KNOWN, NEW, OF_NEW, PRIOR


def repeats_of(judged: list[Judged]) -> np.ndarray:
    """Say how many taken offers tell as much of each term as one does: shape (terms,).

    What is expected of a new offer is the same for every customer, and offers differ for reasons of
    their own: twenty who take one of them do not make that twenty times as sure of the others. It
    is as many as a taken offer has takers, on average (Moulton 1986). Where showing is logged new
    offers are told apart by how others of their merchant did, and the lists are to say what that is
    worth.
    """
    taken = offers = 0.0
    for part in judged:
        if part.showings is None:
            new = 1.0 - part.fitted.recommender.hybrid.known
            count = np.bincount(_taken(part), minlength=len(new))
            taken += float(new @ count**2)
            offers += float(new @ count)
    ratio = taken / offers if offers else 1.0
    return np.array([ratio if term in OF_NEW else 1.0 for term in PRIOR])


def tell_of_new(judged: list[Judged]) -> bool:
    """Tell whether past lists say how offers that nobody had redeemed are to be told apart."""
    known = [part.fitted.recommender.hybrid.known[_taken(part)] for part in judged]
    return bool(sum(np.count_nonzero(one == 0) for one in known) >= FEWEST_EVENTS)


def let_popularity_tell(weight: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Let popularity tell new offers apart, as it does known ones, as far as content does not.

    It is believed to be silent of new offers where content speaks. Where content turned out to say
    less than was believed, and no past list had new offers, nothing would say which is any good.

    Parameters
    ----------
    weight, prior : ndarray of float, shape (terms, corners)
        What was learnt, and what was believed before.
    """
    told, terms = weight.copy(), list(PRIOR)
    content, known, new = (terms.index(term) for term in (Source.CONTENT, KNOWN, NEW))
    speaks = prior[content] > 0
    loud = np.minimum(weight[content] / np.where(speaks, prior[content], 1.0), 1.0)
    told[new] = np.maximum(weight[new], speaks * (1.0 - loud) * weight[known])
    return told


def _taken(part: Judged) -> np.ndarray:
    """Return the offer of each pair that was taken."""
    return np.asarray(part.whole.columns[part.whole.taken])
