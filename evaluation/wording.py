"""How figures are said in a line, on the terminal and on the page alike."""

from __future__ import annotations

import math
from typing import Any

from evaluation.depth.exposure import GroupExposure
from evaluation.significance import Estimate
from recommender.learning.yardstick import Difference

SURE = 0.05  # p-values below which a difference is marked
# Metrics of rankings that are told.
SHOWN = ("ndcg", "precision", "recall", "f1", "map", "mrr", "hit_rate")


def told_figure(value: Any) -> str:
    """Say a number, or a dash where there is none."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3f}"
    return "-" if value is None else str(value)


def told_estimate(one: Estimate | str, percent: bool = False) -> str:
    """Say an estimate with its interval, or why there is none."""
    if isinstance(one, str):
        return one
    if not one.n:
        return "-"
    if percent:
        return f"{one.value:.2%} ({one.low:.2%} to {one.high:.2%}, {one.n:,} impressions)"
    return f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})"


def told_difference(one: Difference) -> str:
    """Say a difference with its interval and its p-value."""
    if not one.n:
        return "-"
    return f"{one.value:+.3f} ({one.low:+.3f}, {one.high:+.3f}) p {one.p_value:.3f}"


def told_gap(gap: Difference | None, p_value: float) -> str:
    """Say a paired difference with its interval, marked where it is hardly chance."""
    if gap is None or not gap.n:
        return "-"
    mark = "*" if p_value < SURE else " "
    return f"{gap.value:+.3f} ({gap.low:+.3f}, {gap.high:+.3f}){mark}"


def told_uplift(found: dict[str, Any] | str) -> str:
    """Say what the offers added to conversions, or why that is not known."""
    if isinstance(found, str):
        return found
    gap = found["difference"]
    return f"{gap['value']:+.2%} ({gap['low']:+.2%} to {gap['high']:+.2%}) of customers"


def told_exposure(found: GroupExposure | str) -> str:
    """Say in a line who gets which offers."""
    if isinstance(found, str):
        return found
    ratio = "-" if math.isnan(found.overall) else f"{found.overall:.2f}"
    return (
        f"{found.under} of {found.judged} offers reach a group less than four fifths as often as "
        f"another, {found.sure} of them surely; ratio {ratio} overall"
    )
