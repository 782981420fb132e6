"""CASIA-WebFace (Yi et al., 2014): pictures of celebrities by person, without emotions.

A picture's folder is its person: ``CASIA-WebFace/0000045/001.jpg``. There is no list, and there are
no parts. The copy in records of MXNet (``train.rec``, as face recognition passes it on) is not
read.
"""

from pathlib import Path, PurePosixPath

from facewave.errors import UserError
from facewave.labels.corpus import Corpus, Track, clip_paths
from facewave.labels.folders import find
from facewave.labels.records import Record
from facewave.params import Dataset
from facewave.pictures import PICTURES

_CLIPS = "**/*"


def read(root: Path, entry: Dataset) -> list[Record]:
    """The pictures that ``clips`` chooses, by default all below the root."""
    pattern = entry.clips or _CLIPS
    paths = clip_paths(root, entry, pattern, PICTURES)
    if not paths and (records := find(root, "**/*.rec", entry.follow_links)):
        raise UserError(
            f"{records[0]} has the pictures packed for MXNet, which is not read. Unpack it into a "
            "picture a file, a folder a person."
        )
    if not paths:
        raise UserError(
            f"{root} has no pictures {pattern}, such as CASIA-WebFace/0000045/001.jpg. Unpack the "
            "corpus there, or correct the dataset's root or clips in params.yaml."
        )
    return [_record(PurePosixPath(path)) for path in paths]


def _record(path: PurePosixPath) -> Record:
    return Record("", 0, str(path.with_suffix("")), str(path), subject=path.parent.name)


CORPUS = Corpus(
    name="casia_webface",
    title="CASIA-WebFace: Learning Face Representation from Scratch (Yi et al., 2014)",
    tracks={
        "faces": Track(knows=("subject",), published={"clips": 494414, "subjects": 10575}),
    },
    home="https://arxiv.org/abs/1411.7923",
    access="on request, with the signed agreement",
    licence="non-commercial research only; see the agreement",
    layout={"CASIA-WebFace/*/*.jpg or */*.jpg": "the pictures: a folder a person"},
    read=read,
    takes=("clips",),
)
