"""The model as it is served: a bundle, and the offers that came after it."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from data.schema import OFFER_ID
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.withholding import Rules

HOUR = 3_600_000_000_000  # nanoseconds: lists are made afresh at least that often
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Model:
    """A bundle as it is served.

    Attributes
    ----------
    trained : Bundle
        As it was published.
    bundle : Bundle
        With the offers that came after it.
    service : Service or None
        None where it recommends nothing.
    everybody : int
        The revision of what concerns everybody (offers, loads, erasures) that it has seen.
    number : int
        No two models of a process have the same.
    """

    trained: Bundle
    bundle: Bundle
    service: Service | None
    everybody: int
    number: int = field(default_factory=lambda: next(_numbers))

    @cached_property
    def offer_ids(self) -> frozenset[str]:
        """The offers there are."""
        return frozenset(self.bundle.offers[OFFER_ID])

    @cached_property
    def since(self) -> int:
        """Microseconds from which on recorded facts are new to the model."""
        return since_of(self.trained)

    def epoch(self, at: pd.Timestamp) -> tuple[int, int]:
        """Return the stretch of time, an hour at most, within which the same offers are valid."""
        return bisect_right(self._turns, at.value // 1000), at.value // HOUR

    @cached_property
    def _turns(self) -> list[int]:
        """Microseconds at which some offer begins or ends."""
        return [] if self.service is None else self.service.candidates.turns


def since_of(bundle: Bundle) -> int:
    """Return the microseconds from which on recorded facts are new to a bundle.

    It may have been trained for a later moment than it was made at. Then what was recorded while
    it was trained, once its source had been read, is new to it as well.
    """
    read = bundle.read_at or bundle.created_at
    known = pd.Timestamp(read) if read else bundle.moment
    return int(min(bundle.moment, known).value // 1000)


def serve(bundle: Bundle, rules: Rules | None) -> Service | None:
    """Return the verb of serving of a bundle; None where it recommends nothing."""
    return None if bundle.recommender is None else Service(bundle, rules)
