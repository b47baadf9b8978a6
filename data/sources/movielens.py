"""MovieLens 100K: 943 people, 1,682 films; every rating counts as a redemption of the film.

Two layouts are read: GroupLens' own (``u.data``, ``u.user``, ``u.item``) and RecBole's
(``ml-100k.inter``, ``.user``, ``.item``). Its terms: research use, never redistribute.

Source: Harper & Konstan, The MovieLens datasets, ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.checks import check_rows
from data.errors import DataError
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

ORIGINAL = ("u.data", "u.user", "u.item")
RECBOLE_ENDINGS = (".inter", ".user", ".item")
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
RATINGS = ("user_id", "item_id", "rating", "timestamp")
USERS = ("user_id", "age", "gender", "occupation", "zip_code")
NEEDED = {
    ".inter": RATINGS,
    ".user": USERS,
    ".item": ("item_id", "movie_title", "release_year", "class"),
}


def holds_movielens(folder: Path) -> bool:
    """Tell whether a folder holds the data set in either layout."""
    return bool(_find_recbole(folder)) or all((folder / name).is_file() for name in ORIGINAL)


def read_movielens(folder: Path, *, max_bad: float) -> Intake:
    """Turn a folder of MovieLens 100K into a dataset.

    Parameters
    ----------
    folder : Path
        Holds either layout.
    max_bad : float
        Largest share of rows of a table that may be rejected.

    Raises
    ------
    DataError
        Neither layout is there, a file has other columns, or too much of it is bad.
    """
    ratings, users, films = _recbole(folder) if _find_recbole(folder) else _original(folder)
    tables = {
        CUSTOMERS.name: check_rows(_customers(users), CUSTOMERS, CUSTOMERS.name),
        OFFERS.name: check_rows(_offers(films), OFFERS, OFFERS.name),
        INTERACTIONS.name: check_rows(_interactions(ratings), INTERACTIONS, INTERACTIONS.name),
    }
    for name, table in tables.items():
        table.refuse_too_bad(name, max_bad)
    return Intake.of(tables)


def _customers(users: pd.DataFrame) -> pd.DataFrame:
    gender = users["gender"].map({"M": "Male", "F": "Female"}).fillna(users["gender"])
    return pd.DataFrame(
        {
            CUSTOMER_ID: users["user_id"],
            GENDER: gender,
            AGE: users["age"],
            "occupation": users["occupation"],
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


def _original(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    missing = [name for name in ORIGINAL if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder}: {', '.join(missing)} missing, and no .inter, .user and .item either.",
            "Name the unpacked folder of MovieLens 100K, in its own or in RecBole's layout.",
        )
    ratings = _table(folder / "u.data", "\t", RATINGS)
    users = _table(folder / "u.user", "|", USERS)
    columns = ("item_id", "title", "released", "video", "url", *GENRES)
    films = _table(folder / "u.item", "|", columns)
    flags = films[list(GENRES)] == "1"
    films["genres"] = ["|".join(flags.columns[row]) or None for row in flags.to_numpy()]
    films["release_year"] = films["released"].str[-4:]
    return ratings, users, films


def _recbole(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    ratings, users, films = (_typed_table(path) for path in _find_recbole(folder))
    films = films.rename(columns={"movie_title": "title"})
    films["genres"] = films["class"].str.strip().str.replace(" ", "|")
    return ratings, users, films


def _find_recbole(folder: Path) -> list[Path]:
    """Find the three files of one name; an empty list where one of them is not there."""
    for first in sorted(folder.glob(f"*{RECBOLE_ENDINGS[0]}")):
        paths = [first.with_suffix(ending) for ending in RECBOLE_ENDINGS]
        if all(path.is_file() for path in paths):
            return paths
    return []


def _typed_table(path: Path) -> pd.DataFrame:
    """Read a RecBole table: names in its first line, each with its kind behind a colon."""
    table = _read(path, "\t", header=0)
    return _complete(table.rename(columns=lambda name: str(name).partition(":")[0]), path)


def _table(path: Path, separator: str, columns: tuple[str, ...]) -> pd.DataFrame:
    table = _read(path, separator, header=None)
    if table.shape[1] != len(columns):
        raise DataError(
            f"{path.name}: has {table.shape[1]} columns instead of {len(columns)}.",
            "Use the files of MovieLens 100K as they were published.",
        )
    return table.set_axis(list(columns), axis=1)


def _complete(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    missing = [name for name in NEEDED[path.suffix] if name not in table.columns]
    if missing:
        raise DataError(
            f"{path.name}: the column {missing[0]!r} is missing.",
            "Use the files of MovieLens 100K as RecBole ships them.",
        )
    return table


def _read(path: Path, separator: str, header: int | None) -> pd.DataFrame:
    try:
        # The films' titles are in Latin-1; quotes in them are plain characters.
        return pd.read_csv(
            path, sep=separator, header=header, dtype="str", encoding="latin-1", quoting=3
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}).", "Check the file.") from error
