"""Reading DFEW's table, as people's tables are: BOM, CRLF, spaces, stray fields, damage."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import dfew
from facewave.labels.schema import WORDS

VOTES = "1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear"
HEADER = f"{VOTES},order,label"
HAPPY = "10,0,0,0,0,0,0,1,1"
SAD = "0,8,2,0,0,0,0,2,2"
NONE = "3,3,4,0,0,0,0,3,0"
VALID = f"{HEADER},subject,fold,file_path\n{HAPPY},s1,1,\n{SAD},s2,2,x/2.mp4\n{NONE},,,\n"
CLIPS = "clips/{order}.mp4"

Read = Callable[[str | bytes], pd.DataFrame]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a table of this content."""

    def read_content(content: str | bytes) -> pd.DataFrame:
        path = tmp_path / "annotation.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return dfew.read(path, CLIPS)

    return read_content


def refusal(read: Read, content: str | bytes) -> str:
    """What the reader says against a content; it names the file."""
    with pytest.raises(UserError) as caught:
        read(content)
    assert "annotation.csv" in str(caught.value)
    return str(caught.value)


def test_a_row_becomes_words_and_votes(read: Read) -> None:
    table = read(f"{HEADER}\n{HAPPY}\n{SAD}\n{NONE}\n")
    assert table["row"].tolist() == [2, 3, 4]
    assert table["video_idx"].tolist() == ["1", "2", "3"]
    assert table["file_path"].tolist() == ["clips/1.mp4", "clips/2.mp4", "clips/3.mp4"]
    assert table["word"].tolist() == ["happy", "sad", ""]
    assert table["votes"][1] == dict(zip(WORDS["dfew"], (0, 8, 2, 0, 0, 0, 0), strict=True))
    assert table["subject"].tolist() == ["", "", ""]
    assert table["fold"].isna().all()


@pytest.mark.parametrize(("code", "word"), list(enumerate(WORDS["dfew"], start=1)))
def test_each_code_is_its_word(read: Read, code: int, word: str) -> None:
    assert read(f"{HEADER}\n0,0,0,0,0,0,0,9,{code}\n")["word"].tolist() == [word]


def test_optional_columns_are_taken_where_they_are_filled(read: Read) -> None:
    table = read(VALID)
    assert table["subject"].tolist() == ["s1", "s2", ""]
    assert table["fold"].tolist() == [1, 2, pd.NA]
    assert table["file_path"].tolist() == ["clips/1.mp4", "x/2.mp4", "clips/3.mp4"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + VALID.encode(),
        VALID.replace("\n", "\r\n").encode(),
        VALID.replace("\n", "\r").encode(),
        VALID.rstrip("\n").encode(),
        VALID.replace(",", " , ").encode(),
        VALID.replace(",", ",\t").replace("x/2.mp4", '"x/2.mp4"').replace("\t", "").encode(),
    ],
    ids=["bom", "crlf", "cr", "no last line end", "spaces", "quotes"],
)
def test_the_way_it_was_saved_changes_nothing(read: Read, content: bytes) -> None:
    pd.testing.assert_frame_equal(read(content), read(VALID))


def test_the_order_of_columns_and_unknown_columns_change_nothing(read: Read) -> None:
    table = pd.read_csv(io.StringIO(VALID), dtype=str, keep_default_na=False)
    table["remark"] = "a, b"
    text = table[table.columns[::-1]].to_csv(index=False)
    pd.testing.assert_frame_equal(read(text), read(VALID))


def test_words_that_look_like_nothing_are_names(read: Read) -> None:
    rows = [f"{HAPPY},{name}" for name in ("NA", "None", "null", "007", "Jürgen")]
    table = read("\n".join([f"{HEADER},subject", *rows]))
    assert table["subject"].tolist() == ["NA", "None", "null", "007", "Jürgen"]


@pytest.mark.parametrize("empty", ["", "   ", ",,,,,,,,", " , ,,,,,,,"])
def test_an_empty_row_keeps_its_place(read: Read, empty: str) -> None:
    table = read(f"{HEADER}\n{HAPPY}\n{empty}\n{SAD}\n")
    assert table["row"].tolist() == [2, 3, 4]
    assert table["video_idx"].tolist() == ["1", "", "2"]
    assert table["votes"][1] is None


def test_a_missing_table_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv is not here\. Put"):
        dfew.read(tmp_path / "nowhere.csv", CLIPS)


def test_an_empty_file_is_refused(read: Read) -> None:
    assert "is empty" in refusal(read, "")


@pytest.mark.parametrize("content", [HEADER, f"{HEADER}\n"])
def test_a_table_of_a_header_alone_is_refused(read: Read, content: str) -> None:
    assert "row" in refusal(read, content)


def test_another_encoding_is_refused(read: Read) -> None:
    said = refusal(read, f"{HEADER},subject\n{HAPPY},Jürgen\n".encode("latin-1"))
    assert "is not UTF-8" in said
    assert "is not UTF-8" in refusal(read, VALID.encode("utf-16"))


def test_the_byte_of_another_encoding_is_that_of_the_file(read: Read) -> None:
    content = f"{HEADER},subject\n" + f"{HAPPY},someone\n" * 20_000
    assert f"byte {len(content)}" in refusal(read, content.encode() + b"\xfc")


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_missing_column_is_named(read: Read, column: str) -> None:
    header = HEADER.replace(column, "other")
    assert f"column {column!r} is missing" in refusal(read, f"{header}\n{HAPPY}\n")


def test_another_separator_shows_what_was_read(read: Read) -> None:
    assert "it has 1happy;2sad" in refusal(read, f"{HEADER}\n{HAPPY}\n".replace(",", ";"))


def test_a_column_named_twice_is_refused(read: Read) -> None:
    assert "'label'" in refusal(read, f"{HEADER}, label\n{HAPPY},3\n")


@pytest.mark.parametrize("column", HEADER.split(","))
@pytest.mark.parametrize("wrong", ["", "x", "-1", "1.5", "²", "1 0", "nan", "+1", "0x1"])
def test_what_is_no_number_is_named_with_its_row_and_column(
    read: Read, column: str, wrong: str
) -> None:
    values = dict(zip(HEADER.split(","), SAD.split(","), strict=True)) | {column: wrong}
    said = refusal(read, f"{HEADER}\n{HAPPY}\n{','.join(values.values())}\n")
    assert f"row 3: {column} is {wrong!r}, not a whole number" in said


def test_a_fold_that_is_no_number_is_named(read: Read) -> None:
    said = refusal(read, f"{HEADER},fold\n{HAPPY},one\n")
    assert "row 2: fold is 'one', not a whole number" in said


@pytest.mark.parametrize("code", [8, 9, 10, 70])
def test_an_unknown_label_is_named(read: Read, code: int) -> None:
    said = refusal(read, f"{HEADER}\n{HAPPY}\n0,0,0,0,0,0,0,2,{code}\n")
    assert f"row 3: label {code} is unknown" in said


@pytest.mark.parametrize("column", ["7fear", "order", "fold"])
@pytest.mark.parametrize("digits", [30, 5000])
def test_a_number_without_end_is_refused(read: Read, column: str, digits: int) -> None:
    names = [*HEADER.split(","), "fold"]
    values = dict(zip(names, [*HAPPY.split(","), "1"], strict=True)) | {column: "9" * digits}
    said = refusal(read, f"{','.join(names)}\n{','.join(values.values())}\n")
    assert f"row 2: {column} " in said
    assert len(said) < 500


def test_a_row_that_is_longer_than_the_header_is_named(read: Read) -> None:
    assert "row 3" in refusal(read, f"{HEADER}\n{HAPPY}\n{SAD},9\n")


@pytest.mark.parametrize("extra", [1, 2])
def test_rows_that_are_all_longer_than_the_header_are_refused(read: Read, extra: int) -> None:
    # Shifted by one, the first row would be clip 1 with label 3: wrong, and no sign of it.
    rows = "\n".join("0,10,0,0,0,0,0,1,2" + ",3" * extra for _ in range(2))
    assert "2" in refusal(read, f"{HEADER}\n{rows}\n")


@pytest.mark.parametrize("kept", [3, 8])
def test_a_row_that_is_too_short_is_refused(read: Read, kept: int) -> None:
    assert "row 3" in refusal(read, f"{HEADER}\n{HAPPY}\n{','.join(SAD.split(',')[:kept])}\n")


def test_a_row_without_its_optional_fields_is_refused(read: Read) -> None:
    assert "row 3" in refusal(read, f"{HEADER},subject\n{HAPPY},s1\n{SAD}\n")


def test_an_open_quote_is_refused(read: Read) -> None:
    assert "no regular CSV" in refusal(read, f'{HEADER},subject\n{HAPPY},"s1\n{SAD},s2\n')


def test_a_row_after_a_cell_of_two_lines_is_the_line_of_the_file(read: Read) -> None:
    table = read(f'{HEADER},subject\n{HAPPY},"a\nb"\n{SAD},c\n')
    assert table["row"].tolist() == [2, 4]


@pytest.mark.parametrize("place", ["{}", "{x}", "{", "{order!q}", "{order:z}"])
def test_a_pattern_of_clips_that_cannot_be_filled_is_named(tmp_path: Path, place: str) -> None:
    path = tmp_path / "annotation.csv"
    path.write_text(f"{HEADER}\n{HAPPY}\n", "utf-8")
    with pytest.raises(UserError, match=r"params\.yaml: clips is .* only {order} can stand"):
        dfew.read(path, place)


@pytest.mark.parametrize("place", ["{order.x}", "{order[0]}"])
def test_a_pattern_with_parts_of_order_is_named(tmp_path: Path, place: str) -> None:
    path = tmp_path / "annotation.csv"
    path.write_text(f"{HEADER}\n{HAPPY}\n", "utf-8")
    with pytest.raises(UserError, match=r"params\.yaml: clips is "):
        dfew.read(path, place)


def test_a_pattern_may_pad_the_number(tmp_path: Path) -> None:
    path = tmp_path / "annotation.csv"
    path.write_text(f"{HEADER}\n{HAPPY}\n", "utf-8")
    assert dfew.read(path, "part/{order:05d}.mp4")["file_path"].tolist() == ["part/00001.mp4"]


SPLINTERS = st.sampled_from(
    [
        ",",
        "\n",
        "\r\n",
        '"',
        "",
        " ",
        "\t",
        ";",
        "0",
        "9",
        "-",
        "1.0",
        "x",
        "NA",
        "\0",
        "é",
        "\ufeff",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The valid table after some spans of it have been replaced."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.sampled_from([0, 0, 1, 1, 2, 5, 20]))
        text = text[:at] + draw(SPLINTERS | st.text(max_size=3)) + text[at + gone :]
    return text


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=damaged())
@example(text=HEADER)
@example(text=f"{HEADER}\n0,10,0,0,0,0,0,1,2,3\n")
@example(text=f"{HEADER},label\n{HAPPY},2\n")
def test_no_damage_gets_through_unseen(read: Read, text: str) -> None:
    try:
        table = read(text)
    except UserError:
        return
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    names, *rows = [[field.strip() for field in line] for line in lines]
    assert len(table) == len(rows)
    for word, votes, clip, values in zip(
        table["word"], table["votes"], table["video_idx"], rows, strict=True
    ):
        if not any(values):
            assert (word, votes, clip) == ("", None, "")
            continue
        assert len(values) == len(names)
        said = dict(zip(reversed(names), reversed(values), strict=True))  # the first of a name
        code = int(said["label"])
        assert word == ("", *WORDS["dfew"])[code]
        assert clip == str(int(said["order"]))
        assert list(votes.values()) == [int(said[name]) for name in VOTES.split(",")]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=80))
def test_no_bytes_do_more_than_be_refused(read: Read, content: bytes) -> None:
    assert refusal(read, content)
