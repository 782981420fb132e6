"""What networks over faces are shown of clips, and as models that answer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.faces import schema as faces_schema
from facewave.models.vision.network import FaceNetworkConfig
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.targets import UNITS, Target
from facewave.training import augment, schema, streamed_trainer
from facewave.training.__main__ import main as train
from facewave.training.face_network import Faces, ShownConfig, TrainedFaceNetwork
from facewave.training.streamed import Handling
from facewave.training.streamed_trainer import Part
from facewave.workspace import Clips, Stored
from making import (
    REPOSITORY,
    TOY_TRAIN,
    faces,
    toy,
    trajectory,
    words,
    write_faces,
    write_landmarks,
    write_params,
    write_toy,
)

CLASSES = words("happy", "sad")
NETWORK = FaceNetworkConfig("resnet18", (CLASSES,), width=0.125, side=32)
SHOWN = ShownConfig(NETWORK, frames=4, align="box", margin=0.1)
TRAIN = params.load(REPOSITORY / "params.yaml").train
WHOLE = faces(24, 10, seed=1, gaps=(3, 4, 9))  # 21 have a face
FEW = faces(3, 10, seed=2, gaps=(1,))
PARTS = {"late": (1.05, 1.75), "gap": (0.25, 0.45)}  # of WHOLE; in the gap there is no face


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    """WHOLE in five row groups, its PARTS, FEW, and a clip without pictures."""
    rows = []
    for name, clip in {"whole": WHOLE, "few": FEW, **dict.fromkeys(PARTS, WHOLE)}.items():
        key = f"{len(clip):064x}"
        chunks = [clip[start : start + 5] for start in range(0, len(clip), 5)]
        faces_schema.write_clip(faces_schema.KIND.place(key), chunks)
        start, end = PARTS.get(name, (np.nan, np.nan))
        rows.append({"video_idx": name, "file_path": name, "key": key, "start": start, "end": end})
    folder = tmp_path / "faces"
    faces_schema.KIND.gather(pd.DataFrame(rows), folder, {})
    index, cut = faces_schema.KIND.read_index(folder), {"align": "box", "margin": 0.5}
    names = [*index["video_idx"], "unseen"]
    table = pd.DataFrame({"video_idx": names, "usable": True, "face_share": 1.0})
    kept = Stored(folder, "faces", index, cut)
    return Clips(table, {}, Path(), 25.0, Path(), pd.DataFrame(), {}, kept)


def seen(clips: Clips) -> Clips:
    return clips.select([0, 1, 2])


def rows_of(shown: np.ndarray[Any, Any], clip: faces_schema.Faces) -> list[int]:
    """Which rows of a clip are shown, by their pictures: the face and a tenth on each side."""
    there = np.flatnonzero(clip.valid)
    pictures = [cv2.resize(picture[13:51, 13:51], (32, 32), interpolation=cv2.INTER_AREA)
                for picture in clip.decode(there)]  # fmt: skip
    assert shown.shape[1:] == (3, 32, 32)
    assert shown.dtype == np.uint8
    same = [[np.array_equal(face.transpose(1, 2, 0), one) for one in pictures] for face in shown]
    return [int(there[row.index(True)]) for row in same]


def test_faces_are_those_in_the_middles_of_equal_parts_of_a_row(clips: Clips) -> None:
    examples = Faces(seen(clips), SHOWN)
    expected = [(WHOLE, [2, 10, 15, 21]), (FEW, [0, 2]), (WHOLE, [11, 13, 15, 17])]
    for _ in range(2):  # files stay open
        for row, (clip, rows) in enumerate(expected):
            assert rows_of(examples[row]["faces"], clip) == rows


def test_in_training_they_are_drawn_in_each_epoch_from_the_same_parts(clips: Clips) -> None:
    examples = Faces(seen(clips), SHOWN, seed=0)
    there = np.flatnonzero(WHOLE.valid).tolist()
    drawn = []
    for epoch in range(30):
        examples.set_epoch(epoch)
        rows = rows_of(examples[0]["faces"], WHOLE)
        assert [min(there.index(row) // 5, 3) for row in rows] == [0, 1, 2, 3]
        assert rows == rows_of(examples[0]["faces"], WHOLE)
        drawn.append(tuple(rows))
    assert len(set(drawn)) > 20
    assert {row for rows in drawn for row in rows} == set(there)
    other = Faces(seen(clips), SHOWN, seed=1)
    assert rows_of(other[0]["faces"], WHOLE) != list(drawn[0])


def test_a_flipped_clip_has_the_truth_of_its_mirror_image(clips: Clips) -> None:
    units = Target(UNITS, "intensity", ("AU1 left", "AU1 right", "AU4"), 0, 5)
    truth_nW = torch.tensor([[1.0, 3.0, 5.0], [2.0, 7.0, 0.0], [0.0, 2.0, torch.nan]])
    examples = Faces(seen(clips), SHOWN, seed=0, augments=True)
    network = TrainedFaceNetwork.rebuilt(
        {"network": replace(NETWORK, targets=(units,)), "frames": 4, "align": "box", "margin": 0.1}
    )[1]
    made = (Part(examples, truth_nW, torch.ones(3)), Part(examples, truth_nW[:0], torch.ones(0)))
    run = streamed_trainer._Run(network, *made, {}, TRAIN, Handling())
    flipped = set()
    for epoch in range(8):
        examples.set_epoch(epoch)
        for row in range(3):
            shown, truth_W, _ = run.train_set[row]
            mirrored = examples.is_mirrored(row)
            flipped.add(mirrored)
            assert augment.is_flipped(examples._drawn(row, "changes")) == mirrored
            assert shown["faces"].dtype == np.uint8
            expected = truth_nW[row][[1, 0, 2]] if mirrored else truth_nW[row]
            torch.testing.assert_close(truth_W, expected, equal_nan=True)
    assert flipped == {True, False}


def test_a_row_without_a_picture_of_a_face_is_answered_by_the_prior(clips: Clips) -> None:
    torch.manual_seed(0)
    config, module = TrainedFaceNetwork.rebuilt(
        {"network": NETWORK, "frames": 4, "align": "box", "margin": 0.1}
    )
    module.prior.answer.copy_(torch.tensor([0.9, 0.1]))
    about = {"dataset": "demo", "partition": "split"}
    model = TrainedFaceNetwork(module, config, (), {}, about)
    assert model.answered_from(clips).tolist() == ["face", "face", "face", "prior", "prior"]
    answers = model.answer(clips)
    assert answers["answered_from"].tolist() == ["face", "face", "face", "prior", "prior"]
    happy = answers["p_happy"].tolist()
    assert happy[3:] == pytest.approx([0.9, 0.9])
    assert len({round(value, 6) for value in happy}) == 4
    alone = model.answer(clips.select([1]))["p_happy"].tolist()  # the shortest, padded above
    assert alone == pytest.approx(happy[1:2], abs=1e-6)
    unusable = replace(clips, table=clips.table.assign(usable=False))
    assert set(model.answered_from(unusable)) == {"prior"}
    assert model.answer(unusable)["p_happy"].tolist() == pytest.approx([0.9] * 5)


def test_faces_that_were_cut_out_otherwise_are_refused(clips: Clips) -> None:
    config, module = TrainedFaceNetwork.rebuilt(
        {"network": NETWORK, "frames": 4, "align": "box", "margin": 0.1}
    )
    model = TrainedFaceNetwork(module, config, (), {}, {})
    kept = clips.stored_faces
    assert kept
    for cut in ({"align": "points", "margin": 0.5}, {"align": "box", "margin": 0.0}):
        other = Stored(kept.folder, "faces", kept.index, cut)
        with pytest.raises(UserError, match=r"align: box and a margin of 0\.1.*Set section faces"):
            model.answer(replace(clips, stored_faces=other))
    with pytest.raises(UserError, match="needs pictures"):
        model.answer(replace(clips, stored_faces=None))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy project with random faces here; of clip 001 there are none."""
    monkeypatch.chdir(tmp_path)
    made = toy(n_subjects=10)
    write_toy(tmp_path, made)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(tmp_path, {name: trajectory(12) for name in names}, unusable=("000",))
    write_faces(tmp_path, names, without=("001",))
    return tmp_path


def settings(model: str = "resnet18", vision: dict[str, Any] | None = None, **more: Any) -> None:
    tiny = {"width": 0.125, "side": 32, "frames": 2} | (vision or {})
    network = {"epochs": 1, "batch_size": 8, "hidden": 8}
    training = {"partitions": ["split"], "model": model, "baselines": [], "network": network}
    write_params(Path(), train=TOY_TRAIN | training | {"vision": tiny} | more)


@pytest.mark.parametrize("over_time", ["mean", "attention", "gru", "transformer"])
def test_whatever_joins_the_faces_is_trained_saved_and_asked(project: Path, over_time: str) -> None:
    settings(vision={"over_time": over_time})
    train()
    model = schema.load(schema.folder("split", "model"))
    assert isinstance(model, TrainedFaceNetwork)
    assert model.config.network.over_time == over_time
    assert model.config.margin == 0.1
    assert model.inputs == ()
    assert model.needs_pictures
    predict()
    answers, models = prediction.read()
    rows = answers[answers["role"] == "model"].set_index("video_idx")
    assert rows["answered_from"].to_dict() == {
        name: "prior" if name in ("000", "001") else "face" for name in rows.index
    }
    assert models.roles["model"]["about"]["weights"] == {"name": "none"}


def test_training_leaves_the_same_bytes_and_looks_at_the_faces(project: Path) -> None:
    settings(vision={"workers": 1})
    train()
    path = schema.folder("split", "model") / "model.safetensors"
    before = path.read_bytes()
    others: list[dict[str, Any]] = [{"workers": 0}, {"augment": False}, {"frames": 1}]
    for number, changes in enumerate(others):
        settings(vision=changes)
        train()
        assert (path.read_bytes() == before) == (number == 0), changes


def test_single_pictures_are_judged_though_nothing_moves_in_them(clips: Clips) -> None:
    config, module = TrainedFaceNetwork.rebuilt(
        {"network": NETWORK, "frames": 4, "align": "box", "margin": 0.1}
    )
    model = TrainedFaceNetwork(module, config, (), {}, {})
    still = replace(clips, table=clips.table.assign(usable=False))
    assert not model.judged(still).any()
    names = clips.table["video_idx"]
    extracted = pd.DataFrame({"usable": names != "few"}).set_index(names)
    judged = dict(zip(names, model.judged(replace(still, index=extracted)), strict=True))
    assert judged == {"whole": True, "few": False, "late": True, "gap": False, "unseen": False}
