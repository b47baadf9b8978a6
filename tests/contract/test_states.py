"""Many customers are read at once as one after the other, on every database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy.exc import SQLAlchemyError

from data.dataset import Dataset
from data.reading import MANY
from data.store import Store


@pytest.fixture
def store(url: str, small_dataset: Dataset) -> Iterator[Store]:
    opened = Store.open(url)
    opened.load(small_dataset)
    yield opened
    opened.close()


def test_many_states_are_those_of_each(store: Store, small_dataset: Dataset) -> None:
    names = [*map(str, small_dataset.customer_ids.ids), "nobody", "né; DROP TABLE", "o'hara"]
    half = int(small_dataset.moment_after().value // 1000) - 30 * 86_400_000_000
    # Something recorded earlier was replaced: everything has to be read.
    line = {
        "customer_id": names[3], "transaction_id": "new", "amount": 1.0, "occurred_at": 1,
        "recorded_at": half - 1,
    }  # fmt: skip
    store.put_transactions([[line]])
    store.put_transactions([[{**line, "amount": 2.0, "recorded_at": half + 1}]])
    since = {name: (None, half, half + 10**9)[place % 3] for place, name in enumerate(names)}
    since[names[3]] = half
    store.put_customer(names[5], {"age": 44.0, "plan": "gold", "cards": 2.0, "vip": True}, {})
    states = store.customer_states(since)
    assert list(states) == names
    assert states == {name: store.customer_state(name, at) for name, at in since.items()}
    assert states[names[3]].whole
    assert states[names[5]].profile["age"] == 44.0
    own = {name: states[names[5]].profile[name] for name in ("plan", "cards", "vip")}
    assert own == {"plan": "gold", "cards": 2.0, "vip": True}
    assert all("plan" not in states[name].profile for name in names if name != names[5])
    assert not states["nobody"].known
    assert any(state.interactions for state in states.values())


@pytest.mark.parametrize("count", [0, 1, MANY - 1, MANY, 2 * MANY + 1])
def test_however_many_there_are(store: Store, count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    for name in names[::100]:
        store.put_customer(name, {"age": 30.0}, {"category:home": "yes"})
    states = store.customer_states(dict.fromkeys(names))
    assert [name for name in names if states[name].known] == names[::100]
    mine, everybody = store.revisions_of_many(names)
    assert mine == {name: store.revisions(name)[0] for name in names}
    assert everybody == store.revisions("anybody")[1] == 1


def test_closing_harms_nobody_who_is_reading(store: Store) -> None:
    end = time.monotonic() + 1.0

    def read() -> None:
        while time.monotonic() < end:
            store.keep_connection()
            with suppress(SQLAlchemyError):
                store.customer_state("c0000004")

    with ThreadPoolExecutor(4) as readers:
        reading = [readers.submit(read) for _ in range(4)]
        while time.monotonic() < end:
            store.close()
            time.sleep(0.05)
        for one in reading:
            one.result()
    assert store.customer_state("c0000004").known


def test_who_was_at_work_when_all_was_closed_opens_nothing_more(url: str) -> None:
    store = Store.open(url)
    with ThreadPoolExecutor(1, initializer=store.keep_connection) as reader:
        reader.submit(store.customer_state, "somebody").result()
        store.close()
        late = reader.submit(store.customer_state, "somebody")
        with pytest.raises(SQLAlchemyError):
            late.result()
    store.close()
