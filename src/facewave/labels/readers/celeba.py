"""CelebA (Liu et al., ICCV 2015): pictures of celebrities, without emotions.

``list_eval_partition.txt``: ``000001.jpg 0``, where 0 trains, 1 validates and 2 tests;
``identity_CelebA.txt``, given out on request: ``000001.jpg 2880``, who it is. Neither has a label:
the faces are for pretraining and for students. No person is in two of the official parts.
"""

from pathlib import Path
from typing import Any

from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, first_there
from facewave.labels.records import Record, parsed
from facewave.params import Dataset

_PARTS = ("train", "val", "test")  # by their codes
_LISTS = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
_PEOPLE = ("Anno/identity_CelebA.txt", "identity_CelebA.txt")
_CLIPS = (
    "Img/img_align_celeba/img_align_celeba/{clip}", "Img/img_align_celeba/{clip}",
    "img_align_celeba/img_align_celeba/{clip}", "img_align_celeba/{clip}",
    "Img/img_celeba/{clip}", "img_celeba/{clip}",
)  # fmt: skip


def read(root: Path, entry: Dataset) -> list[Record]:
    """The list of parts, with each picture's person where the list of people is there."""
    table = entry.table or first_there(root, *_LISTS)
    clips = entry.clips or first_there(root, *_CLIPS)
    people = root / first_there(root, *_PEOPLE)
    person_of = {
        values["0"]: values["1"]
        for _, values in (tables.lines(people, " ", 2) if people.exists() else [])
    }
    return [
        Record(
            table, row, values["0"], clip_path(clips, clip=values["0"]),
            **parsed(_known, values["1"], person_of.get(values["0"], "")),
        )
        for row, values in tables.lines(root / table, " ", 2)
    ]  # fmt: skip


def _known(code: str, person: str) -> dict[str, Any]:
    part = tables.count(code, "the part")
    if part >= len(_PARTS):
        raise tables.Unusable(f"part {part}, of 0 to {len(_PARTS) - 1}")
    subject = str(tables.count(person, "the person")) if person else ""
    return {"part": _PARTS[part], "subject": subject}


CORPUS = Corpus(
    name="celeba",
    title="CelebA: Large-scale CelebFaces Attributes Dataset (Liu et al., ICCV 2015)",
    tracks={
        "faces": Track(
            knows=("split", "subject"),
            published={
                "clips": 202599, "subjects": 10177, "train": 162770, "val": 19867, "test": 19962,
            },
        )
    },
    home="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    access="open download; the list of people on request",
    licence="non-commercial research only; copies within one site, no further distribution",
    layout={
        "Eval/list_eval_partition.txt or list_eval_partition.txt": "the three parts",
        "Anno/identity_CelebA.txt or identity_CelebA.txt": "who is in each picture",
        "Img/img_align_celeba or img_align_celeba or Img/img_celeba or img_celeba": "the pictures",
    },
    read=read,
    takes=("table", "clips"),
)  # fmt: skip
