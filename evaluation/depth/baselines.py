"""The baselines on trial: equal tries for each on moments before the cut, then the same split.

A comparison says little where only one side was tuned (Ferrari Dacrema, Cremonesi & Jannach 2019;
Rendle, Zhang & Koren 2019). Every baseline gets the same number of tries on the same past moments,
ranks the same candidates by the same rules as the service, and is measured by the same code.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from evaluation.depth.board import lay_out
from evaluation.depth.correction import holm
from evaluation.depth.rivals import MOST_DENSE, Fit, Past, fit_autoencoder, fit_segment
from evaluation.depth.searching import RIVALS, TRIES, Tuned, search
from evaluation.harness import HEADLINE, KS, Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import Estimate, estimate_means
from evaluation.splitting import Split
from recommender.base import HYBRID, RANDOM
from recommender.bundle import Bundle
from recommender.learning.yardstick import Difference, compare
from recommender.past.validation import make_folds

MOST_JUDGED = 1000  # customers that a try is judged by at one past moment
ORACLE = "oracle"

STEPS = len(RIVALS) + 1


@dataclass(frozen=True)
class Baselines:
    """What the baselines achieved; `lists` and `values` are laid out as those of a `Trial`.

    Attributes
    ----------
    lists : dict of str to DataFrame
        customer_id, rank, offer_id by baseline.
    values : dict of str to dict of str to ndarray of float, shape (n,)
        Per baseline and metric, one value per evaluated customer; of the `ORACLE`, which ranks what
        is relevant first, the most that any list could reach.
    tuned : dict of str to Tuned
        By baseline.
    moments : tuple of str
        Past moments they were tuned on; none where too little was redeemed before the cut.
    left_out : dict of str to str
        Baselines that are not measured, and why.
    """

    lists: dict[str, pd.DataFrame]
    values: dict[str, dict[str, np.ndarray]]
    tuned: dict[str, Tuned]
    moments: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """A baseline on one slice of customers.

    Attributes
    ----------
    metrics : dict of str to Estimate
    hybrid : Difference or None
        hybrid - baseline on the headline metric, paired; None where the hybrid is not on trial.
    p_holm : float
        Its p-value corrected for all baselines of the slice; NaN for the oracle.
    """

    metrics: dict[str, Estimate]
    hybrid: Difference | None
    p_holm: float


def run_baselines(
    split: Split,
    bundle: Bundle,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
    *,
    tries: int = TRIES,
) -> Baselines:
    """Tune every baseline on moments before the cut and let it rank the candidates of a split.

    Parameters
    ----------
    bundle : Bundle
        Trained on `split.train`; only its segments are used, with members as of each moment. Their
        centroids know the moments that are tuned on, never the test window.
    on_step : callable
        Told the name of each of the `STEPS` steps as it begins.
    tries : int
        Settings tried of each baseline, the default among them.
    """
    on_step("layout, random and oracle")
    board = lay_out(
        split.train, split.at, split.truth, bundle.segments, candidates=split.candidates
    )
    folds = make_folds(split.train, split.at, seed)
    # By time where there is any: what is held out at random does not tell how fast things age.
    folds = [fold for fold in folds if fold.by_time] or [fold for fold in folds if not fold.among]
    past = [
        lay_out(fold.past, fold.at, fold.taken, bundle.segments, most=MOST_JUDGED, seed=seed)
        for fold in folds
    ]
    random = np.random.default_rng(seed)
    depth = max(KS)
    lists = {
        RANDOM: board.rank(lambda rows: random.random((len(rows), board.past.shape[1])), depth),
        ORACLE: board.rank(lambda rows: np.asarray(board.relevant[rows].toarray()), depth),
    }
    tuned: dict[str, Tuned] = {}
    left_out: dict[str, str] = {}
    # Threads of BLAS would change the rounding, and with it what is chosen.
    with threadpool_limits(1, "blas"):
        for name, rival in RIVALS.items():
            on_step(f"baseline {name}")
            if why := _cannot(rival.fit, board.past):
                left_out[name] = why
                continue
            begun = time.perf_counter()
            found = search(rival, past, tries, seed)
            lists[name] = board.rank(rival.fit(board.past, found.chosen, seed), depth)
            seconds = round(time.perf_counter() - begun, 2)
            tuned[name] = Tuned(found.chosen, found.value, found.tries, seconds)
    return Baselines(
        lists=lists,
        values={
            name: per_customer(find_hits(made, split.truth), KS) for name, made in lists.items()
        },
        tuned=tuned,
        moments=tuple(fold.at.isoformat() for fold in folds),
        left_out=left_out,
    )


def stand(baselines: Baselines, trial: Trial, seed: int = 0) -> dict[str, dict[str, Standing]]:
    """Set the baselines beside a trial on the same split: ``[slice][baseline]``."""
    found: dict[str, dict[str, Standing]] = {}
    for name, mask in trial.slices.items():
        gaps: dict[str, Difference] = {}
        if HYBRID in trial.values:
            ours = trial.values[HYBRID][HEADLINE][mask]
            gaps = {
                baseline: compare(ours, metrics[HEADLINE][mask], seed)
                for baseline, metrics in baselines.values.items()
            }
        rivals = [baseline for baseline in gaps if baseline != ORACLE]
        sure = dict(zip(rivals, holm(np.array([gaps[one].p_value for one in rivals])), strict=True))
        table = np.column_stack(
            [one[mask] for metrics in baselines.values.values() for one in metrics.values()]
        )
        # The same resampled customers for all, which are drawn once.
        estimates = iter(estimate_means(table, seed))
        found[name] = {
            baseline: Standing(
                metrics={metric: next(estimates) for metric in metrics},
                hybrid=gaps.get(baseline),
                p_holm=float(sure.get(baseline, np.nan)),
            )
            for baseline, metrics in baselines.values.items()
        }
    return found


def chance(relevant: np.ndarray, candidates: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Work out what lists in random order reach on average, in closed form.

    Each place of a list holds a relevant offer with chance R / C, whatever the others hold.

    Parameters
    ----------
    relevant, candidates : ndarray of int, shape (n,)
        Of each customer: offers that are relevant and may be listed, R, and all that may be, C.
    k : int
        Length of a list.

    Returns
    -------
    dict of str to ndarray of float, shape (n,)
        precision@k, recall@k and ndcg@k.
    """
    share = relevant / np.maximum(candidates, 1)
    length = np.minimum(candidates, k)
    gain = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    return {
        f"precision@{k}": share * length / k,
        f"recall@{k}": length / np.maximum(candidates, 1),
        f"ndcg@{k}": share * gain[length] / gain[np.clip(relevant, 1, k)],
    }


def _cannot(fit: Fit, past: Past) -> str:
    if not len(past.rows):
        return "not measured: nobody took an offer before the cut"
    if fit is fit_segment and not past.n_segments:
        return "not measured: there are no segments"
    if fit is fit_autoencoder and len(np.unique(past.columns)) > MOST_DENSE:
        return f"not measured: it needs a square matrix, of at most {MOST_DENSE:,} offers"
    return ""
