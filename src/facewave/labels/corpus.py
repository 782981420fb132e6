"""The description of a corpus: the type of every reader's ``CORPUS``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from facewave import functionals
from facewave.errors import UserError
from facewave.labels.folders import find
from facewave.labels.records import Record
from facewave.params import Dataset
from facewave.pictures import TRACKS


@dataclass(frozen=True, kw_only=True)
class Track:
    """One way to label the same clips.

    Attributes:
        words: the labels, in the order of the corpus's codes; none if it has only numbers.
        knows: the columns of the label table that it fills besides the word.
        published: counts to compare with: "clips", "subjects", a part or fold ("train",
            "fold 1"), a word. Only figures stated by the corpus's authors or its lists.
        of_compounds: the same of the clips whose word is one of the seven compounds.
        annotators: the number of votes of each clip, if it is always the same.
        majority: a word needs more votes than this.
    """

    words: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()
    published: Mapping[str, int] = field(default_factory=dict)
    of_compounds: Mapping[str, int] = field(default_factory=dict)
    annotators: int | None = None
    majority: int | None = None


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus and its reader.

    Attributes:
        name: the value of ``reader`` in params.yaml.
        title: its name and paper.
        tracks: by name; the first is the default.
        home: where it is requested or downloaded.
        access: how to obtain it.
        licence: what its terms allow.
        grey: whether its pictures have no colours.
        layout: glob patterns below the root -> what is there; alternatives are joined by
            " or ".
        read: (root, entry) -> records; raises a UserError if the files are not as they should be.
        takes: the optional keys of an entry in params.yaml that it uses.
        folds: published folds that an entry may name, preset -> the subjects of each test part.
    """

    name: str
    title: str
    tracks: Mapping[str, Track]
    home: str
    access: str
    licence: str
    layout: Mapping[str, str]
    read: Callable[[Path, Dataset], list[Record]]
    grey: bool = False
    takes: tuple[str, ...] = ()
    folds: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def track(self, name: str) -> Track:
        """The track that params.yaml names, "" for the first.

        Raises:
            UserError: there is none of that name.
        """
        if name and name not in self.tracks:
            raise UserError(
                f"params.yaml: {self.name} has no track {name!r}; it has {', '.join(self.tracks)}."
            )
        return self.tracks[name or next(iter(self.tracks))]

    def track_name(self, entry: Dataset) -> str:
        """The name of an entry's track, by default the first."""
        return entry.track or next(iter(self.tracks))

    def fold_of(self, preset: str) -> dict[str, int]:
        """The fold, from 1, in whose test part each subject is by published folds.

        Raises:
            UserError: there is no preset of that name.
        """
        if preset not in self.folds:
            raise UserError(
                f"params.yaml: folds is {preset!r}, but {self.name} has "
                f"{'the published folds ' + ', '.join(self.folds) if self.folds else 'none'} by "
                "name. Name one that it has, or say how many to draw, such as 5."
            )
        return {
            subject: number
            for number, subjects in enumerate(self.folds[preset], start=1)
            for subject in subjects
        }


def first_there(root: Path, *patterns: str) -> str:
    """The first pattern that exists below ``root``, else the first.

    A pattern such as clips/{order}.mp4 exists if what precedes its first brace does.
    """
    for pattern in patterns:
        if (root / pattern.split("{")[0]).exists():
            return pattern
    return patterns[0]


def clip_paths(root: Path, entry: Dataset, pattern: str, suffixes: Sequence[str]) -> list[str]:
    """The paths of an entry's clips below ``root``, sorted, where their names are the labels.

    They are videos that match the glob ``pattern`` and have one of the ``suffixes`` (lower case);
    of ``tracks`` the other tool's files, by the entry's glob ``clips`` if it has one; of
    ``features`` the names in the table.

    Raises:
        UserError: the glob leaves the root, or the table of features cannot be read.
    """
    if entry.features:
        return sorted(functionals.read(root, entry.features, entry.columns.values()).rows)
    if entry.tracks:
        pattern, suffixes = entry.clips or "**/*", TRACKS
    if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
        raise UserError(f"params.yaml: clips is {pattern!r}, which is no glob below the root.")
    files = [
        path for path in find(root, pattern, entry.follow_links) if path.suffix.lower() in suffixes
    ]
    return [path.relative_to(root).as_posix() for path in files]


def clip_path(pattern: str, **values: object) -> str:
    """A clip's path by the pattern ``clips`` of params.yaml.

    Raises:
        UserError: the pattern has a field that the reader does not know.
    """
    try:
        return pattern.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join("{" + name + "}" for name in values)
        raise UserError(
            f"params.yaml: clips is {pattern!r}, where only {known} can stand ({error!r})."
        ) from None


def code(words: tuple[str, ...], number: int | None, first: int) -> str:
    """The word of a code, codes counting from ``first``; "" where there is none."""
    return words[number - first] if number is not None and 0 <= number - first < len(words) else ""


def first_code(codes: set[int], count: int, where: str) -> int:
    """Whether the codes of ``count`` words start from 0 or from 1.

    Raises:
        UserError: neither 0 nor ``count`` occurs, or both do, so the codes do not show it.
    """
    if (zero := 0 in codes) == (count in codes):
        evidence = f"both 0 and {count} occur" if zero else f"neither 0 nor {count} occurs"
        raise UserError(
            f"{where}: the labels may count from 0 or from 1 ({evidence}). Put files of one origin "
            "there, complete ones."
        )
    return 0 if zero else 1


def expect_codes(codes: Iterable[int | None], count: int, first: int, where: str) -> None:
    """Check that the codes of ``count`` words start from ``first``, as the corpus declares.

    Raises:
        UserError: taken together they seem to start from the other of 0 and 1.
    """
    present = set(codes)
    inside, outside = (count, 0) if first else (0, count)
    if outside in present and inside not in present:
        raise UserError(
            f"{where}: its codes should run from {first} to {first + count - 1}, but {outside} "
            f"occurs and {inside} does not: they seem to count from {1 - first}, and every word "
            "would be another. Get the official file, or correct the codes."
        )


def known(words: tuple[str, ...], written: str) -> str:
    """The word in the corpus's spelling, matched regardless of case; "" if unknown."""
    return {word.casefold(): word for word in words}.get(written.casefold(), "")
