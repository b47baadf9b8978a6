"""The mall table: the segments that everybody knows it for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.sources.mall import read_mall
from segmentation.features import customer_features
from segmentation.kmeans import segment_customers

FOLDER = os.environ.get("NBO_TEST_DATA")
PATH = Path(FOLDER or ".") / "Mall_Customers.csv"

pytestmark = pytest.mark.skipif(
    FOLDER is None or not PATH.is_file(), reason="NBO_TEST_DATA names no folder with the mall table"
)


def test_income_and_score_give_the_five_known_segments() -> None:
    table = read_mall(PATH, max_bad=0.01)
    assert table.known_good
    dataset = table.intake.dataset
    values = customer_features(dataset, dataset.moment_after()).values
    found = segment_customers(values, features={"annual_income": 1, "spending_score": 1})
    assert found.model.n_segments == 5
    assert found.labels.value_counts().tolist() == [81, 39, 35, 23, 22]
    assert found.silhouette == pytest.approx(0.555, abs=0.005)
