"""Real faces are in the squares that are cut out, and an encoder names what they show."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from facewave import params
from facewave.appearance import embed, encoders
from facewave.faces import crop
from facewave.landmarks import schema
from facewave.landmarks.detect import detect
from facewave.landmarks.engines.mediapipe import Landmarker
from facewave.params import Align
from making import REPOSITORY, SETTINGS

FACES = params.load(REPOSITORY / "params.yaml").faces


@pytest.mark.usefixtures("encoder")
def test_real_faces_are_in_their_squares_and_are_recognised(
    real_clips: Path, landmarker: Path, tmp_path: Path
) -> None:
    for name, word in (("single_face.mp4", "happy"), ("liveportrait_d11.mp4", "surprise")):
        seen = detect(real_clips / name, landmarker, 25, replace(SETTINGS, fps=10.0))
        shard = tmp_path / f"{name}.parquet"
        (person,) = seen.people
        schema.write_clip(shard, seen.facts, person.chunks(), seen.names)
        (entry,) = schema.entries(shard)
        source = crop.Source(real_clips / name, "a", shard, 0, entry.row_groups)
        for align in get_args(Align):
            (faces,) = crop.faces(source, 25.0, replace(FACES, align=align))
            assert faces.valid.all()
            for picture in faces.decode(np.arange(0, len(faces), 4)):
                with Landmarker(landmarker.read_bytes()) as one_picture:
                    (seen_again,) = one_picture.look(picture, 0)
                points = seen_again.face.landmarks_PC[:, :2]
                low, high = points.min(axis=0), points.max(axis=0)
                assert (low > 0.05).all()
                assert (high < 0.95).all()
                assert 0.5 < (high - low).max() < 0.75  # 1 / 1.6
                eyes = points[[33, 263]]
                assert abs(eyes[1, 1] - eyes[0, 1]) < (0.05 if align == "points" else 0.2)
        looked = embed.look(faces, encoders.load("fer"), FACES.margin)
        mean = looked.expression_FW.mean(axis=0)
        assert encoders.load("fer").words[int(mean.argmax())] == word
