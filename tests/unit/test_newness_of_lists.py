"""Where past lists tell nothing of new offers, popularity does as far as content fails to."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.base import Source
from recommender.learning.newness import let_popularity_tell
from recommender.scoring.terms import KNOWN, NEW, PRIOR

TERMS = list(PRIOR)
CONTENT, OF_KNOWN, OF_NEW = (TERMS.index(term) for term in (Source.CONTENT, KNOWN, NEW))


@pytest.mark.parametrize(("content", "told"), [(0.0, 1.2), (0.5, 0.6), (1.0, 0.0), (2.0, 0.0)])
def test_popularity_tells_as_much_as_content_fails_to(content: float, told: float) -> None:
    prior = np.array(list(PRIOR.values()))
    weight = prior.copy()
    weight[CONTENT] = content * prior[CONTENT]
    weight[OF_KNOWN] = 1.2
    found = let_popularity_tell(weight, prior)
    nobody, _, bought, both = found[OF_NEW]
    assert (bought, both) == pytest.approx((told, told))
    assert nobody == prior[OF_NEW][0], "content was never to speak to a stranger"
    np.testing.assert_array_equal(np.delete(found, OF_NEW, 0), np.delete(weight, OF_NEW, 0))


def test_what_was_learnt_of_new_offers_is_never_less() -> None:
    prior = np.array(list(PRIOR.values()))
    weight = prior.copy()
    weight[OF_NEW], weight[CONTENT] = 3.0, 0.0
    np.testing.assert_array_equal(let_popularity_tell(weight, prior), weight)
