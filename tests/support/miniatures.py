"""Every reader's corpus in small, and what can happen to its label files."""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy.io import savemat

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.readers import CORPORA, table
from facewave.labels.records import Record, frame
from facewave.labels.schema import Reason
from facewave.params import Dataset

GREY = " ".join(["7"] * 2304)


@dataclass(frozen=True)
class Miniature:
    """A corpus's label files.

    Attributes:
        entry: of params.yaml; the root is the test's.
        files: by path.
        damaged: those that are damaged, one at a time.
        header: whether their first line is one.
        csv: whether they are read as CSV is, where lines end in CR too.
        numbered: whether clips have no names but those of their lines.
        encoding: of the files.
        lines: whether a record is a line of theirs.
    """

    entry: Mapping[str, object]
    files: Mapping[str, bytes]
    damaged: tuple[str, ...]
    header: bool = True
    csv: bool = True
    numbered: bool = False
    encoding: str = "utf-8"
    lines: bool = True


def text(*rows: str, end: str = "\n", encoding: str = "utf-8") -> bytes:
    return (end.join(rows) + end).encode(encoding)


def folds(
    path: str, rows: Mapping[str, str], header: tuple[str, ...] = (), **saved: str
) -> dict[str, bytes]:
    """Ten lists, ``path`` with {part} and {fold}; the i-th clip is tested in fold i % 5 + 1."""
    found = {}
    for fold in range(1, 6):
        for part in ("train", "test"):
            chosen = [(i % 5 + 1 == fold) == (part == "test") for i in range(len(rows))]
            lines = compress(rows.values(), chosen)
            found[path.format(part=part, fold=fold)] = text(*header, *lines, **saved)
    return found


DFEW_LISTS = "EmoLabel_DataSplit/{part}(single-labeled)/"
DFEW_OFFICIAL = folds(
    DFEW_LISTS + "set_{fold}.csv",
    {str(clip): f"{clip},{clip}" for clip in range(1, 8)},
    ("video_name,label",),
    encoding="utf-8-sig",
)
DFEW_ANNOTATION = text(
    "1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear,order,label",
    *(
        ",".join([*("9" if i == label else "0" for i in range(1, 8)), str(label), str(label)])
        for label in range(1, 8)
    ),
    "5,5,0,0,0,0,0,8,0",
)
MAFW_WORDS = {f"{i:05d}.mp4": word for i, word in enumerate(CORPORA["mafw"].track("").words)}
MAFW_PLAIN = folds(
    "single/no_caption/set_{fold}/{part}.txt",
    {clip: f"{clip} {word}" for clip, word in MAFW_WORDS.items()},
    end="\r\n",
)
MAFW_CAPTIONS = folds(
    "single/with_caption/set_{fold}/{part}.txt",
    {clip: f"{clip}\t{word}\t一个女人低下头\tShe bows" for clip, word in MAFW_WORDS.items()},
    end="\r\n",
    encoding="gb18030",
)
MAFW_COMPOUND = folds(
    "compound/no_caption/set_{fold}/{part}.txt",
    {
        word: f"{i:05d}.mp4 {word}"
        for i, word in enumerate(CORPORA["mafw"].track("compound").words[7:17])
    },
    end="\r\n",
)
MAFW_WILD = text(
    "video_name,single_label,actual,annotation",
    *(
        f'{clip},{code},{word},"She ""bows"", he not"'
        for code, (clip, word) in enumerate(MAFW_WORDS.items(), 1)
    ),
    encoding="utf-8-sig",
)
FERV_WORDS = CORPORA["ferv39k"].track("").words
FERV = {f"{scene}/{word}/0001": word for scene in ("War", "Action") for word in FERV_WORDS}
CREMA = ("1001_IEO_NEU_XX", "1001_IEO_HAP_LO", "1002_DFA_ANG_XX", "1091_WSI_SAD_HI")
LINK = "https://www.youtube.com/watch?v="
OMG = text(
    "link,start,end,video,utterance,arousal,valence,EmotionMaxVote",
    *(f"{LINK}{i},0.0,9.2,v{i},utterance_1.mp4,0.{i},-0.{i},{i}" for i in range(7)),
    f"{LINK}9,0.0,9.2,v9,utterance_1.mp4,0.5,0.5,",
)
TEN = (*CORPORA["fer2013"].track("ferplus").words, "unknown", "NF")
FERPLUS = text(
    ",".join(("Usage", "Image name", *TEN)),
    *(
        f"Training,fer000000{i}.png," + ",".join("9" if word == top else "0" for word in TEN)
        for i, top in enumerate(TEN)
    ),
)
EIGHT = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
CHALLENGE = (
    "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
    "Angrily_Surprised,Sadly_Fearful,Sadly_Angry"
)
EXPR = "EXPR_Classification_Challenge"
SEWA = "SAH_C2_S055_P109_VC1_004803_005343"


def npy(value: object) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array(value))
    return content.getvalue()


def imdb_mat(half: str, compressed: bool = True, **fields: list[Any]) -> bytes:
    """The structure of IMDB-WIKI's metadata, its text in cells."""
    count = len(next(iter(fields.values())))
    columns: dict[str, Any] = {
        "full_path": [f"0{i}/nm{i}.jpg" for i in range(count)],
        "name": [f"Person {i}" for i in range(count)],
        "dob": [719529.0] * count,  # 1970-01-01
        "photo_taken": [2000.0] * count,
        "gender": [0.0] * count,
        "face_score": [3.5] * count,
        "second_face_score": [math.nan] * count,
    } | fields
    for name in ("full_path", "name"):
        cells = np.empty((1, count), object)
        cells[0] = columns[name]
        columns[name] = cells
    content = io.BytesIO()
    savemat(content, {half: columns}, do_compression=compressed)
    return content.getvalue()


def emotion(labels: object, apart: bool) -> dict[str, object]:
    return {"ytb_id": "x", "attributes": {"emotion": {"sep_flag": apart, "labels": labels}}}


LIST: dict[str, Any] = {"header": False, "csv": False}
ACTED = text('"Stimulus_Number","Filename"', *(f'{i},"{name}"' for i, name in enumerate(CREMA)))
PERCEIVED = text(
    '"","FileName","VoiceVote","FaceVote"',
    *(f'"1","{n}","A","{v}"' for n, v in zip(CREMA, ("N", "H", "S", "N:S"), strict=True)),
)
AFEW = {f"{i:05d}": {"valence": i - 2, "arousal": i, "landmarks": [[1.5, 2]]} for i in range(3)}
HAPPY = {"emotion": "happy", "start_sec": 0, "end_sec": 1}
CELEBV = {
    "a_0": emotion("neutral", False),
    "b_0": emotion(["sadness"], False),
    "c_0": emotion([HAPPY], True),
}
MINIATURES = {
    "dfew annotation": Miniature(
        {"reader": "dfew", "table": "a.csv"}, {"a.csv": DFEW_ANNOTATION}, ("a.csv",)),
    "dfew official lists": Miniature(
        {"reader": "dfew"}, DFEW_OFFICIAL,
        tuple(DFEW_LISTS.format(part=part) + "set_1.csv" for part in ("train", "test"))),
    "dfew redistributed lists": Miniature(
        {"reader": "dfew"},
        folds(
            DFEW_LISTS + "{part}_set_{fold}.csv",
            {str(clip): f"{clip:05d},{clip - 1}" for clip in range(1, 8)}, ("video_name,label",)),
        tuple(DFEW_LISTS.format(part=part) + f"{part}_set_2.csv" for part in ("train", "test"))),
    "dfew annotation and lists": Miniature(
        {"reader": "dfew"}, DFEW_OFFICIAL | {"Annotation/annotation.csv": DFEW_ANNOTATION},
        ("Annotation/annotation.csv", DFEW_LISTS.format(part="test") + "set_1.csv")),
    "ferv39k official": Miniature(
        {"reader": "ferv39k"},
        {"train_All.csv": text(*(f"{clip} {word}" for clip, word in FERV.items())),
         "test_All.csv": text("Crime/Sad/0007 Sad")},
        ("train_All.csv", "test_All.csv"), **LIST),
    "ferv39k redistributed": Miniature(
        {"reader": "ferv39k"},
        {"train.csv": text(
            "path,id", *(f"{clip},{FERV_WORDS.index(word)}" for clip, word in FERV.items())),
         "test.csv": text("path,id", "Crime/Sad/0007,5")},
        ("train.csv", "test.csv")),
    "mafw": Miniature(
        {"reader": "mafw"}, MAFW_PLAIN,
        ("single/no_caption/set_1/train.txt", "single/no_caption/set_1/test.txt"), **LIST),
    "mafw with captions": Miniature(
        {"reader": "mafw"}, MAFW_CAPTIONS,
        ("single/with_caption/set_1/train.txt", "single/with_caption/set_1/test.txt"),
        encoding="gb18030", **LIST),
    "mafw compound": Miniature(
        {"reader": "mafw", "track": "compound"}, MAFW_COMPOUND,
        ("compound/no_caption/set_1/test.txt",), **LIST),
    "mafw wild": Miniature({"reader": "mafw", "table": "w.csv"}, {"w.csv": MAFW_WILD}, ("w.csv",)),
    "crema_d acted": Miniature(
        {"reader": "crema_d"}, {"SentenceFilenames.csv": ACTED}, ("SentenceFilenames.csv",)),
    "crema_d perceived": Miniature(
        {"reader": "crema_d", "track": "perceived"},
        {"summaryTable.csv": PERCEIVED}, ("summaryTable.csv",)),
    "table of words": Miniature(
        {"reader": "table", "table": "t.csv", "words": ["happy", "sad", "calm"], "columns":
         {"file_path": "clip", "actual": "said", "votes.sad": "n", "valence": "v",
          "dominance": "d", "aus.AU4": "u"}},
        {"t.csv": text("clip;said;n;v;d;u", "a.mp4;happy;1;0.5;-0.5;5", "b.mp4;sad;3;-1;1;0.5",
                       "c.mp4;calm;0;0;;0")},
        ("t.csv",)),
    "table of codes": Miniature(  # many of the first code: all codes show where they start
        {"reader": "table", "table": "t.tsv", "words": ["happy", "sad", "calm"],
         "columns": {"file_path": "clip", "label": "code"}},
        {"t.tsv": text(
            "clip\tcode", *(f"{i}.mp4\t{code}" for i, code in enumerate("0000012121200000")))},
        ("t.tsv",)),
    "omg": Miniature(
        {"reader": "omg"},
        {"omg_TrainVideos.csv": OMG,
         "omg_ValidationVideos.csv": OMG.replace(b"utterance_1", b"utterance_2"),
         "omg_TestVideos_WithLabels.csv": OMG.replace(b"utterance_1", b"utterance_3")},
        ("omg_TrainVideos.csv",)),
    "fer2013": Miniature(
        {"reader": "fer2013"},
        {"fer2013.csv": text("emotion,pixels,Usage", *(f"{i},{GREY},Training" for i in range(7)))},
        ("fer2013.csv",), numbered=True),
    "ferplus": Miniature(
        {"reader": "fer2013", "track": "ferplus"}, {"fer2013new.csv": FERPLUS},
        ("fer2013new.csv",), numbered=True),
    "raf_db": Miniature(
        {"reader": "raf_db"},
        {"EmoLabel/list_patition_label.txt": text(
            *(f"train_{i:05d}.jpg {i}" for i in range(1, 8)), "test_0001.jpg 4")},
        ("EmoLabel/list_patition_label.txt",), **LIST),
    "raf_db, compound": Miniature(
        {"reader": "raf_db", "track": "compound", "words": "compound"},
        {"compound/EmoLabel/list_patition_label.txt": text(
            *(f"train_{i:05d}.jpg {i}" for i in range(1, 12)), "test_0001.jpg 4")},
        ("compound/EmoLabel/list_patition_label.txt",), **LIST),
    "abaw_compound": Miniature(
        {"reader": "abaw_compound", "table": "p.txt"},
        {"p.txt": text(CHALLENGE, *(f"01/{i + 1:05d}.jpg,{i}" for i in range(7)))},
        ("p.txt",), csv=False),
    "aff_wild2": Miniature(
        {"reader": "aff_wild2", "track": "expr"},
        {f"{EXPR}/Train_Set/a.txt": text(EIGHT, *"01234567", "-1", end="\r\n"),
         f"{EXPR}/Validation_Set/b.txt": text(EIGHT, "0", end="\r\n")},
        (f"{EXPR}/Train_Set/a.txt",), csv=False, numbered=True),
    "sewa": Miniature(
        {"reader": "sewa"},
        {f"{SEWA}/{SEWA}_{side}_AV_Aligned.csv": text(
            f"frame_idx,{side.lower()}", *(f"{4803 + i},0.{i}" for i in range(4)))
         for side in ("Valence", "Arousal")},
        (f"{SEWA}/{SEWA}_Arousal_AV_Aligned.csv",)),
    "afew_va": Miniature(
        {"reader": "afew_va"},
        {"001/001.json": json.dumps({"actor": "A", "frames": AFEW, "video_id": "001"}).encode(),
         **{f"001/{i:05d}.png": b"" for i in range(3)}},
        ("001/001.json",), lines=False),
    "celebv_hq": Miniature(
        {"reader": "celebv_hq"}, {"celebvhq_info.json": json.dumps({"clips": CELEBV}).encode()},
        ("celebvhq_info.json",), lines=False),
    "affectnet": Miniature(
        {"reader": "affectnet"},
        {f"{part}/annotations/7_{kind}.npy": npy(value)
         for part in ("train_set", "val_set")
         for kind, value in (("exp", "3"), ("val", "0.5"), ("aro", "-0.25"))},
        ("train_set/annotations/7_exp.npy", "train_set/annotations/7_val.npy"), lines=False),
    "celeba": Miniature(
        {"reader": "celeba"},
        {"Eval/list_eval_partition.txt": text(*(f"00000{i}.jpg {i % 3}" for i in range(6))),
         "Anno/identity_CelebA.txt": text(*(f"00000{i}.jpg {i % 3 + 7}" for i in range(6)))},
        ("Eval/list_eval_partition.txt", "Anno/identity_CelebA.txt"), **LIST),
    "imdb_wiki": Miniature(
        {"reader": "imdb_wiki"},
        {"imdb_crop/imdb.mat": imdb_mat("imdb", gender=[0.0, 1.0, math.nan])}, (), lines=False),
    "imdb_wiki, wiki": Miniature(
        {"reader": "imdb_wiki", "track": "wiki"},
        {"wiki.mat": imdb_mat("wiki", gender=[1.0])}, (), lines=False),
}  # fmt: skip
CASES = [(name, path) for name, miniature in MINIATURES.items() for path in miniature.damaged]

SPLINTERS = st.sampled_from(
    [
        *(b",", b";", b"\t", b" ", b"\n", b"\r", b"\r\n", b'"', b"'", b"\0", b"_", b":", b"/"),
        *(b"0", b"1", b"7", b"-", b".", b"e9", b"x", b"NA", b"nan", b"5" * 5000, b"../"),
        *(b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xe9", b"\xc2\x85", "²٣".encode(), b"{}[]"),
    ]
)
VALUES = st.sampled_from([b"", b"x", b"-1", b"0", b"3", b"99", b"1.0", b"nan", b"5" * 5000])
ACCIDENTS = ("flip", "cut", "end", "insert", "twice", "drop", "swap", "value", "save")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "gb18030", "utf-32")


@st.composite
def damage(draw: st.DrawFn, content: bytes, encoding: str) -> bytes:
    """The content after some accidents."""
    for _ in range(draw(st.integers(1, 3))):
        lines = content.splitlines(keepends=True) or [b""]
        line, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        at = draw(st.integers(0, len(content)))
        mark = draw(st.sampled_from([b",", b";", b"\t", b" "]))
        match draw(st.sampled_from(ACCIDENTS)):
            case "flip" if at < len(content):
                mask = bytes([content[at] ^ draw(st.integers(1, 255))])
                content = content[:at] + mask + content[at + 1 :]
            case "cut":
                content = content[:at] + content[at + draw(st.integers(1, 12)) :]
            case "end":
                content = content[:at]
            case "insert":
                content = content[:at] + draw(SPLINTERS) + content[at:]
            case "twice":
                content = b"".join([*lines[: line + 1], lines[line], *lines[line + 1 :]])
            case "drop":
                content = b"".join(lines[:line] + lines[line + 1 :])
            case "swap":
                one, two = lines[line].rstrip().split(mark), lines[other].rstrip().split(mark)
                i, j = draw(st.integers(0, len(one) - 1)), draw(st.integers(0, len(two) - 1))
                if line == other:
                    two = one
                one[i], two[j] = two[j], one[i]
                lines[line], lines[other] = mark.join(one) + b"\n", mark.join(two) + b"\n"
                content = b"".join(lines)
            case "value":
                fields = lines[line].rstrip().split(mark)
                fields[draw(st.integers(0, len(fields) - 1))] = draw(VALUES)
                lines[line] = mark.join(fields) + b"\n"
                content = b"".join(lines)
            case "save":
                saved = content.decode(encoding, "replace").removeprefix("\ufeff")
                content = saved.encode(draw(st.sampled_from(ENCODINGS)), "replace")
    return content


def split(path: Path, miniature: Miniature) -> list[str]:
    """The lines of a file as its reader counts them."""
    content = tables.text(path, miniature.encoding)
    found = list(io.StringIO(content, newline=""))
    return [line.strip("\r\n") for line in (found if miniature.csv else [*found, ""])]


def said(record: Record, miniature: Miniature) -> tuple[str, str]:
    return ("" if miniature.numbered else record.video_idx, record.word)


@dataclass(frozen=True)
class Case:
    """A miniature on disk, one file of which is damaged, and its records when it is whole."""

    miniature: Miniature = field(repr=False)
    entry: Dataset
    path: str
    whole: list[Record] = field(repr=False)


def write(folder: Path, name: str, path: str) -> Case:
    """Write a miniature below a folder."""
    miniature = MINIATURES[name]
    for file, content in miniature.files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    entry = Dataset(root=str(folder), about="a test", **miniature.entry)  # type: ignore[arg-type]
    whole = CORPORA[entry.reader].read(folder, entry)
    assert {record.problem for record in whole} <= {None, Reason.VOTE_TIE, Reason.MARKED_INVALID}
    return Case(miniature, entry, path, whole)


def check_damaged(case: Case, content: bytes) -> None:
    """Read a case with other content in its file: no word that nobody wrote comes out."""
    miniature, entry, root = case.miniature, case.entry, Path(case.entry.root)
    corpus = CORPORA[entry.reader]
    words = table.words_of(entry) if corpus.name == "table" else corpus.track(entry.track).words
    (root / case.path).write_bytes(content)
    try:
        records = corpus.read(root, entry)
    except UserError:
        return
    assert {record.word for record in records} <= {"", *words}
    assert len(frame(records)) == len(records)
    if not miniature.lines:
        return
    after = split(root / case.path, miniature)
    (root / case.path).write_bytes(miniature.files[case.path])
    before = split(root / case.path, miniature)
    if miniature.header and before[0] != after[0]:
        return
    elsewhere = {r.video_idx: r.word for r in case.whole}
    lines = {before[r.row - 1]: said(r, miniature) for r in case.whole if r.table == case.path}
    for record in records:
        if not record.word or record.row == 0:
            continue
        if record.table != case.path:
            assert record.word == elsewhere[record.video_idx]
        elif after[record.row - 1] in lines:
            assert said(record, miniature) == lines[after[record.row - 1]]
