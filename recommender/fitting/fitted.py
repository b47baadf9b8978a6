"""What is fitted at one moment: the sources, and the queries that they are looked at with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.idmap import IdMap
from recommender.base import Query
from recommender.model import Recommender

SCALE_SAMPLE, SCALE_CELLS = 1000, 3_000_000  # customers, and customers times offers


@dataclass(frozen=True)
class Fitted:
    """The sources at one moment, blended by the prior, and everybody's queries there.

    Attributes
    ----------
    recommender : Recommender
        With the weights believed before validation.
    ids : IdMap
        The customers, in the rows of the arrays.
    query : Query
        What is known of each.
    behaved : csr_matrix, shape (customers, 2 · questions)
        The survey answers that behaviour stands for.
    profile_segment : csr_matrix, shape (customers, segments)
        Segments told from attributes alone, as for somebody who has not bought yet.
    newcomers_follow : bool
        Whether trend tells what newcomers take.
    notes : tuple of str
        What was left out of what the tables say.
    """

    recommender: Recommender
    ids: IdMap
    query: Query
    behaved: sp.csr_matrix
    profile_segment: sp.csr_matrix
    newcomers_follow: bool = False
    notes: tuple[str, ...] = ()


def sample_of(fitted: Fitted, seed: int) -> Query:
    """Return the queries of the customers that scales are taken from."""
    return scale_sample(fitted.query, seed)


def scale_sample(query: Query, seed: int) -> Query:
    """Draw the customers that scales are taken from, fewer where there are many offers."""
    n, offers = query.history.shape
    most = min(SCALE_SAMPLE, max(1, SCALE_CELLS // max(1, offers)))
    if n <= most:
        return query.take(np.arange(n))
    return query.take(np.sort(np.random.default_rng(seed).choice(n, most, replace=False)))
