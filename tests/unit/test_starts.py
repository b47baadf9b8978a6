"""What a customer starts from adds up, and what is not stated counts as it does on average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit

from data.dataset import Dataset
from recommender.base import Query
from recommender.facts import Facts
from recommender.features.habits import EVENTS
from recommender.scoring.starts import Start
from recommender.service import Service
from recommender.training import train

PEOPLE = 300
ATTRIBUTE = np.array([0, 0, 1, 1, 1])  # a category of two values, and a number of three bands


def people() -> sp.csr_matrix:
    """Let a fifth not state the category, and another fifth not the number."""
    random = np.random.default_rng(0)
    category = np.eye(2)[(random.random(PEOPLE) < 0.8).astype(int)]
    number = np.exp(-((random.random(PEOPLE)[:, None] ** 2 - np.array([0.0, 0.5, 1.0])) ** 2))
    category[: PEOPLE // 5] = 0.0
    number[-PEOPLE // 5 :] = 0.0
    return sp.csr_matrix(np.hstack([category, number]))


def money_of(profile: sp.csr_matrix) -> sp.csr_matrix:
    """Let every other have bought something."""
    spent = np.random.default_rng(2).gamma(1.0, 50.0, profile.shape[0])
    spent[::2] = 0.0
    return sp.csr_matrix(spent[:, None])


def query_of(profile: sp.csr_matrix) -> Query:
    n = profile.shape[0]
    none, responses = sp.csr_matrix((n, 0)), sp.csr_matrix((n, len(EVENTS)))
    parts = dict.fromkeys(Query.__dataclass_fields__, none)
    told = {"responses": responses, "demographic": profile, "spent": money_of(profile)}
    return Query(**(parts | told))


def believed(profile: sp.csr_matrix) -> Start:
    attribute = ATTRIBUTE[: profile.shape[1]]
    return Start.believed(sp.csr_matrix((1, len(EVENTS))), profile, attribute, money_of(profile))


def fitted() -> tuple[Start, np.ndarray]:
    start = believed(people())
    told = start.about(query_of(people())).shape[1]
    weight = np.random.default_rng(1).normal(size=told)
    return start.fitted(-3.0, weight, 0.0), weight


def test_where_somebody_starts_is_what_is_told_of_them_times_its_weights() -> None:
    start, weight = fitted()
    query = query_of(people())
    np.testing.assert_allclose(start.of(query), start.level + start.about(query) @ weight)


def test_what_is_not_stated_counts_as_it_does_on_average() -> None:
    start, _ = fitted()
    profile = people()
    middle = slice(PEOPLE // 5, -PEOPLE // 5)
    whole = believed(profile[middle])
    start = replace(start, usual_profile=whole.usual_profile, blank=np.zeros(2), money=0.0)
    nobody = start.of(query_of(sp.csr_matrix((1, len(ATTRIBUTE)))))
    np.testing.assert_allclose(start.of(query_of(profile[middle])).mean(), nobody[0])


def test_what_is_spent_counts_beyond_what_buyers_spend() -> None:
    start = replace(believed(people()), money=-0.5)
    begun, spent = start.of(query_of(people())), money_of(people()).toarray().ravel()
    bought = spent > 0
    assert (begun[~bought] == start.level).all()
    np.testing.assert_allclose(begun[bought].mean(), start.level, atol=1e-12)
    np.testing.assert_allclose(np.diff(begun[bought]), -0.5 * np.diff(np.log(spent[bought])))


def test_without_columns_everybody_starts_alike() -> None:
    nobody = sp.csr_matrix((2, 0))
    start = believed(nobody)
    assert (start.of(query_of(nobody)) == 0).all()


def test_who_states_nothing_is_average_unless_others_who_state_nothing_are_not() -> None:
    """Who has a city answers as plans go, skewed; a third leave it out and hardly answer."""
    random = np.random.default_rng(0)
    n, shown = 900, 8
    plan = np.minimum(random.geometric(0.35, n), 6) - 1
    silent = random.random(n) < 1 / 3
    chance = expit(-0.6 - 0.5 * plan - 1.5 * silent)
    ids = np.array([f"c{one}" for one in range(n)])
    offers = [f"o{one}" for one in range(shown)]
    rows = pd.DataFrame(
        {
            "customer_id": np.repeat(ids, shown),
            "offer_id": np.tile(offers, n),
            "event_type": "impression",
            "occurred_at": pd.Timestamp("2024-01-01", tz="UTC")
            + pd.to_timedelta(random.uniform(0, 120, n * shown), "D"),
        }
    )
    taken = rows[random.random(n * shown) < np.repeat(chance, shown)]
    taken = taken.assign(
        event_type="redemption", occurred_at=taken["occurred_at"] + pd.Timedelta(minutes=5)
    )
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "plan": [f"p{one}" for one in plan],
            "city": pd.Series(random.choice(["Ulm", "Bonn"], n)).where(~silent),
        }
    )
    tables = {"customers": customers, "offers": pd.DataFrame({"offer_id": offers})}
    bundle = train(Dataset.of(tables | {"interactions": pd.concat([rows, taken])}))
    assert bundle.recommender is not None
    service, stating = Service(bundle), chance[~silent].mean()

    def told(**profile: str) -> float:
        query = service.query("new", Facts(profile=profile), bundle.moment)
        assert bundle.recommender is not None
        return float(expit(bundle.recommender.blend(query).score).mean())

    # Everybody has a plan: who states none is taken for anybody.
    assert abs(told(city="Ulm") / stating - 1) < 0.25
    assert abs(told(city="Bonn") / stating - 1) < 0.25
    assert told() < 0.6 * stating


def test_who_buys_twenty_times_as_much_does_not_want_everything_more() -> None:
    """What is taken depends on the share of wallet alone, in which heavy buyers do not differ."""
    random = np.random.default_rng(1)
    n, goods = 500, np.array(["books", "tools", "toys", "wine"])
    share = random.dirichlet(np.full(4, 0.5), n)
    heavy = random.random(n) < 0.1
    ids = np.array([f"c{one}" for one in range(n)])
    owner = np.repeat(np.arange(n), np.where(heavy, 400, 20))
    bought = (share[owner].cumsum(axis=1) < random.random(len(owner))[:, None]).sum(axis=1)
    start = pd.Timestamp("2024-01-01", tz="UTC")
    lines = pd.DataFrame(
        {
            "customer_id": ids[owner],
            "category": goods[np.minimum(bought, 3)],
            "amount": random.gamma(2.0, 5.0, len(owner)),
            "occurred_at": start + pd.to_timedelta(random.uniform(0, 120, len(owner)), "D"),
        }
    )
    offers = pd.DataFrame({"offer_id": [f"o{one:02}" for one in range(16)]})
    offers = offers.assign(category=goods[np.arange(16) % 4])
    chance = np.clip(0.02 + 0.5 * share[:, np.arange(16) % 4] ** 2, 0.0, 0.9)
    who, what = np.repeat(np.arange(n), 6), random.integers(0, 16, 6 * n)
    shown = pd.DataFrame(
        {
            "customer_id": ids[who],
            "offer_id": offers["offer_id"].to_numpy()[what],
            "event_type": "impression",
            "occurred_at": start + pd.to_timedelta(random.uniform(0, 120, 6 * n), "D"),
        }
    )
    taken = shown[random.random(6 * n) < chance[who, what]]
    later = taken["occurred_at"] + pd.Timedelta(minutes=5)
    log = pd.concat([shown, taken.assign(event_type="redemption", occurred_at=later)])
    tables = {"offers": offers, "transactions": lines, "interactions": log}
    bundle = train(Dataset.of(tables))
    query = bundle.customers.query
    assert bundle.recommender is not None
    assert query is not None
    foretold = expit(bundle.recommender.blend(query).score)
    left = query.redeemed.toarray() == 0
    rows = pd.Index(ids).get_indexer(pd.Index(bundle.customer_ids.ids))
    for group in (heavy[rows], ~heavy[rows]):
        told = left & group[:, None]
        assert abs(foretold[told].sum() / chance[rows][told].sum() - 1) < 0.4
