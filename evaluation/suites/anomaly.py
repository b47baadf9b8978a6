"""Suite `anomaly`: odd rows of labelled tables, customers who leave, and what was planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.synthetic import PRESETS, generate
from data.synthetic.oddities import ABUSE, BROKEN, CARD_TESTING, LEAVING, RICH, TAKEOVER
from evaluation.benchmark import Row, not_measured
from evaluation.suites import labelled, leaving
from segmentation.anomaly import find_anomalies
from segmentation.features import customer_features
from segmentation.peers import FOR_PEERS, VALUE_FOR_PEERS, WORDS
from segmentation.signs import BUSIEST_HOUR, OFF, TWO_DAY_SPEND
from segmentation.sprees import FALSE_DISCOVERIES, find_odd_transactions

SEEDS = 10
FOLDER = "adbench"
KIND_RIGHT, MARGINAL_RIGHT, BROKEN_RIGHT = 0.8, 0.95, 0.75
STEPS = labelled.STEPS + leaving.STEPS + SEEDS
# The signs that a planted pattern changes.
SIGNS = {
    CARD_TESTING: (BUSIEST_HOUR, "burst", TWO_DAY_SPEND, "smallest_to_average"),
    TAKEOVER: (TWO_DAY_SPEND, "largest_to_average", "burst"),
    ABUSE: (OFF, TWO_DAY_SPEND, "burst", BUSIEST_HOUR),
    RICH: (VALUE_FOR_PEERS, FOR_PEERS),
    BROKEN: (VALUE_FOR_PEERS, FOR_PEERS),
}


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:
    """Measure everything; labelled tables are the .npz files of `data`, or of its adbench."""
    found = []
    folder = next(
        (one for one in (data, data and data / FOLDER) if one and list(one.glob("*.npz"))), None
    )
    if folder is not None:
        found += labelled.rows(on_step, folder)
    elif data is not None:  # one folder is given to all suites
        why = f"neither {data} nor its folder {FOLDER} holds an .npz table"
        found.append(not_measured("labelled tables", why))
    return found + leaving.rows(on_step) + _planted(on_step)


def _planted(on_step: Callable[[str], None]) -> list[Row]:
    """Look for what was planted in five worlds."""
    customers, transactions, alarms = [], [], []
    for seed in range(SEEDS):
        on_step(f"planted, seed {seed}")
        world = generate(replace(PRESETS["small"], seed=seed))
        dataset = Dataset.of(world)
        at = dataset.moment_after()
        found = find_anomalies(customer_features(dataset, at), dataset, at)
        truth = world["truth/anomalies"].rename(columns={"kind": "planted"})
        customers.append(found.merge(truth, on="customer_id"))
        odd = find_odd_transactions(dataset, at)
        transactions.append(
            odd["transaction_id"].isin(world["truth/transactions"]["transaction_id"])
        )
        ordinary = customers[-1][customers[-1]["pattern"] == ""]
        alarms.append(float(ordinary["flagged"].mean()))
    table = pd.concat(customers)
    planted = table[table["pattern"] != ""]
    flagged = planted[planted["flagged"]]
    marginal = flagged[~flagged["pattern"].isin((LEAVING, BROKEN))]
    data = f"default world, {SEEDS} seeds, {len(planted)} planted"
    kind = float((flagged["kind"] == flagged["planted"]).mean())
    first = _first_right(marginal)
    broken = _first_right(flagged[flagged["pattern"] == BROKEN])
    false = 1 - float(pd.concat(transactions).mean())
    return [
        Row(data, "found", float(planted["flagged"].mean())),
        *(
            Row(data, f"found of {name}", float(rows["flagged"].mean()))
            for name, rows in planted.groupby("pattern")
        ),
        Row(data, "false alarms", float(np.mean(alarms))),
        Row(data, "kind right, of the found", kind, f">= {KIND_RIGHT}", kind >= KIND_RIGHT),
        Row(data, "first reason right, marginal", first, f">= {MARGINAL_RIGHT}",
            first >= MARGINAL_RIGHT),
        Row(data, "first reason right, broken relation", broken, f">= {BROKEN_RIGHT}",
            broken >= BROKEN_RIGHT),
        Row(data, "single transactions: false among the discoveries", false,
            f"<= {FALSE_DISCOVERIES}", false <= FALSE_DISCOVERIES),
    ]  # fmt: skip


def _first_right(flagged: pd.DataFrame) -> float:
    right = [
        any(reasons.startswith(WORDS[sign]) for sign in SIGNS[pattern])
        for reasons, pattern in zip(flagged["reasons"], flagged["pattern"], strict=True)
    ]
    return float(np.mean(right)) if right else float("nan")
