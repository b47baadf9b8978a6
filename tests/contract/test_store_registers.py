"""What every database keeps besides facts: revisions, offers, keys; nothing of the erased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from data.dataset import Dataset
from data.store import Store
from data.stored import KeyRow
from evaluation.suites.serving.postgres import Postgres

NOW = 1_700_000_000_000_000  # microseconds since 1970


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def click(event_id: str, customer_id: str) -> dict[str, Any]:
    said = {"event_id": event_id, "customer_id": customer_id, "offer_id": "o1"}
    return {**said, "event_type": "click", "occurred_at": NOW, "recorded_at": NOW}


def purchase(transaction_id: str, customer_id: str) -> dict[str, Any]:
    said = {"transaction_id": transaction_id, "customer_id": customer_id, "amount": 5.0}
    return {**said, "occurred_at": NOW, "recorded_at": NOW}


def test_nothing_recorded_is_revision_zero(store: Store) -> None:
    assert store.revisions("a") == (0, 0)


def test_every_write_about_a_customer_raises_theirs_and_nobody_elses(store: Store) -> None:
    seen = [store.revisions("a")[0]]
    store.put_customer("a", {"age": 30.0}, {})
    seen.append(store.revisions("a")[0])
    store.put_customer("a", {}, {"category:home": "yes"})
    seen.append(store.revisions("a")[0])
    store.add_events([click("e1", "a"), click("e2", "a")])
    seen.append(store.revisions("a")[0])
    store.put_transactions([[purchase("t1", "a")]])
    seen.append(store.revisions("a")[0])
    assert seen == sorted(set(seen))
    assert store.revisions("b") == (0, 0)


def test_every_writer_about_a_customer_takes_their_revision_first(store: Store) -> None:
    store.load(Dataset.of({"customers": pd.DataFrame({"customer_id": ["a", "b"]})}))
    written: list[str] = []

    @sa.event.listens_for(store._engine, "before_execute")
    def note(_: sa.Connection, statement: Any, *__: Any) -> None:
        if isinstance(statement, sa.sql.dml.UpdateBase):
            written.append(statement.table.name)

    for write in (
        lambda: store.put_customer("a", {"age": 30.0}, {"category:home": "yes"}),
        lambda: store.add_events([click("e1", "a"), click("e2", "b")]),
        lambda: store.put_transactions([[purchase("t1", "a")]]),
        lambda: store.put_transactions([[{**purchase("t1", "a"), "amount": 6.0}]]),
        lambda: store.erase_customer("a"),
    ):
        written.clear()
        write()
        assert written[0] == "revisions"
        assert len(set(written)) > 1


def test_another_connection_sees_the_revision_at_once(store: Store, url: str) -> None:
    other = Store.open(url)
    assert other.revisions("a") == (0, 0)
    store.add_events([click("e1", "a")])
    assert other.revisions("a") == store.revisions("a")
    assert other.revisions("a")[0] > 0
    other.close()


def test_what_concerns_everybody_raises_everybodys(store: Store) -> None:
    seen = [store.revisions("a")[1]]
    store.put_offer("o9", {"title": "New"}, ["i1"], NOW)
    seen.append(store.revisions("a")[1])
    store.load(Dataset.of({"customers": pd.DataFrame({"customer_id": ["a"]})}))
    seen.append(store.revisions("a")[1])
    store.erase_customer("a")
    seen.append(store.revisions("a")[1])
    assert seen == sorted(set(seen))


def test_an_offer_is_read_as_it_was_put(store: Store) -> None:
    attributes = {
        "title": "Tee für zwei 🍵", "category": "food", "tags": "tea|two", "discount": 0.25,
        "valid_from": NOW, "repeatable": True,
    }  # fmt: skip
    assert store.put_offer("o/9", attributes, ["i2", "i1", "i2"], NOW)
    found = store.offer("o/9")
    assert found is not None
    assert {name: found[name] for name in attributes} == attributes
    assert found["items"] == ("i1", "i2")
    assert found["margin"] is None
    assert store.offer("o") is None


def test_only_what_is_given_of_an_offer_changes(store: Store) -> None:
    def told() -> tuple[Any, ...]:
        (found,) = store.offers()
        return tuple(found[name] for name in ("title", "category", "valid_until", "items"))

    first = {"category": "food", "valid_until": NOW, "items": ("i1", "i2"), "title": "Never"}
    assert store.put_offer("o9", {"title": "Old"}, None, NOW, first)
    assert told() == ("Old", "food", NOW, ("i1", "i2"))
    assert not store.put_offer("o9", {"title": "New"}, None, NOW + 1, first | {"category": "x"})
    assert told() == ("New", "food", NOW, ("i1", "i2"))
    assert not store.put_offer("o9", {"category": None}, ["i3"], NOW + 2)
    assert told() == ("New", None, NOW, ("i3",))
    assert not store.put_offer("o9", {}, [], NOW + 3)
    assert told() == ("New", None, NOW, ())
    assert [row["offer_id"] for row in store.offers(NOW + 3)] == ["o9"]


def test_columns_of_the_owners_stay_until_they_are_emptied(store: Store) -> None:
    table = pd.DataFrame({"offer_id": ["o8", "o9"], "colour": ["red", "blue"], "year": [1.0, 2.0]})
    store.load(Dataset.of({"offers": table}))
    store.put_offer("o9", {"title": "New", "colour": "green"}, [], NOW)
    found = store.offer("o9")
    assert found is not None
    assert (found["title"], found["colour"], found["year"]) == ("New", "green", 2.0)
    store.put_offer("o9", {"colour": None, "title": 'it\'s "new"'}, [], NOW + 1)
    (found,) = store.offers(NOW)
    assert (found["title"], found["colour"], found["year"]) == ('it\'s "new"', None, 2.0)
    offers = store.read_tables()["offers"].set_index("offer_id")
    assert offers["colour"].notna().tolist() == [True, False]
    assert offers["year"].tolist() == [1.0, 2.0]


def test_only_offers_put_since_a_moment_are_read(store: Store) -> None:
    store.load(Dataset.of({"offers": pd.DataFrame({"offer_id": ["loaded"]})}))
    store.put_offer("early", {}, [], NOW)
    store.put_offer("late", {}, [], NOW + 5)
    assert [row["offer_id"] for row in store.offers(NOW + 1)] == ["late"]
    assert [row["offer_id"] for row in store.offers(1)] == ["early", "late"]
    assert [row["offer_id"] for row in store.offers()] == ["early", "late", "loaded"]


def test_an_erased_customer_is_nowhere(store: Store) -> None:
    attributes = pd.DataFrame({"customer_id": ["a", "ab"], "plan": ["gold", "gold"]})
    store.load(Dataset.of({"customers": attributes}))
    for name in ("a", "ab"):
        store.put_customer(name, {"city": "Ulm"}, {"category:home": "no"})
        store.add_events([click(f"e-{name}", name)])
        store.put_transactions([[purchase("t1", name)]])
        store.put_transactions([[{**purchase("t1", name), "amount": 6.0}]])
    assert set(store.find_everywhere("a")) == {
        "customers", "attributes", "survey_answers", "interactions", "transactions",
        "corrections", "revisions",
    }  # fmt: skip
    before = store.find_everywhere("ab")
    gone = store.erase_customer("a")
    assert gone["interactions"] == gone["transactions"] == gone["customers"] == 1
    assert store.find_everywhere("a") == {}
    assert not store.customer_state("a").known
    assert store.find_everywhere("ab") == before
    assert sum(store.erase_customer("a").values()) == 0


def test_what_reads_like_an_id_is_nobody(store: Store) -> None:
    store.put_offer("7", {"title": "7", "colour": "7"}, ["7"], NOW)
    store.put_customer("8", {"city": "7", "plan": "7"}, {"7": "7"})
    store.add_events([{**click("7", "8"), "offer_id": "7"}])
    store.put_transactions([[{**purchase("7", "8"), "item_id": "7"}]])
    store.put_customer("7", {"age": 30.0, "plan": "gold"}, {})
    assert store.find_everywhere("7") == {"customers": 1, "attributes": 1, "revisions": 1}
    store.erase_customer("7")
    assert store.find_everywhere("7") == {}
    assert store.offer("7") is not None
    assert store.customer_state("8").answers == {"7": "7"}


def test_nothing_of_the_erased_stays_in_the_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("erased")
    store = Store.open(f"sqlite:///{folder / 'nbo.db'}")
    store.put_customer("someone-to-forget", {"city": "Ulm"}, {})
    store.add_events([click("e1", "someone-to-forget"), click("e2", "else")])
    assert any(b"someone-to-forget" in path.read_bytes() for path in folder.iterdir())
    store.erase_customer("someone-to-forget")
    assert not any(b"someone-to-forget" in path.read_bytes() for path in folder.iterdir())
    store.close()


def test_everything_recorded_is_read_as_the_tables_it_came_from(
    store: Store, small_dataset: Dataset
) -> None:
    store.load(small_dataset)
    again = Dataset.of(store.read_tables())
    for name, frame in small_dataset.tables().items():
        found = getattr(again, name)
        key = [column for column in found.columns if found[column].notna().any()]
        assert set(key) >= {column for column in frame.columns if frame[column].notna().any()}
        shared = sorted(set(frame.columns) & set(found.columns) - {"event_id", "transaction_id"})
        left, right = (
            part[shared].sort_values(shared, ignore_index=True) for part in (frame, found)
        )
        pd.testing.assert_frame_equal(left, right, check_dtype=False)


def test_attributes_that_nobody_knows_are_kept(store: Store) -> None:
    table = pd.DataFrame({"customer_id": ["a", "b"], "plan": ["gold", None], "cards": [2.0, 3.0]})
    store.load(Dataset.of({"customers": table}))
    found = store.read_tables()["customers"].set_index("customer_id")
    assert found["plan"].to_dict()["a"] == "gold"
    assert found["cards"].to_dict() == {"a": 2.0, "b": 3.0}


def test_keys_are_kept_by_name(store: Store) -> None:
    assert store.keys() == ()
    assert store.add_key("app", "d" * 64, ("read", "write"), None)
    assert not store.add_key("app", "e" * 64, ("read",), None)
    assert store.add_key("ops", "f" * 64, ("admin",), NOW)
    assert store.keys() == (
        KeyRow("app", "d" * 64, ("read", "write"), None),
        KeyRow("ops", "f" * 64, ("admin",), NOW),
    )
    assert store.drop_key("app")
    assert not store.drop_key("app")
    (kept,) = store.keys()
    assert kept.name == "ops"


@pytest.mark.slow
@pytest.mark.database
def test_a_server_that_restarts_is_found_again(postgres: Postgres) -> None:
    with closing(Store.open(postgres.new_database())) as store:
        store.add_events([click("e1", "a")])
        before = store.revisions("a")
        postgres.stop()
        with pytest.raises(SQLAlchemyError):
            store.revisions("a")
        with pytest.raises(SQLAlchemyError):
            store.add_events([click("e2", "a")])
        postgres.start()
        assert store.revisions("a") == before
        assert store.add_events([click("e2", "a")]).accepted == 1


def test_a_file_that_cannot_be_written_is_said_so_and_stays_whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('full') / 'nbo.db'}")
    store.add_events([click("e1", "a")])
    with store._engine.connect() as connection:  # a disk that is full, as SQLite sees it
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    @sa.event.listens_for(store._engine, "begin")
    def fill(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    with pytest.raises(SQLAlchemyError):
        store.add_events([click(f"{'x' * 100}{number}", "a") for number in range(500)])
    assert store.counts()["interactions"] == 1
    assert store.revisions("a")[0] == 1
    store.close()
