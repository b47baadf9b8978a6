"""The gate before a release: no worse than before, blind to the future, the same every time.

A model cannot be judged on what it was trained on. What is judged is its *shadow*: the same recipe
at an earlier moment, on what happened afterwards, against the model that was current then.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.words import counted
from recommender.bundle import Bundle
from recommender.features.bought import with_bought
from recommender.past.moments import FEWEST_EVENTS
from recommender.past.validation import Fold, fold_at, make_folds
from recommender.release.gate_checks import (
    ORDER,
    SAME,
    SHUFFLED,
    WORSE,
    Trainer,
    check_order,
    check_same,
    check_shuffled,
    check_worse,
    unasked,
)
from recommender.release.held_out import hold_out
from recommender.release.verdict import Check, Verdict
from recommender.training import train

STEPS = 4


def trainer_of(bundle: Bundle) -> Trainer:
    """Return what trains by the recipe of a bundle."""

    def trained(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return train(dataset, at=at, seed=seed, recipe=bundle.recipe)

    return trained


def judge_release(
    dataset: Dataset,
    candidate: Bundle,
    current: Bundle | None,
    *,
    thorough: bool = True,
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
        Ask also what needs two more trainings: determinism and shuffled labels.
    trainer : callable, optional
        Trains for an earlier moment; by the candidate's recipe if not given.
    on_step : callable
        Told the name of each of at most `STEPS` steps as it begins.
    """
    at, seed = candidate.moment, candidate.seed
    trainer = trainer or trainer_of(candidate)
    dataset = with_bought(dataset.before(at))
    on_step("gate: the past")
    fold, unlike = _comparable(dataset, at, candidate, current)
    earlier = fold or next(
        (one for one in make_folds(dataset, at, seed)[::-1] if one.at < at), None
    )
    against = "" if current is None else current.version
    if earlier is None:
        why = "time gives no cut with enough redeemed or clicked after it"
        silent = [Check(name, None, why, {}) for name in (ORDER, SAME, SHUFFLED)]
        return Verdict(candidate.version, against, (unlike or unasked(WORSE, why), *silent))
    found = {ORDER: check_order(dataset, earlier, at)}
    if unlike is not None:
        found[WORSE] = unlike
    if not thorough:
        later = "publish asks it with --data"
        found |= {name: unasked(name, later) for name in (SAME, SHUFFLED)}
    why = ""
    try:
        if thorough or unlike is None:
            on_step("gate: the same at an earlier moment")
            shadow = trainer(dataset, earlier.at, seed)
        if unlike is None and by_purchases(shadow) != by_purchases(candidate):
            found[WORSE] = unasked(
                WORSE, "to buy counted as to take until then, and does no longer"
            )
        elif unlike is None:
            found[WORSE] = check_worse(hold_out(earlier, seed), shadow, current, seed)
        if thorough:
            on_step("gate: the same again")
            found[SAME] = check_same(dataset, earlier.at, shadow, trainer, seed)
            on_step("gate: shuffled labels")
            found[SHUFFLED] = check_shuffled(dataset, earlier, trainer, seed)
    except DataError as error:
        why = error.problem  # what was answered before stands
    asked = tuple(found.get(name) or unasked(name, why) for name in (WORSE, ORDER, SAME, SHUFFLED))
    return Verdict(candidate.version, against, asked)


def by_purchases(bundle: Bundle) -> bool:
    """Tell whether to buy what an offer is for counts as to take it."""
    return bundle.recommender is not None and bundle.recommender.encoders.by_purchases


def _comparable(
    dataset: Dataset, at: pd.Timestamp, candidate: Bundle, current: Bundle | None
) -> tuple[Fold | None, Check | None]:
    """Return what happened since the current model's moment, or why there is nothing to compare."""
    if current is None:
        return None, unasked(WORSE, "there is no current model")
    if current.recommender is None:
        return None, unasked(WORSE, "the current model recommends nothing")
    if candidate.recommender is None:
        why = "it recommends nothing, and the current model does"
        return None, Check(WORSE, False, why, {})
    if current.moment >= at:
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
