"""What an offer that comes after training is for: its purchase keys, and what these tell of it.

It speaks by the keys of its items as a trained offer does (see `recommender.features.keys`). What
customers bought before the model's moment counts by the keys that some offer had then; a key that
only a new offer has collects purchases from its arrival on, and visits count by merchant or
category from the first offer on that has nothing finer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from recommender.features.keys import ITEM, STATED, KeySpace
from recommender.popularity import Expectation
from recommender.scoring.traits import Relatives
from recommender.serving.widening import Places, with_lines

Shares = dict[str, float]  # by key: how much of an offer it is


@dataclass(frozen=True)
class Aim:
    """What one offer is for.

    Attributes
    ----------
    items : tuple of str
        Its items, each once.
    levels : dict of str to dict of str to float
        By level the keys, and of how much of the offer each speaks; a level without any is absent.
    """

    items: tuple[str, ...]
    levels: Mapping[str, Shares]

    def shares(self) -> Shares:
        """Return the keys of all levels."""
        return {key: share for keys in self.levels.values() for key, share in keys.items()}


def aim_of(offer: Mapping[str, Any], items: Iterable[str], keys: KeySpace) -> Aim:
    """Find the keys of an offer as training would.

    An item without a key is known by its id only. What the offer states itself is said where none
    of its items says it.
    """
    own = tuple(dict.fromkeys(items))
    found: dict[str, Counter[str]] = {level: Counter() for level in keys.levels}
    found[ITEM].update(f"{ITEM}:{item}" for item in own)
    for row in (keys.item_rows[item] for item in own if item in keys.item_rows):
        for key in keys.item_keys.indices[slice(*keys.item_keys.indptr[row : row + 2])]:
            level = keys.levels[keys.level_of[key]]
            if level != ITEM:
                found[level][str(keys.names[key])] += 1
    for level in STATED:
        if not found[level] and offer.get(level):
            found[level][f"{level}:{offer[level]}"] += 1
    return Aim(
        own,
        {
            level: {
                key: 1.0 if level == ITEM else n / counts.total()
                for key, n in sorted(counts.items())
            }
            for level, counts in found.items()
            if counts
        },
    )


def wider_keys(keys: KeySpace, aims: Sequence[Aim]) -> tuple[KeySpace, Places, Places]:
    """Add the keys and items that only new offers have; the offers' own rows stay as they are.

    Returns
    -------
    keys : KeySpace
    key_places, item_places : Places
        Where the keys and items there were are now.
    """
    wanted = {key for aim in aims for key in aim.shares()}.difference(keys.key_rows)
    items = {item for aim in aims for item in aim.items}
    item_places = Places.among(keys.item_ids, items.difference(keys.item_rows))
    key_places = _among_levels(keys, wanted)
    if not wanted:
        return keys, key_places, item_places
    item_keys = item_places.lines(key_places.columns(keys.item_keys))
    mine = [item for item in sorted(items) if f"{ITEM}:{item}" in wanted]
    rows = [item_places.rows[item] for item in mine]
    columns = [key_places.rows[f"{ITEM}:{item}"] for item in mine]
    own = sp.csr_matrix((np.ones(len(mine)), (rows, columns)), shape=item_keys.shape)
    level_of = [keys.levels.index(str(key).partition(":")[0]) for key in key_places.names]
    return (
        replace(
            keys,
            names=key_places.names,
            level_of=np.array(level_of, dtype=np.int64),
            item_ids=item_places.names,
            item_keys=sp.csr_matrix(item_keys + own),
            offer_keys=key_places.columns(keys.offer_keys),
        ),
        key_places,
        item_places,
    )


def with_aims(matrix: sp.csr_matrix, rows: np.ndarray, aims: Sequence[Aim], keys: KeySpace) -> Any:
    """Give rows of the offers' key matrix, shape (offers, keys), what the offers are for."""
    told = [
        (n, keys.key_rows[key], s) for n, aim in enumerate(aims) for key, s in aim.shares().items()
    ]
    place, column, share = (
        (list(part) for part in zip(*told, strict=True)) if told else ([], [], [])
    )
    shape = (len(aims), keys.n_keys)
    return with_lines(matrix, rows, sp.csr_matrix((share, (place, column)), shape=shape))


def log_rate_of(aim: Aim, keys: KeySpace, expectation: Expectation) -> float:
    """Expect the log rate that everybody redeems an offer with.

    As in training the spend on its items speaks; for an offer that names none, the finest
    level that it does name. Items nothing is known of are taken to be like those that are known.
    """
    own = [keys.item_rows[item] for item in aim.items if item in keys.item_rows]
    by_item = expectation.item_money[own]
    if not np.isnan(by_item).all():
        return expectation.log_rate(float(np.nanmean(by_item)) * len(aim.items))
    for level in keys.levels[1:]:
        rows, share = _known(aim, level, keys)
        money = expectation.key_money[rows] * share
        if not np.isnan(money).all():
            return expectation.log_rate(float(np.nansum(money)))
    return expectation.log_rate(None)


def cross_of(
    aim: Aim,
    like: np.ndarray,
    keys: KeySpace,
    relatives: Relatives,
    expectation: Expectation,
) -> np.ndarray:
    """Expect the cross products of one offer with the traits of those who take it: (columns,).

    The mean of two voices, where both speak: offers like it, and the purchases of what it is for.

    Parameters
    ----------
    like : ndarray of float, shape (kinds,)
        What the offer is like.
    """
    voices = []
    if like @ relatives.heard > 0:
        voices.append(relatives.by_attribute @ like)
    rows, weight = _interest_behind(aim, keys, relatives, expectation)
    interest = float(relatives.interest[rows] @ weight)
    if interest > 0:
        voices.append(relatives.by_key[:, rows] @ weight / interest)
    if not voices:
        return np.zeros(len(relatives.by_attribute))
    return np.asarray(relatives.strength * np.mean(voices, axis=0))


def _interest_behind(
    aim: Aim, keys: KeySpace, relatives: Relatives, expectation: Expectation
) -> tuple[np.ndarray, np.ndarray]:
    """Return keys that tell who buys what an offer is for, and what each counts.

    Each item speaks by its finest key in which anybody is interested; by one that it shares with
    other items as much as its part of the money. An offer without items speaks by what it states.
    """
    weight: dict[int, float] = defaultdict(float)
    for row in (keys.item_rows[item] for item in aim.items if item in keys.item_rows):
        own = keys.item_keys.indices[slice(*keys.item_keys.indptr[row : row + 2])]
        own = np.sort(own[relatives.interest[own] > 0])  # grouped by level, the finest first
        money = float(expectation.item_money[row])
        if len(own) and money > 0:
            whole = (
                money if own[0] < keys.rows_of(ITEM).stop else float(expectation.key_money[own[0]])
            )
            weight[int(own[0])] += min(1.0, money / max(whole, 1e-12))
    for level in keys.levels[1:]:
        if not weight:
            rows, share = _known(aim, level, keys)
            weight.update(dict(zip(rows.tolist(), share.tolist(), strict=True)))
    return np.array(list(weight), dtype=np.int64), np.array(list(weight.values()))


def _known(aim: Aim, level: str, keys: KeySpace) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of an offer's keys of a level that are there, and their shares."""
    shares = {k: s for k, s in aim.levels.get(level, {}).items() if k in keys.key_rows}
    rows = np.array([keys.key_rows[key] for key in shares], dtype=np.int64)
    return rows, np.array(list(shares.values()))


def _among_levels(keys: KeySpace, wanted: Iterable[str]) -> Places:
    """Sort keys in, each among those of its level."""
    more = sorted(wanted, key=lambda key: (keys.levels.index(key.partition(":")[0]), key))
    at = []
    for key in more:
        here = keys.rows_of(key.partition(":")[0])
        at.append(here.start + int(np.searchsorted(keys.names[here], key)))
    return Places.at(keys.names, np.array(more, dtype=np.str_), np.array(at, dtype=np.int64))
