"""What no table can tell alone: who and what is referred to, and a log that is there twice."""

from __future__ import annotations

import pandas as pd

from data.checks import Checked
from data.schema import (
    ABOUT_CATEGORY,
    ABOUT_OFFER,
    AHEAD,
    AMOUNT,
    CUSTOMER_ID,
    CUSTOMERS,
    EVENT_TYPE,
    IMPRESSION,
    INTERACTIONS,
    MAX_REDEMPTIONS,
    NO,
    OCCURRED_AT,
    OFFER_ID,
    OFFERS,
    SURVEY_ANSWERS,
    TRANSACTIONS,
    YES,
    yes_or_no,
)
from data.words import counted, form

STRANGERS, LOOKED_AT = 0.9, 10_000  # share of so many rows whose customers are not known
REPEATED = 0.2  # share of impressions that are there already


def check_together(checked: dict[str, Checked], now: pd.Timestamp) -> None:
    """Check what no table can tell alone: ids that are referred to, answers given twice."""
    _check_references(checked)
    check_answers(checked)
    _note_strangers(checked)
    _note_repetition(checked)
    _note_limits(checked)
    _note_never_valid(checked)
    _note_refunds(checked)
    _note_future(checked, now)


def _check_references(checked: dict[str, Checked]) -> None:
    """Reject rows that name an offer which the offers table does not have."""
    if "offers" not in checked:
        return
    offers = checked["offers"].frame[OFFER_ID]
    for name in ("offer_items", "interactions"):
        if name not in checked:
            continue
        table = checked[name]
        unknown = ~table.frame[OFFER_ID].isin(offers)
        if not unknown.any():
            continue
        table.reject_also(unknown.to_numpy(), OFFER_ID, "is not in offers")


def check_answers(checked: dict[str, Checked]) -> None:
    """Reject answers to yes-no questions that are neither, and all but the last to a question.

    Yes and no may be written in any case. Whoever answers again has changed their mind, as over
    HTTP.
    """
    if SURVEY_ANSWERS.name not in checked:
        return
    table = checked[SURVEY_ANSWERS.name]
    asked = table.frame["question"].str.startswith((ABOUT_CATEGORY, ABOUT_OFFER))
    odd = asked & ~table.frame["answer"].isin((YES, NO))
    if odd.any():
        table.frame.loc[odd, "answer"] = table.frame.loc[odd, "answer"].map(yes_or_no)
        odd = asked & ~table.frame["answer"].isin((YES, NO))
    table.reject_also(odd.to_numpy(dtype=bool), "answer", "is neither yes nor no")
    again = table.frame.duplicated([CUSTOMER_ID, "question"], keep="last")
    table.reject_also(again.to_numpy(), "question", "is answered again in a later row")


def _note_strangers(checked: dict[str, Checked]) -> None:
    """Remark on a table that names hardly any known customer: ids may be written otherwise."""
    if CUSTOMERS.name not in checked or checked[CUSTOMERS.name].frame.empty:
        return
    known = set(checked[CUSTOMERS.name].frame[CUSTOMER_ID])
    for name in (TRANSACTIONS.name, INTERACTIONS.name):
        if name not in checked or checked[name].frame.empty:
            continue
        owners = checked[name].frame[CUSTOMER_ID]
        some = owners.iloc[:: max(1, len(owners) // LOOKED_AT)]
        strange = ~some.isin(known)
        if strange.mean() > STRANGERS:
            checked[name].notes.append(
                f"{name}: hardly any of its customers ({some[strange].iloc[0]!r}) is in customers "
                f"({min(known)!r}): are their ids written alike?"
            )


def _note_repetition(checked: dict[str, Checked]) -> None:
    """Remark on impressions that say word for word what an earlier one says: a log copied twice."""
    if INTERACTIONS.name not in checked:
        return
    table = checked[INTERACTIONS.name]
    shown = table.frame[(table.frame[EVENT_TYPE] == IMPRESSION).to_numpy()]
    owners = shown[CUSTOMER_ID]
    some = shown[owners.isin(set(owners.iloc[:: 1 + len(owners) // LOOKED_AT])).to_numpy()]
    again = float(some.duplicated().mean()) if len(some) else 0.0
    if again > REPEATED:
        table.notes.append(
            f"{INTERACTIONS.name}: {again:.0%} of the impressions repeat an earlier one in every "
            "column and count again: is the log there twice? Drop them, or give each an event_id."
        )


def _note_limits(checked: dict[str, Checked]) -> None:
    """Remark on limits of what all customers together may redeem: whoever sets one expects it kept.

    A log that comes in now and then cannot tell how much is left when a list is made.
    """
    if OFFERS.name not in checked:
        return
    table = checked[OFFERS.name]
    if table.frame[MAX_REDEMPTIONS].notna().any():
        table.notes.append(
            f"{OFFERS.name}: the column {MAX_REDEMPTIONS!r} is kept; lists do not count the "
            "redemptions of all customers against it."
        )


def _note_never_valid(checked: dict[str, Checked]) -> None:
    """Remark on offers that end before they begin: no list ever holds one."""
    if OFFERS.name not in checked:
        return
    table = checked[OFFERS.name]
    never = table.frame[(table.frame["valid_until"] <= table.frame["valid_from"]).to_numpy()]
    if len(never):
        are = form(len(never), "is", "are")
        table.notes.append(
            f"{OFFERS.name}: {counted(len(never), 'offer')} ({never[OFFER_ID].iloc[0]!r}) {are} "
            "never valid and never listed: valid_until has to lie after valid_from."
        )


def _note_refunds(checked: dict[str, Checked]) -> None:
    """Remark on negative amounts: whoever meant none by them learns how they are read."""
    if TRANSACTIONS.name not in checked:
        return
    table = checked[TRANSACTIONS.name]
    refunds = int((table.frame[AMOUNT] < 0).sum())
    if refunds:
        told = counted(
            refunds, "refund (negative amount) counts", "refunds (negative amounts) count"
        )
        table.notes.append(f"{TRANSACTIONS.name}: {told} in spend, not as transactions.")


def _note_future(checked: dict[str, Checked], now: pd.Timestamp) -> None:
    """Remark on what happened after the present: with one mistyped year all offers are over.

    Data that were made may well lie there.
    """
    for name in (TRANSACTIONS.name, INTERACTIONS.name):
        if name not in checked:
            continue
        table = checked[name]
        when = table.frame[OCCURRED_AT]
        late = int((when > now + AHEAD).sum())
        if not late:
            continue
        table.notes.append(
            f"{name}: {counted(late, 'row')} {form(late, 'lies', 'lie')} after the present, the "
            f"latest at {when.max().isoformat()}. Was a year mistyped? Without --at a model is of "
            "the moment after the last row, when all of today's offers may be over."
        )
