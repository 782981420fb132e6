"""The committed demo clips and table are what their README says."""

import csv
import io
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewave.labels.readers.dfew import WORDS
from facewave.sound import NO_SOUND, RATE, Sound
from facewave.video import Clip
from running import ROOT

DEMO = ROOT / "data/raw/demo"
VOTES = ["1happy", "2sad", "3neutral", "4angry", "5surprise", "6disgust", "7fear"]
GOOD = range(1, 85)
PLAYABLE = [*GOOD, 85, 86, 87, 88, 89, 93]
NO_INDEX, CUT_SHORT = 91, 92

Row = dict[str, str]


def read_rows() -> list[Row]:
    with (DEMO / "annotation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def by_order() -> dict[int, Row]:
    return {int(row["order"]): row for row in read_rows() if row["order"]}


def votes_of(row: Row) -> list[int]:
    return [int(row[name]) for name in VOTES]


def clip(order: int) -> Path:
    return DEMO / "clips" / f"{order}.mp4"


def read_video(path: Path) -> tuple[Clip, NDArray[Any]]:
    """A clip and its frames (T, H, W, 3)."""
    decoded = Clip(path, 0)
    return decoded, np.array([picture for _, _, picture in decoded.frames()])


def test_clips_and_nothing_else_are_there_and_small() -> None:
    found = {path.name for path in (DEMO / "clips").iterdir()}
    assert found == {f"{order}.mp4" for order in [*PLAYABLE, NO_INDEX, CUT_SHORT]}
    assert {path.name for path in DEMO.iterdir()} == {
        "affect.csv",
        "annotation.csv",
        "README.md",
        "clips",
    }
    sizes = [path.stat().st_size for path in DEMO.rglob("*") if path.is_file()]
    assert 2e6 < sum(sizes) < 12e6
    assert max(sizes) < 200e3


def test_clips_have_one_format_move_and_differ() -> None:
    for order in PLAYABLE:
        decoded, frames = read_video(clip(order))
        assert decoded.fps in (24, 25, 30)
        assert b"avc1" in clip(order).read_bytes()  # H.264
        assert frames.shape[1:] == (224, 224, 3)
        assert 1.0 <= len(frames) / decoded.fps <= 2.4 + 1 / decoded.fps
        assert len(frames) == decoded.declared_frames
        assert np.abs(frames[0].astype(float) - frames[len(frames) // 2]).mean() > 1
    assert len({clip(order).read_bytes() for order in GOOD}) == len(GOOD)


def test_the_generator_makes_the_committed_table_and_readme() -> None:
    from facewave.demo import table  # loads MediaPipe
    from facewave.demo.__main__ import SEED

    content = (DEMO / "annotation.csv").read_bytes()
    header = "1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear,order,label,subject\n"
    assert content.startswith(header.encode("ascii"))
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([table.COLUMNS, *table.rows(table.plans(SEED))])
    assert content == file.getvalue().encode("ascii")
    file = io.StringIO()
    rows = table.affect_rows(table.plans(SEED))
    csv.writer(file, lineterminator="\n").writerows([table.AFFECT_COLUMNS, *rows])
    assert (DEMO / "affect.csv").read_text("ascii") == file.getvalue()
    note = (DEMO / "README.md").read_text("utf-8")
    assert note == (ROOT / "src/facewave/demo/README.md").read_text("utf-8")
    faults = note.partition("what is wrong")[2]
    named = {int(number) for number in re.findall(r"\b\d+\b", faults)}
    assert named >= {*range(85, 94), table.COPIED, table.REPEATED, table.EMPTY_AFTER}


def test_good_rows_are_balanced_and_decided() -> None:
    rows = [by_order()[order] for order in GOOD]
    pairs = Counter((row["subject"], row["label"]) for row in rows)
    assert len(pairs) == 12 * 7
    assert set(pairs.values()) == {1}
    for row in rows:
        votes = votes_of(row)
        assert sum(votes) == 10
        assert votes[int(row["label"]) - 1] > 5
    labels = [row["label"] for row in rows]
    assert sum(a == b for a, b in pairwise(labels)) < 30  # not sorted


def test_dirty_rows() -> None:
    faulty = by_order()
    for order in (85, 86):
        assert faulty[order]["label"] == "0"
        assert max(votes_of(faulty[order])) <= 5
        assert sum(votes_of(faulty[order])) == 10
    assert sorted(votes_of(faulty[87]))[-2:] == [5, 5]
    assert faulty[87]["label"] != "0"
    assert votes_of(faulty[88])[WORDS.index("sad")] == 8
    assert faulty[88]["label"] == "1"
    rows = read_rows()
    empty = [i for i, row in enumerate(rows) if not any(row.values())]
    assert len(empty) == 1
    assert 10 < empty[0] < len(rows) - 10
    orders = Counter(row["order"] for row in rows if row["order"])
    (repeated,) = (order for order, n in orders.items() if n > 1)
    first, second = (row for row in rows if row["order"] == repeated)
    assert first == second
    assert not clip(90).exists()
    assert 90 in faulty


def test_numbers_follow_the_emotions_and_some_are_missing() -> None:
    with (DEMO / "affect.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    faulty = {85, 86, 87, 88, NO_INDEX, CUT_SHORT}
    assert [int(row["clip"]) for row in rows] == [*GOOD, *sorted(faulty)]
    units = [name for name in rows[0] if name.startswith("AU")]
    known = [row for row in rows if row["valence"]]
    assert {row["clip"] for row in known} >= {"85", "86", "87", "88"}
    for row in rows:
        assert bool(row["valence"]) == bool(row["arousal"])
        assert {row[name] for name in units} in ({""}, {"0"}, {"1"}, {"0", "1"})
        assert row["valence"] or row["AU12"]
    for lacking in ("valence", "AU12"):
        assert 0.1 < sum(not row[lacking] for row in rows) / len(rows) < 0.2
    words = {order: WORDS[int(row["label"]) - 1] for order, row in by_order().items()}
    means = {}
    for word in WORDS:
        points = [
            [float(row["valence"]), float(row["arousal"])]
            for row in known
            if int(row["clip"]) in GOOD and words[int(row["clip"])] == word
        ]
        means[word] = np.mean(points, axis=0)
        assert np.abs(means[word]).max() < 0.8
    assert np.abs(means["neutral"]).max() < 0.1
    assert means["happy"][0] > 0.4 > -0.3 > means["sad"][0]
    assert means["fear"][1] > 0.3 > 0 > means["sad"][1]
    smiles = [words[int(row["clip"])] for row in rows if row["AU12"] == "1"]
    assert smiles.count("happy") > 0.5 * len(smiles)


def test_clips_have_the_generator_s_voices_but_for_those_that_are_said_to_be_silent() -> None:
    from facewave.demo import clips, table, voices
    from facewave.demo.__main__ import SEED

    plans = table.plans(SEED)
    note = (DEMO / "README.md").read_text("utf-8")
    named = re.search(r"Clips ([\d, and]+) have no sound", note)
    assert named
    assert tuple(map(int, re.findall(r"\d+", named[1]))) == table.SILENT
    levels = {}
    for order in PLAYABLE:
        sound = Sound(clip(order))
        assert (sound.problem == NO_SOUND) == (order in table.SILENT), order
        if sound.problem or order == 89:  # a copy
            continue
        heard = np.concatenate(list(sound.pieces()))
        assert np.isfinite(heard).all()
        plan = plans[order]
        assert 0 <= len(heard) / RATE - clips.seconds(plan) < 0.07  # it ends with a whole frame
        made = voices.voice(plan, clips.seconds(plan))
        assert np.corrcoef(made, heard[: len(made)])[0, 1] > 0.95
        levels[order] = 20 * np.log10(made.std())
    rows = by_order()
    loud = {
        word: np.mean([levels[o] for o in levels if o in GOOD and int(rows[o]["label"]) == code])
        for code, word in enumerate(WORDS, 1)
    }
    assert loud["angry"] > loud["neutral"] > loud["sad"]


def test_the_copied_and_the_truncated_clips() -> None:
    same = [order for order in GOOD if clip(order).read_bytes() == clip(89).read_bytes()]
    assert len(same) == 1
    rows = by_order()
    for column in ("label", "subject"):
        assert rows[89][column] == rows[same[0]][column]
    assert Clip(clip(NO_INDEX), 0).problem.startswith("an MP4 file without its index")
    decoded, frames = read_video(clip(CUT_SHORT))
    assert 0 < len(frames) < 0.9 * decoded.declared_frames
