"""``facewave predict CLIP``: what a model makes of a person's own clips, as a whole and over time.

A clip that the pipeline would leave out is refused with the reason. One that is longer than a
window is also answered window by window: each is a part of the clip, as datasets have them.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from facewave import params
from facewave.app import answers
from facewave.app.models import choose
from facewave.app.seen import Blocks, as_clips, see
from facewave.errors import UserError
from facewave.files import sha256
from facewave.landmarks import cache, quality
from facewave.landmarks import schema as landmarks
from facewave.params import Params
from facewave.pictures import files_of
from facewave.prediction.schema import UNREADABLE
from facewave.training import cards
from facewave.training.schema import Trained
from facewave.wavelets.features import unusable
from facewave.workspace import Clips

_NOTHING = "the model finds no {} to judge by"
_UNREADABLE = "the model gave none of its labels"
NO_INTERVAL = "no interval for {}: too few labelled clips have shown how far off an answer may be"
_UNKNOWN_PERSON = (
    "no other clip of the person is known, so the people of the training clips stand in: name some "
    "with --baseline"
)
_ROUNDING = 1e-6  # of a hop


@dataclass(frozen=True)
class Options:
    """How clips are answered, and where the answers go.

    Attributes:
        model: see ``models.choose``.
        fps: of clips that are folders of pictures.
        window, hop: length of a window and time from one to the next (s).
        force: answer a clip that the pipeline would leave out.
        card: print the model's card, not its line alone.
        stdout: the form of what goes there: "text" for people, "json" or "csv" alone.
        out: a .json or .csv file, as well.
        baseline: other clips of the person, for a model that normalises by them; no clip counts
            for itself.
    """

    model: str | None = None
    fps: float = 25.0
    window: float = 3.0
    hop: float = 1.0
    force: bool = False
    card: bool = False
    stdout: str = "text"
    out: Path | None = None
    baseline: Sequence[Path] = ()

    def check(self) -> None:
        """Raise a UserError if they make no sense."""
        if not 0 < self.fps < math.inf:
            raise UserError(f"--fps is {self.fps:g}; pictures need more than 0 frames a second.")
        if not 0 < self.hop <= self.window < math.inf:
            raise UserError(
                f"--window is {self.window:g} s and --hop {self.hop:g} s; a hop is more than 0 and "
                "no longer than a window, else moments would be left out."
            )
        if self.out and self.out.suffix not in (".json", ".csv"):
            raise UserError(f"--out is {self.out}; name a .json or .csv file.")


def predict_all(clips: Sequence[Path], options: Options) -> bool:
    """Answer each clip, or say why there is no answer, which stops no other clip.

    Returns:
        Whether every clip was answered.

    Raises:
        UserError: there is no such model, or the options make no sense.
    """
    model, answered = ask(clips, options)
    for_people = options.stdout == "text"
    console = Console(highlight=False, markup=False, soft_wrap=True, stderr=not for_people)
    console.print(model.card() if options.card else f"model: {model.line()}")
    if model.about.get("synthetic"):
        console.print(f"beware: {cards.SYNTHETIC}", style="bold yellow")
    if model.normalizes and not options.baseline:
        console.print(_UNKNOWN_PERSON)
    tables = []
    for table in answered:
        tables.append(table)
        if for_people:
            answers.show(table, model, console)
    if tables and not for_people:
        print(answers.text(tables, options.stdout), end="")
    if tables and options.out:
        answers.write(tables, options.out)
    if unmeasured := answers.without_interval(tables, model):
        console.print(NO_INTERVAL.format(" and ".join(unmeasured)))
    return all(table["answered_from"].iloc[0] for table in tables)


def ask(clips: Sequence[Path], options: Options) -> tuple[Trained, Iterator[pd.DataFrame]]:
    """The model, and its answer to each clip (answers.py) as soon as there is one.

    Raises:
        UserError: there is no such model, or the options make no sense.
    """
    options.check()
    model = choose(options.model)
    if options.baseline and not model.normalizes:
        raise UserError(
            "--baseline names clips of the person, but the model was not trained to normalise by "
            "them. Leave it out, or train a model with train.normalize: person and name it in "
            "--model."
        )
    return model, _answers(clips, model, options)


def _answers(clips: Sequence[Path], model: Trained, options: Options) -> Iterator[pd.DataFrame]:
    settings = params.for_clips()
    seen = see([*clips, *options.baseline], options.fps, settings)
    keys, baseline_keys = seen.keys[: len(clips)], seen.keys[len(clips) :]
    baseline = {
        key: _numbers(clip, cache.place(key), seen.problems.get(key, ""), model, settings, options)
        for clip, key in zip(options.baseline, baseline_keys, strict=True)
    }
    for clip, key in zip(clips, keys, strict=True):
        problem = seen.problems.get(key, "")
        others = [numbers for other, numbers in baseline.items() if other != key]
        yield _answer(clip, cache.place(key), problem, others, model, settings, options)


def _numbers(
    clip: Path, file: Path, problem: str, model: Trained, settings: Params, options: Options
) -> Blocks:
    """What a model takes of a clip of the person's, each block (1, N, ...); others as ``_answer``.

    Raises:
        UserError: a dataset would leave the clip out.
    """
    whole = _parts(file, problem, True, settings, options).head(1)
    if not whole["usable"].iloc[0]:
        raise UserError(
            f"--baseline: {clip} says nothing of the person: {whole['reason'].iloc[0]}. Leave it "
            "out."
        )
    return as_clips(clip, options.fps, file, whole, model, settings).blocks


def windows(duration: float, window: float, hop: float) -> Iterator[tuple[float, float]]:
    """Where the windows of a clip begin and end (s), none if it is not longer than one.

    Together they are the whole clip: the last ends with it, and may be shorter by less than a hop.
    """
    if duration > window + _ROUNDING * hop:
        for number in range(math.ceil((duration - window) / hop - _ROUNDING) + 1):
            yield number * hop, min(number * hop + window, duration)


def _answer(
    clip: Path,
    file: Path,
    problem: str,
    baseline: Sequence[Blocks],
    model: Trained,
    settings: Params,
    options: Options,
) -> pd.DataFrame:
    """What a model makes of a clip as a whole, and of its windows (answers.COLUMNS).

    ``file`` is the clip's trajectory in the cache, unless there was a ``problem`` in detecting it;
    ``baseline`` are the numbers of the person's other clips.
    """
    parts = _parts(file, problem, bool(model.inputs), settings, options)
    has_face = parts["usable"] | (options.force & (parts["face_frames"] >= 2))
    # A model that looks at frames or listens answers clips without a usable face, in the pipeline,
    # too.
    takes_voice = bool(params.apart(model.inputs)["voice"])
    asked = has_face if model.needs_face and not takes_voice else has_face | (parts["frames"] > 0)
    parts["forced"] = has_face & ~parts["usable"]
    if not asked.iloc[0]:
        parts, asked = parts.head(1), asked.head(1)
    table = answered(
        parts, asked, model,
        lambda some: as_clips(
            clip, options.fps, file, some.assign(usable=has_face), model, settings, baseline
        ),
    )  # fmt: skip
    table = table.assign(
        file=str(clip),
        sha256=digest(clip),
        model=model.line(),
        calibrated=model.calibrated,
    )
    table = table.reindex(columns=answers.columns(model))
    return table.astype({"frames": int})


def answered(
    parts: pd.DataFrame,
    asked: pd.Series,
    model: Trained,
    clips_of: Callable[[pd.DataFrame], Clips],
) -> pd.DataFrame:
    """Parts of a clip with a model's answers; where it has none, ``reason`` says why.

    Args:
        parts: as ``measured`` has them.
        asked: those that the model is asked about.
        model: which answers.
        clips_of: some of the parts as the model takes clips.
    """
    takes_voice = bool(params.apart(model.inputs)["voice"])
    table = parts
    if asked.any():
        some = parts[asked]
        try:
            clips = clips_of(some)
        except ValueError as error:
            table = parts.assign(reason=f"its faces cannot be cut out: {error}")
        else:
            table = parts.join(model.answer(clips).set_axis(some.index))
    text, numbers = ["answered_from", *answers.words(model)], answers.numbers(model)
    columns = [name for name in answers.columns(model) if name not in answers.COLUMNS]
    table = table.reindex(columns=[*parts, "answered_from", *columns]).astype(
        dict.fromkeys(numbers, float) | dict.fromkeys(text, object)
    )
    table[text] = table[text].fillna("")
    is_unreadable = pd.Series(False, table.index)
    if model.classes:
        is_unreadable = (table["answered_from"] != "") & (table["predicted"] == UNREADABLE)
    from_prior = table["answered_from"] == "prior"
    for reason, rows in (
        (_NOTHING.format("face and no voice" if takes_voice else "face"), from_prior),
        (_UNREADABLE, is_unreadable),
    ):
        table.loc[rows, numbers] = math.nan
        table.loc[rows, [*text, "reason"]] = [""] * len(text) + [reason]
    return table


def _parts(
    file: Path, problem: str, interpolates: bool, settings: Params, options: Options
) -> pd.DataFrame:
    """A clip and its windows: start, end, their measures, and whether a dataset would have them.

    The length of gaps matters if the model ``interpolates``: takes wavelet numbers.
    """
    frames, length = quality.NONE, 0.0
    if not problem:
        trajectory, facts = landmarks.read_clip(file), landmarks.read_facts(file)
        frames, problem = quality.frames_of(trajectory, facts), facts.problem
        length = landmarks.duration(trajectory.times_T)
    spans = [(math.nan, math.nan), *windows(length, options.window, options.hop)]
    return measured(frames, problem, spans, interpolates, settings)


def measured(
    frames: NDArray[Any],
    problem: str,
    spans: Iterable[tuple[float, float]],
    interpolates: bool,
    settings: Params,
) -> pd.DataFrame:
    """Parts of a clip: start, end, their measures, and whether a dataset would have them.

    Args:
        frames: of the clip (``quality.frames_of``).
        problem: in decoding it, "" if there was none.
        spans: start and end of each part (s); NaN: no limit.
        interpolates: the length of gaps matters: the model takes wavelet numbers.
        settings: params.yaml.
    """
    rows = []
    for start, end in spans:
        measures = quality.measure(frames, start, end)
        reason = quality.judge(measures, problem, settings.landmarks)
        if interpolates:
            reason = unusable(measures | {"reason": reason}, settings.wavelets.max_gap_s)
        rows.append({"start": start, "end": end, **measures, "reason": reason})
    parts = pd.DataFrame(rows)
    return parts.assign(usable=parts["reason"] == "")


def digest(clip: Path, of_file: Callable[[Path], str] = sha256) -> str:
    """The SHA-256 of a file; of a folder of pictures that of what ``sha256sum`` prints of them."""
    if not clip.is_dir():
        return of_file(clip)
    lines = (f"{of_file(picture)}  {picture.name}\n" for picture in files_of(clip))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
