"""What an offer is like tells whom it is for, as far as offers alike agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import expit

from data.dataset import Dataset
from recommender.batch import recommend_batch
from recommender.features.kinship import Kinship
from recommender.fitting.relatives import fit_by_attribute
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

POOLED = Kinship(True, np.empty(0, dtype=np.str_))
START = pd.Timestamp("2025-01-01", tz="UTC")


def test_a_group_says_about_the_mean_of_its_redemptions() -> None:
    events = np.array([400.0, 100.0, 300.0, 0.0])
    group = sp.csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=float))
    cross = np.array([[80.0, 40.0, -60.0, 0.0]])  # per redemption .2, .4, -.2
    alone = fit_by_attribute(cross, events, group, np.ones((1, 1)), pooled=False)[0]
    assert alone.tolist() == pytest.approx([120 / 500, -0.2])
    like = POOLED.lay_out(group, pd.Series(dtype="str"))
    told = fit_by_attribute(cross, events, like, np.ones((1, 1)), pooled=True)[0]
    assert told[0] + told[1] == pytest.approx(120 / 500, rel=0.02)
    assert told[0] + told[2] == pytest.approx(-0.2, rel=0.02)


def test_attributes_that_tell_nothing_are_held_back() -> None:
    random = np.random.default_rng(0)
    offers, width = 80, 40
    noise = sp.csr_matrix((random.random((offers, width)) < 0.3).astype(float))
    events = random.integers(5, 50, offers).astype(float)
    cross = random.normal(size=(6, offers)) * np.sqrt(events)
    like = POOLED.lay_out(noise, pd.Series(dtype="str"))
    held = fit_by_attribute(cross, events, like, np.eye(6), pooled=True)[:, 1:]
    plain = (noise.T @ sp.diags_array(events) @ noise).toarray() + np.eye(width)
    free = np.linalg.solve(plain, noise.T @ cross.T)
    assert np.abs(held).mean() < 0.3 * np.abs(free).mean()


def test_offers_of_which_nothing_is_known_say_nothing_of_others() -> None:
    cross, events = np.ones((2, 3)), np.ones(3)
    like = POOLED.lay_out(sp.csr_matrix((3, 2)), pd.Series(dtype="str"))
    assert not fit_by_attribute(cross, events, like, np.eye(2), pooled=True).any()


def test_without_showings_offers_are_kin_by_category_alone() -> None:
    category = pd.Series(["b", "a", None, "b"], dtype="str")
    attributes = sp.csr_matrix(np.ones((4, 3)))
    kinship = Kinship.of(category, rated=False)
    assert kinship.lay_out(attributes, category).toarray().tolist() == [
        [0, 1], [1, 0], [0, 0], [0, 1],
    ]  # fmt: skip
    new = pd.Series(["a", "never seen"], dtype="str")
    assert kinship.lay_out(attributes[:2], new).toarray().tolist() == [[1, 0], [0, 0]]
    assert Kinship.of(category, rated=True).lay_out(attributes, category).shape == (4, 4)


@pytest.mark.parametrize("dated", [True, False])
def test_where_no_category_is_stated_all_attributes_tell_of_what_is_open_to_all(
    dated: bool,
) -> None:
    none = pd.Series([None] * 4, dtype="str")
    attributes = sp.csr_matrix(np.ones((4, 3)))
    kinship = Kinship.of(none, rated=False, dated=dated)
    assert kinship.lay_out(attributes, none).shape == ((4, 0) if dated else (4, 4))


@pytest.mark.slow
def test_a_new_offer_is_for_those_of_its_town_whatever_the_column_is_called() -> None:
    random = np.random.default_rng(0)
    towns, n, offers = np.array([f"town{one}" for one in range(6)]), 900, 42
    lives, there = random.integers(0, 6, n), np.arange(offers) % 6
    rows = 14_000
    who, what = random.integers(0, n, rows), random.integers(0, offers - 6, rows)
    chance = expit(-3.5 + 3.0 * (lives[who] == there[what]))
    log = pd.DataFrame(
        {
            "customer_id": [f"c{one:03}" for one in who],
            "offer_id": [f"o{one:02}" for one in what],
            "event_type": "impression",
            "occurred_at": START + pd.to_timedelta(random.uniform(0, 90, rows), "D"),
        }
    )
    taken = log[random.random(rows) < chance].assign(event_type="redemption")
    taken["occurred_at"] += pd.Timedelta(minutes=9)
    people = [f"c{one:03}" for one in range(n)]
    dataset = Dataset.of(
        {
            "customers": pd.DataFrame({"customer_id": people, "city": towns[lives]}),
            "offers": pd.DataFrame(
                {
                    "offer_id": [f"o{one:02}" for one in range(offers)],
                    "shop_town": towns[there],
                    "repeatable": True,
                }
            ),
            "interactions": pd.concat([log, taken]),
        }
    )
    at = START + pd.Timedelta(days=91)
    new = frozenset(f"o{one:02}" for one in range(offers - 6, offers))
    wish = Wish(at=at, n=1, offers=new)
    first = recommend_batch(Service(train(dataset, at=at)), None, wish).set_index("customer_id")
    own = [there[int(first.loc[name, "offer_id"][1:])] for name in people]
    assert np.mean(own == lives) > 0.9
