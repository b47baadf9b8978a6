"""What customers spend their money on, whether or not any offer is for it.

Purchase keys tell of what offers are for. Where nobody buys that, what people buy still tells who
they are: the share of wallet of each category of goods, or of each merchant where nothing states a
category, beside everybody's. A refund weighs by its own time, so that one of an old purchase takes
off somewhat more than the purchase still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset, microseconds
from data.idmap import IdMap
from data.schema import AMOUNT, CUSTOMER_ID, ITEM_ID, OCCURRED_AT
from recommender.features.keys import CATEGORY, MERCHANT
from recommender.features.purchases import recency
from recommender.features.refunds import above_zero, settled

MOST, FEWEST_PEOPLE = 30, 20  # groups, and customers that each needs
RARE = 1e-9  # share of wallet that any group has, or nothing could be compared with it
LITTLE = 1.0  # units of money, spread as everybody spends them, that are added to what is compared


@dataclass(frozen=True)
class Wallet:
    """The groups of goods that money is spent on.

    Attributes
    ----------
    level : str
        The column that states the group of an item or of a line; empty where there are no groups.
    names : ndarray of str, shape (groups,)
        Sorted.
    share : ndarray of float, shape (groups,)
        Everybody's share of wallet.
    item_ids : ndarray of str, shape (items,)
        Items that state something at that level, sorted.
    item_group : ndarray of int, shape (items,)
        Their groups; -1 where too few people buy what they are.
    unit : float
        A typical amount of money.
    moment : int
        The model's moment, microseconds since 1970: what was spent long before counts less (see
        `recommender.features.purchases.recency`).
    """

    level: str
    names: np.ndarray
    share: np.ndarray
    item_ids: np.ndarray
    item_group: np.ndarray
    unit: float
    moment: int

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(name): row for row, name in enumerate(self.names)}

    @cached_property
    def _of_item(self) -> dict[str, int]:
        return dict(zip(self.item_ids.tolist(), self.item_group.tolist(), strict=True))

    def money(self, dataset: Dataset, ids: IdMap) -> sp.csr_matrix:
        """Sum up what customers spent on each group, refunds taken off: shape (n, groups)."""
        if not self.level:
            return sp.csr_matrix((len(ids), 0))
        lines = dataset.transactions
        group = pd.Index(self.names).get_indexer(pd.Index(groups_of(dataset, self.level)))
        here = np.flatnonzero(group >= 0)
        amount = _faded(lines, self.moment)[here]
        nothing = sp.csr_matrix((len(ids), len(self.names)))
        return _on_top(nothing, amount, ids.rows(lines[CUSTOMER_ID])[here], group[here])

    def add(
        self, before: sp.csr_matrix, people: Sequence[Iterable[Mapping[str, Any]]]
    ) -> sp.csr_matrix:
        """Put what some customers bought later on top of what they had spent.

        Parameters
        ----------
        before : csr_matrix, shape (n, groups)
        people : sequence of n iterables of mappings
            Their lines, as in `recommender.facts.Facts`.
        """
        later = [
            (float(line[AMOUNT]), line.get(OCCURRED_AT), row, group)
            for row, lines in enumerate(people)
            for line in lines
            if (group := self._group_of(line)) is not None
        ]
        if not later:
            return before
        amount, told, rows, groups = zip(*later, strict=True)
        when = np.array([self.moment if one is None else one for one in told], dtype=np.float64)
        faded = np.array(amount) * recency(when, self.moment)
        return _on_top(before, faded, np.array(rows), np.array(groups))

    def _group_of(self, line: Mapping[str, Any]) -> int | None:
        """Return the group of one line, if it is known: as the item says, else as the line does."""
        group = self._of_item.get(line.get(ITEM_ID) or "")
        if group is None:
            return self._rows.get(str(line.get(self.level)))
        return None if group < 0 else group

    def lifts(self, money: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Compare what each customer spent with what everybody's shares expect, in logarithms.

        Returns
        -------
        value, known : ndarray of float and of bool, shape (n, groups) each
            Of who bought nothing nothing is known.
        """
        spent = money.toarray()
        total = spent.sum(axis=1, keepdims=True)
        little = LITTLE * self.unit * self.share
        value = np.log(spent + little) - np.log(total * self.share + little)
        return value, np.repeat(total > 0, len(self.names), axis=1)


def _on_top(
    before: sp.csr_matrix, amount: np.ndarray, rows: np.ndarray, groups: np.ndarray
) -> sp.csr_matrix:
    """Add up money; where refunds outweigh purchases, nothing was spent."""
    net, back = (
        sp.csr_matrix((money, (rows, groups)), shape=before.shape)
        for money in (amount, np.maximum(-amount, 0.0))
    )
    return above_zero(settled(sp.csr_matrix(before + net), above_zero(back)))


NO_WALLET = Wallet(
    "", np.array([], np.str_), np.zeros(0), np.array([], np.str_), np.zeros(0, np.int64), 1.0, 0
)


def _faded(lines: pd.DataFrame, moment: int) -> np.ndarray:
    """Return the money of each line, the less the older it is."""
    when = microseconds(lines[OCCURRED_AT]).to_numpy(dtype=np.float64)
    return np.asarray(lines[AMOUNT].to_numpy(dtype=np.float64) * recency(when, moment))


def groups_of(dataset: Dataset, level: str) -> pd.Series[str]:
    """Return the group of each line: as its item states it, else as the line does."""
    lines = dataset.transactions
    of_item = lines[ITEM_ID].map(dataset.items.set_index(ITEM_ID)[level])
    return of_item.where(of_item.notna(), lines[level])


def build_wallet(dataset: Dataset, moment: int) -> Wallet:
    """Find the groups of which most customers bought something by a moment, in microseconds."""
    lines = dataset.transactions
    for level in (CATEGORY, MERCHANT):
        told = lines[[CUSTOMER_ID, AMOUNT]].assign(group=groups_of(dataset, level))
        told = told.assign(faded=_faded(lines, moment))
        told = told[told["group"].notna() & (told[AMOUNT] > 0)]
        people = told.drop_duplicates([CUSTOMER_ID, "group"])["group"].value_counts()
        names = np.sort(people[people >= FEWEST_PEOPLE].index[:MOST].to_numpy(dtype=np.str_))
        if len(names) < 2:
            continue
        money = told.groupby("group")["faded"].sum().reindex(pd.Index(names)).to_numpy()
        items = dataset.items.set_index(ITEM_ID)[level].dropna().sort_index()
        return Wallet(
            level,
            names,
            np.maximum(money / (money.sum() or 1.0), RARE),
            items.index.to_numpy(dtype=np.str_),
            pd.Index(names).get_indexer(pd.Index(items)).astype(np.int64),
            float(told[AMOUNT].median()),
            moment,
        )
    return NO_WALLET
