"""Fitting the ridges: whom each offer is for, by segment, and by profile and survey answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recommender.base import Query, Source
from recommender.encoders import Encoders
from recommender.features.kinship import Kinship
from recommender.features.spending import Spending
from recommender.fitting.lifts import Kin, fit_traits
from recommender.fitting.rates import Chances
from recommender.fitting.shrinkage import axes_of
from recommender.scoring.traits import TraitRidge, Traits, traits_of


def fit_ridges(
    query: Query, encoders: Encoders, chances: Chances, kin: Kin, seed: int
) -> tuple[TraitRidge, TraitRidge]:
    """Fit what segments, and what profiles and answers, let expect.

    Parameters
    ----------
    query : Query
        Everybody's; behaviour stands for answers that were not given.
    chances : Chances
        Redemptions, and the chances there were for them.
    kin : Kin
        What else tells whom an offer is for.

    Returns
    -------
    segment, profile : TraitRidge
    """
    demographics, wallet, survey = encoders.demographics, encoders.wallet, encoders.survey
    about = [survey.offer_of(row, encoders.offer_rows) for row in range(len(survey.questions))]
    asked = np.zeros(len(encoders.offer_ids), dtype=bool)
    asked[[row for row in about if row is not None]] = True

    def fit(source: Source, axes: np.ndarray, *blocks: Sequence[np.ndarray]) -> TraitRidge:
        def layout(rows: np.ndarray) -> Traits:
            return traits_of(query.take(rows), source, demographics, wallet)

        return fit_traits(layout, blocks, chances, kin, asked, axes, seed)

    named = len(demographics.names), len(demographics.crosses), len(wallet.names)
    columns = np.arange(sum(named) + len(survey.questions))
    _, crosses, goods, answers = np.split(columns, np.cumsum(named))
    profile = [*demographics.blocks.values(), *([crosses] if len(crosses) else [])]
    return (
        # A segment holds many customers: what each offer owes to it is told well enough.
        fit(Source.SEGMENT, np.zeros((len(asked), 0)), [np.arange(query.segment.shape[1])]),
        fit(Source.SURVEY, axes_of(chances, seed), profile, [goods], [answers]),
    )


def kin_of(
    kinship: Kinship,
    attributes: sp.csr_matrix,
    category: pd.Series[str],
    spend: Spending,
    purchases: sp.csr_matrix,
) -> Kin:
    """Say what tells whom an offer is for before anybody takes it.

    Parameters
    ----------
    kinship : Kinship
    attributes : csr_matrix, shape (offers, attributes)
    category : Series of str, shape (offers,)
    spend : Spending
        On what each offer is for.
    purchases : csr_matrix, shape (customers, keys)
        What they spend by purchase key, in units.
    """
    return Kin(
        kinship,
        kinship.lay_out(attributes, category),
        lambda rows: _interest(spend.rows(rows)),
        _interest(purchases),
    )


def _interest(spend: sp.csr_matrix) -> sp.csr_matrix:
    """Return interest that grows slower than money."""
    interest = spend.copy()
    interest.data = np.log1p(interest.data)
    return interest
