"""What can be taken again: of the times it was shown counts how often it was taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from data.dataset import Dataset
from recommender.bundle import Bundle
from recommender.collaborative import PRIOR
from recommender.facts import Facts
from recommender.service import Service
from recommender.training import train

PEOPLE, DAILY, ONCE, SHOWN = 400, 6, 6, 60
AT = pd.Timestamp("2026-03-01", tz="UTC")


def offer_name(number: int) -> str:
    return f"o{number:02}"


@pytest.fixture(scope="module")
def chance() -> np.ndarray:
    """Likings that nothing tells but what somebody did with the very offer."""
    random = np.random.default_rng(3)
    liking = random.normal(-1.5, 1.5, (PEOPLE, DAILY + ONCE))
    liking[:, DAILY:] = random.normal(-3.0, 0.5, (PEOPLE, ONCE))
    return np.asarray(expit(liking))


@pytest.fixture(scope="module")
def cafe(chance: np.ndarray) -> Dataset:
    """Show offers by chance, those of every day as those that are taken once."""
    random = np.random.default_rng(4)
    who = np.repeat(np.arange(PEOPLE), SHOWN)
    what = random.integers(0, DAILY + ONCE, len(who))
    shown = pd.DataFrame(
        {
            "customer_id": [f"c{number:03}" for number in who],
            "offer_id": [offer_name(number) for number in what],
            "event_type": "impression",
            "occurred_at": AT - pd.to_timedelta(random.uniform(1, 150, len(who)), "D"),
        }
    )
    taken = shown[random.random(len(who)) < chance[who, what]]
    once = taken["offer_id"] >= offer_name(DAILY)
    taken = taken[~(once & taken.duplicated(["customer_id", "offer_id"]))]
    later = taken["occurred_at"] + pd.Timedelta(minutes=5)
    log = pd.concat([shown, taken.assign(event_type="redemption", occurred_at=later)])
    names = [offer_name(number) for number in range(DAILY + ONCE)]
    offers = pd.DataFrame({"offer_id": names, "repeatable": np.arange(len(names)) < DAILY})
    return Dataset.of({"offers": offers, "interactions": log.reset_index(drop=True)})


@pytest.fixture(scope="module")
def bundle(cafe: Dataset) -> Bundle:
    return train(cafe, at=AT)


def test_how_often_showings_were_answered_says_what_is_taken_again(
    cafe: Dataset, bundle: Bundle, chance: np.ndarray
) -> None:
    assert bundle.recommender is not None
    query = bundle.customers.query
    assert query is not None
    told = expit(bundle.recommender.blend(query).score)[:, :DAILY]
    true = chance[[int(name[1:]) for name in bundle.customer_ids.ids], :DAILY]
    alike = np.corrcoef(told.ravel(), true.ravel())[0, 1]
    # Beside it the rate of each customer and offer, held to the offer's by two showings.
    log = cafe.interactions
    count = pd.crosstab([log["customer_id"], log["offer_id"]], log["event_type"])
    rate = count.groupby("offer_id").sum()
    usual = (rate["redemption"] / rate["impression"]).reindex(count.index, level="offer_id")
    own = (count["redemption"] + 2 * usual) / (count["impression"] + 2)
    daily = [offer_name(number) for number in range(DAILY)]
    whole = pd.MultiIndex.from_product([bundle.customer_ids.ids, daily])
    usual = usual.groupby("offer_id").first().reindex(whole, level=1)
    plain = np.corrcoef(own.reindex(whole).fillna(usual), true.ravel())[0, 1]
    assert alike > 0.9 * plain
    assert abs(told.sum() / true.sum() - 1) < 0.15


def test_showings_in_vain_count_against_what_can_be_taken_again_only(bundle: Bundle) -> None:
    assert bundle.recommender is not None
    scorer = bundle.recommender.collaborative
    assert scorer.weight[list(PRIOR).index("rate")] > 0
    service = Service(bundle)

    def score(offer: str, times: int) -> float:
        events = [(offer_name(0), "redemption", None)]
        facts = Facts(interactions=[*events, *[(offer, "impression", None)] * times])
        found = scorer.score(service.query("new", facts, AT))
        return float(found[0, service.recommender.encoders.offer_rows[offer]])

    often, once = offer_name(1), offer_name(DAILY)
    assert score(often, 20) < score(often, 3) < score(often, 0)
    assert score(once, 20) == score(once, 0)


def test_without_showings_nothing_is_expected(cafe: Dataset) -> None:
    log = cafe.interactions
    taken = log[log["event_type"] == "redemption"].reset_index(drop=True)
    bundle = train(replace(cafe, interactions=taken), at=AT)
    assert bundle.recommender is not None
    assert not bundle.recommender.collaborative.usual.any()
