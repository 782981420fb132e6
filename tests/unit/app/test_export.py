"""The exchange format of other projects, as its readers open it."""

from pathlib import Path

import numpy as np
import pytest

from making import toy, write_params, write_toy
from running import facewave


def test_usable_clips_as_an_array_of_dicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    assert facewave("export-npy", "all.npy") == 2
    assert capsys.readouterr().err.startswith("facewave: data/features/demo/clips.csv is not here.")
    assert not Path("all.npy").exists()

    write_toy(tmp_path, toy())
    assert facewave("export-npy", "out/all.npy", "--dataset", "demo") == 0
    printed = capsys.readouterr().out
    assert "out/all.npy: 60 clips, landmarks (10, 478, 3), blendshapes (10, 52)" in printed
    assert "pickle" in printed
    assert "can run code" in printed
    assert "trust" in printed

    # Only here, where this very test had the file made, is a pickle read.
    records = np.load("out/all.npy", allow_pickle=True)
    assert (records.dtype, records.shape) == (np.dtype(object), (60,))
    features = {name: np.load(f"data/features/demo/{name}.npy")
                for name in ("landmarks", "blendshapes")}  # fmt: skip
    usable = ~np.isnan(features["blendshapes"]).any(axis=(1, 2))
    paths = [f"clips/{i:03}.mp4" for i in (1, *range(1, 60))]  # 000 shows no face
    assert [record["file_path"] for record in records] == paths
    for name, block in features.items():
        assert all(type(record[name]) is np.ndarray for record in records)
        assert all(record[name].dtype == np.float32 for record in records)
        np.testing.assert_array_equal([record[name] for record in records], block[usable])
    assert {tuple(record) for record in records} == {("file_path", "landmarks", "blendshapes")}

    config = Path("data/features/demo/config.json")
    apart = config.read_text("utf-8")
    config.write_text(apart.replace('"sides": "apart"', '"sides": "merged"'), "utf-8")
    assert facewave("export-npy", "merged/all.npy") == 2
    assert "left and right merged. Set wavelets.sides: apart" in capsys.readouterr().err
    assert not Path("merged").exists()
    config.write_text(apart, "utf-8")
    assert facewave("export-npy", "again/all.npy") == 0
    assert Path("again/all.npy").read_bytes() == Path("out/all.npy").read_bytes()
