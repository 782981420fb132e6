"""RAF-DB (Li et al., CVPR 2017): photographs in seven words, or in eleven compounds of them.

``EmoLabel/list_patition_label.txt`` (that spelling): ``train_00001.jpg 5``, codes from 1. Both
halves have a list of this name, and codes that mean different words: which half a list is of, its
codes must tell as a whole.
"""

import re
from pathlib import Path, PurePosixPath

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, expect_codes, first_there
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
COMPOUND = (
    "Happily Surprised", "Happily Disgusted", "Sadly Fearful", "Sadly Angry", "Sadly Surprised",
    "Sadly Disgusted", "Fearfully Angry", "Fearfully Surprised", "Angrily Surprised",
    "Angrily Disgusted", "Disgustedly Surprised",
)  # fmt: skip
_LIST = "EmoLabel/list_patition_label.txt"
_NAME = re.compile(r"((train|test)_[0-9]+)\.jpg")


def read(root: Path, entry: Dataset) -> list[Record]:
    """The list of one half."""
    track = CORPUS.track_name(entry)
    table = entry.table or first_there(root, f"{track}/{_LIST}", _LIST)
    half = PurePosixPath(table).parent.parent  # where its EmoLabel and Image lie
    pictures = ("Image/aligned/{clip}_aligned.jpg", "Image/original/{clip}.jpg")
    clips = entry.clips or first_there(root, *(str(half / path) for path in pictures))
    rows = tables.lines(root / table, " ", 2)
    _check_half(rows, track, root / table)
    words = COMPOUND if track == "compound" else WORDS
    codes = (tables.digits(values["1"]) for _, values in rows)
    expect_codes(codes, len(words), 1, str(root / table))
    return [_record(table, row, values["0"], values["1"], clips, track) for row, values in rows]


def _check_half(rows: list[tables.Row], track: str, path: Path) -> None:
    """Refuse the other half's list, whose codes would come out as wrong words."""
    beyond = {str(number) for number in range(len(WORDS) + 1, len(COMPOUND) + 1)}
    strange = [row for row, values in rows if values["1"] in beyond]
    if (half := path.parent.parent.name) in CORPUS.tracks and half != track:
        evidence = f"it lies in {half}/"
    elif strange and track == "basic":
        evidence = f"row {strange[0]} has a code above {len(WORDS)}"
    elif not strange and track == "compound":
        evidence = f"no code is above {len(WORDS)}"
    else:
        return
    other = "compound" if track == "basic" else "basic"
    raise UserError(
        f"{path} is the list of RAF-DB's {other} half ({evidence}), but the track is {track}. Put "
        f"the {track} half there, or set track: {other} in params.yaml."
    )


def _record(table: str, row: int, name: str, field: str, clips: str, track: str) -> Record:
    parts = _NAME.fullmatch(name)
    clip, part = parts.groups() if parts else (name, "")
    path = clip_path(clips, clip=clip) if parts else ""
    return Record(table, row, clip, path, part=part, **parsed(_label, name, field, track))


def _label(name: str, field: str, track: str) -> dict[str, str]:
    words = COMPOUND if track == "compound" else WORDS
    number = tables.count(field, "the code")
    if not _NAME.fullmatch(name):
        raise tables.Unusable(f"{name[:40]!r} is not train_NNNNN.jpg or test_NNNN.jpg")
    if word := code(words, number, first=1):
        return {"word": word, "compound": word if track == "compound" else ""}
    raise tables.Unusable(f"code {number}, of 1 to {len(words)}", Reason.UNKNOWN_WORD)


CORPUS = Corpus(
    name="raf_db",
    title="RAF-DB: Real-world Affective Faces Database (Li et al., CVPR 2017)",
    tracks={
        "basic": Track(words=WORDS, knows=("split",), published={"train": 12271, "test": 3068}),
        "compound": Track(
            words=COMPOUND,
            knows=("split", "compound"),
            of_compounds={"train": 1562, "test": 397},  # arXiv:2403.11450
        ),
    },
    home="http://www.whdeng.cn/RAF/model1.html",
    access="on request, from a university's address",
    licence="research only; see the agreement",
    layout={
        f"{_LIST} or basic/{_LIST} or compound/{_LIST}": "names and codes",
        "Image or basic/Image or compound/Image": "the pictures",
    },
    read=read,
    takes=("table", "clips", "track"),
)
