"""Part of suite `ranking`: people nobody has met, on MovieLens 100K; and its split by time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from data.dataset import Dataset
from data.ingest import MAX_BAD
from data.schema import ABOUT_OFFER, CUSTOMER_ID, NO, OFFER_ID, YES
from data.sources.movielens import read_movielens
from data.sources.movielens_files import find_layout
from evaluation.benchmark import Row, at_least, not_measured
from evaluation.protocol import Protocol
from evaluation.splitting import split_dataset
from evaluation.suites.ranking import newcomers
from evaluation.suites.ranking.asking import meet, rows_of, try_surveys
from evaluation.suites.ranking.beside import (
    against_parts,
    ndcg,
    paired,
    plain_lists,
    try_parts,
)
from evaluation.suites.ranking.ridge import answer_columns, expect_taken, profile_columns
from recommender.base import HYBRID, Source
from recommender.batch import recommend_batch
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

NAME, FOLDER, PEOPLE = "ML-100K", "ml-100k", 943
FOLDS, ASKED, K = 5, 20, 20
ZERO, SURVEY = "zero history", f"survey of the {ASKED} most popular"
STEPS = FOLDS + 1 + newcomers.STEPS
RIDGE, POPULARITY = "ridge", str(Source.POPULARITY)


@dataclass(frozen=True)
class Meeting:
    """A fold: people who are known by their profile only, and what they will take.

    Attributes
    ----------
    train : Dataset
        All the others.
    given : Dataset
        Profiles of the people, and their answers if they were asked.
    truth : DataFrame
        customer_id and offer_id of what they take.
    asked : tuple of str
        Offers they were asked about, which are neither listed nor relevant.
    """

    train: Dataset
    given: Dataset
    truth: pd.DataFrame
    asked: tuple[str, ...] = ()


def rows(on_step: Callable[[str], None], data: Path | None) -> list[Row]:
    """Measure where the folder `data`, or its ml-100k, holds the data set."""
    folders = (data, data / FOLDER) if data else ()
    folder = next((one for one in folders if find_layout(one)), None)
    if folder is None:
        return [not_measured(NAME, "name its folder with --data")]
    dataset = read_movielens(folder, max_bad=MAX_BAD).dataset
    if len(dataset.customers) != PEOPLE:
        return [not_measured(NAME, f"{folder} holds another MovieLens")]
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    surveyed: dict[str, list[np.ndarray]] = {}
    for number, meeting in enumerate(make_folds(dataset, FOLDS)):
        on_step(f"films, fold {number + 1}")
        service = Service(train(meeting.train))
        for protocol, one in ((ZERO, meeting), (SURVEY, ask(meeting, ASKED))):
            for name, values in _values(service, one).items():
                found.setdefault((protocol, name), []).append(values)
        for name, values in try_surveys(meet(service, meeting.given, meeting.truth)).items():
            surveyed.setdefault(name, []).append(values)
    on_step("films by time")
    _, trial = try_parts(split_dataset(dataset, Protocol()))
    return [
        *compared(ZERO, found),
        *compared(SURVEY, found),
        *rows_of(NAME, surveyed),
        *against_parts(f"{NAME}, split by time", trial),
        *newcomers.rows_of_new_films(dataset, NAME, on_step),
    ]


def make_folds(dataset: Dataset, folds: int) -> list[Meeting]:
    """Split people, in the order of their numbers, into folds whose history is not known."""
    people = np.array(sorted(dataset.customers[CUSTOMER_ID], key=int), dtype=object)
    found = []
    for _, held in KFold(folds, shuffle=True, random_state=0).split(people):
        away = dataset.customers[CUSTOMER_ID].isin(people[held])
        theirs = dataset.interactions[CUSTOMER_ID].isin(people[held])
        learnt = replace(
            dataset,
            customers=dataset.customers[~away],
            interactions=dataset.interactions[~theirs],
        )
        taken = dataset.interactions.loc[theirs, [CUSTOMER_ID, OFFER_ID]].drop_duplicates()
        found.append(Meeting(learnt, Dataset.of({"customers": dataset.customers[away]}), taken))
    return found


def ask(meeting: Meeting, n: int) -> Meeting:
    """Ask everybody about the n films that the others took most; these leave the ranking.

    Films taken equally often go by id. The answer is yes where the person will take the film.
    """
    counts = meeting.train.interactions[OFFER_ID].value_counts().sort_index()
    asked = counts.sort_values(ascending=False, kind="stable").index[:n]
    people = meeting.given.customers[CUSTOMER_ID]
    pairs = pd.MultiIndex.from_product([people, asked], names=[CUSTOMER_ID, OFFER_ID])
    yes = pairs.isin(pd.MultiIndex.from_frame(meeting.truth))
    answers = pd.DataFrame(
        {
            CUSTOMER_ID: pairs.get_level_values(CUSTOMER_ID),
            "question": ABOUT_OFFER + pairs.get_level_values(OFFER_ID),
            "answer": np.where(yes, YES, NO),
        }
    )
    return replace(
        meeting,
        given=Dataset.of({"customers": meeting.given.customers, "survey_answers": answers}),
        truth=meeting.truth[~meeting.truth[OFFER_ID].isin(asked)],
        asked=tuple(asked),
    )


def _values(service: Service, meeting: Meeting) -> dict[str, np.ndarray]:
    """Score the lists of the hybrid, of popularity and of the ridge for the same people."""
    lists = {RIDGE: beside(meeting, K)}
    for policy in (HYBRID, POPULARITY):
        wish = Wish(service.bundle.moment, n=K, policy=policy, exclude=meeting.asked)
        lists[policy] = recommend_batch(service, meeting.given, wish)
    return {name: ndcg(one, meeting.truth, K) for name, one in lists.items()}


def beside(meeting: Meeting, n: int) -> pd.DataFrame:
    """List what a ridge on the same profile, and the same answers, expects."""
    offers = meeting.train.offer_ids
    everybody = pd.concat([meeting.train.customers, meeting.given.customers])
    columns, learnt = profile_columns(everybody), len(meeting.train.customers)
    people = everybody[CUSTOMER_ID].to_numpy(dtype=object)
    log = pd.concat([meeting.train.interactions[[CUSTOMER_ID, OFFER_ID]], _answered(meeting)])
    rows = pd.Index(people).get_indexer(log[CUSTOMER_ID])
    marks = np.zeros((len(people), len(offers)))
    marks[rows, offers.rows(log[OFFER_ID])] = 1.0
    asked = np.isin(offers.ids, meeting.asked)
    if meeting.asked:
        columns = np.hstack([columns, answer_columns(marks[:, asked])])
    score = expect_taken(columns[:learnt], marks[:learnt], columns[learnt:], ~asked, n)
    return plain_lists(score, people[learnt:], offers.ids, marks[:learnt].sum(axis=0), n)


def _answered(meeting: Meeting) -> pd.DataFrame:
    """List customer_id and offer_id of the answers that are yes."""
    answers = meeting.given.survey_answers
    yes = answers[answers["answer"] == YES]
    return pd.DataFrame(
        {CUSTOMER_ID: yes[CUSTOMER_ID], OFFER_ID: yes["question"].str.removeprefix(ABOUT_OFFER)}
    )


def compared(protocol: str, found: dict[tuple[str, str], list[np.ndarray]]) -> list[Row]:
    """Put the folds together: ours must reach the ridge's mean over the same people."""
    ours, ridge, popularity = (
        np.concatenate(found[protocol, name]) for name in (HYBRID, RIDGE, POPULARITY)
    )
    data, metric = f"{NAME}, {protocol}: {len(ours)} people in {FOLDS} folds", f"ndcg@{K}"
    return [
        at_least(data, f"hybrid, {metric}", float(ours.mean()), float(ridge.mean())),
        Row(data, f"ridge, beside, {metric}", float(ridge.mean())),
        Row(data, f"{POPULARITY}, {metric}", float(popularity.mean())),
        paired(data, "hybrid - ridge", ours, ridge),
    ]
