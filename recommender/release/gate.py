"""The gate before a release: no worse than before, blind to the future, the same every time.

A model cannot be judged on what it was trained on. What is judged is its *shadow*: the same recipe
at an earlier moment, on what happened afterwards, against the model that was current then. That
the model itself is what its recipe makes of the data is asked beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.words import counted
from recommender.bundle import Bundle
from recommender.features.bought import with_bought
from recommender.past.fold import Fold
from recommender.past.moments import FEWEST_EVENTS
from recommender.past.validation import fold_at, make_folds
from recommender.release.gate_checks import (
    ORDER,
    SAME,
    SHUFFLED,
    WORSE,
    Trainer,
    check_order,
    check_shuffled,
    check_worse,
    unasked,
)
from recommender.release.held_out import hold_out
from recommender.release.origin import check_origin
from recommender.release.verdict import Check, Verdict
from recommender.training import train
from segmentation.segments import SegmentModel

STEPS = 4


def trainer_of(bundle: Bundle, previous: SegmentModel | None = None) -> Trainer:
    """Return what trains by the recipe of a bundle, which holds what tuning found as well."""

    def trained(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return train(dataset, at=at, seed=seed, previous=previous, recipe=bundle.recipe)

    return trained


def judge_release(
    dataset: Dataset,
    candidate: Bundle,
    current: Bundle | None,
    *,
    thorough: bool = True,
    stated: bool = True,
    trainer: Trainer | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Judge a model that was trained from a dataset.

    Parameters
    ----------
    dataset : Dataset
        What it was trained from; rows from its moment on are not read.
    candidate : Bundle
        The new model, with its version.
    current : Bundle, optional
        The one it would replace.
    thorough : bool
        Ask also what needs two more trainings: whether it is what its recipe makes of the dataset
        (a third where another version comes out), and shuffled labels.
    stated : bool
        Whether somebody chose the candidate's moment; else it is just after the last row, and what
        a current model of a later moment knew is not in the data any more.
    trainer : callable, optional
        Trains for a moment; by the candidate's recipe if not given.
    on_step : callable
        Told the name of each of at most `STEPS` steps as it begins.
    """
    at, seed = candidate.moment, candidate.seed
    # Segments that kept the names of former ones get them from the candidate's own.
    again = trainer or trainer_of(candidate, candidate.segments)
    trainer = trainer or trainer_of(candidate)
    on_step("gate: the past")
    given = dataset.before(at)
    dataset = with_bought(given)
    fold, unlike = _comparable(dataset, candidate, current, stated)
    earlier = fold or next(
        (one for one in make_folds(dataset, at, seed)[::-1] if one.at < at), None
    )
    found = {} if unlike is None else {WORSE: unlike}
    why = ""
    try:
        if thorough:
            on_step("gate: the same again")
            found[SAME] = check_origin(given, candidate, again)
        else:
            later = "publish asks it with --data"
            found |= {name: unasked(name, later) for name in (SAME, SHUFFLED)}
        if earlier is None:
            raise DataError("time gives no cut with enough redeemed or clicked after it")
        found[ORDER] = check_order(dataset, earlier, at)
        if unlike is None:
            on_step("gate: the same at an earlier moment")
            shadow = trainer(dataset, earlier.at, seed)
            found[WORSE] = (
                check_worse(hold_out(earlier, seed), shadow, current, seed)
                if by_purchases(shadow) == by_purchases(candidate)
                else unasked(WORSE, "to buy counted as to take until then, and does no longer")
            )
        if thorough:
            on_step("gate: shuffled labels")
            found[SHUFFLED] = check_shuffled(dataset, earlier, trainer, seed)
    except DataError as error:
        why = error.problem  # what was answered before stands
    asked = tuple(found.get(name) or unasked(name, why) for name in (WORSE, ORDER, SAME, SHUFFLED))
    return Verdict(candidate.version, "" if current is None else current.version, asked)


def by_purchases(bundle: Bundle) -> bool:
    """Tell whether to buy what an offer is for counts as to take it."""
    return bundle.recommender is not None and bundle.recommender.encoders.by_purchases


def _comparable(
    dataset: Dataset, candidate: Bundle, current: Bundle | None, stated: bool
) -> tuple[Fold | None, Check | None]:
    """Return what happened since the current model's moment, or why there is nothing to compare."""
    at = candidate.moment
    if current is None:
        return None, unasked(WORSE, "there is no current model")
    if current.recommender is None:
        return None, unasked(WORSE, "the current model recommends nothing")
    if candidate.recommender is None:
        why = "it recommends nothing, and the current model does"
        return None, Check(WORSE, False, why, {})
    if current.moment > at and not stated:
        why = f"the data end before the current model's moment, {current.at}"
        return None, unasked(WORSE, why)
    if current.moment > at:
        why = (
            f"its moment {candidate.at} is before the current model's, {current.at}, and it would "
            "serve without what happened since; train --no-gate, publish --force and rollback make "
            "an earlier model current all the same"
        )
        return None, Check(WORSE, False, why, {"at": candidate.at, "current_at": current.at})
    if current.moment == at:
        return None, unasked(WORSE, "no time has passed since the current model's moment")
    fold = fold_at(dataset, current.moment, at)
    if len(fold.taken) < FEWEST_EVENTS:
        taken = counted(len(fold.taken), "redemption or click", "redemptions or clicks")
        why = (
            f"{taken} of offers on offer since the current model's "
            f"moment, {FEWEST_EVENTS} are needed"
        )
        return None, unasked(WORSE, why)
    return fold, None
