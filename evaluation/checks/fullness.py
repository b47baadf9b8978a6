"""Checks that lists come from every candidate and figures from those lists.

Metrics over sampled candidates order systems differently from metrics over all of them (Krichene &
Rendle 2020, "On sampled metrics for item recommendation"): they are refused here, whatever the
report says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.dataset import Dataset, valid_at
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID, REDEMPTION
from data.words import counted, form
from evaluation.harness import KS, Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.splitting import Split
from recommender.base import POLICIES, RANDOM
from recommender.batch import recommend_batch
from recommender.bundle import Bundle
from recommender.release.verdict import Check
from recommender.service import Service
from recommender.serving.lists import Wish

FULL, FIGURES, CHANCE = (
    "every candidate is ranked",
    "figures are those of the lists",
    "random scores what chance gives",
)
SAMPLE = 100  # customers whose whole ranking is made once more
CLOSE = 1e-6  # of the spread of a customer's scores: sums depend on who is scored together
FAR = 5.0  # standard errors: chance goes that far once in two million runs
ROUNDING = 1e-9  # of sums of shares
MOST_SHOWN = 3  # problems named in a line
PAIR = [CUSTOMER_ID, OFFER_ID]


@dataclass(frozen=True)
class Reach:
    """What could be listed for whom, by the split's own rows.

    Attributes
    ----------
    customers : IdMap
        The evaluated customers.
    offers : frozenset of str
        The candidates that are on offer at the moment.
    gone : MultiIndex of (customer_id, offer_id)
        Redeemed before, for once only.
    count : ndarray of int, shape (n,)
        How many offers could be listed for each customer.
    """

    customers: IdMap
    offers: frozenset[str]
    gone: pd.MultiIndex
    count: np.ndarray


def reach_of(split: Split) -> Reach:
    """Count what could be listed for each customer: the candidates, less what was redeemed."""
    table = split.train.offers
    table = table[table[OFFER_ID].isin(split.candidates) & valid_at(table, split.at)]
    once = table.loc[~table["repeatable"].fillna(False).astype(bool), OFFER_ID]
    customers = IdMap(split.customers)
    done = split.train.events(REDEMPTION)[PAIR].drop_duplicates()
    done = done[done[OFFER_ID].isin(once) & customers.known(done[CUSTOMER_ID])]
    taken = np.bincount(customers.rows(done[CUSTOMER_ID]), minlength=len(customers))
    return Reach(
        customers=customers,
        offers=frozenset(table[OFFER_ID]),
        gone=pd.MultiIndex.from_frame(done),
        count=len(table) - taken,
    )


def check_figures(split: Split, trial: Trial) -> Check:
    """Compute every metric once more from the lists and the truth: the same for every customer."""
    problems = []
    if list(trial.customers) != split.customers:
        problems.append(
            f"{len(trial.customers)} customers are evaluated, {len(split.customers)} are tested"
        )
    else:
        for policy, lists in trial.lists.items():
            again = per_customer(find_hits(lists, split.truth), KS)
            wrong = [
                name
                for name, vector in trial.values[policy].items()
                if name in again and not np.allclose(vector, again[name], rtol=0, atol=1e-12)
            ]
            if wrong:
                problems.append(f"{policy}: {_some(wrong)}")
    told = (
        f"not what the lists give: {_some(problems)}"
        if problems
        else f"{counted(len(trial.lists), 'policy', 'policies')}, "
        f"{counted(len(split.customers), 'customer')}: the same once more"
    )
    return Check(FIGURES, not problems, told, {"policies": len(trial.lists)})


def check_full(split: Split, bundle: Bundle, trial: Trial, seed: int = 0) -> Check:
    """See that each list is the top of all candidates.

    For everybody, a list must be as long as the candidates allow and hold nothing else. For a
    sample of customers, everything is ranked once more: as many offers must be scored as the split
    leaves to the customer, and none may be better than one that is listed.
    """
    if bundle.recommender is None:
        return Check(FULL, None, "the model recommends nothing", {})
    reach, problems = reach_of(split), []
    for policy, lists in trial.lists.items():
        problems += [f"{policy}: {problem}" for problem in _out_of_reach(lists, reach)]
    random = np.random.default_rng(seed)
    n = min(SAMPLE, len(reach.customers))
    sample = np.sort(random.choice(len(reach.customers), n, replace=False))
    service = Service(bundle)
    for policy in (name for name in trial.lists if name in POLICIES):
        whole = _whole_ranking(service, split, policy, reach.customers.ids[sample], seed)
        scored = np.bincount(reach.customers.rows(whole[CUSTOMER_ID]), minlength=len(reach.count))
        if wrong := int((scored[sample] != reach.count[sample]).sum()):
            problems.append(f"{policy}: {wrong} of {n} customers had not every candidate scored")
        # Scores of the random policy depend on who is scored together: `check_chance` is for it.
        if policy != RANDOM and (wrong := _not_the_top(trial.lists[policy], whole)):
            problems.append(f"{policy}: better candidates than the listed for {wrong} of {n}")
    told = (
        _some(problems)
        if problems
        else f"{counted(len(reach.offers), 'candidate')}, at least "
        f"{int(reach.count.min(initial=len(reach.offers)))} for each customer; "
        f"{counted(n, 'customer')} ranked once more"
    )
    return Check(FULL, not problems, told, {"candidates": len(reach.offers), "sample": n})


def check_chance(split: Split, trial: Trial) -> Check:
    """See that random lists hit as often as chance alone among all candidates.

    Hits of a random list of k out of c offers, r of them relevant, are hypergeometric: k·r/c on
    average. A metric over sampled candidates is flattered, first of all that of the random policy.
    """
    if RANDOM not in trial.lists or not len(split.truth):
        return Check(CHANCE, None, "there are no random lists", {})
    reach, k = reach_of(split), min(KS)
    if list(trial.customers) != split.customers:
        return Check(CHANCE, None, "other customers are evaluated than are tested", {})
    found = float(trial.values[RANDOM][f"precision@{k}"].sum()) * k
    relevant = np.bincount(
        reach.customers.rows(split.truth[CUSTOMER_ID]), minlength=len(reach.count)
    ).astype(np.float64)
    count = np.maximum(reach.count, 1).astype(np.float64)
    drawn = np.minimum(k, count)
    share = np.minimum(relevant / count, 1.0)
    expected = float((drawn * share).sum())
    variance = drawn * share * (1 - share) * (count - drawn) / np.maximum(count - 1, 1)
    error = float(np.sqrt(variance.sum()))
    gap = abs(found - expected)
    # Where every list holds all there is, nothing is left to chance but rounding.
    far = gap / error if error else 0.0 if gap < ROUNDING * max(1.0, expected) else np.inf
    told = f"{found:.0f} hits in lists of {k}, {expected:.0f} by chance, {far:.1f} errors away"
    figures: dict[str, float | int | str] = {"hits": found, "by_chance": expected, "away": far}
    return Check(CHANCE, bool(far <= FAR), told, figures)


def _out_of_reach(lists: pd.DataFrame, reach: Reach) -> list[str]:
    """Find lists that are too short or hold what could not be listed."""
    known = reach.customers.known(lists[CUSTOMER_ID])
    mine = lists[known]
    strange = ~mine[OFFER_ID].isin(reach.offers).to_numpy()
    again = np.asarray(pd.MultiIndex.from_frame(mine[PAIR]).isin(reach.gone))
    problems = []
    if bad := int((strange | again).sum()):
        problems.append(
            counted(bad, "listed offer is no candidate", "listed offers are no candidates")
        )
    length = np.bincount(reach.customers.rows(mine[CUSTOMER_ID]), minlength=len(reach.count))
    if wrong := int((length != np.minimum(reach.count, max(KS))).sum()):
        are = form(wrong, "is", "are")
        problems.append(f"{wrong} of {len(length)} lists {are} not as long as the candidates allow")
    return problems


def _whole_ranking(
    service: Service, split: Split, policy: str, customers: np.ndarray, seed: int
) -> pd.DataFrame:
    given = Dataset.of({"customers": pd.DataFrame({CUSTOMER_ID: customers}, dtype="str")})
    n = max(1, len(service.bundle.offers))
    wish = Wish(split.at, n=n, policy=policy, offers=split.candidates, seed=seed)
    return recommend_batch(service, given, wish)


def _not_the_top(lists: pd.DataFrame, whole: pd.DataFrame) -> int:
    """Count customers of a whole ranking whose list leaves out better, or is in another order."""
    listed = lists[[*PAIR, "rank"]].rename(columns={"rank": "place"})
    both = whole.merge(listed, on=PAIR, how="left").sort_values([CUSTOMER_ID, "place"])
    person, people = pd.factorize(both[CUSTOMER_ID])
    score, there = both["score"].to_numpy(), both["place"].notna().to_numpy()
    grouped = both.groupby(person)["score"]
    slack = CLOSE * (grouped.max() - grouped.min()).to_numpy() + 1e-12
    worst, best_left = np.full(len(people), np.inf), np.full(len(people), -np.inf)
    np.minimum.at(worst, person[there], score[there])
    np.maximum.at(best_left, person[~there], score[~there])
    wrong = worst < best_left - slack
    # Sorted by place, what is listed stands first and one below the other.
    follows = (person[1:] == person[:-1]) & there[1:]
    rises = follows & (score[1:] > score[:-1] + slack[person[1:]])
    wrong[person[1:][rises]] = True
    return int(wrong.sum())


def _some(problems: list[str]) -> str:
    left = len(problems) - MOST_SHOWN
    return "; ".join(problems[:MOST_SHOWN]) + (f"; and {left} more" if left > 0 else "")
