"""Pictures without labels: where they come from, in which order, what is held out of memory."""

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from facewave.errors import UserError
from facewave.faces import schema as faces
from facewave.training import unlabelled
from facewave.training.unlabelled import CutOut, Folder, Mixed, Pictures, Shown


def encoded(shade: int, side: int = 40) -> bytes:
    """A PNG whose left half is black and whose right half has a shade of green."""
    picture = np.zeros((side, side, 3), np.uint8)
    picture[:, side // 2 :, 1] = shade
    return cv2.imencode(".png", picture)[1].tobytes()


def shade_of(picture: Any) -> int:
    return int(np.asarray(picture)[..., 1].max())


def write_faces(folder: Path, *clips: list[int | None]) -> Path:
    """Clips of faces by their shades, None for a row without a face; each four rows a row group."""
    rows: list[dict[str, Any]] = []
    for i, shades in enumerate(clips):
        key = f"{i:02x}" * 32
        chunks = [
            faces.Faces(
                np.arange(at, at + len(part), dtype=np.int32),
                np.arange(at, at + len(part)) / 5,
                [None if shade is None else encoded(shade) for shade in part],
                np.array([[np.nan if shade is None else 1.0] * 5 for shade in part], np.float32),
            )
            for at in range(0, len(shades), 4)
            for part in [shades[at : at + 4]]
        ]
        faces.write_clip(faces.KIND.place(key), chunks)
        rows.append({"video_idx": str(i), "file_path": f"{i}.mp4", "key": key, "start": np.nan,
                     "end": np.nan})  # fmt: skip
    faces.KIND.gather(pd.DataFrame(rows), folder, {})
    return folder


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlabelled, "_BLOCK", 5)
    monkeypatch.setattr(unlabelled, "_MIXED", 2)


@pytest.mark.usefixtures("small_blocks")
def test_cut_out_faces_are_all_there_and_few_are_in_memory(tmp_path: Path) -> None:
    clips: list[list[int | None]] = [[10, None, 20, 30, 40, 50], [None], [60], [70, 80, None, 90]]
    clips += [[100 + i] for i in range(40)]
    source = CutOut(write_faces(tmp_path / "faces", *clips))
    pictures = Pictures([source])
    shades = [shade for clip in clips for shade in clip if shade]
    assert [shade_of(pictures.decoded(at)) for at in range(len(pictures))] == shades
    assert len(np.unique(source.groups_n)) == len(clips) - 1
    assert [len(set(source.groups_n[:5])), source.groups_n[4] == source.groups_n[5]] == [1, False]
    assert max(Counter(source.blocks_n.tolist()).values()) <= 5 + 4
    most = 0
    for at in Mixed(pictures.blocks_n, 0):
        assert shade_of(pictures.decoded(at)) == shades[at]
        most = max(most, len(source._held))
    assert 0 < most <= 4
    assert "part-00000.parquet, picture 1 of row groups 0 to 1" in pictures.name(1)


@pytest.mark.usefixtures("small_blocks")
def test_an_epoch_shows_each_picture_once_in_another_order() -> None:
    blocks_n = np.arange(64) // 5
    order = Mixed(blocks_n, 3)
    first, again = list(order), list(order)
    order.epoch = 1
    second = list(order)
    assert first == again != second
    assert sorted(first) == sorted(second) == list(range(64))
    assert first != list(Mixed(blocks_n, 4))
    for start in range(0, 60, 10):  # two blocks at a time, mixed
        some = first[start : start + 10]
        assert len({at // 5 for at in some if at < 60}) <= 3
        assert some != sorted(some)


def test_whole_groups_are_held_out_by_their_names() -> None:
    names = [f"{i}.png" for i in range(200)]
    pictures = Pictures([Folder(Path("x"), names)])
    learnt_n, aside_n = pictures.divided(0.05)
    assert len(aside_n) == 10
    assert sorted([*learnt_n, *aside_n]) == list(range(200))
    fewer = Pictures([Folder(Path("y"), [names[at] for at in aside_n]), Folder(Path("x"), names)])
    assert set(fewer.divided(0.05)[1]) == {*range(10), *(aside_n + 10)}  # the same, both copies
    for few, told in (([], "there is no picture"), (["a.png"], "there is one clip or one picture")):
        with pytest.raises(UserError, match=f"{told} to learn from: at least two"):
            Pictures([Folder(Path("x"), few)]).divided(0.05)


def test_pictures_are_cropped_and_flipped_by_seed_and_epoch_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(200))
    pictures, one = Pictures([Folder(tmp_path, ["a.png"])]), np.array([0])
    shown = Shown(pictures, one, 32, seed=0)
    faces_ = []
    for epoch in range(12):
        shown.epoch = epoch
        face, unreadable = shown[0]
        torch.rand(3)  # what else is drawn changes nothing
        assert torch.equal(face, shown[0][0])
        assert (face.shape, face.dtype, unreadable) == ((3, 32, 32), torch.uint8, -1)
        faces_.append(face)
    is_flipped = [bool(face[1, :, 0].sum() > face[1, :, -1].sum()) for face in faces_]
    assert 0 < sum(is_flipped) < 12
    assert len({face.numpy().tobytes() for face in faces_}) > 6
    whole = Shown(pictures, one, 32, seed=None)[0][0]
    assert torch.equal(whole[1, :, 20:].float().mean().round(), torch.tensor(200.0))
    assert int(whole[1, :, :12].max()) == 0


def test_the_next_picture_stands_for_one_that_cannot_be_read(tmp_path: Path) -> None:
    for name, content in (("a.png", b""), ("b.png", b"no picture"), ("c.png", encoded(90))):
        (tmp_path / name).write_bytes(content)
    pictures = Pictures([Folder(tmp_path, ["a.png", "b.png", "c.png", "gone.png"])])
    shown = Shown(pictures, np.arange(4), 32, seed=None)
    assert [shown[row][1] for row in range(4)] == [0, 1, -1, 3]
    assert [shade_of(shown[row][0].movedim(0, 2)) for row in range(4)] == [90] * 4
    with pytest.raises(UserError, match=r"none of the 2 pictures can be read, such as .*a\.png"):
        Shown(pictures, np.arange(2), 32, seed=None)[1]
