"""Whether a stored model is what its recipe makes of the data that it is judged by.

What else is asked is asked of models that are trained for it; one trained from other data would
pass for them. So the recipe is trained once more at the candidate's own moment. The same version
proves everything at once; where rows came or were erased since, lists are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from data.dataset import Dataset, valid_at
from data.errors import DataError
from data.idmap import IdMap
from data.schema import OCCURRED_AT, OFFER_ID
from data.words import counted
from recommender.bundle import Bundle
from recommender.past.layout import in_chunks, most_lists
from recommender.release.gate_checks import SAME, Trainer, check_same, unasked
from recommender.release.verdict import Check
from recommender.storage.model_folder import version_of

Figures = dict[str, float | int | str]
LATER_ROWS = 10_000  # that are made up, of each table, to see that training does not read them
FEWEST_COMMON = 0.5  # share of the candidate's customers, and of its offers, that both know
# Five datasets: without one row in ten the two correlations were at least .89 and .68. With offers
# mixed up the first was at most .21, with the customers of interactions the second at most .65.
ALIKE, PERSONAL = 0.6, 0.6
FEW_OFFERS = 5  # of fewer the order tells hardly anything
SLIGHT = 0.02  # share of the variance of lists up to which what is personal is not looked at


@dataclass(frozen=True)
class Likeness:
    """How alike two models rank the offers on offer that both know.

    Attributes
    ----------
    customers, offers : int
        How many are compared.
    common : float
        Share of the first one's customers that the other knows, or of its offers if that is less.
    lists : float
        Correlation of what the places of offers count for in NDCG, of a customer on average.
    personal : float
        The same of what is left without each offer's mean: of what tells customers apart. One
        where hardly anything is left to either.
    """

    customers: int
    offers: int
    common: float
    lists: float
    personal: float


def check_origin(dataset: Dataset, candidate: Bundle, trainer: Trainer) -> Check:
    """Train the recipe at the candidate's own moment: it has to give the candidate.

    Rows after the moment are made up, which must change nothing. Only where another version comes
    out it is trained a second time, without them, to tell data that changed from a recipe that
    varies or reads the future.

    Parameters
    ----------
    dataset : Dataset
        Rows before the moment.
    candidate : Bundle
        With its version.
    trainer : callable
        Trains as the candidate was trained.
    """
    at, seed = candidate.moment, candidate.seed
    later = with_later(dataset, at)
    try:
        again = trainer(later, at, seed)
    except DataError as error:
        return Check(SAME, False, f"it does not come from this data: {error.problem}", {})
    version = version_of(again)
    figures: Figures = {"first": candidate.version, "second": version}
    if version == candidate.version:
        return Check(SAME, True, f"trained again: the same {version}", figures)
    same = check_same(later, at, again, trainer, seed)
    if same.passed is False:
        return same
    if candidate.recommender is None or again.recommender is None:
        return _of_silent(candidate, again, figures)
    found = likeness(candidate, again, seed)
    figures |= {"list_correlation": found.lists, "personal_correlation": found.personal}
    told = (
        f"of what it knows {found.common:.0%} is there, and lists of "
        f"{counted(found.offers, 'offer')} for {counted(found.customers, 'customer')} correlate by "
        f"{found.lists:.2f} (at least {ALIKE}), what is personal in them by {found.personal:.2f} "
        f"(at least {PERSONAL})"
    )
    if found.common >= FEWEST_COMMON and found.lists >= ALIKE and found.personal >= PERSONAL:
        told = f"trained again it is {version}, as the data changed since: {told}"
        return Check(SAME, True, told, figures)
    told = f"it does not come from this data, of which its recipe makes {version}: {told}"
    return Check(SAME, False, told, figures)


def _of_silent(candidate: Bundle, again: Bundle, figures: Figures) -> Check:
    """Answer where one of two different models recommends nothing."""
    version = version_of(again)
    if candidate.recommender is again.recommender:
        return unasked(SAME, f"trained again it is {version}, and neither recommends anything")
    which = "this one" if candidate.recommender is None else "that one"
    told = f"of which its recipe makes {version}: {which} recommends nothing"
    return Check(SAME, False, f"it does not come from this data, {told}", figures)


def with_later(dataset: Dataset, at: pd.Timestamp) -> Dataset:
    """Let what happened last happen once more, just after a moment."""
    more = {}
    for name in ("transactions", "interactions"):
        frame: pd.DataFrame = getattr(dataset, name)
        last = frame.sort_values(OCCURRED_AT, kind="stable").tail(LATER_ROWS)
        moved = last.assign(**{OCCURRED_AT: at + pd.Timedelta(days=1)}).astype(frame.dtypes)
        more[name] = pd.concat([frame, moved], ignore_index=True)
    return replace(dataset, **more)


def likeness(ours: Bundle, theirs: Bundle, seed: int = 0) -> Likeness:
    """Compare what two models recommend, at the moment of the first."""
    all_people, all_offers = ours.customer_ids.ids, _listable(ours)
    people = all_people[theirs.customer_ids.known(pd.Series(all_people))]
    offers = all_offers[IdMap(_known_offers(theirs)).known(pd.Series(all_offers))]
    common = min(len(people) / max(1, len(all_people)), len(offers) / max(1, len(all_offers)))
    if not len(people) or not len(offers):
        return Likeness(len(people), len(offers), common, 0.0, 0.0)
    if len(people) > (most := most_lists(len(offers))):
        chosen = np.random.default_rng(seed).choice(len(people), most, replace=False)
        people = people[np.sort(chosen)]
    first, second = (_places(bundle, people, offers) for bundle in (ours, theirs))
    each = [_correlation(*pair) for pair in zip(first, second, strict=True)]
    left = [worth - worth.mean(axis=0) for worth in (first, second)]
    slight = all(
        rest.var() <= SLIGHT * worth.var()
        for rest, worth in zip(left, (first, second), strict=True)
    )
    lists, personal = float(np.mean(each)), 1.0 if slight else _correlation(*left)
    return Likeness(len(people), len(offers), common, lists, personal)


def _known_offers(bundle: Bundle) -> np.ndarray:
    assert bundle.recommender is not None
    return np.asarray(bundle.recommender.encoders.offer_ids)


def _listable(bundle: Bundle) -> np.ndarray:
    """Return the offers of a model that are on offer at its moment; all where few are."""
    table, known = bundle.offers, _known_offers(bundle)
    valid = IdMap(table.loc[valid_at(table, bundle.moment), OFFER_ID]).known(pd.Series(known))
    return known[valid] if valid.sum() >= FEW_OFFERS else known


def _places(bundle: Bundle, people: np.ndarray, offers: np.ndarray) -> np.ndarray:
    """Return what offers' places in customers' lists count for: shape (customers, offers)."""
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    query = bundle.customers.query.take(bundle.customer_ids.rows(people))
    columns = IdMap(bundle.recommender.encoders.offer_ids).rows(offers)
    found = np.empty((len(people), len(offers)))
    for rows in in_chunks(query):
        score = bundle.recommender.blend(query.take(rows)).score[:, columns]
        found[rows] = 1.0 / np.log2(1.0 + rankdata(-score, axis=1))
    return found


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate two arrays; where one of them does not vary they are alike if both do not."""
    first, second = first - first.mean(), second - second.mean()
    spread = [float(np.sqrt((one**2).sum())) for one in (first, second)]
    if min(spread) < 1e-9:
        return float(max(spread) < 1e-9)
    return float((first * second).sum() / np.prod(spread))
