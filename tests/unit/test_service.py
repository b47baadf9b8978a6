"""The one verb of serving keeps the rules of a list."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from data.dataset import valid_at
from data.errors import BundleError, UsageError
from recommender.base import POLICIES, Query
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.service import Service
from recommender.serving.candidates import Candidates
from recommender.serving.lists import Listed, Wish
from recommender.training import train


@pytest.fixture
def query(small_bundle: Bundle) -> Query:
    assert small_bundle.customers.query is not None
    return small_bundle.customers.query


@pytest.fixture
def at(small_bundle: Bundle) -> pd.Timestamp:
    return small_bundle.moment


def ids_of(service: Service, listed: list[Listed]) -> list[str]:
    return [service.shown(one.row)[0] for one in listed]


def lists_of(service: Service, query: Query, wish: Wish) -> list[list[Listed]]:
    return [listing.offers for listing in service.recommend(query, wish)]


def test_only_valid_offers_are_listed(small_service: Service, query: Query) -> None:
    middle = small_service.bundle.moment - pd.Timedelta(days=30)
    valid = valid_at(small_service.bundle.offers, middle)
    for listed in lists_of(small_service, query, Wish(at=middle, n=50)):
        assert all(valid[one.row] for one in listed)


def test_an_end_in_the_year_9999_is_no_end(small_bundle: Bundle, at: pd.Timestamp) -> None:
    never = pd.Timestamp("9999-12-31", tz="UTC").as_unit("us")
    begun = at - pd.Timedelta(days=1)
    open_end = Candidates(small_bundle.offers.assign(valid_from=begun, valid_until=never))
    assert open_end.valid(at).all()
    assert open_end.valid(pd.Timestamp("2200-01-01", tz="UTC")).all()


def test_redeemed_offers_return_only_if_repeatable_or_asked(
    small_service: Service, query: Query, at: pd.Timestamp
) -> None:
    redeemed = query.redeemed.toarray() > 0
    repeatable = small_service.bundle.offers["repeatable"].to_numpy(dtype=bool)
    lists = lists_of(small_service, query, Wish(at=at, n=100))
    for person, listed in enumerate(lists):
        assert not any(redeemed[person, one.row] and not repeatable[one.row] for one in listed)
    seen = lists_of(small_service, query, Wish(at=at, n=100, include_seen=True))
    assert sum(map(len, seen)) > sum(map(len, lists))


def test_contributions_add_up(small_service: Service, query: Query, at: pd.Timestamp) -> None:
    for listed in lists_of(small_service, query, Wish(at=at, n=5)):
        for one in listed:
            total = sum(one.contributions.values())
            expected = logit(one.score) if small_service.calibrated else one.score
            assert total == pytest.approx(expected, abs=1e-9)


def test_wishes_are_kept(small_service: Service, query: Query, at: pd.Timestamp) -> None:
    first = query.take(np.array([0]))
    everything = lists_of(small_service, first, Wish(at=at, n=100))[0]
    top = ids_of(small_service, everything)
    category = small_service.shown(everything[0].row)[2]
    assert category is not None

    def listed(**wish: object) -> list[str]:
        made = lists_of(small_service, first, Wish(at=at, n=100, **wish))[0]  # type: ignore[arg-type]
        return ids_of(small_service, made)

    assert listed(exclude=top[:2]) == top[2:]
    assert listed(offers=top[3:5]) == top[3:5]
    assert listed(category=category.upper())[0] == top[0]
    assert listed(category="nothing of the kind") == []
    assert len(lists_of(small_service, first, Wish(at=at, n=3))[0]) == 3


@pytest.mark.parametrize("category", ["İçecek", "ΤΑΞΙΔΙΑ ΤΗΣ ΠΟΛΗΣ"])
def test_a_category_of_any_alphabet_can_be_wished_for(
    small_bundle: Bundle, at: pd.Timestamp, category: str
) -> None:
    row = int(np.flatnonzero(Candidates(small_bundle.offers).valid(at))[0])
    offers = small_bundle.offers.copy()
    offers["category"] = offers["category"].where(offers.index != row, category)
    wished = Candidates(offers).of(Wish(at=at, category=category))
    assert np.flatnonzero(wished).tolist() == [row]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_lists_every_candidate(
    small_service: Service, query: Query, at: pd.Timestamp, policy: str
) -> None:
    wish = Wish(at=at, n=1000, policy=policy, include_seen=True)
    count = int(small_service.candidates.of(wish).sum())
    for listed in lists_of(small_service, query.take(np.arange(5)), wish):
        assert len(listed) == count


def test_an_unknown_policy_is_named(small_service: Service, query: Query, at: pd.Timestamp) -> None:
    with pytest.raises(UsageError, match="no policy 'magic'"):
        lists_of(small_service, query, Wish(at=at, policy="magic"))


def test_ties_go_by_popularity_then_id(small_service: Service, at: pd.Timestamp) -> None:
    stranger = small_service.query("nobody", Facts(), at)
    listed = lists_of(small_service, stranger, Wish(at=at, n=100, policy="popularity"))[0]
    base = small_service.recommender.popularity.base
    rows = [one.row for one in listed]
    assert rows == sorted(rows, key=lambda row: (-base[row], row))


def test_a_stranger_is_told_that_offers_are_popular(
    small_service: Service, at: pd.Timestamp
) -> None:
    stranger = small_service.query("nobody", Facts(), at)
    listing = small_service.recommend(stranger, Wish(at=at, n=5))[0]
    assert listing.strategy == "popularity"
    listed = listing.offers
    assert {one.source for one in listed} == {"popularity"}
    assert len({one.score for one in listed}) > 1


def test_an_answer_moves_the_list(small_service: Service, at: pd.Timestamp) -> None:
    silent = small_service.query("nobody", Facts(), at)
    question, text = small_service.next_questions(silent, at)[0]
    assert text.endswith("?")
    told = small_service.query("nobody", Facts(answers={question: "yes"}), at)
    survey = next(one for one in small_service.recommender.scorers if one.source == "survey")
    before = survey.score(silent)
    after = survey.score(told)
    assert np.isnan(before).all()
    assert np.isfinite(after).all()
    assert question not in [name for name, _ in small_service.next_questions(told, at)]


def test_what_happened_since_training_counts(
    small_service: Service, small_bundle: Bundle, at: pd.Timestamp
) -> None:
    customer = str(small_bundle.customers.ids[0])
    before = small_service.query(customer, Facts(), at)
    best = lists_of(small_service, before, Wish(at=at, n=10))[0]
    once = next(one for one in best if not small_bundle.offers["repeatable"].iloc[one.row])
    offer = small_service.shown(once.row)[0]
    after = small_service.query(customer, Facts(interactions=[(offer, "redemption", None)]), at)
    assert offer not in ids_of(small_service, lists_of(small_service, after, Wish(at=at, n=100))[0])


def test_what_was_shown_in_vain_lowers_chances_and_moves_no_list(
    small_service: Service, at: pd.Timestamp
) -> None:
    assert small_service.calibrated
    offer = str(small_service.recommender.encoders.offer_ids[0])
    told = [Facts(interactions=[(offer, "impression", None)] * n) for n in (0, 20, 100)]
    lists = [
        small_service.recommend(small_service.query("nobody", facts, at), Wish(at, n=5))[0].offers
        for facts in told
    ]
    assert len({tuple(listed.row for listed in one) for one in lists}) == 1
    scores = [one[0].score for one in lists]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 1.5 * scores[2]


def test_every_listed_offer_has_a_reason(
    small_service: Service, query: Query, at: pd.Timestamp
) -> None:
    for person in range(20):
        one = query.take(np.array([person]))
        listed = lists_of(small_service, one, Wish(at=at, n=5))[0]
        for reasons in small_service.explainer.reasons(one, listed):
            assert 1 <= len(reasons) <= 3
            assert all(reason.endswith(".") for reason in reasons)


@pytest.mark.usefixtures("spared")
def test_a_model_without_offers_is_refused(small_world: dict[str, pd.DataFrame]) -> None:
    from data.dataset import Dataset

    bundle = train(Dataset.of({"customers": small_world["customers"]}))
    with pytest.raises(BundleError, match="recommends nothing"):
        Service(bundle)
