"""Lists, truth and figures as files that other tools read: TREC runs and qrels, Parquet.

A run has lines ``qid Q0 docid rank score tag``, qrels ``qid 0 docid relevance`` (trec_eval's
formats). With score = -rank and every evaluated customer present, trec_eval, pytrec_eval and ranx
find for each customer what the report found.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from data.errors import DataError
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.harness import Trial
from evaluation.ranked_lists import order_lists
from evaluation.splitting import Split

RUNS, QRELS, VALUES = "runs", "qrels.txt", "per_customer.parquet"
POLICY, SLICE = "policy", "slice:"
NOTHING = "no-offer"  # what stands in the list of a customer who has none
BLANK = re.compile(r"[\s%]")


def write_outputs(trial: Trial, split: Split, folder: Path) -> list[Path]:
    """Write everything a trial found into a folder, making it if needed.

    Returns
    -------
    list of Path
        ``qrels.txt``, ``runs/POLICY.txt`` for every policy, ``per_customer.parquet``.
    """
    (folder / RUNS).mkdir(parents=True, exist_ok=True)
    paths = [folder / QRELS]
    write_qrels(split.truth, paths[0])
    for policy, lists in trial.lists.items():
        paths.append(folder / RUNS / f"{policy}.txt")
        write_run(lists, split.truth, paths[-1], tag=policy)
    paths.append(folder / VALUES)
    write_values(trial, paths[-1])
    return paths


def write_run(lists: pd.DataFrame, truth: pd.DataFrame, path: Path, tag: str = "nbo") -> None:
    """Write the lists of the customers who have something relevant as a TREC run.

    Parameters
    ----------
    lists : DataFrame
        customer_id, offer_id and rank, read as `evaluation.ranked_lists.order_lists` says.
    truth : DataFrame
        customer_id and offer_id of what is relevant. A customer of it without a list gets one line
        with an offer that is none, or the tools would leave the customer out of the mean.
    tag : str
        Name of the system; one word.

    Raises
    ------
    DataError
        An id is empty.
    """
    customers = IdMap(truth[CUSTOMER_ID])
    ordered = order_lists(lists, customers)
    mine = lists.iloc[ordered.rows]
    offers = escaped(mine[OFFER_ID]).to_numpy()
    nothing = NOTHING
    while nothing in set(offers) | set(escaped(truth[OFFER_ID])):
        nothing += "-"
    found = pd.DataFrame({"row": ordered.owner, "docid": offers, "rank": ordered.place + 1})
    without = np.setdiff1d(np.arange(len(customers)), ordered.owner)
    if len(without):
        empty = pd.DataFrame({"row": without, "docid": nothing, "rank": 1})
        found = pd.concat([found, empty], ignore_index=True).sort_values(["row", "rank"])
    names = escaped(pd.Series(customers.ids, dtype="str")).to_numpy()
    run = pd.DataFrame(
        {
            "qid": names[found["row"].to_numpy(dtype="int64")],
            "q0": "Q0",
            "docid": found["docid"],
            "rank": found["rank"],
            "score": -found["rank"],
            "tag": _escaped(tag),
        }
    )
    _write(run, path)


def write_qrels(truth: pd.DataFrame, path: Path) -> None:
    """Write what is relevant as TREC qrels; every pair has relevance 1."""
    pairs = truth[[CUSTOMER_ID, OFFER_ID]].drop_duplicates().sort_values([CUSTOMER_ID, OFFER_ID])
    qrels = pd.DataFrame(
        {
            "qid": escaped(pairs[CUSTOMER_ID]),
            "zero": 0,
            "docid": escaped(pairs[OFFER_ID]),
            "relevance": 1,
        }
    )
    _write(qrels, path)


def escaped(ids: pd.Series[str]) -> pd.Series[str]:
    """Write ids as words: blanks and % become %XX, as in an address; `unescaped` undoes it.

    Raises
    ------
    DataError
        An id is empty or missing: no word could stand for it.
    """
    if (ids.isna() | (ids.astype("str") == "")).any():
        raise DataError(f"A {ids.name or 'name'} is empty.", "Give every row its id.")
    odd = ids.str.contains(BLANK).to_numpy(dtype=bool)
    words = ids.to_numpy(dtype=object).copy()
    words[odd] = [_escaped(str(word)) for word in words[odd]]
    return pd.Series(words, index=ids.index, dtype="str", name=ids.name)


def unescaped(word: str) -> str:
    """Return the id that a word of a run or of qrels stands for."""
    return unquote(word)


def values_table(trial: Trial) -> pd.DataFrame:
    """Lay the figures of every customer out as one table.

    Returns
    -------
    DataFrame
        customer_id, policy, one column per metric (float64), and one per slice, named
        ``slice:NAME`` (bool); a row per policy and customer, customers in the order of the trial.
    """
    slices = {f"{SLICE}{name}": mask for name, mask in trial.slices.items()}
    customers = pd.Series(trial.customers, dtype="str")
    return pd.concat(
        [
            pd.DataFrame({CUSTOMER_ID: customers, POLICY: policy, **metrics, **slices})
            for policy, metrics in trial.values.items()
        ],
        ignore_index=True,
    )


def write_values(trial: Trial, path: Path) -> None:
    """Write the figures of every customer as Parquet."""
    values_table(trial).to_parquet(path, index=False)


def _escaped(word: str) -> str:
    return BLANK.sub(lambda found: quote(found.group(), safe=""), word)


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in table.itertuples(index=False, name=None):
            file.write(" ".join(map(str, row)) + "\n")
