"""What is known of one person, before it becomes arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.schema import CUSTOMERS


@dataclass(frozen=True)
class Facts:
    """What is known of one person, in external terms.

    Attributes
    ----------
    profile : mapping
        Attributes such as gender, age, annual_income, spending_score; signup_at in microseconds
        since 1970.
    answers : mapping of str to str
        Survey answers by question.
    interactions : sequence of (offer_id, event_type, occurred_at)
        What the person did with offers; times in microseconds since 1970, None for now.
    purchases : sequence of mappings
        Lines with amount, and item_id, category, merchant, transaction_id, occurred_at
        (microseconds since 1970, UTC) where stated.
    """

    profile: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    interactions: Sequence[tuple[str, str, int | None]] = ()
    purchases: Sequence[Mapping[str, Any]] = ()

    @property
    def said(self) -> Mapping[str, Any]:
        """What the person said of themselves: a survey's own questions are part of a profile."""
        own = {name: told for name, told in self.answers.items() if name not in CUSTOMERS.names}
        return own | {name: told for name, told in self.profile.items() if told is not None}
