"""MovieLens, of any size: every rating counts as a redemption of the film.

Its terms: research use, never redistribute.

Source: Harper & Konstan, The MovieLens datasets, ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.checks import check_rows
from data.ingest import Intake
from data.schema import (
    AGE,
    CUSTOMER_ID,
    CUSTOMERS,
    EVENT_TYPE,
    GENDER,
    INTERACTIONS,
    OCCURRED_AT,
    OFFER_ID,
    OFFERS,
    REDEMPTION,
)
from data.sources.movielens_files import read_files

# What 1M says instead of ages and occupations (its README); an age is the middle of its band.
AGES = {"1": 15, "18": 21, "25": 30, "35": 40, "45": 47, "50": 53, "56": 62}
OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student",
    "customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker",
    "K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist",
    "self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip


def read_movielens(folder: Path, *, max_bad: float) -> Intake:
    """Turn a folder of MovieLens into a dataset.

    Parameters
    ----------
    folder : Path
        Holds one of the layouts of `data.sources.movielens_files`.
    max_bad : float
        Largest share of rows of a table that may be rejected.

    Raises
    ------
    DataError
        No layout is there, a file has other columns, or too much of it is bad.
    """
    files = read_files(folder)
    people = (
        pd.DataFrame({CUSTOMER_ID: files.ratings["user_id"].dropna().unique()})
        if files.users is None
        else _customers(files.users)
    )
    tables = {
        CUSTOMERS.name: check_rows(people, CUSTOMERS, CUSTOMERS.name),
        OFFERS.name: check_rows(_offers(files.films), OFFERS, OFFERS.name),
        INTERACTIONS.name: check_rows(
            _interactions(files.ratings), INTERACTIONS, INTERACTIONS.name
        ),
    }
    for name, table in tables.items():
        table.refuse_too_bad(name, max_bad)
    return Intake.of(tables)


def _customers(users: pd.DataFrame) -> pd.DataFrame:
    gender = users["gender"].map({"M": "Male", "F": "Female"}).fillna(users["gender"])
    age, occupation = users["age"], users["occupation"]
    if age.isin(list(AGES)).all():
        age = age.map(AGES)
    codes = {str(code): name for code, name in enumerate(OCCUPATIONS)}
    if occupation.isin(list(codes)).all():
        occupation = occupation.map(codes)
    return pd.DataFrame(
        {
            CUSTOMER_ID: users["user_id"],
            GENDER: gender,
            AGE: age,
            "occupation": occupation,
            "zip_code": users["zip_code"],
        }
    )


def _offers(films: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            OFFER_ID: films["item_id"],
            "title": films["title"],
            "category": films["genres"].str.split("|").str[0],
            "tags": films["genres"],
            "release_year": films["release_year"],
            "kind": "film",
        }
    )


def _interactions(ratings: pd.DataFrame) -> pd.DataFrame:
    seconds = pd.to_numeric(ratings["timestamp"], errors="coerce")
    return pd.DataFrame(
        {
            CUSTOMER_ID: ratings["user_id"],
            OFFER_ID: ratings["item_id"],
            EVENT_TYPE: REDEMPTION,
            OCCURRED_AT: pd.to_datetime(seconds, unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "value": ratings["rating"],
        }
    )
