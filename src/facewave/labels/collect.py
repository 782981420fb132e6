"""From an entry of params.yaml to one cleaned table: its corpus, or the several of a union."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from facewave import functionals, marks
from facewave.errors import UserError
from facewave.labels import cleaning, frames, more, schema, sidecars, subsets, vocabulary
from facewave.labels.clips import exists, inspect, located
from facewave.labels.corpus import Corpus
from facewave.labels.folders import is_below
from facewave.labels.readers import get, table, union
from facewave.labels.records import frame
from facewave.labels.schema import AMBIGUOUS, LABEL_REASONS, VOCABULARIES, Reason
from facewave.params import Dataset, Labels
from facewave.targets import UNITS, available

# Options that a reader must declare (``Corpus.takes``) for an entry to set them.
_OPTIONAL = ("table", "clips", "encoding", "every", "window", "columns", "parts")
_IN_PLACE_OF_VIDEOS = ("tracks", "features")


@dataclass(frozen=True)
class Source:
    """One corpus of an entry.

    Attributes:
        corpus: its description and reader.
        entry: its entry in params.yaml, or the part of a union as an entry.
        name: its name in column ``dataset``.
        below: its folder below the entry's root, "" for the root itself.
        share: the share of its clips that is used.
        part: of a union's, which part its clips have (params.Part).
    """

    corpus: Corpus
    entry: Dataset
    name: str
    below: str = ""
    share: float = 1.0
    part: str = ""


def sources(entry: Dataset, name: str) -> list[Source]:
    """The corpora of an entry.

    Raises:
        UserError: no such reader or track, or an option that the reader does not take.
    """
    corpus = get(entry.reader)
    corpus.track(entry.track)
    cleaning.check_inside(entry.table, f"params.yaml: datasets.{name}.table")
    cleaning.check_inside(entry.clips, f"params.yaml: datasets.{name}.clips")
    cleaning.check_inside(entry.more, f"params.yaml: datasets.{name}.more")
    _check_stand_in(entry, name)
    if isinstance(entry.folds, str):
        corpus.fold_of(entry.folds)
    defaults = Dataset(reader=entry.reader, root=entry.root, about=entry.about)
    for option in _OPTIONAL:
        is_set = getattr(entry, option) != getattr(defaults, option)
        if is_set and option not in corpus.takes:
            takes = ", ".join(corpus.takes) or "none of these options"
            raise UserError(
                f"params.yaml: datasets.{name}.{option}: the reader {entry.reader} has no use for "
                f"it; it takes {takes}."
            )
    unknown = [word for word in words_of(entry) if word not in native_words(entry)]
    if unknown and not _vocabulary(entry):
        known = ", ".join(native_words(entry)) or "none"
        common = "), or of the seven compounds (".join(map(", ".join, VOCABULARIES.values()))
        raise UserError(
            f"params.yaml: datasets.{name}.words: {', '.join(map(repr, unknown))}: not among the "
            f"words of {entry.reader}, which are {known}. List some of these, or some of the seven "
            f"({common}) alone."
        )
    if entry.min_count and not words_of(entry):
        raise UserError(
            f"params.yaml: datasets.{name}.min_count: there are no words to count. Remove it."
        )
    if (common := _vocabulary(entry)) and not native_words(entry):
        raise UserError(
            f"params.yaml: datasets.{name}: {entry.reader} has no words there that "
            f"{', '.join(VOCABULARIES[common])} could stand for. Use words: own, or another track."
        )
    if entry.reader != "union":
        return [Source(corpus, entry, name)]
    corpora = []
    for part, as_entry in union.parts_of(entry, name, common or corpus.track_name(entry)):
        below = str(PurePosixPath(part.root))
        if not native_words(as_entry):
            as_entry = replace(as_entry, words="own")  # it has only numbers
        (inner,) = sources(as_entry, below)
        corpora.append(Source(inner.corpus, as_entry, below, below, part.share, part.part))
    return corpora


def _check_stand_in(entry: Dataset, name: str) -> None:
    """Refuse tables in place of videos that cannot be."""
    stand_ins = [option for option in _IN_PLACE_OF_VIDEOS if getattr(entry, option)]
    if len(stand_ins) > 1 or (stand_ins and entry.reader == "union"):
        raise UserError(
            f"params.yaml: datasets.{name} has {' and '.join(stand_ins)}: a dataset has one of "
            "these in place of videos, and a union none. Take one out."
        )
    if entry.features:
        where = f"params.yaml: datasets.{name}.features.table"
        cleaning.check_inside(entry.features.table, where)


def native_words(entry: Dataset) -> tuple[str, ...]:
    """All words of an entry's corpus as its files have them, in the order of their codes."""
    if entry.reader == "table":
        return table.words_of(entry)
    return get(entry.reader).track(entry.track).words


def words_of(entry: Dataset) -> tuple[str, ...]:
    """The words that an entry chooses for its cleaned clips, in the order of the codes."""
    if not isinstance(entry.words, str):
        return tuple(entry.words)
    return VOCABULARIES.get(entry.words) or native_words(entry)


def _vocabulary(entry: Dataset) -> str:
    """Which common vocabulary an entry's corpus's words are mapped to; "" for none: they stay.

    A list may be read either way where the corpus's words are spelt like the common ones; both
    readings choose the same clips, since no two words of a corpus have one counterpart.
    """
    if isinstance(entry.words, str):
        return entry.words if entry.words in VOCABULARIES else ""
    if set(entry.words) <= set(native_words(entry)):
        return ""
    return next((key for key, all_ in VOCABULARIES.items() if set(entry.words) <= {*all_}), "")


def read(source: Source, seed: int) -> pd.DataFrame:
    """A source's records, its paths below the entry's root; rows outside the share are marked.

    Of each word, and of the clips without one that is sure, the same share is inside.

    Raises:
        UserError: what the reader raises, no rows, or a path that leaves the root.
    """
    root = Path(source.entry.root)
    records = source.corpus.read(root, source.entry)
    if not records:
        raise UserError(f"{root}: nothing of {source.corpus.title} is there.")
    raw = frame(records).assign(dataset=source.name)
    if not source.entry.follow_links:
        _check_links(root, raw["table"].unique())
    if not source.entry.features:
        raw["file_path"] = raw["file_path"].map(located(root, raw["file_path"].unique()))
    for line, path in zip(raw.itertuples(), raw["file_path"], strict=True):
        cleaning.check_inside(path, cleaning.where(line))
    if source.part == "official" and not (raw["part"] != "").any():
        raise UserError(
            f"params.yaml: parts: {source.name} is {source.corpus.title}, which has no parts of "
            "its own. Write part: train or part: test."
        )
    if not source.entry.official:
        raw = raw.assign(part=source.part, fold=pd.array([pd.NA] * len(raw), dtype="Int64"))
        of_parts = raw["problem"].isin([Reason.IN_TWO_PARTS, Reason.NO_OFFICIAL_PART])
        raw["problem"] = raw["problem"].mask(of_parts, None)
    if isinstance(source.entry.folds, str):
        fold = raw["subject"].map(source.corpus.fold_of(source.entry.folds))
        raw = raw.assign(part="", fold=fold.astype("Int64"))
    if source.below:
        for column in ("video_idx", "file_path", "subject", "source", "table"):
            named = raw[column] != ""
            raw[column] = raw[column].where(~named, source.below + "/" + raw[column])
    if source.share < 1:
        drawn = raw[raw["problem"].isna() | raw["problem"].isin(AMBIGUOUS)]
        drawn = drawn.assign(word=drawn["word"].where(drawn["problem"].isna(), ""))
        # Rows without a word come last: a file that also has one is ranked by it.
        drawn = drawn.sort_values("word", key=lambda word: word == "", kind="stable")
        outside = subsets.rank(drawn, seed) >= source.share
        raw.loc[drawn.index[outside], "problem"] = Reason.OUTSIDE_SHARE
    return raw


def _check_links(root: Path, tables: Iterable[str]) -> None:
    """Refuse label files that a link puts outside of the root."""
    home = os.path.realpath(root)
    for path in (root / name for name in tables):
        if not is_below(os.path.realpath(path), home):
            raise UserError(
                f"{path}: a link leads out of the dataset's root. Put the file there, or "
                "allow such links: follow_links: true in the dataset's entry."
            )


def collect(entry: Dataset, name: str, settings: Labels) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The cleaned rows of all corpora of an entry (cleaning.clean), and the words they have.

    Raises:
        UserError: as ``sources``, ``read`` and ``more.join``; only colour is wanted, and all
            pictures are grey; or some corpora tell which action units are there and others how
            strong they are.
    """
    read_sources = [(source, read(source, settings.seed)) for source in sources(entry, name)]
    if entry.colour_only:
        grey = [raw for source, raw in read_sources if source.corpus.grey]
        if len(grey) == len(read_sources):
            raise UserError(
                f"params.yaml: datasets.{name}.colour_only: all pictures of {entry.reader} are "
                "grey. Remove it, or name a corpus in colour."
            )
        for raw in grey:
            raw["problem"] = raw["problem"].fillna(Reason.GREY)
    if entry.more:
        root = Path(entry.root)
        if not entry.follow_links:
            _check_links(root, [entry.more])
        more.join([raw for _, raw in read_sources], root / entry.more)
    wanted: set[str] = set()
    for _, raw in read_sources:
        inspected = raw["problem"].isna() | raw["problem"].isin(LABEL_REASONS)
        wanted |= set(raw.loc[inspected, "file_path"]) - {""}
    facts = facts_of(entry, sorted(wanted))
    tables = []
    for source, raw in read_sources:
        windows = with_windows(raw, Path(entry.root), source.entry)
        encoding = source.entry.encoding or "utf-8"
        filled = sidecars.fill(windows, facts, Path(entry.root), encoding)
        tables.append(cleaning.clean(filled, facts, rules(source, settings)))
    whole = pd.concat(tables, ignore_index=True)
    if len(tables) > 1:
        _check_units(whole, name)
    cleaning.exclude_copies(whole)  # of two corpora
    return whole, cleaning.choose(whole, words_of(entry), entry.min_count)


def _check_units(whole: pd.DataFrame, name: str) -> None:
    """Refuse corpora whose action units mean different things: 1 is all, or 1 of 5."""
    kinds = {
        str(corpus): units.kind
        for corpus, rows in whole.groupby("dataset")
        if (units := available(rows, ()).get(UNITS))
    }
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{corpus} {kind}" for corpus, kind in kinds.items())
        raise UserError(
            f"params.yaml: datasets.{name}.parts: action units differ in kind ({listed}), and "
            "presence (0 or 1) cannot be learnt as intensity (0 to 5). Leave out the units of one "
            "kind: its columns aus.AU<number> or its columns in `more`, its track, or the part."
        )


def present_of(entry: Dataset, paths: Iterable[str]) -> set[str]:
    """Those of an entry's clips that are there: as files, or as rows of its table of features."""
    root = Path(entry.root)
    if entry.features:
        return functionals.read(root, entry.features, entry.columns.values()).rows.keys() & paths
    return {path for path in paths if exists(root / path)}


def facts_of(entry: Dataset, paths: list[str]) -> dict[str, cleaning.FileFact]:
    """What cleaning needs to know of each of an entry's clips."""
    if entry.features:
        present = present_of(entry, paths)
        return {path: cleaning.FileFact(exists=path in present) for path in paths}
    return inspect(Path(entry.root), paths, entry.follow_links)


def with_windows(raw: pd.DataFrame, root: Path, entry: Dataset) -> pd.DataFrame:
    """Set start and end of rows about one frame, by the frame's own time in its video.

    Raises:
        UserError: the clips are another tool's tables, whose frames a second are not known.
    """
    of_frames = raw[raw["frame"].notna()]
    fps = entry.tracks.fps if entry.tracks else entry.fps
    if len(of_frames) and fps is None:
        raise UserError(
            f"params.yaml: {entry.reader} labels single frames, and nothing tells their times in "
            f"the tables of tracks below {root}. Set tracks.fps to the frames a second of the "
            "videos that they were made from."
        )
    times_of = {path: marks.frame_times(root / path) for path in of_frames["file_path"].unique()}
    spans = [
        frames.window(_time(row.frame, times_of[row.file_path], fps or entry.fps), entry.window)
        for row in of_frames.itertuples()
    ]
    windows = pd.DataFrame(spans, of_frames.index, columns=["start", "end"]).reindex(raw.index)
    return raw.assign(**windows.fillna(raw[["start", "end"]]))


def traces(entry: Dataset, name: str, files: Collection[str]) -> pd.DataFrame:
    """Valence and arousal of every frame of those ``files`` whose corpora label frames.

    Returns:
        As ``schema.FRAMES``, in the order of files and times; NaN where the corpus has no number,
        or one outside of [-1, 1].
    """
    tables = []
    for source in sources(entry, name):
        knows = source.corpus.track(source.entry.track).knows
        if "every" in source.corpus.takes and {"valence", "arousal"} <= set(knows):
            every = replace(source, entry=replace(source.entry, every=1), share=1.0)
            tables.append(_trace(read(every, seed=0), Path(entry.root), every.entry, files))
    if not tables:
        return pd.DataFrame(columns=list(schema.FRAMES))
    whole = pd.concat(tables, ignore_index=True)
    return whole.sort_values(["file_path", "time"], kind="stable", ignore_index=True)


def _trace(raw: pd.DataFrame, root: Path, entry: Dataset, files: Collection[str]) -> pd.DataFrame:
    rows = raw[raw["file_path"].isin(list(files)) & (raw["frame"].notna() | raw["end"].notna())]
    times_of = {path: marks.frame_times(root / path) for path in rows["file_path"].unique()}
    fps = (entry.tracks.fps if entry.tracks else entry.fps) or entry.fps
    # A corpus that gives times in place of frames has them in the middle of its windows.
    middle = rows["end"] - entry.window / 2
    time = [
        at if pd.isna(frame) else _time(int(frame), times_of[path], fps)
        for path, frame, at in zip(rows["file_path"], rows["frame"], middle, strict=True)
    ]
    values = {side: rows[side].where(rows[side].abs() <= 1) for side in ("valence", "arousal")}
    return pd.DataFrame({"file_path": rows["file_path"], "time": time} | values)


def _time(frame: int, times: Sequence[float], fps: float) -> float:
    """A frame's time (s); beyond a video's end, and of pictures, by the frame rate."""
    if 0 <= frame < len(times):
        return times[frame]
    if frame < 0:
        return frame / fps
    return times[-1] + (frame + 1 - len(times)) / fps if times else frame / fps


def rules(source: Source, settings: Labels) -> cleaning.Rules:
    """The rules for a source's rows."""
    track = source.corpus.track(source.entry.track)
    words = native_words(source.entry)
    return cleaning.Rules(
        words=words,
        annotators=track.annotators,
        majority=track.majority,
        min_agreement=settings.min_agreement,
        neutral_zone=settings.neutral_zone,
        common=vocabulary.MAPPINGS[common](source.corpus.name, words)
        if (common := _vocabulary(source.entry)) and source.corpus.name != "table"
        else None,
    )
