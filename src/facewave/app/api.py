"""The Python interface: ``import facewave as fw``.

>>> import facewave as fw
>>> clip = fw.extract("data/raw/demo/clips/21.mp4")
>>> clip
Clip(data/raw/demo/clips/21.mp4: 29 frames, 1.21 s, a face in 100% of them)
>>> clip.landmarks.shape
(29, 478, 3)
>>> clip.frames[["frame", "timestamp", "success"]].head(2)
   frame  timestamp  success
0      1   0.000000        1
1      2   0.041667        1
>>> list(clip.blendshapes.columns[:3])
['_neutral', 'browDownLeft', 'browDownRight']
>>> clip.features(k=7, transform="energy")["blendshapes"].shape
(7, 32)
>>> fw.predict(["data/raw/demo/clips/21.mp4", "data/raw/demo/clips/30.mp4"], hop=3.0)["file"]
0    data/raw/demo/clips/21.mp4
1    data/raw/demo/clips/30.mp4
Name: file, dtype: str

It works in any folder: where there is no params.yaml, with the project's own settings. In a script
as in a notebook clips are detected in processes of their own, once: the results are cached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params
from facewave.app import seen
from facewave.app.frames import table
from facewave.app.inputs import clip_of, clips_of
from facewave.errors import extras
from facewave.landmarks import quality
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.params import Block, Boundary, Sides, TransformName
from facewave.training.schema import Trained
from facewave.workspace import Dataset as _Dataset

if TYPE_CHECKING:
    from facewave.app.plots import Plot

_SHOWN = 6  # blendshapes of a plot


@dataclass(frozen=True, eq=False, repr=False)
class Clip:
    """What is seen of a clip. T: its frames, none of which is dropped; NaN without the face.

    Attributes:
        path: of the video, the picture or the folder of pictures.
        trajectory: the same as the pipeline has it (landmarks/schema.py).
        facts: what the file's header says, and what went wrong in decoding.
    """

    path: Path
    trajectory: Trajectory
    facts: ClipFacts

    @cached_property
    def frames(self) -> pd.DataFrame:
        """A row per frame with OpenFace's names, as ``facewave extract`` writes it."""
        return table(self.trajectory, self.facts)

    @property
    def times(self) -> NDArray[np.float64]:
        """(T,), s from the first frame."""
        return self.trajectory.times_T

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(T,), whether the followed face is there."""
        return self.trajectory.valid_T

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(T, 478, 3), x and y in picture widths and heights, z on x's scale."""
        return self.trajectory.landmarks_TPC

    @cached_property
    def blendshapes(self) -> pd.DataFrame:
        """(T, 52) by name, in [0, 1]; the index is the time in s."""
        index = pd.Index(self.times, name="time")
        return pd.DataFrame(self.trajectory.blendshapes_TB, index, list(self.trajectory.names))

    @property
    def pose(self) -> NDArray[np.float32]:
        """(T, 4, 4), the facial transformation matrices (cm)."""
        return self.trajectory.pose_T44

    @cached_property
    def quality(self) -> dict[str, float]:
        """What a dataset measures of the clip (landmarks.schema.MEASURES)."""
        measures = quality.measure(quality.frames_of(self.trajectory, self.facts))
        return {str(name): value for name, value in measures.items()}

    def features(
        self,
        transform: TransformName = "energy",
        k: int = 7,
        wavelet: str = "haar",
        sides: Sides = "merged",
        boundary: Boundary = "open",
    ) -> dict[Block, NDArray[np.float32]]:
        """The wavelet numbers by block, each (N, ...); arguments as in ``wavelets`` of params.yaml.

        N is k, but 7 at most of ``energy``, which has no octave slower than a 64th of a clip, and
        64 of ``largest`` and ``pca``, of which training keeps k.

        Raises:
            UserError: there is no such transform or wavelet.
            ValueError: the face is in fewer than two frames.
        """
        from facewave.wavelets.features import features
        from facewave.wavelets.transform import Transform

        settings = params.check_wavelets(transform, wavelet, boundary, k, sides)
        return features(self.trajectory, self.facts, Transform.of(settings))

    def plot(self) -> "Plot":
        """The blendshapes that move most, over time; gaps are where the face is not seen."""
        from facewave.app.plots import Plot

        moving = self.blendshapes.std().sort_values(ascending=False, kind="stable").index[:_SHOWN]
        figure = Plot((8, 3.5), layout="constrained")
        axes = figure.add_subplot()
        for name in moving:
            axes.plot(self.times, self.blendshapes[name], label=name)
        axes.set(xlabel="time (s)", ylabel="blendshape", ylim=(0, 1), title=self.path.name)
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        return figure

    def __repr__(self) -> str:
        share = self.quality["face_share"]
        length = f"{self.quality['duration']:.2f} s, a face in {share:.0%} of them"
        return f"Clip({self.path}: {len(self.times)} frames, {length})"


def extract(clip: str | Path, fps: float = 25.0) -> Clip:
    """Detect the face in a clip, or take what is cached of it.

    Args:
        clip: a video, a picture, or a folder of pictures.
        fps: of a folder of pictures.

    Raises:
        UserError: it is not there, or could not be detected.
    """
    path = clip_of(str(clip))
    return Clip(path, *seen.look(path, fps, params.for_clips()))


def predict(
    clips: str | Path | Sequence[str | Path],
    model: str | Path | None = None,
    baseline: str | Path | Sequence[str | Path] = (),
    *,
    window: float = 3.0,
    hop: float = 1.0,
    fps: float = 25.0,
    force: bool = False,
) -> pd.DataFrame:
    """What a model makes of clips, a row per clip and per window of the longer ones.

    Args:
        clips: files, folders or patterns, as ``facewave predict`` takes them.
        model: a trained model's folder, or "demo"; None: what needs no training.
        baseline: other clips of the same person, for a model with ``train.normalize: person``.
        window: length of the parts of a longer clip that are answered on their own (s).
        hop: time from one to the next (s).
        fps: of folders of pictures.
        force: answer clips that a dataset would leave out.

    Returns:
        file, sha256, start and end (s; NaN: the whole clip), frames, duration, face_share, usable,
        reason, forced, model, calibrated (whether numbers for words are probabilities, not mere
        scores) and answered_from; then the answers to what the model is asked. Of classes
        ``predicted`` and ``p_<word>`` in [0, 1]; of a quadrant ``predicted_quadrant`` and
        ``p_quadrant_<word>``, and so of other words; of a number such as valence
        ``predicted_valence`` and the ends of its 90 % prediction interval, ``low_valence`` and
        ``high_valence``; of action units ``predicted_<unit>``, a probability or an intensity.
        Numbers are NaN where nothing was answered.

    Raises:
        UserError: a clip is not there, the model cannot be loaded, or it takes no baseline.
    """
    from facewave.app import answers
    from facewave.app.predict import Options, ask

    named, others = (
        clips_of([str(clip) for clip in ([some] if isinstance(some, str | Path) else some)])
        for some in (clips, baseline)
    )
    name = None if model is None else str(model)
    chosen = Options(name, fps, window, hop, force, baseline=others)
    with extras():
        _, tables = ask(named, chosen)
        return answers.flat(list(tables))


def timeline(
    recording: str | Path,
    model: str | Path | None = None,
    *,
    window: float = 3.0,
    hop: float = 1.0,
    smooth: float = 3.0,
    fps: float = 25.0,
) -> pd.DataFrame:
    """What a model makes of everybody in a recording of any length, over time.

    Args:
        recording: a video, or a folder of pictures.
        model: as of ``predict``.
        window: length of what is answered as one (s).
        hop: time from one window to the next (s).
        smooth: width of the running median over windows (s); 0: none.
        fps: of a folder of pictures.

    Returns:
        A row for each person and window, as ``facewave timeline`` writes them: those of
        ``predict`` without ``forced``, and ``person`` (from 0, who is in sight longest first),
        ``face_frames`` and ``doubt``, the entropy of the words as a share of the highest.

    Raises:
        UserError: it is not there or cannot be decoded, or the model cannot be loaded or asked
            about it.
    """
    from facewave.app.models import choose
    from facewave.app.timeline import answer, tables
    from facewave.app.timeline.recording import follow

    path, settings = clip_of(str(recording)), params.for_clips()
    with extras():
        trained = choose(None if model is None else str(model))
        options = answer.Options(window, hop, smooth)
        options.check()
        answer.check(path, trained)
        seen = follow(path, fps, settings)
        return tables.windows(answer.answer(seen, trained, options, settings))


def load_model(folder: str | Path) -> Trained:
    """A trained model (training/schema.py).

    Raises:
        UserError: it is not there or damaged, or needs what the light install leaves out.
    """
    from facewave.training import schema

    with extras():
        return schema.load(Path(folder))


def Dataset(name: str) -> _Dataset:  # noqa: N802 - it makes one
    """A dataset of the params.yaml of this folder: its labels, index, features and clips.

    Raises:
        UserError: there is no params.yaml here, or no such dataset in it.
    """
    return _Dataset(name, params.load())
