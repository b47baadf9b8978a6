"""What is held out at random leaves behind what came before it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CLICK, IMPRESSION, OFFER_ID, REDEMPTION
from recommender.past.at_random import draw_at_random
from recommender.past.judging import Setting, judge
from recommender.past.validation import make_folds
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

NOON = pd.Timestamp("2025-01-01 12:00", tz="UTC")
HOUR = pd.Timedelta(hours=1)


def log(*events: tuple[str, str, str, pd.Timestamp | None]) -> Dataset:
    columns = ["customer_id", "offer_id", "event_type", "occurred_at"]
    table = pd.DataFrame(list(events), columns=columns)
    return Dataset.of({"offers": table[["offer_id"]].drop_duplicates(), "interactions": table})


def test_clicks_before_a_redemption_stay_and_later_ones_go_with_it() -> None:
    for times, left in (
        ((NOON - HOUR, NOON, NOON + HOUR), {(REDEMPTION, 0), (CLICK, 1)}),
        ((NOON, NOON, NOON), {(REDEMPTION, 0)}),
        ((None, None, None), {(REDEMPTION, 0)}),
    ):
        kinds = (CLICK, REDEMPTION, CLICK)
        dataset = log(
            *(
                (f"c{n % 20}", f"o{n // 20}", kind, when)
                for n in range(200)
                for kind, when in zip(kinds, times, strict=True)
            )
        )
        drawn, logged = draw_at_random(dataset, REDEMPTION, seed=0)
        assert not logged
        gone = dataset.interactions[drawn]
        nth = gone.groupby(["customer_id", "offer_id", "event_type"]).cumcount()
        assert 20 < (gone["event_type"] == REDEMPTION).sum() < 60
        later = gone[gone["event_type"] == CLICK]
        assert len(later) == (len(gone) // 2 if (CLICK, 1) in left else 0)
        assert (later["occurred_at"] > NOON).all()
        assert not nth.any()


def test_what_was_clicked_is_listed_first_where_that_is_what_people_redeem() -> None:
    random = np.random.default_rng(0)
    events = []
    for person in range(300):
        clicked = random.choice(40, 6, replace=False)
        for offer in clicked:
            events.append((f"c{person}", f"o{offer}", CLICK, NOON))
        for offer in clicked[:2]:
            events.append((f"c{person}", f"o{offer}", REDEMPTION, NOON))
    bundle = train(log(*events))
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    history = bundle.customers.query.history.toarray() > 0
    open_still = history & (bundle.customers.query.redeemed.toarray() == 0)
    lists = Service(bundle).recommend(bundle.customers.query, Wish(bundle.moment, 4))
    right = [
        np.mean([own[one.row] for one in told.offers])
        for told, own in zip(lists, open_still, strict=True)
    ]
    assert np.mean(right) > 0.95


def catalogue(new: int = 30, **columns: object) -> Dataset:
    """Lay out 80 offers that people took and some that nobody met; all at one time."""
    random = np.random.default_rng(0)
    pairs = {(f"c{n % 60}", f"o{random.integers(80)}") for n in range(600)}
    names = [f"o{offer}" for offer in range(80 + new)]
    table = pd.DataFrame(sorted(pairs), columns=["customer_id", "offer_id"])
    return Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": names, **columns}),
            "interactions": table.assign(event_type=REDEMPTION, occurred_at=NOON),
        }
    )


def test_where_offers_are_new_others_are_held_out_as_if_they_were() -> None:
    dataset = catalogue()
    *_, fold = make_folds(dataset, NOON + HOUR)
    assert 10 <= len(fold.among) <= 26
    assert not fold.past.interactions["offer_id"].isin(fold.among).any()
    assert len(fold.taken) == dataset.interactions["offer_id"].isin(fold.among).sum()
    judged = judge(fold, Setting())
    whole = judged.whole
    listed = np.unique(np.broadcast_to(whole.columns, whole.candidate.shape)[whole.candidate])
    assert set(dataset.offer_ids.ids[listed]) == fold.among


def test_no_offer_is_held_out_where_none_is_new_or_dates_tell_what_was() -> None:
    for dataset in (catalogue(new=0), catalogue(valid_from=NOON - HOUR)):
        folds = make_folds(dataset, NOON + HOUR)
        assert folds
        assert not any(fold.among for fold in folds)


def test_where_showing_is_logged_offers_are_held_out_with_their_showings() -> None:
    plain = catalogue()
    taken = plain.interactions
    others = np.random.default_rng(1).permutation(taken[OFFER_ID])  # of which most were in vain
    log = pd.concat(
        [
            taken.assign(event_type=IMPRESSION),
            taken.assign(event_type=IMPRESSION, offer_id=others),
            taken,
        ]
    )
    first, *_, fold = make_folds(
        Dataset.of({"offers": plain.offers, "interactions": log}), NOON + HOUR
    )
    assert first.logged
    assert not first.among
    assert fold.logged
    assert len(fold.among) >= 10
    gone = log[log[OFFER_ID].isin(fold.among)]
    assert len(fold.past.interactions) == len(log) - len(gone)
    assert fold.shown["n"].sum() == (gone["event_type"] == IMPRESSION).sum()
    assert fold.shown["taken"].sum() == len(fold.taken) == (gone["event_type"] == REDEMPTION).sum()
    assert set(fold.shown[OFFER_ID]) == fold.among
