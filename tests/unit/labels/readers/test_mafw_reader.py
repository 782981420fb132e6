"""MAFW: single and compound lists, with captions in GB18030, and a table met in the wild."""

from pathlib import Path

import pytest

from corpora import entry_of, write
from facewave.errors import UserError
from facewave.labels.readers.mafw import COMPOUND, CORPUS, WORDS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from miniatures import folds

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
NEUTRAL = "code 5 is neutral, the word beside it sadness"
SHORT = "video_name,single_label,actual"
WILD = "video_name,single_label,actual,annotation,video_path,exist,sample_path"


entry = entry_of("mafw")


def lists(
    root: Path, words: dict[str, str], top: str = f"{TOP}/single", captions: str = ""
) -> Path:
    """Ten lists: one space between the fields, or tabs and captions in the given encoding."""
    kind = "with_caption" if captions else "no_caption"
    rows = {c: f"{c} {word}" for c, word in words.items()}
    if captions:
        rows = {c: "\t".join((c, word, *SAID[c])) for c, word in words.items()}
    path, encoding = f"{top}/{kind}/set_{{fold}}/{{part}}.txt", captions or "utf-8"
    for name, content in folds(path, rows, end="\r\n", encoding=encoding).items():
        write(root, name, content)
    return root


def captioned(root: Path, words: dict[str, str], encoding: str = "gb18030") -> Path:
    return lists(root, words, captions=encoding)


def wild(root: Path, *rows: str, header: str = WILD, encoding: str = "") -> list[Record]:
    write(root, "wild.csv", b"\xef\xbb\xbf" + "\r\n".join((header, *rows)).encode())
    return read(root, entry(table="wild.csv", encoding=encoding))


def test_the_single_lists_give_words_and_folds(tmp_path: Path) -> None:
    records = read(lists(tmp_path, SINGLE), entry())
    assert records[2] == Record(
        f"{TOP}/single/no_caption/set_3/test.txt",
        1,
        "00003.mp4",
        "data/clips/00003.mp4",
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
    assert set(JOINT.values()) - set(SINGLE.values()) <= set(COMPOUND)


def test_the_single_track_has_no_compounds(tmp_path: Path) -> None:
    records = read(lists(tmp_path, JOINT), entry())
    assert [r.word for r in records] == ["anger", "neutral", "", "", "disappointment"]
    assert [r.problem for r in records][2:4] == [Reason.UNKNOWN_WORD, Reason.UNKNOWN_WORD]
    assert records[2].note == "'sadness_helplessness'"


def test_captions_stand_beside_the_words(tmp_path: Path) -> None:
    records = read(captioned(tmp_path, SINGLE), entry())
    assert [r.caption for r in records] == [english for _, english in SAID.values()]
    assert [r.word for r in records] == list(SINGLE.values())
    assert [r.fold for r in records] == [1, 2, 3, 4, 5]
    assert records[0].table == f"{TOP}/single/with_caption/set_1/test.txt"
    records = read(lists(tmp_path, SINGLE), entry())
    assert records[2].table == f"{TOP}/single/no_caption/set_3/test.txt"
    assert records[2].caption == "A woman bows her head"
    assert records[2].caption_zh == SAID["00003.mp4"][0]


def test_neutral_clips_need_no_caption_and_genders_are_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "00006.mp4", ("", ""))
    words = SINGLE | {"00002.mp4": "fear", "00006.mp4": "neutral"}
    captioned(lists(tmp_path, words), words)
    for path in (tmp_path / TOP / "single/with_caption").rglob("t*.txt"):
        kept = [line for line in path.read_bytes().splitlines(True) if b"neutral" not in line]
        path.write_bytes(b"".join(kept))
    write(tmp_path, "Labels(auto)/gender.txt", "00001: 1\n00003: 0\n")
    records = read(tmp_path, entry())
    assert [r.word for r in records] == list(words.values())
    assert [bool(r.caption_zh) for r in records] == [*[True] * 5, False]
    codes = [{"gender": "code 1"}, None, {"gender": "code 0"}, None, None, None]
    assert [r.about for r in records] == codes


def test_a_list_saved_as_utf_8_is_refused_until_it_is_named(tmp_path: Path) -> None:
    captioned(tmp_path, SINGLE, "utf-8")
    with pytest.raises(UserError, match="should be GB18030, as MAFW has it, but is UTF-8 as well"):
        read(tmp_path, entry())
    records = read(tmp_path, entry(encoding="utf-8"))
    assert records[3].caption == "A corner of the mouth\u2019s raised"
    assert records[3].word == "contempt"


def test_lists_may_lie_at_the_top_and_clips_be_videos_or_pictures(tmp_path: Path) -> None:
    records = read(lists(tmp_path, SINGLE, "single"), entry())
    assert records[0].table == "single/no_caption/set_1/test.txt"
    assert records[0].file_path == "data/clips/00001.mp4"
    (tmp_path / "data/frames").mkdir(parents=True)
    assert read(tmp_path, entry())[0].file_path == "data/frames/00001"
    (tmp_path / "data/clips").mkdir()
    assert read(tmp_path, entry())[0].file_path == "data/clips/00001.mp4"
    assert read(tmp_path, entry(clips="mine/{number}.avi"))[0].file_path == "mine/00001.avi"
    (tmp_path / "single/no_caption/set_5/test.txt").unlink()
    with pytest.raises(UserError, match="1 of 10 lists are missing"):
        read(tmp_path, entry())


def test_a_table_of_the_wild_has_codes_from_1(tmp_path: Path) -> None:
    row = "10784.mp4,6,sadness,A woman bows her head,/data/10784.mp4,True,./sample/10784.mp4"
    (record,) = wild(tmp_path, row)
    assert record == Record(
        "wild.csv",
        2,
        "10784.mp4",
        "data/clips/10784.mp4",
        word="sadness",
        caption="A woman bows her head",
    )


def test_each_code_of_a_table_is_its_word(tmp_path: Path) -> None:
    rows = [f"{code}.mp4,{code},{word}" for code, word in enumerate(ORDER, start=1)]
    records = wild(tmp_path, *rows, "12.mp4,,Sadness", ",,", header=SHORT)
    assert [r.word for r in records] == [*ORDER, "sadness", ""]
    assert {r.problem for r in records} == {None}
    assert (records[-1].row, records[-1].video_idx) == (14, "")
    with pytest.raises(UserError, match="column 'actual' is missing"):
        wild(tmp_path, "1.mp4,5", header="video_name,single_label")


def test_what_is_wrong_with_a_row_is_told(tmp_path: Path) -> None:
    for row, reason, note in [
        ("1.mp4,5,sadness", Reason.CONFLICTING_ROWS, NEUTRAL),
        ("1.mp4,0,anger", Reason.UNKNOWN_WORD, "0 anger"),
        ("1.mp4,12,anger", Reason.UNKNOWN_WORD, "12 anger"),
        ("1.mp4,x,anger", Reason.UNKNOWN_WORD, "x anger"),
        ("1.mp4,1,rage", Reason.UNKNOWN_WORD, "1 rage"),
        ("1.mp4,,", Reason.UNKNOWN_WORD, ""),
        (",1,anger", Reason.BAD_VALUE, "no video_name"),
    ]:
        (record,) = wild(tmp_path, row, header=SHORT)
        assert (record.word, record.problem, record.note) == ("", reason, note)


def test_lists_with_and_without_captions_must_be_of_one_release(tmp_path: Path) -> None:
    captioned(lists(tmp_path, SINGLE), SINGLE)
    folder = tmp_path / TOP / "single/with_caption"
    for one, other in (("set_1", "kept"), ("set_2", "set_1"), ("kept", "set_2")):
        (folder / one).rename(folder / other)
    with pytest.raises(UserError, match=r"2 clips that .*\(the first: 00001\.mp4\)"):
        read(tmp_path, entry())


def test_a_table_gets_the_folds_of_the_lists(tmp_path: Path) -> None:
    lists(tmp_path, SINGLE)
    rows = [f"{clip},,{word}" for clip, word in SINGLE.items()]
    rows[2] = "00003.mp4,,anger"
    records = wild(tmp_path, *rows, "00006.mp4,,anger", header=SHORT)
    assert [r.fold for r in records] == [1, 2, None, 4, 5, None]
    assert [r.problem for r in records] == [None, None, Reason.CONFLICTING_ROWS, *[None] * 3]
    with pytest.raises(UserError, match=r"clip 00001\.mp4 is not in wild\.csv, nor are 2"):
        wild(tmp_path, "00002.mp4,,neutral", "00004.mp4,,contempt", header=SHORT)


def test_the_words_and_the_published_counts() -> None:
    assert list(WORDS) == ORDER
    assert len(COMPOUND) == 43
    assert [CORPUS.tracks[name].published["clips"] for name in CORPUS.tracks] == [9172, 8996]
