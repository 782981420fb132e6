"""Windows of people over a recording, answered by rules that need no encoder."""

import math
import tracemalloc
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.app.timeline import answer as answering
from facewave.app.timeline.answer import Options, answer
from facewave.app.timeline.schema import PEOPLE, SHOTS, TRACKS, WINDOWS, Recording, Timeline
from facewave.errors import UserError
from facewave.labels.schema import SEVEN
from facewave.landmarks.schema import ClipFacts, Trajectory, blank
from facewave.marks import Mark, Marks
from facewave.models.knowledge import BLENDSHAPES
from facewave.models.real_faces import FACES
from facewave.targets import number
from facewave.training.knowledge import TrainedKnowledge
from making import NAMES, REPOSITORY, words

FPS = 10
SETTINGS = params.load(REPOSITORY / "params.yaml")
SIDE = np.sqrt(np.arange(478)) / 60  # points of a face that is large enough


@dataclass(frozen=True, eq=False)
class Made(Recording):
    """A recording of people who are there in some stretches, and smile in the middle of it."""

    there: tuple[tuple[tuple[float, float], ...], ...] = ()

    def trajectory(self, person: int, start: float, end: float) -> Trajectory:
        first = max(0, math.ceil(start * FPS - 1e-6)) if math.isfinite(start) else 0
        last = min(self.frames, math.ceil(end * FPS - 1e-6)) if math.isfinite(end) else self.frames
        times_T = np.arange(first, last) / FPS
        seen_T = np.zeros(len(times_T), bool)
        for came, left in self.there[person] if self.there else ():
            seen_T |= (times_T >= came) & (times_T < left)
        whole = replace(
            blank(len(times_T), NAMES), times_T=times_T, valid_T=seen_T, faces_T=seen_T.astype("i2")
        )
        whole.landmarks_TPC[seen_T] = np.stack([SIDE, SIDE[::-1], SIDE], axis=1)
        whole.pose_T44[seen_T] = np.eye(4)
        whole.sharpness_T[seen_T] = 10
        smiles_T = np.abs(times_T - self.duration / 2) < 2
        for name in NAMES:
            value_T = 0.05 + 0.01 * np.sin(times_T)
            if name.startswith("mouthSmile"):
                value_T = np.where(smiles_T, 0.9, 0.0)
            whole.blendshapes_TB[seen_T, NAMES.index(name)] = value_T[seen_T]
        return whole


def recording(seconds: float, *there: tuple[tuple[float, float], ...], problem: str = "") -> Made:
    """A recording of this length, and when each person is in sight."""
    rows = [
        (person, spans[0][0], spans[-1][1], 0.0, 0, len(spans))
        for person, spans in enumerate(there)
    ]
    return Made(
        Path("a.mp4"), "ab" * 32, ClipFacts(FPS, 640, 480, round(seconds * FPS), problem), seconds,
        round(seconds * FPS), pd.DataFrame(columns=list(SHOTS)), pd.DataFrame(columns=list(TRACKS)),
        pd.DataFrame(rows, columns=list(PEOPLE)), there,
    )  # fmt: skip


def model(**attributes: object) -> TrainedKnowledge:
    """The rules, which are part of what answers where nothing has been trained."""
    targets = (words(*SEVEN), number("valence"))
    mean_B, std_B = np.array([FACES[name] for name in BLENDSHAPES]).T
    emotions = [[word] for word in SEVEN]
    about = {"dataset": "none", "synthetic": False, "description": ""}
    prior_W = np.full(8, 0.1)
    made = TrainedKnowledge(targets, emotions, "faces", prior_W, mean_B, std_B, {}, about)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def told(made: Made, **options: float) -> Timeline:
    return answer(made, model(), Options(**options), SETTINGS)


def test_windows_are_those_in_which_somebody_is_or_comes_back() -> None:
    timeline = told(recording(40, ((0.0, 40.0),), ((4.5, 8.0), (20.0, 24.5))))
    windows = timeline.windows
    assert tuple(windows.columns[: len(WINDOWS)]) == WINDOWS
    first, second = (windows[windows["person"] == person] for person in (0, 1))
    assert first["start"].tolist() == list(range(38))
    assert first["usable"].all()
    assert (first["answered_from"] == "face").all()
    # From the first window that touches the person's time to the last; between, a reason.
    assert second["start"].tolist() == list(range(2, 25))
    away = second[(second["start"] >= 8) & (second["end"] <= 20)]
    assert len(away) == 10
    assert set(away["reason"]) == {"no face in any frame"}
    assert (away["answered_from"] == "").all()
    assert away["doubt"].isna().all()
    assert second["usable"].sum() > 4
    assert windows["frames"].dtype == windows["face_frames"].dtype == int
    # The whole as well, being short.
    assert timeline.whole["person"].tolist() == [0, 1]
    assert timeline.whole["face_frames"].tolist() == [400, 80]
    assert timeline.whole["usable"].tolist() == [True, False]


def test_the_smile_is_found_and_smoothing_spares_the_whole() -> None:
    made = recording(40, ((0.0, 40.0),))
    plain, smooth = told(made, smooth=0), told(made)
    happy = plain.windows.set_index("start")["p_happy"]
    assert happy.loc[17:20].min() > 5 * happy.loc[:13].max()
    expected = happy.rolling(3, center=True).median().iloc[1:-1]
    np.testing.assert_allclose(
        smooth.windows["p_happy"].iloc[1:-1], expected, atol=0.05
    )  # the seven then add up to 1
    pd.testing.assert_frame_equal(plain.whole, smooth.whole)
    assert (plain.windows["p_happy"] != smooth.windows["p_happy"]).any()


def test_a_long_recording_is_answered_a_minute_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same numbers as in one piece, and no whole."""
    long = recording(80, ((0.0, 80.0),))
    timeline = told(long, smooth=0)
    assert len(timeline.whole) == 0
    assert timeline.windows["start"].tolist() == list(range(78))
    monkeypatch.setattr(answering, "_STRETCH_S", 1e9)
    pd.testing.assert_frame_equal(timeline.windows, told(long, smooth=0).windows)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording() -> None:
    """Three minutes more have 20 MB of trajectories."""
    peaks = []
    for seconds in (70, 250):
        made = recording(seconds, ((0.0, seconds),))
        tracemalloc.start()
        answer(made, model(), Options(hop=3), SETTINGS)
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2, peaks


def test_nobody_in_sight_is_no_row_and_a_shorter_file_refuses_the_whole_alone() -> None:
    nobody = told(recording(10))
    assert len(nobody.windows) == len(nobody.whole) == 0
    assert set(WINDOWS) <= set(nobody.windows) <= set(nobody.whole)
    cut = told(recording(10, ((0.0, 10.0),), problem="truncated: 1 of 2 frames can be decoded"))
    assert cut.whole["reason"].tolist() == ["truncated: 1 of 2 frames can be decoded"]
    assert cut.windows["usable"].all()
    short = told(recording(2.0, ((0.0, 2.0),)))
    assert short.windows[["start", "end"]].values.tolist() == [[0.0, 2.0]]  # a window by itself
    assert short.whole["usable"].tolist() == [True]


def test_windows_without_any_frame_say_so() -> None:
    @dataclass(frozen=True, eq=False)
    class Broken(Made):
        def trajectory(self, person: int, start: float, end: float) -> Trajectory:
            whole = super().trajectory(person, start, end)
            return whole[(whole.times_T < 10) | (whole.times_T >= 90)]

    made = recording(100, ((0.0, 100.0),))
    broken = Broken(*(getattr(made, name) for name in made.__match_args__))
    windows = told(broken).windows
    inside = (windows["start"] >= 10) & (windows["end"] <= 90)
    assert set(windows["reason"][inside]) == {"no frames"}
    assert inside.sum() == 78
    assert windows["usable"][~inside].sum() > 10


def test_what_cannot_be_answered_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Marks([Mark(0, True), Mark(650, True)], 0, Fraction(1), True)
    monkeypatch.setattr(answering, "marks", lambda path: shown)
    with pytest.raises(UserError, match="lasts 650 s, and the model listens"):
        answering.check(tmp_path, model(needs_voice=True))
    answering.check(tmp_path, model())
    long = recording(700, ((0.0, 1.0),))
    for attributes, what in (
        ({"needs_voice": True}, "listens"),
        ({"type": "language_model"}, "looks at whole frames"),
    ):
        with pytest.raises(UserError, match=f"lasts 700 s, and the model {what}"):
            answer(long, model(**attributes), Options(), SETTINGS)
    for options, said in ((Options(hop=4), "--hop"), (Options(smooth=-1), "--smooth")):
        with pytest.raises(UserError, match=said):
            answer(long, model(), options, SETTINGS)
