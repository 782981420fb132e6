"""The contract of data/answers/: what is written is read, and damage is named with its row."""

from pathlib import Path

import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.prediction import schema
from facewave.prediction.schema import Models

WORDS = Models("tiny", "made", ("happy", "sad"), (), {"model": {"kind": "mlp"}})
NUMBERS = Models("tiny", "made", (), ("valence",), {"model": {"kind": "smolvlm", "prompt": "?"}})


def answers(**columns: object) -> pd.DataFrame:
    about = {"partition": "1", "role": "model", "video_idx": ["007", "NA"], "file_path": "a.mp4"}
    return pd.DataFrame(about | {"subject": "", "source": "", "answered_from": "face"} | columns)


@pytest.fixture
def words() -> pd.DataFrame:
    labels = {"actual": "happy", "predicted": ["sad", schema.UNREADABLE], "extra": 1}
    return answers(p_happy=[0.123456, 0.5], p_sad=[0.876544, 0.5], **labels)


def test_answers_of_classes_and_of_targets_come_back(tmp_path: Path, words: pd.DataFrame) -> None:
    numbers = answers(actual_valence=[0.123456, None], predicted_valence=[0.123456, -1])
    for table, models in ((words, WORDS), (numbers, NUMBERS)):
        schema.write(table, models, tmp_path)
        found, about = schema.read(tmp_path)
        assert about == models
        assert list(found) == schema.columns(models)
        models_own = [name for name in found if name.startswith(("p_", "predicted_"))]
        expected = table[schema.columns(models)].round(dict.fromkeys(models_own, 4))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert WORDS.language is None
    assert NUMBERS.language == {"kind": "smolvlm", "prompt": "?"}
    assert (WORDS.title, NUMBERS.kind) == ("tiny: made", "smolvlm")


def test_damage_is_reported_with_its_row(tmp_path: Path, words: pd.DataFrame) -> None:
    damages = {
        "role svm: a role that": words.assign(role="svm"),
        "clip 007, partition 1, role model: a second answer": words.assign(video_idx="007"),
        "clip NA, .*: a number is missing": words.assign(p_sad=[1, float("inf")]),
        "a label that is none": words.assign(actual="fear"),
        "an answer that is none": words.assign(predicted="fear"),
    }
    for message, table in damages.items():
        schema.write(table, WORDS, tmp_path)
        with pytest.raises(UserError, match=f"is damaged .*{message}.*dvc repro -f predict"):
            schema.read(tmp_path)
    schema.write(words, WORDS, tmp_path)
    lines = (tmp_path / schema.ANSWERS).read_text().replace("p_sad", "p_fear")
    (tmp_path / schema.ANSWERS).write_text(lines)
    with pytest.raises(UserError, match="column 'p_sad' is missing"):
        schema.read(tmp_path)
    for file, content in ((schema.MODELS, b"{"), (schema.MODELS, b"{}"), (schema.ANSWERS, b"\xff")):
        schema.write(words, WORDS, tmp_path)
        (tmp_path / file).write_bytes(content)
        with pytest.raises(UserError, match="is damaged"):
            schema.read(tmp_path)
        (tmp_path / file).unlink()
        with pytest.raises(UserError, match=rf"{file} is missing.*: dvc repro predict"):
            schema.read(tmp_path)
