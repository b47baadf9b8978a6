"""Every check of an evaluation in one run, and the refusal of a report that fails one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

from data.dataset import Dataset
from data.errors import BundleError, DataError
from evaluation.checks.fullness import (
    CHANCE,
    FIGURES,
    FULL,
    check_chance,
    check_figures,
    check_full,
)
from evaluation.checks.leakage import (
    check_cold,
    check_known,
    check_pairs,
    check_rows,
    check_segments,
    check_time,
    fold_of,
)
from evaluation.harness import Trial
from evaluation.splitting import Split
from recommender.bundle import Bundle
from recommender.release.gate import trainer_of
from recommender.release.gate_checks import SAME, SHUFFLED, Trainer, check_same, check_shuffled
from recommender.release.verdict import Check, Verdict

STEPS = 3


def run_checks(
    dataset: Dataset,
    split: Split,
    bundle: Bundle,
    trial: Trial | None,
    *,
    seed: int = 0,
    thorough: bool = True,
    trainer: Trainer | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> tuple[Check, ...]:
    """Ask an evaluation everything by which it could fool its reader.

    Parameters
    ----------
    dataset : Dataset
        All rows, those of the test window among them.
    split : Split
        Of that dataset.
    bundle : Bundle
        Trained on `split.train` for `split.at`.
    trial : Trial, optional
        Of that bundle; None where there is nothing to rank.
    seed : int
        Of the training and of samples.
    thorough : bool
        Ask also what needs two more trainings: determinism and shuffled labels.
    trainer : callable, optional
        Trains for the moment; by the bundle's recipe if not given.
    on_step : callable
        Told the name of each of at most `STEPS` steps as it begins.

    Returns
    -------
    tuple of Check
        `passed` is None where something could not be asked; `figures["seconds"]` is what the
        question cost.
    """
    on_step("checks: rows, features, lists")
    asked = [
        partial(check_time, dataset, split),
        partial(check_rows, dataset, split),
        partial(check_pairs, dataset, split),
        partial(check_cold, split, bundle),
        partial(check_known, split, bundle),
        partial(check_segments, split, bundle),
    ]
    if trial is not None:
        asked += [
            partial(check_full, split, bundle, trial, seed),
            partial(check_figures, split, trial),
            partial(check_chance, split, trial),
        ]
    found = [_timed(one) for one in asked]
    if trial is None:
        found += [_unasked(name, "nothing is ranked") for name in (FULL, FIGURES, CHANCE)]
    if not thorough:
        why = "it needs two more trainings, which were not wished for"
        return (*found, _unasked(SAME, why), _unasked(SHUFFLED, why))
    trainer = trainer or trainer_of(bundle)
    # Where time gives a cut, training is given the future as well and must not read it.
    given = dataset if split.by_time else split.train
    on_step("checks: the same once more")
    found.append(_timed(partial(check_same, given, split.at, bundle, trainer, bundle.seed), SAME))
    on_step("checks: shuffled labels")
    shuffled = partial(check_shuffled, given, fold_of(split), trainer, seed)
    return (*found, _timed(shuffled, SHUFFLED))


def refuse(checks: Sequence[Check]) -> None:
    """Raise what ends a run whose report cannot be trusted; nothing where every check holds.

    Raises
    ------
    BundleError
        A check failed: exit code 5, as when the release gate refuses a model.
    """
    reasons = Verdict("", "", tuple(checks)).reasons
    if reasons:
        asked = sum(check.passed is not None for check in checks)
        raise BundleError(
            f"The evaluation cannot be trusted, {len(reasons)} of {asked} checks failed. "
            f"{' '.join(f'{why}.' for why in reasons)}",
            "The report was written and names them; correct what they point at and run it again.",
        )


def _timed(ask: Callable[[], Check], name: str = "") -> Check:
    began = perf_counter()
    try:
        found = ask()
    except DataError as error:
        if not name:
            raise
        found = _unasked(name, error.problem)
    seconds = round(perf_counter() - began, 2)
    return replace(found, figures={**found.figures, "seconds": seconds})


def _unasked(name: str, why: str) -> Check:
    return Check(name, None, why, {})
