"""Off-policy estimators: values of another implementation, and truth that is known."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.off_policy.estimators import (
    clipping_curve,
    direct_method,
    doubly_robust,
    gain_over_logged,
    inverse_propensity,
    self_normalised,
)
from evaluation.off_policy.overlap import judge_overlap, unsupported_share
from evaluation.off_policy.weights import PolicyEstimate, effective_size

FOLDER = Path(os.environ.get("NBO_TEST_DATA", "")) / "obd"
needs_bandit = pytest.mark.skipif(
    "NBO_TEST_DATA" not in os.environ or not FOLDER.is_dir(),
    reason="NBO_TEST_DATA names no folder with obd/{random,bts}/{all,men,women}",
)
PRIOR = 100  # shown positions that the mean of all counts for in the reward model

# Values of Open Bandit Pipeline 0.4.1's InverseProbabilityWeighting, SelfNormalizedInverse-
# ProbabilityWeighting, DirectMethod and DoublyRobust, called once with the arrays that `bandit`
# makes from its small sample: by logging policy and campaign. What was logged at random is asked
# what the frequencies of the other log would have brought; what bts logged, what chance would.
OPEN_BANDIT = {
    ("random", "all"): (
        0.00500645700402338, 0.005217606210746861, 0.004186663705733088, 0.0050943174936274385,
    ),
    ("bts", "all"): (
        0.0023596395168460037, 0.002333713893161806, 0.004188702158898143, 0.0025142952961934,
    ),
    ("random", "men"): (
        0.005645742248974217, 0.0057283266659971105, 0.005144433823888104, 0.005692645428049751,
    ),
    ("bts", "men"): (
        0.003008626327256482, 0.0031894231622774027, 0.006595239132729428, 0.0032138971691279225,
    ),
    ("random", "women"): (
        0.005789344853310449, 0.005816245423091461, 0.005124072604288095, 0.005847895836839523,
    ),
    ("bts", "women"): (
        0.00743757754192316, 0.0023730461434477677, 0.00453506670495408, -0.0013395312092060576,
    ),
}  # fmt: skip


def counts(log: pd.DataFrame, items: int, weights: np.ndarray) -> np.ndarray:
    cell = log["item_id"] * 3 + log["position"] - 1
    return np.bincount(cell, weights=weights, minlength=3 * items).reshape(items, 3)


def bandit(behaviour: str, campaign: str) -> tuple[np.ndarray, ...]:
    """Return reward, propensity, target chance, q(x, a), the target's q and lacking support."""
    logs = {
        name: pd.read_csv(FOLDER / name / campaign / f"{campaign}.csv", index_col=0)
        for name in ("random", "bts")
    }
    log = logs.pop(behaviour)
    (other,) = logs.values()
    items = int(max(log["item_id"].max(), other["item_id"].max())) + 1
    click = log["click"].to_numpy(dtype=float)
    shown = counts(log, items, np.ones(len(log)))
    model = (counts(log, items, click) + PRIOR * click.mean()) / (shown + PRIOR)
    chance = np.full((items, 3), 1 / items)
    if behaviour == "random":
        chance = counts(other, items, np.ones(len(other))) + 1
        chance = chance / chance.sum(axis=0)
    item, place = log["item_id"].to_numpy(), log["position"].to_numpy() - 1
    return (
        click, log["propensity_score"].to_numpy(), chance[item, place], model[item, place],
        (chance * model).sum(axis=0)[place],
        np.array(unsupported_share(chance, np.where(shown > 0, shown, np.nan))),
    )  # fmt: skip


@needs_bandit
@pytest.mark.parametrize(("behaviour", "campaign"), list(OPEN_BANDIT))
def test_open_bandit_logs_give_the_recorded_values(behaviour: str, campaign: str) -> None:
    reward, propensity, target, predicted, expected, _ = bandit(behaviour, campaign)
    found = (
        inverse_propensity(reward, propensity, target).value,
        self_normalised(reward, propensity, target).value,
        direct_method(expected).value,
        doubly_robust(reward, propensity, target, predicted, expected).value,
    )
    assert found == pytest.approx(OPEN_BANDIT[behaviour, campaign], abs=1e-9, rel=0)


@needs_bandit
@pytest.mark.parametrize(
    ("behaviour", "campaign", "estimable"),
    [
        ("random", "all", True), ("random", "men", True), ("random", "women", True),
        ("bts", "all", False), ("bts", "men", True), ("bts", "women", False),
    ],
)  # fmt: skip
def test_open_bandit_logs_that_cannot_tell_are_refused(
    behaviour: str, campaign: str, estimable: bool
) -> None:
    reward, propensity, target, *_, lacking = bandit(behaviour, campaign)
    found = judge_overlap(reward, propensity, target, unsupported=float(lacking))
    assert found.estimable is estimable, found.verdict
    if (behaviour, campaign) == ("bts", "women"):
        assert found.effective_sample_size == pytest.approx(2.1, abs=0.05)
        assert "10,000 shown positions are worth 2.1" in found.verdict
        assert "one position is 69% of all weight" in found.verdict


def small() -> dict[str, np.ndarray]:
    """Ten rounds, three offers, two places, two contexts."""
    chance = np.array([[[0.2, 0.6], [0.5, 0.3], [0.3, 0.1]], [[0.7, 0.1], [0.1, 0.1], [0.2, 0.8]]])
    model = np.array([[[0.6, 0.3], [0.2, 0.1], [0.5, 0.4]], [[0.8, 0.2], [0.1, 0.05], [0.3, 0.9]]])
    offer, place = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0, 0]), np.arange(10) % 2
    context = np.array([0, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    return {
        "reward": np.array([1, 0, 1, 0, 0, 1, 0, 1, 1, 0]),
        "propensity": np.array([0.5, 0.2, 0.3, 0.25, 0.4, 0.1, 0.3, 0.2, 0.5, 0.7]),
        "target": chance[context, offer, place],
        "predicted": model[context, offer, place],
        "expected": (chance * model).sum(axis=1)[context, place],
    }


def test_ten_rounds_give_the_values_of_open_bandit_pipeline() -> None:
    # Recorded as those of OPEN_BANDIT, with two places.
    one = small()
    expected = one.pop("expected")
    predicted = one.pop("predicted")
    assert inverse_propensity(**one).value == pytest.approx(0.9966666666666667, abs=1e-12)
    assert self_normalised(**one).value == pytest.approx(0.6989480714643515, abs=1e-12)
    assert direct_method(expected).value == pytest.approx(0.534, abs=1e-12)
    found = doubly_robust(**one, predicted=predicted, expected=expected)
    assert found.value == pytest.approx(0.6393095238095239, abs=1e-12)


# One context, three offers: what they bring, how they are logged, what is asked.
BRINGS = np.array([0.6, 0.3, 0.1])
LOGGED = np.array([0.2, 0.3, 0.5])
WANTED = np.array([0.7, 0.2, 0.1])
VALUE = float(BRINGS @ WANTED)
WRONG = np.array([0.1, 0.5, 0.9])  # a reward model as bad as they come


def simulated(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Log n rounds; return reward, propensity, target, q(x, a) and the target's q."""
    random = np.random.default_rng(seed)
    offer = random.choice(3, n, p=LOGGED)
    reward = (random.random(n) < BRINGS[offer]).astype(float)
    return reward, LOGGED[offer], WANTED[offer], WRONG[offer], np.full(n, WRONG @ WANTED)


ESTIMATORS: dict[str, Callable[..., PolicyEstimate]] = {
    "ips": lambda reward, propensity, target, *_: inverse_propensity(reward, propensity, target),
    "snips": lambda reward, propensity, target, *_: self_normalised(reward, propensity, target),
    "dr": doubly_robust,
}


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_over_many_logs_estimates_average_the_truth(name: str) -> None:
    found = [ESTIMATORS[name](*simulated(400, seed)) for seed in range(400)]
    values = np.array([one.value for one in found])
    spread = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(VALUE, abs=4 * spread)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(values.std(), rel=0.15)
    covered = np.mean([one.low <= VALUE <= one.high for one in found])
    assert 0.91 <= covered <= 0.98


def test_the_direct_method_is_as_wrong_as_its_model_and_doubly_robust_is_not() -> None:
    log = simulated(20_000, seed=1)
    assert abs(direct_method(log[-1]).value - VALUE) > 0.2
    robust = doubly_robust(*log)
    assert robust.value == pytest.approx(VALUE, abs=4 * robust.standard_error)


def test_a_good_reward_model_narrows_the_interval() -> None:
    reward, propensity, target, *_ = simulated(5000, seed=2)
    offer = np.searchsorted(LOGGED, propensity)
    knowing = doubly_robust(
        reward, propensity, target, BRINGS[offer], np.full(5000, BRINGS @ WANTED)
    )
    assert (
        knowing.standard_error < 0.9 * inverse_propensity(reward, propensity, target).standard_error
    )


@given(seed=st.integers(0, 1000), n=st.integers(2, 60))
def test_asking_for_the_logging_policy_returns_the_plain_mean(seed: int, n: int) -> None:
    reward, propensity, _, predicted, _ = simulated(n, seed)
    for estimate in (inverse_propensity, self_normalised):
        found = estimate(reward, propensity, propensity)
        assert found.value == pytest.approx(reward.mean())
        assert found.effective_sample_size == pytest.approx(n)
    same = gain_over_logged(reward, propensity, propensity, predicted, predicted)
    assert same.value == pytest.approx(0, abs=1e-12)
    assert same.standard_error == pytest.approx(0, abs=1e-12)


@given(seed=st.integers(0, 1000))
def test_rows_in_another_order_or_twice_tell_the_same(seed: int) -> None:
    log = simulated(50, seed)
    order = np.random.default_rng(seed).permutation(50)
    customer = np.arange(50) // 2
    for estimate in (inverse_propensity, self_normalised):
        once = estimate(*log[:3], customer)
        shuffled = estimate(*(part[order] for part in log[:3]), customer[order])
        assert shuffled.value == pytest.approx(once.value)
        assert shuffled.standard_error == pytest.approx(once.standard_error)
        # A row that is there twice, under its customer, is no more evidence.
        twice = estimate(*(np.repeat(part, 2) for part in log[:3]), np.repeat(customer, 2))
        assert twice.value == pytest.approx(once.value)
        assert twice.standard_error == pytest.approx(once.standard_error)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 1.0))
def test_self_normalising_forgives_propensities_that_are_all_off_by_a_factor(
    seed: int, scale: float
) -> None:
    reward, propensity, target, *_ = simulated(40, seed)
    off = self_normalised(reward, scale * propensity, target)
    assert off.value == pytest.approx(self_normalised(reward, propensity, target).value)
    assert reward.min() <= off.value <= reward.max()


def test_intervals_of_skewed_answers_lean_to_where_the_tail_is() -> None:
    reward, propensity, target = np.zeros(300), np.full(300, 0.1), np.full(300, 0.1)
    reward[:6] = 1.0
    rare = inverse_propensity(reward, propensity, target)
    assert rare.high - rare.value > rare.value - rare.low
    assert rare.low > 0


def test_clipping_curves_end_with_nothing_clipped() -> None:
    log = simulated(500, seed=3)[:3]
    curve = clipping_curve(lambda clip: inverse_propensity(*log, clip=clip))
    assert [one.level for one in curve] == [2.0, np.inf]
    assert curve[-1].estimate == inverse_propensity(*log)
    assert curve[0].estimate.value < curve[-1].estimate.value
    assert curve[0].estimate.largest_weight == 2.0
    assert curve[0].estimate.effective_sample_size > curve[-1].estimate.effective_sample_size


def test_kish_counts_rows_that_weigh_alike() -> None:
    assert effective_size(np.array([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert effective_size(np.array([1e200, 1e200])) == pytest.approx(2)
    assert effective_size(np.zeros(3)) == 0
    assert effective_size(np.array([])) == 0


def test_where_nothing_matches_nothing_is_claimed() -> None:
    reward, propensity = np.ones(3), np.full(3, 0.5)
    found = self_normalised(reward, propensity, np.zeros(3))
    assert np.isnan(found.value)
    assert np.isnan(found.high)


def test_one_customer_gives_a_value_without_an_interval() -> None:
    log = simulated(20, seed=4)[:3]
    found = inverse_propensity(*log, np.zeros(20, dtype=int))
    assert np.isfinite(found.value)
    assert np.isnan(found.low)


BAD = [[0.0, 0.5], [np.nan, 0.5], [1.5, 0.5], [-0.1, 0.5], [np.inf, 0.5], []]


@pytest.mark.parametrize("propensity", BAD)
def test_no_row_is_weighed_without_a_chance(propensity: list[float]) -> None:
    given_propensity, ones = np.array(propensity), np.ones(len(propensity))
    for estimate in (
        inverse_propensity, self_normalised, partial(doubly_robust, predicted=ones, expected=ones),
        judge_overlap,
    ):  # fmt: skip
        with pytest.raises(ValueError, match="propensity"):
            estimate(ones, given_propensity, ones)


@pytest.mark.parametrize("target", [[1.1, 0.5], [-0.1, 0.5], [np.nan, 0.5], [0.5]])
def test_a_chance_of_the_other_policy_is_a_chance(target: list[float]) -> None:
    with pytest.raises(ValueError, match="chance"):
        inverse_propensity(np.ones(2), np.full(2, 0.5), np.array(target))


@pytest.mark.parametrize("reward", [[np.nan, 1.0], [1.0], [np.inf, 1.0]])
def test_a_reward_is_a_number(reward: list[float]) -> None:
    with pytest.raises(ValueError, match="reward"):
        self_normalised(np.array(reward), np.full(2, 0.5), np.full(2, 0.5))
    with pytest.raises(ValueError, match="model"):
        direct_method(np.array([np.nan, 1.0]))
