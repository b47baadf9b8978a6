"""`GET /segments/{id}`: the profile, and a sample of points that names nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from api.routes.segments import map_axes
from data.store import Store
from recommender.bundle import Bundle
from segmentation.features import FEATURES
from segmentation.segments import SegmentModel


@pytest.fixture
def client(small_bundle: Bundle, tmp_path: Path) -> Iterator[TestClient]:
    yield from serve(small_bundle, tmp_path)


def serve(bundle: Bundle, folder: Path) -> Iterator[TestClient]:
    store = Store.open(f"sqlite:///{folder / 'facts.db'}")
    with TestClient(create_app(House(bundle, None, store)), raise_server_exceptions=False) as made:
        yield made


def test_a_segment_is_what_the_list_says_and_more(client: TestClient, small_bundle: Bundle) -> None:
    model = small_bundle.segments
    assert model is not None
    told = client.get("/segments").json()
    for short in told:
        whole = client.get(f"/segments/{short['id']}").json()
        assert short.items() <= whole.items()
        assert set(whole) - set(short) == {"confidence", "profile", "axes", "points"}
        assert 0.5 <= whole["confidence"] <= 1
        assert list(whole["profile"]) == list(model.features)
        assert whole["axes"] == ["annual_income", "spending_score"]
        assert 0 < len(whole["points"]) <= 200
    profiles = [client.get(f"/segments/{one['id']}").json()["profile"] for one in told]
    incomes = [one["annual_income"]["segment"] for one in profiles]
    everybody = profiles[0]["annual_income"]["everybody"]
    assert min(incomes) < everybody < max(incomes)


def test_sizes_are_of_those_who_are_in_a_segment(small_bundle: Bundle, tmp_path: Path) -> None:
    customers = small_bundle.customers
    features = customers.features.copy()
    features[::3] = np.nan
    bundle = replace(small_bundle, customers=replace(customers, features=features))
    for client in serve(bundle, tmp_path):
        told = client.get("/segments").json()
        assert sum(one["size"] for one in told) == len(features) - len(features[::3])
        assert sum(one["share"] for one in told) == pytest.approx(1.0)


def test_points_are_real_pairs_of_the_segments_customers(
    client: TestClient, small_bundle: Bundle
) -> None:
    columns = [FEATURES.index("annual_income"), FEATURES.index("spending_score")]
    pairs = {
        tuple(float(f"{value:.3g}") for value in row)
        for row in small_bundle.customers.features[:, columns]
    }
    sizes = 0
    for one in client.get("/segments").json():
        points = client.get(f"/segments/{one['id']}", params={"points": 500}).json()["points"]
        assert {tuple(point) for point in points} <= pairs
        assert len(points) <= one["size"]
        sizes += len(points)
    whole = np.isfinite(small_bundle.customers.features[:, columns]).all(axis=1)
    assert sizes == whole.sum()


def test_the_sample_is_the_same_again_and_a_short_one_begins_a_long_one(client: TestClient) -> None:
    long = client.get("/segments/0", params={"points": 20}).json()["points"]
    assert client.get("/segments/0", params={"points": 20}).json()["points"] == long
    assert client.get("/segments/0", params={"points": 5}).json()["points"] == long[:5]
    assert client.get("/segments/0", params={"points": 0}).json()["points"] == []


@pytest.mark.parametrize("points", ["-1", "501", "many", "nan", ""])
def test_a_bad_number_of_points_is_refused(client: TestClient, points: str) -> None:
    answer = client.get("/segments/0", params={"points": points})
    assert answer.status_code == 422
    assert answer.json()["code"] == "VALIDATION_FAILED"


@pytest.mark.parametrize("name", ["-1", "99", "9" * 40])
def test_a_segment_that_is_not_there_is_said_so(client: TestClient, name: str) -> None:
    answer = client.get(f"/segments/{name}")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "The model has no such segment.", "code": "NO_SEGMENT"}


@pytest.mark.parametrize("name", ["one", "1.5", "0x0"])
def test_a_segment_has_a_number(client: TestClient, name: str) -> None:
    answer = client.get(f"/segments/{name}")
    assert answer.status_code == 422
    assert answer.json()["code"] == "VALIDATION_FAILED"


def test_a_model_without_segments(small_bundle: Bundle, tmp_path: Path) -> None:
    for client in serve(replace(small_bundle, segments=None), tmp_path):
        assert client.get("/segments").json() == []
        assert client.get("/segments/0").json()["code"] == "NO_SEGMENT"


def test_a_segment_nobody_is_in_any_more(small_bundle: Bundle, tmp_path: Path) -> None:
    """Everybody may have asked to be erased."""
    nobody = replace(
        small_bundle.customers,
        ids=small_bundle.customers.ids[:0],
        features=small_bundle.customers.features[:0],
        query=None,
    )
    for client in serve(replace(small_bundle, customers=nobody), tmp_path):
        answer = client.get("/segments/0")
        assert answer.status_code == 200
        assert answer.json()["points"] == []
        assert answer.json()["confidence"] is None
        assert answer.json()["profile"]["age"]["segment"] is None


@pytest.mark.parametrize(
    ("features", "axes"),
    [
        (("age", "spending_score", "annual_income"), ["annual_income", "spending_score"]),
        (("age", "annual_income", "number_of_transactions"), ["age", "annual_income"]),
        (("number_of_transactions",), ["number_of_transactions"]),
    ],
)
def test_the_axes_of_the_map(features: tuple[str, ...], axes: list[str]) -> None:
    d = len(features)
    ones = np.ones(d)
    model = SegmentModel(
        features, np.zeros(d, bool), ones, ones, ones, np.zeros((1, d)), ("a",), ("b",), np.ones(1)
    )
    assert map_axes(model) == axes
