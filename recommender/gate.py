"""The gate before a release: no worse than before, blind to the future, the same every time.

A model cannot be judged on what it was trained on. What is judged is its *shadow*: the same recipe
at an earlier moment, on what happened afterwards, against the model that was current then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.schema import CLICK, CUSTOMER_ID, EVENT_TYPE, OCCURRED_AT, OFFER_ID, REDEMPTION
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.held_out import HeldOut, deal_out, hold_out, scores
from recommender.model_folder import version_of
from recommender.training import train
from recommender.validation import FEWEST_EVENTS, Fold, fold_at, make_folds
from recommender.verdict import Check, Verdict
from recommender.yardstick import compare, ndcg

STEPS = 5
WORSE_P = 0.05
LEAK_P = 0.01  # asked of every release: at .05 one in forty would be refused for nothing
WORSE, ORDER, SAME, SHUFFLED = (
    "not worse than the current model", "trained before it was tested", "deterministic",
    "shuffled labels teach nothing",
)  # fmt: skip
Trainer = Callable[[Dataset, pd.Timestamp, int], Bundle]


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
    dataset = dataset.before(at)
    on_step("gate: the past")
    fold, unlike = _comparable(dataset, at, candidate, current)
    earlier = fold or next(
        (one for one in make_folds(dataset, at, seed)[::-1] if one.by_time), None
    )
    against = "" if current is None else current.version
    if earlier is None:
        why = "time gives no cut with enough redeemed or clicked after it"
        silent = [Check(name, None, why, {}) for name in (ORDER, SAME, SHUFFLED)]
        return Verdict(candidate.version, against, (unlike or _unasked(WORSE, why), *silent))
    checks = [check_order(dataset, earlier, at)]
    worse = unlike or _unasked(WORSE, "")
    try:
        if thorough or unlike is None:
            on_step("gate: the same at an earlier moment")
            shadow = trainer(dataset, earlier.at, seed)
        if unlike is None:
            worse = check_worse(hold_out(earlier, seed), shadow, current, seed)
        if thorough:
            on_step("gate: the same again")
            checks.append(check_same(dataset, earlier.at, shadow, trainer, seed))
            on_step("gate: shuffled labels")
            checks.append(check_shuffled(dataset, earlier, trainer, seed))
    except DataError as error:
        worse = unlike or _unasked(WORSE, error.problem)
        return Verdict(candidate.version, against, (worse, *checks))
    if not thorough:
        later = "publish asks it with --data"
        checks += [_unasked(SAME, later), _unasked(SHUFFLED, later)]
    return Verdict(candidate.version, against, (worse, *checks))


def _unasked(name: str, why: str) -> Check:
    return Check(name, None, why, {})


def _comparable(
    dataset: Dataset, at: pd.Timestamp, candidate: Bundle, current: Bundle | None
) -> tuple[Fold | None, Check | None]:
    """Return what happened since the current model's moment, or why there is nothing to compare."""
    if current is None:
        return None, _unasked(WORSE, "there is no current model")
    if current.recommender is None:
        return None, _unasked(WORSE, "the current model recommends nothing")
    if candidate.recommender is None:
        why = "it recommends nothing, and the current model does"
        return None, Check(WORSE, False, why, {})
    if current.moment >= at:
        return None, _unasked(WORSE, "no time has passed since the current model's moment")
    fold = fold_at(dataset, current.moment, at)
    if len(fold.taken) < FEWEST_EVENTS:
        why = (
            f"{len(fold.taken)} redemptions or clicks of offers on offer since the current model's "
            f"moment, {FEWEST_EVENTS} are needed"
        )
        return None, _unasked(WORSE, why)
    return fold, None


def check_worse(held: HeldOut, shadow: Bundle, current: Bundle | None, seed: int = 0) -> Check:
    """Let the shadow and the current model rank the same offers for the same customers."""
    if current is None or shadow.recommender is None or not len(held.taken):
        return _unasked(WORSE, "too little was known at the current model's moment")
    ours = ndcg(scores(shadow, held), held.taken, held.candidate)
    theirs = ndcg(scores(current, held), held.taken, held.candidate)
    plain = ndcg(scores(shadow, held, Source.POPULARITY), held.taken, held.candidate)
    gap = compare(ours, theirs, seed)
    figures: dict[str, float | int | str] = {
        "at": held.at.isoformat(),
        "candidate_ndcg@10": float(ours.mean()),
        "current_ndcg@10": float(theirs.mean()),
        "popularity_ndcg@10": float(plain.mean()),
        **{("difference" if key == "value" else key): one for key, one in asdict(gap).items()},
    }
    told = (
        f"NDCG@10 {ours.mean():.3f} against {theirs.mean():.3f} (popularity {plain.mean():.3f}) "
        f"for {gap.n} customers since {held.at:%Y-%m-%d}: difference {gap.value:+.3f} "
        f"({gap.low:+.3f} to {gap.high:+.3f}), p {gap.p_value:.3f}"
    )
    return Check(WORSE, not (gap.value < 0 and gap.p_value < WORSE_P), told, figures)


def check_order(dataset: Dataset, fold: Fold, until: pd.Timestamp) -> Check:
    """See that every row to learn from is before the moment, and every one to judge by is not.

    Parameters
    ----------
    dataset : Dataset
        Where what was redeemed or clicked is looked up.
    fold : Fold
        What is learnt from, the moment, and the pairs that are judged by.
    until : Timestamp
        Rows from then on are not judged by.
    """
    train_last = max(
        (frame[OCCURRED_AT].max() for frame in (fold.past.transactions, fold.past.interactions)
         if len(frame)), default=pd.NaT,
    )  # fmt: skip
    log, pair = dataset.interactions, [CUSTOMER_ID, OFFER_ID]
    counts = log[EVENT_TYPE].isin((REDEMPTION, CLICK)) & (log[OCCURRED_AT] < until)
    # A pair that is judged by has its latest row in the window, or it is no news.
    latest = log[counts].groupby(pair)[OCCURRED_AT].max().rename("latest").reset_index()
    judged = fold.taken[pair].merge(latest, on=pair, how="left")["latest"]
    test_first = judged.min()
    if pd.isna(train_last) or pd.isna(test_first):
        return _unasked(ORDER, "there are no rows on both sides")
    told = (
        f"last row to learn from {train_last.isoformat()}, moment {fold.at.isoformat()}, first "
        f"to test {test_first.isoformat()}"
    )
    if unseen := int(judged.isna().sum()):
        told += f"; {unseen} tested pairs have no row at all"
    figures: dict[str, float | int | str] = {
        "max_train_time": train_last.isoformat(),
        "min_test_time": test_first.isoformat(),
    }
    return Check(ORDER, bool(train_last < fold.at <= test_first) and not unseen, told, figures)


def check_same(
    dataset: Dataset, at: pd.Timestamp, shadow: Bundle, trainer: Trainer, seed: int = 0
) -> Check:
    """Train once more, with what happened afterwards dealt to others: nothing may change."""
    first = version_of(shadow)
    second = version_of(trainer(deal_out(dataset, seed, since=at), at, seed))
    figures: dict[str, float | int | str] = {"first": first, "second": second}
    if first == second:
        return Check(SAME, True, f"trained twice, both times {first}", figures)
    again = figures["again"] = version_of(trainer(dataset, at, seed))
    told = (
        "training reads what happened after its moment"
        if again == first
        else f"the same data and seed gave {first} and {again}"
    )
    return Check(SAME, False, told, figures)


def check_shuffled(dataset: Dataset, fold: Fold, trainer: Trainer, seed: int = 0) -> Check:
    """Train on a past dealt to other customers and judge by what truly happened afterwards.

    Such a model can know what sells, and that new offers sell better than old ones, which is more
    than popularity knows; it cannot know who takes what. It does where it beats popularity and also
    ranks for each customer better than its list for somebody else would.
    """
    shadow = trainer(deal_out(dataset, seed, until=fold.at), fold.at, seed)
    held = hold_out(fold, seed)
    if shadow.recommender is None or len(held.taken) < 2:
        return _unasked(SHUFFLED, "too few customers are left to judge by")
    score = scores(shadow, held)
    ours = ndcg(score, held.taken, held.candidate)
    plain = ndcg(scores(shadow, held, Source.POPULARITY), held.taken, held.candidate)
    order = np.random.default_rng(seed).permutation(len(score))
    another = np.empty_like(order)
    another[order] = np.roll(order, 1)
    swapped = ndcg(score[another], held.taken, held.candidate)
    above, personal = compare(ours, plain, seed), compare(ours, swapped, seed)
    figures: dict[str, float | int | str] = {
        "shuffled_ndcg@10": float(ours.mean()),
        "popularity_ndcg@10": float(plain.mean()),
        "others_lists_ndcg@10": float(swapped.mean()),
        "p_above_popularity": above.p_value,
        "p_above_others_lists": personal.p_value,
        "n": above.n,
    }
    leaky = all(one.value > 0 and one.p_value < LEAK_P for one in (above, personal))
    told = (
        f"NDCG@10 {ours.mean():.3f}, popularity {plain.mean():.3f} (p {above.p_value:.3f}), "
        f"with the lists of others {swapped.mean():.3f} (p {personal.p_value:.3f})"
    )
    return Check(SHUFFLED, not leaky, told, figures)
