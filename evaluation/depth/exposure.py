"""Who gets which offers: exposure of groups, held against the four-fifths rule.

A selection rate of one group below four fifths of the highest group's is taken as evidence of
adverse impact, unless the numbers are too small for it (29 CFR 1607.4 D). Being listed stands for
being selected. It is a screen for people to look at, not a finding of law: the rule is made for
hiring, and offers may differ between groups for reasons that everybody would accept.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.depth.correction import holm
from evaluation.depth.groups import UNKNOWN, age_bands, genders, profiles
from evaluation.harness import Trial
from evaluation.significance import Z
from evaluation.splitting import Split
from recommender.base import HYBRID

K = 10
FOUR_FIFTHS = 0.8
FEWEST_PEOPLE = 20  # of a group
FEWEST_EXPECTED = 5.0  # customers of the smallest group that would get the offer if all were alike
LEVEL = 0.05


@dataclass(frozen=True)
class Unequal:
    """An offer whose lowest group rate is below four fifths of its highest.

    Attributes
    ----------
    offer_id : str
    lowest, highest : str
        The groups.
    low_listed, high_listed : int
        Customers of these groups who got it.
    low_rate, high_rate : float
        Their shares of the groups.
    ratio, ratio_low, ratio_high : float
        Of the rates, with a 95 % interval of its logarithm (Katz et al. 1978).
    p_holm : float
        Fisher's exact test of the two groups, corrected for all pairs of groups they were chosen
        from and for all offers.
    sure : bool
        Whether that is below .05; otherwise the difference may be chance.
    """

    offer_id: str
    lowest: str
    highest: str
    low_listed: int
    high_listed: int
    low_rate: float
    high_rate: float
    ratio: float
    ratio_low: float
    ratio_high: float
    p_holm: float
    sure: bool


@dataclass(frozen=True)
class GroupExposure:
    """Exposure by one attribute.

    Attributes
    ----------
    groups : dict of str to int
        Customers of each group that is compared.
    set_aside : dict of str to int
        Customers of groups with fewer than `FEWEST_PEOPLE`, and those whose group is not known.
    offers : int
        Offers listed for anybody of the groups.
    too_few : int
        Offers listed for so few that less than `FEWEST_EXPECTED` of the smallest group could be
        expected to get them: not judged.
    judged, under, sure : int
        Offers judged, those of them below four fifths, and those for which it is hardly chance.
    overall : float
        Ratio of lowest to highest group rate, averaged over the judged offers by how often they are
        listed; NaN where none is judged.
    table : tuple of Unequal
        The offers below four fifths, the lowest ratio first.
    rates : dict of str to dict of str to float
        ``rates[offer][group]``: share of the group that got the offer, for every offer listed.
    """

    groups: dict[str, int]
    set_aside: dict[str, int]
    offers: int
    too_few: int
    judged: int
    under: int
    sure: int
    overall: float
    table: tuple[Unequal, ...]
    rates: dict[str, dict[str, float]]


def measure_exposure(
    split: Split, trial: Trial, policy: str = HYBRID
) -> dict[str, GroupExposure | str]:
    """Compare what groups of the evaluated customers got in their lists of `K`.

    Returns
    -------
    dict of str to GroupExposure or str
        By attribute, gender and age; why it is not measured where nothing is known of it.
    """
    table = profiles(split.train, trial.customers)
    attributes = {"gender": genders(table), "age": age_bands(table)}
    return {
        name: groups
        if isinstance(groups, str)
        else compare_groups(trial.lists[policy], trial.customers, groups)
        for name, groups in attributes.items()
    }


def compare_groups(
    lists: pd.DataFrame, customers: np.ndarray, groups: dict[str, np.ndarray]
) -> GroupExposure | str:
    """Compare what groups of customers got.

    Parameters
    ----------
    lists : DataFrame
        customer_id, rank, offer_id.
    customers : ndarray of str, shape (n,)
        Who counts, with or without a list; sorted.
    groups : dict of str to ndarray of bool, shape (n,)
        Who is in which group; nobody is in two.
    """
    sizes = {name: int(mask.sum()) for name, mask in groups.items()}
    kept = [name for name, n in sizes.items() if n >= FEWEST_PEOPLE and name != UNKNOWN]
    if len(kept) < 2:
        return f"not measured: fewer than two groups of {FEWEST_PEOPLE} customers"
    people = IdMap(customers)
    rows = lists[(lists["rank"] <= K) & people.known(lists[CUSTOMER_ID])]
    rows = rows[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    group = np.full(len(people), -1)
    for number, name in enumerate(kept):
        group[groups[name]] = number
    of_row = group[people.rows(rows[CUSTOMER_ID])]
    rows, of_row = rows[of_row >= 0], of_row[of_row >= 0]
    code, offers = pd.factorize(rows[OFFER_ID], sort=True)
    listed = np.zeros((len(offers), len(kept)))
    np.add.at(listed, (code, of_row), 1.0)
    size = np.array([sizes[name] for name in kept], dtype=np.float64)
    rate = listed / size
    total = listed.sum(axis=1)
    judged = total / size.sum() * size.min() >= FEWEST_EXPECTED
    ratio = rate.min(axis=1) / rate.max(axis=1)
    under = judged & (ratio < FOUR_FIFTHS)
    p_values = np.where(judged, 1.0, np.nan)
    pairs = len(list(combinations(kept, 2)))
    for row in np.flatnonzero(under):
        ends = [int(rate[row].argmin()), int(rate[row].argmax())]
        counts = listed[row, ends].astype(np.int64)
        cells = np.column_stack([counts, size[ends].astype(np.int64) - counts])
        # The two groups were chosen for their distance: every pair might have been.
        p_values[row] = min(1.0, float(fisher_exact(cells).pvalue) * pairs)
    corrected = holm(p_values)
    table = [
        _unequal(str(offers[row]), kept, listed[row], size, float(corrected[row]))
        for row in np.flatnonzero(under)
    ]
    table.sort(key=lambda one: (one.ratio, one.offer_id))
    return GroupExposure(
        groups={name: sizes[name] for name in kept},
        set_aside={name: n for name, n in sizes.items() if name not in kept},
        offers=len(offers),
        too_few=int((~judged).sum()),
        judged=int(judged.sum()),
        under=len(table),
        sure=sum(one.sure for one in table),
        overall=float(np.average(ratio[judged], weights=total[judged]))
        if judged.any()
        else float("nan"),
        table=tuple(table),
        rates={
            str(offer): dict(zip(kept, values, strict=True))
            for offer, values in zip(offers, rate.tolist(), strict=True)
        },
    )


def _unequal(
    offer_id: str, names: list[str], listed: np.ndarray, size: np.ndarray, p_holm: float
) -> Unequal:
    rate = listed / size
    low, high = int(rate.argmin()), int(rate.argmax())
    # Half a customer more on either side, so that nobody listed has an interval as well.
    few, many = listed[low] + 0.5, listed[high] + 0.5
    n_low, n_high = size[low] + 0.5, size[high] + 0.5
    error = np.sqrt(1 / few - 1 / n_low + 1 / many - 1 / n_high)
    centre = np.log(few / n_low) - np.log(many / n_high)
    ratio = float(rate[low] / rate[high])
    return Unequal(
        offer_id=offer_id,
        lowest=names[low],
        highest=names[high],
        low_listed=int(listed[low]),
        high_listed=int(listed[high]),
        low_rate=float(rate[low]),
        high_rate=float(rate[high]),
        ratio=ratio,
        ratio_low=min(ratio, float(np.exp(centre - Z * error))),
        ratio_high=max(ratio, float(np.exp(centre + Z * error))),
        p_holm=p_holm,
        sure=p_holm < LEVEL,
    )
