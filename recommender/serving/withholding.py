"""Serving rules: kinds of offers that customers flagged as something are not shown.

Written as ``possible fraud=cashback,voucher; at risk=upgrade``: a kind of anomaly, and the kinds of
offers (column ``kind`` of the offers table) withheld from customers flagged so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data.errors import SettingsError, UsageError
from recommender.base import Query
from recommender.features.letters import lowered
from segmentation.kinds import KINDS

Rules = Mapping[str, frozenset[str]]


def parse_rules(text: str) -> Rules:
    """Read rules.

    Raises
    ------
    UsageError
        A rule has another form, or names no kind of anomaly there is.
    """
    rules: dict[str, frozenset[str]] = {}
    for rule in filter(None, (part.strip() for part in text.split(";"))):
        anomaly, equals, kinds = (part.strip() for part in rule.partition("="))
        named = frozenset(kind.strip().lower() for kind in kinds.split(",") if kind.strip())
        if not equals or not named or anomaly.lower() not in KINDS:
            raise UsageError(
                f"{rule!r} is no rule of what to withhold.",
                f"Write it as 'possible fraud=cashback,voucher'; known: {', '.join(KINDS)}.",
            )
        rules[anomaly.lower()] = rules.get(anomaly.lower(), frozenset()) | named
    return rules


def configured_rules(text: str) -> Rules:
    """Read the rules of the settings.

    Raises
    ------
    SettingsError
        They cannot be read.
    """
    try:
        return parse_rules(text)
    except UsageError as error:
        problem = f"The environment variable NBO_WITHHOLD cannot be used: {error.problem}"
        raise SettingsError(problem, error.remedy) from error


def withhold(rules: Rules, offers: pd.DataFrame) -> np.ndarray:
    """Find what the rules withhold: shape (kinds of anomaly, offers), True where withheld."""
    kind = lowered(offers["kind"])
    return np.array([kind.isin(rules.get(name, frozenset())) for name in KINDS], dtype=bool)


def withheld(query: Query, mask: np.ndarray) -> np.ndarray:
    """Find what is withheld from each customer of a query: shape (n, offers)."""
    return np.asarray((query.flagged @ mask.astype(np.float64)) > 0)
