"""Part of suite `ranking`: what a survey that adapts is worth, beside those that are fixed.

People of MovieLens 100K whom nobody has met are asked about films, one by one, and answer with what
they will take. The 20 most taken films, and what a person was asked about, neither count nor are
listed; where two surveys are compared, what either asked the person about is left out of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.schema import ABOUT_OFFER, CUSTOMER_ID, OFFER_ID
from evaluation.benchmark import Row
from evaluation.suites.ranking.beside import measured, ndcg, paired, plain_lists
from evaluation.suites.ranking.fixed import choose_fixed
from recommender.base import Query
from recommender.batch import query_customers
from recommender.service import Service

K, LEFT_OUT = 20, 20
FLOORS = {5: 0.50, 10: 0.53}  # questions, and the NDCG@20 that so many must bring
SILENT, POPULAR, ADAPTIVE = "no question", "most popular films", "adaptive questions"
CHOSEN = "films chosen beforehand, greedily, for everybody"
FIXED = (POPULAR, CHOSEN)
REACH = 400  # most taken offers by which films are chosen beforehand: lists hardly go further
NOT_ASKED = -1

Found = dict[str, np.ndarray]


@dataclass(frozen=True)
class Interviewees:
    """People who are known by their profile only, and what they will take.

    Attributes
    ----------
    service : Service
        Learnt from others.
    people : ndarray of str, shape (people,)
    query : Query
        What is known of them.
    takes : ndarray of bool, shape (people, offers)
    """

    service: Service
    people: np.ndarray
    query: Query
    takes: np.ndarray

    @property
    def offers(self) -> np.ndarray:
        """Ids of the offers."""
        return self.service.recommender.encoders.offer_ids

    @property
    def popularity(self) -> np.ndarray:
        """How many of the others took each offer: shape (offers,)."""
        return np.asarray((self.others.redeemed > 0).sum(axis=0)).ravel()

    @property
    def others(self) -> Query:
        """What is known of those the service learnt from."""
        known = self.service.bundle.customers.query
        assert known is not None  # the service recommends
        return known

    def about(self, asked: np.ndarray) -> np.ndarray:
        """Mark the offers that each was asked about, given questions: shape (people, offers)."""
        encoders, marks = self.service.recommender.encoders, np.zeros(self.takes.shape, dtype=bool)
        for person, question in zip(*(asked != NOT_ASKED).nonzero(), strict=True):
            row = encoders.survey.offer_of(int(asked[person, question]), encoders.offer_rows)
            if row is not None:
                marks[person, row] = True
        return marks

    def told(self, asked: np.ndarray) -> Query:
        """Answer the questions asked, shape (people, n); `NOT_ASKED` where there was none."""
        encoders = self.service.recommender.encoders
        answers = np.zeros((len(self.people), encoders.survey.n_columns))
        for person, place in zip(*(asked != NOT_ASKED).nonzero(), strict=True):
            question = int(asked[person, place])
            row = encoders.survey.offer_of(question, encoders.offer_rows)
            if row is not None:
                answers[person, 2 * question + (not self.takes[person, row])] = 1.0
        return replace(self.query, answers=sp.csr_matrix(answers))

    def judge(self, query: Query, left_out: np.ndarray) -> np.ndarray:
        """Return NDCG@20 of each, leaving offers out: shape (people, offers)."""
        score = np.where(left_out, -np.inf, self.service.recommender.blend(query).score)
        person, offer = (self.takes & ~left_out).nonzero()
        truth = {CUSTOMER_ID: self.people[person], OFFER_ID: self.offers[offer]}
        lists = plain_lists(score, self.people, self.offers, self.popularity, K)
        return ndcg(lists.astype("str").astype({"rank": int}), pd.DataFrame(truth, dtype="str"), K)


def meet(service: Service, given: Dataset, truth: pd.DataFrame) -> Interviewees:
    """Bring people, given by their profiles, and what they take to a service."""
    people, query = query_customers(service.bundle, given, service.bundle.moment)
    offers = pd.Index(service.recommender.encoders.offer_ids)
    rows = pd.Index(people).get_indexer(pd.Index(truth[CUSTOMER_ID]))
    columns = offers.get_indexer(pd.Index(truth[OFFER_ID]))
    takes, inside = np.zeros((len(people), len(offers)), dtype=bool), (rows >= 0) & (columns >= 0)
    takes[rows[inside], columns[inside]] = True
    return Interviewees(service, np.array(people, dtype=object), query, takes)


def ask_adaptively(met: Interviewees, n: int) -> np.ndarray:
    """Ask each person about n offers, the next by the answers so far: shape (people, n).

    Questions about categories are skipped. `NOT_ASKED` where the list was settled before.
    """
    survey, at = met.service.recommender.encoders.survey, met.service.bundle.moment
    skipped = [question for question in survey.questions if not question.startswith(ABOUT_OFFER)]
    asked = np.full((len(met.people), n), NOT_ASKED)
    for place in range(n):
        query = met.told(asked)
        for person in range(len(met.people)):
            for question, _ in met.service.next_questions(query.one(person), at, skipped, 1):
                asked[person, place] = survey.rows[question]
    return asked


def ask_most_popular(met: Interviewees, n: int) -> np.ndarray:
    """Ask everybody about the n offers that the others took most: shape (people, n)."""
    survey = met.service.recommender.encoders.survey
    names = met.offers[np.argsort(-met.popularity, kind="stable")[:n]]
    asked = [survey.rows[ABOUT_OFFER + name] for name in names]
    return np.tile(asked, (len(met.people), 1))


def ask_chosen(met: Interviewees, n: int) -> np.ndarray:
    """Ask everybody about the n offers that together served the others best: shape (people, n)."""
    survey, rows = met.service.recommender.encoders.survey, met.service.recommender.encoders
    known, reach = met.others, np.argsort(-met.popularity, kind="stable")[:REACH]
    asked = {survey.offer_of(row, rows.offer_rows): row for row in range(len(survey.questions))}
    chosen = choose_fixed(
        known=known.demographic.toarray(),
        marks=(known.redeemed[:, reach] > 0).toarray().astype(np.float64),
        candidates=np.flatnonzero([offer in asked for offer in reach.tolist()]),
        ranked=np.arange(len(reach)) >= LEFT_OUT,
        n=n,
        k=K,
    )
    return np.tile([asked[offer] for offer in reach[chosen].tolist()], (len(met.people), 1))


def try_surveys(met: Interviewees) -> Found:
    """Judge the lists after each way of asking, and where the same offers are left out of two."""
    usual = np.zeros(met.takes.shape, dtype=bool)
    usual[:, np.argsort(-met.popularity, kind="stable")[:LEFT_OUT]] = True
    most = max(FLOORS)
    adaptive = ask_adaptively(met, most)
    fixed = {POPULAR: ask_most_popular(met, most), CHOSEN: ask_chosen(met, most)}
    found = {SILENT: met.judge(met.query, usual)}
    for n in FLOORS:
        ours = adaptive[:, :n]
        found[f"{n} {ADAPTIVE}"] = met.judge(met.told(ours), usual | met.about(ours))
        for way, asked in fixed.items():
            theirs = asked[:, :n]
            both = usual | met.about(ours) | met.about(theirs)
            found[f"{n} {way}"] = met.judge(met.told(theirs), usual | met.about(theirs))
            gap = met.judge(met.told(ours), both), met.judge(met.told(theirs), both)
            found[_alike(n, ADAPTIVE, way)], found[_alike(n, way, ADAPTIVE)] = gap
    return found


def _alike(n: int, way: str, other: str) -> str:
    """Name the values of one way of asking where what another asked about is left out as well."""
    return f"{n} {way}, beside {other}"


def rows_of(data: str, found: Mapping[str, list[np.ndarray]]) -> list[Row]:
    """Put the folds together: adaptive questions must reach their floors."""
    values = {name: np.concatenate(parts) for name, parts in found.items()}
    data, metric = f"{data}, asked about films: {len(values[SILENT])} people", f"ndcg@{K}"
    rows = [measured(data, f"{SILENT}, {metric}", values[SILENT])]
    for n, floor in FLOORS.items():
        ours = f"{n} {ADAPTIVE}"
        rows.append(measured(data, f"{ours}, {metric}", values[ours], floor))
        for way in FIXED:
            gap = values[_alike(n, ADAPTIVE, way)], values[_alike(n, way, ADAPTIVE)]
            rows += [
                measured(data, f"{n} {way}, {metric}", values[f"{n} {way}"]),
                paired(data, f"{ours} - {n} {way}, the same films left out", *gap),
            ]
    return rows
