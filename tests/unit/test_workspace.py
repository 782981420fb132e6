"""One handle for a dataset: where its files are, and which clips have which numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.labels.readers.dfew import WORDS
from facewave.params import Block
from facewave.workspace import Clips, Dataset, pack, people_in, side_by_side
from making import (
    ABOUT,
    Toy,
    toy,
    trajectory,
    write_landmarks,
    write_params,
    write_toy,
    write_video,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Toy]:
    """A project of a few clips, the first of which shows no face."""
    folder, clips = tmp_path_factory.mktemp("workspace"), toy(n_subjects=2)
    write_params(folder)
    write_toy(folder, clips)
    names = ["undecided", *clips.table["video_idx"]]
    gaps = [(), range(12)] + 5 * [()]
    trajectories = {
        name: trajectory(12, seed=i, gaps=tuple(g))
        for i, (name, g) in enumerate(zip(names, gaps, strict=True))
    }
    write_landmarks(folder, trajectories, unusable=("000",))
    write_video(folder / "data/raw/demo/clips/001.mp4")
    return folder, clips


@pytest.fixture
def dataset(made: tuple[Path, Toy], monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.chdir(made[0])
    return Dataset("demo", params.load())


def test_a_dataset_knows_its_files_and_classes(dataset: Dataset) -> None:
    for path in (dataset.labels, dataset.landmarks, dataset.features, dataset.root):
        assert path.exists()
    assert dataset.pack == pack("demo") == Path("data/trajectories/demo")
    assert (dataset.folds.name, dataset.tracks) == ("demo.folds.json", Path("data/tracks/demo"))
    assert dataset.title == f"demo ({ABOUT})"
    assert dataset.classes == WORDS
    assert len(dataset.read_labels()) == len(dataset.read_index()) == 7
    assert len(dataset.read_features().clips) == 7
    with pytest.raises(UserError, match="there is no dataset 'nowhere'"):
        Dataset("nowhere", params.load())


def test_its_clips_are_the_rows_with_one_label_beside_their_numbers(
    made: tuple[Path, Toy], dataset: Dataset
) -> None:
    clips, blendshapes = dataset.clips(), made[1].blendshapes
    assert clips.table["video_idx"].tolist() == made[1].table["video_idx"].tolist()
    assert clips.table["usable"].tolist() == [False] + 5 * [True]
    numbers = clips.inputs(["blendshapes"])
    assert np.isnan(numbers[0]).all()
    np.testing.assert_array_equal(numbers[1:], blendshapes[1:])
    assert clips.widths(["head", "landmarks"]) == (7, 478 * 3)
    some = dataset.clips(dataset.read_labels().iloc[[3, 0]], dataset.read_features())
    assert some.table["video_idx"].tolist() == ["002", "undecided"]
    np.testing.assert_array_equal(some.inputs(["blendshapes"])[0], blendshapes[2])
    assert len(dataset.clips(dataset.read_labels().iloc[:0])) == 0


def test_clips_are_selected_by_masks_and_by_positions(dataset: Dataset) -> None:
    clips = dataset.clips()
    is_usable = clips.table["usable"]
    for rows in (is_usable, is_usable.to_numpy(), is_usable.tolist(), [1, 2, 3, 4, 5]):
        some = clips.select(rows)
        assert some.table["video_idx"].tolist() == ["001", "002", "003", "004", "005"]
        assert np.isfinite(some.inputs(["blendshapes", "timing"])).all()
        assert some.inputs(["blendshapes", "timing"]).shape == (5, 10, 54)
    assert clips.select([4, 1]).table["video_idx"].tolist() == ["004", "001"]
    assert len(clips.select([])) == 0
    assert clips.select([]).inputs(["head"]).shape == (0, 10, 7)
    assert len(clips) == 6


def test_a_clip_has_its_trajectory_and_its_pictures(dataset: Dataset) -> None:
    clips = dataset.clips()
    found = clips.trajectory("001")
    assert found is not None
    np.testing.assert_array_equal(found.times_T, trajectory(12, seed=2).times_T)
    nowhere = clips.index.assign(row_group=pd.NA)
    bare = Clips(clips.table, {}, clips.root, 25.0, clips.trajectories, nowhere, {})
    assert bare.trajectory("001") is None
    assert len(list(clips.video("clips/001.mp4").frames())) == 12


def test_blocks_are_side_by_side_in_their_order() -> None:
    blocks: dict[Block, np.ndarray] = {
        "landmarks": np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2),
        "blendshapes": -np.arange(4, dtype=np.float32).reshape(2, 2, 1),
    }
    both = side_by_side([blocks["blendshapes"], blocks["landmarks"]])
    assert both.shape == (2, 2, 7)
    assert both[1].tolist() == [[-2, 12, 13, 14, 15, 16, 17], [-3, 18, 19, 20, 21, 22, 23]]
    assert both.dtype == np.float32
    assert side_by_side([np.zeros((0, 4, 7), np.float32)]).shape == (0, 4, 7)


def test_a_clip_that_stands_in_two_rows_is_one_of_its_person() -> None:
    table = pd.DataFrame(
        {"usable": [True, True, True, False], "subject": ["a", "a", "", "a"], "at": [3, 3, 4, 5]}
    )
    assert {name: at.tolist() for name, at in people_in(table).items()} == {"a": [3]}


def test_a_model_judges_clips_by_what_of_its_inputs_they_have() -> None:
    table = pd.DataFrame({
        "usable": [True, True, False, False], "heard": [True, False, True, False],
        "face_share": [0.5, 0.6, 0.1, 0.0]})  # fmt: skip
    clips = Clips(table, {}, Path(), 25.0, Path(), pd.DataFrame(), {})
    faces, voices = ["face", "face", "prior", "prior"], ["voice", "prior", "voice", "prior"]
    both = ["face and voice", "face", "voice", "prior"]
    cases: tuple[tuple[list[Block], list[str], list[float]], ...] = (
        (["blendshapes"], faces, [0.5, 0.6, 0.1, 0.0]),
        ([], faces, [0.5, 0.6, 0.1, 0.0]),
        (["mel", "speech"], voices, [1, 0.6, 1, 0.0]),
        (["timing", "mel"], both, [0.5, 0.6, 1, 0.0]),
    )
    for inputs, expected, quality in cases:
        assert clips.judged_from(inputs).tolist() == expected
        known = [one != "prior" for one in expected]
        assert clips.known_by(inputs).tolist() == known
        np.testing.assert_allclose(clips.quality(inputs), quality, rtol=1e-6)
    deaf = replace(clips, table=table.drop(columns="heard"))  # nobody has listened
    assert deaf.judged_from(["timing", "mel"]).tolist() == faces
    assert not deaf.known_by(["mel"]).any()
