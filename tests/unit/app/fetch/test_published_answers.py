"""Published answers of two forms become tables that name the classes."""

import json
from pathlib import Path

import numpy as np
import pytest

from facewave.app.fetch import published
from facewave.errors import UserError
from facewave.labels.readers.ravdess import WORDS


def write(folder: Path) -> None:
    """Both models' files in small: a clip a fold, each right and sure."""
    (folder / "published").mkdir(parents=True)
    for fold in range(1, 6):
        clip = f"01-01-0{fold}-01-01-01-0{fold}"
        sure = [str(float(code == fold - 1)) for code in range(8)]
        lines = [";".join([*(f"embs{n}" for n in range(8)), "video_name"]), ";".join([*sure, clip])]
        (folder / f"published/mean_au_mlp_fold{fold - 1}.csv").write_text("\n".join(lines) + "\n")
        logits = [9.0 if word == WORDS[fold - 1] else -1.0 for word in sorted(WORDS)]
        line = f'{clip}.csv,"{json.dumps(logits)}"\n'
        (folder / f"published/au_bilstm_fold{fold}.csv").write_text(line)


def test_both_forms_name_the_same_classes(tmp_path: Path) -> None:
    write(tmp_path)
    tables = published.read(tmp_path)
    assert list(tables) == ["mean_au_mlp", "au_bilstm"]
    for table in tables.values():
        assert list(table.columns) == ["video_idx", "fold", *(f"p_{word}" for word in WORDS)]
        assert table["fold"].tolist() == [1, 2, 3, 4, 5]
        assert table["video_idx"][4] == "01-01-05-01-01-01-05"
        numbers_nC = table.filter(like="p_").to_numpy()
        assert numbers_nC.argmax(1).tolist() == [0, 1, 2, 3, 4]
        assert numbers_nC.sum(1) == pytest.approx(np.ones(5))


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    for name, content in (
        ("mean_au_mlp_fold2", "a;b\n1;2\n"),
        ("au_bilstm_fold3", 'a.csv,"[1, 2]"\n'),
        ("au_bilstm_fold1", "a.csv,[\n"),
    ):
        path = tmp_path / f"published/{name}.csv"
        before = path.read_text()
        path.write_text(content)
        with pytest.raises(UserError, match=f"{name}.csv is not as it was published"):
            published.read(tmp_path)
        path.write_text(before)
