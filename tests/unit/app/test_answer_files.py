"""Tables of answers from elsewhere: which clip a row is about, what it says, what is wrong."""

from pathlib import Path

import pandas as pd
import pytest

from facewave.app.answer_files import read
from facewave.errors import UserError
from facewave.labels.readers import CORPORA

WORDS = CORPORA["abaw_compound"].tracks["compound"].words
CLIPS = pd.DataFrame(
    [
        ("cexpr/01/00001", "cexpr/cropped_aligned/01", "k1"),
        ("cexpr/01/00010", "cexpr/cropped_aligned/01", "k1"),
        ("cexpr/12_left/00001", "cexpr/cropped_aligned/12_left", "k2"),
        ("raf/test_0001", "raf/aligned/test_0001.jpg", "k3"),
    ],
    columns=["video_idx", "file_path", "key"],
)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "api.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_frames_are_named_as_the_challenge_does_and_answers_are_free_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, "image_location,answer,model",
        '01/00010.jpg,"Surprised, with fear.",x', "12_left/1.jpg,I cannot tell,x",
        "aligned/test_0001.jpg,a sad and angry man,x", "02/00001.jpg,Sadly Angry,x",
        "01/00010.jpg,Sadly Angry,x", ",,", "01/00002.jpg,Sadly Angry,x",
    )  # fmt: skip
    rows, problems = read(path, CLIPS, WORDS)
    assert rows["video_idx"].tolist() == [CLIPS["video_idx"][at] for at in (1, 2, 3)]
    assert rows["predicted"].tolist() == ["Fearfully_Surprised", "", "Sadly_Angry"]
    assert rows["origin"].tolist() == ["answer", "refused", "answer"]
    assert rows["source"].tolist() == [f"api.csv, row {row}" for row in (2, 3, 4)]
    assert rows["confidence"].isna().all()
    assert problems == [
        "no word, or no single one, which counts as a refusal: 1 row (3).",
        "no clip of the dataset: 2 rows (5, 8).",
        "a clip that a row before it answers: 1 row (6).",
    ]


def test_words_with_confidence_and_probabilities(tmp_path: Path) -> None:
    path = write(
        tmp_path, "video_idx;predicted;confidence;p_Sadly_Angry;p_Sadly_Fearful",
        "cexpr/01/00001;Sadly_Angry;0.5;0.7;0.3", "raf/test_0001;Sadly Fearful;;0.25;0.75",
        "cexpr/01/00010;;;;", "cexpr/12_left/00001;Delighted;0.9;0;0",
    )  # fmt: skip
    rows, problems = read(path, CLIPS, WORDS)
    assert rows["predicted"].tolist() == ["Sadly_Angry", "", "Sadly_Fearful"]
    assert rows["confidence"].fillna(-1).tolist() == [0.5, -1, 0.75]
    assert rows["p_Sadly_Angry"].fillna(-1).tolist() == [0.7, -1, 0.25]
    assert problems == ["a word that is none of the classes: 1 row (5)."]


def test_where_there_is_no_word_the_free_text_counts(tmp_path: Path) -> None:
    path = write(
        tmp_path, "video_idx,answer,predicted", "cexpr/01/00001,a sad and angry man,",
        "cexpr/01/00010,a sad and angry man,Sadly Fearful", "raf/test_0001,sadly angry,happy",
    )  # fmt: skip
    rows, problems = read(path, CLIPS, WORDS)
    assert rows["predicted"].tolist() == ["Sadly_Angry", "Sadly_Fearful"]
    assert problems == ["a word that is none of the classes: 1 row (4)."]


def test_a_file_of_which_several_rows_are_parts_is_no_clip(tmp_path: Path) -> None:
    lines = ("file_path,answer", "raf/aligned/test_0001.jpg,sadly angry")
    rows, problems = read(write(tmp_path, *lines), CLIPS, WORDS)
    assert (rows["video_idx"].tolist(), problems) == (["raf/test_0001"], [])
    path = write(tmp_path, *lines, "cexpr/cropped_aligned/01,sadly angry")
    assert read(path, CLIPS, WORDS)[1] == ["one name of several clips: 1 row (3)."]


def test_mistakes_get_a_sentence(tmp_path: Path) -> None:
    for lines, match in (
        (("clip,answer", "a,b"), r"header should have video_idx, file_path or image_location"),
        (("video_idx,text", "a,b"), "and predicted or answer, for what is said"),
        (
            ("video_idx,answer", "a,b"),
            r"answer to a clip \(no clip of the dataset: 1 row \(2\)\)\. video_idx should be as in "
            r"the label table, such as cexpr/01/00001\.$",
        ),
        (("file_path,answer", "a,b"), r"\. file_path should be .* as cexpr/cropped_aligned/01\.$"),
        (
            ("image_location,answer", "a.jpg,b"),
            r"the end of a clip's name, such as cexpr/01/00001 or cexpr/cropped_aligned/01\.$",
        ),
        (
            ("video_idx,answer,p_Sadly_Angry", "raf/test_0001,sad,75"),
            r"p_Sadly_Angry is not from 0 to 1 \(is it percent\?\): 1 row \(2\)",
        ),
        (
            ("video_idx,answer,confidence", "raf/test_0001,sad,high"),
            "confidence is 'high', not a number: 1 row",
        ),
        (("video_idx,answer",), "has no rows"),
    ):
        with pytest.raises(UserError, match=match):
            read(write(tmp_path, *lines), CLIPS, WORDS)
    with pytest.raises(UserError, match=r"nowhere\.csv is not here\. Name a table of .* --answers"):
        read(tmp_path / "nowhere.csv", CLIPS, WORDS)
