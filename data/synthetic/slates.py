"""Policies that draw slates of offers at random, with the exact chance of each offer and place.

A context is an audience on a day; the chances in each are computed once (see `plackett_luce`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.synthetic.plackett_luce import position_chances


@dataclass(frozen=True)
class SlatePolicy:
    """Draws slates for contexts; a context is an audience on a day.

    Attributes
    ----------
    context : ndarray of int, shape (audiences, days)
        Number of each audience's context on each day.
    start : ndarray of int, shape (contexts + 1,)
        Where the offers of a context begin in the arrays below.
    offer : ndarray of int
        Valid offers, context by context.
    edges : ndarray of float
        Cumulative weights within a context, plus the number of the context.
    chance : ndarray of shape (len(offer), slate)
        Exact chance of each offer at each place.
    """

    context: np.ndarray
    start: np.ndarray
    offer: np.ndarray
    edges: np.ndarray
    chance: np.ndarray

    @classmethod
    def of(
        cls, weights: np.ndarray, begin: np.ndarray, end: np.ndarray, days: int, slate: int,
        floor: float,
    ) -> SlatePolicy:  # fmt: skip
        """Prepare a policy.

        Parameters
        ----------
        weights : ndarray of shape (audiences, offers)
            Positive weights of the offers.
        begin, end : ndarray of int, shape (offers,)
            An offer can be shown on the days ``begin … end - 1``.
        floor : float
            Share of every draw that is spread evenly over the valid offers, so that none is
            excluded.
        """
        day = np.arange(days)
        valid = (begin <= day[:, None]) & (day[:, None] < end)
        different, which = np.unique(valid, axis=0, return_inverse=True)
        audiences = len(weights)
        start, offers, edges, chances = [0], [], [], []
        for row in different:
            there = np.flatnonzero(row)
            some = weights[:, there]
            mixed = (1 - floor) * some / some.sum(axis=1, keepdims=True) + floor / max(
                len(there), 1
            )
            chance = (
                position_chances(mixed, slate) if len(there) else np.zeros((audiences, 0, slate))
            )
            for audience in range(audiences):
                total = mixed[audience].cumsum()
                number = len(start) - 1
                offers.append(there)
                edges.append(total / total[-1:] + number)
                chances.append(chance[audience])
                start.append(start[-1] + len(there))
        return cls(
            context=which.reshape(-1) * audiences + np.arange(audiences)[:, None],
            start=np.array(start),
            offer=np.concatenate(offers),
            edges=np.concatenate(edges),
            chance=np.concatenate(chances),
        )

    def draw(
        self, context: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw a slate per context.

        Returns
        -------
        offer : ndarray of int, shape (contexts, slate)
            Places that cannot be filled hold -1.
        propensity : ndarray of shape (contexts, slate)
            Exact chance of that offer at that place in that context.
        """
        slate = self.chance.shape[1]
        entry = np.full((len(context), slate), -1)
        room = self.start[context + 1] - self.start[context]
        for place in range(slate):
            open_rows = np.flatnonzero(room > place)
            while len(open_rows):
                # Drawing until it is a new one is drawing among the new ones.
                where = context[open_rows]
                key = where + random.random(len(open_rows))
                at = np.searchsorted(self.edges, key, side="right")
                at = np.minimum(at, self.start[where + 1] - 1)
                new = (entry[open_rows, :place] != at[:, None]).all(axis=1)
                entry[open_rows[new], place] = at[new]
                open_rows = open_rows[~new]
        there = entry >= 0
        propensity = self.chance[entry, np.arange(slate)]
        return np.where(there, self.offer[entry], -1), np.where(there, propensity, 0.0)

    def dense(self, context: np.ndarray, offers: int) -> np.ndarray:
        """Return the chances in some contexts as an array of shape (contexts, offers, slate)."""
        chances = np.zeros((len(context), offers, self.chance.shape[1]))
        for row, one in enumerate(context):
            there = slice(self.start[one], self.start[one + 1])
            chances[row, self.offer[there]] = self.chance[there]
        return chances

    def at(self, context: np.ndarray, offer: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return the chance of an offer at a position (1 is the top) in a context, row by row.

        It is zero where the offer is not valid.
        """
        width = int(max(self.offer.max(initial=0), offer.max(initial=0))) + 1
        number = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        keys, wanted = number * width + self.offer, context * width + offer
        entry = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[entry] == wanted, self.chance[entry, position - 1], 0.0)
