"""What the gate asks of a model, one check after the other; each answers in words and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import BOUGHT, CLICK, CUSTOMER_ID, EVENT_TYPE, OCCURRED_AT, OFFER_ID, REDEMPTION
from data.words import counted, form
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.features.bought import known_before
from recommender.learning.yardstick import compare, ndcg
from recommender.past.fold import Fold
from recommender.release.held_out import HeldOut, deal_out, hold_out, scores
from recommender.release.verdict import Check
from recommender.storage.model_folder import version_of

WORSE_P = 0.05
FEWEST_CUSTOMERS = 6  # of fewer no difference reaches that p-value, however clear
LEAK_P = 0.01  # asked of every release: at .05 one in forty would be refused for nothing
WORSE, ORDER, SAME, SHUFFLED = (
    "not worse than the current model", "trained before it was tested", "deterministic",
    "shuffled labels teach nothing",
)  # fmt: skip
Trainer = Callable[[Dataset, pd.Timestamp, int], Bundle]


def unasked(name: str, why: str) -> Check:
    """Say why a check could not be asked."""
    return Check(name, None, why, {})


def check_worse(held: HeldOut, shadow: Bundle, current: Bundle | None, seed: int = 0) -> Check:
    """Let the shadow and the current model rank the same offers for the same customers."""
    if current is None or shadow.recommender is None or not len(held.taken):
        return unasked(WORSE, "too little was known at the current model's moment")
    if len(held.taken) < FEWEST_CUSTOMERS:
        why = f"{counted(len(held.taken), 'customer')} to judge by, {FEWEST_CUSTOMERS} are needed"
        return unasked(WORSE, why)
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
    counts = log[EVENT_TYPE].isin((BOUGHT, REDEMPTION, CLICK)) & (log[OCCURRED_AT] < until)
    # A pair that is judged by has its latest row in the window, or it is no news.
    latest = log[counts].groupby(pair)[OCCURRED_AT].max().rename("latest").reset_index()
    judged = fold.taken[pair].merge(latest, on=pair, how="left")["latest"]
    test_first = judged.min()
    if pd.isna(train_last) or pd.isna(test_first):
        return unasked(ORDER, "there are no rows on both sides")
    told = (
        f"last row to learn from {train_last.isoformat()}, moment {fold.at.isoformat()}, first "
        f"to test {test_first.isoformat()}"
    )
    if unseen := int(judged.isna().sum()):
        told += f"; {counted(unseen, 'tested pair')} {form(unseen, 'has', 'have')} no row at all"
    figures: dict[str, float | int | str] = {
        "max_train_time": train_last.isoformat(),
        "min_test_time": test_first.isoformat(),
    }
    return Check(ORDER, bool(train_last < fold.at <= test_first) and not unseen, told, figures)


def check_same(
    dataset: Dataset, at: pd.Timestamp, shadow: Bundle, trainer: Trainer, seed: int = 0
) -> Check:
    """Train once more, without what happened afterwards: nothing may change."""
    first = version_of(shadow)
    second = version_of(trainer(known_before(dataset, at), at, seed))
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
        return unasked(SHUFFLED, "too few customers are left to judge by")
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
