from pathlib import Path

import pandas as pd
import pytest

from facewave.study import kept


def test_kept_runs_are_written_as_they_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "RUNS", tmp_path / "runs.csv")
    row = {"k": 5, "uar": 50.0, "uar_by_fold": "50.00", "val_uar_by_fold": "nan", "key": "1e5"}
    pd.DataFrame([row]).to_csv(kept.RUNS, index=False)
    assert pd.DataFrame([kept.runs()["1e5"]]).to_csv(index=False) == kept.RUNS.read_text()
