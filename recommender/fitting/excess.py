"""What customers redeemed beyond what the chances they had let expect, and what is usual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommender.fitting.rates import Chances

LEAST_SAID = 0.3  # of what customers say on average, that everybody says besides


@dataclass(frozen=True)
class Excess:
    """What customers redeemed beyond what their chances let expect: `events` - `expected`.

    Attributes
    ----------
    events, expected : csr_matrix, shape (customers, offers)
        Where showing is logged what can be redeemed again counts each time, elsewhere once.
    flat : ndarray of float, shape (offers,)
        Expected of every customer who is present alike, where nothing tells their chances apart.
    present : ndarray of bool, shape (customers,)
    """

    events: sp.csr_matrix
    expected: sp.csr_matrix
    flat: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, chances: Chances) -> Excess:
        """Expect the same rate per impression of everybody; where none is logged, per customer."""
        events = chances.events.astype(bool).astype(np.float64)
        if chances.shown is None:
            count = np.asarray(events.sum(axis=0)).ravel()
            nothing, everybody = sp.csr_matrix(events.shape), max(1, int(chances.present.sum()))
            return cls(events, nothing, count / everybody, chances.present)
        events = sp.csr_matrix(chances.events.minimum(chances.shown.maximum(events)))
        count = np.asarray(events.sum(axis=0)).ravel()
        shown = np.asarray(chances.shown.sum(axis=0)).ravel()
        rate = sp.diags_array(count / np.maximum(shown, 1.0))
        # Who never saw an offer but redeemed it had a chance all the same.
        expected = sp.csr_matrix(chances.shown @ rate)
        return cls(events, expected, np.zeros(len(count)), chances.present)

    def said(self) -> np.ndarray:
        """Return how much each customer says of the traits: shape (customers,), one on average.

        Who is not present yet says nothing; who had more chances says more: the weights of a step
        of Poisson regression, whose variances are what is expected, with the offers' mean for each
        offer (McCullagh & Nelder 1989).
        """
        chances = np.asarray(self.expected.sum(axis=1)).ravel()
        if not chances.any():
            return self.present.astype(np.float64)
        mean = chances[self.present].mean()
        return np.asarray(self.present * (chances / mean + LEAST_SAID) / (1.0 + LEAST_SAID))

    def rows(self, rows: np.ndarray) -> sp.csr_matrix:
        """Return events less expected, without the flat part, of some customers."""
        return sp.csr_matrix(self.events[rows] - self.expected[rows])


def rates_of(
    events: np.ndarray, usual: np.ndarray, strength: float, chances: Chances
) -> np.ndarray:
    """Return the rates whose log-odds are lifted, of a new offer last: shape (offers + 1,).

    Per showing where it is logged, as scores are; else per customer.

    Parameters
    ----------
    events : ndarray of float, shape (offers,)
        Redemptions.
    usual : ndarray of float, shape (offers + 1,)
        Rates per customer.
    strength : float
        Redemptions that the rate of all offers counts for.
    chances : Chances
    """
    if chances.shown is None:
        return usual
    shown = np.asarray(chances.shown.sum(axis=0)).ravel()
    overall = events.sum() / max(float(shown.sum()), 1.0)
    return np.asarray((np.r_[events, 0.0] + strength) / (np.r_[shown, 0.0] + strength / overall))
