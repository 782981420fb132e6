"""``facewave submission DATASET``: the file that the ABAW challenge of compounds takes.

It has a line for every frame of every video, from a track (pseudo/schema.py) that answers some of
them. A frame between them has the answer that is nearest in time, the earlier of two. Refused rows
do not count as answers, nor do those from the class prior alone, which saw no face, where a video
has others. What took the answer of the moment before is one (``pseudo-label --refusals previous``).
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import marks, params
from facewave.errors import UserError
from facewave.files import read_csv
from facewave.filters import filtered
from facewave.labels import challenge
from facewave.labels.collect import Source, sources
from facewave.labels.readers.abaw_compound import Video, videos
from facewave.labels.schema import COMPOUND, compound
from facewave.pseudo.schema import PRIOR, SAID
from facewave.workspace import Dataset

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # s: of two frames that are as far away


@dataclass(frozen=True, eq=False)
class Answers:
    """What a track says of a video.

    Attributes:
        at_n: the answered frames, by their position among the video's, rising.
        code_n: their answers, as positions in ``COMPOUND``.
        shares_nC: their probabilities; of an answer without any, 1 for its word.
    """

    at_n: NDArray[np.int64]
    code_n: NDArray[np.int64]
    shares_nC: Floats


def submission(name: str, track: str, out: Path, median_s: float) -> None:
    """Write the challenge's file from data/tracks/<dataset>/<track>.csv.

    Args:
        name: a dataset of params.yaml, read by abaw_compound, or a union with such a part.
        track: the track's name.
        out: the file.
        median_s: width of a median filter over time of the probabilities (s); 0: none.

    Raises:
        UserError: no such dataset or track, a video without any answer, or an answer that is none
            of the seven.
    """
    dataset = Dataset(name, params.load())
    source = _source(dataset.entry, name)
    root = Path(source.entry.root)
    path = dataset.tracks / f"{track}.csv"
    table = _read(path, name, track)
    lines: list[tuple[str, str]] = []
    n_answered = 0
    of_corpus = videos(root, source.entry)
    for one in of_corpus:
        answers = _answers(table, one, source.below, path)
        n_answered += len(answers.at_n)
        codes_f = answers_of(answers, _times(root, one, source.entry.fps), median_s)
        lines += zip(one.pictures, (COMPOUND[code] for code in codes_f), strict=True)
    challenge.write(out, lines)
    counts = Counter(word for _, word in lines)
    print(
        f"{out}: {len(lines)} frames of {len(of_corpus)} videos; {n_answered} are answered, the "
        "others as the nearest"
    )
    print(", ".join(f"{word} {counts[word]}" for word in COMPOUND))


def answers_of(answers: Answers, time_f: Floats, median_s: float) -> NDArray[np.int64]:
    """The code of each of a video's frames, (f,).

    Args:
        answers: to some of them.
        time_f: when each frame is (s), rising.
        median_s: width of the median filter (s); 0: none.
    """
    nearest_f = _nearest(time_f[answers.at_n], time_f)
    code_f, shares_fC = answers.code_n[nearest_f], answers.shares_nC[nearest_f]
    if not median_s:
        return code_f
    shares_fC = filtered(time_f, shares_fC, median_s)
    is_best_fC = shares_fC == shares_fC.max(axis=1, keepdims=True)
    # Of equals the frame's own answer is taken, not the first in the order of the codes.
    return (is_best_fC * (1 + np.eye(len(COMPOUND))[code_f])).argmax(axis=1)


def _nearest(time_n: Floats, time_f: Floats) -> NDArray[np.int64]:
    """Which of some rising times is nearest to each of others; of two equally near the earlier."""
    after_f = np.searchsorted(time_n, time_f).clip(max=len(time_n) - 1)
    before_f = (after_f - 1).clip(min=0)
    is_before_f = time_f - time_n[before_f] <= time_n[after_f] - time_f + _ROUNDING
    return np.where(is_before_f, before_f, after_f)


def _times(root: Path, one: Video, fps: float) -> Floats:
    """When each of a video's frames is (s); of pictures as their numbers tell."""
    numbers_f = np.array(one.frames)
    return np.array(marks.frame_times(root / one.clip) or (numbers_f - numbers_f[0]) / fps)


def _source(entry: params.Dataset, name: str) -> Source:
    """The challenge's videos among the corpora of an entry; of several those without a table."""
    corpora = [one for one in sources(entry, name) if one.corpus.name == "abaw_compound"]
    corpora = [one for one in corpora if not one.entry.table] or corpora
    if len(corpora) != 1:
        below = ", ".join(one.below for one in corpora)
        has = f"has several parts of the challenge's videos, {below}"
        raise UserError(
            f"params.yaml: datasets.{name} "
            f"{has if corpora else 'has no videos of the challenge (reader: abaw_compound)'}. "
            "Name a dataset that has them once."
        )
    return corpora[0]


def _read(path: Path, name: str, track: str) -> pd.DataFrame:
    """A track by video_idx: ``predicted``, ``p_<word>``, and if there origin and answered_from."""
    try:
        table = read_csv(path, ("video_idx", "predicted", "origin", "answered_from"))
        table = table.astype({name: float for name in table if name.startswith("p_")})
        table = table.set_index("video_idx")
        table["predicted"]
    except FileNotFoundError:
        raise UserError(
            f"{path} is not here. Make it: facewave pseudo-label {name} --track {track}"
        ) from None
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{path} is no table of answers ({error}): it needs the columns video_idx and "
            "predicted. Make it again, or name another with --track."
        ) from None
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise UserError(f"{path}: {twice} is answered twice. Take one of the rows out.")
    return table


def _answers(table: pd.DataFrame, one: Video, below: str, path: Path) -> Answers:
    """What the track at ``path`` says of a video, whose folder is ``below`` a union's root.

    Raises:
        UserError: it has no answer, or one that is none of the seven.
    """
    ids = [f"{below}/{one.name}/{number:05d}".lstrip("/") for number in one.frames]
    at_f = table.index.get_indexer(pd.Index(ids))
    rows = table.iloc[at_f[at_f >= 0]].assign(at=np.flatnonzero(at_f >= 0))
    rows = rows[rows["predicted"] != ""]
    if rows.empty:
        raise UserError(
            f"{path}: video {one.name} has no answer, and the file needs one for every frame. "
            "Answer it, or have clips in params.yaml leave it out."
        )
    words = rows["predicted"].map(compound)
    if (words == "").any():
        row = rows[words == ""].iloc[0]
        raise UserError(
            f"{path}: the answer to {row.name}, {row['predicted']!r}, is none of the seven: "
            f"{', '.join(COMPOUND)}. Name another track."
        )
    if len(seen := rows[_is_seen(rows)]):
        rows, words = seen, words[seen.index]
    code_n = pd.Index(COMPOUND).get_indexer(pd.Index(words))
    columns = {compound(name[2:]): name for name in rows if name.startswith("p_")}
    shares_nC = rows.reindex(columns=[columns.get(word) for word in COMPOUND]).to_numpy(float)
    is_known_n = ~np.isnan(shares_nC).all(axis=1)
    certain_nC = np.eye(len(COMPOUND))[code_n]
    shares_nC = np.where(is_known_n[:, None], np.nan_to_num(shares_nC), certain_nC)
    return Answers(rows["at"].to_numpy(np.int64), code_n, shares_nC)


def _is_seen(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows answer from something seen, of their moment or of the one before."""
    if "origin" in rows:
        return rows["origin"].isin(SAID)
    return rows.get("answered_from", pd.Series("", rows.index)) != PRIOR
