"""What is said of offers that nobody took, and of answers that speak against an offer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.schema import ABOUT_CATEGORY, ABOUT_OFFER, NO
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.service import Service
from recommender.serving.lists import Listed
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")


@pytest.fixture(scope="module")
def service(small_bundle: Bundle) -> Service:
    return Service(small_bundle)


def reasons(service: Service, facts: Facts, rows: list[int], source: Source) -> list[str]:
    """Say of each offer what a source says, as if it alone spoke for it."""
    query = service.query("somebody new", facts, service.bundle.moment)
    listed = [Listed(row, 0.1, source, {source: 1.0}) for row in rows]
    return [one[0] for one in service.explainer.reasons(query, listed)]


def test_what_nobody_took_is_called_popular_nowhere(service: Service) -> None:
    taken = service.recommender.hybrid.known > 0
    assert taken.any()
    assert not taken.all()
    facts = Facts(profile={"age": 30, "annual_income": 80.0, "spending_score": 70})
    for source in (Source.POPULARITY, Source.SEGMENT, Source.DEMOGRAPHIC):
        said = reasons(service, facts, list(range(len(taken))), source)
        for was, words in zip(taken.tolist(), said, strict=True):
            assert not words.startswith("Popular") or was
            assert not words.startswith("Offers like this") or not was


def test_the_money_that_is_told_was_spent_on_what_is_named(small_dataset: Dataset) -> None:
    items = small_dataset.items
    pair = items.drop_duplicates("category").head(2)
    offers = small_dataset.offers.assign(category=None, merchant=None)
    both = offers["offer_id"].iloc[0]
    links = pd.DataFrame({"offer_id": both, "item_id": pair["item_id"]})
    service = Service(train(replace(small_dataset, offers=offers, offer_items=links)))
    lines = [
        {"amount": amount, "category": category}
        for amount, category in zip((40.0, 7.0), pair["category"], strict=True)
    ]
    row = service.recommender.encoders.offer_rows[both]
    said = reasons(service, Facts(purchases=lines), [row], Source.CONTENT)
    assert said == [f"You spent 40.00 on {pair['category'].iloc[0]} (category)."]


def test_nobody_is_listed_an_offer_because_they_said_no_to_it(service: Service) -> None:
    encoders = service.recommender.encoders
    categories = service.bundle.offers["category"]
    answers = dict.fromkeys(encoders.survey.questions, NO)
    rows = list(range(len(categories)))
    said = reasons(service, Facts(answers=answers), rows, Source.SURVEY)
    assert any(words.startswith("Because you said no") for words in said)
    for category in np.unique(categories):
        assert f"{ABOUT_CATEGORY}{category}" in answers
        own = [words for words, of in zip(said, categories, strict=True) if of == category]
        assert not any(words.endswith(f" {category}.") for words in own)
    for question in (one for one in answers if one.startswith(ABOUT_OFFER)):
        row = encoders.offer_rows[question.removeprefix(ABOUT_OFFER)]
        assert service.bundle.offers["title"].iloc[row] not in said[row]


@pytest.mark.slow
def test_where_nothing_was_redeemed_what_was_clicked_is_popular(small_dataset: Dataset) -> None:
    log = small_dataset.interactions
    clicks = replace(small_dataset, interactions=log[log["event_type"] != "redemption"])
    service = Service(train(clicks))
    clicked = set(clicks.events("click")["offer_id"])
    ids = service.bundle.offers["offer_id"]
    said = reasons(service, Facts(), list(range(len(ids))), Source.POPULARITY)
    for name, words in zip(ids, said, strict=True):
        assert (words == "Popular with all customers.") == (name in clicked)
