"""What a model answers of a window in memory, or why it does not."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params
from facewave.app import answers, seen
from facewave.app.live.memory import Window
from facewave.appearance import embed
from facewave.appearance.encoders.encoder import Encoder
from facewave.appearance.schema import Appearance, Config
from facewave.errors import UserError
from facewave.filters import filtered
from facewave.landmarks import quality, schema
from facewave.landmarks.schema import Trajectory
from facewave.params import Params
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.schema import Trained
from facewave.wavelets.features import unusable
from facewave.wavelets.schema import SEEN
from facewave.workspace import Clips

WARM_S = 1.0  # seconds of pictures before the first answer, or a window, if that is shorter
_MOST_YAW, _MOST_PITCH = 60.0, 45.0  # degrees away from the camera: half of the face is hidden
_DARKEST = 0.1  # mean of the grey face, of 1: its features are lost in noise
_GONE_S = 0.5  # a face unseen for longer is gone; for less, the window speaks for it
_NAME = "live"


def check(model: Trained) -> None:
    """Check that a model can answer while a camera runs.

    Raises:
        UserError: it cannot.
    """
    members = model.members.values() if isinstance(model, TrainedEnsemble) else ()
    for member in members:
        check(member)
    if model.type in ("language_model", "served"):
        why = "it is a language model, which takes longer for an answer than a window lasts"
    elif model.needs_transcript or model.needs_voice or params.apart(model.inputs)["voice"]:
        why = "it listens, and a camera is watched without sound"
    elif model.needs_pictures:
        why = "it is a network over pictures of the face, which is asked about clips alone"
    else:
        return
    raise UserError(
        f"model {model.kind} cannot answer live: {why}. Leave out --model, or name a classifier "
        "of facial trajectories (logistic, svm, trees, mlp and so on)."
    )


@dataclass(frozen=True, eq=False)
class _Held(Clips):
    """One clip that lies in memory, not in files."""

    seen: Trajectory = schema.EMPTY
    looked: Appearance | None = None
    config: Config = field(default_factory=lambda: Config("none"))

    def trajectory(self, video_idx: str) -> Trajectory:
        """Its trajectory."""
        return self.seen

    def appearance(self, video_idx: str) -> Appearance | None:
        """What the encoder saw of it."""
        return self.looked

    def encoder(self) -> Config:
        """What looked at its faces."""
        return self.config


class Asker:
    """Asks a model about windows.

    Args:
        model: which ``check`` lets through.
        encoder: what looked at the faces, if the model reads its answers.
        settings: params.yaml.
        window: seconds of a whole window.
    """

    def __init__(
        self, model: Trained, encoder: Encoder | None, settings: Params, window: float
    ) -> None:
        self.model, self._settings = model, settings
        self._config = embed.describe(encoder) if encoder else Config("none")
        self._warm_s = min(WARM_S, window)

    def reason(self, window: Window, measures: Mapping[str, float]) -> str:
        """Why a window is not answered, "" if it is.

        The limits are those that ``facewave predict`` has for windows, and those of this module.
        """
        if not measures["face_frames"]:
            return "no face"
        if measures["duration"] < self._warm_s:
            return f"warming up: {measures['duration']:.1f} of {self._warm_s:g} s are seen"
        if window.unseen > _GONE_S:
            return f"the face is out of sight for {window.unseen:.1f} s"
        reason = quality.judge(measures, "", self._settings.landmarks)
        if self.model.inputs:
            row = dict(measures) | {"reason": reason}
            reason = unusable(row, self._settings.wavelets.max_gap_s)
        if reason:
            return reason
        for axis, most in (("yaw", _MOST_YAW), ("pitch", _MOST_PITCH)):
            if measures[axis] > most:
                return f"the face is turned away by {measures[axis]:.0f} degrees ({axis})"
        if window.brightness < _DARKEST:
            return f"the face is dark ({window.brightness:.0%} of white)"
        if self.model.encoder and not len(window.appearance):
            return "warming up: the encoder has not looked at the face"
        return ""

    def ask(self, window: Window) -> tuple["pd.Series[Any] | None", str, dict[str, float]]:
        """The answer, or None and the reason; and the window's measures (landmarks.schema)."""
        measures = quality.measure(window.frames)
        if reason := self.reason(window, measures):
            return None, reason, measures
        answer = self.model.answer(self._clips(window)).iloc[0]
        if answer["answered_from"] == "prior":
            return None, "the model finds no face to judge by", measures
        return answer, "", measures

    def warm(self) -> None:
        """Load what the first answer needs, by asking about nothing."""
        nothing = schema.blank(1)
        appearance = Appearance(np.zeros(0), np.zeros(0, bool), *[np.zeros((0, 0), np.float32)] * 2)
        window = Window(0, nothing, schema.ClipFacts(0, 1, 1, 0), quality.NONE, appearance, 0, 0, 0)
        self.model.answer(self._clips(window, usable=False))

    def _clips(self, window: Window, usable: bool = True) -> Clips:
        """The window as a model takes clips (``app.seen.as_clips``)."""
        text = dict.fromkeys(("subject", "source", "actual", "transcript", "table", "scores"), "")
        row = {"video_idx": _NAME, "file_path": _NAME, "at": 0, "start": math.nan, "end": math.nan}
        usable &= len(window.appearance) > 0 or not set(SEEN) & set(self.model.inputs)
        table = pd.DataFrame([text | row | {"usable": usable}])
        facts, times_T = window.facts, window.trajectory.times_T
        index = pd.DataFrame(
            [{"duration": schema.duration(times_T), "width": facts.width, "height": facts.height}],
            index=[_NAME],
        )
        held = _Held(
            *(table, {}, Path(), 0.0, Path(), index, self.model.wavelets),
            seen=window.trajectory,
            looked=window.appearance,
            config=self._config,
        )
        if not self.model.inputs:
            return held
        blocks = seen.blocks_of(window.trajectory, facts, held, self.model)
        return replace(held, blocks=blocks)


class Smoother:
    """Means over the answers of the last ``width`` seconds, the newest included, by person.

    The rule is ``filters.filtered`` with ``causal``: nothing follows from later answers. Of words
    the mean probability (or score) counts.
    """

    def __init__(self, model: Trained, width: float) -> None:
        self._targets, self._width = model.targets, width
        self.columns = [
            name
            for target in model.targets
            for name in (*target.numbers, *target.ends)
        ]  # fmt: skip
        self._kept: dict[int, deque[tuple[float, NDArray[np.float64]]]] = {}

    def add(self, person: int, time: float, answer: "pd.Series[Any]") -> "pd.Series[Any]":
        """An answer of a person at ``time`` (s), smoothed."""
        kept = self._kept.setdefault(person, deque())
        kept.append((time, answer[self.columns].to_numpy(float)))
        while kept[0][0] < time - self._width:
            kept.popleft()
        self._kept = {
            one: values for one, values in self._kept.items() if values[-1][0] >= time - self._width
        }
        times_w, values_wC = np.array([at for at, _ in kept]), np.stack([v for _, v in kept])
        smoothed = answer.copy()
        known_C = ~np.isnan(values_wC[-1])
        values_wC = filtered(times_w, values_wC[:, known_C], self._width, np.nanmean, causal=True)
        smoothed[np.array(self.columns)[known_C]] = values_wC[-1]
        for target in self._targets:
            if target.predicted and known_C.any():
                shares = smoothed[list(target.numbers)].to_numpy(float)
                if not np.isnan(shares).any():
                    smoothed[target.predicted] = target.names[int(shares.argmax())]
        return smoothed


def told(answer: "pd.Series[Any]", model: Trained) -> dict[str, Any]:
    """An answer as JSON: words, numbers and action units by their names, null for unknown.

    ``words`` are those of the first target of words; other such targets are in ``also``.
    """
    record: dict[str, Any] = {
        "predicted": None,
        "words": {},
        "numbers": {},
        "units": {},
        "also": {},
    }
    for target in model.targets:
        values = [_rounded(answer[name]) for name in target.numbers]
        if target.predicted:
            said = {
                "predicted": answer[target.predicted] or None,
                "words": dict(zip(target.names, values, strict=True)),
            }
            if target == answers.first(model):
                record |= said
            else:
                record["also"][answers.label(target)] = said
        elif target.ends:
            low, high = (_rounded(answer[name]) for name in target.ends)
            number = {"value": values[0], "low": low, "high": high}
            record["numbers"][answers.label(target)] = number
        else:
            record["units"] = dict(zip(target.names, values, strict=True))
    return record


def _rounded(value: float) -> float | None:
    """Four decimals; None: it is not known."""
    return None if math.isnan(value) else round(float(value), 4)
