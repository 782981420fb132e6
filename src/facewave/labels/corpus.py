"""What is known of a corpus beside its clips: the type of every reader's ``CORPUS``."""

import glob
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facewave.errors import UserError
from facewave.labels.records import Record
from facewave.params import Dataset


@dataclass(frozen=True, kw_only=True)
class Track:
    """One way to label the same clips.

    Attributes:
        words: the labels, in the order of the corpus's codes; none where it has numbers alone.
        knows: the columns of the label table that it fills beside the word.
        published: counts to compare with: "clips", "subjects", a part or fold ("train",
            "fold 1"), a word. Only figures that the corpus's authors or its lists state.
        annotators: how many vote on each clip, if always the same number.
        majority: a word needs more votes than this.
    """

    words: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()
    published: Mapping[str, int] = field(default_factory=dict)
    annotators: int | None = None
    majority: int | None = None


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus and its reader.

    Attributes:
        name: as ``reader`` in params.yaml names it.
        title: its name and paper.
        tracks: by name; the first is taken unless params.yaml names another.
        home: where it is asked for or downloaded.
        access: how it is had.
        licence: what its terms allow.
        layout: glob patterns below the root -> what stands there; alternatives are joined by
            " or ".
        read: (root, entry) -> records; a UserError if the files are not as they should be.
        takes: the optional keys of an entry in params.yaml that mean something to it.
    """

    name: str
    title: str
    tracks: Mapping[str, Track]
    home: str
    access: str
    licence: str
    layout: Mapping[str, str]
    read: Callable[[Path, Dataset], list[Record]]
    takes: tuple[str, ...] = ()

    def track(self, name: str) -> Track:
        """The track that params.yaml names, "" for the first.

        Raises:
            UserError: there is none of that name.
        """
        if name and name not in self.tracks:
            raise UserError(
                f"params.yaml: {self.name} has no track {name!r}; it has {', '.join(self.tracks)}."
            )
        return self.tracks[name] if name else next(iter(self.tracks.values()))


def track_name(corpus: Corpus, entry: Dataset) -> str:
    """The track of an entry by its name: the first where it names none."""
    return entry.track or next(iter(corpus.tracks))


def first_there(root: Path, *patterns: str) -> str:
    """The first of several places below ``root`` that exists, else the first.

    Patterns may hold {order} and the like in their last parts: what precedes it is looked for.
    """
    for pattern in patterns:
        if (root / pattern.split("{")[0]).exists():
            return pattern
    return patterns[0]


def find(root: Path, pattern: str) -> list[Path]:
    """The paths below ``root`` that fit a glob, sorted; links are followed, hidden files are not.

    Unlike Path.rglob, which before Python 3.13 passes by whatever lies behind a link.
    """
    names = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
    return sorted(root / name for name in names)


def clip_path(pattern: str, **values: object) -> str:
    """A clip's path from the pattern ``clips`` of params.yaml.

    Raises:
        UserError: the pattern holds something else than the values that the reader knows.
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
    """Whether the codes of ``count`` words start from 0 or from 1, as all of them together tell.

    Raises:
        UserError: neither 0 nor ``count`` occurs, or both do: then nobody can tell.
    """
    zero, last = 0 in codes, count in codes
    if zero == last:
        evidence = f"both 0 and {count} occur" if zero else f"neither 0 nor {count} occurs"
        raise UserError(
            f"{where}: the labels may count from 0 or from 1 ({evidence}). Put files of one origin "
            "there, complete ones."
        )
    return 0 if zero else 1


def expect_codes(codes: Iterable[int | None], count: int, first: int, where: str) -> None:
    """See to it that the codes of ``count`` words start from ``first``, as the corpus declares.

    Raises:
        UserError: as a whole they look as if they started from the other of 0 and 1.
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
    """The word as the corpus spells it, whatever the case it was written in; "" if unknown."""
    spelt = {word.casefold(): word for word in words}
    return spelt.get(written.casefold(), "")
