"""What a model answers over a recording (``answer``).

Each person is asked about in windows, as ``facewave predict`` asks about a clip: one every ``hop``
seconds, on one grid for the whole recording, from the first that the person is in to the last; so
a person who leaves and comes back has windows in between, which say why there is no answer. What is
good enough to answer by is decided by the rules for a dataset's clips. The person's trajectory and
faces are written as a short clip of their own, about a minute at a time, and go the way of any clip
(app/seen.py): memory does not grow with the recording.

Answers are then smoothed (smoothing.py). A recording of up to a minute is also answered as a whole,
for each person, as ``facewave predict`` does for the one in the middle.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave import params
from facewave.app import answers, predict
from facewave.app.seen import as_clips
from facewave.app.timeline.schema import WHOLE_S, WINDOWS, Recording, Timeline
from facewave.app.timeline.smoothing import doubt, smoothed
from facewave.errors import UserError
from facewave.faces import schema as faces
from facewave.landmarks import quality
from facewave.landmarks import schema as landmarks
from facewave.marks import marks
from facewave.params import Params
from facewave.training.schema import Trained
from facewave.workspace import Clips

_STRETCH_S = 60.0  # in which windows begin that are answered together
_MOST_S = 600.0  # of a recording that is listened to, or shown frame by frame
_NO_FRAMES = "no frames"  # of a window in which they are missing
_WHOLE_FRAMES = ("language_model", "served")  # types of models that may look at whole frames


@dataclass(frozen=True)
class Options:
    """How a recording is answered.

    Attributes:
        window, hop: length of a window and time from one to the next (s).
        smooth: width of the median filter over windows (s); 0: none.
    """

    window: float = 3.0
    hop: float = 1.0
    smooth: float = 3.0

    def check(self) -> None:
        """Raise a UserError if they make no sense."""
        predict.Options(window=self.window, hop=self.hop).check()
        if not 0 <= self.smooth < math.inf:
            raise UserError(f"--smooth is {self.smooth:g} s; 0 or more is meant.")


def answer(recording: Recording, model: Trained, options: Options, settings: Params) -> Timeline:
    """What a model answers over a recording, for each person.

    Raises:
        UserError: the options make no sense, or the model cannot be asked about such a recording.
    """
    options.check()
    check(recording.path, model, recording.duration)
    columns = [name for name in answers.columns(model) if name not in answers.COLUMNS]
    # A recording no longer than a window is one.
    all_spans = [*predict.windows(recording.duration, options.window, options.hop)]
    all_spans = all_spans or [(0.0, recording.duration)]
    windows, wholes = [], []
    for person, start, end in _asked(recording, model):
        is_short = recording.duration <= WHOLE_S
        spans = [span for span in all_spans if span[0] < end and span[1] > start]
        parts = [
            _answered(recording, person, some, model, settings)
            for some in _stretches([(math.nan, math.nan)] * is_short + spans)
        ]
        if parts:
            table = pd.concat(parts, ignore_index=True).assign(person=person)
            is_whole = table["start"].isna()
            wholes.append(table[is_whole])
            windows.append(table[~is_whole])
    tables = [
        _table(some, model, width)[[*WINDOWS, *columns]]
        for some, width in ((windows, options.smooth), (wholes, 0.0))
    ]
    return Timeline(
        recording, model.line(), model.card(), model.calibrated,
        bool(model.about.get("synthetic")), model.targets,
        options.window, options.hop, options.smooth, *tables,
    )  # fmt: skip


def check(clip: Path, model: Trained, duration: float | None = None) -> None:
    """Raise a UserError if a model cannot be asked about a recording of this length.

    Without a ``duration`` (s) its packets tell, so that nothing is done in vain.
    """
    listens = bool(params.apart(model.inputs)["voice"]) or model.needs_voice
    if not listens and model.type not in _WHOLE_FRAMES:
        return
    length = marks(clip).length if duration is None else duration
    if length > _MOST_S:
        what = "listens" if listens else "looks at whole frames"
        raise UserError(
            f"{clip} lasts {length:.0f} s, and the model {what}: that is possible for recordings "
            f"of up to {_MOST_S:.0f} s. Cut it into shorter ones, or name a model that needs the "
            "face alone."
        )


def _asked(recording: Recording, model: Trained) -> list[tuple[int, float, float]]:
    """The people, and from when to when they are asked about.

    Where nobody is seen, a model that needs no face is asked about the recording all the same.
    """
    if not len(recording.people) and _needs_no_face(model):
        return [(0, 0.0, recording.duration)]
    rows: Any = recording.people.itertuples()
    return [(int(row.person), float(row.start), float(row.end)) for row in rows]


def _needs_no_face(model: Trained) -> bool:
    return bool(params.apart(model.inputs)["voice"]) or not model.needs_face


def _stretches(
    spans: Sequence[tuple[float, float]],
) -> Iterator[list[tuple[float, float]]]:
    """Windows that are answered together, in their order; the whole (NaN) is with the first."""
    some: list[tuple[float, float]] = []
    first = math.nan
    for span in spans:
        if span[0] - first >= _STRETCH_S:
            yield some
            some, first = [], math.nan
        some.append(span)
        first = span[0] if math.isnan(first) else first
    if some:
        yield some


def _answered(
    recording: Recording,
    person: int,
    spans: Sequence[tuple[float, float]],
    model: Trained,
    settings: Params,
) -> pd.DataFrame:
    """The answers to some windows of a person, of about a minute."""
    starts, ends = np.array(spans).T
    start = -math.inf if np.isnan(starts).any() else float(starts.min())
    end = math.inf if np.isnan(ends).any() else float(ends.max())
    trajectory = recording.trajectory(person, start, end)
    frames = quality.frames_of(trajectory, recording.facts)
    parts = pd.concat(
        [
            predict.measured(frames, problem, some, bool(model.inputs), settings)
            for problem, some in (
                (recording.facts.problem, [span for span in spans if math.isnan(span[0])]),
                ("", [span for span in spans if not math.isnan(span[0])]),
            )
            if some
        ],
        ignore_index=True,
    )
    parts.loc[(parts["frames"] == 0) & parts["start"].notna(), "reason"] = _NO_FRAMES
    asked = parts["usable"]
    if _needs_no_face(model):
        asked = asked | (parts["frames"] > 0)

    with tempfile.TemporaryDirectory(prefix="facewave-") as folder:

        def clips_of(some: pd.DataFrame) -> Clips:
            """The windows, as parts of a clip of the person alone."""
            name = f"{recording.sha256} {person} {start} {end}"
            file = Path(folder) / f"{hashlib.sha256(name.encode()).hexdigest()}.parquet"
            landmarks.write_clip(file, recording.facts, [trajectory], trajectory.names)
            cut_out = None
            if model.encoder or model.needs_pictures:
                cut_out = _write_faces(Path(folder), list(recording.faces(person, start, end)))
            fps = recording.facts.fps  # of pictures, it is that which they were given
            return as_clips(recording.path, fps, file, some, model, settings, (), cut_out)

        return predict.answered(parts, asked, model, clips_of)


def _write_faces(folder: Path, chunks: Sequence[faces.Faces]) -> Path:
    """Write cut-out faces as a clip's; it is named by its content."""
    content = hashlib.sha256()
    for chunk in chunks:
        content.update(chunk.times_F.tobytes())
        for picture in chunk.pictures_F:
            content.update(hashlib.sha256(picture or b"").digest())
    file = folder / f"{content.hexdigest()}.parquet"
    faces.write_clip(file, chunks)
    return file


def _table(parts: Sequence[pd.DataFrame], model: Trained, width_s: float) -> pd.DataFrame:
    """The answers of all people as one table; without any, its columns alone."""
    columns = [name for name in answers.columns(model) if name not in answers.COLUMNS]
    if not parts:
        return pd.DataFrame(columns=[*WINDOWS, *columns])
    table = smoothed(pd.concat(parts, ignore_index=True), model.targets, width_s)
    table = table.astype({"frames": int, "face_frames": int})
    return table.assign(doubt=doubt(table, answers.first(model)))
