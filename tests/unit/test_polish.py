"""Polishing follows the lists where they speak clearly, and else leaves the weights alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.base import Query
from recommender.learning.polish import lean, polish, polish_from, settle
from recommender.learning.pooling import Sums, pool
from recommender.learning.yardstick import ndcg
from recommender.past.layout import Layout, evenly


def sums(n: int = 400, offers: int = 30) -> Sums:
    """The first part tells what is taken, the second is noise, the third harms."""
    random = np.random.default_rng(0)
    liking = random.normal(size=(n, offers))
    taken = liking + random.normal(size=(n, offers)) > 2.2
    parts = np.stack([liking, random.normal(size=(n, offers)) * 0.1, -2.0 * liking])
    return Sums(parts, taken, np.ones((n, offers), dtype=bool))


def test_what_harms_is_turned_down() -> None:
    found = polish([sums()], np.ones(3))
    assert found[2] < 0.3
    assert found[0] >= 1


def test_of_each_part_its_own_evidence_is_asked() -> None:
    found = polish([sums()], np.ones(3), np.array([2.0, 2.0, np.inf]))
    assert found[2] == 1.0
    assert found[0] > 1.0


def test_what_makes_no_difference_stays() -> None:
    one = sums()
    start = np.array([1.0, 1.0, 0.01])
    assert polish([one], start)[1] == 1.0


def test_a_part_at_zero_may_come_back() -> None:
    start = np.array([0.0, 1.0, 0.0])
    assert polish([sums()], start)[0] > 0


def test_without_lists_the_start_stands() -> None:
    np.testing.assert_array_equal(polish([], np.array([0.3, 2.0])), [0.3, 2.0])


def test_a_handful_of_lists_is_chance() -> None:
    few = sums(n=12)
    start = np.array([1.0, 1.0, 0.1])
    np.testing.assert_array_equal(polish([few], start)[1:], start[1:])


def test_equal_scores_do_not_betray_what_was_taken() -> None:
    n, offers = 3, 500
    taken = np.zeros((n, offers), dtype=bool)
    taken[:, 20] = True
    every = np.broadcast_to(np.arange(offers), (n, offers))
    query = Query(*(sp.csr_matrix((n, offers)) for _ in range(len(fields(Query)))))
    found = pool(
        lambda part, columns=None: np.zeros(
            (1, len(part), offers if columns is None else columns.shape[1])
        ),
        lambda part, weight: np.zeros((len(part), offers), dtype=np.float32),
        np.ones((1, n)),
        (np.ones(1), np.full(1, 2.0)),
        query,
        Layout(np.arange(n), every, taken, np.ones((n, offers), dtype=bool)),
    )
    assert found.taken.sum(axis=1).tolist() == [1, 1, 1]
    assert (ndcg(found.parts[0], found.taken, found.candidate) == 0).all()


@pytest.mark.parametrize(("lists", "led"), [(20_000, 16.0), (40, 1.0)])
def test_a_blend_that_is_no_better_leans_on_its_best_part(lists: int, led: float) -> None:
    one = sums(lists)
    noisy = Sums(one.parts[:2] * np.array([1.0, 3.0])[:, None, None], one.taken, one.candidate)
    assert lean([noisy], np.ones(2), 2).tolist() == [led, 1.0]
    assert lean([noisy], np.ones(2), 0).tolist() == [1.0, 1.0]


def test_a_blend_that_is_better_stays() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 20_000, 30))
    taken = first + second + random.normal(size=first.shape) > 3
    both = Sums(np.stack([first, second]), taken, np.ones(taken.shape, dtype=bool))
    assert lean([both], np.ones(2), 2).tolist() == [1.0, 1.0]


def test_without_lists_nothing_leans() -> None:
    np.testing.assert_array_equal(lean([], np.array([0.3, 2.0]), 2), [0.3, 2.0])


def test_another_start_counts_only_where_lists_are_better_with_it() -> None:
    random = np.random.default_rng(0)
    parts = random.normal(size=(2, 400, 30))
    taken = parts[0] > np.sort(parts[0], axis=1)[:, [-3]]
    lists = [Sums(parts, taken, np.ones_like(taken))]
    good, bad = np.array([1.0, 0.02]), np.array([0.02, 1.0])
    for starts in ((bad, good), (good, bad)):
        assert (polish_from(lists, starts) @ [1, -1]) > 0.5
    none = polish_from([], (bad, good))
    np.testing.assert_array_equal(none, bad)


def test_of_plenty_of_lists_the_better_start_is_taken_by_however_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recommender.learning.polish.polish", lambda _, start, sure: start)

    def lists(n: int) -> list[Sums]:
        """Of a hundred, fifty are right by the first part, fifty-one by the second."""
        place = np.arange(n) % 100
        first = np.where(np.array([place < 50, place >= 49]), 1.0, -1.0)
        parts = np.stack([first, np.zeros_like(first)], axis=2)
        taken = np.tile([True, False], (n, 1))
        return [Sums(parts, taken, np.ones_like(taken))]

    starts = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    for n, chosen in ((400, 0), (1500, 0), (3000, 1)):
        np.testing.assert_array_equal(polish_from(lists(n), starts), starts[chosen])


def test_lists_of_nothing_leave_the_others_alone() -> None:
    empty = Sums(np.empty((3, 0, 0)), np.empty((0, 0), dtype=bool), np.empty((0, 0), dtype=bool))
    start = np.array([1.0, 1.0, 0.1])
    np.testing.assert_array_equal(polish([sums(), empty], start), polish([sums()], start))


def test_what_any_start_puts_first_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.learning.pooling.POOL", 5)
    offers = 60
    parts = np.stack([np.arange(offers), -np.arange(offers)]).astype(float)[:, None]
    taken = np.zeros((1, offers), dtype=bool)
    taken[0, 30] = True
    query = Query(*(sp.csr_matrix((1, offers)) for _ in range(len(fields(Query)))))
    found = pool(
        lambda part, columns=None: parts,
        lambda part, weights: np.einsum("fno,wfn->wno", parts, weights),
        np.ones((2, 1)),
        (np.array([1.0, 0.0]), np.array([0.0, 1.0])),
        query,
        Layout(np.arange(1), np.arange(offers)[None], taken, np.ones((1, offers), dtype=bool)),
    )
    kept = found.parts[0, 0][found.candidate[0]]
    assert kept.tolist() == [*range(5), 30, *range(55, 60)]
    assert found.taken.sum() == 1


def test_scales_are_not_settled_by_lists_that_lack_what_would_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second part favours half of the catalogue, of which hardly anything is ever taken.

    Of these offers the lists hold what was taken and nothing else: there it seems to find it.
    """
    monkeypatch.setattr("recommender.learning.pooling.POOL", 30)
    random = np.random.default_rng(0)
    n, offers = 600, 400
    junk = np.arange(offers) >= offers // 2
    liking = random.normal(size=(n, offers)) - 2.5 * junk
    favour = np.broadcast_to(junk.astype(float), (n, offers))
    parts = np.stack([liking, favour])
    taken = liking + random.normal(size=(n, offers)) > 3.2
    taken |= junk & (random.random((n, offers)) < 0.01)
    every = np.ones((n, offers), dtype=bool)
    layout = Layout(np.arange(n), np.broadcast_to(np.arange(offers), (n, offers)), taken, every)
    query = Query(*(sp.csr_matrix((n, offers)) for _ in range(len(fields(Query)))))

    def sums_of(scales: Sequence[np.ndarray], most: int | None = None) -> list[Sums]:
        rows = evenly(n, most or n)

        def score(_: Query, columns: np.ndarray | None = None) -> np.ndarray:
            assert columns is None, "lists as short as these are scored whole"
            return parts[:, rows]

        def rough(_: Query, weights: np.ndarray) -> np.ndarray:
            raise AssertionError

        asked, lists = query.take(rows), layout.take(rows)
        return [pool(score, rough, np.ones((2, len(rows))), scales, asked, lists)]

    def judged(scale: np.ndarray) -> float:
        return float(ndcg(np.einsum("fno,f->no", parts, scale), taken, every).mean())

    start = np.ones(2)
    misled = polish(sums_of([start]), start)
    settled = settle(sums_of, (start,), lambda sums, begin: polish(sums, begin[0]))
    assert judged(misled) < judged(start) / 2
    assert judged(settled) >= judged(start)


def test_scales_are_settled_at_once_where_lists_are_whole() -> None:
    asked = []

    def sums_of(scales: Sequence[np.ndarray], most: int | None) -> list[Sums]:
        assert most is None
        asked.append(len(scales))
        return [sums()]

    found = settle(sums_of, (np.ones(3),), lambda told, begin: polish(told, begin[0]))
    assert asked == [1]
    np.testing.assert_array_equal(found, polish([sums()], np.ones(3)))
