"""How MovieLens lies in its files: four layouts, one outcome.

GroupLens' own of 100K (``u.data``, ``u.item``, ``u.user``), of 1M and 10M (``ratings.dat``,
``movies.dat``, ``users.dat``), of everything later (``ratings.csv``, ``movies.csv``), and RecBole's
(``ml-1m.inter``, ``.item``, ``.user``). Only 100K and 1M tell of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.errors import DataError

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
NO_GENRES = "(no genres listed)"
RATINGS = ("user_id", "item_id", "rating", "timestamp")
USERS = ("user_id", "age", "gender", "occupation", "zip_code")
RECBOLE = (".inter", ".item", ".user")  # the last may be missing, as in every layout below
LAYOUTS = {
    "100K": ("u.data", "u.item", "u.user"),
    "1M": ("ratings.dat", "movies.dat", "users.dat"),
    "later": ("ratings.csv", "movies.csv", ""),
}
YEAR = r"\((\d{4})\)\s*$"


@dataclass(frozen=True)
class Files:
    """What the files say, all as text.

    Attributes
    ----------
    ratings : DataFrame
        user_id, item_id, rating, timestamp.
    films : DataFrame
        item_id, title, genres (joined by ``|``), release_year.
    users : DataFrame or None
        user_id, age, gender, occupation, zip_code.
    """

    ratings: pd.DataFrame
    films: pd.DataFrame
    users: pd.DataFrame | None = None


def find_layout(folder: Path) -> str | None:
    """Name the layout of a folder; None where it holds none of them."""
    if _find_recbole(folder):
        return "RecBole"
    for name, (ratings, films, users) in LAYOUTS.items():
        needed = (ratings, films, users) if name == "100K" else (ratings, films)
        if all((folder / file).is_file() for file in needed):
            return name
    return None


def read_files(folder: Path) -> Files:
    """Read a folder of MovieLens.

    Raises
    ------
    DataError
        No layout is there, or a file has other columns.
    """
    layout = find_layout(folder)
    if layout is None:
        wanted = "; ".join(", ".join(filter(None, names)) for names in LAYOUTS.values())
        raise DataError(
            f"{folder}: MovieLens is not there ({wanted}; or .inter and .item).",
            "Name the unpacked folder of MovieLens, in its own or in RecBole's layout.",
        )
    readers = {"RecBole": _recbole, "100K": _first, "1M": _second, "later": _later}
    found = readers[layout](folder)
    films = found.films
    films["genres"] = films["genres"].replace({NO_GENRES: None, "": None})
    return found


def _recbole(folder: Path) -> Files:
    paths = _find_recbole(folder)
    ratings = _named(paths[".inter"], RATINGS)
    films = _named(paths[".item"], ("item_id", "movie_title", "release_year"))
    users = _named(paths[".user"], USERS) if ".user" in paths else None
    # Its 100K says "class" and the others "genre"; names are parted by spaces.
    genres = next((films[name] for name in ("genre", "class") if name in films), None)
    if genres is None:
        raise _lacks(paths[".item"], "genre")
    films = films.rename(columns={"movie_title": "title"})
    films["genres"] = genres.str.strip().str.replace(" ", "|")
    return Files(ratings, films, users)


def _first(folder: Path) -> Files:
    ratings, films, users = (folder / name for name in LAYOUTS["100K"])
    columns = ("item_id", "title", "released", "video", "url", *GENRES)
    table = _plain(films, "|", columns)
    flags = table[list(GENRES)] == "1"
    table["genres"] = ["|".join(flags.columns[row]) for row in flags.to_numpy()]
    table["release_year"] = table["released"].str[-4:]
    return Files(_plain(ratings, "\t", RATINGS), table, _plain(users, "|", USERS))


def _second(folder: Path) -> Files:
    ratings, films, users = (folder / name for name in LAYOUTS["1M"])
    table = _plain(films, "::", ("item_id", "title", "genres"))
    table["release_year"] = table["title"].str.extract(YEAR)[0]
    people = ("user_id", "gender", "age", "occupation", "zip_code")
    return Files(
        _double(ratings, RATINGS), table, _double(users, people) if users.is_file() else None
    )


def _later(folder: Path) -> Files:
    ratings, films, _ = (folder / name for name in LAYOUTS["later"])
    named = {"userId": "user_id", "movieId": "item_id"}
    log = _read(ratings, ",", 0, quoted=True).rename(columns=named)
    table = _read(films, ",", 0, quoted=True).rename(columns=named)
    for path, frame, needed in ((ratings, log, RATINGS), (films, table, ("title", "genres"))):
        for name in ("item_id", *needed):
            if name not in frame:
                raise _lacks(path, next((old for old in named if named[old] == name), name))
    table["release_year"] = table["title"].str.extract(YEAR)[0]
    return Files(log, table)


def _find_recbole(folder: Path) -> dict[str, Path]:
    """Find the files of one name by their endings; none where ratings or films are not there."""
    for first in sorted(folder.glob(f"*{RECBOLE[0]}")):
        paths = {ending: first.with_suffix(ending) for ending in RECBOLE}
        found = {ending: path for ending, path in paths.items() if path.is_file()}
        if ".item" in found:
            return found
    return {}


def _named(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    """Read a RecBole table: names in its first line, each with its kind behind a colon."""
    table = _read(path, "\t", 0)
    table = table.rename(columns=lambda name: str(name).partition(":")[0])
    for name in needed:
        if name not in table:
            raise _lacks(path, name)
    return table


def _double(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read fields parted by two colons that hold none themselves: every other one is empty."""
    table = _read(path, ":", None)
    return _called(table[table.columns[::2]], path, columns)


def _plain(path: Path, separator: str, columns: tuple[str, ...]) -> pd.DataFrame:
    return _called(_read(path, separator, None), path, columns)


def _called(table: pd.DataFrame, path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if table.shape[1] != len(columns):
        raise DataError(
            f"{path.name}: has {table.shape[1]} columns instead of {len(columns)}.",
            "Use the files of MovieLens as they were published.",
        )
    return table.set_axis(list(columns), axis=1)


def _lacks(path: Path, column: str) -> DataError:
    return DataError(
        f"{path.name}: the column {column!r} is missing.",
        "Use the files of MovieLens as they were published.",
    )


def _read(path: Path, separator: str, header: int | None, *, quoted: bool = False) -> pd.DataFrame:
    def read(encoding: str) -> pd.DataFrame:
        return pd.read_csv(
            path,
            sep=separator,
            header=header,
            dtype="str",
            encoding=encoding,
            quoting=0 if quoted else 3,  # quotes in the titles of older files are plain characters
            engine="c" if len(separator) == 1 else "python",
        )

    try:
        try:
            return read("utf-8")
        except UnicodeDecodeError:
            return read("latin-1")  # titles of 100K and 1M
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}).", "Check the file.") from error
