"""The truth of a world: exact values that the log agrees with, and that training never sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from data.ingest import read_folder
from data.synthetic import WorldParameters, generate, write_world
from data.synthetic.liking import examined
from data.synthetic.truth import Contexts, TrueWorld
from recommender.training import train

PARAMETERS = WorldParameters(customers=400, offers=40, days=90, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "world"
    write_world(PARAMETERS, path)
    return path


@pytest.fixture(scope="module")
def truth(folder: Path) -> TrueWorld:
    return TrueWorld.read(folder)


@pytest.fixture(scope="module")
def log(folder: Path) -> pd.DataFrame:
    return read_folder(folder).dataset.interactions


def test_the_truth_is_that_of_the_folder(truth: TrueWorld, folder: Path) -> None:
    table = pd.read_parquet(folder / "truth" / "liking.parquet")
    who = truth.rows(table["customer_id"])
    offers = pd.Index(truth.stage.offers.table["offer_id"])
    offer = offers.get_indexer(pd.Index(table["offer_id"]))
    np.testing.assert_array_equal(truth.liking.click(who, offer), table["click_probability"])


def test_the_logged_clicks_are_what_the_logging_policy_is_worth(
    truth: TrueWorld, log: pd.DataFrame
) -> None:
    found = truth.value(truth.drawing(truth.stage.policy), truth.contexts(log))
    counts = log["event_type"].value_counts()
    error = np.sqrt(found.ctr / counts["impression"])
    assert counts["click"] / counts["impression"] == pytest.approx(found.ctr, abs=4 * error)
    assert 0 < found.incremental < found.conversion < found.ctr < 1


def test_redemptions_are_what_the_states_of_the_customers_make_likely(
    truth: TrueWorld, folder: Path, log: pd.DataFrame
) -> None:
    contexts = truth.contexts(log)
    assert 0 < contexts.lately.mean() < 1
    made = pd.read_parquet(folder / "truth" / "redemptions.parquet")
    found = truth.value(truth.drawing(truth.stage.policy), contexts)
    share = found.incremental / found.conversion
    error = np.sqrt(share * (1 - share) / len(made))
    assert made["incremental"].mean() == pytest.approx(share, abs=4 * error)


def test_a_fixed_list_is_worth_the_sum_of_its_places(truth: TrueWorld) -> None:
    lists = np.array([[0, 1, 2], [3, 0, 4]])

    def policy(who: np.ndarray, day: np.ndarray) -> np.ndarray:
        chances = np.zeros((len(who), len(truth.stage.offers.category), 3))
        for row in range(len(who)):
            chances[row, lists[row], np.arange(3)] = 1.0
        return chances

    contexts = Contexts(np.array([7, 9]), np.array([0, 0]), np.array([False, True]))
    found = truth.value(policy, contexts)
    who, offer = np.repeat([7, 9], 3), lists.ravel()
    click = truth.liking.click(who, offer) * np.tile(examined(np.array([1, 2, 3])), 2)
    lately = np.repeat([False, True], 3)
    assert found.ctr == pytest.approx(click.mean())
    redeemed = click * truth.liking.redemption(who, offer, lately)
    assert found.conversion == pytest.approx(redeemed.mean())
    moved = click * (1 - truth.liking.anyway(who, offer))
    moved *= truth.liking.persuaded(who, offer, lately)
    assert found.incremental == pytest.approx(moved.mean())
    offers = truth.stage.offers
    assert found.margin == pytest.approx(
        (moved * offers.margin[offer] - redeemed * offers.cost[offer]).mean()
    )


def test_a_policy_that_knows_the_truth_is_worth_more(truth: TrueWorld, log: pd.DataFrame) -> None:
    offers = len(truth.stage.offers.category)
    begin, end = truth.stage.offers.begin, truth.stage.offers.end

    def knowing(who: np.ndarray, day: np.ndarray) -> np.ndarray:
        pairs = np.repeat(who, offers), np.tile(np.arange(offers), len(who))
        click = truth.liking.click(*pairs).reshape(len(who), offers)
        valid = (begin <= day[:, None]) & (day[:, None] < end)
        best = np.argsort(-np.where(valid, click, -1.0), axis=1)[:, :5]
        chances = np.zeros((len(who), offers, 5))
        chances[np.arange(len(who))[:, None], best, np.arange(5)] = 1.0
        return chances

    contexts = truth.contexts(log)
    logged = truth.value(truth.drawing(truth.stage.policy), contexts)
    assert truth.value(knowing, contexts).ctr > 1.3 * logged.ctr


def test_showings_lead_to_as_many_redemptions_as_their_true_chances_say(
    truth: TrueWorld, log: pd.DataFrame
) -> None:
    shown = log[log["event_type"] == "impression"]
    done = log[log["event_type"] == "redemption"].drop_duplicates(["customer_id", "offer_id"])
    first = shown.merge(
        done[["customer_id", "offer_id", "occurred_at"]],
        on=["customer_id", "offer_id"],
        how="left",
        suffixes=("", "_done"),
    )
    open_yet = ~(first["occurred_at"] > first["occurred_at_done"]).to_numpy()
    chance = truth.chances(log, shown)
    assert ((chance >= 0) & (chance < 1)).all()
    expected = chance[open_yet].sum()
    assert len(done) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    likely = chance > np.median(chance)
    pairs = pd.MultiIndex.from_frame(done[["customer_id", "offer_id"]])
    hit = pd.MultiIndex.from_frame(shown[["customer_id", "offer_id"]]).isin(pairs)
    assert hit[likely].mean() > 5 * hit[~likely].mean()


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        TrueWorld.read(tmp_path)
    assert "generate" in caught.value.remedy


def test_a_truth_of_another_generator_is_refused(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    texts = {"generator": "1", **PARAMETERS.as_texts()}
    table = pd.DataFrame({"name": list(texts), "value": list(texts.values())})
    table.to_parquet(tmp_path / "truth" / "parameters.parquet")
    with pytest.raises(DataError, match="another version"):
        TrueWorld.read(tmp_path)


def test_parameters_survive_being_written_as_texts() -> None:
    assert WorldParameters.from_texts(PARAMETERS.as_texts()) == PARAMETERS


@pytest.mark.slow
def test_training_never_reads_the_truth(tmp_path: Path) -> None:
    write_world(WorldParameters(customers=150, offers=30, days=60), tmp_path / "w")
    model = train(read_folder(tmp_path / "w").dataset)
    for path in (tmp_path / "w" / "truth").glob("*.parquet"):
        path.write_bytes(b"whoever reads this fails")
    assert train(read_folder(tmp_path / "w").dataset).version == model.version


def test_a_dataset_has_no_place_for_the_truth() -> None:
    made = generate(WorldParameters(customers=30, offers=5, days=20))
    dataset = Dataset.of(made)
    assert not [name for name in dataset.tables() if name.startswith("truth")]
    columns = {column for frame in dataset.tables().values() for column in frame.columns}
    assert not columns & {"segment", "pattern", "incremental", "elasticity", "click_probability"}
