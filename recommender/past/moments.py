"""Which moments of the past to look back to: where lists can be judged by what was taken next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.crediting import last_impressions
from data.dataset import Dataset, valid_at
from data.schema import IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION
from recommender.fitting.pace import pace_of
from recommender.fitting.trend import Takings
from recommender.past.newness import newness_at
from recommender.past.outcomes import is_logged

MOST_MOMENTS = 2
FEWEST_EVENTS, PLENTY = 20, 20_000  # redemptions for a moment to say something; to say enough
MOST_STARTS = 20
SHORTEST, LONGEST = pd.Timedelta(days=7), pd.Timedelta(days=60)
MEMORIES = 4  # half-lives of trend after which what is taken is something else
NEARLY = 0.8  # of the most redemptions that any moment has
ALIKE = 0.05  # newness by which moments may differ and still be as like the present as each other
UNLIKE = 0.25  # newness by which the offers of a moment were others than those of the present


def choose_moments(
    dataset: Dataset, kind: str, at: pd.Timestamp
) -> tuple[list[pd.Timestamp], pd.Timedelta]:
    """Choose moments before `at`.

    A moment is judged best where most of what was redeemed afterwards was already on offer. Of the
    moments that have nearly as many such redemptions as any, the latest is taken; then, unless that
    one has plenty, the next, without overlap. Where showing is logged, what was redeemed must have
    been shown afterwards too, not in a mailing just before; and the first moment is one at which
    the offers were about as new as they are now: elsewhere an offer that has long been shown cannot
    be told from a new one. The second says what holds at other moments too.

    Parameters
    ----------
    dataset : Dataset
        Rows before `at`.
    kind : str
        What counts: redemption or click.

    Returns
    -------
    moments : list of Timestamp
        Oldest first.
    horizon : Timedelta
        How long after each of them counts.
    """
    events = dataset.takings(kind)
    first = pd.concat([dataset.interactions[OCCURRED_AT], dataset.transactions[OCCURRED_AT]]).min()
    span = at - first
    horizon = min(max(span / 6, SHORTEST), LONGEST)
    shown = dataset.events(IMPRESSION)
    logged = kind == REDEMPTION and is_logged(events, shown)
    if not logged:
        horizon = min(horizon, MEMORIES * memory_of(dataset, at))
    moments = _moments(dataset, first, at, horizon)
    gap = dict.fromkeys(moments, 0.0)
    if logged:
        events = last_impressions(shown, events)
    covered = _coverage(dataset, events, moments, horizon)
    if logged:
        newness = newness_at(dataset, [*moments, at])
        gaps = np.nan_to_num(np.abs(newness[:-1] - newness[-1]))
        gap = dict(zip(moments, gaps.tolist(), strict=True))
    chosen: list[pd.Timestamp] = []
    while covered and len(chosen) < MOST_MOMENTS and max(covered.values()) >= FEWEST_EVENTS:
        enough = NEARLY * max(covered.values())
        telling = [moment for moment, events_there in covered.items() if events_there >= enough]
        least = min(gap[moment] for moment in telling)
        best = max(moment for moment in telling if gap[moment] <= least + ALIKE)
        chosen.append(best)
        if covered[best] >= PLENTY:
            break
        covered = {m: n for m, n in covered.items() if abs(m - best) >= horizon}
        gap = dict.fromkeys(moments, 0.0)
    return sorted(chosen), horizon


def memory_of(dataset: Dataset, at: pd.Timestamp) -> pd.Timedelta:
    """Return the half-life by which what was taken lately tells what is taken next."""
    moment = at.value // 1000
    return pd.Timedelta(microseconds=pace_of(Takings.of(dataset, moment), moment).half_life)


def were_newer(dataset: Dataset, moments: Sequence[pd.Timestamp], at: pd.Timestamp) -> bool:
    """Tell whether what was on offer at each of the moments was new, and is known now."""
    *then, now = newness_at(dataset, [*moments, at])
    return bool(then) and min(then) > now + UNLIKE


def _moments(
    dataset: Dataset, first: pd.Timestamp, at: pd.Timestamp, horizon: pd.Timedelta
) -> list[pd.Timestamp]:
    """List candidate moments: a grid over the later two thirds, and the starts of offers there."""
    begin, end = first + (at - first) / 3, at - horizon / 2
    if begin >= end:
        return []
    grid = [at - horizon * step / 4 for step in range(2, 40)]
    # Moments at which many offers begin are where lists of new offers can be judged.
    counts = dataset.offers["valid_from"].value_counts().sort_index(ascending=False)
    inside = counts[(counts.index >= begin) & (counts.index <= end)]
    starts = inside.sort_values(ascending=False, kind="stable").index[:MOST_STARTS]
    within = (moment for moment in grid if begin <= moment <= end)
    return sorted({*within, *starts}, reverse=True)


def _coverage(
    dataset: Dataset, events: pd.DataFrame, moments: list[pd.Timestamp], horizon: pd.Timedelta
) -> dict[pd.Timestamp, int]:
    """Count what each moment can be judged by: of events with `shown_at`, what that follows."""
    offer = pd.Index(dataset.offers[OFFER_ID]).get_indexer(pd.Index(events[OFFER_ID]))
    # Nanoseconds; a missing time is before all moments.
    when = events[OCCURRED_AT].dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
    order = when.argsort(kind="stable")
    order = order[offer[order] >= 0]
    offer, when = offer[order], when[order]
    # What has no showing before it counts as if shown at its own time.
    shown = events.get("shown_at", events[OCCURRED_AT]).fillna(events[OCCURRED_AT])
    seen = shown.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)[order]
    found = {}
    for moment in moments:
        first, last = np.searchsorted(when, [moment.value, (moment + horizon).value])
        counts = valid_at(dataset.offers, moment)[offer[first:last]]
        found[moment] = int((counts & (seen[first:last] >= moment.value)).sum())
    return found
