"""Several corpora as one, in the seven words, or the seven compounds, that they have in common.

Each part lies in its folder below the root and gives a stratified share of its clips; one without
words gives its numbers and action units. The default parts are 30 % of DFEW, 10 % of FERV39k and
half of MAFW, split 80/10/10. Official folds mean nothing across corpora and are not taken over;
official parts are where the entry says so.
"""

from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from facewave.errors import UserError
from facewave.labels.corpus import Corpus, Track
from facewave.labels.records import Record
from facewave.labels.schema import VOCABULARIES
from facewave.params import Dataset, Part
from facewave.targets import PLANE

PRESET = [
    Part(reader="dfew", root="dfew", share=0.3),
    Part(reader="ferv39k", root="ferv39k", share=0.1),
    Part(reader="mafw", root="mafw", share=0.5),
]


def parts_of(entry: Dataset, name: str, words: str) -> list[tuple[Part, Dataset]]:
    """The parts of the entry ``datasets.<name>``, each also as an entry with these ``words``.

    Raises:
        UserError: two parts have one folder, a part is a union, or only some say which part their
            clips have.
    """
    parts = entry.parts or PRESET
    roots = [PurePosixPath(part.root) for part in parts]
    outside = any(root.is_absolute() or ".." in root.parts or not root.parts for root in roots)
    if outside or len(set(roots)) < len(roots) or any(part.reader == "union" for part in parts):
        raise UserError(
            f"params.yaml: parts with the roots {', '.join(map(str, roots))}: the parts of a union "
            "are corpora, each in a folder of its own below root."
        )
    silent = [part.root for part in parts if not part.part]
    if silent and len(silent) < len(parts):
        raise UserError(
            f"params.yaml: datasets.{name}.parts: {silent[0]} does not say which part its clips "
            "have, and others do. Write part: official, train or test for each, or for none, so "
            "that parts are drawn."
        )
    shared: dict[str, Any] = {
        "about": entry.about,
        "fps": entry.fps,
        "follow_links": entry.follow_links,
        "words": words,
    }
    keys = {field.name for field in fields(Part)} - {"root", "share", "part"}
    return [
        (
            part,
            Dataset(
                root=str(Path(entry.root) / part.root),
                official=part.part == "official",
                **{key: getattr(part, key) for key in keys},
                **shared,
            ),
        )
        for part in parts
    ]


def read(root: Path, entry: Dataset) -> list[Record]:
    """Never called: a union has no files of its own; its parts are read one by one."""
    raise UserError(f"{root}: a union is read part by part.")


CORPUS = Corpus(
    name="union",
    title="several corpora as one, in seven words; by default 30 % DFEW, 10 % FERV39k, 50 % MAFW",
    tracks={
        name: Track(words=words, knows=("votes", "caption", *PLANE, "aus", "scores", "about"))
        for name, words in VOCABULARIES.items()
    },
    home="-",
    access="as its parts",
    licence="as its parts",
    layout={},
    read=read,
    takes=("parts", "track"),
)
