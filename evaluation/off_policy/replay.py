"""Policies compared before launch: what each would have achieved on decisions that were logged.

The lists are those of one moment, the cut: a model that knows only what was before it ranks, and
what was shown from then on is weighed by how much likelier the policy was to show it. The chance of
a place alone is weighed, not that of the whole list (the item-position model of Li et al., 2018,
see `evaluation.off_policy.position`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.errors import BundleError, DataError, UsageError
from data.schema import IMPRESSION, OCCURRED_AT
from data.words import counted
from evaluation.off_policy.chances import Decider
from evaluation.off_policy.judging import UNSEEN, Judged, judge
from evaluation.off_policy.logged import Log, Shown, past_rates, read_log
from evaluation.protocol import Protocol
from evaluation.significance import Estimate, estimate_ratio
from evaluation.splitting import split_dataset
from recommender.base import POLICIES
from recommender.bundle import Bundle
from recommender.training import train


@dataclass(frozen=True)
class Replay:
    """What each policy would have achieved from the cut on.

    Attributes
    ----------
    at, until : Timestamp
        The cut, and the end of the log.
    model_at, model_version : str
        Of the model that ranked.
    explore : float
        Share of the time that an offer is drawn evenly.
    log : Log
        What was replayed.
    logged : dict of str to Estimate or str
        Per measure what the logging policy achieved on the same rows, or why it is not measured.
    policies : dict of str to dict of str to Judged
        By policy and measure.
    learnt_from : int
        Impressions before the cut that the reward model knows.
    notes : tuple of str
    """

    at: pd.Timestamp
    until: pd.Timestamp
    model_at: str
    model_version: str
    explore: float
    log: Log
    logged: dict[str, Estimate | str]
    policies: dict[str, dict[str, Judged]]
    learnt_from: int
    notes: tuple[str, ...]


def check_policies(policies: tuple[str, ...], explore: float) -> None:
    """Refuse what cannot be replayed.

    Raises
    ------
    UsageError
        A policy is not known, none is named, or exploring is no share.
    """
    for policy in policies:
        if policy not in POLICIES:
            raise UsageError(f"There is no policy {policy!r}.", f"Known: {', '.join(POLICIES)}.")
    if not policies:
        raise UsageError("No policy is named.", f"Known: {', '.join(POLICIES)}.")
    if not 0 <= explore <= 1:
        raise UsageError(f"--explore is {explore:g}.", "Give a share from 0 to 1.")


def replay(
    dataset: Dataset,
    policies: tuple[str, ...],
    *,
    at: pd.Timestamp | None = None,
    bundle: Bundle | None = None,
    explore: float = 0.0,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Replay:
    """Estimate what policies would have achieved on the decisions logged after a cut.

    Parameters
    ----------
    dataset : Dataset
        With impressions that have a propensity and, where lists are shown, a position.
    policies : tuple of str
        Of `recommender.base.POLICIES`. ``random`` draws evenly, with its exact chances.
    at : Timestamp, optional
        The cut; the bundle's moment, or else the one `evaluation.protocol` chooses.
    bundle : Bundle, optional
        Ranks; by default one is trained on what was before the cut.
    explore : float
        Share of the time that a list is drawn evenly from the valid offers instead.
    seed : int
        The only source of chance.
    on_step : callable
        Told the name of each step: those of training, where it trains, and one per policy.

    Raises
    ------
    UsageError
        A policy is not known.
    DataError
        Nothing can be replayed: no impressions after the cut, or none with a propensity.
    BundleError
        The bundle knows what happened after the first impression to be replayed.
    """
    check_policies(policies, explore)
    until = dataset.moment_after()
    if at is None:
        at = _cut(dataset) if bundle is None else bundle.moment
    log = read_log(Shown.of(dataset), at, until)
    first = pd.Timestamp(log.time.min(), tz="UTC")
    if bundle is None:
        bundle = train(dataset, at=at, seed=seed, on_step=on_step)
    elif bundle.moment > first:
        raise BundleError(
            f"The model knows what happened until {bundle.at}; the first impression to be replayed "
            f"is of {first.isoformat()}.",
            f"Give --at {bundle.at}, or leave --model out to train on what was before the cut.",
        )
    decider = Decider(bundle, dataset, log, at)
    learnt, learnt_from = past_rates(dataset, at, decider.offers, int(log.position.max()))
    rates = {name: learnt[name] for name in log.answered}
    known, place = decider.offer >= 0, log.position - 1
    predicted = {
        name: np.where(known, rate[decider.offer, place], 0.0) for name, rate in rates.items()
    }
    unseen = np.ones((len(decider.offers), int(log.position.max())))
    unseen[decider.offer[known], place[known]] = 0.0
    logged: dict[str, Estimate | str] = dict(log.unmeasured)
    for name, reward in log.answered.items():
        logged[name] = estimate_ratio(
            np.bincount(log.customer, weights=reward), np.bincount(log.customer), seed
        )
    found = {}
    for policy in dict.fromkeys(policies):
        on_step(f"policy {policy}")
        chances = decider.decide(policy, explore, {**rates, UNSEEN: unseen})
        found[policy] = {name: judge(log, chances, predicted[name], name) for name in predicted}
    strangers = sum(name not in bundle.customer_ids for name in log.customers)
    return Replay(
        at=at,
        until=until,
        model_at=bundle.at,
        model_version=bundle.version,
        explore=explore,
        log=log,
        logged=logged,
        policies=found,
        learnt_from=learnt_from,
        notes=(*log.notes, *_remarks(int((~known).sum()), strangers, learnt_from)),
    )


def _remarks(unknown: int, strangers: int, learnt_from: int) -> Iterator[str]:
    if unknown:
        told = counted(unknown, "impression is", "impressions are")
        yield f"{told} of offers that the model does not know."
    if strangers:
        told = counted(strangers, "customer is", "customers are")
        yield f"{told} new to the model: their profile speaks for them."
    if not learnt_from:
        yield (
            "No impression was logged before the cut: the reward model knows nothing, and doubly "
            "robust is inverse propensity."
        )


def _cut(dataset: Dataset) -> pd.Timestamp:
    split = split_dataset(dataset, Protocol())
    if not split.by_time:
        raise DataError(
            "Time gives no cut: the history is too short.",
            f"Give --at the moment to replay from{_proposed(dataset)}.",
        )
    return split.at


def _proposed(dataset: Dataset) -> str:
    """Name the minute before which two thirds of the impressions were, if it parts them."""
    when = dataset.events(IMPRESSION)[OCCURRED_AT].dropna()
    if when.empty:
        return ""
    moment = when.sort_values().iloc[2 * len(when) // 3].floor("min")
    if not when.min() < moment:
        return ""
    before = float((when < moment).mean())
    return f", such as --at {moment:%Y-%m-%dT%H:%M} ({before:.0%} of the impressions are before it)"
