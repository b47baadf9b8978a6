"""The ridges of segments and profiles, and what they are told to leave out of their trials."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from data.schema import ABOUT_CATEGORY, ABOUT_OFFER
from recommender.bundle import Bundle
from recommender.fitting import ridges
from recommender.fitting.ridges import fit_ridges


def test_an_offer_called_as_a_category_that_is_asked_about_is_no_question(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, query = small_bundle.recommender, small_bundle.customers.query
    assert model is not None
    assert query is not None
    questions = model.encoders.survey.questions
    category = next(
        name.removeprefix(ABOUT_CATEGORY) for name in questions if name.startswith(ABOUT_CATEGORY)
    )
    about = [name.removeprefix(ABOUT_OFFER) for name in questions if name.startswith(ABOUT_OFFER)]
    ids = model.encoders.offer_ids.astype(object)
    ids[np.flatnonzero(~np.isin(model.encoders.offer_ids, about))[0]] = category
    names = ids.astype(np.str_)
    told = []

    def fit(*rest: Any) -> Any:
        told.append(rest[4])

    monkeypatch.setattr(ridges, "fit_traits", fit)
    monkeypatch.setattr(ridges, "axes_of", lambda *rest: np.zeros((len(names), 0)))
    nothing = cast(Any, None)
    fit_ridges(query, replace(model.encoders, offer_ids=names), nothing, nothing, 0)
    for asked in told:
        assert names[asked].tolist() == sorted(about)
