"""What offers state, and what the items behind them tell: row by row, before it becomes columns."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.schema import OFFERS
from recommender.features.keys import CATEGORY, ITEM, MERCHANT, TYPE, KeySpace
from recommender.features.numbers import is_number, numbers_of, plain

STATED = ("category", "kind", "merchant")
TAG, WORD, SEPARATOR = "tag", "title", ":"
WORDS = r"[^\W\d_]{2,}"  # of titles
NUMBERS = ("discount", "reward", "min_spend")  # those of the schema that customers see
OCCASIONS = ("campaign", "campaign_type")  # when and to whom an offer was made, not what it is like
COUNT = "number_of_items"


def categories_of(offers: pd.DataFrame) -> sp.csr_matrix:
    """Lay out all categories and tags of offers, each row of unit length: (rows, columns)."""
    told = stated_by(offers, number_columns(offers))
    code, names = pd.factorize(told["name"], sort=True)
    pairs = told["row"].to_numpy(dtype=np.int64), code
    found = sp.csr_matrix((np.ones(len(told)), pairs), shape=(len(offers), len(names)))
    length = np.sqrt(np.diff(found.indptr))
    return sp.csr_matrix(sp.diags_array(1.0 / np.maximum(length, 1.0)) @ found)


def stated_by(offers: pd.DataFrame, numbers: Collection[str]) -> pd.DataFrame:
    """List what offers state, not numbers: row, name, the family of it, and a share of 1."""
    offers = offers.reset_index(drop=True)
    pairs = []
    for name in (*STATED, *own_columns(offers)):
        if name not in numbers:
            stated = offers[name].map(plain, na_action="ignore").astype("str")
            values = (name + SEPARATOR + stated).where(offers[name].notna())
            here = pd.DataFrame({"row": np.arange(len(offers)), "name": values, "family": name})
            pairs.append(here.dropna())
    tags = offers["tags"].str.split("|").explode().dropna().astype("str").str.strip()
    tags = tags[tags != ""]
    tagged = {"row": tags.index.to_numpy(), "name": TAG + SEPARATOR + tags, "family": TAG}
    pairs.append(pd.DataFrame(tagged))
    return pd.concat(pairs, ignore_index=True).drop_duplicates().assign(share=1.0)


def _words(offers: pd.DataFrame, stated: pd.DataFrame, alone: np.ndarray) -> pd.DataFrame:
    """List the words of titles that say more than the rest does, as `stated_by` does.

    Parameters
    ----------
    alone : ndarray of bool, shape (offers,)
        Offers without items: those tell more of what an offer is than its title.
    """
    titles = offers["title"].reset_index(drop=True).where(alone)
    words = _words_in(titles).rename("name").rename_axis("row").reset_index()
    said = _words_in(stated.set_index("row")["name"])
    again = pd.MultiIndex.from_arrays([said.index, said])
    words = words[~pd.MultiIndex.from_frame(words[["row", "name"]]).isin(again)].drop_duplicates()
    # All words of a title together count as much as one attribute.
    share = words.groupby("row")["name"].transform("size") ** -0.5
    return words.assign(name=WORD + SEPARATOR + words["name"], family=WORD, share=share)


def _words_in(texts: pd.Series[str]) -> pd.Series[str]:
    return texts.dropna().astype("str").str.lower().str.findall(WORDS).explode().dropna()


def known_of(
    offers: pd.DataFrame,
    numbers: Collection[str],
    keys: KeySpace | None,
    rows: np.ndarray | None,
    titles: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add to offers how many items they have; list what they state, else what their items are.

    Parameters
    ----------
    titles : bool
        Whether the words of titles are listed too.

    Returns
    -------
    offers : DataFrame
        With the column `COUNT`.
    known : DataFrame
        row, name, family, and share: the part of the items for which it is so.
    """
    stated = stated_by(offers, numbers)
    if keys is None:
        return offers, stated
    behind = keys.offer_keys[rows]
    count = np.diff(behind[:, keys.rows_of(ITEM)].indptr).astype(np.float64)
    known = [stated]
    if titles:
        known.append(_words(offers, stated, count == 0))
    for level in (CATEGORY, MERCHANT, TYPE):
        here = keys.rows_of(level)
        share = behind[:, here].tocoo()
        pairs = pd.DataFrame({"row": share.row, "name": keys.names[here][share.col]})
        said = stated.loc[stated["family"] == level, "row"]
        known.append(pairs.assign(family=level, share=share.data)[~pairs["row"].isin(said)])
    if COUNT not in offers:
        offers = offers.assign(**{COUNT: np.where(count > 0, count, np.nan)})
    return offers, pd.concat(known, ignore_index=True)


def own_columns(offers: pd.DataFrame) -> list[str]:
    """Name the columns of the owner that say what an offer is like, not when something was."""
    return [
        str(name)
        for name, values in offers.items()
        if name not in (*OFFERS.names, *OCCASIONS)
        and not pd.api.types.is_datetime64_any_dtype(values)
    ]


def number_columns(offers: pd.DataFrame) -> list[str]:
    """Name the columns of numbers."""
    return [*NUMBERS, *(name for name in own_columns(offers) if is_number(offers[name]))]


def number_in(offers: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of numbers, NaN where there is none: shape (offers,)."""
    if name not in offers.columns:
        return np.full(len(offers), np.nan)
    return numbers_of(offers[name])
