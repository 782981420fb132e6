"""``facewave submission``: a line a frame, from answers to some of them, and what it refuses."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from corpora import write_clip, write_pictures
from facewave.app.submission import Answers, answers_of
from facewave.labels import challenge
from facewave.labels.schema import COMPOUND
from making import REPOSITORY
from running import facewave

FEAR, HAPPY, SAD, ANGRY = COMPOUND[0], COMPOUND[1], COMPOUND[2], COMPOUND[4]
PARTS: list[dict[str, Any]] = [
    {"reader": "raf_db", "root": "raf", "track": "compound", "part": "train"},
    {"reader": "abaw_compound", "root": "cexpr", "part": "train", "every": 3},
    {"reader": "abaw_compound", "root": "seen", "part": "test", "table": "labels.txt"},
]
ENTRIES: dict[str, dict[str, Any]] = {
    "cexpr": {"reader": "abaw_compound", "root": "data/raw/cexpr", "every": 3, "fps": 10.0},
    "both": {"reader": "union", "root": "data/raw", "track": "compound", "parts": PARTS},
    "twice": {
        "reader": "union",
        "root": "data/raw",
        "parts": [PARTS[1], PARTS[1] | {"root": "other"}],
    },
}
Submit = Callable[..., tuple[int, str]]


@pytest.fixture
def submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Submit:
    """The command in a project of two videos, the second with a hole; gives code and output."""
    monkeypatch.chdir(tmp_path)
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((REPOSITORY / "params.yaml").read_text("utf-8"))
    content["datasets"] |= {name: entry | {"about": "a test"} for name, entry in ENTRIES.items()}
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    write_clip(tmp_path / "data/raw/cexpr/01.mp4", 1)  # five frames
    write_pictures(tmp_path / "data/raw/cexpr/02", (f"{i:05d}.png" for i in (2, 3, 8, 9)), 2)

    def call(dataset: str = "cexpr", *more: str) -> tuple[int, str]:
        code = facewave("submission", dataset, "--track", "t", "--out", "p.txt", *more)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def write_track(answers: Mapping[str, str], dataset: str = "cexpr", **columns: Any) -> None:
    path = Path(f"data/tracks/{dataset}/t.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame({"video_idx": list(answers), "predicted": list(answers.values())})
    table.assign(**columns).to_csv(path, index=False)


def written() -> dict[str, str]:
    """The word of each picture of the file."""
    rows = [row for _, row in challenge.read(Path("p.txt"))]
    words = {row["0"]: challenge.label(row["1"])["word"] for row in rows}
    assert len(words) == len(rows)
    return words


def test_every_frame_of_every_video_has_the_nearest_answer(submit: Submit) -> None:
    write_track({"02/00009": ANGRY, "01/00001": FEAR, "01/00005": "Happily Surprised",
                 "02/00003": SAD, "02/00002": ""})  # fmt: skip
    code, said = submit()
    assert code == 0
    assert written() == {
        "01/00001.jpg": FEAR, "01/00002.jpg": FEAR, "01/00003.jpg": FEAR,  # two are as near
        "01/00004.jpg": HAPPY, "01/00005.jpg": HAPPY,
        "02/00002.png": SAD,  # refused
        "02/00003.png": SAD, "02/00008.png": ANGRY, "02/00009.png": ANGRY,
    }  # fmt: skip
    assert list(written()) == sorted(written())
    assert "p.txt: 9 frames of 2 videos; 4 are answered, the others as the nearest\n" in said
    assert f"{FEAR} 3, {HAPPY} 2, {SAD} 2, " in said


def test_an_answer_that_saw_no_face_counts_only_where_there_is_no_other(submit: Submit) -> None:
    answers = {"01/00001": FEAR, "01/00004": HAPPY, "02/00002": SAD}
    write_track(answers, answered_from=["face", "prior", "prior"])
    assert submit()[0] == 0
    assert set(written().values()) == {FEAR, SAD}


def test_where_no_face_was_seen_the_answer_of_the_moment_before_counts(submit: Submit) -> None:
    answers = {"01/00001": FEAR, "01/00004": FEAR, "01/00005": HAPPY, "02/00002": SAD}
    seen = ["face", "prior", "face", "prior"]
    for origin, word in (("previous", FEAR), ("prior", HAPPY)):
        write_track(answers, origin=["answer", origin, "answer", "prior"], answered_from=seen)
        assert submit()[0] == 0
        assert written()["01/00004.jpg"] == word


def test_in_a_union_the_part_without_labels_is_meant(submit: Submit) -> None:
    answers = {"cexpr/01/00001": FEAR, "cexpr/02/00002": SAD}
    write_track(answers | {"raf/train_1": HAPPY, "seen/01/00001": ANGRY}, "both")
    assert submit("both")[0] == 0
    assert next(iter(written())) == "01/00001.jpg"
    assert set(written().values()) == {FEAR, SAD}


def test_a_median_filter_takes_out_what_is_alone(submit: Submit) -> None:
    answers = {f"01/0000{i}": FEAR for i in range(1, 6)} | {"02/00002": SAD}
    answers["01/00003"] = HAPPY
    shares = [[0.9, 0.1, 0]] * 2 + [[0.2, 0.8, 0]] + [[0.9, 0.1, 0]] * 2 + [[None] * 3]
    columns = {f"p_{word}": [row[i] for row in shares] for i, word in enumerate(COMPOUND[:3])}
    write_track(answers, "cexpr", **columns)
    for seconds, word in (("0", HAPPY), ("0.07", HAPPY), ("0.08", FEAR), ("9", FEAR)):
        assert submit("cexpr", "--median-s", seconds)[0] == 0  # 25 frames a second
        assert written()["01/00003.jpg"] == word, seconds
        assert set(written().values()) == {FEAR, word, SAD}


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_filter_is_the_median_of_the_answers_around_a_frame(data: st.DataObject) -> None:
    times = sorted(data.draw(st.sets(st.integers(0, 20), min_size=1, max_size=12)))
    count = len(times)
    some = st.lists(st.integers(0, count - 1), min_size=1, max_size=count, unique=True)
    at_n = np.array(sorted(data.draw(some)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    shares_nC = rng.dirichlet(np.ones(7), len(at_n))
    reach = data.draw(st.integers(0, 14))
    answers = Answers(at_n, shares_nC.argmax(1), shares_nC)
    found = answers_of(answers, np.array(times) / 25, median_s=2 * reach / 25)
    distance = np.abs(np.array(times)[:, None] - np.array(times)[at_n])
    of_frame = shares_nC[distance.argmin(axis=1)]  # of two as near the first
    near = [[abs(other - time) <= reach for other in times] for time in times]
    assert found.tolist() == [int(np.median(of_frame[row], axis=0).argmax()) for row in near]


def test_of_equals_the_frame_s_own_answer_is_taken(submit: Submit) -> None:
    write_track({"01/00001": SAD, "01/00002": ANGRY, "01/00003": HAPPY, "02/00002": SAD})
    assert submit("cexpr", "--median-s", "0.08")[0] == 0  # no word has a majority of three
    assert [written()[f"01/0000{i}.jpg"] for i in (1, 2)] == [SAD, ANGRY]


def test_a_mistake_gets_a_sentence_and_the_older_file_stays(submit: Submit) -> None:
    both = {"01/00001": FEAR, "02/00002": SAD}
    Path("p.txt").write_text("older", "utf-8")
    cases: list[tuple[dict[str, str], str]] = [
        (
            both | {"01/00001": ""},
            "t.csv: video 01 has no answer, and the file needs one for every",
        ),
        ({"01/00001": FEAR, "elsewhere": SAD}, "t.csv: video 02 has no answer"),
        (both | {"02/00002": "happy"}, "the answer to 02/00002, 'happy', is none of the seven"),
    ]
    for answers, sentence in cases:
        write_track(answers)
        code, said = submit()
        assert (code, sentence in said) == (2, True), said
        assert said.count("\n") == 1
    write_track(both, p_Sadly_Angry=["x", "y"])
    assert "t.csv is no table of answers (" in submit()[1]
    path = Path("data/tracks/cexpr/t.csv")
    path.write_text("video_idx,said\n01/00001,x\n", "utf-8")
    assert "it needs the columns video_idx and predicted" in submit()[1]
    path.write_text(f"video_idx,predicted\n01/00001,{SAD}\n01/00001,{SAD}\n", "utf-8")
    assert "t.csv: 01/00001 is answered twice" in submit()[1]
    path.unlink()
    assert "Make it: facewave pseudo-label cexpr --track t" in submit()[1]
    assert "datasets.demo has no videos of the challenge" in submit("demo")[1]
    assert "several parts of the challenge's videos, cexpr, other" in submit("twice")[1]
    assert "there is no dataset 'nowhere'" in submit("nowhere")[1]
    assert Path("p.txt").read_text("utf-8") == "older"
