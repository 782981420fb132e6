"""FERV39k (Wang et al., CVPR 2022): 22 scenes, seven words, one fixed split.

The official lists (``train_All.csv``) have no header and one space: ``Action/Sad/0010 Sad``;
redistributed ones (``train.csv``) a header ``path,id`` and codes from 0 in alphabetical order.
Either way the clip's folder names its word too, and both must agree. Clips are folders of pictures.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, known
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
SCENES = (
    "History", "Argue", "Conflict", "War", "Contest", "DailyLife", "Terror", "Interview",
    "ScholarReport", "School", "Crime", "Speech", "Business", "Talkshow", "Crisis",
    "OfficialEvent", "ElegantArt", "Liveshow", "Social", "Action", "Medicine", "Experiment",
)  # fmt: skip
_LISTS = ("4_setups/All_scenes/{part}_All.csv", "{part}_All.csv", "{part}.csv")


def read(root: Path, entry: Dataset) -> list[Record]:
    """Both lists of the official split."""
    pattern = next(
        (name for name in _LISTS if (root / clip_path(name, part="train")).exists()), _LISTS[0]
    )
    clips = entry.clips or "2_ClipsforFaceCrop/{clip}"
    records = []
    for part in ("train", "test"):
        table = clip_path(pattern, part=part)
        for row, clip, word in _list(root, table):
            records.append(_record(table, row, clip, word, part, clip_path(clips, clip=clip)))
    return records


def _list(root: Path, table: str) -> Iterator[tuple[int, str, str]]:
    """Row, clip and word; an unknown code or word as it is written."""
    path = root / table
    if tables.text(path).lstrip().startswith("path,id"):
        for row, values in tables.rows(path, ("path", "id")):
            if any(values.values()):
                word = code(WORDS, tables.digits(values["id"]), first=0)
                yield row, values["path"], word or values["id"]
    else:
        for row, values in tables.lines(path, " ", 2):
            yield row, values["0"], known(WORDS, values["1"]) or values["1"]


def _record(table: str, row: int, clip: str, word: str, part: str, path: str) -> Record:
    scene, _, rest = clip.partition("/")
    folder = rest.partition("/")[0]
    label: dict[str, Any] = {"word": word}
    if word not in WORDS:
        label = {"problem": Reason.UNKNOWN_WORD, "note": f"{word[:40]!r}"}
    elif scene not in SCENES or folder not in WORDS or clip.count("/") != 2:
        label = {"problem": Reason.BAD_VALUE, "note": f"{clip[:60]!r} is not Scene/Word/clip"}
    elif folder != word:
        note = f"the list says {word}, the folder {folder}"
        label = {"problem": Reason.CONFLICTING_ROWS, "note": note}
    label["scene"] = scene if scene in SCENES else ""
    return Record(table, row, clip, path, part=part, **label)


_PUBLISHED = {"clips": 38935, "train": 31088, "test": 7847, "scenes": 22}

CORPUS = Corpus(
    name="ferv39k",
    title="FERV39k: A Large-Scale Multi-Scene Dataset for FER in Videos (Wang et al., CVPR 2022)",
    tracks={"single": Track(words=WORDS, knows=("scene", "split"), published=_PUBLISHED)},
    home="https://wangyanckxx.github.io/Proj_CVPR2022_FERV39k.html",
    access="password by e-mail, from a university account",
    licence="non-commercial research; no copies beyond one's own site",
    layout={
        "4_setups/All_scenes/*_All.csv or *_All.csv or train.csv": "lists of training and test",
        "2_ClipsforFaceCrop": "the clips, folders of pictures",
    },
    read=read,
    takes=("clips",),
)
