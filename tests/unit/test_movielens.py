"""MovieLens in any layout gives the same dataset; what is not MovieLens is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from data.sources.movielens import read_movielens
from data.sources.movielens_files import GENRES


@pytest.fixture
def original(tmp_path: Path) -> Path:
    flags = ["1" if name in ("Comedy", "Drama") else "0" for name in GENRES]
    film = ["7", "Misérables, Les (1995)", "01-Jan-1995", "", "http://x", *flags]
    bare = ["8", 'Say "no"', "", "", "", *["0" for _ in GENRES]]
    (tmp_path / "u.data").write_text("1\t7\t5\t881250949\n2\t8\t1\t891717742\n")
    (tmp_path / "u.user").write_text("1|24|M|technician|85711\n2|53|F|other|94043\n")
    (tmp_path / "u.item").write_text(
        "|".join(film) + "\n" + "|".join(bare) + "\n", encoding="latin-1"
    )
    return tmp_path


@pytest.fixture
def recbole(tmp_path: Path) -> Path:
    folder = tmp_path / "recbole"
    folder.mkdir()
    (folder / "ml.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "1\t7\t5\t881250949\n2\t8\t1\t891717742\n"
    )
    (folder / "ml.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n"
    )
    (folder / "ml.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        '7\tMis\u00e9rables, Les\t1995\tComedy Drama\n8\tSay "no"\t\t\n',
        encoding="latin-1",
    )
    return folder


def read(folder: Path) -> Dataset:
    return read_movielens(folder, max_bad=0.0).dataset


def test_every_rating_counts_as_a_redemption(original: Path) -> None:
    log = read(original).interactions
    assert log["event_type"].tolist() == ["redemption"] * 2
    assert log["value"].tolist() == [5.0, 1.0]
    assert log["occurred_at"].iloc[0] == pd.Timestamp("1997-12-04T15:55:49Z")


def test_films_have_title_genres_and_year(original: Path) -> None:
    offers = read(original).offers.set_index("offer_id")
    assert offers.loc["7", ["title", "category", "tags", "release_year"]].tolist() == [
        "Misérables, Les (1995)", "Comedy", "Comedy|Drama", "1995",
    ]  # fmt: skip
    assert offers.loc["8"][["category", "tags"]].isna().all()


def test_people_have_gender_age_and_occupation(original: Path) -> None:
    people = read(original).customers.set_index("customer_id")
    assert people.loc["2", ["gender", "age", "occupation"]].tolist() == ["Female", 53.0, "other"]


def test_both_layouts_say_the_same(original: Path, recbole: Path) -> None:
    one, two = read(original), read(recbole)
    pd.testing.assert_frame_equal(one.interactions, two.interactions)
    pd.testing.assert_frame_equal(one.customers, two.customers)
    columns = ["offer_id", "category", "tags", "release_year"]
    pd.testing.assert_frame_equal(one.offers[columns], two.offers[columns])


def of_1m(folder: Path) -> Path:
    (folder / "ratings.dat").write_text("1::7::5::881250949\n2::8::1::891717742\n")
    (folder / "users.dat").write_text("1::M::25::12::85711\n2::F::1::0::94043\n")
    (folder / "movies.dat").write_bytes(
        "7::Misérables, Les: Part (1995)::Comedy|Drama\n8::Bare (1990)::\n".encode("latin-1")
    )
    return folder


def of_later(folder: Path) -> Path:
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,7,5.0,881250949\n2,8,0.5,891717742\n"
    )
    (folder / "movies.csv").write_text(
        'movieId,title,genres\n7,"Misérables, Les (1995) ",Comedy|Drama\n'
        "8,Bare,(no genres listed)\n",
        encoding="utf-8",
    )
    return folder


def test_1m_tells_bands_and_codes_in_words(tmp_path: Path) -> None:
    found = read(of_1m(tmp_path))
    offers, people = (
        table.set_index(table.columns[0]) for table in (found.offers, found.customers)
    )
    assert offers.loc["7", ["title", "category", "tags", "release_year"]].tolist() == [
        "Misérables, Les: Part (1995)", "Comedy", "Comedy|Drama", "1995",
    ]  # fmt: skip
    assert offers.loc["8"][["category", "tags"]].isna().all()
    assert people.loc["1", ["age", "occupation"]].tolist() == [30.0, "programmer"]
    assert people.loc["2", ["gender", "age", "occupation"]].tolist() == ["Female", 15.0, "other"]
    assert found.interactions["value"].tolist() == [5.0, 1.0]


def test_10m_has_no_people(tmp_path: Path) -> None:
    of_1m(tmp_path)
    (tmp_path / "users.dat").unlink()
    assert read(tmp_path).customers["customer_id"].tolist() == ["1", "2"]


def test_later_ones_are_csv_and_know_nothing_of_people(tmp_path: Path) -> None:
    found = read(of_later(tmp_path))
    assert found.customers["customer_id"].tolist() == ["1", "2"]
    offers = found.offers.set_index("offer_id")
    assert offers.loc["7", "title"] == "Misérables, Les (1995)"
    assert offers.loc["7", ["category", "tags", "release_year"]].tolist() == [
        "Comedy", "Comedy|Drama", "1995",
    ]  # fmt: skip
    assert offers.loc["8", ["category", "tags", "release_year"]].isna().all()
    assert found.interactions["value"].tolist() == [5.0, 0.5]


def test_recbole_calls_genres_otherwise_in_larger_ones(recbole: Path) -> None:
    text = (recbole / "ml.item").read_text(encoding="latin-1")
    (recbole / "ml.item").write_text(text.replace("class:", "genre:"), encoding="latin-1")
    (recbole / "ml.user").unlink()
    found = read(recbole)
    assert found.offers["tags"].iloc[0] == "Comedy|Drama"
    assert len(found.customers) == 2


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"MovieLens is not there \(u\.data, u\.item, u\.user; ratings\.dat"
    ):
        read(tmp_path)


def test_other_columns_are_named(original: Path, recbole: Path) -> None:
    (original / "u.user").write_text("1|24|M\n")
    with pytest.raises(DataError, match=r"u\.user: has 3 columns instead of 5"):
        read(original)
    (recbole / "ml.inter").write_text("user_id:token\titem_id:token\n1\t7\n")
    with pytest.raises(DataError, match=r"ml\.inter: the column 'rating' is missing"):
        read(recbole)
    (recbole / "ml.item").write_text("item_id:token\tmovie_title:token_seq\trelease_year:token\n")
    (recbole / "ml.inter").write_text("\t".join(("user_id", "item_id", "rating", "timestamp")))
    with pytest.raises(DataError, match=r"ml\.item: the column 'genre' is missing"):
        read(recbole)


def test_a_missing_column_is_named_as_the_file_names_it(tmp_path: Path) -> None:
    of_later(tmp_path)
    (tmp_path / "ratings.csv").write_text("userId,rating,timestamp\n1,5,881250949\n")
    with pytest.raises(DataError, match=r"ratings\.csv: the column 'movieId' is missing"):
        read(tmp_path)
