"""MAFW: single and compound lists, with captions in GB18030, and a table met in the wild."""

from pathlib import Path
from typing import Any

import pytest

from facewave.errors import UserError
from facewave.labels.readers.mafw import COMPOUND, CORPUS, WORDS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

TOP = "Train & Test Set"
ORDER = [
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt",
    "anxiety", "helplessness", "disappointment",
]  # fmt: skip
# Clip k is tested in fold k.
SINGLE = {
    "00001.mp4": "anger", "00002.mp4": "neutral", "00003.mp4": "sadness",
    "00004.mp4": "contempt", "00005.mp4": "disappointment",
}  # fmt: skip
JOINT = SINGLE | {"00003.mp4": "sadness_helplessness", "00004.mp4": "anger_disgust_contempt"}
SAID = {
    "00001.mp4": ("一个男人皱眉", "A man frowns"),
    "00002.mp4": ("无", "none"),
    "00003.mp4": ("一个女人低下头", "A woman bows her head"),
    "00004.mp4": ("嘴角上扬", "A corner of the mouth\u2019s raised"),
    "00005.mp4": ("他叹气", "He sighs"),
}
WILD = "video_name,single_label,actual,annotation,video_path,exist,sample_path"


def entry(**keys: Any) -> Dataset:
    return Dataset(reader="mafw", root=".", about="a test", **keys)


def write(root: Path, path: str, content: str | bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def clips_of(words: dict[str, str], fold: int, part: str) -> dict[str, str]:
    return {c: w for c, w in words.items() if (c == f"{fold:05d}.mp4") == (part == "test")}


def lists(root: Path, words: dict[str, str], top: str = f"{TOP}/single") -> Path:
    """Ten lists without captions: one space, CRLF."""
    for fold in range(1, 6):
        for part in ("train", "test"):
            content = "".join(f"{c} {w}\r\n" for c, w in clips_of(words, fold, part).items())
            write(root, f"{top}/no_caption/set_{fold}/{part}.txt", content)
    return root


def captioned(
    root: Path, words: dict[str, str], encoding: str = "gb18030", top: str = f"{TOP}/single"
) -> Path:
    """Ten lists with captions: tabs, CRLF."""
    for fold in range(1, 6):
        for part in ("train", "test"):
            content = "".join(
                "\t".join((c, w, *SAID[c])) + "\r\n" for c, w in clips_of(words, fold, part).items()
            )
            path = f"{top}/with_caption/set_{fold}/{part}.txt"
            write(root, path, content.encode(encoding))
    return root


def wild(root: Path, *rows: str, header: str = WILD, encoding: str = "") -> list[Record]:
    write(root, "wild.csv", b"\xef\xbb\xbf" + "\r\n".join((header, *rows)).encode())
    return read(root, entry(table="wild.csv", encoding=encoding))


def test_the_single_lists_give_words_and_folds(tmp_path: Path) -> None:
    records = read(lists(tmp_path, SINGLE), entry())
    assert records[2] == Record(
        table=f"{TOP}/single/no_caption/set_3/test.txt",
        row=1,
        video_idx="00003.mp4",
        file_path="data/clips/00003.mp4",
        word="sadness",
        fold=3,
    )
    assert [r.word for r in records] == list(SINGLE.values())
    assert [r.fold for r in records] == [1, 2, 3, 4, 5]
    assert [r.problem for r in records] == [None] * 5


def test_the_compound_lists_join_words(tmp_path: Path) -> None:
    lists(tmp_path, SINGLE)
    lists(tmp_path, JOINT, f"{TOP}/compound")
    records = read(tmp_path, entry(track="compound"))
    assert [r.word for r in records] == list(JOINT.values())
    assert [r.compound for r in records] == list(JOINT.values())
    assert records[2].table == f"{TOP}/compound/no_caption/set_3/test.txt"
    assert [r.compound for r in read(tmp_path, entry())] == [""] * 5


def test_every_compound_is_read(tmp_path: Path) -> None:
    for word in COMPOUND:
        lists(tmp_path, SINGLE | {"00003.mp4": word}, "compound")
        assert read(tmp_path, entry(track="compound"))[2].word == word


def test_the_single_track_has_no_compounds(tmp_path: Path) -> None:
    records = read(lists(tmp_path, JOINT), entry())
    assert [r.word for r in records] == ["anger", "neutral", "", "", "disappointment"]
    assert [r.problem for r in records][2:4] == [Reason.UNKNOWN_WORD, Reason.UNKNOWN_WORD]
    assert records[2].note == "'sadness_helplessness'"


def test_lists_may_lie_at_the_top(tmp_path: Path) -> None:
    records = read(lists(tmp_path, SINGLE, "single"), entry())
    assert records[0].table == "single/no_caption/set_1/test.txt"


@pytest.mark.parametrize("there", ["data/clips", "data/frames"])
def test_clips_are_videos_or_folders_of_pictures(tmp_path: Path, there: str) -> None:
    (tmp_path / there).mkdir(parents=True)
    found = read(lists(tmp_path, SINGLE), entry())[0].file_path
    assert (
        found == {"data/clips": "data/clips/00001.mp4", "data/frames": "data/frames/00001"}[there]
    )
    found = read(tmp_path, entry(clips="mine/{number}.avi"))[0].file_path
    assert found == "mine/00001.avi"


def test_captions_stand_beside_the_words(tmp_path: Path) -> None:
    records = read(captioned(tmp_path, SINGLE), entry())
    assert [r.caption for r in records] == [english for _, english in SAID.values()]
    assert [r.word for r in records] == list(SINGLE.values())
    assert [r.fold for r in records] == [1, 2, 3, 4, 5]
    assert records[0].table == f"{TOP}/single/with_caption/set_1/test.txt"


def test_captions_are_added_to_the_plain_lists(tmp_path: Path) -> None:
    records = read(captioned(lists(tmp_path, SINGLE), SINGLE), entry())
    assert records[2].table == f"{TOP}/single/no_caption/set_3/test.txt"
    assert records[2].caption == "A woman bows her head"


def test_lists_of_two_releases_are_refused(tmp_path: Path) -> None:
    captioned(lists(tmp_path, SINGLE), SINGLE | {"00003.mp4": "anger"})
    with pytest.raises(UserError, match=r"with captions and those without differ .*00003\.mp4"):
        read(tmp_path, entry())


def test_a_list_saved_as_utf_8_is_refused_until_it_is_named(tmp_path: Path) -> None:
    captioned(tmp_path, SINGLE, "utf-8")
    with pytest.raises(UserError, match="should be GB18030, as MAFW has it, but is UTF-8 as well"):
        read(tmp_path, entry())
    records = read(tmp_path, entry(encoding="utf-8"))
    assert records[3].caption == "A corner of the mouth\u2019s raised"
    assert records[3].word == "contempt"


def test_a_list_in_neither_encoding_is_refused(tmp_path: Path) -> None:
    captioned(tmp_path, SINGLE)
    path = f"{TOP}/single/with_caption/set_1/train.txt"
    write(tmp_path, path, b"00002.mp4\tneutral\t\xff\xff\tnone\r\n")
    with pytest.raises(UserError, match=r"train\.txt is not GB18030 \(byte 18\)"):
        read(tmp_path, entry())


@pytest.mark.parametrize("gone", ["set_1/train.txt", "set_5/test.txt"])
def test_some_of_the_folds_are_refused(tmp_path: Path, gone: str) -> None:
    lists(tmp_path, SINGLE)
    (tmp_path / TOP / "single/no_caption" / gone).unlink()
    with pytest.raises(UserError, match="1 of 10 lists are missing"):
        read(tmp_path, entry())


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="10 of 10 lists are missing"):
        read(tmp_path, entry())


def test_a_clip_in_the_test_lists_of_two_folds_is_told(tmp_path: Path) -> None:
    lists(tmp_path, SINGLE)
    path = f"{TOP}/single/no_caption/set_2/test.txt"
    write(tmp_path, path, "00002.mp4 neutral\r\n00001.mp4 anger\r\n")
    write(
        tmp_path,
        f"{TOP}/single/no_caption/set_2/train.txt",
        "00003.mp4 sadness\r\n00004.mp4 contempt\r\n00005.mp4 disappointment\r\n",
    )
    records = read(tmp_path, entry())
    assert [r.problem for r in records] == [Reason.IN_TWO_PARTS, *[None] * 4]
    assert (records[0].fold, records[0].note) == (None, "in the test parts of folds 1, 2")


def test_a_line_without_a_label_is_named(tmp_path: Path) -> None:
    lists(tmp_path, SINGLE)
    write(tmp_path, f"{TOP}/single/no_caption/set_1/test.txt", "00001.mp4\r\n")
    with pytest.raises(UserError, match=r"set_1/test\.txt, row 1: '00001\.mp4' has not the 2"):
        read(tmp_path, entry())


def test_a_table_of_the_wild_has_codes_from_1(tmp_path: Path) -> None:
    row = "10784.mp4,6,sadness,A woman bows her head,/data/10784.mp4,True,./sample/10784.mp4"
    (record,) = wild(tmp_path, row)
    assert record == Record(
        table="wild.csv",
        row=2,
        video_idx="10784.mp4",
        file_path="data/clips/10784.mp4",
        word="sadness",
        caption="A woman bows her head",
    )


@pytest.mark.parametrize(("code", "word"), list(enumerate(ORDER, start=1)))
def test_each_code_is_its_word(tmp_path: Path, code: int, word: str) -> None:
    (record,) = wild(tmp_path, f"1.mp4,{code},{word}", header="video_name,single_label,actual")
    assert (record.word, record.problem) == (word, None)


def test_what_is_wrong_with_a_row_is_told(tmp_path: Path) -> None:
    for row, reason, note in [
        (
            "1.mp4,5,sadness",
            Reason.CONFLICTING_ROWS,
            "code 5 is neutral, the word beside it sadness",
        ),
        ("1.mp4,0,anger", Reason.UNKNOWN_WORD, "0 anger"),
        ("1.mp4,12,anger", Reason.UNKNOWN_WORD, "12 anger"),
        ("1.mp4,x,anger", Reason.UNKNOWN_WORD, "x anger"),
        ("1.mp4,1,rage", Reason.UNKNOWN_WORD, "1 rage"),
        ("1.mp4,,", Reason.UNKNOWN_WORD, ""),
        (",1,anger", Reason.BAD_VALUE, "no video_name"),
    ]:
        (record,) = wild(tmp_path, row, header="video_name,single_label,actual")
        assert (record.word, record.problem, record.note) == ("", reason, note)


def test_codes_without_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="column 'actual' is missing"):
        wild(tmp_path, "1.mp4,5", header="video_name,single_label")


def test_lists_with_and_without_captions_must_be_of_one_release(tmp_path: Path) -> None:
    captioned(lists(tmp_path, SINGLE), SINGLE)
    folder = tmp_path / TOP / "single/with_caption"
    for one, other in (("set_1", "kept"), ("set_2", "set_1"), ("kept", "set_2")):
        (folder / one).rename(folder / other)
    with pytest.raises(UserError, match=r"differ in 2 clips \(the first: 00001\.mp4\)"):
        read(tmp_path, entry())


def test_a_word_without_a_code_is_enough(tmp_path: Path) -> None:
    (record,) = wild(tmp_path, "1.mp4,,Sadness", header="video_name,single_label,actual")
    assert (record.word, record.problem) == ("sadness", None)


def test_an_empty_row_keeps_its_place(tmp_path: Path) -> None:
    header = "video_name,single_label,actual"
    records = wild(tmp_path, "1.mp4,1,anger", ",,", "2.mp4,2,disgust", header=header)
    assert [(r.row, r.video_idx) for r in records] == [(2, "1.mp4"), (3, ""), (4, "2.mp4")]


def test_a_table_gets_the_folds_of_the_lists(tmp_path: Path) -> None:
    lists(tmp_path, SINGLE)
    rows = [f"{clip},,{word}" for clip, word in SINGLE.items()]
    rows[2] = "00003.mp4,,anger"
    header = "video_name,single_label,actual"
    records = wild(tmp_path, *rows, "00006.mp4,,anger", header=header)
    assert [r.fold for r in records] == [1, 2, None, 4, 5, None]
    assert [r.problem for r in records] == [None, None, Reason.CONFLICTING_ROWS, *[None] * 3]
    with pytest.raises(UserError, match=r"clip 00001\.mp4 is not in wild\.csv, nor are 2"):
        wild(tmp_path, "00002.mp4,,neutral", "00004.mp4,,contempt", header=header)


def test_the_words_and_the_published_counts() -> None:
    assert list(WORDS) == ORDER
    assert len(set(COMPOUND)) == len(COMPOUND) == 43
    single, compound = (CORPUS.track(name).published for name in ("single", "compound"))
    assert sum(single[word] for word in ORDER) == single["clips"] == 9172
    assert sum(single[f"fold {k}"] for k in range(1, 6)) == 9172
    assert sum(compound[f"fold {k}"] for k in range(1, 6)) == compound["clips"] == 8996
