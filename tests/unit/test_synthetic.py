"""The synthetic world keeps its own rules: same seed same world, a true log, a whole truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.checks import check_rows
from data.dataset import Dataset, valid_at
from data.errors import UsageError
from data.ingest import read_folder
from data.schema import TABLES
from data.synthetic import PRESETS, WorldParameters, count_steps, generate, world, write_world
from data.synthetic.oddities import PATTERNS
from data.synthetic.parameters import SEGMENTS

World = dict[str, pd.DataFrame]
PARAMETERS = WorldParameters(customers=150, offers=40, days=90, seed=3)  # of `small_world`
TINY = {"customers": 60, "offers": 20, "days": 60}


def shown(world: World) -> pd.DataFrame:
    log = world["interactions"]
    return log[log["event_type"] == "impression"]


def test_the_same_parameters_give_the_same_tables(small_world: World) -> None:
    again = generate(PARAMETERS)
    assert list(again) == list(small_world)
    for name, frame in small_world.items():
        pd.testing.assert_frame_equal(again[name], frame)


def test_another_seed_gives_another_world() -> None:
    one, other = (generate(WorldParameters(**TINY, seed=seed)) for seed in (0, 1))
    for name in ("customers", "offers", "transactions", "interactions"):
        assert not one[name].equals(other[name]), name


def test_every_table_of_the_contract_is_there(small_world: World) -> None:
    assert set(TABLES) <= set(small_world)
    assert all(name.startswith("truth/") for name in set(small_world) - set(TABLES))
    assert all(len(small_world[name]) for name in TABLES)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_passes_its_own_checks(small_world: World, name: str) -> None:
    checked = check_rows(small_world[name], TABLES[name], name)
    assert checked.rejected.empty
    assert checked.notes == []


def test_the_size_asked_for_is_the_size_given(small_world: World) -> None:
    assert len(small_world["customers"]) == PARAMETERS.customers
    assert len(small_world["offers"]) == PARAMETERS.offers


def test_tables_name_only_what_other_tables_have(small_world: World) -> None:
    customers = set(small_world["customers"]["customer_id"])
    offers = set(small_world["offers"]["offer_id"])
    items = set(small_world["items"]["item_id"])
    for name in ("transactions", "interactions", "survey_answers"):
        assert set(small_world[name]["customer_id"]) <= customers
    assert set(small_world["interactions"]["offer_id"]) <= offers
    assert set(small_world["offer_items"]["offer_id"]) == offers
    assert set(small_world["offer_items"]["item_id"]) <= items
    assert set(small_world["transactions"]["item_id"]) <= items


def test_nothing_happens_outside_the_history(small_world: World) -> None:
    for name in ("transactions", "interactions"):
        times = small_world[name]["occurred_at"]
        assert (times >= PARAMETERS.start).all()
        assert (times < PARAMETERS.end).all()


def test_rows_are_in_the_order_of_time(small_world: World) -> None:
    for name in ("transactions", "interactions"):
        assert small_world[name]["occurred_at"].is_monotonic_increasing


def test_nobody_is_shown_anything_before_signing_up(small_world: World) -> None:
    customers = small_world["customers"].set_index("customer_id")["signup_at"]
    log = small_world["interactions"]
    assert (log["occurred_at"] >= log["customer_id"].map(customers)).all()


def test_propensities_are_probabilities_and_impressions_have_them(small_world: World) -> None:
    impressions = shown(small_world)
    assert (impressions["propensity"] > 0).all()
    assert (impressions["propensity"] <= 1).all()
    others = small_world["interactions"].drop(impressions.index)
    assert others["propensity"].isna().all()
    assert others["position"].isna().all()


def test_a_slate_is_numbered_from_one_without_gaps_or_repeats(small_world: World) -> None:
    for _, slate in shown(small_world).groupby("decision_id"):
        assert sorted(slate["position"]) == list(range(1, len(slate) + 1))
        assert len(slate) <= PARAMETERS.slate
        assert slate["offer_id"].is_unique
        assert len(set(slate["customer_id"])) == 1


@pytest.mark.slow
def test_a_slate_is_as_long_as_it_can_be(small_world: World) -> None:
    offers = small_world["offers"]
    firsts = shown(small_world).groupby("decision_id")["occurred_at"].agg(["first", "size"])
    valid = np.array([valid_at(offers, at).sum() for at in firsts["first"]])
    assert (firsts["size"].to_numpy() == np.minimum(valid, PARAMETERS.slate)).all()


def test_the_propensity_of_the_only_valid_offer_is_one() -> None:
    world = generate(WorldParameters(customers=40, offers=1, days=60, seed=3))
    assert len(shown(world))
    assert shown(world)["propensity"].tolist() == pytest.approx([1.0] * len(shown(world)))


def test_offers_are_valid_when_shown(small_world: World) -> None:
    joined = shown(small_world).merge(small_world["offers"], on="offer_id")
    assert (joined["valid_from"] <= joined["occurred_at"]).all()
    assert (joined["valid_until"].isna() | (joined["occurred_at"] < joined["valid_until"])).all()


def test_clicks_follow_impressions_and_redemptions_follow_clicks(small_world: World) -> None:
    log = small_world["interactions"]
    key = ["decision_id", "customer_id", "offer_id"]
    kinds = {kind: frame[[*key, "occurred_at"]] for kind, frame in log.groupby("event_type")}
    for later, earlier in (("click", "impression"), ("redemption", "click")):
        both = kinds[later].merge(kinds[earlier], on=key, how="left", suffixes=("", "_before"))
        assert len(both) == len(kinds[later])
        assert len(both) > 0
        assert (both["occurred_at_before"] < both["occurred_at"]).all()


def test_an_offer_that_is_not_repeatable_is_redeemed_once_per_customer() -> None:
    once, more = 0, 0
    for seed in range(3):
        world = generate(WorldParameters(customers=100, offers=30, days=120, seed=seed))
        log = world["interactions"]
        redeemed = log[log["event_type"] == "redemption"].merge(world["offers"], on="offer_id")
        times = redeemed.groupby(["customer_id", "offer_id", "repeatable"]).size().reset_index()
        assert (times.loc[~times["repeatable"], 0] == 1).all()
        once += int((~times["repeatable"]).sum())
        more += int((times[0] > 1).sum())
    assert once > 20
    assert more > 0  # of a repeatable one some are redeemed again


def test_the_truth_covers_every_customer_and_every_pair(small_world: World) -> None:
    customers = small_world["customers"]["customer_id"].tolist()
    for name in ("truth/segments", "truth/anomalies"):
        assert small_world[name]["customer_id"].tolist() == customers
        assert small_world[name].notna().all(axis=None)
    liking = small_world["truth/liking"]
    assert len(liking.drop_duplicates(["customer_id", "offer_id"])) == len(liking)
    assert len(liking) == PARAMETERS.customers * PARAMETERS.offers
    assert liking["click_probability"].between(0, 1, inclusive="neither").all()
    # Some merchants never honour an offer; all others are redeemed at times.
    assert liking["redemption_probability"].between(0, 1, inclusive="left").all()
    never = liking.groupby("offer_id")["redemption_probability"].max() == 0
    assert 0 < never.mean() < 1
    assert (liking["redemption_probability"] <= liking["click_probability"]).all()
    after = liking["redemption_probability_after_redeeming"]
    assert (after >= liking["redemption_probability"]).all()
    without = liking["purchase_probability_without_offer"]
    assert without.between(0, 1).all()
    assert (liking["purchase_probability_with_offer"] >= without).all()


def test_every_planted_segment_has_its_share_of_the_people(small_world: World) -> None:
    assert set(small_world["truth/segments"]["segment"]) == {one.name for one in SEGMENTS}
    larger = generate(WorldParameters(customers=1000, offers=10, days=10))
    shares = larger["truth/segments"]["segment"].value_counts() / 1000
    for planted in SEGMENTS:
        assert shares[planted.name] == pytest.approx(planted.share, abs=0.001)
    assert shares.min() <= 0.02


def test_planted_anomalies_have_the_kind_of_their_pattern() -> None:
    found = generate(replace(PARAMETERS, odd=0.5))["truth/anomalies"]
    assert set(found["pattern"]) == {"", *PATTERNS}
    for pattern, rows in found.groupby("pattern"):
        assert set(rows["kind"]) == {PATTERNS[pattern][0] if pattern else ""}


def test_planted_transactions_are_in_the_table_of_whom_the_truth_names() -> None:
    odd = generate(replace(PARAMETERS, odd=0.5))
    planted = odd["truth/transactions"].merge(odd["transactions"], on="transaction_id")
    assert len(planted) == len(odd["truth/transactions"]) > 0
    labelled = planted.merge(odd["truth/anomalies"], on="customer_id", suffixes=("", "_of"))
    assert (labelled["pattern"] == labelled["pattern_of"]).all()


def test_a_redemption_is_also_a_purchase_of_an_item_of_the_offer(small_world: World) -> None:
    log = small_world["interactions"]
    redeemed = log[log["event_type"] == "redemption"].merge(small_world["offer_items"])
    bought = redeemed.merge(
        small_world["transactions"], on=["customer_id", "occurred_at", "item_id"]
    )
    assert set(bought["event_id"]) == set(redeemed["event_id"])


def test_some_redemptions_would_have_been_purchases_anyway(small_world: World) -> None:
    truth = small_world["truth/redemptions"]
    log = small_world["interactions"]
    redeemed = log.loc[log["event_type"] == "redemption", "event_id"]
    assert truth["event_id"].tolist() == redeemed.tolist()
    assert 0 < truth["incremental"].mean() < 1


def test_a_world_made_in_parts_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(world, "PART", 40)
    assert count_steps(PARAMETERS) == 5
    made = generate(PARAMETERS)
    assert made["customers"]["customer_id"].is_unique
    assert len(made["customers"]) == PARAMETERS.customers
    for name, table in TABLES.items():
        assert check_rows(made[name], table, name).rejected.empty
    assert made["interactions"]["event_id"].is_unique
    owners = made["transactions"].groupby("transaction_id")["customer_id"].nunique()
    assert owners.max() == 1
    assert write_world(PARAMETERS, tmp_path / "w") == {name: len(t) for name, t in made.items()}
    for name, frame in made.items():
        read = pd.read_parquet(tmp_path / "w" / f"{name}.parquet")
        pd.testing.assert_frame_equal(read, frame, check_dtype=False)


def test_a_written_world_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_world(PARAMETERS, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in tmp_path.glob("one/**/*.parquet"))
    assert len(files) >= len(TABLES)
    for file in files:
        one, other = (tmp_path / name / file for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes(), file


def test_a_written_world_reads_as_the_dataset_it_is(small_world: World, tmp_path: Path) -> None:
    write_world(PARAMETERS, tmp_path / "w")
    assert (
        read_folder(tmp_path / "w").dataset.fingerprint
        == Dataset.of({name: small_world[name] for name in TABLES}).fingerprint
    )


def test_a_world_that_fails_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.Stage, "part_tables", fail)
    with pytest.raises(KeyboardInterrupt):
        write_world(PARAMETERS, tmp_path / "w")
    assert not list(tmp_path.iterdir())


def test_presets_are_of_the_promised_sizes() -> None:
    sizes = {name: (one.customers, one.offers) for name, one in PRESETS.items()}
    assert sizes == {"small": (2000, 150), "medium": (100_000, 500), "large": (1_000_000, 5000)}


def test_what_is_clicked_is_what_is_liked(small_world: World) -> None:
    liking = small_world["truth/liking"].set_index(["customer_id", "offer_id"])
    log = small_world["interactions"]
    pairs = pd.MultiIndex.from_frame(log[["customer_id", "offer_id"]])
    chance = pd.Series(liking["click_probability"].reindex(pairs).to_numpy(), index=log.index)
    mean = chance.groupby(log["event_type"]).mean()
    assert mean["click"] > 1.5 * mean["impression"]


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"customers": 0}, "--customers"),
        ({"customers": 5}, "--customers"),
        ({"offers": 0}, "--offers"),
        ({"days": 0}, "--days"),
        ({"days": -3}, "--days"),
        ({"seed": -1}, "--seed"),
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, int], option: str) -> None:
    with pytest.raises(UsageError) as caught:
        WorldParameters(**wrong)
    assert option in caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("customers", "offers", "days"), [(6, 1, 1), (6, 40, 1), (6, 1, 30), (20, 3, 10)]
)
def test_a_small_world_is_a_whole_world(customers: int, offers: int, days: int, seed: int) -> None:
    world = generate(WorldParameters(customers=customers, offers=offers, days=days, seed=seed))
    for name, table in TABLES.items():
        assert check_rows(world[name], table, name).rejected.empty
    dataset = Dataset.of(world)
    assert len(dataset.customer_ids) == customers
    assert len(world["truth/liking"]) == customers * offers


def test_progress_is_told() -> None:
    told: list[str] = []
    generate(WorldParameters(**TINY), on_step=told.append)
    assert len(told) == len(set(told)) > 1
