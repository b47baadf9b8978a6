"""One account that is shown more than all others together teaches no more than one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.base import HYBRID
from recommender.batch import recommend_batch
from recommender.past.thinning import thin, told_of
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
START = pd.Timestamp("2025-01-01", tz="UTC")
OFFERS = [f"o{n}" for n in range(6)]
CHANCE = np.linspace(0.05, 0.4, len(OFFERS))


def log_of(people: list[str], each: int, chance: np.ndarray, seed: int) -> pd.DataFrame:
    """Show offers at random; some are redeemed an hour later."""
    random = np.random.default_rng(seed)
    owner = np.repeat(people, each)
    offer = random.integers(0, len(OFFERS), len(owner))
    when = START + pd.to_timedelta(random.uniform(0, 200, len(owner)), "D")
    shown = pd.DataFrame({"customer_id": owner, "offer_id": np.array(OFFERS)[offer]})
    shown = shown.assign(event_type="impression", occurred_at=when)
    taken = shown[random.random(len(shown)) < chance[offer]].assign(event_type="redemption")
    taken["occurred_at"] += pd.Timedelta(hours=1)
    return pd.concat([shown, taken], ignore_index=True)


def dataset_of(*logs: pd.DataFrame) -> Dataset:
    return Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": OFFERS, "repeatable": True}),
            "interactions": pd.concat(logs, ignore_index=True),
        }
    )


def many(people: int = 200) -> pd.DataFrame:
    return log_of([f"c{n:03}" for n in range(people)], 30, CHANCE, 0)


def test_nobody_beyond_measure_is_left_as_it_is() -> None:
    plain = dataset_of(many())
    assert thin(plain) is plain
    few = dataset_of(many(20), log_of(["machine"], 5000, CHANCE, 1))
    assert thin(few) is few  # of so few people it is not known what is usual


@pytest.mark.parametrize("each", [2000, 20_000])
def test_an_even_part_of_what_a_machine_did_is_kept(each: int) -> None:
    whole = dataset_of(many(), log_of(["machine"], each, CHANCE, 1))
    thinned = thin(whole)
    kept, before = thinned.interactions, whole.interactions
    others = before["customer_id"] != "machine"
    pd.testing.assert_frame_equal(kept[kept["customer_id"] != "machine"], before[others])
    count = kept.loc[kept["customer_id"] == "machine", "event_type"].value_counts()
    was = before.loc[~others, "event_type"].value_counts()
    assert count["impression"] == pytest.approx(30, abs=1)  # as of one of the others
    assert count["redemption"] / count["impression"] == pytest.approx(
        was["redemption"] / was["impression"], abs=1 / 30
    )
    days = (kept.loc[kept["customer_id"] == "machine", "occurred_at"] - START).dt.days
    assert days.mean() == pytest.approx(100, abs=10)  # of all times
    assert "1 customer shown" in told_of(whole, thinned)


@pytest.mark.slow
def test_its_habits_are_not_everybodys() -> None:
    flat = np.full(len(OFFERS), 0.02)
    whole = dataset_of(many(), log_of(["machine"], 30_000, flat, 1))
    service = Service(train(whole))
    people = Dataset.of({"customers": pd.DataFrame({"customer_id": ["c000", "c001", "c002"]})})
    lists = recommend_batch(service, people, Wish(service.bundle.moment, n=6, policy=HYBRID))
    assert lists.loc[lists["rank"] == 1, "offer_id"].isin(OFFERS[-2:]).all()
    assert service.calibrated
    assert lists["score"].mean() == pytest.approx(CHANCE.mean(), rel=0.35)
    assert any("a machine" in note for note in service.bundle.notes)
