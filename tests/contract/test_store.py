"""What every database behind the store has to keep: parametrised over engines."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy.exc import SQLAlchemyError

from data.dataset import Dataset
from data.errors import SettingsError
from data.loading import Written
from data.store import Store

EARLY, LATE = 1_000_000, 2_000_000  # microseconds since 1970


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def event(event_id: str, customer_id: str = "a", at: int = EARLY, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "customer_id": customer_id,
        "offer_id": "o1",
        "event_type": "click",
        "occurred_at": at,
        "recorded_at": at,
        **more,
    }


def line(
    transaction_id: str, customer_id: str = "a", at: int = EARLY, **more: Any
) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "transaction_id": transaction_id,
        "occurred_at": at,
        "recorded_at": at,
        "amount": 1.0,
        **more,
    }


def small_dataset() -> Dataset:
    """Facts with and without ids of their own, and two rows that are alike."""
    times = pd.to_datetime(["2025-03-01T10:00:00Z"] * 3 + ["2025-03-02T11:00:00Z"])
    return Dataset.of(
        {
            "customers": pd.DataFrame(
                {"customer_id": ["a", "b"], "age": [30.0, None], "city": ["Ulm", None]}
            ),
            "offers": pd.DataFrame(
                {
                    "offer_id": ["o1", "o2"],
                    "title": ["Coffee", None],
                    "valid_from": [times[0], pd.NaT],
                    "repeatable": [True, None],
                }
            ),
            "offer_items": pd.DataFrame({"offer_id": ["o1"], "item_id": ["i1"]}),
            "items": pd.DataFrame({"item_id": ["i1", "i2"], "price": [2.5, None]}),
            "survey_answers": pd.DataFrame(
                {"customer_id": ["a"], "question": ["category:home"], "answer": ["yes"]}
            ),
            "transactions": pd.DataFrame(
                {
                    "customer_id": ["a", "a", "a", "c"],
                    "occurred_at": times,
                    "amount": [5.0, 6.0, 5.0, 7.0],
                    "transaction_id": ["t1", "t1", None, None],
                }
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": ["a", "a", "a", "b"],
                    "offer_id": ["o1", "o1", "o1", "o2"],
                    "event_type": ["click", "click", "click", "redemption"],
                    "occurred_at": times,
                    "event_id": ["e1", None, None, "e2"],
                }
            ),
        }
    )


CATALOGUE = {"offers": 2, "offer_items": 1, "items": 2}
COUNTS = {"customers": 2, "survey_answers": 1, "transactions": 4, "interactions": 4, **CATALOGUE}


def test_a_new_database_is_empty(store: Store) -> None:
    assert set(store.counts().values()) == {0}
    assert store.is_empty()
    store.ping()


def test_loading_twice_gives_the_same_counts(store: Store) -> None:
    store.load(small_dataset())
    assert store.counts() == COUNTS
    assert not store.is_empty()
    store.load(small_dataset())
    assert store.counts() == COUNTS


@pytest.mark.parametrize("only", sorted(COUNTS))
def test_a_dataset_with_one_table_can_be_loaded(store: Store, only: str) -> None:
    store.load(Dataset.of({only: small_dataset().tables()[only]}))
    assert store.counts() == {**dict.fromkeys(COUNTS, 0), only: COUNTS[only]}


def test_a_whole_world_can_be_loaded_twice(
    store: Store, small_world: dict[str, pd.DataFrame]
) -> None:
    dataset = Dataset.of(small_world)
    for _ in range(2):
        store.load(dataset)
        assert store.counts() == {name: len(small_world[name]) for name in COUNTS}


@pytest.mark.parametrize("name", ["id", "name", "of", "value", "variable"])
@pytest.mark.parametrize("table", ["customers", "offers", "items"])
def test_an_own_column_may_have_any_name(store: Store, table: str, name: str) -> None:
    frame = small_dataset().tables()[table]
    own = frame.assign(**{name: ["x", None], "size": [3, 4], "share": [0.5, None]})
    store.load(Dataset.of({table: own}))
    read = store.read_tables()[table]
    expected = own[[name, "size", "share"]].astype("object")
    pd.testing.assert_frame_equal(read[expected.columns].astype("object"), expected)
    assert [type(value) for value in read["size"]] == [int, int]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_own_columns_of_times_do_not_come_back_as_categories(
    store: Store, zone: str | None
) -> None:
    born = pd.Series(pd.to_datetime(["1990-05-01", None])).dt.tz_localize(zone)
    people = small_dataset().customers.assign(born=born, plan=["gold", "red"])
    store.load(Dataset.of({"customers": people}))
    read = store.read_tables()["customers"]
    assert read["plan"].tolist() == ["gold", "red"]
    assert "born" not in read


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_loading_is_whole_or_nothing(store: Store, step: int) -> None:
    told: list[str] = []

    def fail(name: str) -> None:
        told.append(name)
        if len(told) == step:
            raise RuntimeError(name)

    with pytest.raises(RuntimeError):
        store.load(small_dataset(), on_step=fail)
    assert store.is_empty()
    store.load(small_dataset())
    assert store.counts() == COUNTS


def test_facts_stay_when_the_database_is_opened_again(url: str) -> None:
    first = Store.open(url)
    first.load(small_dataset())
    first.close()
    second = Store.open(url)
    assert second.counts() == COUNTS
    second.close()


def test_loading_does_not_undo_what_was_put(store: Store) -> None:
    store.put_customer("a", {"age": 50.0}, {"category:home": "no"})
    store.load(small_dataset())
    state = store.customer_state("a")
    assert state.profile["age"] == 50.0
    assert state.answers == {"category:home": "no"}


def test_the_state_of_a_loaded_customer(store: Store) -> None:
    store.load(small_dataset())
    state = store.customer_state("a")
    assert state.known
    assert state.profile == {"age": 30.0, "city": "Ulm"}
    assert state.answers == {"category:home": "yes"}
    moment = pd.Timestamp("2025-03-01T10:00:00Z").value // 1000
    assert {row["occurred_at"] for row in state.interactions} == {moment}
    assert len(state.interactions) == 3
    assert sorted(row["amount"] for row in state.transactions) == [5.0, 5.0, 6.0]


def test_a_customer_is_known_by_any_table(store: Store) -> None:
    store.load(small_dataset())
    assert store.customer_state("c").known  # bought something, is in no customers table
    store.put_customer("only answers", {}, {"q": "yes"})
    assert store.customer_state("only answers").known


def test_an_unknown_customer_has_an_empty_state(store: Store) -> None:
    store.load(small_dataset())
    state = store.customer_state("nobody'; --")
    assert not state.known
    assert (state.profile, state.answers) == ({}, {})
    assert (state.interactions, state.transactions) == ((), ())


def test_a_fact_before_1970_is_a_fact(store: Store) -> None:
    times = pd.to_datetime(["1960-01-01T00:00:00Z"])
    frame = pd.DataFrame({"customer_id": ["a"], "occurred_at": times, "amount": [1.0]})
    store.load(Dataset.of({"transactions": frame, "interactions": small_dataset().interactions}))
    assert len(store.customer_state("a").transactions) == 1


def test_events_are_added_once_by_their_id(store: Store) -> None:
    assert store.add_events([event("e1"), event("e2"), event("e1")]) == Written(2, 1)
    assert store.add_events([event("e2"), event("e3")]) == Written(1, 1)
    assert store.add_events([]) == Written(0, 0)
    assert store.counts()["interactions"] == 3


def test_the_first_of_two_events_with_one_id_stays(store: Store) -> None:
    store.add_events([event("e1")])
    store.add_events([event("e1", event_type="redemption", customer_id="b")])
    (row,) = store.customer_state("a").interactions
    assert row == {
        "offer_id": "o1", "event_type": "click", "occurred_at": EARLY, "recorded_at": EARLY,
    }  # fmt: skip
    assert not store.customer_state("b").known


def test_events_that_cannot_be_written_leave_none(store: Store) -> None:
    with pytest.raises(SQLAlchemyError):
        store.add_events([event("e1"), event("e2", event_type=None)])
    assert store.counts()["interactions"] == 0


def test_a_transaction_is_replaced_whole(store: Store) -> None:
    lines = [line("t1", amount=1.0), line("t1", amount=2.0), line("t1", amount=3.0)]
    assert store.put_transactions([lines]) == Written(3, 0)
    assert store.put_transactions([[line("t1", amount=9.0)]]) == Written(1, 0)
    assert [row["amount"] for row in store.customer_state("a").transactions] == [9.0]


def test_a_transaction_is_named_by_customer_and_id(store: Store) -> None:
    store.put_transactions([[line("t1")], [line("t1", customer_id="b")], [line("t2")]])
    assert store.put_transactions([[line("t1", amount=9.0)]]) == Written(1, 0)
    assert [row["amount"] for row in store.customer_state("b").transactions] == [1.0]
    assert sorted(row["amount"] for row in store.customer_state("a").transactions) == [1.0, 9.0]


def test_a_loaded_transaction_can_be_replaced(store: Store) -> None:
    store.load(small_dataset())
    store.put_transactions([[line("t1", amount=9.0)]])
    assert sorted(row["amount"] for row in store.customer_state("a").transactions) == [5.0, 9.0]


def test_a_transaction_that_is_sent_again_changes_nothing(store: Store) -> None:
    sent = [line("t1", quantity=1, category="fuel"), line("t1", quantity=3, category=None)]
    store.put_transactions([sent])
    before = store.customer_state("a")
    # Nobody told when it happened, so it happens whenever it is recorded; order says nothing.
    again = [{**row, "occurred_at": LATE, "recorded_at": LATE} for row in sent]
    for lines in (again, again[::-1]):
        assert store.put_transactions([lines]) == Written(0, 2)
        assert store.customer_state("a") == before
        state = store.customer_state("a", since=LATE)
        assert (state.whole, state.transactions) == (False, ())


def test_lines_that_differ_in_their_moments_alone_are_told_apart_in_whatever_order(
    store: Store,
) -> None:
    def at(*moments: int | None) -> list[dict[str, Any]]:
        told = [{} if one is None else {"occurred_at": one} for one in moments]
        return [line("t1", at=LATE, **one) for one in told]

    store.put_transactions([[line("t1"), line("t1", occurred_at=5), line("t1", occurred_at=7)]])
    for same in (at(None, 5, 7), at(7, None, 5), at(5, 7, EARLY), at(EARLY, 7, 5)):
        assert store.put_transactions([same]) == Written(0, 3)
    assert store.put_transactions([at(5, 5, None)]) == Written(3, 0)
    assert store.put_transactions([at(5, None, None)]) == Written(3, 0)
    assert store.put_transactions([at(None, 5, None)]) == Written(0, 3)


@pytest.mark.parametrize(
    "other",
    [
        [line("t1", at=LATE, amount=9.0)],
        [line("t1", at=LATE, merchant="m1")],
        [line("t1", at=LATE, occurred_at=EARLY - 1)],
        [line("t1", at=LATE)] * 2,
    ],
)
def test_whatever_a_transaction_says_otherwise_is_a_correction(
    store: Store, other: list[dict[str, Any]]
) -> None:
    store.put_transactions([[line("t1")]])
    store.put_transactions([other])
    # A model of the time between learnt what is gone; no other one did.
    whole = [store.customer_state("a", since).whole for since in (EARLY, EARLY + 1, LATE, LATE + 1)]
    assert whole == [False, True, True, False]
    state = store.customer_state("a", since=LATE)
    assert len(state.transactions) == len(other)
    assert state.transactions[0]["occurred_at"] == other[0]["occurred_at"]


def test_what_replaces_a_transaction_counts_beside_what_is_there_already(store: Store) -> None:
    store.put_transactions([[line("t1")], [line("t2")] * 2])
    sent = [[line("t1", amount=9.0)] * 3, [line("t2")] * 2, [line("t3")]]
    assert store.put_transactions(sent) == Written(4, 2)
    assert store.put_transactions(sent) == Written(0, 6)


def test_transactions_that_cannot_be_written_change_nothing(store: Store) -> None:
    store.put_transactions([[line("t1")]])
    with pytest.raises(SQLAlchemyError):
        store.put_transactions([[line("t1", amount=9.0)], [line("t2", amount=None)]])
    assert [row["amount"] for row in store.customer_state("a").transactions] == [1.0]


def test_history_is_in_the_order_of_time(store: Store) -> None:
    store.add_events([event("e1", at=LATE), event("e2", at=EARLY)])
    store.put_transactions([[line("t1", at=LATE)], [line("t2", at=EARLY)]])
    state = store.customer_state("a")
    assert [row["occurred_at"] for row in state.interactions] == [EARLY, LATE]
    assert [row["transaction_id"] for row in state.transactions] == ["t2", "t1"]


def test_a_customer_is_new_once(store: Store) -> None:
    assert store.put_customer("a", {"age": 30.0}, {}) is True
    assert store.put_customer("a", {"age": 31.0}, {}) is False
    assert store.put_customer("b", {}, {}) is True
    assert store.counts()["customers"] == 2


def test_a_customer_of_whom_anything_is_on_record_is_not_new(store: Store) -> None:
    store.add_events([event("e1", customer_id="acted")])
    store.put_transactions([[line("t1", customer_id="bought")]])
    store.load(Dataset.of({"survey_answers": small_dataset().survey_answers}))
    for name in ("acted", "bought", "a"):
        assert store.put_customer(name, {"age": 30.0}, {}, {"signup_at": LATE}) is False
        assert store.customer_state(name).profile == {"age": 30.0}
    assert store.put_customer("new", {"age": 30.0}, {}, {"signup_at": LATE}) is True
    assert store.customer_state("new").profile == {"age": 30.0, "signup_at": LATE}


def test_only_what_is_given_of_a_customer_changes(store: Store) -> None:
    store.put_customer("a", {"age": 30.0, "city": "Ulm"}, {"q1": "yes", "q2": "no"})
    store.put_customer("a", {"age": 31.0, "city": None}, {"q2": "yes"})
    store.put_customer("a", {}, {})
    state = store.customer_state("a")
    assert state.profile == {"age": 31.0, "city": "Ulm"}
    assert state.answers == {"q1": "yes", "q2": "yes"}


def test_one_customer_does_not_change_another(store: Store) -> None:
    store.put_customer("a", {"age": 30.0}, {"q": "yes"})
    store.put_customer("b", {"age": 40.0}, {"q": "no"})
    assert store.customer_state("a").profile == {"age": 30.0}
    assert store.customer_state("a").answers == {"q": "yes"}


def test_since_leaves_out_what_was_recorded_before(store: Store) -> None:
    store.put_customer("a", {"age": 30.0}, {"q": "yes"})
    # A late row: it happened early and was recorded late.
    store.add_events([event("e1"), event("e2", at=EARLY, recorded_at=LATE, offer_id="late")])
    store.put_transactions([[line("t1")], [line("t2", at=LATE)]])
    state = store.customer_state("a", since=LATE)
    assert [row["offer_id"] for row in state.interactions] == ["late"]
    assert [row["transaction_id"] for row in state.transactions] == ["t2"]
    assert state.profile == {"age": 30.0}
    assert state.answers == {"q": "yes"}
    assert store.customer_state("a", since=LATE + 1).interactions == ()
    assert len(store.customer_state("a", since=EARLY).interactions) == 2


def test_concurrent_writers_lose_nothing(store: Store) -> None:
    def write(worker: int) -> list[Written]:
        done = []
        for turn in range(10):
            mine = f"{worker}-{turn}"
            done.append(store.add_events([event(f"e{mine}"), event(f"shared-{turn}")]))
            done.append(store.put_transactions([[line(f"t{mine}"), line(f"t{mine}")]]))
            store.put_customer("a", {"age": float(turn)}, {f"q{worker}": str(turn)})
            assert store.customer_state("a").known
        return done

    with ThreadPoolExecutor(6) as pool:
        written = [one for part in pool.map(write, range(6)) for one in part]
    counts = store.counts()
    assert counts["interactions"] == 6 * 10 + 10  # each writer's own and the shared ones once
    assert counts["transactions"] == 6 * 10 * 2
    assert sum(one.accepted for one in written) == 70 + 120
    assert counts["customers"] == 1
    assert store.customer_state("a").answers == {f"q{worker}": "9" for worker in range(6)}


def test_concurrent_writers_of_one_transaction_leave_one(store: Store) -> None:
    def write(worker: int) -> None:
        store.put_transactions([[line("t1", amount=float(worker))] * 3])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(24)))
    amounts = [row["amount"] for row in store.customer_state("a").transactions]
    assert len(amounts) == 3
    assert len(set(amounts)) == 1


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense with secret",
        "",
        "mysql://user:secret@localhost/nbo",
        "oracle+nodriver://user:secret@localhost/nbo",
        "postgresql+nodriver://user:secret@localhost/nbo",
        "postgresql://user:secret@localhost:port/nbo",
        "postgresql://user:p@ss:secret@localhost/nbo",
    ],
)
def test_a_bad_url_is_a_settings_error_that_keeps_the_password(bad: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Store.open(bad)
    assert "secret" not in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_code == 3


def test_a_database_where_none_can_be_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, whatever its name may say" * 20)
    for path in (tmp_path, tmp_path / "file", tmp_path / "file" / "nbo.db"):
        with pytest.raises(SettingsError):
            Store.open(f"sqlite:///{path}")
    assert (tmp_path / "file").read_text().startswith("not a database")


def test_the_name_of_a_store_is_its_url(url: str, store: Store) -> None:
    assert store.name == url


def test_a_transaction_that_is_there_is_left_as_it_is_as_a_whole(store: Store) -> None:
    def bought(lines: str) -> Dataset:
        rows = [
            {
                "customer_id": "a",
                "transaction_id": name[0],
                "item_id": name[1],
                "amount": float(place),
                "occurred_at": pd.Timestamp("2025-01-01", tz="UTC"),
            }
            for place, name in enumerate(lines.split())
        ]
        return Dataset.of({"transactions": pd.DataFrame(rows)})

    assert store.load(bought("1x 1y"))["transactions"] == Written(2, 0)
    # An export of later, in which a line of 1 was put in before the others; 2 is new.
    assert store.load(bought("1z 1x 1y 2x 2y 2z"))["transactions"] == Written(3, 3)
    told = {
        (row["transaction_id"], row["item_id"]) for row in store.customer_state("a").transactions
    }
    assert told == {("1", "x"), ("1", "y"), ("2", "x"), ("2", "y"), ("2", "z")}
