import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import making
from facewave.app.page import curves, results
from facewave.app.timeline.schema import PEOPLE, SHOTS, TRACKS, Recording, Timeline
from facewave.landmarks import schema as landmarks
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.targets import Target, number
from facewave.training.schema import Trained


@dataclass(frozen=True, eq=False)
class Pretended(Recording):
    seen: Trajectory

    def trajectory(self, person: int, start: float, end: float) -> Trajectory:
        return landmarks.between(self.seen, start, end)


class Model:
    targets = (
        making.words("happy", "sad"),
        number("valence"),
        Target("aus", "presence", ("AU1", "AU2")),
    )
    calibrated, writes = False, False

    def __init__(self, **about: Any) -> None:
        self.about = about

    def line(self) -> str:
        return "linear, UAR 55.0 % on 86 test clips"


def model(**about: Any) -> Trained:
    made: Any = Model(**about)
    return made


def recording(seen: Trajectory, people: int = 1) -> Pretended:
    length = landmarks.duration(seen.times_T)
    count = len(seen.times_T)
    rows = [[p, 0.0, length, length, int(seen.valid_T.sum()), 1] for p in range(people)]
    return Pretended(
        Path("clip.mp4"), "0" * 64, ClipFacts(math.nan, 64, 48, count), length, count,
        pd.DataFrame([[0, 0.0, length, 0, count - 1]], columns=list(SHOTS)),
        pd.DataFrame([[p, 0, 0.0, length / 2, 0, 9, 9] for p in range(people)],
                     columns=list(TRACKS)),
        pd.DataFrame(rows, columns=list(PEOPLE)),
        seen,
    )  # fmt: skip


def clip(gaps: tuple[int, ...] = (3, 4)) -> Trajectory:
    seen = making.trajectory(60, gaps=gaps)
    return replace(seen, times_T=np.arange(60) / 25)


def row(**values: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("p_happy", "p_sad", "predicted_valence", "low_valence", "high_valence", "predicted_AU1",
         "predicted_AU2", "face_share", "doubt"), math.nan
    )  # fmt: skip
    return {
        "person": 0, "start": 0.0, "end": 2.4, "usable": False, "reason": "no face",
        "answered_from": "", "predicted": "", **nothing, **values,
    }  # fmt: skip


def collected(folder: Path, seen: Recording, *rows: dict[str, Any], **about: Any) -> Any:
    table = pd.DataFrame(list(rows), columns=list(row()))
    asked = model(**about)
    timeline = Timeline(
        seen, "line", "# card", False, False, asked.targets, 3.0, 1.0, 3.0, table, table.head(0)
    )
    answered = [results.Answered("untrained", "Without training", asked, timeline)]
    content = results.collect(seen, answered, "face.mp4", folder / "points.bin")
    results.write_files(answered, "=face.mp4", folder)
    return json.loads(json.dumps(content, allow_nan=False))


def test_a_result_is_sound_json_whatever_is_not_known(tmp_path: Path) -> None:
    known = row(
        usable=np.True_, reason="", answered_from="face", predicted="happy", p_happy=0.75,
        p_sad=0.25, predicted_valence=0.5, predicted_AU1=0.9, predicted_AU2=0.1,
    )  # fmt: skip
    content = collected(tmp_path, recording(clip()), known, row(start=1.0))
    assert content["clip"]["fps"] is None
    first, second = content["answers"][0]["people"][0]["windows"]
    assert first["words"] == {"happy": 0.75, "sad": 0.25}
    assert (first["predicted"], first["usable"]) == ("happy", True)
    assert first["numbers"] == {"valence": {"value": 0.5, "low": None, "high": None}}
    assert first["units"] == {"AU1": 0.9, "AU2": 0.1}
    assert (second["words"], second["predicted"], second["units"]) == (None, None, {})
    assert (second["usable"], second["reason"], second["doubt"]) == (False, "no face", None)
    assert content["answers"][0]["people"][0]["whole"] is None
    assert content["people"][0]["gaps"] == [[1.2, 2.4]]
    for name in ("answers.csv", "answers.json"):
        assert "=face.mp4" in (tmp_path / name).read_text()
    (told,) = json.loads((tmp_path / "answers.json").read_text())
    assert told["windows"][1]["p_happy"] is None
    assert "\n'=face.mp4," in (tmp_path / "answers.csv").read_text()  # no formula


def test_nobody_in_sight_is_a_result_too(tmp_path: Path) -> None:
    content = collected(tmp_path, recording(clip(), people=0))
    assert (content["people"], content["curves"], content["points"]) == ([], [], None)
    assert content["answers"][0]["people"] == []
    hardly = collected(tmp_path, recording(clip(gaps=tuple(range(59)))))
    assert (hardly["curves"], hardly["scalograms"]) == ([], [])


def test_points_are_where_the_faces_are(tmp_path: Path) -> None:
    seen = recording(clip(), people=2)
    told = collected(tmp_path, seen)["points"]
    content = np.fromfile(tmp_path / "points.bin", "<u2").reshape(-1, told["count"], 2)
    frames = [t for t in range(60) if t not in (3, 4)]
    assert [person["frames"] for person in told["people"]] == [frames, frames]
    size = 4 * told["count"] * len(frames)
    assert [person["offset"] for person in told["people"]] == [0, size]
    expected = seen.seen.landmarks_TPC[frames][:, curves.CONTOURS, :2].clip(0, 1)
    np.testing.assert_allclose(content[: len(frames)] / 65535, expected, atol=1e-5)
    assert len(told["times"]) == 60
    edges = {point for edge in told["edges"] for point in edge}
    assert edges == set(range(told["count"]))


def test_curves_are_those_that_move_most_and_end_with_the_clip(tmp_path: Path) -> None:
    seen = clip()
    seen.blendshapes_TB[:] *= 0.01
    seen.blendshapes_TB[:, 7] = np.where(seen.valid_T, np.sin(np.arange(60) / 4), np.nan)
    (curve,) = collected(tmp_path, recording(seen))["curves"]
    assert curve["names"][0].startswith(making.NAMES[7])
    assert len(curve["names"]) == len(curve["values"]) == len(curve["kept"]) == 6
    assert curve["values"][0][3] is None  # no face
    assert curve["kept"][0][3] is not None
    assert (curve["k"], curve["wavelet"]) == (10, "bior3.1")
    assert 0 < curve["unexplained"] < 0.5
    many = replace(making.trajectory(900), times_T=np.arange(900) / 25)
    (long,) = collected(tmp_path, recording(many))["curves"]
    assert len(long["times"]) == 600
    assert long["times"][-1] == many.times_T[-1]


def test_a_scalogram_shows_a_period_where_it_is() -> None:
    times = np.arange(500) / 25
    for period in (0.8, 3.0):
        told = curves.scalogram(np.sin(2 * np.pi * times / period), times)
        values = np.array(told["values"])
        assert values.shape == (len(told["periods_s"]), len(told["times"]))
        assert len(told["times"]) <= 300
        strongest = told["periods_s"][int(values[:, 100:150].mean(axis=1).argmax())]
        assert abs(math.log(strongest / period)) < 0.2, period


def test_trust_is_a_sentence_of_what_is_known() -> None:
    assert "synthetic" in results.trust(model(synthetic=True))
    note = "On 82 clips (chance is 16.7 %) `fer` had a UAR of 43.7 % [35, 53]. It is nearly blind."
    assert results.trust(model(note=note)) == (
        "On 82 clips (chance is 16.7 %) fer had a mean recall of the words (UAR) of 43.7 % "
        "(between 35 and 53 %). Its numbers for words are scores, not probabilities."
    )
    assert "mean recall of the words (UAR) 55.0 %" in results.trust(model(figures={"UAR": {}}))
    assert "not been measured" in results.trust(model())
