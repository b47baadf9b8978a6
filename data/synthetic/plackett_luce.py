"""The exact chance of each offer at each place of a slate that is drawn at random.

A slate is drawn place by place without replacement, in proportion to weights (Plackett-Luce;
Plackett, 1975). The chance that an offer stands at a place has no closed form. For few offers it
is summed over the sets that can stand above. For many it is an integral: give each offer an
exponential clock whose rate is its weight; the slate is the order of ringing, and

    P(a at place j + 1) = integral of w_a exp(-w_a t) P(j clocks but a's have rung at t) dt,

where the weights add up to one. The integrand is analytic in log t, so that the trapezoidal rule
converges exponentially (Trefethen and Weideman, 2014, "The exponentially convergent trapezoidal
rule").
"""

from __future__ import annotations

import numpy as np

FEW = 12
STEP = 0.2


def position_chances(weights: np.ndarray, slate: int) -> np.ndarray:
    """Compute how probably each offer stands at each place of a slate.

    Parameters
    ----------
    weights : ndarray of shape (..., offers)
        Positive; need not add up to one.
    slate : int
        Places of a slate; fewer offers fill fewer places.

    Returns
    -------
    ndarray of shape (..., offers, slate)
        Over the offers, each place that can be filled adds up to one, the others to zero.
    """
    shares = weights / weights.sum(axis=-1, keepdims=True)
    flat = shares.reshape(-1, shares.shape[-1])
    n = flat.shape[1]
    places = min(slate, n)
    chances = np.zeros((*flat.shape, slate))
    chances[..., :places] = _by_sets(flat, places) if n <= FEW else _by_clocks(flat, places)
    return chances.reshape(*shares.shape, slate)


def _by_sets(shares: np.ndarray, places: int) -> np.ndarray:
    """Sum over every set of offers that can stand above a place."""
    rows, n = shares.shape
    sets = np.arange(2**n)
    members = (sets[:, None] >> np.arange(n)) & 1
    size = members.sum(axis=1)
    taken = shares @ members.T.astype(np.float64)
    reached = np.zeros((rows, 2**n))
    reached[:, 0] = 1.0
    chances = np.zeros((rows, n, places))
    for place in range(places):
        above = sets[size == place]
        for offer in range(n):
            free = above[members[above, offer] == 0]
            left = np.maximum(1.0 - taken[:, free], np.finfo(float).tiny)
            mass = reached[:, free] * shares[:, [offer]] / left
            chances[:, offer, place] = mass.sum(axis=1)
            reached[:, free | (1 << offer)] += mass
    return chances


def _by_clocks(shares: np.ndarray, places: int) -> np.ndarray:
    """Integrate over the moment at which an offer's clock rings."""
    top = np.sort(shares, axis=1)[:, ::-1][:, : places - 1].sum(axis=1).max(initial=0.0)
    times = np.exp(np.arange(-20.0, np.log(45.0 / (1.0 - top)) + STEP, STEP))
    silent = np.exp(-shares[:, None, :] * times[:, None])
    weight = STEP * times * np.exp(-shares[:, None, :].swapaxes(1, 2) * times)
    chances = np.einsum("rnt,rtnj->rnj", weight, _rung_without_each(silent, places))
    chances = shares[..., None] * chances
    chances[..., 0] = shares  # on top simply the weight
    return np.asarray(np.clip(chances, 0.0, 1.0))


def _rung_without_each(silent: np.ndarray, count: int) -> np.ndarray:
    """Compute how probably 0 … count - 1 of all clocks but one have rung, for each left out.

    Parameters
    ----------
    silent : ndarray of shape (..., n)
        Chance that a clock has not rung.

    Returns
    -------
    ndarray of shape (..., n, count)
        By products over halves, up a tree and down again: sums of positive numbers only, so that
        nothing cancels.
    """
    n = silent.shape[-1]
    size = 1 << max(0, n - 1).bit_length()
    level = np.zeros((*silent.shape[:-1], size, count))
    level[..., 0] = 1.0
    level[..., :n, 0] = silent
    if count > 1:
        level[..., :n, 1] = 1.0 - silent
    levels = [level]
    while levels[-1].shape[-2] > 2:
        levels.append(_product(levels[-1][..., ::2, :], levels[-1][..., 1::2, :]))
    without = np.zeros((*silent.shape[:-1], 1, count))
    without[..., 0] = 1.0
    for level in reversed(levels):
        if level.shape[-2] == 1:
            continue
        below = np.empty_like(level)
        below[..., ::2, :] = _product(without, level[..., 1::2, :])
        below[..., 1::2, :] = _product(without, level[..., ::2, :])
        without = below
    return without[..., :n, :]


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Multiply polynomials whose coefficients lie along the last axis, up to their length."""
    count = left.shape[-1]
    joined = np.zeros(np.broadcast_shapes(left.shape, right.shape))
    for power in range(count):
        for other in range(power + 1):
            joined[..., power] += left[..., other] * right[..., power - other]
    return joined
