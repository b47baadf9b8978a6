"""The single verb of serving: recommend. Arrays only; no file, no database, no training library."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from data.errors import BundleError, UsageError
from data.schema import OFFER_ID
from recommender.base import HYBRID, POLICIES, RANDOM, Query, Source
from recommender.bundle import Bundle
from recommender.explanation import Explainer
from recommender.facts import Facts
from recommender.model import Recommender
from recommender.serving.asking import Asking
from recommender.serving.candidates import Candidates
from recommender.serving.choosing import Chooser
from recommender.serving.lists import Listed, Listing, Ranked, Wish
from recommender.serving.visitors import Visitor, queries
from recommender.serving.withholding import Rules

MOST_CUSTOMERS, MOST_CELLS = 1024, 5_120_000  # scored at once, so that memory is bounded


class Service:
    """Lists from one bundle.

    Parameters
    ----------
    bundle : Bundle
        With a recommender.
    rules : mapping, optional
        Kinds of offers that flagged customers are not shown; see `recommender.serving.withholding`.

    Raises
    ------
    BundleError
        The bundle recommends nothing.
    """

    def __init__(self, bundle: Bundle, rules: Rules | None = None) -> None:
        if bundle.recommender is None:
            raise BundleError(
                "This model recommends nothing: it was trained without offers, or without "
                "interactions and transactions.",
                "Add these tables to the dataset and train again.",
            )
        self.bundle = bundle
        self.candidates = Candidates(bundle.offers, rules)
        self.recommender: Recommender = bundle.recommender
        self.explainer = Explainer(bundle.offers, bundle.recommender)
        self._asking: Asking | None = None
        category = np.asarray(pd.factorize(bundle.offers["category"])[0])
        self._chooser = Chooser(bundle.recommender, category)

    @property
    def calibrated(self) -> bool:
        """Whether scores of the hybrid are probabilities."""
        return self.recommender.hybrid.calibrated

    def _asking_at(self, at: pd.Timestamp) -> Asking:
        """Return what chooses questions; other offers are worth other questions."""
        asking, valid = self._asking, self.candidates.valid(at)
        if asking is None or not np.array_equal(asking.offers, valid):
            self._asking = asking = Asking(self.recommender, valid)
        return asking

    @cached_property
    def _shown(self) -> list[tuple[str, str | None, str | None]]:
        table = self.bundle.offers[[OFFER_ID, "title", "category"]].astype("object")
        table = table.where(table.notna(), None)
        return [(str(row[0]), row[1], row[2]) for row in table.itertuples(index=False)]

    def shown(self, row: int) -> tuple[str, str | None, str | None]:
        """Return the id, title and category of an offer."""
        return self._shown[row]

    def next_questions(
        self, query: Query, at: pd.Timestamp, skipped: Collection[str] = (), n: int = 3
    ) -> list[tuple[str, str]]:
        """Choose what to ask a customer next, as (question, text); nothing once all is settled.

        Parameters
        ----------
        query : Query
            Of one customer.
        at : Timestamp
            The moment of the lists that answers are for.
        skipped : collection of str
            Questions not to ask; those that the survey does not hold are no matter.
        """
        survey = self.recommender.encoders.survey
        unwilling = [survey.rows[question] for question in skipped if question in survey.rows]
        chosen = self._asking_at(at).next_questions(query, unwilling, n)
        return [(survey.questions[row], survey.texts[row]) for row in chosen]

    def query(
        self, customer_id: str, facts: Facts, at: pd.Timestamp, *, whole: bool = False
    ) -> Query:
        """Build the query of one person: the bundle's row, if any, and the facts that came after.

        Parameters
        ----------
        customer_id : str
            External id.
        facts : Facts
            Profile and answers as they are now; interactions and purchases that the bundle does not
            hold.
        at : Timestamp
            The moment the list is for.
        whole : bool
            The facts are all there are: the bundle's row is not added to them.
        """
        visitor = Visitor(customer_id, facts, whole)
        return queries(self.bundle, self.recommender.encoders, [visitor], at)

    def recommend(self, query: Query, wish: Wish) -> list[Listing]:
        """Make one list per customer of a query.

        Raises
        ------
        UsageError
            The policy is not known.
        """
        names = (*self.recommender.hybrid.sources, "intercept")
        lists: list[Listing] = []
        for ranked in self.rank(query, wish):
            for person, length in enumerate(ranked.length.tolist()):
                listed = [
                    Listed(row, score, names[source], dict(zip(names, parts, strict=True)))
                    if wish.explain and wish.policy == HYBRID
                    else Listed(row, score, names[source], {})
                    for row, score, source, parts in zip(
                        ranked.rows[person, :length].tolist(),
                        ranked.score[person, :length].tolist(),
                        ranked.source[person, :length].tolist(),
                        ranked.contributions[person, :length].tolist(),
                        strict=True,
                    )
                ]
                lists.append(Listing(self._strategy(wish.policy, ranked.speaking[person]), listed))
        return lists

    def rank(self, query: Query, wish: Wish, workers: int = 1) -> Iterator[Ranked]:
        """Make the lists of many customers as arrays, some customers at a time, in their order.

        Parameters
        ----------
        workers : int
            Threads that score at the same time; the lists do not depend on it.

        Raises
        ------
        UsageError
            The policy is not known.
        """
        if wish.policy not in POLICIES:
            raise UsageError(
                f"There is no policy {wish.policy!r}.", f"Known: {', '.join(POLICIES)}."
            )
        mask = self.candidates.of(wish)
        size = max(1, min(MOST_CUSTOMERS, MOST_CELLS // max(1, self.recommender.n_offers)))

        def work(start: int) -> Ranked:
            part = query if len(query) <= size else query.span(start, start + size)
            return self._rank(part, wish, mask, np.random.default_rng([wish.seed, start]))

        starts = range(0, len(query), size)
        if workers == 1 or len(starts) < 2:
            yield from map(work, starts)
            return
        # Arithmetic of arrays leaves the interpreter's lock, and that of matrices needs no threads
        # of its own then. Few parts wait, so memory is bounded.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Ranked]] = deque()
            for start in starts:
                waiting.append(pool.submit(work, start))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _rank(
        self, query: Query, wish: Wish, mask: np.ndarray, random: np.random.Generator
    ) -> Ranked:
        allowed = self.candidates.allowed(query, mask, wish.include_seen)
        return self._chooser.choose(query, allowed, wish, random)

    def _strategy(self, policy: str, speaking: np.ndarray) -> str:
        """Say in one word what a list is made from."""
        if policy != HYBRID:
            return str(Source.POPULARITY) if policy == RANDOM else policy
        names = [
            name
            for name, speaks in zip(self.recommender.hybrid.sources, speaking, strict=True)
            if speaks and name != Source.POPULARITY
        ]
        return HYBRID if len(names) > 1 else names[0] if names else str(Source.POPULARITY)
