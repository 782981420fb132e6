"""The exchange format of others, as its readers open it."""

from pathlib import Path

import numpy as np
import pytest

from facewave.app.export import export
from making import contents, run, toy, write_toy


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    write_toy(project, toy())
    return project


def test_usable_clips_as_an_array_of_dicts(holder: Path) -> None:
    done = run(holder, "-m", "facewave.app.cli", "export-npy", "out/all.npy", "--dataset", "demo")
    assert done.returncode == 0, done.stderr
    # Only here, where this very test had the file made, is a pickle read.
    records = np.load(holder / "out/all.npy", allow_pickle=True)
    assert (records.dtype, records.shape) == (np.dtype(object), (60,))

    folder = holder / "data/features/demo"
    features = {name: np.load(folder / f"{name}.npy") for name in ("landmarks", "blendshapes")}
    usable = ~np.isnan(features["blendshapes"]).any(axis=(1, 2))
    paths = [f"clips/{i:03}.mp4" for i in (1, *range(1, 60))]  # 000 shows no face
    assert [record["file_path"] for record in records] == paths
    for name, block in features.items():
        expected = block[usable]
        assert all(type(record[name]) is np.ndarray for record in records)
        assert all(record[name].dtype == np.float32 for record in records)
        np.testing.assert_array_equal(np.stack([record[name] for record in records]), expected)
    assert {tuple(record) for record in records} == {("file_path", "landmarks", "blendshapes")}

    assert "out/all.npy: 60 clips, landmarks (10, 478, 3), blendshapes (10, 52)" in done.stdout
    assert "pickle" in done.stdout
    assert "can run code" in done.stdout
    assert "trust" in done.stdout


def test_the_same_features_give_the_same_bytes(
    holder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(holder)
    for name in ("a", "b"):
        export("demo", Path(name) / "all.npy")
    assert contents(holder / "a") == contents(holder / "b")
    assert set(contents(holder / "a")) == {"all.npy"}


def test_without_features_a_sentence_and_exit_2(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "facewave.app.cli", "export-npy", "all.npy")
    assert done.returncode == 2
    assert done.stderr.startswith("facewave: data/features/demo/clips.csv is not here.")
    assert not (tmp_path / "all.npy").exists()
