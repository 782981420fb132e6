"""The features' contract: what a reader gets, the message for a broken folder, and sides."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.params import TransformName
from facewave.study import face_map
from facewave.wavelets import schema
from facewave.wavelets.features import features as features_of
from facewave.wavelets.transform import Transform
from making import DEMO, NAMES, Toy, toy, trajectory, write_toy

PICTURE = landmarks.ClipFacts(fps=30.0, width=64, height=48, declared_frames=20)


@pytest.fixture
def made(tmp_path: Path) -> Toy:
    made = toy()
    write_toy(tmp_path, made)
    return made


def test_arrays_are_mapped_and_ids_stay_text(tmp_path: Path, made: Toy) -> None:
    features = schema.read(tmp_path / "data/features/demo")
    assert isinstance(features.blocks["landmarks"], np.memmap)
    assert features.blocks["landmarks"].shape == (61, 10, 478, 3)
    np.testing.assert_array_equal(features.blocks["blendshapes"][2:], made.blendshapes[1:])
    assert list(features.clips["video_idx"][:3]) == ["undecided", "000", "001"]
    assert list(features.clips["reason"][:3]) == ["", "too few faces", ""]
    assert features.clips["usable"].dtype == bool
    assert features.config["blendshapes"] == list(NAMES)
    assert features.functions_PN.shape == (256, 10)
    np.testing.assert_allclose(features.blocks["timing"][0, :, 1], np.log2(30), rtol=1e-6)


def test_rows_are_joined_by_id_not_by_place(tmp_path: Path, made: Toy) -> None:
    features = schema.read(tmp_path / "data/features/demo")
    table = labels.single_label(labels.read(tmp_path / "data/labels/demo.csv"))
    shuffled = table.sample(frac=1, random_state=0)
    joined = schema.join(shuffled, features)
    assert list(joined["video_idx"]) == list(shuffled["video_idx"])
    assert len(joined) == len(made.table)
    for row in joined.itertuples():
        at = int(row.video_idx)
        assert row.usable == made.usable[at]
        if row.usable:
            np.testing.assert_array_equal(
                features.blocks["blendshapes"][row.at], made.blendshapes[at]
            )
        assert row.face_share == made.usable[at]


@pytest.mark.usefixtures("made")
def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data/features/demo"
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(whole) == len(schema.BLOCKS) + 3

    def refused(message: str, spoilt: str) -> None:
        with pytest.raises((UserError, ValueError), match=message):
            schema.read(folder)
        (folder / spoilt).write_bytes(whole[spoilt])

    for name in whole:
        (folder / name).unlink()
        refused(f"{name} is not here.*dvc repro wavelet", name)
        if name != "clips.csv":
            (folder / name).write_bytes(whole[name][: len(whole[name]) // 2])
            refused("demo", name)
    np.save(folder / "blendshapes.npy", np.zeros((3, 10, 52), np.float32))
    refused("different lengths", "blendshapes.npy")
    for name in ("landmarks.npy", "functions.npy"):  # only a pickle could hold these
        np.save(folder / name, np.array([{}] * 61, object))
        refused("damaged|object", name)
    schema.read(folder)
    for name, part in (("clips.csv", "heard"), ("config.json", '"voice"')):
        renamed = whole[name].decode().replace(part, part.replace("e", "E"))
        (folder / name).write_text(renamed, "utf-8")
        expected = r"is damaged or of an earlier version \(.*(heard|voice).*\).* dvc repro wavelet$"
        refused(expected, name)


def mirror_image(clip: landmarks.Trajectory) -> landmarks.Trajectory:
    """What would be seen of the clip flipped from left to right."""
    exchanged = [name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
                 for name in NAMES]  # fmt: skip
    flip = np.diag([-1, 1, 1, 1]).astype(np.float32)
    points = clip.landmarks_TPC[:, schema._PARTNERS].copy()
    points[:, :, 0] = 1 - points[:, :, 0]
    return replace(
        clip,
        landmarks_TPC=points,
        blendshapes_TB=clip.blendshapes_TB[:, [NAMES.index(name) for name in exchanged]],
        pose_T44=(flip @ clip.pose_T44 @ flip).astype(np.float32),
    )


def test_pairs_of_points_are_mirror_images_in_a_face() -> None:
    left = (face_map.LEFT_EYE, face_map.LEFT_IRIS, face_map.LEFT_BROW)
    right = (face_map.RIGHT_EYE, face_map.RIGHT_IRIS, face_map.RIGHT_BROW)
    for one, other in zip(left, right, strict=True):
        assert set(schema._PARTNERS[list(one)]) == set(other)
    for line in (face_map.OUTER_LIPS, face_map.INNER_LIPS, face_map.OUTLINE, face_map.BRIDGE):
        assert set(schema._PARTNERS[list(line)]) == set(line)
    np.testing.assert_array_equal(schema._PARTNERS[schema._PARTNERS], np.arange(478))
    clip = landmarks.read_clip(DEMO, 0, 1)
    (facts,) = (entry.facts for entry in landmarks.entries(DEMO)[:1])
    face = np.nanmean(landmarks.without_pose(clip, facts).pose_free_TPC, axis=0)
    merged = schema.merge("pose_free", face, NAMES)
    assert merged.shape == (253, 3)
    np.testing.assert_allclose(schema.unfolded(merged), face, atol=0.1)  # the eyes: 1.5 apart
    assert np.abs(schema.unfolded(merged) - face).mean() < 0.02


def test_a_clip_and_its_mirror_image_have_the_same_merged_numbers() -> None:
    clip = trajectory(20, seed=3, gaps=(4,))
    for name in ("energy", "approximation", "block"):
        transform = Transform(name, "haar", k=5, sides="merged")
        numbers = features_of(clip, PICTURE, transform)
        image = features_of(mirror_image(clip), PICTURE, transform)
        for block in ("blendshapes", "landmarks", "pose_free", "timing"):
            np.testing.assert_allclose(image[block], numbers[block], atol=1e-5)
        apart = features_of(clip, PICTURE, replace(transform, sides="apart"))
        of_image = features_of(mirror_image(clip), PICTURE, replace(transform, sides="apart"))
        assert np.abs(of_image["blendshapes"] - apart["blendshapes"]).max() > 0.01


def test_mirrored_numbers_are_those_of_the_mirror_image() -> None:
    clip = trajectory(20, seed=3, gaps=(4,))
    names: tuple[TransformName, ...] = ("energy", "mean_std", "approximation", "dct", "largest")
    for name in names:
        transform = Transform(name, "haar", k=5)
        config = asdict(transform) | {"blendshapes": list(NAMES)}
        numbers = features_of(clip, PICTURE, transform)
        image = features_of(mirror_image(clip), PICTURE, transform)
        for block in ("blendshapes", "pose_free", "timing"):
            mirrored = schema.mirrored(block, numbers[block][None], config)[0]
            np.testing.assert_allclose(mirrored, image[block], atol=1e-5)
    voice = np.ones((1, 5, 64), np.float32)  # sounds the same in a mirror
    np.testing.assert_array_equal(schema.mirrored("mel", voice, config), voice)
    for block, sides in (("landmarks", "apart"), ("head", "apart"), ("blendshapes", "merged")):
        with pytest.raises(UserError, match=rf"train\.mirror .* not {block} with sides {sides}"):
            schema.mirrored(block, numbers["head"][None], {"sides": sides})  # type: ignore[arg-type]


def test_channels_are_named_and_given_back_to_both_sides() -> None:
    merged = schema.channels_of(NAMES, "merged")
    assert len(merged) == len(set(merged)) == schema.shapes("merged")["blendshapes"][0]
    assert {"mouthSmile", "jawOpen", "jaw", "_neutral", "browInnerUp"} < set(merged)
    assert schema.channels_of(NAMES, "apart") == list(NAMES)
    numbers = np.arange(len(merged), dtype=np.float32)[None]
    whole = schema.for_both_sides(numbers, NAMES, "merged")[0]
    assert [merged[int(number)] for number in whole] == [schema.merged_name(name) for name in NAMES]
    np.testing.assert_array_equal(schema.for_both_sides(whole[None], NAMES, "apart"), whole[None])
