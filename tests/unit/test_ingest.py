"""Dataset folders: every bad input ends in a message or in quarantine, never in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyarrow.lib import ArrowException

from data.errors import DataError, UsageError
from data.ingest import Intake, read_folder, read_table, write_folder
from data.schema import CUSTOMERS

Make = Callable[..., Path]
MOMENT = "2025-03-01T10:00:00Z"
CUSTOMERS_CSV = "customer_id,age\na,30\nb,40\n"
MALL_HEADER = "CustomerID,Gender,Age,Annual Income (k$),Spending Score (1-100)\n"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a folder of files from their names and contents."""

    def write(files: dict[str, str | bytes]) -> Path:
        folder = tmp_path / "dataset"
        folder.mkdir()
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
        return folder

    return write


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refusal(folder: Path) -> DataError:
    """The refusal of a folder: it says what to do and exits with 4."""
    with pytest.raises(DataError) as caught:
        read_folder(folder)
    assert caught.value.remedy
    assert caught.value.exit_code == 4
    return caught.value


def lenient(folder: Path) -> Intake:
    return read_folder(folder, max_bad=1.0)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nowhere")
    assert "nowhere" in error.problem
    assert "generate" in error.remedy


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "not a folder" in refusal(tmp_path / "file").problem


def test_a_folder_without_tables_names_the_known_ones(make: Make) -> None:
    error = refusal(make({"readme.txt": "hello", "customers.xlsx": b"x"}))
    assert "no table" in error.problem
    assert "customers" in error.remedy
    assert "survey_answers" in error.remedy


@pytest.mark.parametrize("other", ["customers.csv.gz", "customers.parquet", "Mall_Customers.csv"])
def test_two_files_for_one_table(make: Make, other: str) -> None:
    error = refusal(make({"customers.csv": CUSTOMERS_CSV, other: b""}))
    assert "customers.csv" in error.problem
    assert other in error.problem


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n", b"\xef\xbb\xbf"])
def test_an_empty_file(make: Make, content: bytes) -> None:
    assert "customers.csv: is empty" in refusal(make({"customers.csv": content})).problem


def test_a_header_alone_is_accepted_and_remarked(make: Make) -> None:
    intake = read_folder(make({"customers.csv": "customer_id,age\n"}))
    assert intake.rows == {"customers": 0}
    assert any("customers" in note and "no rows" in note for note in intake.notes)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("customer_id,city\na,Ulm\nb,Münster\n".encode("latin-1"), "line 3"),
        ("customer_id,stät\na,Ulm\n".encode("latin-1"), "line 1"),
        ("customer_id,city\na,Ulm\n".encode("utf-16"), "line 1"),
    ],
)
def test_a_wrong_encoding_names_the_line(make: Make, content: bytes, line: str) -> None:
    error = refusal(make({"customers.csv": content}))
    assert "customers.csv" in error.problem
    assert f"{line} " in error.problem
    assert "UTF-8" in error.remedy


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(make: Make) -> None:
    content = b"\xef\xbb\xbf" + CUSTOMERS_CSV.replace("\n", "\r\n").encode()
    frame = read_folder(make({"customers.csv": content})).dataset.customers
    assert frame["customer_id"].tolist() == ["a", "b"]
    assert frame["age"].tolist() == [30.0, 40.0]


@pytest.mark.parametrize(("ragged", "good"), [(1, ["b", "c"]), (2, ["a", "c"]), (3, ["a", "b"])])
def test_a_row_with_too_many_fields_is_quarantined(
    make: Make, ragged: int, good: list[str]
) -> None:
    rows = ["a,30", "b,40", "c,50"]
    rows[ragged - 1] += ",extra"
    intake = lenient(make({"customers.csv": "\n".join(["customer_id,age", *rows])}))
    rejected = intake.rejected["customers"]
    assert rejected["row"].tolist() == [ragged]
    assert rejected["reason"].tolist() == ["has more fields than the header"]
    assert rejected["text"].tolist() == [rows[ragged - 1]]
    assert intake.dataset.customers["customer_id"].tolist() == good
    assert intake.rows == {"customers": 3}


def test_rows_that_all_have_too_many_fields_are_quarantined(make: Make) -> None:
    intake = lenient(make({"customers.csv": "customer_id,age\na,30,x\nb,40,y\n"}))
    assert intake.rejected["customers"]["row"].tolist() == [1, 2]


def test_other_faults_keep_their_row_numbers_beside_a_ragged_row(make: Make) -> None:
    content = "customer_id,age\na,30\nb,40,extra\nc,old\na,50\nd,60\n"
    intake = lenient(make({"customers.csv": content}))
    rejected = intake.rejected["customers"]
    assert rejected["row"].tolist() == [2, 3, 4]
    assert rejected["reason"].tolist() == [
        "has more fields than the header",
        "is not a number",
        "is already in an earlier row",
    ]
    assert intake.dataset.customers["customer_id"].tolist() == ["a", "d"]


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("blank", ["", "   ", "\t"])
def test_a_blank_line_is_no_row(make: Make, ragged: bool, blank: str) -> None:
    text = f"customer_id,age\na,20\n{blank}\nb,old\nc,30{',x' * ragged}\n"
    rejected = lenient(make({"customers.csv": text})).rejected["customers"]
    assert rejected["row"].tolist() == ([2, 3] if ragged else [2])


def test_a_row_with_too_few_fields_lacks_the_last_ones(make: Make) -> None:
    intake = read_folder(make({"customers.csv": "customer_id,age\na\nb,40\n"}))
    assert intake.dataset.customers["age"].isna().tolist() == [True, False]


def test_blank_lines_at_the_top_are_no_header(make: Make) -> None:
    intake = lenient(make({"customers.csv": "\n\ncustomer_id,age\na,30\nb,40,extra\n"}))
    assert intake.dataset.customers["customer_id"].tolist() == ["a"]
    assert intake.rejected["customers"]["row"].tolist() == [2]


def test_an_open_quotation_mark_does_not_swallow_rows(make: Make) -> None:
    content = 'customer_id,city\na,Ulm\nb,"Graz\nc,Lyon\nd,Ghent\n'
    folder = make({"customers.csv": content})
    try:
        rows = lenient(folder).rows["customers"]
    except DataError as error:
        rows = 4 if "customers.csv" in error.problem else 0  # refusing the file is as good
    assert rows == 4


@pytest.mark.parametrize("ragged", [False, True])
def test_a_very_long_field_is_no_crash(make: Make, ragged: bool) -> None:
    rows = ["a,Ulm", f"b,{'x' * 200_000}", "c,Graz,extra" if ragged else "c,Graz"]
    intake = lenient(make({"customers.csv": "\n".join(["customer_id,city", *rows])}))
    assert intake.rows == {"customers": 3}


def test_quoted_fields_may_hold_commas_and_line_ends(make: Make) -> None:
    intake = read_folder(make({"customers.csv": 'customer_id,city\na,"Ulm, old\ntown"\n'}))
    assert intake.dataset.customers["city"].tolist() == ["Ulm, old\ntown"]


def test_a_compressed_csv(make: Make) -> None:
    intake = read_folder(make({"customers.csv.gz": gzip.compress(CUSTOMERS_CSV.encode())}))
    assert intake.dataset.customers["customer_id"].tolist() == ["a", "b"]


def damaged_gzip(kind: str) -> bytes:
    rows = "".join(f"c{row},{row * 7919 % 90}\n" for row in range(500))
    content = bytearray(gzip.compress(f"customer_id,age\n{rows}".encode()))
    if kind == "cut":
        return bytes(content[:60])
    if kind == "overwritten":
        content[30:60] = b"\xff" * 30
        return bytes(content)
    return b"not compressed at all"


@pytest.mark.parametrize("kind", ["cut", "overwritten", "plain"])
def test_a_damaged_compressed_csv(make: Make, kind: str) -> None:
    error = refusal(make({"customers.csv.gz": damaged_gzip(kind)}))
    assert "customers.csv.gz" in error.problem


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing else", b"PAR1garbagePAR1"])
def test_a_damaged_parquet_file(make: Make, content: bytes) -> None:
    error = refusal(make({"customers.parquet": content}))
    assert "customers.parquet" in error.problem


def test_a_parquet_table_keeps_its_types(make: Make) -> None:
    folder = make({})
    frame = pd.DataFrame({"customer_id": [1, 2], "age": [30, 200], "colour": ["red", None]})
    frame.to_parquet(folder / "customers.parquet")
    intake = lenient(folder)
    assert intake.dataset.customers["customer_id"].tolist() == ["1"]
    assert intake.dataset.customers["colour"].tolist() == ["red"]
    assert intake.rejected["customers"]["row"].tolist() == [2]


def test_a_column_that_was_the_index_of_a_parquet_table_is_a_column(make: Make) -> None:
    folder = make({})
    frame = pd.DataFrame({"customer_id": ["a", "b"], "age": [30, 40]})
    frame.set_index("customer_id").to_parquet(folder / "customers.parquet")
    assert read_folder(folder).dataset.customers["customer_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("quoted", [False, True])
def test_other_marks_between_columns_are_told(
    make: Make, mark: str, name: str, quoted: bool
) -> None:
    rows = [["customer_id", "age"], ["a", "30"]]
    told = [mark.join(f'"{one}"' if quoted else one for one in row) for row in rows]
    error = refusal(make({"customers.csv": "\n".join(told) + "\n"}))
    assert name in error.problem
    assert "commas" in error.remedy


def test_an_id_that_no_address_can_hold_is_quarantined(make: Make) -> None:
    folder = make({})
    pd.DataFrame({"customer_id": ["a\tb", "c", "d\ne"]}).to_parquet(folder / "customers.parquet")
    intake = lenient(folder)
    assert intake.dataset.customers["customer_id"].tolist() == ["c"]
    assert "sign of control" in intake.rejected["customers"]["reason"].iloc[0]


def test_a_missing_column_is_named_with_the_file(make: Make) -> None:
    error = refusal(make({"transactions.csv": f"customer_id,occurred_at\na,{MOMENT}\n"}))
    assert "transactions.csv" in error.problem
    assert "'amount'" in error.problem


def test_a_misspelt_column_is_named_with_the_remedy(make: Make) -> None:
    error = refusal(make({"customers.csv": "custmer_id,age\na,30\n"}))
    assert error.remedy == "Rename 'custmer_id' to 'customer_id'."


def test_a_misspelt_optional_column_is_remarked_and_kept(make: Make) -> None:
    intake = read_folder(make({"customers.csv": "customer_id,agee\na,30\n"}))
    assert intake.dataset.customers["agee"].tolist() == ["30"]
    assert any("'agee'" in note and "'age'" in note for note in intake.notes)


@pytest.mark.parametrize("header", ["customer_id,age,age", "customer_id,age, age"])
def test_a_column_that_stands_there_twice(make: Make, header: str) -> None:
    error = refusal(make({"customers.csv": f"{header}\na,1,2\n"}))
    assert "'age' stands there twice" in error.problem


def test_spaces_around_the_names_of_columns_are_no_fault(make: Make) -> None:
    intake = read_folder(make({"customers.csv": "customer_id , age\na,30\n"}))
    assert intake.dataset.customers["age"].tolist() == [30.0]


def interactions(*offers: str) -> str:
    rows = [f"a,{offer},click,{MOMENT}" for offer in offers]
    return "\n".join(["customer_id,offer_id,event_type,occurred_at", *rows])


def test_interactions_with_unknown_offers_are_quarantined(make: Make) -> None:
    log = interactions("o1", "", "o9", "o1", "o8")
    intake = lenient(make({"offers.csv": "offer_id\no1\n", "interactions.csv": log}))
    rejected = intake.rejected["interactions"]
    assert rejected["row"].tolist() == [2, 3, 5]
    assert rejected["reason"].tolist() == ["is missing", "is not in offers", "is not in offers"]
    assert set(rejected["column"]) == {"offer_id"}
    assert intake.dataset.interactions["offer_id"].tolist() == ["o1", "o1"]
    assert intake.rows["interactions"] == 5


def test_customers_whose_ids_are_written_otherwise_are_remarked(make: Make) -> None:
    log = interactions("o1", "o1").replace("\na,", "\nA-00,")
    files = {"customers.csv": CUSTOMERS_CSV, "offers.csv": "offer_id\no1\n"}
    (note,) = lenient(make({**files, "interactions.csv": log})).notes
    assert "'A-00'" in note
    assert "ids written alike" in note


def test_a_log_that_is_there_twice_is_remarked(make: Make) -> None:
    log = interactions("o1", "o2").replace("click", "impression")
    twice = "\n".join([log, *log.splitlines()[1:]])
    (note,) = read_folder(make({"interactions.csv": twice})).notes
    assert "50% of the impressions repeat an earlier one" in note


def test_impressions_told_apart_by_anything_are_no_repetition(make: Make) -> None:
    rows = [f"a,o1,impression,{MOMENT},{place}" for place in (1, 2, 3)]
    text = "\n".join(["customer_id,offer_id,event_type,occurred_at,position", *rows])
    assert read_folder(make({"interactions.csv": text})).notes == []


def test_customers_without_a_profile_are_no_fault(make: Make) -> None:
    log = interactions(*["o1"] * 5) + f"\nz,o1,click,{MOMENT}"
    files = {"customers.csv": CUSTOMERS_CSV, "offers.csv": "offer_id\no1\n"}
    assert read_folder(make({**files, "interactions.csv": log})).notes == []


def test_items_of_unknown_offers_are_quarantined(make: Make) -> None:
    links = "offer_id,item_id\no1,i1\no9,i1\n"
    intake = lenient(make({"offers.csv": "offer_id\no1\n", "offer_items.csv": links}))
    assert intake.rejected["offer_items"]["row"].tolist() == [2]


def test_an_offer_that_was_rejected_is_unknown(make: Make) -> None:
    offers = "offer_id,discount\no1,0.1\no2,30\n"
    folder = make({"offers.csv": offers, "interactions.csv": interactions("o1", "o2")})
    assert lenient(folder).rejected["interactions"]["row"].tolist() == [2]


def test_without_an_offers_table_every_offer_may_be_named(make: Make) -> None:
    intake = read_folder(make({"interactions.csv": interactions("o1", "o9")}))
    assert len(intake.dataset.interactions) == 2


def bad_customers(bad: int, total: int = 100) -> str:
    rows = [f"c{row},{'old' if row < bad else 40}" for row in range(total)]
    return "\n".join(["customer_id,age", *rows])


def test_as_many_bad_rows_as_tolerated_are_accepted(make: Make) -> None:
    intake = read_folder(make({"customers.csv": bad_customers(1)}))
    assert len(intake.dataset.customers) == 99
    assert len(intake.rejected["customers"]) == 1


def test_more_bad_rows_than_tolerated_are_refused(make: Make) -> None:
    error = refusal(make({"customers.csv": bad_customers(2)}))
    for part in ("customers.csv", "2 of 100", "row 1", "age", "is not a number"):
        assert part in error.problem
    assert "--max-bad" in error.remedy


def test_the_quarantine_names_row_column_and_reason(make: Make) -> None:
    folder = make({"customers.csv": "customer_id,age\na,30\nb,old\n,20\n"})
    read_folder(folder, max_bad=1.0, write_quarantine=True)
    assert files_of(folder) == {"customers.csv", "quarantine", "quarantine/customers.csv"}
    written = pd.read_csv(folder / "quarantine" / "customers.csv")
    assert written[["row", "column", "reason"]].to_numpy().tolist() == [
        [2, "age", "is not a number"],
        [3, "customer_id", "is missing"],
    ]
    assert written["age"].tolist() == ["old", "20"]


def test_the_quarantine_is_written_before_a_refusal_that_names_it(make: Make) -> None:
    folder = make({"customers.csv": bad_customers(5)})
    with pytest.raises(DataError) as caught:
        read_folder(folder, write_quarantine=True)
    assert str(folder / "quarantine") in caught.value.remedy
    assert len(pd.read_csv(folder / "quarantine" / "customers.csv")) == 5


def test_reading_alone_never_writes_into_the_folder(make: Make) -> None:
    folder = make({"customers.csv": bad_customers(5), "quarantine.txt": "mine"})
    before = files_of(folder)
    lenient(folder)
    with pytest.raises(DataError):
        read_folder(folder)
    assert files_of(folder) == before


def test_a_clean_folder_gets_no_quarantine(make: Make) -> None:
    folder = make({"customers.csv": CUSTOMERS_CSV})
    read_folder(folder, write_quarantine=True)
    assert files_of(folder) == {"customers.csv"}


def test_stale_quarantine_files_go_and_other_files_stay(make: Make) -> None:
    folder = make({"customers.csv": bad_customers(1), "items.csv": "item_id\ni1\n"})
    (folder / "quarantine").mkdir()
    for name in ("items.csv", "offers.csv", "notes.txt"):
        (folder / "quarantine" / name).write_text("stale")
    read_folder(folder, write_quarantine=True)
    left = {path.name for path in (folder / "quarantine").iterdir()}
    assert left == {"customers.csv", "notes.txt"}
    (folder / "customers.csv").write_text(CUSTOMERS_CSV)
    read_folder(folder, write_quarantine=True)
    assert {path.name for path in (folder / "quarantine").iterdir()} == {"notes.txt"}


@pytest.mark.parametrize("name", ["Mall_Customers.csv", "customers.csv"])
@pytest.mark.parametrize("gender", ["Gender", "Genre"])
def test_the_mall_table_is_a_customers_table(make: Make, name: str, gender: str) -> None:
    content = f"{MALL_HEADER.replace('Gender', gender)}1,Male,19,15,39\n2,Female,21,15,81\n"
    frame = read_folder(make({name: content})).dataset.customers
    columns = ["customer_id", "gender", "age", "annual_income", "spending_score"]
    assert frame[columns].to_numpy().tolist() == [
        ["1", "Male", 19.0, 15.0, 39.0],
        ["2", "Female", 21.0, 15.0, 81.0],
    ]


def test_one_table_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        read_table(tmp_path / "customers.csv", CUSTOMERS)
    (tmp_path / "customers.xlsx").touch()
    with pytest.raises(DataError, match=r"customers\.xlsx") as caught:
        read_table(tmp_path / "customers.xlsx", CUSTOMERS)
    assert ".parquet" in caught.value.remedy


def test_a_folder_is_written_and_read_back(tmp_path: Path) -> None:
    customers = pd.DataFrame({"customer_id": ["a", "b"], "age": [30.0, 40.0]})
    truth = pd.DataFrame({"customer_id": ["a"], "segment": ["one"]})
    folder = tmp_path / "new" / "folder"
    write_folder({"customers": customers, "truth/segments": truth}, folder)
    assert files_of(folder) == {"customers.parquet", "truth", "truth/segments.parquet"}
    intake = read_folder(folder)
    assert intake.rows == {"customers": 2}  # the truth is no table of the dataset
    pd.testing.assert_frame_equal(intake.dataset.customers[["customer_id", "age"]], customers)


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    write_folder({"customers": pd.DataFrame({"customer_id": ["a"]})}, tmp_path / "new")
    (tmp_path / "empty").mkdir()
    write_folder({"customers": pd.DataFrame({"customer_id": ["a"]})}, tmp_path / "empty")
    assert files_of(tmp_path / "empty") == {"customers.parquet"}


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "there"
    mine = target / "mine" if kind == "folder" else target
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match="already there") as caught:
        write_folder({"customers": pd.DataFrame({"customer_id": ["a"]})}, target)
    assert caught.value.remedy
    assert mine.read_text() == "mine"
    assert files_of(tmp_path) == {str(p.relative_to(tmp_path)) for p in {target, mine}}


def test_a_folder_under_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file"):
        write_folder({"customers": pd.DataFrame({"customer_id": ["a"]})}, tmp_path / "file" / "x")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    good = pd.DataFrame({"customer_id": ["a"]})
    unwritable = pd.DataFrame({"customer_id": [object()]})
    with pytest.raises(ArrowException):
        write_folder({"customers": good, "offers": unwritable}, tmp_path / "new")
    assert files_of(tmp_path) == set()


def test_an_answer_is_yes_or_no_and_the_last_one_counts(make: Make) -> None:
    text = (
        "customer_id,question,answer\na,category:food,yes\na,category:food,no\n"
        "b,offer:o1,maybe\nb,favourite day,sunday\n"
    )
    intake = read_folder(make({"survey_answers.csv": text}), max_bad=1)
    assert intake.dataset.survey_answers["answer"].tolist() == ["no", "sunday"]
    rejected = intake.rejected["survey_answers"]
    assert rejected[["row", "reason"]].to_numpy().tolist() == [
        [1, "is answered again in a later row"],
        [3, "is neither yes nor no"],
    ]


def test_a_row_in_quarantine_is_the_row_that_was_given(make: Make) -> None:
    folder = make(
        {
            "offers.csv": "offer_id\no1\n",
            "interactions.csv": (
                "customer_id,offer_id,event_type,occurred_at\n"
                "a,o1,click,2024-01-01\na,o2,click,2024-01-02\n"
            ),
        }
    )
    read_folder(folder, max_bad=1, write_quarantine=True)
    kept = (folder / "quarantine" / "interactions.csv").read_text().splitlines()
    assert kept == [
        "row,column,reason,customer_id,offer_id,event_type,occurred_at",
        "2,offer_id,is not in offers,a,o2,click,2024-01-02",
    ]


@pytest.mark.parametrize(("limits", "said"), [("a,100\nb,\n", True), ("a,\nb,\n", False)])
def test_a_limit_of_redemptions_that_nothing_counts_is_remarked(
    make: Make, limits: str, said: bool
) -> None:
    intake = read_folder(make({"offers.csv": f"offer_id,max_redemptions\n{limits}"}))
    assert any("'max_redemptions' is kept" in note for note in intake.remarks()) == said
    assert "max_redemptions" in intake.dataset.offers
