"""A dataset's numbers as one table, and in the exchange format of other projects."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave.app.export import channels
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


def test_labels_and_features_are_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    write_toy(tmp_path, toy())
    labels = pd.read_csv("data/labels/demo.csv", dtype={"video_idx": str})
    labels.loc[[2], "video_idx"] = labels.loc[[7], "video_idx"].to_numpy()
    labels.loc[2, "excluded"] = "duplicate"  # of row 7
    labels.to_csv("data/labels/demo.csv", index=False)
    assert facewave("export", "demo", "--out", "all.parquet") == 0
    assert "all.parquet: 61 clips," in capsys.readouterr().out
    assert facewave("export", "demo", "--out", "some.csv", "--blocks", "head,blendshapes") == 0
    whole, some = pd.read_parquet("all.parquet"), pd.read_csv("some.csv")
    assert list(whole)[: labels.shape[1] + 2] == [*labels, "usable", "reason"]
    assert whole["video_idx"].tolist() == labels["video_idx"].tolist()
    blocks = {name: np.load(f"data/features/demo/{name}.npy")
              for name in ("blendshapes", "landmarks", "pose_free", "head", "timing")}  # fmt: skip
    config = json.loads(Path("data/features/demo/config.json").read_text("utf-8"))
    jaw = config["blendshapes"].index("jawOpen")
    ids = pd.read_csv("data/features/demo/clips.csv", dtype={"video_idx": str})["video_idx"]
    at = [ids.tolist().index(name) for name in whole["video_idx"]]
    usable = ~np.isnan(blocks["blendshapes"][at]).any(axis=(1, 2))
    usable[2] = False
    assert whole["usable"].tolist() == usable.tolist()
    for column, values in (
        ("blendshapes.3.jawOpen", blocks["blendshapes"][:, 3, jaw]),
        ("landmarks.0.y_477", blocks["landmarks"][:, 0, 477, 1]),
        ("pose_free.9.z_0", blocks["pose_free"][:, 9, 0, 2]),
        ("head.1.rotation_y", blocks["head"][:, 1, 1]),
        ("head.0.size", blocks["head"][:, 0, 6]),
        ("timing.0.log2_fps", blocks["timing"][:, 0, 1]),
    ):
        expected = np.where(usable, values[at], np.nan)
        np.testing.assert_allclose(whole[column], expected, rtol=1e-6)
    numbers = [column for column in some if column.count(".") == 2]
    assert {column.split(".")[0] for column in numbers} == {"blendshapes", "head"}
    np.testing.assert_allclose(some[numbers], whole[numbers], rtol=1e-6)
    for name in ("same.parquet", "same.csv"):
        for folder in ("once", "again"):
            assert facewave("export", "demo", "--out", f"{folder}/{name}", "--blocks", "head") == 0
        assert Path("again", name).read_bytes() == Path("once", name).read_bytes()
    capsys.readouterr()
    for words, sentence in (
        (["--out", "a.npy"], "--out is a.npy; name a .csv or .parquet file"),
        (
            ["--out", "a.csv", "--blocks", "gaze"],
            "--blocks names gaze; data/features/demo has",
        ),
    ):
        assert facewave("export", "demo", *words) == 2
        assert sentence in capsys.readouterr().err


def test_merged_points_keep_their_numbers() -> None:
    config = {"sides": "merged", "encoder": {"channels": {"expression": ["happy", "sad"]}},
              "functionals": ["AU01_mean", "AU12_mean"]}  # fmt: skip
    shapes = {"landmarks": (1, 7, 253, 3), "expression": (1, 7, 2), "functionals": (1, 1, 2),
              "other": (1, 7, 3)}  # fmt: skip
    features: Any = SimpleNamespace(
        config=config, blocks={name: np.zeros(shape) for name, shape in shapes.items()}
    )
    names = channels("landmarks", features)
    assert len(names) == 253 * 3
    assert names[-3:] == ["x_472", "y_472", "z_472"]
    assert channels("expression", features) == ["happy", "sad"]
    assert channels("functionals", features) == ["AU01_mean", "AU12_mean"]
    assert channels("other", features) == ["0", "1", "2"]
