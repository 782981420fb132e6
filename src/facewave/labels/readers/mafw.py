"""MAFW (Liu et al., ACM MM 2022): eleven words or 43 compounds of them, captions, official folds.

``Train & Test Set/{single,compound}/{no_caption,with_caption}/set_1..5/{train,test}.txt``:
``00025.mp4 anger``, compounds joined by ``_``; with captions four fields between tabs (name, label,
Chinese text, English text) in GB18030. ``gender.txt`` has a program's guess for each clip,
``00019: 1``; what 0 and 1 stand for is not said. A CSV of one release, met in the wild, can be
named as ``table``: ``video_name,single_label,actual,annotation`` with codes from 1 and words.

Captions describe the expression, and neutral clips have none: they tell the label twice. The
compound folds are not the single ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import official, tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, first_there, known
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt",
    "anxiety", "helplessness", "disappointment",
)  # fmt: skip
COMPOUND = (
    *WORDS,
    "anger_disgust", "anger_disgust_contempt", "anger_disgust_anxiety", "anger_sadness",
    "anger_surprise", "anger_anxiety", "anger_helplessness",
    "disgust_sadness", "disgust_surprise", "disgust_contempt", "disgust_anxiety",
    "disgust_anxiety_helplessness", "disgust_helplessness",
    "disgust_helplessness_disappointment", "disgust_disappointment",
    "fear_sadness", "fear_sadness_anxiety", "fear_surprise", "fear_surprise_anxiety",
    "fear_anxiety", "happiness_surprise", "happiness_contempt",
    "sadness_surprise", "sadness_anxiety", "sadness_anxiety_helplessness",
    "sadness_helplessness", "sadness_helplessness_disappointment", "sadness_disappointment",
    "surprise_anxiety", "anxiety_helplessness", "anxiety_helplessness_disappointment",
    "helplessness_disappointment",
)  # fmt: skip
_WILD = ("video_name", "single_label", "actual")
_CAPTIONS = "gb18030"
Words = tuple[str, ...]
Captions = dict[str, dict[str, str]]  # clip -> fields of its record


def read(root: Path, entry: Dataset) -> list[Record]:
    """The official folds, with captions where they are there, or a table that is named."""
    track = CORPUS.track_name(entry)
    words = COMPOUND if track == "compound" else WORDS
    lists = first_there(root, f"Train & Test Set/{track}", track)
    clips = entry.clips or first_there(root, "data/clips/{clip}", "data/frames/{number}")

    def path_of(clip: str) -> str:
        return clip_path(clips, clip=clip, number=clip.partition(".")[0])

    plain, with_captions = root / lists / "no_caption", root / lists / "with_caption"
    folds: dict[str, official.Listed] = {}
    captions: Captions = {}
    if plain.exists() or not (with_captions.exists() or entry.table):
        folds, _ = _folds(root, plain, words)
    if with_captions.exists():
        captioned, captions = _folds(root, with_captions, words, entry.encoding)
        folds = folds or captioned
        one, both = ({(c, s.word, s.fold) for c, s in x.items()} for x in (captioned, folds))
        if other := sorted({clip for clip, _, _ in one - both}):
            raise UserError(
                f"{root / lists}: the lists with captions have {len(other)} clips that those "
                f"without lack or have otherwise (the first: {other[0]}). Put lists of one release "
                "there."
            )
    genders = _genders(root)
    if not entry.table:
        known = {clip: {"about": genders.get(clip)} | captions.get(clip, {}) for clip in folds}
        return official.records(folds, path_of, known, compound=track == "compound")
    encoding = entry.encoding or "utf-8"
    needed, optional = ("video_name", "actual"), (*_WILD, "annotation")
    rows = tables.rows(root / entry.table, needed, optional, encoding=encoding)
    records = [_wild(entry.table, row, values, words, path_of) for row, values in rows]
    records = [replace(record, about=genders.get(record.video_idx)) for record in records]
    return official.join(records, folds, str(root))


def _folds(
    root: Path, folder: Path, words: Words, encoding: str = ""
) -> tuple[dict[str, official.Listed], Captions]:
    """The folds of the lists in a folder, and the captions beside them."""
    lists: official.Lists = {}
    captions: Captions = {}
    for fold, part in product(range(1, official.FOLDS + 1), ("train", "test")):
        path = folder / f"set_{fold}" / f"{part}.txt"
        if not path.exists():
            continue
        if folder.name == "no_caption":
            rows = tables.lines(path, " ", 2)
        else:
            if not encoding:
                _refuse_utf8(path)
            rows = tables.lines(path, "\t", 4, encoding or _CAPTIONS, least=2)
        table = path.relative_to(root).as_posix()
        for row, values in rows:
            entry = ((table, row), known(words, values["1"]) or values["1"])
            lists.setdefault((fold, part), {}).setdefault(values["0"], []).append(entry)
            texts = {"caption_zh": values.get("2", ""), "caption": values.get("3", "")}
            captions[values["0"]] = texts
    return official.folds(lists, str(folder), words), captions


def _genders(root: Path) -> dict[str, dict[str, str]]:
    """The code of each clip; nothing without the list."""
    path = root / first_there(root, "Labels(auto)/gender.txt", "gender.txt")
    lines = tables.lines(path, ":", 2) if path.exists() else []
    return {f"{values['0']}.mp4": {"gender": f"code {values['1']}"} for _, values in lines}


def _refuse_utf8(path: Path) -> None:
    """GB18030 reads nearly any bytes: a list that somebody saved as UTF-8 would come out wrong."""
    content = path.read_bytes()
    if content.isascii() or content.startswith(b"\xef\xbb\xbf"):
        return
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return
    raise UserError(
        f"{path} should be GB18030, as MAFW has it, but is UTF-8 as well. Say which it is: "
        "encoding: utf-8 (or gb18030) in the dataset's entry in params.yaml."
    )


def _wild(
    table: str, row: int, values: Mapping[str, str], words: Words, path_of: Callable[[str], str]
) -> Record:
    """A row whose word and code, from 1 and of the eleven, must agree; the code may be missing."""
    clip, number, written = (values.get(name, "") for name in _WILD)
    if not any(values.values()):
        return Record(table, row, "")
    coded = code(WORDS, tables.digits(number), first=1)
    word = known(words, written)
    label: dict[str, Any] = {"word": word}
    if not clip:
        label = {"problem": Reason.BAD_VALUE, "note": "no video_name"}
    elif not word or (number and not coded):
        label = {"problem": Reason.UNKNOWN_WORD, "note": f"{number} {written}".strip()[:60]}
    elif coded and coded != word:
        note = f"code {number} is {coded}, the word beside it {word}"
        label = {"problem": Reason.CONFLICTING_ROWS, "note": note}
    path = path_of(clip) if clip else ""
    return Record(table, row, clip, path, caption=values.get("annotation", ""), **label)


_KNOWS = ("fold", "caption", "caption_zh", "about")
_SINGLE = {
    "clips": 9172, "sadness": 1470, "anger": 1390, "happiness": 1242, "neutral": 1138,
    "surprise": 1072, "anxiety": 916, "disgust": 639, "fear": 625, "helplessness": 262,
    "contempt": 236, "disappointment": 182,
    "fold 1": 1839, "fold 2": 1837, "fold 3": 1833, "fold 4": 1832, "fold 5": 1831,
}  # fmt: skip
_COMPOUND = {
    "clips": 8996, "classes": 43,
    "fold 1": 1818, "fold 2": 1809, "fold 3": 1798, "fold 4": 1788, "fold 5": 1783,
}  # fmt: skip

CORPUS = Corpus(
    name="mafw",
    title="MAFW: A Large-scale, Multi-modal, Compound Affective Database (Liu et al., ACM MM 2022)",
    tracks={
        "single": Track(words=WORDS, knows=_KNOWS, published=_SINGLE),
        "compound": Track(words=COMPOUND, knows=("compound", *_KNOWS), published=_COMPOUND),
    },
    home="https://mafw-database.github.io/MAFW/",
    access="signed agreement by e-mail, from a university's staff",
    licence="non-commercial research; no copies beyond one's own site",
    layout={
        "Train & Test Set/single/*_caption or single/*_caption": "five folds, eleven words",
        "Train & Test Set/compound/*_caption or compound/*_caption": "five folds, 43 compounds",
        "Labels(auto)/gender.txt or gender.txt": "a code of gender for each clip",
        "data/clips or data/frames": "the clips",
    },
    read=read,
    takes=("table", "clips", "track", "encoding"),
)
