"""Penalties are those that a solution for each of them would choose, with columns left out."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.fitting.penalties import PENALTIES, SURE, TIMES, Trial


def trial_of(seed: int, n: int = 150, columns: int = 24, offers: int = 5) -> Trial:
    """Make customers of whom the first columns say much, some little and the last nothing."""
    random = np.random.default_rng(seed)
    centred = random.normal(size=(n, columns)) * (random.random((n, columns)) < 0.7)
    centred[:, -2:] = 0.0
    said = random.uniform(0.5, 2.0, n)
    lift = np.where(np.arange(columns) < 4, 0.1, 0.01)[:, None] * random.normal(size=offers)
    target = (random.random((n, offers)) < 0.15 + np.clip(centred @ lift, -0.1, 0.5)).astype(float)
    flat = target.mean(axis=0)
    return Trial(
        centred=centred,
        gram=centred.T @ (said[:, None] * centred),
        cross=centred.T @ (target - flat * said[:, None]),
        target=sp.csr_matrix(target),
        flat=flat,
        n=n,
        said=said,
    )


def solved(trial: Trial, penalty: np.ndarray) -> np.ndarray:
    """Return the errors that `Trial` sums up, the gram solved for these penalties."""
    here = np.flatnonzero(np.isfinite(penalty))
    left = trial.gram[np.ix_(here, here)] + np.diag(penalty[here])
    count = np.linalg.solve(left, trial.centred[:, here].T) * trial.said
    missed = trial.target.toarray() - trial.flat - count.T @ trial.cross[here]
    own = 1 / trial.n + (trial.centred[:, here].T * count).sum(axis=0)
    return np.asarray((missed**2).sum(axis=1) / (1 - np.minimum(own, 0.99)) ** 2 / trial.said)


def chosen(trial: Trial, penalty: np.ndarray, families: list[np.ndarray]) -> np.ndarray:
    """Choose likewise, each time from a new solution."""

    def best(start: np.ndarray, columns: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        tried = np.repeat(start[None], len(sizes), axis=0)
        tried[:, columns] = sizes[:, None]
        return min(tried, key=lambda one: solved(trial, one).sum())

    alike = apart = best(penalty, np.concatenate(families), PENALTIES)
    for family in families if len(families) > 1 else []:
        other = best(apart, family, np.minimum(TIMES * apart[family[0]], PENALTIES[-1]))
        if solved(trial, other).sum() < solved(trial, apart).sum():
            apart = other
    gain = solved(trial, alike) - solved(trial, apart)
    return apart if gain.sum() > SURE * np.sqrt((gain**2).sum()) else alike


@pytest.mark.parametrize("seed", range(6))
def test_the_choice_is_that_of_solving_for_each_penalty(seed: int) -> None:
    trial = trial_of(seed)
    first = [np.arange(0, 4), np.arange(4, 5), np.arange(5, 12), np.arange(12, 16)]
    then = [np.arange(16, 22), np.arange(22, 24)]
    ours = theirs = np.full(24, np.inf)
    for families in (first, then):
        ours, theirs = trial.choose(ours, families), chosen(trial, theirs, families)
        np.testing.assert_array_equal(ours, theirs)


def test_errors_are_right_after_many_steps_each_from_the_last() -> None:
    trial, random = trial_of(1), np.random.default_rng(1)
    found = trial.solve(np.full(24, np.inf))
    for block in (np.arange(0, 16), np.arange(16, 24)):
        found = trial._best(found, block, PENALTIES[8:9])
        np.testing.assert_allclose(trial._errors(found), solved(trial, found.penalty), rtol=1e-9)
        for _ in range(50):
            first = 4 * random.integers(0, block[-1] // 4 + 1)
            columns = np.arange(first, first + 4)
            found = trial._best(found, columns, random.choice(PENALTIES, 1))
        np.testing.assert_allclose(trial._errors(found), solved(trial, found.penalty), rtol=1e-9)


def test_families_differ_where_that_is_better_by_more_than_chance() -> None:
    families = [np.arange(0, 4), np.arange(4, 24)]
    found = [trial_of(seed, n=600).choose(np.full(24, np.inf), families) for seed in range(6)]
    assert any(one[0] < one[4] for one in found)


def test_nobody_left_out_chooses_as_well() -> None:
    trial = trial_of(0)
    none = Trial(
        trial.centred[:0], trial.gram, trial.cross, trial.target[:0], trial.flat, 1, trial.said[:0]
    )
    assert set(none.choose(np.full(24, np.inf), [np.arange(24)])) == {PENALTIES[0]}
