"""What somebody bought and took before, in words that are true of each count and sum."""

from __future__ import annotations

from collections.abc import Mapping

from recommender.features.keys import ITEM, KeySpace


def had_before(times: int, bought: int) -> str:
    """Say how often an offer was taken.

    Parameters
    ----------
    times : int
        In all, at least once.
    bought : int
        How many of these were purchases of what the offer is for.
    """
    if 0 < bought < times:
        took = _often(times - bought)
        return f"You bought this {_often(bought)} and took it {took} before."
    did = "bought" if bought else "took"
    return f"You {did} this {times} times before." if times > 1 else f"You {did} this before."


def spent_on(keys: KeySpace, level: str, spent: Mapping[int, float]) -> str:
    """Say how much was spent on what an offer is for.

    Parameters
    ----------
    spent : mapping
        Money by purchase key, of the offer's keys of a level.
    """
    if level == ITEM:
        return f"You spent {sum(spent.values()):,.2f} on the very items of this offer."
    # An offer may be of several categories, say: one is named, so its money alone is told.
    top = max(spent, key=lambda key: spent[key])
    what = str(keys.names[top]).partition(":")[2]
    return f"You spent {spent[top]:,.2f} on {what} ({level})."


def _often(times: int) -> str:
    return "once" if times == 1 else f"{times} times"
