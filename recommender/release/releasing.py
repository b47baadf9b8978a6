"""A new model at the end of its training: it becomes the current one, or is kept back."""

from __future__ import annotations

from pathlib import Path

from data.console import say, steps
from data.dataset import Dataset
from data.errors import BundleError
from recommender.bundle import Bundle
from recommender.release.gate import STEPS, judge_release
from recommender.release.verdict import Verdict, write_verdict
from recommender.storage.model_folder import load, save, store, version_of
from recommender.storage.one_writer import one_writer
from recommender.storage.versions import current_version, keep_back, make_current


def current_bundle(model: Path) -> Bundle | None:
    """Return the current model, if there is one that can be read; say so where it cannot."""
    if not current_version(model):
        return None
    try:
        return load(model)
    except BundleError as error:
        say(f"Note: the current model cannot be read, nothing is held against it: {error.problem}")
        return None


def release(
    bundle: Bundle,
    dataset: Dataset,
    current: Bundle | None,
    model: Path,
    *,
    gate: bool,
    stated: bool,
    before: str = "",
) -> tuple[Bundle, Verdict | None]:
    """Store a new model and make it the current one, unless the gate refuses it.

    Parameters
    ----------
    bundle : Bundle
        The new model.
    dataset : Dataset
        What it was trained from.
    current : Bundle, optional
        The model it would replace; with none there is nothing to compare with, and no gate.
    gate : bool
        Whether the gate is asked.
    stated : bool
        Whether somebody chose the moment of the new model.
    before : str
        The version that was current before the training, where it cannot be read.

    Returns
    -------
    bundle : Bundle
        With its version.
    verdict : Verdict or None
        None where the gate was not asked.

    Raises
    ------
    BundleError
        The gate refuses, or another model became the current one meanwhile; the new one is kept
        as the candidate and the current one stays.
    """
    if not gate:
        return save(bundle, model), None
    if current is None:
        left = "the current one cannot be read" if before else "there is none"
        say(f"Note: no current model to compare with ({left}), so the gate was not asked.")
        bundle = store(bundle, model)
        _make_current(bundle.version, before, model)
        return bundle, None
    if version_of(bundle) == current.version:
        say("Note: the new model is the same as the current one, so the gate was not asked.")
        bundle = store(bundle, model)
        _make_current(bundle.version, current.version, model)
        return bundle, None
    bundle = store(bundle, model)
    with steps(STEPS) as step:
        verdict = judge_release(
            dataset, bundle, current, thorough=False, stated=stated, on_step=step
        )
    write_verdict(verdict, model)
    if verdict.reasons:
        keep_back(model, bundle.version)
        raise refusal(verdict, model, current.version)
    _make_current(bundle.version, current.version, model)
    return bundle, verdict


def _make_current(version: str, against: str, model: Path) -> None:
    """Make a version current, unless another training ended first, with newer facts."""
    with one_writer(model):
        if current_version(model) not in (against, version):
            keep_back(model, version)
            raise overtaken(version, against, model)
        make_current(model, version)


def refusal(verdict: Verdict, model: Path, current: str) -> BundleError:
    """Say why the gate refuses a model."""
    return BundleError(
        f"The gate refuses {verdict.version}. {' '.join(f'{why}.' for why in verdict.reasons)} "
        f"It is kept; {current or 'none'} stays current.",
        f"To publish it all the same: python -m recommender publish {verdict.version} "
        f"--model {model} --force",
    )


def overtaken(version: str, against: str, model: Path) -> BundleError:
    """Say that what a model was held against is not the current one any more."""
    held = f"was held against {against or 'none'}"
    if version == against:
        held = "is the model that the training began from, made again"
    return BundleError(
        f"{version} {held}, and another model became the current one meanwhile "
        f"({current_version(model) or 'none'}). {version} is kept.",
        f"Measure it anew: python -m recommender publish {version} --model {model} --data DIR",
    )
