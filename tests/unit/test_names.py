"""Clips whose names other programs take for nothing stay clips through what the stages read."""

from contextlib import chdir
from pathlib import Path

from facewave import params
from facewave.workspace import Dataset
from making import toy, trajectory, write_landmarks, write_params, write_toy

ODD = ["NA", "null", "nan", "None", "N/A", "-", "1e5", "True"]


def test_clips_called_na_and_null_are_trained_on_and_tested(tmp_path: Path) -> None:
    from facewave.evaluation.__main__ import main as evaluate
    from facewave.prediction.__main__ import main as predict
    from facewave.training.__main__ import main as train

    made = toy()
    names = [*ODD, *made.table["video_idx"][len(ODD) :]]
    made.table["video_idx"] = names
    training = {"model": "logistic", "baselines": ["majority"], "partitions": [1, 2, 3]}
    inputs = {"inputs": ["blendshapes"]}
    write_params(tmp_path, train=training | inputs, evaluate={"resamples": 10})
    write_toy(tmp_path, made)
    write_landmarks(tmp_path, {name: trajectory(4, seed=i) for i, name in enumerate(names)})
    with chdir(tmp_path):
        clips = Dataset("demo", params.load()).clips()
        assert clips.table["video_idx"].tolist() == names
        assert clips.origins().index.tolist() == names
        assert all(clips.trajectory(name) is not None for name in ODD)
        train()
        predict()
        evaluate()
        report = Path("metrics/evaluate/report.json").read_text("utf-8")
    assert f'"n": {len(names)},' in report
