"""Where transcripts come from."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.prompts.transcripts import transcripts
from running import ROOT

SETTINGS = params.load(ROOT / "params.yaml").train.language
TABLE = pd.DataFrame(
    {
        "file_path": ["a.mp4", "b.mp4"],
        "transcript": ["Hello.", ""],
        "start": [float("nan")] * 2,
        "end": [float("nan")] * 2,
    }
)


def test_none_are_looked_at_unless_asked_for() -> None:
    assert transcripts(TABLE, Path(), SETTINGS) == ["", ""]


def test_known_ones_are_the_tables() -> None:
    assert transcripts(TABLE, Path(), replace(SETTINGS, transcript="known")) == ["Hello.", ""]


def test_a_model_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    asked = replace(SETTINGS, transcript="speech", speech=str(tmp_path / "no model"))
    with pytest.raises(UserError):
        transcripts(TABLE, tmp_path, asked)
