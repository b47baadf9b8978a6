"""The onboarding survey: its questions and what answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import (
    ABOUT_CATEGORY,
    ABOUT_OFFER,
    CLICK,
    CUSTOMER_ID,
    LONGEST_TEXT,
    NO,
    OFFER_ID,
    YES,
)
from recommender.features.sparse import entries, rows_of
from recommender.features.spending import Spending

MOST_CATEGORIES, MOST_OFFERS = 24, 30
ASKABLE = rf"[^\x00-\x1f]{{1,{LONGEST_TEXT - len(ABOUT_CATEGORY)}}}"


@dataclass(frozen=True)
class Survey:
    """The questions; question q has its "yes" in column 2q and its "no" in column 2q + 1.

    Attributes
    ----------
    questions : tuple of str
        ``category:<name>`` or ``offer:<offer_id>``.
    texts : tuple of str
        What a person is asked.
    """

    questions: tuple[str, ...]
    texts: tuple[str, ...]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Number of each question."""
        return {question: row for row, question in enumerate(self.questions)}

    @property
    def n_columns(self) -> int:
        """How many answers there are."""
        return 2 * len(self.questions)

    def offer_of(self, question: int, offer_rows: Mapping[str, int]) -> int | None:
        """Return the row of the offer that a question asks about; None where it asks otherwise."""
        kind, _, name = self.questions[question].partition(":")
        return offer_rows.get(name) if kind + ":" == ABOUT_OFFER else None

    def updated(self, before: sp.csr_matrix, told: Sequence[Mapping[str, str]]) -> sp.csr_matrix:
        """Put answers in the place of what was known of the same questions.

        Parameters
        ----------
        before : csr_matrix, shape (n, 2 · questions)
        told : sequence of n mappings
            Answers by question; other questions and answers say nothing.
        """
        rows = []
        for row, answers in enumerate(told):
            said = {
                self.rows[question]: answer
                for question, answer in answers.items()
                if question in self.rows and answer in (YES, NO)
            }
            kept = zip(*(part.tolist() for part in entries(before, row)), strict=True)
            known = {column: value for column, value in kept if column // 2 not in said}
            rows.append(known | {2 * row + (said[row] == NO): 1.0 for row in said})
        return rows_of(rows, self.n_columns)

    def membership(self, answers: pd.DataFrame, customers: IdMap) -> sp.csr_matrix:
        """Turn a survey_answers table into one row per customer; the last answer counts."""
        answers = answers.drop_duplicates([CUSTOMER_ID, "question"], keep="last")
        question = answers["question"].map(self.rows)
        usable = question.notna() & answers["answer"].isin((YES, NO))
        rows = customers.rows(answers.loc[usable, CUSTOMER_ID])
        no = (answers.loc[usable, "answer"] == NO).to_numpy()
        columns = 2 * question[usable].to_numpy(dtype=np.int64) + no
        shape = (len(customers), self.n_columns)
        matrix = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        matrix.data[:] = 1.0
        return matrix


def build_survey(dataset: Dataset) -> Survey:
    """Ask about the categories with the most offers and about the offers taken most."""
    popularity = np.zeros(len(dataset.offer_ids))
    taken = dataset.events(dataset.positive_type() or CLICK)
    np.add.at(popularity, dataset.offer_ids.rows(taken[OFFER_ID]), 1.0)
    offers = dataset.offers.set_index(OFFER_ID).reindex(dataset.offer_ids.ids)
    counts = offers["category"].value_counts()
    # Nobody could answer about a name that is longer than a question, or breaks its line.
    counts = counts[counts.index.str.fullmatch(ASKABLE)]
    # Equal counts are settled by name, so that the same data ask the same questions.
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    categories = [str(name) for name in counts.index[:MOST_CATEGORIES]]
    popular = np.argsort(-popularity, kind="stable")[:MOST_OFFERS]
    popular = popular[popularity[popular] > 0]
    titles = offers["title"].fillna(pd.Series(offers.index, index=offers.index))
    return Survey(
        questions=(
            *(ABOUT_CATEGORY + name for name in categories),
            *(f"{ABOUT_OFFER}{offers.index[row]}" for row in popular),
        ),
        texts=(
            *(f"Are offers on {name.lower()} for you?" for name in categories),
            *(f"Is this for you: {titles.iloc[row]}?" for row in popular),
        ),
    )


def behave_as_answers(
    survey: Survey, dataset: Dataset, history: sp.csr_matrix, spend: Spending
) -> sp.csr_matrix:
    """Let what customers did stand for answers they never gave.

    A category is a "yes" where a customer's share of it, in money and in taken offers, is above
    everyone's; an offer is a "yes" where the customer took it. Who did nothing answers nothing.

    Parameters
    ----------
    history : csr_matrix, shape (customers, offers)
        Offers taken.
    spend : Spending
        On what each offer is for.

    Returns
    -------
    csr_matrix, shape (customers, 2 · questions)
    """
    active = np.flatnonzero((np.diff(history.indptr) > 0) | (spend.by_customer > 0))
    names = [
        name.removeprefix(ABOUT_CATEGORY)
        for name in survey.questions
        if name.startswith(ABOUT_CATEGORY)
    ]
    offers = dataset.offers.set_index(OFFER_ID).reindex(dataset.offer_ids.ids)
    group = pd.Index(names, dtype="str").get_indexer(pd.Index(offers["category"]))
    inside = np.flatnonzero(group >= 0)
    member = (np.ones(len(inside)), (inside, group[inside]))
    of_category = sp.csr_matrix(member, shape=(history.shape[1], len(names)))
    total = np.asarray(history.sum(axis=1)).ravel()
    share = _shares(history @ of_category, total) + _shares(
        spend.on(of_category), spend.by_customer
    )
    share = share[active].toarray()
    about = [name.removeprefix(ABOUT_OFFER) for name in survey.questions[len(names) :]]
    taken = history[active][:, dataset.offer_ids.rows(about)].toarray()
    usual = share.sum(axis=0) / max(1, len(active))
    yes = np.hstack([share > usual, taken > 0])
    # Whoever did anything answers every question, one way or the other.
    told = np.zeros(history.shape[0] + 1, dtype=np.int64)
    told[active + 1] = len(survey.questions)
    columns = (2 * np.arange(len(survey.questions)) + ~yes).ravel()
    answers = (np.ones(len(columns)), columns, told.cumsum())
    return sp.csr_matrix(answers, shape=(history.shape[0], survey.n_columns))


def prefer_given(given: sp.csr_matrix, behaved: sp.csr_matrix) -> sp.csr_matrix:
    """Take the answer given where there is one, else the one that behaviour stands for.

    Parameters
    ----------
    given, behaved : csr_matrix, shape (n, 2 · questions)
    """
    answered = sp.csr_matrix(given[:, 0::2] + given[:, 1::2])
    twice = sp.csr_matrix(sp.kron(answered, np.ones((1, 2)))) if given.shape[1] else given
    return sp.csr_matrix(given + behaved - behaved.multiply(twice))


def _shares(parts: sp.csr_matrix, total: np.ndarray) -> sp.csr_matrix:
    """Divide each customer's parts by their total."""
    return sp.csr_matrix(sp.diags_array(1.0 / np.maximum(total, 1e-9)) @ parts)
