"""What it costs to recognise by numbers that know no future, as they are needed while a video runs.

A trained classifier answers test clips by their ``energy``, as it learnt, and by the causal numbers
(wavelets/causal.py) at the last frame; each over a window as long as the clip, and over one for all
clips, which is as long as the middle one of them and ends at the last frame. (The offline transform
of a window that ends now knows no future either: it costs more, and is made anew each time.) Then a
classifier of the same kind that has learnt from causal numbers answers by them. With
``train.normalize: person`` a clip is normalised by the same numbers of the person's other clips.

Figures are shares of 1, as in report.json; differences are to the first way, paired, with interval
and p as in ``evaluation.paired``. How far causal numbers are from the offline ones is a
table of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from facewave.landmarks.schema import Trajectory
from facewave.params import Block, ClassifierKind, Params
from facewave.study import kept
from facewave.study.clips import Trajectories
from facewave.study.combination import figure
from facewave.study.runs import answer, run
from facewave.study.scores import DIFFERENCE, UAR, Score, compared, rounded
from facewave.training.schema import PRIOR, Trained, settings_of
from facewave.wavelets.causal import causal_energy, delays
from facewave.wavelets.features import observed_channels
from facewave.wavelets.transform import Floats, Transform, frame_edges
from facewave.workspace import Clips

OFFLINE, CAUSAL = "offline", "causal"
CLIP, SAME = "the clip's length", "the same for all"
# What a classifier learns from, what it answers by, and over which window.
WAYS = (
    *((OFFLINE, numbers, window) for numbers in (OFFLINE, CAUSAL) for window in (CLIP, SAME)),
    *((CAUSAL, CAUSAL, window) for window in (CLIP, SAME)),
)
COLUMNS = (
    *("role", "model", "learnt_from", "numbers", "window", "window_s", "delay_s", "slowest_s"),
    *("measure", "n", "groups", "folds", "figure", "low", "high", "chance", *DIFFERENCE, "agree"),
)
NUMBERS = ("window", "window_s", "block", "number", "n", "distance", "delay_s")
# Of which a frame's values need no other frame.
_MOVING: tuple[Block, ...] = (
    *("blendshapes", "landmarks", "points68"),
    *("action_units", "gaze", "other"),
)


@dataclass(frozen=True, eq=False)
class Numbered:
    """Clips with their offline numbers, and with causal ones.

    Attributes:
        clips: by numbers and window.
        window_s: the median of the clips' lengths, which is the window that is the same for all.
    """

    clips: Mapping[tuple[str, str], Clips]
    window_s: float


def role_of(kinds: Mapping[str, ClassifierKind]) -> str:
    """The role that is studied: the model, or else the first of the others; "" if there is none."""
    return next((role for role, kind in kinds.items() if kind != PRIOR), "")


def lacking(trajectories: Trajectories, kinds: Mapping[str, ClassifierKind], loaded: Params) -> str:
    """Why there is nothing to compare, "" if there is; arguments as of ``of_dataset``."""
    if trajectories.dataset.entry.features:
        return "a table of features has no trajectories"
    if not (role := role_of(kinds)):
        return "there is no classifier of wavelet numbers"
    transform = Transform.of(loaded.wavelets)
    if transform.name != "energy haar":
        return f"{transform.name} has no causal counterpart, as energy haar has"
    inputs = settings_of(role, loaded.train).inputs
    if others := [name for name in inputs if name not in (*_MOVING, "timing")]:
        return f"of {', '.join(others)} it is not known from a frame alone what {role} learnt from"
    return "" if set(inputs) & set(_MOVING) else "nothing that moves is among train.inputs"


def of_dataset(
    trajectories: Trajectories,
    models: Mapping[str, Mapping[str | int, Trained]],
    kinds: Mapping[str, ClassifierKind],
    score: Score,
    loaded: Params,
    follows_from: Sequence[Any],
) -> None:
    """Make causal.csv and causal_numbers.csv, without rows where nothing can be compared.

    Args:
        trajectories: of the dataset.
        models: role -> partition -> model.
        kinds: of these, by role.
        score: what answers are counted by.
        loaded: the settings.
        follows_from: settings and files that all studies of classifiers follow from.
    """
    transform = Transform.of(loaded.wavelets)
    if reason := lacking(trajectories, kinds, loaded):
        print(f"causal.csv is empty: {reason}.")
        for name, columns in (("causal", COLUMNS), ("causal_numbers", NUMBERS)):
            kept.table(name, kept.key(f"no {name}"), partial(pd.DataFrame, columns=list(columns)))
        return
    role = role_of(kinds)
    inputs = settings_of(role, loaded.train).inputs
    clips = cache(lambda: numbered(trajectories, transform, inputs))
    key = kept.key(kept.code("causal"), *follows_from)
    asked = (transform, models[role], kinds[role], role, score, loaded)
    kept.table("causal", key, lambda: ways(clips(), *asked))
    kept.table("causal_numbers", key, lambda: distances(clips(), transform))


def numbered(trajectories: Trajectories, transform: Transform, inputs: Sequence[Block]) -> Numbered:
    """The clips with both kinds of numbers of some blocks; other blocks are of the whole clip."""
    offline = trajectories.clips(transform, inputs)
    moving = [name for name in inputs if name in _MOVING]
    lengths = [_length(trajectory.times_T) for _, _, trajectory in trajectories]
    window_s = float(np.median(lengths))
    ends = trajectories.clips(transform, moving, partial(_end, window_s))
    blocks = {
        window: {name: offline.blocks[name].copy() for name in moving} for window in (CLIP, SAME)
    }
    for at, row, trajectory in tqdm(trajectories, "causal numbers", len(lengths), unit="clip"):
        times_T = trajectory.times_T
        last = np.array([len(times_T) - 1])
        for name, values_TC in observed_channels(trajectory, row, transform.sides, moving).items():
            for window, seconds in ((CLIP, _length(times_T)), (SAME, window_s)):
                numbers_1NC, _ = causal_energy(values_TC, times_T, seconds, transform.k, last)
                into = blocks[window][name][at]
                into[:] = numbers_1NC[0].reshape(into.shape)
    numbers = {(OFFLINE, CLIP): offline.blocks, (OFFLINE, SAME): ends.blocks}
    numbers |= {(CAUSAL, window): of_window for window, of_window in blocks.items()}
    clips = {
        way: replace(offline, blocks={**offline.blocks, **of_way})
        for way, of_way in numbers.items()
    }
    return Numbered(clips, window_s)


def ways(
    clips: Numbered,
    transform: Transform,
    models: Mapping[str | int, Trained],
    kind: ClassifierKind,
    role: str,
    score: Score,
    loaded: Params,
) -> pd.DataFrame:
    """The ways to learn and to answer (``COLUMNS``): a row for each of ``WAYS`` and measure.

    ``window_s`` and the delays are those of the clip of median length. ``agree`` is the share of
    the clips with a face to which the same word is answered as in the first way.
    """
    settings = settings_of(role, loaded.train)
    parts = [clips.clips[OFFLINE, CLIP].parts(partition) for partition in models]
    tables: dict[tuple[str, str, str], pd.DataFrame] = {}
    for way in WAYS:
        learnt, numbers, window = way
        some = clips.clips[numbers, window]
        if learnt == OFFLINE:
            answers = [
                answer(model, some.select(part == "test"), partition)
                for (partition, model), part in zip(models.items(), parts, strict=True)
            ]
            tables[way] = pd.concat(answers, ignore_index=True)
        else:
            tables[way] = run(some, transform, score.targets, kind, settings, parts).tested
    offline = tables[WAYS[0]]
    late = delays(clips.window_s, transform.k)
    rows = []
    for (learnt, numbers, window), table in tables.items():
        tested = score.tested(table)
        about: dict[str, Any] = {"role": role, "model": kind, "learnt_from": learnt}
        about |= {"numbers": numbers, "window": window, "window_s": round(clips.window_s, 3)}
        slowest = late.max() if numbers == CAUSAL else late[0]
        about |= {"delay_s": round(late[0], 3), "slowest_s": round(slowest, 3)}
        for measure in score.measures:
            row = about | figure(measure, score, tested, loaded.evaluate)
            if table is not offline:
                row |= compared(measure, tested, score.tested(offline), loaded.evaluate)
                row |= _agreement(score, table, offline)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def distances(clips: Numbered, transform: Transform) -> pd.DataFrame:
    """How far causal numbers are from offline ones (``NUMBERS``).

    ``distance`` is the median over clips and channels of the absolute difference, over the
    channel's standard deviation offline.
    """
    offline = clips.clips[OFFLINE, CLIP]
    at = offline.table["at"][offline.table["usable"]].to_numpy()
    names = ["mean", *(f"octave {number}" for number in range(1, transform.numbers))]
    late = delays(clips.window_s, transform.k)
    rows = []
    for window in (CLIP, SAME):
        causal = clips.clips[CAUSAL, window]
        for block in (name for name in causal.blocks if name in _MOVING):
            shape = (len(at), transform.numbers, -1)
            of_both = (of.blocks[block][at].reshape(shape) for of in (offline, causal))
            offline_nNC, causal_nNC = (numbers.astype(np.float64) for numbers in of_both)
            spread_NC = offline_nNC.std(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                apart_nNC = np.abs(causal_nNC - offline_nNC) / spread_NC
            apart_nNC[:, spread_NC == 0] = np.nan
            for number, name in enumerate(names):
                row = {"window": window, "window_s": round(clips.window_s, 3), "block": block}
                row |= {"number": name, "n": len(at), "delay_s": round(late[number], 3)}
                middle = pd.Series(apart_nNC[:, number].ravel()).median()  # NaN if nothing moves
                rows.append(row | rounded({"distance": middle}))
    return pd.DataFrame(rows, columns=list(NUMBERS))


def _length(times_T: Floats) -> float:
    """From the start of the first frame to the last one (s)."""
    return float(times_T[-1] - frame_edges(times_T)[0])


def _end(window_s: float, trajectory: Trajectory, at: int) -> Trajectory:
    """The last seconds of a clip; all of it if no two faces are left."""
    kept_T = trajectory.times_T > trajectory.times_T[-1] - window_s
    return trajectory[kept_T] if trajectory.valid_T[kept_T].sum() > 1 else trajectory


def _agreement(score: Score, table: pd.DataFrame, offline: pd.DataFrame) -> dict[str, float]:
    if score.measure != UAR:
        return {}
    words = score.targets[0].predicted
    judged = offline["answered_from"] != "prior"
    return rounded({"agree": float((table[words] == offline[words])[judged].mean())})
