"""The contract of data/answers/: what is written is read, and damage is named with its row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.prediction import schema
from facewave.prediction.schema import Models
from facewave.targets import Target, number
from making import words

CLASSES, VALENCE = words("happy", "sad"), number("valence")
UNITS = Target("aus", "presence", ("AU1", "AU12"))
SEX = Target("about.sex", "words", ("f", "m"))
WORDS = Models("tiny", "made", (CLASSES,), {"model": {"kind": "mlp"}})
NUMBERS = Models("tiny", "made", (VALENCE,), {"model": {"kind": "smolvlm", "prompt": "?"}})
ALL = Models("tiny", "made", (VALENCE, CLASSES, UNITS, SEX), {"model": {"kind": "mlp"}, "own": {}})


def answers(**columns: object) -> pd.DataFrame:
    about = {"partition": "1", "role": "model", "video_idx": ["007", "NA"], "file_path": "a.mp4"}
    return pd.DataFrame(about | {"subject": "", "source": "", "answered_from": "face"} | columns)


def of_valence(**columns: object) -> dict[str, Any]:
    answered: dict[str, object] = {"predicted_valence": [0.123456, -1]}
    answered |= {"low_valence": [np.nan, -1], "high_valence": [np.nan, -0.123456]}
    return {"actual_valence": [0.123456, np.nan]} | answered | columns


def of_words(**columns: object) -> dict[str, Any]:
    labels = {"actual": "happy", "predicted": ["sad", schema.UNREADABLE], "extra": 1}
    return {"p_happy": [0.123456, 0.5], "p_sad": [0.876544, 0.5], **labels} | columns


@pytest.fixture
def both() -> pd.DataFrame:
    """Of two roles, of which the second answers with units alone."""
    units = {"actual_AU1": [1, np.nan], "actual_AU12": [0, np.nan], "predicted_AU12": [0.5, 0.25]}
    units |= {"predicted_AU1": [0.75, 0.0]}
    sex: dict[str, object] = {"actual_about.sex": ["f", ""], "predicted_about.sex": "m"}
    sex |= {"p_about.sex_f": 0.25, "p_about.sex_m": 0.75}
    table = answers(**of_words(actual=["happy", ""]), **of_valence(), **units, **sex)
    unanswered = [*VALENCE.numbers, *VALENCE.ends, *CLASSES.numbers, *SEX.numbers]
    other = table.assign(role="own", predicted="", **dict.fromkeys(unanswered, np.nan))
    return pd.concat([table, other.assign(**{"predicted_about.sex": ""})], ignore_index=True)


def test_answers_of_all_kinds_of_targets_come_back(tmp_path: Path, both: pd.DataFrame) -> None:
    for table, models in (
        (answers(**of_words()), WORDS),
        (answers(**of_valence()), NUMBERS),
        (both, ALL),
    ):
        schema.write(table, models, tmp_path)
        found, about = schema.read(tmp_path)
        assert about == models
        assert list(found) == schema.columns(models)
        models_own = [name for t in models.targets for name in (*t.numbers, *t.ends)]
        expected = table[schema.columns(models)].round(dict.fromkeys(models_own, 4))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert WORDS.language is None
    assert NUMBERS.language == {"kind": "smolvlm", "prompt": "?"}
    assert (WORDS.title, NUMBERS.kind) == ("tiny: made", "smolvlm")
    assert (ALL.classes, NUMBERS.classes) == (("happy", "sad"), ())


def test_rows_of_a_target_are_those_of_clips_that_have_it_and_roles_that_answer_it(
    both: pd.DataFrame,
) -> None:
    rows = {t.name: schema.answering(both, t)[["role", "video_idx"]] for t in ALL.targets}
    assert {name: some.to_numpy().tolist() for name, some in rows.items()} == {
        "valence": [["model", "007"]],
        "classes": [["model", "007"]],
        "aus": [["model", "007"], ["own", "007"]],
        "about.sex": [["model", "007"]],
    }


def test_damage_is_reported_with_its_row(tmp_path: Path, both: pd.DataFrame) -> None:
    table = answers(**of_words())
    damages = {
        "role svm: a role that": table.assign(role="svm"),
        "clip 007, partition 1, role model: a second answer": table.assign(video_idx="007"),
        "clip NA, .*: a number of classes is missing": table.assign(p_sad=[1, float("inf")]),
        "a label of classes that is none": table.assign(actual="fear"),
        "an answer to classes that is none": table.assign(predicted="fear"),
    }
    for message, damaged in damages.items():
        schema.write(damaged, WORDS, tmp_path)
        with pytest.raises(UserError, match=f"is damaged .*{message}.*dvc repro -f predict"):
            schema.read(tmp_path)
    schema.write(both.assign(predicted_AU1=[0.5, np.nan, 0.5, 0.5]), ALL, tmp_path)
    with pytest.raises(UserError, match=r"clip NA, .*, role model: a number of aus is missing"):
        schema.read(tmp_path)
    schema.write(table, WORDS, tmp_path)
    lines = (tmp_path / schema.ANSWERS).read_text().replace("p_sad", "p_fear")
    (tmp_path / schema.ANSWERS).write_text(lines)
    with pytest.raises(UserError, match="column 'p_sad' is missing"):
        schema.read(tmp_path)
    for file, content in ((schema.MODELS, b"{"), (schema.MODELS, b"{}"), (schema.ANSWERS, b"\xff")):
        schema.write(table, WORDS, tmp_path)
        (tmp_path / file).write_bytes(content)
        with pytest.raises(UserError, match="is damaged"):
            schema.read(tmp_path)
        (tmp_path / file).unlink()
        with pytest.raises(UserError, match=rf"{file} is missing.*: dvc repro predict"):
            schema.read(tmp_path)
