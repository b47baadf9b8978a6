"""The shelf: a list is handed out again only while it holds, and memory is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.people import Asked
from api.shelf import OVERHEAD, Ready, Shelf


def ready(stamp: object, size: int = 10) -> Ready:
    return Ready((stamp,), b"x" * size, "hybrid")


def test_a_list_is_found_until_what_it_was_made_from_changes() -> None:
    shelf = Shelf()
    shelf.put(("c1", 10), ready(1))
    assert shelf.get(("c1", 10), (1,)) == ready(1)
    assert shelf.get(("c1", 10), (2,)) is None
    assert shelf.get(("c2", 10), (1,)) is None


def test_a_newer_list_takes_the_place_of_the_one_before() -> None:
    shelf = Shelf()
    shelf.put(("c1",), ready(1))
    shelf.put(("c1",), ready(2))
    assert len(shelf) == 1
    assert shelf.get(("c1",), (2,)) is not None


def test_the_longest_unused_leaves_first() -> None:
    shelf = Shelf(most_bytes=2 * (OVERHEAD + 200))
    shelf.put(("c1",), ready(1))
    shelf.put(("c2",), ready(1))
    assert shelf.get(("c1",), (1,)) is not None
    shelf.put(("c3",), ready(1))
    assert shelf.get(("c2",), (1,)) is None
    assert shelf.get(("c1",), (1,)) is not None


def test_nothing_is_left_after_clearing() -> None:
    shelf = Shelf()
    shelf.put(("c1",), ready(1))
    shelf.clear()
    assert len(shelf) == 0
    assert shelf.get(("c1",), (1,)) is None


def test_what_a_wish_names_takes_room_as_well() -> None:
    shelf = Shelf(most_bytes=20 * 50_000)
    for number in range(100):
        left_out = tuple(f"o{number}-{offer}" for offer in range(700))
        shelf.put(("c1", Asked(exclude=left_out)), ready(1))
    assert 5 <= len(shelf) <= 25


@given(
    puts=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3000))),
    room=st.integers(0, 5000),
)
def test_what_is_kept_never_takes_more_than_its_room(
    puts: list[tuple[int, int, int]], room: int
) -> None:
    shelf = Shelf(most_bytes=room)
    sizes: dict[int, int] = {}
    for key, stamp, size in puts:
        shelf.put((key,), ready(stamp, size))
        sizes[key] = size
        kept = [key for key in sizes for s in range(4) if shelf.get((key,), (s,)) is not None]
        assert sum(sizes[key] + OVERHEAD for key in kept) <= room
        assert len(kept) == len(shelf)
