"""Customers flagged as possible fraud teach nothing, and rules withhold offers from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from api.opening import Opening, open_house
from data.dataset import Dataset
from data.errors import SettingsError, UsageError
from data.settings import Settings
from recommender.bundle import Bundle
from recommender.commands.options import rules_of
from recommender.facts import Facts
from recommender.fitting.sources import fit_sources
from recommender.past.thinning import without
from recommender.recipe import Recipe
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.serving.withholding import parse_rules, withhold
from segmentation.features import customer_features
from segmentation.kinds import FRAUD, KINDS


@pytest.mark.slow
def test_a_flood_of_redemptions_of_suspects_moves_nothing(small_dataset: Dataset) -> None:
    at = small_dataset.moment_after()
    offer = str(small_dataset.offer_ids.ids[0])
    again = small_dataset.offers.assign(repeatable=small_dataset.offers["offer_id"] == offer)
    small_dataset = replace(small_dataset, offers=again)
    cheat = str(small_dataset.customer_ids.ids[0])
    flood = pd.DataFrame(
        {
            "customer_id": cheat,
            "offer_id": offer,
            "event_type": "redemption",
            "occurred_at": at - pd.Timedelta(days=1) + pd.to_timedelta(np.arange(500), unit="s"),
        }
    )
    log = pd.concat([small_dataset.interactions, flood], ignore_index=True)
    flooded = replace(small_dataset, interactions=log)
    features = customer_features(small_dataset, at).values

    def rate(dataset: Dataset, suspects: frozenset[str]) -> float:
        fitted = fit_sources(dataset, at, features, None, trusted=without(dataset, suspects))
        return float(fitted.recommender.popularity.base[0])

    honest = rate(small_dataset, frozenset([cheat]))
    assert rate(flooded, frozenset([cheat])) == pytest.approx(honest)
    assert rate(flooded, frozenset()) > honest + 0.5


def test_the_bundle_knows_who_is_flagged(small_bundle: Bundle) -> None:
    query = small_bundle.customers.query
    assert query is not None
    table = small_bundle.anomalies
    odd = table[table["flagged"].astype(bool)]
    assert query.flagged.nnz == len(odd)
    for row in odd.itertuples():
        found = query.flagged[small_bundle.customer_ids.row(row.customer_id)].indices
        assert [KINDS[place] for place in found] == [row.kind]


def test_flagged_customers_are_not_shown_what_rules_withhold(small_bundle: Bundle) -> None:
    query = small_bundle.customers.query
    assert query is not None
    offers = small_bundle.offers.assign(kind=np.where(np.arange(40) % 2, "cashback", "gift"))
    flagged = query.flagged.tolil()
    flagged[0] = 0
    flagged[0, KINDS.index(FRAUD)] = 1
    flagged[1] = 0
    query = replace(query, flagged=flagged.tocsr()).take(np.array([0, 1]))
    service = Service(
        replace(small_bundle, offers=offers), parse_rules("Possible fraud = CASHBACK")
    )
    wish = Wish(at=small_bundle.moment, n=100, include_seen=True)
    suspect, other = service.recommend(query, wish)
    assert {offers["kind"].iloc[one.row] for one in suspect.offers} == {"gift"}
    assert {offers["kind"].iloc[one.row] for one in other.offers} == {"gift", "cashback"}


@pytest.mark.parametrize("kind", ["İndirim", "ΕΚΠΤΩΣΕΙΣ"])
def test_a_rule_withholds_a_kind_of_any_alphabet(kind: str) -> None:
    offers = pd.DataFrame({"kind": pd.Series([kind, "gift", None], dtype="str")})
    mask = withhold(parse_rules(f"{FRAUD}={kind}"), offers)
    assert mask[KINDS.index(FRAUD)].tolist() == [True, False, False]


def test_somebody_whose_records_were_corrected_stays_flagged(small_bundle: Bundle) -> None:
    query = small_bundle.customers.query
    assert query is not None
    flagged = sp.csr_matrix(np.ones(query.flagged.shape))
    customers = replace(small_bundle.customers, query=replace(query, flagged=flagged))
    service = Service(replace(small_bundle, customers=customers))
    name, at = str(customers.ids[0]), small_bundle.moment
    assert service.query(name, Facts(), at, whole=True).flagged.toarray().all()
    assert not service.query("nobody", Facts(), at, whole=True).flagged.nnz


@pytest.mark.parametrize("text", ["fraud=cashback", "possible fraud", "vip=", "=x"])
def test_a_rule_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="is no rule"):
        parse_rules(text)


def test_a_rule_of_the_settings_is_configuration() -> None:
    settings = Settings(withhold="xx")
    assert rules_of("", settings) == {}
    with pytest.raises(SettingsError, match="NBO_WITHHOLD cannot be used: 'xx' is no rule"):
        rules_of(None, settings)
    with pytest.raises(SettingsError, match="NBO_WITHHOLD"):
        open_house(Opening(model="nowhere", at=None, host="localhost"), settings)


def test_no_rules_withhold_nothing() -> None:
    assert parse_rules(" ; ") == {}


@pytest.mark.slow
def test_the_recipe_may_learn_from_suspects(small_dataset: Dataset) -> None:
    from recommender.training import train

    whole, careful = (
        train(small_dataset, recipe=Recipe(learn_from_suspects=learn)) for learn in (True, False)
    )
    assert whole.recipe != careful.recipe
    assert not any("not learnt from" in note for note in whole.notes)
